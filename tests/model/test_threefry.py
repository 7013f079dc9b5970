import numpy as np
import pytest
from scipy import stats

from bench.model.threefry import LABELS, normals, permutations, threefry, uniforms


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_is_that_of_random123(key, counter, expected):
    """The known answers that Random123 is published with, for 20 rounds."""
    assert tuple(map(int, threefry(*key, *counter))) == expected


def test_normal_numbers_are_normal():
    """Kolmogorov and Smirnov find nothing in 90,000 of them, nor do pairs of one draw go together."""
    found = normals(np.arange(1000), 7, 90)
    assert stats.kstest(found.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(found[:, 0::2].ravel(), found[:, 1::2].ravel())[0, 1]) < 0.01
    assert np.abs(found).max() < 5.8


def test_numbers_of_one_seed_do_not_depend_on_the_seeds_beside_it():
    """Nor on how many numbers are drawn; other steps, seeds and places have others."""
    some = normals([3, 4], 5, 8)
    np.testing.assert_array_equal(some[1], normals([4], 5, 3, "float64")[0].tolist() + some[1, 3:].tolist())
    assert len(np.unique([some, normals([3, 4], 6, 8), normals([3, 4], 5 + 2**32, 8)])) == 48


def test_single_precision_has_the_same_numbers_rounded():
    """Backends in either precision see the same noise."""
    single, double = (normals(range(100), 1, 9, dtype) for dtype in ("float32", "float64"))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-5, atol=1e-5)


def test_uniform_numbers_are_uniform():
    """From 0 to below 1, as the test of Kolmogorov and Smirnov sees them."""
    found = uniforms(np.arange(2000), LABELS, 3, np.arange(8))
    assert ((found >= 0) & (found < 1)).all()
    assert stats.kstest(found.ravel(), "uniform").pvalue > 0.01


def test_every_order_of_observations_is_as_likely():
    """All 24 orders of four come up, none more often than chance has it."""
    orders, counts = np.unique(permutations(np.arange(24_000), 5, 4), axis=0, return_counts=True)
    assert len(orders) == 24
    assert stats.chisquare(counts).pvalue > 0.01

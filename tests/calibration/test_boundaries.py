"""Whether intervals of a border's dimension cover it, in random windows of three borders that are known.

``python -m pytest tests/calibration/test_boundaries.py -m slow -s`` prints the table of `docs/statistics.md`.
"""

import numpy as np
import pytest

from bench.stats.boundary_dimension import pixel_dimension, uncertainty_dimension
from tests.stats.known_boundaries import CANTOR, NEWTON, RADIUS, cantor, disc, newton, picture, trained

pytestmark = pytest.mark.slow

LEAST = 0.93


def on_the_disc(rng):
    """Return a window of 0.1 to 1.5 around a point of the disc's border."""
    angle, side = rng.uniform(0, 2 * np.pi), 10 ** rng.uniform(-1, 0.2)
    return 0.5 + RADIUS * np.array([np.cos(angle), np.sin(angle)]) - side * rng.uniform(0.3, 0.7, 2), side


def on_cantors_set(rng):
    """Return a window of 0.03 to 1 around a point of Cantor's set."""
    place, side = (2 * rng.integers(0, 2, 30) / 3.0 ** np.arange(1, 31)).sum(), 10 ** rng.uniform(-1.5, 0)
    return np.array([place - side * rng.uniform(0.3, 0.7), 0.0]), side


def on_newtons_border(rng):
    """Return a window of 0.1 to 2 around a point of the Julia set, which backward steps come to."""
    place, side = 3 + 1j, 10 ** rng.uniform(-1, 0.3)
    for _ in range(30):
        place = np.roots([2, -3 * place, 0, 1])[rng.integers(3)]
    return np.array([place.real, place.imag]) - side * rng.uniform(0.3, 0.7, 2), side


BORDERS = {
    "disc": (disc, 1.0, on_the_disc),
    "Cantor set": (cantor, CANTOR, on_cantors_set),
    "Newton's method": (newton, NEWTON, on_newtons_border),
}


def covered(dimensions, truth):
    """Return how many intervals hold the truth, and their median width."""
    known = [one for one in dimensions if one is not None]
    hits = [one.low <= truth <= one.high for one in known]
    return float(np.mean(hits)), float(np.median([one.high - one.low for one in known]))


@pytest.mark.parametrize("name", BORDERS)
@pytest.mark.parametrize(("bases", "repeats"), [(200, 600), (1_000, 400), (4_000, 300)])
def test_intervals_of_pairs_cover_the_dimension(name, bases, repeats):
    """Those of all scales, and of the fine ones and the finest."""
    fate, truth, window = BORDERS[name]
    found = []
    for seed in range(repeats if fate is not newton else repeats // 2):
        corner, side = window(np.random.default_rng([seed, 1]))
        found.append(uncertainty_dimension(*trained(fate, bases, seed, corner, side)))
    for scales in ("whole", "fine", "finest"):
        share, width = covered([getattr(one, scales) for one in found], truth)
        print(f"| dimension by pairs, {scales}, {name} | {bases:,} | {share:.1%} | {width:.3f} | {len(found)} |")
        assert share >= LEAST


@pytest.mark.parametrize("name", BORDERS)
@pytest.mark.parametrize(("size", "repeats"), [(64, 300), (128, 300), (256, 150)])
def test_intervals_of_pixels_cover_the_dimension(name, size, repeats):
    """Of maps in random windows."""
    fate, truth, window = BORDERS[name]
    found = []
    for seed in range(repeats if fate is not newton else repeats // 3):
        corner, side = window(np.random.default_rng([seed, 2]))
        found.append(pixel_dimension(picture(fate, size, corner, side)))
    share, width = covered(found, truth)
    print(f"| dimension by pixels, {name} | {size} × {size} | {share:.1%} | {width:.3f} | {len(found)} |")
    assert share >= LEAST


def test_the_dimension_of_newtons_border_is_where_the_pressure_is_zero():
    """Bowen's formula (1979): there the sum of |(Nⁿ)'|^-D over all that come to a point in n steps goes on as it is.

    In the spherical metric, in which infinity is a point as any other, along the tree of preimages by Cardano's formula
    and to its limit by Aitken's; from three points.
    """
    for point in (0.3 + 0.4j, -1.3 + 0.2j, 5 + 2j):
        place, log_slope, sums = np.array([point]), np.zeros(1), []
        exponents = np.linspace(1.40, 1.48, 9)
        for _ in range(13):
            root = np.sqrt(1 - place**3)
            cube = np.where(np.abs(-1 + root) > np.abs(-1 - root), -1 + root, -1 - root) ** (1 / 3)
            turned = cube * np.exp(2j * np.pi * np.arange(3) / 3)[:, None]
            before = 1 / (turned + place / turned)
            log_slope = (log_slope + np.log(2 / 3 * np.abs(1 - before**-3))).ravel()
            place = before.ravel()
            spherical = log_slope + np.log1p(np.abs(place) ** 2)
            sums.append([np.log(np.exp(-exponent * spherical).sum()) for exponent in exponents])
        first, second, third = (np.interp(0, -pressure, exponents) for pressure in np.diff(sums, axis=0)[-3:])
        limit = third - (third - second) ** 2 / (third - 2 * second + first)
        assert limit == pytest.approx(NEWTON, abs=2e-4)

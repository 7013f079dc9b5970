"""The streams of many seeds at once, against NumPy's own generator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model import mt19937
from bench.model.mt19937 import FEW, SEEDS_AT_ONCE, STATE, doubles, words


@pytest.fixture(scope="module", autouse=True, params=[0, FEW])
def few(request):
    """Few seeds are drawn by NumPy itself: here side by side as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mt19937, "FEW", request.param)
        yield


SEEDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5)


def oracle(seed, draws):
    return np.frombuffer(np.random.RandomState(seed).bytes(4 * draws), dtype="<u4")


@given(SEEDS, st.integers(1, 60))
def test_the_first_draws_are_numpys(seeds, draws):
    """Whatever the seeds, every word is the word of RandomState(seed)."""
    np.testing.assert_array_equal(words(seeds, draws), np.transpose([oracle(seed, draws) for seed in seeds]))


@pytest.mark.parametrize("draws", [226, 227, 228, STATE - 1, STATE, STATE + 1, 3 * STATE + 5])
def test_long_streams_are_numpys_across_every_turn_of_the_state(draws):
    """The state is reused from its 228th draw on, and begins anew after 624."""
    np.testing.assert_array_equal(words([7], draws)[:, 0], oracle(7, draws))


@pytest.mark.parametrize("skipped", [1, 226, 227, STATE - 1, STATE, STATE + 1, 2 * STATE + 300, 20_000])
@pytest.mark.parametrize("draws", [3, STATE])
def test_what_is_skipped_is_never_looked_at_and_counts(skipped, draws):
    """The draws after so many are those that NumPy comes to, wherever in a state they begin and end."""
    seeds = range(FEW // 20 + 1)
    found = words(seeds, draws, skipped)
    for seed in (seeds[0], seeds[-1]):
        np.testing.assert_array_equal(found[:, seed], oracle(seed, skipped + draws)[skipped:])


def test_more_draws_are_skipped_than_are_thrown_away_at_once(monkeypatch):
    """Also where NumPy draws them."""
    monkeypatch.setattr(mt19937, "AT_ONCE", 100)
    np.testing.assert_array_equal(words([7], 5, 350)[:, 0], oracle(7, 355)[350:])


def test_more_seeds_than_are_drawn_at_once_keep_their_streams():
    """No seed gets another's numbers at the seams."""
    found = words(range(SEEDS_AT_ONCE + 3), 2)
    for seed in (0, SEEDS_AT_ONCE - 1, SEEDS_AT_ONCE, SEEDS_AT_ONCE + 2):
        np.testing.assert_array_equal(found[:, seed], oracle(seed, 2))


@given(SEEDS)
def test_doubles_are_numpys_random_numbers(seeds):
    """Two words make one of rand's numbers."""
    expected = np.transpose([np.random.RandomState(seed).random_sample(5) for seed in seeds])
    np.testing.assert_array_equal(doubles(words(seeds, 10)), expected)


def test_no_draws_are_an_empty_table():
    """A network whose every number is given draws nothing."""
    assert words([1, 2], 0).shape == (0, 2)

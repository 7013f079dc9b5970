import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, kstest, multinomial

from bench.metrics import columns as c
from bench.stats.final_patterns import (
    CHI2,
    COUNTS,
    P_HOLM,
    N,
    P,
    uniform_chi_square,
    wrong_observation_summary,
    wrong_observation_test,
)

ONE_WRONG = [[1, 1, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 1, 1]]  # XOR, by the observation that is wrong


def wrong(*counts):
    """Return predictions of XOR with one observation wrong, by how often it is each."""
    return [row for row, count in zip(ONE_WRONG, counts, strict=True) for _ in range(count)]


def test_counts_are_held_against_equal_shares(trial, ended, table):
    """By hand: 10, 20, 30 and 40 of a hundred, 25 expected: (225 + 25 + 25 + 225) / 25 = 20, with three degrees."""
    data = table(ended(trial(), [*wrong(10, 20, 30, 40), [0, 1, 1, 0], [1, 0, 0, 1], [0.5] * 4]))
    (row,) = wrong_observation_test(data, seed=0).to_dict("records")
    assert row[COUNTS].tolist() == [10, 20, 30, 40]
    assert (row[N], row[CHI2]) == (100, pytest.approx(20))
    assert row[P] == row[P_HOLM] == pytest.approx(chi2.sf(20, 3))


def test_few_counts_are_held_against_every_way_to_draw_them():
    """Six of four observations: p is that of the exact multinomial test, to what ten thousand draws can tell."""
    counts = np.array([4, 1, 1, 0])
    ways = np.array([(a, b, d, 6 - a - b - d) for a in range(7) for b in range(7 - a) for d in range(7 - a - b)])
    extreme = (ways**2).sum(axis=1) >= (counts**2).sum()
    exact = multinomial(6, [0.25] * 4).pmf(ways[extreme]).sum()
    assert uniform_chi_square(counts, seed=1)[1] == pytest.approx(exact, abs=0.02)


def test_the_same_seed_draws_the_same(trial, ended, table):
    """A trial's p depends on neither the order of the rows nor the other trials."""
    data = table(ended(trial(), wrong(4, 1, 1, 0)), ended(trial(hidden=2), wrong(3, 0, 0, 0)))
    found = wrong_observation_test(data, seed=1)
    pd.testing.assert_frame_equal(wrong_observation_test(data.iloc[::-1], seed=1), found)
    alone = wrong_observation_test(data[data[c.TRIAL_ID] == trial().trial_id], seed=1)
    assert alone[P].tolist() == found[found[c.TRIAL_ID] == trial().trial_id][P].tolist()


def test_trials_are_a_family(trial, ended, table):
    """By hand, after Holm: the smallest of two p is doubled, the other is not smaller than that."""
    data = table(ended(trial(), wrong(10, 20, 30, 40)), ended(trial(hidden=2), wrong(20, 25, 25, 30)))
    found = wrong_observation_test(data, seed=0).sort_values(P)
    small, large = chi2.sf(20, 3), chi2.sf(2, 3)
    assert found[P].tolist() == pytest.approx([small, large])
    assert found[P_HOLM].tolist() == pytest.approx([2 * small, large])
    (gate,) = wrong_observation_summary(found).to_dict("records")
    assert (gate[c.GATE], gate[COUNTS].tolist(), gate[N]) == ("xor", [30, 45, 55, 70], 200)
    assert gate[P_HOLM] == pytest.approx(2 * small)


def test_where_no_training_has_one_observation_wrong_there_is_nothing_to_test(trial, ended, table):
    """Solved, diverged and undecided trainings say nothing of it."""
    data = table(ended(trial(), [[0, 1, 1, 0], [np.nan] * 4, [0.5] * 4]))
    assert wrong_observation_test(data, seed=0).empty
    assert wrong_observation_summary(wrong_observation_test(data, seed=0)).empty


@pytest.mark.slow
def test_p_is_uniform_where_every_observation_is_as_likely():
    """Ten thousand trials of 400 trainings that choose at random, and as many of 12: there p is never too small."""
    rng = np.random.default_rng(5)
    many, few = (
        np.array([uniform_chi_square(counts, seed=2)[1] for counts in rng.multinomial(size, [0.25] * 4, 10_000)])
        for size in (400, 12)
    )
    assert kstest(many, "uniform").statistic < 0.03
    for level in (0.01, 0.05, 0.2):
        assert (many <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level / 10_000))
        assert (few <= level).mean() <= level + 4 * np.sqrt(level / 10_000)

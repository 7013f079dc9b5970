"""Performance profiles over settings and seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import columns as c
from bench.stats.performance_profiles import AT, COLUMNS, SHARE, performance_profiles, profile_tail
from bench.stats.proportions import HIGH, LOW, TAIL, clustered_interval, tail_at_once
from bench.stats.sensitivity import PARAMETER, VALUE

SOLVED, STUCK = [0.0, 1.0, 1.0, 0.0], [0.5] * 4
TIMES = st.lists(st.integers(1, 100) | st.none(), min_size=3, max_size=3)


@pytest.fixture(scope="module")
def solved_at(trial, ended, table):
    """Return the trainings of two losses by two sizes that are solved at these iterations, or never."""

    def made(*times):
        cells = [(loss, hidden) for loss in ("mse", "bce") for hidden in (2, 3)]
        data = table(
            *(
                ended(trial(loss=loss, hidden=hidden, iterations=100), [SOLVED if at else STUCK for at in some])
                for (loss, hidden), some in zip(cells, times, strict=True)
            )
        )
        data[c.SOLVED_AT] = [at or None for some in times for at in some]
        return data.astype({c.SOLVED_AT: "Int64"})

    return made


@given(st.lists(TIMES, min_size=4, max_size=4))
def test_a_profile_is_the_share_of_all_trainings_that_had_solved_it(solved_at, times):
    """At each place, over both settings and all seeds, with the interval over seeds at one level for all places."""
    data = solved_at(*times)
    found = performance_profiles(data, ["loss"])
    assert found[VALUE].unique().tolist() == ["bce", "mse"]
    at_K = found[AT].unique()
    counts_LKS = [
        [[sum(some[seed] is not None and some[seed] <= at for some in own) for seed in range(3)] for at in at_K]
        for own in (times[2:], times[:2])
    ]
    tail = profile_tail([(np.array(counts_KS).T, np.full(3, 2)) for counts_KS in counts_LKS])
    assert TAIL <= tail <= tail_at_once(2 * len(at_K)) + 0.001  # but for chance
    for value, own in (("mse", times[:2]), ("bce", times[2:])):
        rows = found[found[VALUE] == value]
        for at, share, low, high in rows[[AT, SHARE, LOW, HIGH]].itertuples(index=False):
            counts_S = [sum(some[seed] is not None and some[seed] <= at for some in own) for seed in range(3)]
            assert share == pytest.approx(sum(counts_S) / 6)
            ends = clustered_interval(counts_S, [2] * 3, tail)
            assert (low, high) == pytest.approx(ends)


def test_profiles_rise_and_end_at_the_solved_rate(solved_at):
    """For each parameter that is asked for."""
    found = performance_profiles(solved_at([5, 50, None], [7, None, 99], [1, 2, 3], [None] * 3), ["loss", "hidden"])
    assert set(found[PARAMETER]) == {"loss", "hidden"}
    for _, rows in found.groupby([PARAMETER, VALUE]):
        assert rows[AT].iloc[[0, -1]].tolist() == [1, 100]
        assert (np.diff(rows[SHARE]) >= 0).all()
    assert found[found[VALUE] == "mse"][SHARE].iloc[-1] == pytest.approx(4 / 6)


def test_of_no_trainings_there_are_no_profiles(solved_at):
    """The table has its columns."""
    assert list(performance_profiles(solved_at([1] * 3, [1] * 3, [1] * 3, [1] * 3)[:0], ["loss"])) == COLUMNS

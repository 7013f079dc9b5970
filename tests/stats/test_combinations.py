"""Combinations as they are read: the best of each against the first variant, on the same held-out seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from bench.metrics import columns as c
from bench.stats.combinations import (
    AS_SEARCHED,
    AT_THE_EDGE,
    DIFFERENCE,
    DIFFERENCE_HIGH,
    DIFFERENCE_LOW,
    P_HOLM,
    CombinationResults,
    combination_results,
)  # fmt: skip
from bench.stats.holdout import OPTIMISM
from bench.stats.paired_tests import mean_difference
from bench.stats.proportions import RATE
from bench.stats.search_results import search_results

SPACE = {"learning_rate": {"low": 0.1, "high": 10.0, "log": True, "step": None, "whole": False}}


@pytest.fixture(scope="module")
def found(search_plan, as_plan, table, proposal, trial):
    """Three variants in two settings; the seeds that solve are always the first ones, as many as are given."""
    solved = {
        ("plain", 2): 20,
        ("plain", 3): 30,
        ("noisy", 2): 5,
        ("noisy", 3): 39,
        ("steady", 2): 21,
        ("steady", 3): 30,
    }
    values = {"plain": {}, "noisy": {"noise": 0.5}, "steady": {"momentum": 0.5}}
    rates = {"plain": 1.0, "noisy": 9.9, "steady": 0.1}
    made = {
        key: proposal(trial(hidden=key[1], learning_rate=rates[key[0]], **values[key[0]]), count // 2, count)
        for key, count in solved.items()
    }
    each = [
        {
            "variant": name,
            "setting": f"{size} neurons",
            "values": {"hidden": str(size), **{k: str(v) for k, v in values[name].items()}},
        }
        for name, size in solved
    ]
    winners = list(enumerate(made.values()))
    document = search_plan(*[[one] for one in made.values()], more_winners=winners, space=SPACE, each=each, best=1)
    return combination_results(as_plan(made.values(), **document), table(*made.values()), None)


def test_changes_are_of_the_same_starts_and_hold_all_at_once(found):
    """Counted by hand: of 40 starts; intervals of Bonferroni's level for four comparisons, p of Holm's family."""
    rows = found.table.set_index(["variant", "setting"])
    assert rows[RATE].to_dict()["noisy", "3 neurons"] == 39 / 40
    difference = rows[DIFFERENCE].to_dict()
    assert difference["noisy", "2 neurons"] == pytest.approx(-15 / 40)
    assert difference["noisy", "3 neurons"] == pytest.approx(9 / 40)
    assert np.isnan(difference["plain", "2 neurons"])
    one = rows.loc[("noisy", "3 neurons")]
    expected = mean_difference(np.repeat([1.0, 0.0], [9, 31]), 1 - 0.025 / 4)
    assert (one[DIFFERENCE], one[DIFFERENCE_LOW], one[DIFFERENCE_HIGH]) == pytest.approx(expected)
    p = [binomtest(count, count).pvalue if count else 1.0 for count in (15, 9, 1, 0)]
    assert sorted(found.compared[P_HOLM]) == pytest.approx(sorted(multipletests(p, method="holm")[1]))


def test_the_tuned_values_and_what_they_seemed_stand_beside(found):
    """As searched, how much better that looked, and which lie at an end of their range."""
    rows = found.table.set_index(["variant", "setting"])
    one = rows.loc[("noisy", "2 neurons")]
    assert (one[AS_SEARCHED], one["learning_rate"], one[OPTIMISM[0]]) == pytest.approx((2 / 20, 9.9, 2 / 20 - 5 / 40))
    assert rows[AT_THE_EDGE].to_dict()["noisy", "2 neurons"] == {"learning_rate": "high"}
    assert rows[AT_THE_EDGE].to_dict()["steady", "2 neurons"] == {"learning_rate": "low"}
    assert rows[AT_THE_EDGE].to_dict()["plain", "2 neurons"] == {}


def test_a_search_that_has_not_ended_has_the_best_so_far_and_no_changes(found):
    """What was not trained on held-out seeds is not compared."""
    early = found.trainings[found.trainings[c.SEED] < 20]
    proposals = type(found.proposals)(found.proposals.studies)
    results = CombinationResults(
        type(found.plan)(found.plan.trials, 0, search=found.search, proposals=proposals), early
    )
    assert results.best == found.best
    assert results.compared.empty
    assert results.table[AS_SEARCHED].notna().all()


def test_several_combinations_are_no_single_search(found):
    """Who reads one search finds none, and the other way round."""
    assert search_results(found.plan, found.trainings, None) is None
    assert combination_results(type(found.plan)(found.plan.trials, 0), pd.DataFrame(), None) is None

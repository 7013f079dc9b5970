"""Searches as they are read: their history, their best, and what these are worth on seeds that did not choose them."""

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, mannwhitneyu, ttest_1samp, ttest_ind

from bench.config.search_config import Search
from bench.metrics import columns as c
from bench.metrics.objectives import objective
from bench.stats.grid_analysis import grid_analyses
from bench.stats.holdout import (
    HELD_OUT,
    KIND,
    NUMBER,
    OPTIMISM,
    REFERENCE,
    SEARCH,
    SEEDS,
    STATE,
    TITLE,
    column,
    interval_of,
    pareto_front,
)
from bench.stats.search_results import BEST, ENDED, LABEL, VALUE, SearchResults

RATE = {"low": 0.1, "high": 10.0, "log": True, "step": None, "whole": False}
SIZES = {"low": 2, "high": 16, "log": False, "step": None, "whole": True}


@pytest.fixture(scope="module")
def searched(search_plan, as_plan, table):
    """Return the search of a plan's document and its records."""

    def read(*of, records=None, saved=None, **more) -> SearchResults:
        document = search_plan(*of, **more)
        found = {one.trial.trial_id: one for some in of for one in some}
        found |= {one.trial.trial_id: one for one in more.get("references", {}).values()}
        rows = records if records is not None else found.values()
        return SearchResults(as_plan(found.values(), **document), table(*rows), saved)

    return read


@pytest.fixture(scope="module")
def three(proposal, trial):
    """Three proposals of which the second is best, and was retrained."""
    return [
        proposal(trial(hidden=2), 5),
        proposal(trial(hidden=8), 20, 30, at=10),
        proposal(trial(hidden=4), 10),
    ]


# ------------------------------------------------------------------ history


def test_the_history_has_each_proposal_with_its_value_and_the_best_so_far(searched, three, table):
    """In Optuna's order; unsolved seeds count at the budget of 100 iterations."""
    history = searched(three).history
    assert history[NUMBER].tolist() == [0, 1, 2]
    assert history["rmst"].tolist() == [87.5, 10.0, 75.0]
    assert history[BEST].tolist() == [87.5, 10.0, 10.0]
    assert history["hidden"].tolist() == ["2", "8", "4"]
    assert history[SEEDS].tolist() == [20, 20, 20]
    assert history["rmst"][0] == objective(table(three[0]), "rmst")


def test_a_pruned_proposal_is_judged_by_its_first_seeds_and_is_never_best(searched, proposal, trial):
    """Given up after eight seeds, all of which it solved."""
    listed = [proposal(trial(hidden=2), 5), proposal(trial(hidden=3), 8, at=1, seeds=8)]
    history = searched(listed, pruned={1: 8}).history
    assert history[STATE].tolist() == ["complete", "pruned"]
    assert history[SEEDS].tolist() == [20, 8]
    assert history["rmst"][1] == 1.0
    assert history[BEST].tolist() == [87.5, 87.5]


def test_proposals_whose_trainings_are_not_all_there_are_left_out(searched, three):
    """An interrupt came between: the others keep their numbers."""
    found = searched(three, records=three[1:], ended=None)
    assert found.history[NUMBER].tolist() == [1, 2]
    assert found.best.empty


def test_a_trial_that_breaks_a_limit_is_not_the_best(searched, three):
    """Its value does not count for the best so far, which is missing until there is one."""
    history = searched(three, objectives=["rmst"], constraints=["solved_rate >= 0.5"]).history
    assert history["feasible"].tolist() == [False, True, True]
    assert np.isnan(history[BEST][0])
    assert history[BEST].tolist()[1:] == [10.0, 10.0]


def test_with_several_objectives_there_is_no_single_best(searched, three):
    """But a front."""
    found = searched(three, objectives=["rmst", "parameters"], directions=["minimize", "minimize"])
    assert BEST not in found.history
    assert found.history["parameters"].tolist() == [9, 33, 17]
    assert found.front[NUMBER].tolist() == [0, 1, 2]


def test_a_conditional_parameter_is_none_where_it_was_not_searched(searched, proposal, trial):
    """Its default is no proposal."""
    space = {
        "momentum": {"low": 0.0, "high": 0.9, "log": False, "step": None, "whole": False, "only_if": {"loss": ["bce"]}},
        "loss": {"choices": ["mse", "bce"]},
    }
    found = searched([proposal(trial(loss="mse"), 1), proposal(trial(loss="bce", momentum=0.5), 2)], space=space)
    assert found.history["momentum"].tolist() == [None, 0.5]
    assert found.named(found.history[c.TRIAL_ID][0]) == "squared error"


def test_what_depends_on_a_parameter_that_is_not_searched_is_not_searched_either(searched, proposal, trial):
    """However far down, and whatever the order in which a file lists them."""
    space = {
        "loss": {"choices": ["mse"], "only_if": {"output_bias": ["True"]}},
        "output_bias": {"choices": ["True", "False"], "only_if": {"hidden": ["3"]}},
        "hidden": SIZES,
    }
    values = ({"hidden": 3}, {"hidden": 4}, {"hidden": 3, "output_bias": False})
    history = searched([proposal(trial(**some), 1) for some in values], space=space).history
    assert history["loss"].tolist() == ["mse", None, None]
    assert history["output_bias"].tolist() == [True, None, False]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), min_size=1, max_size=12),
    st.sampled_from([("minimize", "minimize"), ("maximize", "minimize"), ("minimize", "maximize")]),
)
def test_the_front_is_optunas(listed, directions):
    """Of the trials that were not given up, each once."""
    study = optuna.create_study(directions=list(directions))
    complete, pruned = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED
    for one, other, is_pruned in listed:
        study.add_trial(
            optuna.create_trial(state=pruned if is_pruned else complete, values=None if is_pruned else [one, other])
        )
    names = [
        {"maximize": "solved_rate", "minimize": name}[end]
        for end, name in zip(directions, ("rmst", "parameters"), strict=True)
    ]
    history = pd.DataFrame(
        {
            NUMBER: range(len(listed)),
            c.TRIAL_ID: [str(place) for place in range(len(listed))],
            STATE: ["pruned" if is_pruned else "complete" for *_, is_pruned in listed],
            "feasible": True,
            names[0]: [float(one) for one, *_ in listed],
            names[1]: [float(other) for _, other, _ in listed],
        }
    )
    assert Search(space={}, fixed={}, seeds=range(1), objectives=tuple(names)).directions == directions

    found = pareto_front(history, dict(zip(names, directions, strict=True)))[NUMBER].tolist()
    assert found == sorted(one.number for one in study.best_trials)


# ------------------------------------------------------------------ held-out seeds


def test_the_best_are_shown_on_seeds_that_did_not_choose_them(searched, three, table):
    """All of 20 seeds, and 30 of 40 others: it looked better than it is."""
    (row,) = searched(three, winners=[three[1]]).held_out.to_dict("records")
    assert row[TITLE] == "#1 8 neurons"
    assert (row[column(SEARCH, "rate")], row[column(HELD_OUT, "rate")]) == (1.0, 0.75)
    ends = row[column(HELD_OUT, "low")], row[column(HELD_OUT, "high")]
    assert ends == pytest.approx((0.58804, 0.87309), abs=0.00001)  # Clopper & Pearson, 30 of 40
    assert row[column(HELD_OUT, "rmst")] == 0.75 * 10 + 0.25 * 100
    assert row[OPTIMISM[0]] == row[column(HELD_OUT, "rmst")] - 10.0
    assert 0 < row[OPTIMISM[1]] < row[OPTIMISM[0]] < row[OPTIMISM[2]]
    low, high = interval_of(row, HELD_OUT, "rmst")
    assert low < row[column(HELD_OUT, "rmst")] < high


def test_the_interval_of_optimism_in_iterations_is_worked_out_by_hand(searched, three):
    """10 of 100 as searched, a number that is known, and 32.5 on 40 other seeds, of which 30 solve after 10.

    Of these 12.691 to 41.196 % fail, and 11.570 % may solve at another time.
    """
    (row,) = searched(three, winners=[three[1]]).held_out.to_dict("records")
    low = 32.5 - np.hypot((0.25 - 0.12691) * 90, 0.75 * 0.1157 * 10)
    high = 32.5 + np.hypot((0.41196 - 0.25) * 90, 0.75 * 0.1157 * 90)
    assert interval_of(row, HELD_OUT, "rmst") == pytest.approx((low, high), abs=0.005)
    assert [row[name] for name in OPTIMISM] == pytest.approx([22.5, low - 10, high - 10], abs=0.005)


def test_optimism_is_above_zero_where_more_is_better_too(searched, three):
    """A solved rate that falls from 100 % to 75 % flattered by 25 points."""
    found = searched(three, winners=[three[1]], objectives=["solved_rate"], directions=["maximize"])
    assert found.held_out[OPTIMISM[0]].tolist() == [0.25]


def test_the_interval_of_optimism_in_solved_rates_is_worked_out_by_hand(searched, proposal, trial):
    """90 % as searched, a number that is known, and 24 of 40 on held-out seeds, 43.327 to 75.135 %."""
    listed = [proposal(trial(), 18, 24)]
    found = searched(listed, winners=listed, objectives=["solved_rate"], directions=["maximize"])
    exact = binomtest(24, 40).proportion_ci(0.95, method="exact")
    assert (exact.low, exact.high) == pytest.approx((0.43327, 0.75135), abs=0.00001)
    row = found.held_out[list(OPTIMISM)].to_numpy()[0]
    assert row == pytest.approx([0.3, 0.9 - 0.75135, 0.9 - 0.43327], abs=0.00001)


def test_a_reference_has_no_value_on_the_searchs_seeds_unless_it_was_proposed(searched, three, proposal, trial, ended):
    """It was not chosen, so that nothing flatters it."""
    full = proposal(trial(hidden=3), 4, 4)
    alone = ended(full.trial, [[0.5] * 4] * 40, seeds=range(20, 60))
    held_out = searched(three, winners=[three[1]], references={"the usual": alone, "again": three[1]}).held_out
    assert held_out[KIND].tolist()[1:] == [REFERENCE, REFERENCE]
    assert held_out[TITLE].tolist()[1:] == ["the usual", "again"]
    assert np.isnan(held_out[column(SEARCH, "rmst")][1])
    assert held_out[column(HELD_OUT, "rate")].tolist() == [0.75, 0.0, 0.75]
    assert held_out[column(SEARCH, "rmst")][2] == 10.0


def test_limits_are_checked_again_on_held_out_seeds(searched, three):
    """What was within them by its luck may not be."""
    found = searched(three, winners=[three[1]], constraints=["solved_rate >= 0.9", "parameters <= 33"])
    (row,) = found.held_out.to_dict("records")
    assert row["solved_rate >= 0.9"] is False
    assert row["parameters <= 33"] is True


def test_without_held_out_seeds_their_columns_are_missing(searched, three):
    """``validate = 0``: the best are still listed."""
    (row,) = searched(three, winners=[three[1]], held_out="", validate=0).held_out.to_dict("records")
    assert row[column(SEARCH, "rate")] == 1.0
    assert np.isnan(row[column(HELD_OUT, "rate")])
    assert np.isnan(row[OPTIMISM[0]])


def test_nothing_solved_and_nothing_feasible_name_what_came_nearest(searched, ended, trial):
    """By its median error; by how far it is beyond its limits."""
    far, near = (ended(trial(hidden=size), [[end] * 4] * 20) for size, end in ((2, 0.9), (4, 0.5)))
    unsolved = searched([far, near])
    assert unsolved.is_unsolved
    assert unsolved.nearest[NUMBER] == 1
    assert unsolved.history["rmst"].tolist() == [100.0, 100.0]


def test_where_no_trial_keeps_the_limits_the_nearest_is_named(searched, three):
    """And there is no best, but the winners that were retrained are shown."""
    found = searched(three[::2], winners=[three[2]], constraints=["solved_rate >= 0.9"])
    assert not found.is_unsolved
    assert found.front.empty
    assert found.nearest["hidden"] == "4"
    assert found.best[LABEL].tolist() == ["#1"]
    assert searched(three).nearest is None


def test_a_winner_at_the_end_of_its_range_is_noted_on_the_ranges_own_scale(searched, proposal, trial):
    """A hundredth of a logarithmic range above its low end; in the middle there is nothing to note."""
    listed = [proposal(trial(learning_rate=rate), 9) for rate in (0.104, 1.0, 9.8)]
    found = searched(listed, winners=listed, space={"learning_rate": RATE})
    assert found.edges[["end", VALUE]].to_numpy().tolist() == [["low", 0.104], ["high", 9.8]]


# ------------------------------------------------------------------ repeated searches


@pytest.fixture(scope="module")
def repeats(searched, proposal, trial):
    """Three searches by tpe whose winners solve more held-out seeds, and three at random; two proposals each."""
    solved = [[(5, 5), (20, 36)], [(9, 9), (18, 30)], [(8, 9), (20, 34)], [(3, 3), (12, 20)], [(9, 2), (10, 22)]]
    solved.append([(2, 2), (14, 30)])
    listed = [
        [proposal(trial(learning_rate=place + k / 8 + 1), *of) for k, of in enumerate(pair)]
        for place, pair in enumerate(solved)
    ]
    best = [some[1] for some in listed]
    return searched(
        *listed, winners=best[:1], more_winners=list(enumerate(best))[1:], samplers=["tpe"] * 3 + ["random"] * 3,
        baseline="random", repeats=3, space={"learning_rate": RATE},
    )  # fmt: skip


@pytest.mark.untraced
def test_the_difference_of_repeated_searches_is_welchs_over_their_held_out_winners(repeats):
    """SciPy's own, in restricted mean iterations: 50 where solved, 100 where not."""
    own, other = ([100 - 50 * solved / 40 for solved in some] for some in ((36, 30, 34), (20, 22, 30)))
    found = repeats.difference
    assert (found.repeats, found.baseline_repeats, found.side) == (3, 3, HELD_OUT)
    assert found.mean == pytest.approx(np.mean(own) - np.mean(other))
    expected = ttest_ind(own, other, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.superiority == pytest.approx(1 - mannwhitneyu(own, other).statistic / 9)
    assert found.superiority == pytest.approx(8.5 / 9)  # 30 and 30 tie


def test_the_running_best_is_a_mean_over_the_repeats_of_each_sampler(repeats):
    """By the number of the proposal, with a band that holds it."""
    running = repeats.running
    assert running["sampler"].unique().tolist() == ["tpe", "random"]
    assert running[NUMBER].tolist() == [0, 1, 0, 1]
    first = running.iloc[0]
    assert first["mean"] == pytest.approx(np.mean([100 - 50 * solved / 20 for solved in (5, 9, 8)]))
    assert (running["low"] <= running["mean"]).all()
    assert (running["mean"] <= running["high"]).all()


def test_the_band_of_the_running_best_is_students(repeats):
    """SciPy's own, over the three repeats of a sampler: 5, 9 and 8 of 20 seeds at first, and then the better of two."""
    solved = {("tpe", 0): (5, 9, 8), ("tpe", 1): (20, 18, 20), ("random", 0): (3, 9, 2), ("random", 1): (12, 10, 14)}
    for row in repeats.running.to_dict("records"):
        times = [100 - 50 * count / 20 for count in solved[row["sampler"], row[NUMBER]]]
        ends = ttest_1samp(times, 0).confidence_interval(0.95)
        assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high))


def test_one_repeat_has_no_band(searched, three):
    """Nothing is known of how repeats vary."""
    running = searched(three).running
    assert running["mean"].tolist() == [87.5, 10.0, 10.0]
    assert running[["low", "high"]].isna().all(axis=None)


def test_only_searches_that_ended_are_compared(searched, proposal, trial):
    """One of the baseline's has no trainings yet; with one repeat a side there is no interval."""
    listed = [[proposal(trial(hidden=size), size, size)] for size in (2, 3, 4, 5)]
    found = searched(
        *listed, records=[some[0] for some in listed[:3]], samplers=["tpe", "tpe", "random", "random"],
        baseline="random", repeats=2,
    )  # fmt: skip
    assert found.studies[ENDED].tolist() == [True, True, True, False]
    assert (found.difference.repeats, found.difference.baseline_repeats) == (2, 1)
    assert np.isnan(found.difference.low)


def test_a_search_by_itself_has_nothing_to_be_compared_with(searched, three):
    """No difference, and one line."""
    found = searched(three, winners=[three[1]])
    assert found.difference is None
    assert len(found.studies) == 1
    assert found.studies["held_out"].tolist() == [32.5]


def test_winners_that_are_all_alike_have_a_difference_without_interval(searched, proposal, trial):
    """Nothing varies; half of the pairs are won."""
    listed = [[proposal(trial(learning_rate=1.0 + place), 20, 40)] for place in range(4)]
    found = searched(*listed, samplers=["tpe", "tpe", "random", "random"], baseline="random", repeats=2)
    assert (found.difference.mean, found.difference.superiority) == (0.0, 0.5)
    assert np.isnan(found.difference.low)


# ------------------------------------------------------------------ what mattered


def test_evaluators_that_rank_another_parameter_first_disagree(searched, three):
    """Both are named; where they agree there is nothing to say."""
    rows = [
        {"objective": "rmst", "evaluator": evaluator, "parameter": name, "importance": share}
        for evaluator, shares in (("PED-ANOVA", (0.7, 0.3)), ("fANOVA", (0.4, 0.6)))
        for name, share in zip(("hidden", "loss"), shares, strict=True)
    ]
    found = searched(three, saved={"importance": rows, "seconds": {}})
    assert found.disagreement == {"rmst": {"PED-ANOVA": "hidden", "fANOVA": "loss"}}
    assert searched(three, saved={"importance": rows[:2], "seconds": {}}).disagreement == {}
    assert searched(three).importances.empty


# ------------------------------------------------------------------ studies


def test_the_blocks_of_a_search_have_their_own_seeds(searched, three, proposal, trial):
    """The winner's held-out trainings are in the second study only; repeated searches are no study."""
    again = [proposal(trial(hidden=16), 20)]
    found = searched(three, again, winners=[three[1]], samplers=["tpe", "random"], baseline="random")
    listed = list(grid_analyses(found.plan, found.trainings))
    assert [(one.title, len(one.trials), len(one.trainings)) for one in listed] == [
        ("Search", 3, 60),
        ("Held-out seeds", 1, 40),
    ]
    assert all(one.proposed for one in listed)
    assert listed[1].trainings[c.SEED].min() == 20

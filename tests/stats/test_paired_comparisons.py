import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import quantile_test

from bench.metrics import columns as c
from bench.model.optimizer import OPTIMIZERS
from bench.model.trial import PARAMETERS, Trial
from bench.stats.paired_comparisons import (
    BETTER,
    BOTH,
    COMPARABLE,
    CONTEXT,
    CONTEXTS,
    DIFFERENCE,
    DIFFERENCE_HIGH,
    DIFFERENCE_LOW,
    IMPROVEMENT,
    IMPROVEMENT_HIGH,
    IMPROVEMENT_LOW,
    NEEDED,
    NEITHER,
    ONE,
    ONE_ID,
    ONLY_ONE,
    ONLY_OTHER,
    OTHER,
    P_HOLM,
    PAIRS,
    PARAMETER,
    RATIO,
    RATIO_HIGH,
    RATIO_LEAST,
    RATIO_LOW,
    RATIO_MOST,
    RATIO_PAIRS,
    WORSE,
    P,
    compared,
    comparisons,
    match_sides,
    pooled,
    pooled_over,
)
from bench.testing.backend_contract import EXTRAS

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
NEVER = 0
FIRSTS = st.lists(st.tuples(*[st.integers(0, 5)] * 4), min_size=1, max_size=12).map(np.array)


def made(firsts, seeds=None, **levels):
    """Return the trainings of a full grid by when they were solved, ``[seeds, trials]``; 0 is never."""
    firsts = np.asarray(firsts)
    parts = []
    for place, values in enumerate(itertools.product(*levels.values())):
        first = firsts[:, place]
        solved = first > NEVER
        own = {c.TRIAL_ID: f"t{place}", c.SEED: np.arange(len(first)) if seeds is None else seeds[place]}
        own |= dict(zip(levels, values, strict=True)) | {
            c.SOLVED: solved,
            c.OUTCOME: np.where(solved, "solved", "stuck"),
        }
        parts.append(pd.DataFrame(own | {c.SOLVED_AT: pd.array(first, dtype="Int64"), c.ITERATIONS: 100}))
    data = pd.concat(parts, ignore_index=True)
    return data.assign(**{c.SOLVED_AT: data[c.SOLVED_AT].where(data[c.SOLVED])})


def compared_of(data, *names):
    return comparisons(data, names)


# ------------------------------------------------------------------ what may be compared


STARTS = {"gate": "parity3", "hidden": 4, "hidden_bias": False, "output_bias": False, "init": "uniform"}
STARTS |= {"init_bias": "zeros", "init_low": 0.5, "init_high": 2.0, "init_scale": 2.0, "draws_before": 3}
LEARNS = {"activation": "tanh", "loss": "l1", "reduction": "sum", "learning_rate": 0.1, "momentum": 0.5}
LEARNS |= {"update": "online", "iterations": 50, "stop": "solved", "tolerance": 0.2, "curve_points": 10}
RUNS = {"dtype": "float64", "summation": "fma", "backend": "numpy", "device": "cuda"}
OTHERWISE = STARTS | LEARNS | RUNS


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_compared_by_seed_if_it_leaves_the_initial_weights_alone(name):
    """Weights are really drawn, with and without it; ``uniform`` asks for more parameters than others do."""
    trials = [
        Trial(**({"init": init} | more))
        for init in ("xavier", "uniform")
        for more in ({}, EXTRAS.get(name) or {name: OTHERWISE[name]})
    ]
    weights = [one.initial_weights(range(5)) for one in trials]
    same = all(np.array_equal(*two) for two in (weights[:2], weights[2:]))
    assert (name in COMPARABLE) == same


def test_trials_that_differ_in_one_parameter_are_compared_and_no_others(trial, ended, table):
    """Hidden neurons change the start; two parameters at once say nothing of either."""
    data = table(
        *(ended(trial(hidden=hidden, loss=loss), [SOLVED, STUCK]) for hidden in (2, 3) for loss in ("mse", "l1")),
        ended(trial(hidden=2, loss="bce", learning_rate=0.1), [SOLVED]),
    )
    found = compared_of(data, c.HIDDEN, c.LOSS, c.LEARNING_RATE)
    assert found[[PARAMETER, ONE, OTHER]].to_numpy().tolist() == [["loss", "l1", "mse"]] * 2
    assert found[CONTEXT].to_list() == [{"hidden": hidden, "learning_rate": 0.05} for hidden in (2, 3)]
    assert found[ONE_ID].to_list() == [trial(hidden=hidden, loss="l1").trial_id for hidden in (2, 3)]


def test_many_values_are_compared_with_the_default_or_the_first():
    """Five learning rates give four comparisons, not ten."""
    firsts = [[1, 2, 3, 4, 5], [0, 0, 1, 1, 2]]
    usual = compared_of(made(firsts, learning_rate=(0.01, 0.05, 0.1, 0.5, 1.0)), c.LEARNING_RATE)
    assert usual[[ONE, OTHER]].to_numpy().tolist() == [[one, 0.05] for one in (0.01, 0.1, 0.5, 1.0)]
    other = compared_of(made(firsts, learning_rate=(0.2, 0.3, 0.4, 0.5, 1.0)), c.LEARNING_RATE)
    assert other[[ONE, OTHER]].to_numpy().tolist() == [[one, 0.2] for one in (0.3, 0.4, 0.5, 1.0)]
    assert len(compared_of(made(np.array(firsts)[:, :4], learning_rate=(0.2, 0.3, 0.4, 0.5)), c.LEARNING_RATE)) == 6


def test_optimizers_are_compared_each_with_its_own_constants(trial, ended, table):
    """Four make six comparisons; of all, each is compared with gradient descent, with as many seeds."""
    four = [trial(optimizer=one) for one in ("sgd", "nesterov", "adam", "adamw")]
    found = compared_of(table(*(ended(one, [SOLVED, STUCK, SOLVED]) for one in four)), "optimizer")
    assert (len(found), set(found[PAIRS])) == (6, {3})
    assert found[CONTEXT].to_list() == [{}] * 6
    every = [trial(optimizer=one) for one in OPTIMIZERS]
    found = compared_of(table(*(ended(one, [SOLVED, STUCK, SOLVED]) for one in every)), "optimizer")
    assert (set(found[OTHER]), len(found), set(found[PAIRS])) == ({"sgd"}, len(OPTIMIZERS) - 1, {3})


def test_optimizers_whose_constants_were_asked_for_are_compared_where_these_are_equal(trial, ended, table):
    """Nesterov's momentum without any and gradient descent's with 0.9 differ in two things."""
    trials = [trial(optimizer=one, momentum=momentum) for one in ("sgd", "nesterov") for momentum in (0.0, 0.9)]
    found = compared_of(table(*(ended(one, [SOLVED, STUCK]) for one in trials)), "optimizer")
    assert found[CONTEXT].to_list() == [{"momentum": 0.0}, {"momentum": 0.9}]
    sides = [table(ended(one, [SOLVED, STUCK])) for one in (trials[0], trials[3])]
    assert match_sides(*sides).differing == ["optimizer"]


def test_seeds_of_one_side_only_do_not_count(trial, ended, refused, failed, table):
    """Refused trainings were never begun; failed and diverged ones are begun, and not solved."""
    one, other = trial(loss="l1"), trial(loss="mse")
    data = table(
        ended(one, [SOLVED, SOLVED, SOLVED, DIVERGED], seeds=[0, 1, 2, 3]),
        ended(other, [SOLVED], seeds=[3]),
        failed(other, [2, 9]),
        refused(other, [0]),
    )
    (row,) = compared_of(data, c.LOSS).to_dict("records")
    assert [row[name] for name in (PAIRS, BOTH, ONLY_ONE, ONLY_OTHER, NEITHER)] == [2, 0, 1, 1, 0]
    assert np.isnan(row[RATIO])


def test_trials_without_a_seed_in_common_are_not_compared():
    """Nor is an empty sweep."""
    data = made([[1, 2], [3, 4]], seeds=[[0, 1], [2, 3]], loss=("l1", "mse"))
    assert compared_of(data, c.LOSS).empty
    assert compared_of(data.iloc[:0], c.LOSS).empty
    assert compared_of(data.iloc[:1], c.LOSS).empty
    assert pooled(data, [c.LOSS], compared_of(data, c.LOSS)).empty


# ------------------------------------------------------------------ what comes out


def test_a_comparison_worked_by_hand():
    """Of five seeds both solve two, in half and a quarter of the iterations; one alone another; two nobody."""
    (row,) = compared_of(made([[10, 20], [10, 40], [5, 0], [0, 0], [0, 0]], loss=("l1", "mse")), c.LOSS).to_dict(
        "records"
    )
    assert [row[name] for name in (PAIRS, BOTH, ONLY_ONE, ONLY_OTHER, NEITHER)] == [5, 2, 1, 0, 2]
    assert row[DIFFERENCE] == pytest.approx(0.2)
    assert (row[RATIO], row[RATIO_PAIRS]) == (pytest.approx(np.sqrt(1 / 8)), 2)
    assert row[IMPROVEMENT] == pytest.approx((3 + 2 / 2) / 5)
    assert (row[P], row[P_HOLM]) == (1, 1)
    assert row[DIFFERENCE_LOW] < 0.2 < row[DIFFERENCE_HIGH]
    assert np.isnan([row[RATIO_LOW], row[RATIO_HIGH]]).all()


def test_the_ratio_is_the_median_of_seeds_and_not_their_mean():
    """Ratios 1/8, 1/4, 1/2, 1/2, 1, 1 and 16, of which the first and the last hold the median in 98.4 %.

    A seed that only one solved is in no ratio.
    """
    firsts = [[10, 80], [10, 40], [10, 20], [5, 10], [7, 7], [9, 9], [96, 6], [3, 0], [0, 3]]
    (row,) = compared_of(made(firsts, loss=("l1", "mse")), c.LOSS).to_dict("records")
    assert [row[name] for name in (RATIO, RATIO_LOW, RATIO_HIGH)] == pytest.approx([1 / 2, 1 / 8, 16])
    assert row[RATIO_PAIRS] == 7


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=60))
def test_the_limits_of_the_ratio_are_scipys(firsts):
    """The order statistics' interval of the ratios of seeds that both solved; below six there is none."""
    (row,) = compared_of(made(firsts, loss=("l1", "mse")), c.LOSS).to_dict("records")
    ratios = [one / other for one, other in firsts if one and other]
    assert row[RATIO_PAIRS] == len(ratios)
    if len(ratios) < 6:
        assert np.isnan([row[RATIO_LOW], row[RATIO_HIGH]]).all()
        assert np.isnan(row[RATIO]) == (not ratios)
    else:
        expected = quantile_test(ratios, q=0, p=0.5).confidence_interval(0.95)
        assert [row[RATIO_LOW], row[RATIO_HIGH]] == pytest.approx([expected.low, expected.high])
        # of an even number it is the middle of two logarithms
        assert row[RATIO] == pytest.approx(np.exp(np.median(np.log(ratios))))


def test_the_limits_at_once_are_scipys_of_a_higher_confidence():
    """Three losses make three ratios, each of which must hold in 1 - 0.05 / 3."""
    times = np.random.default_rng(3).integers(1, 99, (40, 3))
    rows = compared_of(made(times.tolist(), loss=("l1", "mse", "bce")), c.LOSS).to_dict("records")
    assert len(rows) == 3
    places = {"l1": 0, "mse": 1, "bce": 2}
    for row in rows:
        ratios = times[:, places[row[ONE]]] / times[:, places[row[OTHER]]]
        expected = quantile_test(ratios, q=0, p=0.5).confidence_interval(1 - 0.05 / 3)
        assert [row[RATIO_LEAST], row[RATIO_MOST]] == pytest.approx([expected.low, expected.high])


def test_each_pair_of_trials_has_limits_of_its_own():
    """One of six seeds, one of five, and one of none, in the same table."""
    firsts = np.array([[4, 2, 0, 0]] + [[4, 1, 2, 0]] * 5)
    found = compared_of(made(firsts, loss=("bce", "huber", "l1", "mse")), c.LOSS).set_index([ONE, OTHER])
    assert found.loc[("bce", "huber"), [RATIO_PAIRS, RATIO, RATIO_LOW, RATIO_HIGH]].tolist() == pytest.approx(
        [6, 4, 2, 4]
    )
    assert found.loc[("bce", "l1"), [RATIO_PAIRS, RATIO, RATIO_LOW]].tolist() == pytest.approx(
        [5, 2, np.nan], nan_ok=True
    )
    assert found.loc[("bce", "mse"), [RATIO_PAIRS, RATIO]].tolist() == pytest.approx([0, np.nan], nan_ok=True)


def test_a_training_that_was_solved_and_lost_it_again_did_not_solve():
    """It is the end that counts: its iteration says nothing."""
    data = made([[10, 20], [10, 20]], loss=("l1", "mse"))
    data.loc[0, [c.SOLVED, c.OUTCOME]] = [False, "stuck"]
    (row,) = compared_of(data, c.LOSS).to_dict("records")
    assert (row[IMPROVEMENT], row[RATIO_PAIRS]) == (0.5, 1)
    assert np.isnan(row[RATIO_LOW])


@pytest.mark.parametrize("first", [NEVER, 7])
def test_where_all_come_out_the_same_nothing_is_better(first):
    """All solved at once, or none: no difference, and no number of seeds would show one."""
    (row,) = compared_of(made(np.full((6, 2), first), loss=("l1", "mse")), c.LOSS).to_dict("records")
    assert (row[DIFFERENCE], row[IMPROVEMENT], row[P], row[NEEDED]) == (0, 0.5, 1, np.inf)


@settings(max_examples=15)
@given(FIRSTS)
def test_the_probability_of_improvement_is_that_by_brute_force(firsts):
    """Each seed's win counts one, its tie a half."""
    found = compared_of(made(firsts, loss=("bce", "huber", "l1", "mse")), c.LOSS)
    places = list(itertools.combinations(range(4), 2))
    for (one, other), value in zip(places, found[IMPROVEMENT], strict=True):
        worst = [[first or 1000 for first in (row[one], row[other])] for row in firsts.tolist()]
        assert value == pytest.approx(np.mean([(a < b) + (a == b) / 2 for a, b in worst]))


@settings(max_examples=10)
@given(FIRSTS, st.randoms())
def test_the_order_of_the_trainings_never_matters_to_a_comparison(firsts, random):
    """Trainings arrive in any order from their workers; text may be categorical."""
    data = made(firsts, loss=("l1", "mse"), learning_rate=(0.1, 1.0))
    shuffled = data.iloc[random.sample(range(len(data)), len(data))]
    shuffled = shuffled.astype(dict.fromkeys([c.TRIAL_ID, c.LOSS, c.OUTCOME], "category"))
    names = [c.LOSS, c.LEARNING_RATE]
    found = [compared_of(some, *names) for some in (data, shuffled)]
    pd.testing.assert_frame_equal(*found)
    pd.testing.assert_frame_equal(
        *(pooled(some, names, own) for some, own in zip((data, shuffled), found, strict=True))
    )


@settings(max_examples=10)
@given(FIRSTS)
def test_swapping_the_values_mirrors_the_comparison(firsts):
    """Which of two trials is called one is no information."""
    (one,), (other,) = (
        compared_of(made(columns, loss=("l1", "mse")), c.LOSS).to_dict("records")
        for columns in (firsts[:, :2], firsts[:, 1::-1])
    )
    assert one[DIFFERENCE] == -other[DIFFERENCE]
    assert one[DIFFERENCE_LOW] == pytest.approx(-other[DIFFERENCE_HIGH])
    assert one[IMPROVEMENT] == pytest.approx(1 - other[IMPROVEMENT])
    assert one[IMPROVEMENT_LOW] == pytest.approx(1 - other[IMPROVEMENT_HIGH])
    assert one[RATIO] == pytest.approx(1 / other[RATIO], nan_ok=True)
    assert one[RATIO_LOW] == pytest.approx(1 / other[RATIO_HIGH], nan_ok=True)
    assert one[P] == other[P]
    np.testing.assert_equal(one[NEEDED], other[NEEDED])


# ------------------------------------------------------------------ over contexts


def test_contexts_are_pooled_and_counted_by_what_they_show():
    """With one learning rate l1 is better by all seeds, with the other worse by half of them."""
    firsts = np.zeros((40, 4), dtype=int)
    firsts[:, 0] = firsts[:20, 3] = 5  # l1 at 0.1 always, mse at 1.0 half of the time
    data = made(firsts, loss=("l1", "mse"), learning_rate=(0.1, 1.0))
    names = [c.LOSS, c.LEARNING_RATE]
    table = pooled(data, names, compared_of(data, *names))
    row = table.set_index(PARAMETER).loc[c.LOSS]
    assert row[[ONE, OTHER, CONTEXTS, PAIRS, BETTER, WORSE]].to_list() == ["l1", "mse", 2, 80, 1, 1]
    assert row[DIFFERENCE] == pytest.approx(0.25)
    assert row[DIFFERENCE_LOW] < 0.25 < row[DIFFERENCE_HIGH]


def test_the_interval_over_contexts_is_of_as_many_pairs_as_they_are_worth():
    """40 pairs speak for l1 and 20 for mse, of 80; seeds come to 1 or to 0, which varies less than 80 pairs would.

    So all 80 count: 41 / 82 and 21 / 82, 20/82 ± z √((62/82 - (20/82)²) / 82). Contexts that all do the same are worth
    one of them: 40 pairs, of which 10 and 0 are discordant, 10/42 ± z √((12/42 - (10/42)²) / 42). There are two rows,
    of losses and of learning rates, so that each interval holds in 97.5 %: z is 2.2414.
    """
    firsts = np.zeros((40, 4), dtype=int)
    firsts[:, 0] = firsts[:20, 3] = 5
    copies = np.zeros((40, 4), dtype=int)
    copies[:10, :2] = 5  # l1 with either learning rate, in ten seeds
    names = [c.LOSS, c.LEARNING_RATE]
    for some, middle, either, size in ((firsts, 20 / 82, 62 / 82, 82), (copies, 10 / 42, 12 / 42, 42)):
        data = made(some, loss=("l1", "mse"), learning_rate=(0.1, 1.0))
        row = pooled(data, names, compared_of(data, *names)).set_index(PARAMETER).loc[c.LOSS]
        half = 2.241403 * np.sqrt((either - middle**2) / size)
        assert row[[DIFFERENCE_LOW, DIFFERENCE_HIGH]].to_list() == pytest.approx([middle - half, middle + half])


# ------------------------------------------------------------------ two sets of trials


@given(FIRSTS)
@settings(max_examples=30)
def test_two_sweeps_compare_as_one_that_has_both(firsts):
    """What is matched by all that does not differ is what differs in one parameter."""
    whole = made(firsts, loss=["bce", "mse"], hidden=[2, 3])
    one, other = (whole[whole[c.LOSS] == loss] for loss in ("bce", "mse"))
    found = match_sides(one, other)
    assert (found.differing, found.fixed, found.unmatched) == ([c.LOSS], ({"loss": "bce"}, {"loss": "mse"}), 0)
    rows, expected = compared(found.matched), comparisons(whole, [c.LOSS])
    own = [PARAMETER, ONE, OTHER, CONTEXT]
    pd.testing.assert_frame_equal(rows.drop(columns=own), expected.drop(columns=own))
    assert rows[CONTEXT].tolist() == expected[CONTEXT].tolist()
    both = pooled_over(found.matched, rows).drop(columns=own[:3])
    pd.testing.assert_frame_equal(both, pooled(whole, [c.LOSS], expected).drop(columns=own[:3]))


def test_what_both_sweeps_have_is_left_out_where_something_is_left():
    """A sweep of one loss against one of two: the other loss is what is compared."""
    whole = made([[1, 2], [3, 4], [5, 6]], loss=["bce", "mse"])
    found = match_sides(whole[whole[c.LOSS] == "mse"], whole)
    assert [one.ids for one in found.matched] == [["t1", "t0"]]


def test_settings_with_several_counterparts_are_counted_and_not_compared():
    """And of the same trials there is nothing to compare."""
    whole = made([[1, 2, 3, 4, 5, 6]], loss=["bce", "mse"], learning_rate=[0.1, 1.0, 10.0])
    one = whole[(whole[c.LOSS] == "bce") & (whole[c.LEARNING_RATE] < 5)]
    other = whole[(whole[c.LOSS] == "mse") & (whole[c.LEARNING_RATE] > 0.5)]
    found = match_sides(one, other)
    assert (found.differing, found.matched, found.unmatched) == ([c.LOSS, c.LEARNING_RATE], [], 1)
    assert match_sides(one, one).matched == []
    assert compared([]).empty

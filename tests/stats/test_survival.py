import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, quantile_test, ttest_1samp
from statsmodels.duration.survfunc import SurvfuncRight

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, solved_rates
from bench.stats.survival import (
    AT,
    AT_RISK,
    BUDGET,
    ERT,
    ERT_HIGH,
    ERT_LOW,
    FIGURES,
    MEDIAN,
    MEDIAN_HIGH,
    MEDIAN_LOW,
    RMST,
    RMST_HIGH,
    RMST_LOW,
    SHARE,
    solution_curves,
    times_to_solution,
)

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
# weeks of remission without treatment: Freireich et al. (1963), Blood 21, 699-716
REMISSION = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
BUDGETS = {"a": 100, "b": 30, "c": 7}
TRAININGS = st.lists(
    st.sampled_from(sorted(BUDGETS)).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.sampled_from(Result),
            st.integers(0, BUDGETS[name]),
            st.floats(0.1, 10),
            st.just(BUDGETS[name]),
        )
    ),
    min_size=1,
    max_size=60,
)


def frame_of(trainings):
    """Return a frame of trainings: trial, outcome, when it first solved, microseconds per iteration, budget."""
    names = [c.TRIAL_ID, c.OUTCOME, c.SOLVED_AT, c.ITERATION_US, c.ITERATIONS]
    data = pd.DataFrame([(name, str(result), *rest) for name, result, *rest in trainings], columns=names)
    return data.assign(**{c.SOLVED: data[c.OUTCOME] == Result.SOLVED}).astype({c.SOLVED_AT: "Int64"})


def frame_of_times(times, budget, name="a"):
    """Return a frame of one trial that solved at these iterations, those after the budget not at all."""
    at = np.asarray(times, dtype=np.float64)
    solved = at <= budget
    return pd.DataFrame(
        {
            c.TRIAL_ID: name,
            c.OUTCOME: np.where(solved, str(Result.SOLVED), str(Result.STUCK)),
            c.SOLVED: solved,
            c.SOLVED_AT: pd.array(np.where(solved, at, np.nan), dtype="Int64"),
            c.ITERATION_US: 1.0,
            c.ITERATIONS: budget,
        }
    )


def exact(count, size):
    """Return the ends of SciPy's exact interval of a share."""
    ends = binomtest(count, size).proportion_ci(0.95, method="exact")
    return ends.low, ends.high


def only_row(table):
    """Return the one row of a table."""
    (row,) = table.to_dict("records")
    return row


# ------------------------------------------------------------------ curves


def test_the_curve_of_a_published_sample_is_worked_out_by_hand():
    """Without a censored time, what is left after each week is the share of the 21 patients that are."""
    curve = solution_curves(frame_of_times(REMISSION, 30))
    left = {0: 21, 1: 19, 2: 17, 3: 16, 4: 14, 5: 12, 8: 8, 11: 6, 12: 4, 15: 3, 17: 2, 22: 1, 23: 0, 30: 0}
    assert curve[AT].tolist() == list(left)
    assert (1 - curve[SHARE]).tolist() == pytest.approx([count / 21 for count in left.values()])
    assert curve[AT_RISK].tolist() == [21, *list(left.values())[:-1]]


def test_the_curve_of_a_censored_trial_is_worked_out_by_hand():
    """Two of four have solved by 10 and a third by 20; the fourth is at risk to the end."""
    curve = solution_curves(frame_of_times([20, 10, 99, 10], 50))
    assert curve[[AT, SHARE, AT_RISK]].to_numpy().tolist() == [[0, 0, 4], [10, 0.5, 4], [20, 0.75, 2], [50, 0.75, 1]]


@given(st.lists(st.integers(1, 130), min_size=2, max_size=80).filter(lambda times: min(times) <= 100))
def test_the_curve_is_that_of_statsmodels(times):
    """Two independent implementations of Kaplan and Meier's estimate agree."""
    curve = solution_curves(frame_of_times(times, 100)).drop_duplicates(AT, keep="last").set_index(AT)
    other = SurvfuncRight(np.minimum(times, 100), np.asarray(times) <= 100)
    survival = pd.Series(other.surv_prob, other.surv_times).reindex(curve.index).ffill().fillna(1.0)
    assert curve[SHARE].to_numpy() == pytest.approx(1 - survival.to_numpy())


@given(st.lists(st.integers(1, 130), min_size=1, max_size=80))
def test_the_limits_of_a_curve_are_scipys_exact_ones(times):
    """At each place by itself, those of the binomial share that had solved by then; before anything too."""
    for row in solution_curves(frame_of_times(times, 100)).to_dict("records"):
        solved = sum(time <= row[AT] for time in times)
        assert (row[LOW], row[HIGH]) == pytest.approx(exact(solved, len(times)), abs=1e-12)


@given(TRAININGS)
def test_the_share_at_the_budget_is_the_solved_rate(trainings):
    """Diverged, failed, stuck and slow trainings stay at risk to the end; unsupported ones are not there."""
    data = frame_of(trainings)
    last = solution_curves(data).groupby(c.TRIAL_ID).last()
    rates = solved_rates(data, [c.TRIAL_ID]).set_index(c.TRIAL_ID)
    assert sorted(last.index) == sorted(rates.index)
    assert last[SHARE].to_dict() == pytest.approx(rates[RATE].to_dict())
    assert last[AT].to_dict() == {name: BUDGETS[name] for name in rates.index}


@given(TRAININGS, st.integers(2, 12))
def test_a_curve_never_falls_and_lies_within_its_limits(trainings, points):
    """What has been solved by some iteration has been solved by every later one."""
    for _, curve in solution_curves(frame_of(trainings), points).groupby(c.TRIAL_ID):
        assert curve[AT].iloc[0] == curve[SHARE].iloc[0] == 0
        assert all(curve[name].is_monotonic_increasing for name in (AT, SHARE, LOW, HIGH))
        assert curve[AT_RISK].is_monotonic_decreasing
        assert (curve[LOW] <= curve[SHARE]).all()
        assert (curve[SHARE] <= curve[HIGH]).all()


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=300), st.integers(2, 40))
def test_thinning_a_curve_changes_no_place_that_it_keeps(times, points):
    """A place that is kept has the share, the limits and the number at risk that it had."""
    data = frame_of_times(times, 1500)
    whole, thinned = solution_curves(data, 10_000), solution_curves(data, points)
    assert len(thinned) <= points
    assert len(thinned.merge(whole)) == len(thinned)
    assert thinned.iloc[[0, -1]].to_numpy().tolist() == whole.iloc[[0, -1]].to_numpy().tolist()


def test_a_thinned_curve_misses_little_of_the_share_and_of_the_beginning():
    """Neither a jump of more than a few hundredths, nor more than a doubling of time, without a place."""
    times = np.random.default_rng(1).lognormal(6, 2, 5000).round()
    whole, thinned = (solution_curves(frame_of_times(times, 50_000), points) for points in (10_000, 100))
    assert len(whole) > 1000
    assert len(thinned) <= 100
    assert thinned[SHARE].diff().max() < 0.03
    assert np.log1p(thinned[AT]).diff().max() <= np.log(2)


# ------------------------------------------------------------------ the median


def test_the_median_and_its_limits_are_worked_out_by_hand():
    """Of 21 the 11th, between the 6th and the 16th: a fair coin falls below five or six of 21 times in 1.3 %."""
    assert sum(math.comb(21, below) for below in range(6)) / 2**21 == pytest.approx(0.0133, abs=0.0001)
    assert sum(math.comb(21, below) for below in range(7)) / 2**21 > 0.025
    row = only_row(times_to_solution(frame_of_times(REMISSION, 30)))
    assert [row[name] for name in (MEDIAN, MEDIAN_LOW, MEDIAN_HIGH)] == [8, 4, 12]


@given(st.lists(st.integers(1, 130), min_size=5, max_size=80).filter(lambda times: min(times) <= 100 < max(times)))
def test_the_median_is_that_of_statsmodels(times):
    """The smallest time by which the share is a half, or none within the budget."""
    row = only_row(times_to_solution(frame_of_times(times, 100)))
    other = SurvfuncRight(np.minimum(times, 100), np.asarray(times) <= 100)
    reached = np.flatnonzero(other.surv_prob <= 0.5 + 1e-12)
    expected = other.surv_times[reached[0]] if reached.size else np.nan
    assert row[MEDIAN] == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.integers(1, 130), min_size=6, max_size=80))
def test_the_limits_of_the_median_are_scipys(times):
    """The order statistics' interval, in which a time beyond the budget is only known to be greater than others."""
    row = only_row(times_to_solution(frame_of_times(times, 100)))
    ends = quantile_test(np.where(np.array(times) > 100, np.inf, times), q=0, p=0.5).confidence_interval(0.95)
    expected = [end if np.isfinite(end) else np.nan for end in (ends.low, ends.high)]
    assert [row[MEDIAN_LOW], row[MEDIAN_HIGH]] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_fewer_than_six_seeds_leave_the_median_anywhere(size):
    """Even the range of five holds it in only 1 - 2 / 2⁵ = 93.75 %."""
    row = only_row(times_to_solution(frame_of_times(range(1, size + 1), 50)))
    assert row[MEDIAN] == (size + 1) // 2
    assert row[MEDIAN_LOW] == 0
    assert np.isnan(row[MEDIAN_HIGH])


def test_medians_of_several_trials_may_hold_at_once():
    """Five trials: each limit errs in 0.5 %, as SciPy's at 99 %; means are not picked, and have the limits they had."""
    rng = np.random.default_rng(1)
    times = {name: rng.integers(1, 130, 60) for name in "abcde"}
    data = pd.concat([frame_of_times(some, 100, name) for name, some in times.items()])
    found, usual = times_to_solution(data, at_once=True), times_to_solution(data)
    for row in found.to_dict("records"):
        some = np.where(times[row[c.TRIAL_ID]] > 100, np.inf, times[row[c.TRIAL_ID]])
        ends = quantile_test(some, q=0, p=0.5).confidence_interval(0.99)
        expected = [end if np.isfinite(end) else np.nan for end in (ends.low, ends.high)]
        assert [row[MEDIAN_LOW], row[MEDIAN_HIGH]] == pytest.approx(expected, nan_ok=True)
    same = [name for name in FIGURES if name not in (MEDIAN_LOW, MEDIAN_HIGH)]
    pd.testing.assert_frame_equal(found[same], usual[same])


def test_a_median_that_is_not_within_the_budget_is_missing():
    """Where fewer than half solve, when half would have is not known; only that it takes longer than some time."""
    row = only_row(times_to_solution(frame_of_times([10] * 45 + [99] * 55, 50)))
    assert np.isnan(row[MEDIAN])
    assert np.isnan(row[MEDIAN_HIGH])
    assert row[MEDIAN_LOW] == 10


@pytest.mark.untraced
def test_exactly_half_reach_the_median():
    """Rounding of a product of shares must not lose it."""
    for size in range(2, 200, 2):
        times = [*range(1, size // 2 + 1), *[9999] * (size // 2)]
        assert only_row(times_to_solution(frame_of_times(times, 1000)))[MEDIAN] == size // 2


# ------------------------------------------------------------------ the restricted mean


@given(TRAININGS)
def test_the_restricted_mean_is_the_area_above_the_curve(trainings):
    """Royston & Parmar (2013): the integral of the survival function up to the budget."""
    data = frame_of(trainings)
    for row in times_to_solution(data).to_dict("records"):
        curve = solution_curves(data[data[c.TRIAL_ID] == row[c.TRIAL_ID]], 10_000)
        area = (np.diff(curve[AT]) * (1 - curve[SHARE].to_numpy()[:-1])).sum()
        assert row[RMST] == pytest.approx(area)
        assert 0 <= row[RMST_LOW] <= row[RMST] <= row[RMST_HIGH] <= row[BUDGET]


def test_the_interval_of_the_restricted_mean_is_worked_out_by_hand():
    """10, 20 and 50 solve, one of four does not: 3/4 26.667 + 1/4 50 = 32.5; and 25 times as many of each.

    Of four, the share that does not has limits of 0.6 and 80.6 %, and the mean of three, 26.667 ± 4.303 20.817 / √3,
    goes beyond the budget on either side. Of a hundred the share has limits of 16.878 and 34.655 %, and the mean is
    26.667 ± 1.9925 17.112 / √75 = 26.667 ± 3.937; a share of 1 % more costs 0.01 (50 - 26.667).
    """
    row = only_row(times_to_solution(frame_of_times([10, 20, 99, 50], 50)))
    assert row[RMST] == 32.5
    assert row[RMST_LOW] == pytest.approx(32.5 - np.hypot(23.333 * (0.25 - 0.0063), 0.75 * 26.667), abs=0.002)
    assert row[RMST_HIGH] == 50  # 32.5 + 21.8
    wide = only_row(times_to_solution(frame_of_times([10, 20, 99, 50] * 25, 50)))
    low = 32.5 - np.sqrt((23.3333 * (0.25 - 0.16878)) ** 2 + (0.75 * 3.937) ** 2)
    high = 32.5 + np.sqrt((23.3333 * (0.34655 - 0.25)) ** 2 + (0.75 * 3.937) ** 2)
    assert (low, high) == pytest.approx((28.991, 36.215), abs=0.001)
    assert (wide[RMST_LOW], wide[RMST_HIGH]) == pytest.approx((low, high), abs=0.001)


def mover(figure, times, budget):
    """Return a figure of the share that fails and the mean of what solves, with its limits by Zou & Donner (2008).

    By how much it changes when one of both moves to its limit, and the other stays: the root of the sum of squares.
    """
    solved = [time for time in times if time <= budget]
    failing, count = (len(times) - len(solved)) / len(times), len(times) - len(solved)
    mean, ends = np.mean(solved), ttest_1samp(solved, 0).confidence_interval(0.95)
    found = figure(failing, mean)
    distances = [
        np.hypot(figure(share, mean) - found, figure(failing, np.clip(end, 0, budget)) - found)
        for share, end in zip(exact(count, len(times)), ends, strict=True)
    ]
    return found, max(found - distances[0], 0), found + distances[1]


MIXED = st.lists(st.integers(1, 130), min_size=2, max_size=80).filter(
    lambda times: len({time for time in times if time <= 100}) > 1
)


@given(MIXED)
def test_the_interval_of_the_restricted_mean_is_zou_and_donners(times):
    """Of the exact limits of the share that fails, and Student's of the mean of the rest, both by SciPy."""
    row = only_row(times_to_solution(frame_of_times(times, 100)))
    estimate, low, high = mover(lambda failing, mean: (1 - failing) * mean + failing * 100, times, 100)
    assert [row[RMST], row[RMST_LOW], row[RMST_HIGH]] == pytest.approx([estimate, low, min(high, 100)])


def test_a_restricted_mean_of_equal_times_is_not_certain():
    """Three stuck seeds do not show that none would ever solve: up to 70.8 % may, and that at once."""
    row = only_row(times_to_solution(frame_of_times([99] * 3, 50)))
    assert [row[RMST], row[RMST_HIGH]] == [50, 50]
    assert row[RMST_LOW] == pytest.approx(50 * (1 - 0.70760), abs=0.001)


def test_where_all_solve_at_the_same_time_others_may_not():
    """Twenty of twenty after 10: up to 16.8 % may be of another kind, and solve at once, or at the end, or not at all.

    From 10 less 0.168 10; to 10 and the root of the sum of (0.168 40)² for late ones, and as much for those that fail.
    """
    row = only_row(times_to_solution(frame_of_times([10] * 20, 50)))
    assert row[RMST] == 10
    assert row[RMST_LOW] == pytest.approx(10 - 1.6843, abs=0.001)
    assert row[RMST_HIGH] == pytest.approx(10 + np.sqrt(2) * 0.16843 * 40, abs=0.001)


def test_one_solution_may_have_been_at_any_time():
    """One of twenty, after 10: the mean of those that solve lies between 0 and the budget, and 0.1 to 24.9 % solve."""
    row = only_row(times_to_solution(frame_of_times([10] + [99] * 19, 50)))
    assert row[RMST] == 48
    assert row[RMST_LOW] == pytest.approx(48 - np.hypot(40 * (0.24873 - 0.05), 0.05 * 10), abs=0.001)
    assert row[RMST_HIGH] == 50


# ------------------------------------------------------------------ the expected running time


@given(TRAININGS)
def test_the_expected_running_time_is_that_of_restarts(trainings):
    """Auger & Hansen (2005): the mean of a success, and (1 - p) / p failures before it that cost the budget each."""
    data = frame_of(trainings)
    for row in times_to_solution(data).to_dict("records"):
        solved = data[(data[c.TRIAL_ID] == row[c.TRIAL_ID]) & data[c.SOLVED]][c.SOLVED_AT]
        share = row[c.SOLVED] / row[COUNT]
        expected = solved.mean() + (1 - share) / share * row[BUDGET] if len(solved) else np.inf
        assert row[ERT] == pytest.approx(expected)
        assert row[ERT_LOW] <= row[ERT] * (1 + 1e-12)
        assert row[ERT_HIGH] >= row[ERT] * (1 - 1e-12)


def test_the_interval_of_the_expected_running_time_is_worked_out_by_hand():
    """75 of 100 solve, after 10, 20 or 50: 26.667 and a third of a budget of 50, which is 43.333.

    The mean is known to ± 3.937. Failures are 16.878 to 34.655 %, 0.20305 to 0.53034 for each solution.
    """
    assert [share / (1 - share) for share in exact(25, 100)] == pytest.approx([0.20305, 0.53034], abs=0.00002)
    row = only_row(times_to_solution(frame_of_times([10, 20, 99, 50] * 25, 50)))
    low = 43.3333 - np.sqrt((50 * (1 / 3 - 0.20305)) ** 2 + 3.937**2)
    high = 43.3333 + np.sqrt((50 * (0.53034 - 1 / 3)) ** 2 + 3.937**2)
    assert [row[ERT], row[ERT_LOW], row[ERT_HIGH]] == pytest.approx([43.3333, low, high], abs=0.001)


@given(MIXED)
def test_the_interval_of_the_expected_running_time_is_zou_and_donners(times):
    """Of the exact limits of the share that fails, and Student's of the mean of the rest, both by SciPy."""
    row = only_row(times_to_solution(frame_of_times(times, 100)))
    expected = mover(lambda failing, mean: mean + 100 * failing / (1 - failing), times, 100)
    assert [row[ERT], row[ERT_LOW], row[ERT_HIGH]] == pytest.approx(expected)


def test_one_solution_of_twenty_leaves_the_running_time_nearly_unknown():
    """0.127 to 24.873 % solve: from 3.0204 to 789.46 failures come before a solution, at any time up to the budget."""
    assert [(1 - rate) / rate for rate in exact(1, 20)] == pytest.approx([789.46, 3.0204], rel=1e-4)
    row = only_row(times_to_solution(frame_of_times([10] + [99] * 19, 50)))
    assert row[ERT] == pytest.approx(10 + 19 * 50)
    assert row[ERT_LOW] == pytest.approx(960 - np.hypot(50 * (19 - 3.0204), 10), abs=0.01)
    assert row[ERT_HIGH] == pytest.approx(960 + np.hypot(50 * (789.46 - 19), 40), rel=1e-4)


def test_where_none_solved_the_running_time_is_infinite_and_has_a_lower_limit():
    """None in twenty: if as many as 16.843 % solve, 4.9371 budgets are spent on failures before one does."""
    row = only_row(times_to_solution(frame_of_times([99] * 20, 50)))
    assert row[ERT] == row[ERT_HIGH] == np.inf
    assert row[ERT_LOW] == pytest.approx(50 * (1 - 0.168433) / 0.168433, rel=1e-5)


def test_where_all_solved_the_running_time_allows_for_failures_that_were_not_seen():
    """Twenty of twenty after 10: up to 16.843 % may fail, 0.20255 for each solution, or solve at another time."""
    row = only_row(times_to_solution(frame_of_times([10] * 20, 50)))
    assert row[ERT] == 10
    assert row[ERT_LOW] == pytest.approx(10 * (1 - 0.168433), abs=0.001)
    assert row[ERT_HIGH] == pytest.approx(10 + np.hypot(50 * 0.20255, 40 * 0.168433), abs=0.001)


# ------------------------------------------------------------------ what is counted


def test_every_unsolved_training_is_kept_at_risk_to_the_end(trial, ended, failed, table):
    """Diverged, stuck and failed ones are no solutions, even if a tolerance held for a while."""
    one = trial()
    data = table(ended(one, [SOLVED, STUCK, DIVERGED], solved_at=[40, 20, -1]), failed(one, [7, 8]))
    curve = solution_curves(data)
    assert curve[[AT, SHARE, AT_RISK]].to_numpy().tolist() == [
        [0, 0, 5],
        [40, pytest.approx(0.2), 5],
        [100, pytest.approx(0.2), 4],
    ]
    row = only_row(times_to_solution(data))
    assert (row[COUNT], row[c.SOLVED], row[BUDGET], row[RMST]) == (5, 1, 100, 88)


def test_unsupported_trainings_are_not_at_risk(trial, ended, refused, table):
    """What was never begun could not have solved."""
    data = table(ended(trial(), [SOLVED], solved_at=40), refused(trial(), [7, 8]), refused(trial(device="cuda"), [0]))
    assert only_row(times_to_solution(data))[COUNT] == 1
    assert solution_curves(data)[c.TRIAL_ID].unique().tolist() == [trial().trial_id]


def test_trainings_that_stop_when_they_solve_count_as_if_they_had_gone_on(trial, trained, table):
    """``stop = "solved"`` saves the iterations after the solution, which are in no figure."""
    easy = {"gate": "or", "hidden": 0, "learning_rate": 5.0, "iterations": 300, "curve_points": 10}
    stops, goes_on = (table(trained(trial(**easy, stop=stop), range(5))) for stop in ("solved", "never"))
    assert (stops[c.ITERATIONS_DONE] < 300).all()
    assert goes_on[c.SOLVED].all()
    first, second = (times_to_solution(data).drop(columns=c.TRIAL_ID) for data in (stops, goes_on))
    pd.testing.assert_frame_equal(first, second)


def test_a_trial_that_diverged_throughout_has_a_flat_curve(trial, ended, table):
    """Nothing solved, and up to 52.2 % could have."""
    curve = solution_curves(table(ended(trial(), [DIVERGED] * 5)))
    assert curve[[AT, SHARE, LOW, AT_RISK]].to_numpy().tolist() == [[0, 0, 0, 5], [100, 0, 0, 5]]
    assert curve[HIGH].to_numpy() == pytest.approx(1 - 0.025 ** (1 / 5))


def test_a_trial_that_solved_at_once_jumps_at_zero():
    """The first place is before anything was done."""
    data = frame_of_times([0, 0, 0], 50)
    curve, row = solution_curves(data), only_row(times_to_solution(data))
    assert curve[[AT, SHARE, AT_RISK]].to_numpy().tolist() == [[0, 0, 3], [0, 1, 3], [50, 1, 0]]
    assert row[MEDIAN] == row[RMST] == row[ERT] == 0
    assert row[RMST_HIGH] > 0
    assert row[ERT_HIGH] > 0


@pytest.mark.parametrize(("at", "median"), [(10, 10), (99, np.nan)])
def test_one_training_has_figures_and_says_how_little_it_knows(at, median):
    """One seed gives a time, and intervals that are nearly as wide as they can be."""
    row = only_row(times_to_solution(frame_of_times([at], 50)))
    assert row[MEDIAN] == pytest.approx(median, nan_ok=True)
    assert row[RMST] == min(at, 50)
    assert row[RMST_HIGH] - row[RMST_LOW] > 0.75 * 50
    assert row[ERT_HIGH] > 3 * 50


def test_a_sweep_without_trainings_has_neither_curves_nor_times(table):
    """A sweep that was interrupted at once can be read."""
    curves, times = solution_curves(table()), times_to_solution(table())
    assert curves.empty
    assert times.empty
    assert list(curves) == [c.TRIAL_ID, AT, SHARE, LOW, HIGH, AT_RISK]
    assert list(times) == [c.TRIAL_ID, COUNT, c.SOLVED, BUDGET, *FIGURES]


# ------------------------------------------------------------------ order, types, units


@given(TRAININGS, st.randoms())
def test_the_order_of_the_trainings_never_matters(trainings, random):
    """Trainings arrive in any order from their workers: not even rounding may depend on it."""
    first, second = frame_of(trainings), frame_of(random.sample(trainings, len(trainings)))
    for figures in (solution_curves, times_to_solution):
        tables = [figures(data).sort_values(c.TRIAL_ID, kind="stable", ignore_index=True) for data in (first, second)]
        pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_trials_figures_do_not_depend_on_the_other_trials():
    """A trial has the same interval in a report of one and of many."""
    one, other = frame_of_times([10, 20, 99, 30], 50, "a"), frame_of_times([5, 99, 99], 50, "b")
    together = times_to_solution(pd.concat([other, one]))
    alone = times_to_solution(one)
    pd.testing.assert_frame_equal(together[together[c.TRIAL_ID] == "a"].reset_index(drop=True), alone)


@given(TRAININGS)
def test_words_that_are_kept_once_give_the_same_figures(trainings):
    """Pandas' categories, also those that no training has, are words like others."""
    data = frame_of(trainings)
    kept = {c.TRIAL_ID: pd.CategoricalDtype(["c", "z", "b", "a"]), c.OUTCOME: "category"}
    pd.testing.assert_frame_equal(solution_curves(data.astype(kept)), solution_curves(data))
    pd.testing.assert_frame_equal(times_to_solution(data.astype(kept)), times_to_solution(data))


def test_seconds_are_iterations_times_the_trials_own_pace():
    """The median over a trial's trainings of microseconds per iteration, for each trial its own."""
    fast, slow = (frame_of_times([10, 20, 99], 50, name) for name in "ab")
    fast[c.ITERATION_US], slow[c.ITERATION_US] = [1.0, 2.0, 9.0], [4e6, np.nan, 4e6]
    data = pd.concat([fast, slow])
    pace = np.array([2e-6, 4.0])
    iterations, seconds = (times_to_solution(data, seconds=unit).set_index(c.TRIAL_ID) for unit in (False, True))
    for name in (BUDGET, *FIGURES):
        assert seconds[name].to_numpy() == pytest.approx(iterations[name].to_numpy() * pace, nan_ok=True)


def test_a_trial_that_nobody_timed_has_no_seconds(trial, ended, failed, table):
    """Where every training crashed there is no time per iteration; its counts stay."""
    data = table(failed(trial(hidden=2), [0, 1]), ended(trial(hidden=8), [SOLVED], solved_at=40, us=1e6))
    times = times_to_solution(data, seconds=True)
    assert times[COUNT].tolist() == [2, 1]
    assert times[RMST].tolist() == pytest.approx([np.nan, 40], nan_ok=True)

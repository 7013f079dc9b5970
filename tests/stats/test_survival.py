import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, lognorm
from statsmodels.duration.survfunc import SurvfuncRight

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, solved_rates, wilson_interval
from bench.stats.survival import (
    AT,
    AT_RISK,
    BUDGET,
    ERT,
    ERT_HIGH,
    ERT_LOW,
    FIGURES,
    MANY,
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
def test_the_curve_and_its_limits_are_those_of_statsmodels(times):
    """Two independent implementations agree: Kaplan-Meier's, and Greenwood's variance on the log-log scale."""
    curve = solution_curves(frame_of_times(times, 100)).drop_duplicates(AT, keep="last")
    inside = curve[(curve[SHARE] > 0) & (curve[SHARE] < 1)].set_index(AT)
    other = SurvfuncRight(np.minimum(times, 100), np.asarray(times) <= 100)
    survival, error = (pd.Series(values, other.surv_times) for values in (other.surv_prob, other.surv_prob_se))
    survival, error = (values.reindex(inside.index).ffill() for values in (survival, error))
    assert inside[SHARE].to_numpy() == pytest.approx(1 - survival.to_numpy())
    width = 1.959964 * error / (survival * np.log(survival)).abs()
    middle = np.log(-np.log(survival))
    for limit, sign in ((LOW, -1), (HIGH, 1)):
        expected = 1 - np.exp(-np.exp(middle + sign * width))
        assert inside[limit].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6)


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
    """The log-log limits are 11 to 48 % at week 3, 17 to 57 at week 4, 42 to 82 at week 8, 52 to 88 at week 11."""
    row = only_row(times_to_solution(frame_of_times(REMISSION, 30), 0))
    assert [row[name] for name in (MEDIAN, MEDIAN_LOW, MEDIAN_HIGH)] == [8, 4, 11]


@given(st.lists(st.integers(1, 130), min_size=5, max_size=80).filter(lambda times: min(times) <= 100 < max(times)))
def test_the_median_is_that_of_statsmodels(times):
    """The smallest time by which the share is a half, or none within the budget."""
    row = only_row(times_to_solution(frame_of_times(times, 100), 0))
    other = SurvfuncRight(np.minimum(times, 100), np.asarray(times) <= 100)
    reached = np.flatnonzero(other.surv_prob <= 0.5 + 1e-12)
    expected = other.surv_times[reached[0]] if reached.size else np.nan
    assert row[MEDIAN] == pytest.approx(expected, nan_ok=True)
    low, high = other.quantile_ci(0.5)
    if not np.isnan(low) and len(reached):
        assert row[MEDIAN_HIGH] == pytest.approx(high if np.isfinite(high) else np.nan, nan_ok=True)
        assert row[MEDIAN_LOW] in (low, 0)  # 0 where Wilson's limit for none is above a half


def test_a_median_that_is_not_within_the_budget_is_missing():
    """Where fewer than half solve, when half would have is not known; only that it takes longer than some time."""
    row = only_row(times_to_solution(frame_of_times([10] * 45 + [99] * 55, 50), 0))
    assert np.isnan(row[MEDIAN])
    assert np.isnan(row[MEDIAN_HIGH])
    assert row[MEDIAN_LOW] == 10


def test_exactly_half_reach_the_median():
    """Rounding of a product of shares must not lose it."""
    for size in range(2, 200, 2):
        times = [*range(1, size // 2 + 1), *[9999] * (size // 2)]
        assert only_row(times_to_solution(frame_of_times(times, 1000), 0))[MEDIAN] == size // 2


# ------------------------------------------------------------------ the restricted mean


@given(TRAININGS)
def test_the_restricted_mean_is_the_area_above_the_curve(trainings):
    """Royston & Parmar (2013): the integral of the survival function up to the budget."""
    data = frame_of(trainings)
    for row in times_to_solution(data, 0).to_dict("records"):
        curve = solution_curves(data[data[c.TRIAL_ID] == row[c.TRIAL_ID]], 10_000)
        area = (np.diff(curve[AT]) * (1 - curve[SHARE].to_numpy()[:-1])).sum()
        assert row[RMST] == pytest.approx(area)
        assert 0 <= row[RMST_LOW] <= row[RMST] <= row[RMST_HIGH] <= row[BUDGET]


def test_the_interval_of_the_restricted_mean_is_students():
    """10, 20, 50 and 50: 32.5 ± 3.182 √(425 / 4); 25 times as many of each: 32.5 ± 1.984 √(321.97 / 100)."""
    row = only_row(times_to_solution(frame_of_times([10, 20, 99, 50], 50), 0))
    assert row[RMST] == 32.5
    assert row[RMST_LOW] == 0  # 32.5 - 32.8
    assert row[RMST_HIGH] == 50
    wide = only_row(times_to_solution(frame_of_times([10, 20, 99, 50] * 25, 50), 0))
    assert [wide[RMST_LOW], wide[RMST_HIGH]] == pytest.approx([28.940, 36.060], abs=0.001)


def test_a_restricted_mean_of_equal_times_is_not_certain():
    """Three stuck seeds do not show that none would ever solve."""
    row = only_row(times_to_solution(frame_of_times([99] * 3, 50), 0))
    assert [row[RMST], row[RMST_HIGH]] == [50, 50]
    assert row[RMST_LOW] == pytest.approx(50 * (1 - wilson_interval(0, 3)[1]))


# ------------------------------------------------------------------ the expected running time


@given(TRAININGS)
def test_the_expected_running_time_is_that_of_restarts(trainings):
    """Auger & Hansen (2005): the mean of a success, and (1 - p) / p failures before it that cost the budget each."""
    data = frame_of(trainings)
    for row in times_to_solution(data, 0).to_dict("records"):
        solved = data[(data[c.TRIAL_ID] == row[c.TRIAL_ID]) & data[c.SOLVED]][c.SOLVED_AT]
        share = row[c.SOLVED] / row[COUNT]
        expected = solved.mean() + (1 - share) / share * row[BUDGET] if len(solved) else np.inf
        assert row[ERT] == pytest.approx(expected)
        assert row[ERT_LOW] <= row[ERT] * (1 + 1e-12)
        assert row[ERT_HIGH] >= row[ERT] * (1 - 1e-12)


@pytest.mark.parametrize("size", [60, 5 * MANY])
def test_the_interval_of_the_expected_running_time_is_scipys_bootstrap(size):
    """Two independent implementations agree, where draws are made one by one and where they are not."""
    times = np.random.default_rng(3).lognormal(3, 1, size).round()
    row = only_row(times_to_solution(frame_of_times(times, 30), 0))
    spent, solved = np.minimum(times, 30), (times <= 30).astype(float)

    def running_time(spent, solved, axis=-1):
        return spent.sum(axis=axis) / solved.sum(axis=axis)

    expected = bootstrap(
        (spent, solved), running_time, paired=True, vectorized=True, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    width = expected.high - expected.low
    assert [row[ERT_LOW], row[ERT_HIGH]] == pytest.approx([expected.low, expected.high], abs=0.06 * width)


def test_where_seeds_may_all_fail_the_running_time_has_no_upper_limit():
    """One in twenty: more than a third of the resamples have no solution at all."""
    row = only_row(times_to_solution(frame_of_times([10] + [99] * 19, 50), 0))
    assert row[ERT] == 10 + 19 * 50
    assert np.isfinite(row[ERT_LOW])
    assert np.isinf(row[ERT_HIGH])


def test_where_none_solved_the_running_time_is_infinite_and_has_a_lower_limit():
    """None in twenty: at Wilson's upper limit for the solved rate, that many budgets would be spent on failures."""
    row = only_row(times_to_solution(frame_of_times([99] * 20, 50), 0))
    rate = wilson_interval(0, 20)[1]
    assert row[ERT] == row[ERT_HIGH] == np.inf
    assert row[ERT_LOW] == pytest.approx((1 - rate) / rate * 50)


def test_where_all_solved_the_running_time_allows_for_failures_that_were_not_seen():
    """Twenty of twenty at the same iteration: at Wilson's lower limit, some restarts would come on top."""
    row = only_row(times_to_solution(frame_of_times([10] * 20, 50), 0))
    rate = wilson_interval(20, 20)[0]
    assert row[ERT] == row[ERT_LOW] == 10
    assert row[ERT_HIGH] == pytest.approx(10 + (1 - rate) / rate * 50)


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
    row = only_row(times_to_solution(data, 0))
    assert (row[COUNT], row[c.SOLVED], row[BUDGET], row[RMST]) == (5, 1, 100, 88)


def test_unsupported_trainings_are_not_at_risk(trial, ended, refused, table):
    """What was never begun could not have solved."""
    data = table(ended(trial(), [SOLVED], solved_at=40), refused(trial(), [7, 8]), refused(trial(device="cuda"), [0]))
    assert only_row(times_to_solution(data, 0))[COUNT] == 1
    assert solution_curves(data)[c.TRIAL_ID].unique().tolist() == [trial().trial_id]


def test_trainings_that_stop_when_they_solve_count_as_if_they_had_gone_on(trial, trained, table):
    """``stop = "solved"`` saves the iterations after the solution, which are in no figure."""
    easy = {"gate": "or", "hidden": 0, "learning_rate": 5.0, "iterations": 300, "curve_points": 10}
    stops, goes_on = (table(trained(trial(**easy, stop=stop), range(5))) for stop in ("solved", "never"))
    assert (stops[c.ITERATIONS_DONE] < 300).all()
    assert goes_on[c.SOLVED].all()
    first, second = (
        times_to_solution(data, 0).drop(columns=[c.TRIAL_ID, ERT_LOW, ERT_HIGH]) for data in (stops, goes_on)
    )
    pd.testing.assert_frame_equal(first, second)


def test_a_trial_that_diverged_throughout_has_a_flat_curve(trial, ended, table):
    """Nothing solved, and up to Wilson's limit could have."""
    curve = solution_curves(table(ended(trial(), [DIVERGED] * 5)))
    assert curve[[AT, SHARE, LOW, AT_RISK]].to_numpy().tolist() == [[0, 0, 0, 5], [100, 0, 0, 5]]
    assert curve[HIGH].to_numpy() == pytest.approx(wilson_interval(0, 5)[1])


def test_a_trial_that_solved_at_once_jumps_at_zero():
    """The first place is before anything was done."""
    data = frame_of_times([0, 0, 0], 50)
    curve, row = solution_curves(data), only_row(times_to_solution(data, 0))
    assert curve[[AT, SHARE, AT_RISK]].to_numpy().tolist() == [[0, 0, 3], [0, 1, 3], [50, 1, 0]]
    assert row[MEDIAN] == row[RMST] == row[ERT] == 0
    assert row[RMST_HIGH] > 0
    assert row[ERT_HIGH] > 0


@pytest.mark.parametrize(("at", "median"), [(10, 10), (99, np.nan)])
def test_one_training_has_figures_and_says_how_little_it_knows(at, median):
    """One seed gives a time, and intervals that are nearly as wide as they can be."""
    row = only_row(times_to_solution(frame_of_times([at], 50), 0))
    assert row[MEDIAN] == pytest.approx(median, nan_ok=True)
    assert row[RMST] == min(at, 50)
    assert row[RMST_HIGH] - row[RMST_LOW] > 0.75 * 50
    assert row[ERT_HIGH] > 3 * 50


def test_a_sweep_without_trainings_has_neither_curves_nor_times(table):
    """A sweep that was interrupted at once can be read."""
    curves, times = solution_curves(table()), times_to_solution(table(), 0)
    assert curves.empty
    assert times.empty
    assert list(curves) == [c.TRIAL_ID, AT, SHARE, LOW, HIGH, AT_RISK]
    assert list(times) == [c.TRIAL_ID, COUNT, c.SOLVED, BUDGET, *FIGURES]


# ------------------------------------------------------------------ order, types, units


@given(TRAININGS, st.randoms())
def test_the_order_of_the_trainings_never_matters(trainings, random):
    """Trainings arrive in any order from their workers: not even a random draw may depend on it."""
    first, second = frame_of(trainings), frame_of(random.sample(trainings, len(trainings)))
    for figures in (solution_curves, lambda data: times_to_solution(data, 5)):
        tables = [figures(data).sort_values(c.TRIAL_ID, kind="stable", ignore_index=True) for data in (first, second)]
        pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_trials_figures_do_not_depend_on_the_other_trials():
    """A trial has the same interval in a report of one and of many."""
    one, other = frame_of_times([10, 20, 99, 30], 50, "a"), frame_of_times([5, 99, 99], 50, "b")
    together = times_to_solution(pd.concat([other, one]), 3)
    alone = times_to_solution(one, 3)
    pd.testing.assert_frame_equal(together[together[c.TRIAL_ID] == "a"].reset_index(drop=True), alone)


def test_another_seed_gives_other_draws_and_the_same_seed_the_same():
    """Only the bootstrap's limits are drawn."""
    data = frame_of_times(np.arange(1, 80), 50)
    first, again, other = (times_to_solution(data, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    drawn = [ERT_LOW, ERT_HIGH]
    assert (first[drawn] != other[drawn]).any(axis=None)
    pd.testing.assert_frame_equal(first.drop(columns=drawn), other.drop(columns=drawn))


@given(TRAININGS)
def test_words_that_are_kept_once_give_the_same_figures(trainings):
    """Pandas' categories, also those that no training has, are words like others."""
    data = frame_of(trainings)
    kept = {c.TRIAL_ID: pd.CategoricalDtype(["c", "z", "b", "a"]), c.OUTCOME: "category"}
    pd.testing.assert_frame_equal(solution_curves(data.astype(kept)), solution_curves(data))
    pd.testing.assert_frame_equal(times_to_solution(data.astype(kept), 0), times_to_solution(data, 0))


def test_seconds_are_iterations_times_the_trials_own_pace():
    """The median over a trial's trainings of microseconds per iteration, for each trial its own."""
    fast, slow = (frame_of_times([10, 20, 99], 50, name) for name in "ab")
    fast[c.ITERATION_US], slow[c.ITERATION_US] = [1.0, 2.0, 9.0], [4e6, np.nan, 4e6]
    data = pd.concat([fast, slow])
    pace = np.array([2e-6, 4.0])
    iterations, seconds = (times_to_solution(data, 0, seconds=unit).set_index(c.TRIAL_ID) for unit in (False, True))
    for name in (BUDGET, MEDIAN, RMST, RMST_LOW, ERT):
        assert seconds[name].to_numpy() == pytest.approx(iterations[name].to_numpy() * pace)
    curves = solution_curves(data, seconds=True).groupby(c.TRIAL_ID)[AT].last()
    assert curves.to_dict() == pytest.approx({"a": 1e-4, "b": 200})


def test_a_trial_that_nobody_timed_has_no_seconds(trial, ended, failed, table):
    """Where every training crashed there is no time per iteration; its counts stay."""
    data = table(failed(trial(hidden=2), [0, 1]), ended(trial(hidden=8), [SOLVED], solved_at=40, us=1e6))
    times = times_to_solution(data, 0, seconds=True)
    assert times[COUNT].tolist() == [2, 1]
    assert times[RMST].tolist() == pytest.approx([np.nan, 40], nan_ok=True)
    assert solution_curves(data, seconds=True)[c.TRIAL_ID].unique().tolist() == [trial(hidden=8).trial_id]


# ------------------------------------------------------------------ coverage


@pytest.mark.slow
@pytest.mark.parametrize("budget", [4_000, 6_000, 10_000])
@pytest.mark.parametrize("size", [100, 300])
def test_intervals_of_times_cover_the_truth_as_often_as_they_say(budget, size):
    """In 2,000 sweeps of log-normal times, of which 64 to 93 % are in the budget, intervals hold the truth in 95 %."""
    population = np.ceil(lognorm.ppf((np.arange(100_000) + 0.5) / 100_000, 0.8, scale=3_000))
    drawn = np.random.default_rng([budget, size]).choice(population, size=(2_000, size))
    data = frame_of_times(drawn.ravel(), budget).assign(**{c.TRIAL_ID: np.repeat(np.arange(2_000).astype(str), size)})
    found, spent = times_to_solution(data, 0), np.minimum(population, budget)
    truth = {MEDIAN: np.median(population), RMST: spent.mean(), ERT: spent.sum() / (population <= budget).sum()}
    shares = {}
    for name, value in truth.items():
        low, high = found[f"{name}_low"], found[f"{name}_high"].fillna(np.inf)
        shares[name] = ((low <= value) & (value <= high)).mean()
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares

import math

import numpy as np
import pytest

from bench.metrics import columns as c
from bench.model.outcome import NEVER, Record, Result
from bench.stats.mlflow_summary import describe_training, describe_trial, trial_medians
from bench.stats.proportions import exact_interval

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
NAN = np.nan


@pytest.fixture(params=["mixed", "solved", "diverged", "failed", "unsupported", "single", "early"])
def trainings(request, trial, ended, table):
    """Return the trainings of one trial: of every outcome, or all of one, or only one."""
    one = trial(iterations=1000, curve_points=100, stop="solved")
    failed = Record(one, (20, 21), result=Result.FAILED, reason="ValueError: no")
    unsupported = Record(one, (30, 31), result=Result.UNSUPPORTED, reason="no")
    solved = ended(one, [SOLVED] * 3, solved_at=[5, 6, 7], correct_at=[1, 2, 3])
    stuck = ended(one, [STUCK] * 2, seeds=[5, 6])
    diverged = ended(one, [DIVERGED] * 3, seeds=[10, 11, 12])
    early = ended(one, [SOLVED], loss=[[0.3, *[NAN] * 99]], solved_at=4, correct_at=4, iterations=4)
    return {
        "mixed": table(solved, stuck, diverged, failed, unsupported),
        "solved": table(solved),
        "diverged": table(diverged),
        "failed": table(failed),
        "unsupported": table(unsupported),
        "single": table(ended(one, [STUCK])),
        "early": table(early),
    }[request.param]


@pytest.mark.untraced
def test_a_trial_has_few_figures(trainings):
    """MLflow draws each, and it costs time, whatever became of the trainings."""
    metrics, _ = describe_trial(trainings)
    assert 2 <= len(metrics) <= 20


@pytest.mark.untraced
def test_a_trial_has_at_most_25_steps(trainings):
    """A hundred recorded iterations are thinned out, from the first to the last."""
    _, steps = describe_trial(trainings)
    for series in steps.values():
        places = [step for step, _ in series]
        assert len(places) == 25
        assert (places[0], places[-1]) == (0, 990)
        assert places == sorted(set(places))


@pytest.mark.untraced
def test_every_figure_of_a_trial_is_finite(trainings):
    """What is not finite has no place in MLflow."""
    metrics, _ = describe_trial(trainings)
    assert all(math.isfinite(value) for value in metrics.values())


@pytest.mark.untraced
def test_every_training_of_a_trial_is_in_one_outcome(trainings):
    """The counts of outcomes add up to the trainings."""
    metrics, _ = describe_trial(trainings)
    assert sum(metrics.get(result, 0) for result in Result) == metrics["trainings"] == len(trainings)


@pytest.mark.untraced
def test_every_single_training_can_be_described(trainings):
    """Each has finite figures, and its curves if it was trained."""
    for place in range(len(trainings)):
        training = trainings.iloc[[place]]
        metrics, steps = describe_training(training)
        assert all(math.isfinite(value) for value in metrics.values())
        assert set(steps) == ({c.LOSS, c.ITERATION_US} if training[c.CURVE].notna().all() else set())


def test_a_trial_is_summed_up_over_its_seeds(trial, ended, table):
    """Rates and medians are over the trainings that were begun: two of five never solve it, and take longest."""
    one = trial()
    data = table(
        ended(
            one,
            [SOLVED, SOLVED, SOLVED, STUCK],
            solved_at=[30, 10, 20, NEVER],
            correct_at=[3, 1, 2, NEVER],
            us=[5, 6, 7, 8],
        ),
        Record(one, (8,), result=Result.FAILED, reason="no"),
        Record(one, (9,), result=Result.UNSUPPORTED, reason="no"),
    )
    metrics, _ = describe_trial(data)
    low, high = exact_interval(3, 5)
    expected = {
        "trainings": 6,
        "solved": 3,
        "stuck": 1,
        "failed": 1,
        "unsupported": 1,
        "solved_rate": 0.6,
        "solved_rate_low": float(low),
        "solved_rate_high": float(high),
        "solved_at_median": 30,
        "solved_at_q25": 20,
        "rmst": (30 + 10 + 20 + 2 * one.iterations) / 5,
        "iteration_us_median": 6.5,
    }
    assert {name: float(metrics[name]) for name in expected} == pytest.approx(expected)
    assert not {"solved_at_q75", "slow", "diverged"} & set(metrics)
    assert next(iter(metrics)) == "solved_rate"  # MLflow's comparisons open with the first


def test_times_are_summed_up_over_the_recorded_chunks(trial, trained, table):
    """A training that was slow for a tenth of its time has a median that does not say so."""
    data = table(trained(trial(), [0, 1]))
    data[c.CURVE_US] = [np.array([1.0] * 9 + [50.0]), np.array([2.0] * 9 + [np.nan])]
    metrics, _ = describe_trial(data)
    chunks = [1.0] * 9 + [50.0] + [2.0] * 9
    assert metrics["iteration_us_median"] == pytest.approx(np.median(chunks))


def test_trainings_without_chunks_are_summed_up_by_their_means(trial, ended, table):
    """Beyond the seeds whose lists are kept."""
    metrics, _ = describe_trial(table(ended(trial(), [STUCK] * 3, us=[5, 6, 7]), lists_to=-1))
    assert metrics["iteration_us_median"] == pytest.approx(6)


@pytest.mark.untraced
@pytest.mark.parametrize("size", [1, 3, 5, 9, 21])
def test_the_median_of_an_odd_number_of_seeds_is_the_middle_one(trial, ended, table, size):
    """As many seeds are below it as above."""
    data = table(ended(trial(), [[error] * 4 for error in np.linspace(0.2, 0.4, size)]))
    assert describe_trial(data)[0]["final_mse_median"] == data[c.FINAL_MSE].median()


def test_spreads_lie_between_the_smallest_and_the_largest(trial, ended, table):
    """The quartiles and the median of eleven seeds stand in order, and none is outside."""
    errors = np.linspace(0.2, 0.4, 11)
    data = table(ended(trial(), [[error] * 4 for error in errors]))
    metrics, _ = describe_trial(data)
    found = [metrics[f"final_mse_{label}"] for label in ("q25", "median", "q75")]
    assert data[c.FINAL_MSE].min() < found[0] < found[1] < found[2] < data[c.FINAL_MSE].max()
    assert found[1] == pytest.approx(data[c.FINAL_MSE].median())


def test_steps_are_the_quantiles_of_the_loss(trial, ended, table):
    """With three seeds the median is the middle curve, and the ends are the others."""
    loss = np.add.outer([2.0, 1.0, 3.0], np.linspace(0.9, 0, 10))
    _, steps = describe_trial(table(ended(trial(), [STUCK] * 3, loss=loss, us=4.0)))
    assert steps["loss_median"] == list(zip(range(0, 100, 10), loss[0], strict=True))
    assert steps["loss_q05"] == list(zip(range(0, 100, 10), loss[1], strict=True))
    assert steps["loss_q95"] == list(zip(range(0, 100, 10), loss[2], strict=True))
    assert [value for _, value in steps[c.ITERATION_US]] == pytest.approx([4.0] * 10)


def test_a_short_curve_has_all_of_its_steps(trial, ended, table):
    """Nothing is thinned out below 25 recorded iterations."""
    _, steps = describe_trial(table(ended(trial(iterations=7, curve_points=24), [STUCK])))
    assert [step for step, _ in steps["loss_median"]] == list(range(7))


def test_a_training_is_described_by_its_own_figures(trial, trained, table):
    """Its figures are its row's, and its steps its whole curve."""
    data = table(trained(trial(iterations=400, curve_points=100), [3]))
    metrics, steps = describe_training(data)
    row = data.iloc[0]
    assert metrics[c.FINAL_LOSS] == row[c.FINAL_LOSS]
    assert metrics[f"{c.ITERATION_US}_mean"] == row[c.ITERATION_US]
    assert steps[c.LOSS] == list(zip(range(0, 400, 4), row[c.CURVE], strict=True))
    assert steps[c.ITERATION_US] == list(zip(range(0, 400, 4), row[c.CURVE_US], strict=True))


def test_a_training_says_whether_it_diverged(trial, ended, table):
    """MLflow has no figure for what is infinite, so divergence is one of its own."""
    data = table(ended(trial(), [DIVERGED, STUCK]))
    assert [describe_training(data.iloc[[place]])[0]["diverged"] for place in (0, 1)] == [1, 0]


def test_a_training_whose_curve_was_not_kept_has_no_steps(trial, ended, table):
    """Its figures are there all the same."""
    metrics, steps = describe_training(table(ended(trial(), [STUCK]), lists_to=-1))
    assert (metrics[c.FINAL_MSE], steps) == (0.25, {})


def test_no_figure_of_a_training_has_the_name_of_a_series(trial, trained, table):
    """MLflow keeps both under one name, and would show the figure as a point of the curve."""
    metrics, steps = describe_training(table(trained(trial(), [3])))
    assert not set(metrics) & set(steps)


def test_times_taken_beside_other_work_are_in_no_table(trial, ended, table):
    """Only a trial whose trainings were all alone has a time that may stand next to another's."""
    trials = [trial(hidden=hidden) for hidden in (2, 3, 4)]
    records = [ended(one, [STUCK], alone=alone, us=7) for one, alone in zip(trials, (True, False, True), strict=True)]
    data = table(*records, ended(trials[2], [STUCK], seeds=[1], us=7))
    shown = trial_medians(data)[c.ITERATION_US]
    assert [shown[one.trial_id] for one in trials] == pytest.approx([7, NAN, NAN], nan_ok=True)
    assert describe_trial(data)[0]["iteration_us_median"] == pytest.approx(7)

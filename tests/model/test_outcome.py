from dataclasses import replace

import numpy as np
import pytest

from bench.model.gate import Gate
from bench.model.outcome import NEVER, Batch, Outcome, Result, read_outcome, right_side, succeeds
from bench.model.trial import Trial

TARGETS = [0.0, 1.0, 1.0, 0.0]  # XOR's
RIGHT = [0.05, 0.95, 0.95, 0.05]
WRONG = [0.5, 0.6, 0.4, 0.5]


def table(targets):
    """Return a gate with these targets; what its inputs are does not matter here."""
    return Gate("table", np.zeros((len(targets), 2)), np.array(targets))


def outcome(trial, predictions_TN, *, late_loss=1.0, weights_TP=None, iterations=None, seconds=0.0):
    """Return an outcome of these predictions whose loss at the late checkpoint is the given one."""
    predictions = np.array(predictions_TN, dtype=np.float64)
    trainings, checkpoints = len(predictions), len(trial.checkpoints)
    loss = np.full((trainings, checkpoints), 9.0)
    loss[:, trial.checkpoints.tolist().index(trial.late_iteration)] = late_loss
    never = np.full(trainings, NEVER)
    return Outcome(
        loss_TC=loss,
        predictions_TN=predictions,
        weights_TP=np.zeros((trainings, trial.network.parameters)) if weights_TP is None else weights_TP,
        solved_at_T=never,
        correct_at_T=never,
        iterations_T=np.full(trainings, trial.iterations if iterations is None else iterations),
        seconds_TC=np.full((trainings, checkpoints), seconds),
    )


def result_of(predictions, trial=None, **rest):
    """Return what became of one training."""
    trial = trial or Trial()
    (result,) = read_outcome(trial, outcome(trial, [predictions], **rest)).result_T
    return result


def test_predictions_within_the_tolerance_are_solved():
    """However the loss went: every prediction within a tenth of its target is what was asked."""
    assert result_of(RIGHT) == Result.SOLVED


def test_a_single_prediction_outside_the_tolerance_is_not_solved():
    """All observations count."""
    assert result_of([0.05, 0.95, 0.85, 0.05]) != Result.SOLVED


def test_a_loss_that_still_falls_in_the_last_tenth_is_slow():
    """More than one per cent below the loss where the last tenth began."""
    final = float(((np.array(WRONG) - TARGETS) ** 2).mean())
    assert result_of(WRONG, late_loss=final * 1.02) == Result.SLOW


@pytest.mark.parametrize("share", [1.005, 1.0, 0.5])
def test_a_loss_that_stands_still_or_rises_is_stuck(share):
    """Within one per cent of the late loss, or above it, nothing is being learnt."""
    final = float(((np.array(WRONG) - TARGETS) ** 2).mean())
    assert result_of(WRONG, late_loss=final * share) == Result.STUCK


@pytest.mark.parametrize("points", [1, 3, 100])
def test_the_late_loss_is_found_among_the_recorded_ones(points):
    """Its place depends on how many points of the curve are kept."""
    trial = Trial(iterations=1000, curve_points=points)
    assert result_of(WRONG, trial, late_loss=1.0) == Result.SLOW
    assert result_of(WRONG, trial, late_loss=0.1) == Result.STUCK


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_no_number_is_diverged(bad):
    """One such prediction is enough."""
    assert result_of([0.05, 0.95, bad, 0.05]) == Result.DIVERGED


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_diverged(bad):
    """Saturated predictions may look solved while a weight is infinite: that is no solution."""
    trial = Trial()
    weights = np.zeros((1, trial.network.parameters))
    weights[0, 3] = bad
    assert result_of(RIGHT, trial, weights_TP=weights) == Result.DIVERGED


def test_a_loss_that_overflows_is_diverged():
    """Predictions may be finite where their squared errors are not."""
    assert result_of([0.0, 1.0, 1e200, 0.0], Trial(dtype="float64")) == Result.DIVERGED


@pytest.mark.filterwarnings("error")
def test_a_loss_that_was_endless_before_the_end_is_no_warning():
    """Endless less endless is no number that anybody asked for."""
    assert result_of([np.inf] * 4, late_loss=np.inf) == Result.DIVERGED
    assert result_of(WRONG, late_loss=np.inf) == Result.STUCK


def test_a_diverged_training_is_neither_solved_nor_correct():
    """Not even where the predictions are right."""
    trial = Trial()
    weights = np.full((1, trial.network.parameters), np.inf)
    reading = read_outcome(trial, outcome(trial, [RIGHT], weights_TP=weights))
    assert (reading.solved_T.tolist(), reading.correct_T.tolist()) == ([False], [False])


def test_trainings_of_a_batch_are_judged_one_by_one():
    """Each row has its own result."""
    trial = Trial()
    read = read_outcome(trial, outcome(trial, [RIGHT, WRONG, [np.nan] * 4]))
    assert read.result_T.tolist() == ["solved", "slow", "diverged"]
    assert read.solved_T.tolist() == [True, False, False]


def test_predictions_on_their_targets_side_are_correct_before_they_are_solved():
    """Right of 0.5 is enough for correct."""
    trial = Trial()
    reading = read_outcome(trial, outcome(trial, [[0.4, 0.6, 0.6, 0.4], WRONG]))
    assert reading.correct_T.tolist() == [True, False]
    assert reading.solved_T.tolist() == [False, False]


@pytest.mark.parametrize(("reduction", "factor"), [("mean", 1), ("sum", 4)])
def test_the_final_loss_is_reduced_as_the_trial_says_and_the_squared_error_always_averaged(reduction, factor):
    """Losses of one trial compare with its curve; squared errors compare among all trials."""
    trial = Trial(loss="l1", reduction=reduction)
    reading = read_outcome(trial, outcome(trial, [[0.1, 0.7, 0.8, 0.4]]))
    np.testing.assert_allclose(reading.final_loss_T, [0.25 * factor])
    np.testing.assert_allclose(reading.final_mse_T, [0.075])


def test_the_largest_error_is_that_of_the_worst_observation():
    """Over or under the target alike."""
    trial = Trial()
    reading = read_outcome(trial, outcome(trial, [[0.1, 0.9, 0.3, 0.0], [0.6, 1.0, 1.0, 0.0]]))
    np.testing.assert_allclose(reading.max_abs_error_T, [0.7, 0.6])


def test_the_time_of_an_iteration_is_all_seconds_over_the_iterations_done():
    """An early stop divides by what was done, not by what was planned."""
    trial = Trial(iterations=1000, curve_points=10)
    reading = read_outcome(trial, outcome(trial, [RIGHT], iterations=50, seconds=1e-4))
    np.testing.assert_allclose(reading.iteration_us_T, [10 * 1e-4 / 50 * 1e6])


def test_a_training_that_starts_solved_takes_no_time_per_iteration():
    """Nothing done, nothing divided by zero."""
    trial = Trial()
    assert read_outcome(trial, outcome(trial, [RIGHT], iterations=0)).iteration_us_T.tolist() == [0]


def test_success_may_be_the_right_side_or_a_loss():
    """A prediction of 0.6 for a one is right and not close; its squared error is 0.16."""
    ones, predictions = table([1.0]), np.array([[0.6]])
    assert succeeds(predictions, Trial(gate=ones)).tolist() == [False]
    assert succeeds(predictions, Trial(gate=ones, success="correct")).tolist() == [True]
    assert succeeds(predictions, Trial(gate=ones, success="loss", success_loss=0.17)).tolist() == [True]
    assert succeeds(predictions, Trial(gate=ones, success="loss", success_loss=0.15)).tolist() == [False]


def test_the_sides_of_other_targets_meet_between_them():
    """With targets of -1 and 1 a prediction above 0 is a one."""
    trial = Trial(gate=table([0.0, 1.0]), target_low=-1, output="tanh")
    assert right_side(np.array([[-0.1, 0.1], [0.1, 0.2]]), trial).tolist() == [True, False]


def test_success_that_must_last_is_not_had_at_the_end_alone():
    """What meets the tolerance at its last look only has not met it twice."""
    trial = Trial(success_for=2, iterations=50)
    found = outcome(trial, [RIGHT])
    assert read_outcome(trial, replace(found, solved_at_T=np.array([NEVER]))).solved_T.tolist() == [False]
    assert read_outcome(trial, replace(found, solved_at_T=np.array([40]))).solved_T.tolist() == [True]


def test_the_tolerance_is_judged_in_the_trials_precision():
    """1 - 0.9 is a hair over 0.1 in float32 and a hair under it in float64."""
    predictions, ones = np.array([[0.9]]), table([1.0])
    assert succeeds(predictions, Trial(gate=ones, tolerance=0.1, dtype="float64")).tolist() == [True]
    assert succeeds(predictions, Trial(gate=ones, tolerance=0.1, dtype="float32")).tolist() == [False]


def test_a_prediction_exactly_at_the_tolerance_is_within():
    """The end of the tolerance belongs to it."""
    trial = Trial(gate=table([0.0, 1.0]), tolerance=0.25)
    assert succeeds(np.array([[0.25, 0.75]]), trial).tolist() == [True]


def test_a_prediction_of_one_half_is_on_the_side_of_zero():
    """Only more than a half is a one."""
    half = np.array([[0.5]])
    assert right_side(half, Trial(gate=table([0.0]))).tolist() == [True]
    assert right_side(half, Trial(gate=table([1.0]))).tolist() == [False]


def test_a_prediction_that_is_no_number_is_on_no_side():
    """Not a number is not above a half, yet it is no zero either."""
    predictions = np.array([[np.nan, 0.1], [0.1, np.nan], [0.1, 0.1]])
    assert right_side(predictions, Trial(gate=table([0.0, 0.0]))).tolist() == [False, False, True]


def test_targets_between_zero_and_one_have_a_side_too():
    """A target of 0.7 asks for a prediction above a half."""
    predictions = np.array([[0.2, 0.9], [0.6, 0.9], [0.2, 0.4]])
    assert right_side(predictions, Trial(gate=table([0.3, 0.7]))).tolist() == [True, False, False]


def test_a_batch_of_a_trial_has_its_weights_rates_and_momenta():
    """Every seed's row starts where the trial says, with the trial's step size."""
    trial = Trial(learning_rate=0.3, momentum=0.9)
    batch = Batch.of(trial, range(3))
    assert len(batch) == 3
    np.testing.assert_array_equal(batch.weights_TP, trial.initial_weights([0, 1, 2]))
    assert (batch.learning_rate_T.tolist(), batch.momentum_T.tolist()) == ([0.3] * 3, [0.9] * 3)


def test_results_are_written_as_single_words():
    """Stored as they are read."""
    assert [str(result) for result in Result] == ["solved", "slow", "stuck", "diverged", "failed", "unsupported"]


def test_errors_are_measured_from_the_gates_own_targets():
    """A table of the user's own is judged by its own numbers."""
    mine = Gate("mine", np.array([[0.0], [1.0]]), np.array([0.3, 0.6]))
    trial = Trial(gate=mine)
    assert result_of([0.35, 0.55], trial) == Result.SOLVED
    assert result_of([0.05, 0.95], trial) != Result.SOLVED

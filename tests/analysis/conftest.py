"""Trainings as analysis reads them: made up or really trained, and turned into a frame as a sweep does it."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from bench.analysis.claims import Verdict, check_claims
from bench.backends.numpy_loop import NumpyLoop
from bench.experiment.claim import CLAIM
from bench.experiment.grid import PlannedClaim
from bench.problem.initial import MAX_SEED
from bench.problem.loss import loss_value
from bench.problem.outcome import NEVER, Batch, Outcome, Record, Result
from bench.problem.trial import Trial
from bench.tracking import columns as c
from bench.tracking.rows import concat, frame, rows


@pytest.fixture(scope="session")
def trial() -> Callable[..., Trial]:
    """Return a short trial: its loss is recorded at 0, 10, 20, ..., 90 of 100 iterations."""

    def short(**parameters: object) -> Trial:
        return Trial(**{"iterations": 100, "curve_points": 10} | parameters)

    return short


@pytest.fixture(scope="session")
def ended() -> Callable[..., Record]:
    """Make up what became of a trial's trainings from their final predictions ``[T, N]`` alone, or from more.

    Not a number among the predictions is a training that diverged. ``loss`` is ``[T, K]``, and the final loss
    throughout if it is not given.
    """

    def record(
        trial: Trial,
        predictions: Sequence[Sequence[float]],
        *,
        seeds: Sequence[int] | None = None,
        loss: object = None,
        weights: object = 0.0,
        solved_at: object = NEVER,
        correct_at: object = NEVER,
        iterations: object = None,
        us: object = 1.0,
        alone: bool = False,
    ) -> Record:
        predictions_TN = np.asarray(predictions, dtype=np.float64)
        size, points = len(predictions_TN), len(trial.checkpoints)
        final_T = loss_value(trial.loss, trial.reduction, predictions_TN, trial.gate.targets)
        done_T = np.broadcast_to(trial.iterations if iterations is None else iterations, size).astype(np.int64)
        seconds_T = np.broadcast_to(us, size) * done_T / 1e6
        outcome = Outcome(
            loss_TC=np.array(np.broadcast_to(final_T[:, None] if loss is None else loss, (size, points)), float),
            predictions_TN=predictions_TN,
            weights_TP=np.array(np.broadcast_to(weights, (size, trial.network.parameters)), float),
            solved_at_T=np.broadcast_to(solved_at, size).astype(np.int64),
            correct_at_T=np.broadcast_to(correct_at, size).astype(np.int64),
            iterations_T=done_T,
            seconds_TC=np.repeat(seconds_T[:, None] / points, points, axis=1),
        )
        return Record(trial, tuple(range(size) if seeds is None else seeds), alone, outcome)

    return record


@pytest.fixture(scope="session")
def trained() -> Callable[[Trial, Sequence[int]], Record]:
    """Train a trial with some seeds."""
    return lambda trial, seeds: Record(trial, tuple(seeds), outcome=NumpyLoop().train(Batch.of(trial, seeds)))


@pytest.fixture(scope="session")
def table() -> Callable[..., pd.DataFrame]:
    """Turn records into the frame that analysis reads; lists are kept up to a seed."""

    def read(*records: Record, lists_to: int = MAX_SEED) -> pd.DataFrame:
        data = frame(concat([rows(record, lists_to) for record in records]))
        targets = {record.trial.trial_id: record.trial.gate.targets for record in records}
        return data.assign(**{c.TARGETS: data[c.TRIAL_ID].map(targets)})

    return read


@pytest.fixture(scope="session")
def failed() -> Callable[[Trial, Sequence[int]], Record]:
    """Make up trainings that crashed."""
    return lambda trial, seeds: Record(trial, tuple(seeds), result=Result.FAILED, reason="ValueError: no")


@pytest.fixture(scope="session")
def refused() -> Callable[[Trial, Sequence[int]], Record]:
    """Make up trainings that the backend refused."""
    return lambda trial, seeds: Record(trial, tuple(seeds), result=Result.UNSUPPORTED, reason="no such device")


@pytest.fixture(scope="session")
def check() -> Callable[..., list[Verdict]]:
    """Return the verdicts on a claim about some trials, and others that it compares them with."""

    def verdicts(data: pd.DataFrame, chosen: Sequence[Trial], other: Sequence[Trial] = (), **claim: object):
        read = CLAIM.validate_python({"id": "a", "source": "s", "what": "w", "where": {}} | claim)
        trials, others = (tuple(one.trial_id for one in some) for some in (chosen, other))
        return check_claims([PlannedClaim(read, trials, others)], data)

    return verdicts


@pytest.fixture(scope="session")
def sides(trial: Callable[..., Trial]) -> tuple[Trial, Trial]:
    """Two trials to be compared."""
    return trial(hidden=2), trial(hidden=8)


@pytest.fixture(scope="session")
def compared(check: Callable[..., list[Verdict]], sides: tuple[Trial, Trial]) -> Callable[..., Verdict]:
    """Return the verdict on whether the first side's squared error, or another measure, is above the other side's."""

    def verdict(data: pd.DataFrame, **claim: object) -> Verdict:
        (found,) = check(data, sides[:1], sides[1:], than={}, **{"measure": "final_mse", "is": "above"} | claim)
        return found

    return verdict

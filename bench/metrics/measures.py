"""Measures of a training: what it came to, as one number, where what diverged or failed is as bad as can be.

Whether a training is solved is said of its end, as its outcome is: one that was within the tolerance and left it again
is not. The time to solution of one that is solved is its first hitting time (Hansen et al. 2021), ``solved_at``. All
others are right-censored at their budget (Kaplan & Meier 1958): they took longer than anybody watched. Whether a
training is correct, and since when, is said in the same way.

Shapes: T trainings.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result

if TYPE_CHECKING:  # frames come from elsewhere: what completes a word cannot wait for pandas
    import pandas as pd

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LOG_MSE, SOLVED = "log10 final_mse", c.SOLVED
MEASURES = (LOG_MSE, SOLVED)
SOLVED_SHARE = "solved_at / iterations"
ERRORS = (c.FINAL_LOSS, c.FINAL_MSE, c.MAX_ABS_ERROR)
TIMES = {c.SOLVED_AT: c.SOLVED, c.CORRECT_AT: c.CORRECT}  # of each time: what must hold at the end
LEAST_ERROR, WORST_ERROR = 1e-12, 1.0  # float64 gets below; a sigmoid's squared error does not get above
BOUNDED = {"sigmoid": WORST_ERROR, "symmetric": WORST_ERROR, "tanh": 4.0}  # likewise, by output
FAR = 100.0  # times as far as targets are from each other, at least 1: where there is no bound, farther is as bad


def begun(trainings: "pd.DataFrame") -> "pd.DataFrame":
    """Return the trainings that were begun: those that a backend refused count nowhere."""
    return trainings[trainings[c.OUTCOME] != Result.UNSUPPORTED]


def never_trained(trainings: "pd.DataFrame") -> Flags:
    """Return which trainings no backend came back from ``[T]``: those that failed, and those that were refused."""
    return np.asarray(trainings[c.OUTCOME].isin([Result.FAILED, Result.UNSUPPORTED]), dtype=np.bool_)


def lost(trainings: "pd.DataFrame") -> Flags:
    """Return which trainings have no result that is a number ``[T]``: those that diverged or were never trained."""
    return never_trained(trainings) | (trainings[c.OUTCOME] == Result.DIVERGED).to_numpy()


def time_to_solution(trainings: "pd.DataFrame") -> Floats:
    """Return the first iteration ``[T]`` at which each training was solved; infinite where it did not end solved."""
    return _first_time(trainings, c.SOLVED_AT)


def left_solution(trainings: "pd.DataFrame") -> Flags:
    """Return which trainings were within the tolerance and ended outside of it ``[T]``."""
    return np.isinf(time_to_solution(trainings)) & trainings[c.SOLVED_AT].notna().to_numpy()


def measured(trainings: "pd.DataFrame", measure: str) -> Floats:
    """Return one number per training ``[T]``, the less the better but for ``solved``, 1 or 0.

    Errors and losses are infinite where the training diverged or failed. ``log10 final_mse`` is finite: there, it is
    that of the worst error there is, and errors below 1e-12 count as 1e-12. The worst is 1 of a sigmoid, 4 of a tanh;
    an output that is linear has no worst, and one a hundred times as far off as targets lie apart counts as that.
    ``solved_at`` and ``correct_at`` are times to that state, infinite where the training did not end in it; ``solved_at
    / iterations`` is that share of its budget, 1 where it ended unsolved. ``iteration_us`` is what an iteration took,
    whatever came of it, and missing where none was timed. Raises ValueError for any other measure.
    """
    if measure == SOLVED:
        return trainings[c.SOLVED].to_numpy(dtype=np.float64)
    if measure in TIMES:
        return _first_time(trainings, measure)
    if measure == SOLVED_SHARE:
        return np.asarray(np.minimum(time_to_solution(trainings) / trainings[c.ITERATIONS].to_numpy(np.float64), 1.0))
    if measure == LOG_MSE:
        worst = _worst_errors(trainings)
        return np.asarray(np.log10(np.clip(_errors(trainings, c.FINAL_MSE, worst), LEAST_ERROR, worst)))
    if measure in ERRORS:
        return _errors(trainings, measure, np.inf)
    if measure == c.ITERATION_US:
        return trainings[measure].to_numpy(dtype=np.float64, na_value=np.nan)
    known = (*MEASURES, SOLVED_SHARE, *ERRORS, *TIMES, c.ITERATION_US)
    raise ValueError(f"measure {measure!r} is not known; choose from {', '.join(known)}")


def _first_time(trainings: "pd.DataFrame", name: str) -> Floats:
    """Return the time to the state that a column tells of; the budget where the last update brought it."""
    budget = trainings[c.ITERATIONS].to_numpy(dtype=np.float64)
    first = trainings[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(trainings[TIMES[name]].to_numpy(dtype=bool), np.fmin(first, budget), np.inf)


def _worst_errors(trainings: "pd.DataFrame") -> float | Floats:
    """Return the greatest squared error that counts ``[T]``: that of the outputs, by targets where there is none."""
    if c.OUTPUT not in trainings:
        return WORST_ERROR
    trials = trainings.drop_duplicates(c.TRIAL_ID)
    worst = {
        str(name): BOUNDED.get(output) or (FAR * max(float(np.ptp(targets)), 1.0)) ** 2
        for name, output, targets in zip(trials[c.TRIAL_ID], trials[c.OUTPUT], trials[c.TARGETS], strict=True)
    }
    return np.array([worst[name] for name in trainings[c.TRIAL_ID].astype(str)])


def _errors(trainings: "pd.DataFrame", name: str, worst: float | Floats) -> Floats:
    errors = trainings[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(lost(trainings) | ~np.isfinite(errors), worst, errors)

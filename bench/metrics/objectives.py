"""Objectives of a search: one number for all trainings of a trial, the better end of each, and limits on them.

Failures count as worst, and none is missing. Shapes: T trainings.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from bench.metrics import columns as c
from bench.metrics.measures import LOG_MSE, SOLVED, measured
from bench.model.parameters import ParameterError, choice, number

MAXIMIZE, MINIMIZE = "maximize", "minimize"  # as Optuna calls them
SOLVED_RATE, MEDIAN_SOLVED_AT, RMST = "solved_rate", "median_solved_at", "rmst"
MEDIAN_MSE, PARAMETER_COUNT, TRAIN_SECONDS = "median_mse", "parameters", "train_seconds"
DIRECTIONS = {
    RMST: MINIMIZE,  # restricted mean iterations to solution: the default, because it never saturates
    SOLVED_RATE: MAXIMIZE,
    MEDIAN_SOLVED_AT: MINIMIZE,
    MEDIAN_MSE: MINIMIZE,
    PARAMETER_COUNT: MINIMIZE,
    TRAIN_SECONDS: MINIMIZE,
}
CENSORED = (RMST, MEDIAN_SOLVED_AT)  # these count what is not solved at the budget, which must be the same for all
OF_SOLVED = (SOLVED_RATE, *CENSORED)  # these ask what is solved, which must mean the same for all
ENDS = {SOLVED_RATE: (0, 1), PARAMETER_COUNT: (1, math.inf)}  # what a measure can be; of all others (0, inf)
AT_LEAST, AT_MOST = ">=", "<="
_CONSTRAINT = re.compile(r"\s*(\w+)\s*(>=|<=)\s*([-+.\deE_]+)\s*")


@dataclass(frozen=True)
class Constraint:
    """A limit that a trial must keep to be among the best: ``solved_rate >= 0.95``."""

    measure: str
    sign: str
    limit: float

    def violation(self, value: float) -> float:
        """Return by how much a value is beyond the limit: above 0 where it is, else 0 or less."""
        return self.limit - value if self.sign == AT_LEAST else value - self.limit

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.measure} {self.sign} {repr(self.limit).removesuffix('.0')}"  # every digit: it names the search


def read_objectives(what: str, value: object) -> tuple[str, ...]:
    """Read a measure's name or a list of them; raise ParameterError for those that are not known or come twice."""
    names = value if isinstance(value, list) else [value]
    if not names:
        raise ParameterError(f"{what} is an empty list; allowed is at least one of {', '.join(DIRECTIONS)}")
    found = tuple(str(choice(*DIRECTIONS)(what, name)) for name in names)
    if len(set(found)) < len(found):
        raise ParameterError(f"{what} is {', '.join(found)}; allowed is each measure once")
    return found


def read_constraints(what: str, value: object) -> tuple[Constraint, ...]:
    """Read one limit or a list of them; raise ParameterError for the first that is wrong."""
    return tuple(_read_constraint(what, text) for text in (value if isinstance(value, list) else [value]))


def _read_constraint(what: str, value: object) -> Constraint:
    """Read ``MEASURE >= NUMBER`` or ``MEASURE <= NUMBER``; raise ParameterError for anything else.

    A limit that every trial keeps, or none, is refused too.
    """
    found = _CONSTRAINT.fullmatch(str(value))
    try:
        limit = float(found[3]) if found else math.nan
    except ValueError:
        limit = math.nan
    if found is None or not math.isfinite(limit):
        raise ParameterError(f"{what} has {value!r}; allowed are limits such as 'solved_rate >= 0.95', with >= or <=")
    measure = str(choice(*DIRECTIONS)(f"{what}: measure", found[1]))
    ends = ENDS.get(measure, (0, math.inf))
    # solved_rate >= 0 and <= 1 hold for every trial: one end of the two is no limit
    number(*ends, above=found[2] == AT_LEAST, below=found[2] == AT_MOST)(f"{what}: limit of {value!r}", limit)
    return Constraint(measure, found[2], limit)


# ------------------------------------------------------------------ objectives


Floats = NDArray[np.float64]
DOUBT = 0.1  # the probability under which a trial is taken to be worse: the default of Optuna's WilcoxonPruner


def objective(trainings: pd.DataFrame, name: str) -> float:
    """Return what the trainings of one trial come to; raise KeyError for a measure that is not known.

    ``rmst``: the mean of min(time to solution, budget) in iterations, restricted at the budget (Royston & Parmar
    2013). ``solved_rate``: the share that is solved. ``median_solved_at``: when half of all had solved, in iterations;
    the budget where fewer did. ``median_mse``: the median final error, 1 where it diverged or failed. ``parameters``:
    weights and biases. ``train_seconds``: the mean time of a training, of one core; infinite where none was timed.
    """
    return _OBJECTIVES[name](trainings)


def per_training(trainings: pd.DataFrame, name: str) -> Floats | None:
    """Return what each training adds to an objective ``[T]``, the higher the worse; None where they do not differ."""
    if name in CENSORED:
        return _times(trainings)
    if name == SOLVED_RATE:
        return 1.0 - measured(trainings, SOLVED)
    return measured(trainings, LOG_MSE) if name == MEDIAN_MSE else None


def is_worse(trainings: pd.DataFrame, best: pd.DataFrame, name: str) -> bool:
    """Return whether a trial is worse than the best by the seeds that both have: Wilcoxon's signed-rank test.

    One-sided at 10 %, zeros split (Wilcoxon 1945), and its mean is worse, as in Optuna's WilcoxonPruner.
    """
    common = np.intersect1d(trainings[c.SEED], best[c.SEED])
    own, other = (per_training(rows[rows[c.SEED].isin(common)].sort_values(c.SEED), name) for rows in (trainings, best))
    if own is None or other is None or own.mean() <= other.mean():
        return False
    return bool(wilcoxon(own, other, zero_method="zsplit", alternative="greater").pvalue < DOUBT)


def _times(trainings: pd.DataFrame) -> Floats:
    """Return min(time to solution, budget) ``[T]`` in iterations, of what is solved at the end; else the budget."""
    budget = trainings[c.ITERATIONS].to_numpy(dtype=np.float64)
    at = trainings[c.SOLVED_AT].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(trainings[c.SOLVED].to_numpy(dtype=bool), np.fmin(at, budget), budget)


def _median_time(trainings: pd.DataFrame) -> float:
    return float(np.sort(_times(trainings))[(len(trainings) + 1) // 2 - 1])


def _median_error(trainings: pd.DataFrame) -> float:
    return float(10 ** np.median(measured(trainings, LOG_MSE)))


def _seconds(trainings: pd.DataFrame) -> float:
    each = trainings[c.ITERATION_US].astype(float) * trainings[c.ITERATIONS_DONE].astype(float) / 1e6
    timed = each[np.isfinite(each)]
    return math.fsum(timed) / len(timed) if len(timed) else math.inf  # fsum: the order of rows does not matter


_OBJECTIVES: dict[str, Callable[[pd.DataFrame], float]] = {
    RMST: lambda trainings: float(_times(trainings).mean()),
    SOLVED_RATE: lambda trainings: float(measured(trainings, SOLVED).mean()),
    MEDIAN_SOLVED_AT: _median_time,
    MEDIAN_MSE: _median_error,
    PARAMETER_COUNT: lambda trainings: float(trainings[c.WEIGHTS_COUNT].iloc[0]),
    TRAIN_SECONDS: _seconds,
}

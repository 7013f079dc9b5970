"""Objectives of a search: all that is known of each, limits on them, and whether one trial is worse than another.

Failures count as worst, and none is missing. Shapes: T trainings.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench import plugins
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.metrics.measures import LOG_MSE, SOLVED, measured, time_to_solution
from bench.model.parameter_fields import Role, choice, number
from bench.model.trial import PARAMETERS, Trial

if TYPE_CHECKING:  # frames come from elsewhere: what completes a word cannot wait for pandas
    import pandas as pd

Floats = NDArray[np.float64]

MAXIMIZE, MINIMIZE = "maximize", "minimize"  # as Optuna calls them
SOLVED_RATE, MEDIAN_SOLVED_AT, RMST = "solved_rate", "median_solved_at", "rmst"
MEDIAN_MSE, PARAMETER_COUNT, TRAIN_SECONDS = "median_mse", "parameters", "train_seconds"
DOUBT = 0.1  # the probability under which a trial is taken to be worse


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One number for all trainings of a trial, and all that is known of it.

    It ``measures`` something, in words, and is called by its ``heading`` where there is little room. It is
    ``of_solving`` where it asks what is solved, which must then mean the same for all trials, and ``censored`` where
    what is not solved counts at the budget, which must then be the same for all. ``per_training`` gives what each
    training adds ``[T]``, the higher the worse; None where a trial's trainings do not differ. It can depend on the
    parameters ``depends_on``, and on all others ``if_stopped``, where trainings end early.
    """

    name: str
    direction: str = MINIMIZE
    measures: str
    heading: str
    unit: str = ""
    ends: tuple[float, float] = (0, math.inf)  # what it can be
    of_solving: bool = False
    censored: bool = False
    value: "Callable[[pd.DataFrame], float]"
    per_training: "Callable[[pd.DataFrame], Floats] | None" = None
    depends_on: tuple[str, ...] = tuple(PARAMETERS)
    if_stopped: bool = False

    def can_depend_on(self, names: Iterable[str], *, stopped: bool) -> list[str]:
        """Return those of some parameters that it can depend on; ``stopped`` says whether trainings end early."""
        return [name for name in names if name in self.depends_on or (stopped and self.if_stopped)]


KEPT = "curve_points"  # says what is kept of a training, which changes nothing else of it
# whoever computes them, the numbers are the same: a contract of backends
OF_RESULTS = tuple(name for name in PARAMETERS if name not in (*Trial.names(Role.COMPUTATION), KEPT))
OF_SIZE = ("gate", "hidden", "hidden_bias", "output_bias")
# where all iterations are done, how long one takes has nothing to do with the numbers that it works on
OF_WORK = (
    *OF_SIZE, "activation", "loss", "reduction", "momentum", "update", "iterations", "stop", KEPT,
    *Trial.names(Role.PRECISION, Role.COMPUTATION),
)  # fmt: skip


def _times(trainings: "pd.DataFrame") -> Floats:
    """Return min(time to solution, budget) ``[T]`` in iterations."""
    return np.asarray(np.minimum(time_to_solution(trainings), trainings[c.ITERATIONS].to_numpy(dtype=np.float64)))


def _log_errors(trainings: "pd.DataFrame") -> Floats:
    return measured(trainings, LOG_MSE)


def _seconds(trainings: "pd.DataFrame") -> float:
    each = trainings[c.ITERATION_US].astype(float) * trainings[c.ITERATIONS_DONE].astype(float) / 1e6
    timed = each[np.isfinite(each)]
    return math.fsum(timed) / len(timed) if len(timed) else math.inf  # fsum: the order of rows does not matter


_ALL = (
    Objective(  # the default, because it never saturates: restricted at the budget (Royston & Parmar 2013)
        name=RMST,
        measures="restricted mean time to solution",
        heading="restricted mean",
        unit="iterations",
        of_solving=True,
        censored=True,
        value=lambda trainings: float(_times(trainings).mean()),
        depends_on=OF_RESULTS,
        per_training=_times,
    ),
    Objective(
        name=SOLVED_RATE,
        direction=MAXIMIZE,
        measures="solved rate",
        heading="solved",
        ends=(0, 1),
        of_solving=True,
        value=lambda trainings: float(measured(trainings, SOLVED).mean()),
        depends_on=OF_RESULTS,
        per_training=lambda trainings: 1.0 - measured(trainings, SOLVED),
    ),
    Objective(  # when half of all had solved; the budget where fewer did
        name=MEDIAN_SOLVED_AT,
        measures="median time to solution",
        heading="median time",
        unit="iterations",
        of_solving=True,
        censored=True,
        value=lambda trainings: float(np.sort(_times(trainings))[(len(trainings) + 1) // 2 - 1]),
        depends_on=OF_RESULTS,
        per_training=_times,
    ),
    Objective(  # 1 where it diverged or failed
        name=MEDIAN_MSE,
        measures="median final error",
        heading="median error",
        value=lambda trainings: float(10 ** np.median(_log_errors(trainings))),
        depends_on=OF_RESULTS,
        per_training=_log_errors,
    ),
    Objective(
        name=PARAMETER_COUNT,
        measures="number of weights and biases",
        heading="weights",
        ends=(1, math.inf),
        value=lambda trainings: float(trainings[c.WEIGHTS_COUNT].iloc[0]),
        depends_on=OF_SIZE,
    ),
    Objective(  # the mean, of one core; infinite where none was timed
        name=TRAIN_SECONDS,
        measures="time of a training",
        heading="time",
        value=_seconds,
        depends_on=OF_WORK,
        if_stopped=True,
    ),
)


class _Objectives(dict[str, Objective]):
    """The built-in objectives by name; one of a plug-in is found where it is asked for."""

    def __missing__(self, name: str) -> Objective:
        found: Objective | None = plugins.find(plugins.OBJECTIVE, name)
        if found is None:
            raise plugins.missing(plugins.OBJECTIVE, name)
        return found


OBJECTIVES: Mapping[str, Objective] = _Objectives({one.name: one for one in _ALL})


def objective_names() -> tuple[str, ...]:
    """Return the names of all objectives, those of plug-ins after those that are built in."""
    return (*OBJECTIVES, *plugins.names(plugins.OBJECTIVE, OBJECTIVES))


def objective(trainings: "pd.DataFrame", name: str) -> float:
    """Return what the trainings of one trial come to; raise RequestError for an objective that is not known."""
    return OBJECTIVES[name].value(trainings)


def per_training(trainings: "pd.DataFrame", name: str) -> Floats | None:
    """Return what each training adds to an objective ``[T]``, the higher the worse; None where they do not differ."""
    each = OBJECTIVES[name].per_training
    return each(trainings) if each else None


def is_worse(trainings: "pd.DataFrame", best: "pd.DataFrame", name: str) -> bool:
    """Return whether a trial's mean is worse than the best's, by the seeds that both have: Student's test of pairs.

    One-sided at 10 %, as Optuna's WilcoxonPruner, which tests ranks: a rare failure hardly moves those, and much the
    mean that is the objective.
    """
    common = np.intersect1d(trainings[c.SEED], best[c.SEED])
    own, other = (per_training(rows[rows[c.SEED].isin(common)].sort_values(c.SEED), name) for rows in (trainings, best))
    if own is None or other is None or own.mean() <= other.mean():
        return False
    worse = own - other
    if np.ptp(worse) == 0:
        return len(worse) > 1
    from scipy.stats import ttest_1samp  # half a second

    return bool(ttest_1samp(worse, 0, alternative="greater").pvalue < DOUBT)


# ------------------------------------------------------------------ limits


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
    """Read a measure's name or a list of them; raise RequestError for those that are not known or come twice."""
    names = value if isinstance(value, list) else [value]
    if not names:
        raise RequestError(f"{what} is an empty list; allowed is at least one of {', '.join(objective_names())}")
    found = tuple(str(choice(*objective_names())(what, name)) for name in names)
    if len(set(found)) < len(found):
        raise RequestError(f"{what} is {', '.join(found)}; allowed is each measure once")
    return found


def read_constraints(what: str, value: object) -> tuple[Constraint, ...]:
    """Read one limit or a list of them; raise RequestError for the first that is wrong."""
    return tuple(_read_constraint(what, text) for text in (value if isinstance(value, list) else [value]))


def stored_constraint(text: str) -> Constraint:
    """Return the limit that `Constraint` wrote as text; its objective need not be here."""
    found = _CONSTRAINT.fullmatch(text)
    if found is None:
        raise RequestError(f"a limit is {text!r}; allowed are limits such as 'solved_rate >= 0.95', with >= or <=")
    return Constraint(found[1], found[2], float(found[3]))


def _read_constraint(what: str, value: object) -> Constraint:
    """Read ``MEASURE >= NUMBER`` or ``MEASURE <= NUMBER``; raise RequestError for anything else.

    A limit that every trial keeps, or none, is refused too.
    """
    found = _CONSTRAINT.fullmatch(str(value))
    try:
        limit = float(found[3]) if found else math.nan
    except ValueError:
        limit = math.nan
    if found is None or not math.isfinite(limit):
        raise RequestError(f"{what} has {value!r}; allowed are limits such as 'solved_rate >= 0.95', with >= or <=")
    measure = str(choice(*objective_names())(f"{what}: measure", found[1]))
    # solved_rate >= 0 and <= 1 hold for every trial: one end of the two is no limit
    number(*OBJECTIVES[measure].ends, above=found[2] == AT_LEAST, below=found[2] == AT_MOST)(
        f"{what}: limit of {value!r}", limit
    )
    return Constraint(measure, found[2], limit)

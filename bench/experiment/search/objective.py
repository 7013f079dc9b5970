"""What a search is for: measures of a trial over its seeds, the better end of each, and limits that they must keep."""

import math
import re
from dataclasses import dataclass

from bench.problem.parameters import ParameterError, choice, number

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

"""What a search is for: measures of a trial over its seeds, the better end of each, and limits that they must keep."""

import re
from dataclasses import dataclass

from bench.problem.parameters import ParameterError, choice

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
AT_LEAST, AT_MOST = ">=", "<="
_CONSTRAINT = re.compile(r"\s*([a-z_]+)\s*(>=|<=)\s*([-+.\deE_]+)\s*")


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
        return f"{self.measure} {self.sign} {self.limit:g}"


def read_objective(what: str, value: object) -> str:
    """Return a measure's name; raise ParameterError for one that is not known."""
    return str(choice(*DIRECTIONS)(what, value))


def read_constraint(what: str, value: object) -> Constraint:
    """Read ``MEASURE >= NUMBER`` or ``MEASURE <= NUMBER``; raise ParameterError for anything else."""
    found = _CONSTRAINT.fullmatch(str(value))
    try:
        limit = float(found[3]) if found else None
    except ValueError:
        limit = None
    if found is None or limit is None:
        raise ParameterError(f"{what} is {value!r}; allowed are limits such as 'solved_rate >= 0.95', with >= or <=")
    return Constraint(read_objective(what, found[1]), found[2], limit)

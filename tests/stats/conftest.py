"""Verdicts on claims about trainings that are made up or really trained."""

from collections.abc import Callable, Sequence

import pandas as pd
import pytest

from bench.config.claims import CLAIM
from bench.config.plan import PlannedClaim
from bench.model.trial import Trial
from bench.stats.claims import Verdict, check_claims


@pytest.fixture(scope="session")
def check() -> Callable[..., list[Verdict]]:
    """Return the verdicts on a claim about some trials, and others that it compares them with; at a look at it."""

    def verdicts(
        data: pd.DataFrame, chosen: Sequence[Trial], other: Sequence[Trial] = (), *, look: int = 0, **claim: object
    ) -> list[Verdict]:
        read = CLAIM.validate_python({"id": "a", "source": "s", "what": "w", "where": {}} | claim)
        trials, others = (tuple(one.trial_id for one in some) for some in (chosen, other))
        return check_claims([PlannedClaim(read, trials, others)], data, look)

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

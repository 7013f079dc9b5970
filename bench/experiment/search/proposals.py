"""What a search has come to so far: which trials were proposed, in which order, and which of them are validated."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SEARCHED, HELD_OUT, REPEATED = BLOCKS = ("Search", "Held-out seeds", "Repeated searches")  # after the grid's
BY_TRIALS, BY_TIMEOUT = "trials", "timeout"


@dataclass(frozen=True)
class Asked:
    """One study: its trials by their numbers, and after how many seeds each of those was given up that were."""

    name: str
    sampler: str
    seed: int
    trials: tuple[str, ...] = ()
    pruned: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Winner:
    """A trial that is trained on held-out seeds because it is the study's best, or next to it."""

    study: int
    rank: int
    trial_id: str


@dataclass(frozen=True)
class Proposals:
    """All studies of a search, the one that was asked for first; ``ended`` says what ended them, None before that.

    ``storage`` is where Optuna's dashboard finds them.
    """

    studies: tuple[Asked, ...]
    winners: tuple[Winner, ...] = ()
    storage: str = ""
    ended: str | None = None

    @property
    def row(self) -> dict[str, Any]:
        """Return it as a sweep keeps it, in plain values."""
        studies = [{**asdict(study), "trials": list(study.trials)} for study in self.studies]
        rest = {"winners": [asdict(winner) for winner in self.winners], "storage": self.storage, "ended": self.ended}
        return {"studies": studies, **rest}

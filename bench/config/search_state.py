"""The state of a search: which trials were proposed, in which order, and which of them are best."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bench.metrics.objectives import MINIMIZE

SEARCHED, HELD_OUT, REPEATED = BLOCKS = ("Search", "Held-out seeds", "Repeated searches")  # after the grid's
BY_TRIALS, BY_TIMEOUT = "trials", "timeout"


@dataclass(frozen=True)
class StudyRecord:
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

    studies: tuple[StudyRecord, ...]
    winners: tuple[Winner, ...] = ()
    storage: str = ""
    ended: str | None = None

    @property
    def row(self) -> dict[str, Any]:
        """Return it as a sweep keeps it, in plain values."""
        studies = [{**asdict(study), "trials": list(study.trials)} for study in self.studies]
        rest = {"winners": [asdict(winner) for winner in self.winners], "storage": self.storage, "ended": self.ended}
        return {"studies": studies, **rest}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Proposals":
        """Return proposals from what a sweep keeps of them."""
        studies = (
            # the numbers of trials are text in JSON
            StudyRecord(
                name=one["name"],
                sampler=one["sampler"],
                seed=one["seed"],
                trials=tuple(one["trials"]),
                pruned={int(number): seeds for number, seeds in one["pruned"].items()},
            )
            for one in row["studies"]
        )
        return cls(tuple(studies), tuple(Winner(**one) for one in row["winners"]), row["storage"], row["ended"])


# ------------------------------------------------------------------ best


@dataclass(frozen=True)
class Candidate:
    """A trial that was judged: its values, and by how much it is beyond its constraints in all; 0 if within."""

    number: int
    trial_id: str
    values: tuple[float, ...]
    violation: float = 0.0


def best(candidates: Sequence[Candidate], directions: Sequence[str], most: int) -> list[Candidate]:
    """Return the best trials, each once, at most so many: the best first, of equals the one that came first.

    With several directions it is the Pareto front in the order of its first values; of a longer one, trials at even
    places. Where no trial is within its constraints, those least beyond them are the best (Deb 2000).
    """
    distinct = list({one.trial_id: one for one in reversed(candidates)}.values())
    within = [one for one in distinct if one.violation <= 0]
    if not within:
        return sorted(distinct, key=lambda one: (one.violation, one.number))[:most]
    if len(directions) == 1:
        return sorted(within, key=lambda one: (*_costs(one, directions), one.number))[:most]
    found = sorted(front(within, directions), key=lambda one: (*_costs(one, directions), one.number))
    places = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))
    return [found[place] for place in places]


def front(candidates: Sequence[Candidate], directions: Sequence[str]) -> list[Candidate]:
    """Return those that no other is better than in one value and as good in all (Pareto), in their order."""
    costs = [_costs(one, directions) for one in candidates]
    return [one for one, own in zip(candidates, costs, strict=True) if not any(_dominates(c, own) for c in costs)]


def _costs(one: Candidate, directions: Sequence[str]) -> tuple[float, ...]:
    return tuple(v if d == MINIMIZE else -v for v, d in zip(one.values, directions, strict=True))


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))

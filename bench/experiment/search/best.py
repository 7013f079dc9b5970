"""The best of several trials: by one value, or those that no other is better than."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.experiment.search.objective import MINIMIZE


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

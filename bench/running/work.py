"""How much work a plan is, and how long what is left of it will take, by what the rest took."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.config.plan import Plan
from bench.model.outcome import Record
from bench.model.timing import Sample
from bench.model.trial import Trial
from bench.running.chunks import Job


class Kind(NamedTuple):
    """Work whose speed is one: of a backend, beside other work or alone on a core."""

    backend: str
    alone: bool


@dataclass(frozen=True)
class Work:
    """Iterations, and about how many seconds of one core they take, by kind: estimated, and as they were measured.

    ``timed_s`` are the estimates for what was measured: nothing is of what failed.
    """

    iterations: int = 0
    cost_s: Mapping[Kind, float] = field(default_factory=dict)
    timed_s: Mapping[Kind, float] = field(default_factory=dict)
    taken_s: Mapping[Kind, float] = field(default_factory=dict)

    def __add__(self, other: "Work") -> "Work":
        """Return both together."""
        return Work(
            self.iterations + other.iterations,
            _sum(self.cost_s, other.cost_s),
            _sum(self.timed_s, other.timed_s),
            _sum(self.taken_s, other.taken_s),
        )


def _sum(one: Mapping[Kind, float], other: Mapping[Kind, float]) -> Mapping[Kind, float]:
    return {kind: one.get(kind, 0.0) + other.get(kind, 0.0) for kind in {**one, **other}}


def total(parts: Iterable[Work]) -> Work:
    """Return all parts together."""
    return sum(parts, Work())


def planned_work(plan: Plan) -> Work:
    """Return all that a plan asks for, every round of every timing and what a search has not proposed yet included."""
    return total(_planned(plan))


def _planned(plan: Plan) -> Iterator[Work]:
    for planned in plan.trials:
        yield work_of(planned.trial, len(planned.together), alone=False)
    for timing in plan.timings:
        yield work_of(timing.trial, len(timing.seeds) * timing.rounds, alone=True)
    for one in plan.maps:
        yield work_of(one.trial, one.points, alone=False)
    if plan.search and not plan.proposals:
        for part in plan.search.parts:
            yield work_of(part.first_trial, part.expected_trainings, alone=False)


def done_work(records: Sequence[Record], samples: Sequence[Sample] = ()) -> Work:
    """Return the work that came back: trainings and, of those that are timed, every sample after the warm-up."""
    parts = []
    for record in records:
        if not record.alone:
            taken_s = None if record.outcome is None else float(record.outcome.seconds_TC.sum())
            parts.append(work_of(record.trial, len(record.seeds), alone=False, taken_s=taken_s))
    for sample in samples:
        if sample.round > 0:
            timing = sample.timing
            parts.append(work_of(timing.trial, len(timing.seeds), alone=True, taken_s=sample.wall_s))
    return total(parts)


def work_of(trial: Trial, trainings: int, *, alone: bool, taken_s: float | None = None) -> Work:
    """Return the work that trainings are, with how many seconds they took where that was measured."""
    if not trainings:
        return Work()
    kind, cost_s = Kind(trial.backend, alone), Job(trial, ()).training_s * trainings
    measured = {} if taken_s is None else {kind: taken_s}
    return Work(trainings * trial.iterations, {kind: cost_s}, dict.fromkeys(measured, cost_s), measured)


class TimeLeft:
    """An estimate of the time that is left: of every kind of work at the speed that it had so far.

    What the driver does beside the workers, and what they wait for, is in the ratio of the time that went by to that
    which the workers' own accounts for.
    """

    def __init__(self, workers: int, started: float | None = None) -> None:
        """Begin to count the seconds."""
        self.workers = workers
        self.started = time.monotonic() if started is None else started

    def seconds(self, total: Work, done: Work, now: float | None = None) -> float | None:
        """Return how many seconds are left; None while nothing was measured."""
        rates = {kind: taken / done.timed_s[kind] for kind, taken in done.taken_s.items() if done.timed_s[kind]}
        if not rates:
            return None
        usual = sum(done.taken_s.values()) / sum(done.timed_s.values())
        left_s = self._elapsed(
            {
                kind: max(cost - done.cost_s.get(kind, 0.0), 0.0) * rates.get(kind, usual)
                for kind, cost in total.cost_s.items()
            }
        )
        went_by = (time.monotonic() if now is None else now) - self.started
        return left_s * max(went_by / max(self._elapsed(done.taken_s), 1e-9), 1.0)

    def _elapsed(self, seconds: Mapping[Kind, float]) -> float:
        """Return how long workers take for seconds of cores: what is alone by itself, the rest side by side."""
        return sum(some / (1 if kind.alone else self.workers) for kind, some in seconds.items())

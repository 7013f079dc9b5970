"""A search: ask for a batch of trials, train every seed of each, tell, and ask again.

A search is a function of its specification and of the trainings that it led to. A resumed one asks and tells again from
the start; what is trained already is not trained again.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

import pandas as pd

from bench.config.plan import PlannedTrial
from bench.config.search_config import Search
from bench.config.search_state import (
    BLOCKS,
    BY_TIMEOUT,
    BY_TRIALS,
    REPEATED,
    SEARCHED,
    Candidate,
    Proposals,
    StudyRecord,
    best,
)
from bench.model.labels import word
from bench.model.trial import Trial
from bench.running.runner import Runner
from bench.search.optuna_journal import Journal, JournalStudy
from bench.search.optuna_study import LEARN_SPACE, Evaluation, Study
from bench.store.mlflow_store import NUMBER_TAG, STATE_TAG, STUDY_TAG

DIGITS = 4  # of a value in a run's name
COMPLETE, PRUNED = "COMPLETE", "PRUNED"  # as Optuna calls them


@dataclass(frozen=True)
class Judge:
    """How trials are judged by their trainings: sweeps know no statistics, they are handed in.

    ``value`` returns what trainings of one trial come to by a measure; ``is_worse`` whether a trial is worse than
    another over the seeds that both have.
    """

    value: Callable[[pd.DataFrame, str], float]
    is_worse: Callable[[pd.DataFrame, pd.DataFrame, str], bool]


@dataclass
class RunningStudy:
    """One of the studies: what it asked so far, and what came of it."""

    study: Study
    asked: StudyRecord
    kept: JournalStudy
    candidates: list[Candidate] = field(default_factory=list)


@dataclass(frozen=True)
class Proposal:
    """A trial that the study at this place asked for."""

    place: int
    number: int
    trial: Trial
    name: str


class Searching:
    """All studies of a search, side by side: a batch of each is trained as one."""

    def __init__(self, spec: Search, runner: Runner, judge: Judge, journal: Journal) -> None:
        """Prepare every study, and its place in Optuna's journal."""
        self.spec, self.runner, self.judge = spec, runner, judge
        here, path = Path.cwd(), journal.path
        self.storage = str(path.relative_to(here) if path.is_relative_to(here) else path)
        self._numbers: dict[str, list[str]] = defaultdict(list)
        with runner.clock("optuna"):
            self.asking = [self._asking(place, *one, journal) for place, one in enumerate(spec.studies)]

    def _asking(self, place: int, sampler: str, seed: int, journal: Journal) -> RunningStudy:
        sweep = f"{self.runner.experiment.name} {self.runner.writer.run_id[:8]}"
        name = f"{sweep} {sampler} {seed}" if place else sweep
        attributes = {"sweep": self.runner.writer.run_id, "command": self.runner.experiment.command}
        kept = journal.study(name, self.spec, attributes)
        return RunningStudy(Study(self.spec, sampler, seed), StudyRecord(name, sampler, seed), kept)

    @property
    def proposals(self) -> Proposals:
        """Return what was proposed so far."""
        return Proposals(tuple(one.asked for one in self.asking), storage=self.storage)

    def block(self, name: str) -> int:
        """Return the place of one of the search's blocks: they come after the grid's."""
        return len(self.runner.experiment.blocks) + BLOCKS.index(name)

    def search(self, train: Callable[[], None], stop: Event) -> str | None:
        """Spend all trials, or all the time there is; return what ended it, None for an interrupt."""
        deadline = time.monotonic() + (self.spec.timeout_s or float("inf"))
        for size in self._batches():
            if time.monotonic() > deadline and not self.runner.replays:
                return BY_TIMEOUT
            with self.runner.clock("optuna"):
                batch = [proposal for place in range(len(self.asking)) for proposal in self._ask(place, size)]
            told = self._trained(batch, train, stop)
            if stop.is_set():
                return None
            for proposal in batch:
                self._tell(proposal, told[proposal.place, proposal.number])
        return BY_TRIALS

    def _batches(self) -> Iterator[int]:
        """Yield the sizes of the batches: first a single trial where a sampler takes its space from what it is told."""
        left = self.spec.trials
        if any(one.asked.sampler in LEARN_SPACE for one in self.asking):
            yield 1
            left -= 1
        while left > 0:
            yield min(self.spec.batch, left)
            left -= self.spec.batch

    def _ask(self, place: int, size: int) -> Iterator[Proposal]:
        one = self.asking[place]
        prefix = f"{one.asked.sampler} {one.asked.seed} " if place else ""
        for number, proposed in one.study.ask(size).items():
            trial = self.spec.trial(proposed)
            values = " ".join(word(name, trial.parameters[name], DIGITS) for name in proposed)
            one.asked = replace(one.asked, trials=(*one.asked.trials, trial.trial_id))
            yield Proposal(place, number, trial, f"{prefix}#{number} {values}")

    def _trained(
        self, batch: Sequence[Proposal], train: Callable[[], None], stop: Event
    ) -> Mapping[tuple[int, int], Evaluation]:
        """Train a batch, round by round with more seeds for those that are not given up; return what came of each."""
        told: dict[tuple[int, int], Evaluation] = {}
        left = list(batch)
        for count in (*self.spec.prune, len(self.spec.seeds)):
            seeds = self.spec.seeds[:count]
            planned = [PlannedTrial(p.trial, (self._block_of(p),), seeds, ()) for p in left]
            self.runner.extend(planned, {p.trial.trial_id: p.name for p in left}, self.proposals)
            train()
            if stop.is_set():
                break
            last = count == len(self.spec.seeds)
            ending = [proposal for proposal in left if last or self._is_hopeless(proposal, count)]
            told |= {(p.place, p.number): self._judged(p, count, pruned=not last) for p in ending}
            left = [p for p in left if (p.place, p.number) not in told]
        return told

    def _block_of(self, proposal: Proposal) -> int:
        return self.block(REPEATED if proposal.place else SEARCHED)

    def _is_hopeless(self, proposal: Proposal, count: int) -> bool:
        """Whether a trial is worse than its study's best by its first seeds."""
        leaders = best(self.asking[proposal.place].candidates, self.spec.directions, 1)
        if not leaders:
            return False
        own, other = (self._rows(trial_id, count) for trial_id in (proposal.trial.trial_id, leaders[0].trial_id))
        return self.judge.is_worse(own, other, self.spec.objectives[0])

    def _rows(self, trial_id: str, count: int) -> pd.DataFrame:
        return self.runner.judged(trial_id, self.spec.seeds[:count])

    def _judged(self, proposal: Proposal, count: int, *, pruned: bool) -> Evaluation:
        rows = self._rows(proposal.trial.trial_id, count)
        limits = {str(limit): limit.violation(self.judge.value(rows, limit.measure)) for limit in self.spec.constraints}
        return Evaluation([self.judge.value(rows, name) for name in self.spec.objectives], limits, count, pruned)

    def _tell(self, proposal: Proposal, answer: Evaluation) -> None:
        """Tell a study what became of its proposal, and note it with the trial's run."""
        one, trial_id = self.asking[proposal.place], proposal.trial.trial_id
        with self.runner.clock("optuna"):
            attributes = {"trial_id": trial_id, "seeds": answer.seeds}
            one.kept.add(one.study.tell(proposal.number, answer, attributes))
        if answer.pruned:
            one.asked = replace(one.asked, pruned={**one.asked.pruned, proposal.number: answer.seeds})
        else:
            one.candidates.append(Candidate(proposal.number, trial_id, tuple(answer.values), answer.violation))
        self._numbers[trial_id].append(str(proposal.number))
        tags = {NUMBER_TAG: ", ".join(self._numbers[trial_id]), STATE_TAG: PRUNED if answer.pruned else COMPLETE}
        metrics = dict(zip(self.spec.objectives, answer.values, strict=True))
        self.runner.conclude(trial_id, {**tags, STUDY_TAG: one.asked.name}, metrics)

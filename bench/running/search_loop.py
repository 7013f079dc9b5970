"""A search: Optuna proposes a batch of trials, every seed of each is trained, and Optuna is told what came of them.

A search is a function of its specification and of the trainings that it led to, so that a resumed one comes to the same
proposals.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

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
from bench.metrics.objectives import is_worse, objective
from bench.model.display_labels import word
from bench.model.trial import Trial
from bench.running.recorder import Note, Recorder, Step
from bench.search.optuna_journal import Journal, JournalStudy
from bench.search.optuna_study import LEARN_SPACE, Evaluation, Study
from bench.store.names import NUMBER_TAG, STATE_TAG, STUDY_TAG

DIGITS = 4  # of a value in a run's name
COMPLETE, PRUNED = "COMPLETE", "PRUNED"  # as Optuna calls them


@dataclass
class RunningStudy:
    """One of a search's studies: its proposals so far, and what came of those that were not pruned."""

    place: int
    spec: Search
    title: str  # before the numbers of its trials, where it is not the only one
    study: Study
    record: StudyRecord
    journal: JournalStudy
    candidates: list[Candidate] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Proposal:
    """A trial that a study proposes."""

    study: RunningStudy
    number: int
    trial: Trial
    name: str


class OptunaSearch:
    """All studies of a search, side by side: a batch of each is trained as one."""

    def __init__(self, spec: Search, journal: Journal) -> None:
        """Prepare a search whose studies Optuna's dashboard will find in the journal."""
        self.spec, self.journal = spec, journal
        self.studies: list[RunningStudy] = []
        self.ended: str | None = None
        self._numbers: dict[str, list[str]] = defaultdict(list)  # by trial, of the proposals that are it

    @property
    def state(self) -> Proposals:
        """Return what was proposed so far."""
        here, path = Path.cwd(), self.journal.path
        storage = str(path.relative_to(here) if path.is_relative_to(here) else path)
        return Proposals(tuple(study.record for study in self.studies), storage=storage)

    def block(self, name: str, recorder: Recorder) -> int:
        """Return the place of one of the search's blocks: they come after the grid's."""
        return len(recorder.experiment.blocks) + BLOCKS.index(name)

    def steps(self, recorder: Recorder) -> Iterator[Step]:
        """Yield batch after batch, each in rounds of more seeds, until all trials or all the time is spent."""
        with recorder.clock("optuna"):
            self.studies = [self._study(place, *one, recorder) for place, one in enumerate(self.spec.studies)]
        deadline = time.monotonic() + (self.spec.timeout_s or math.inf)
        for size in self._batch_sizes():
            if time.monotonic() > deadline and not recorder.replaying:
                self.ended = BY_TIMEOUT
                return
            with recorder.clock("optuna"):
                batch = [proposal for study in self.studies for proposal in self._propose(study, size)]
            evaluations: dict[Proposal, Evaluation] = {}
            for count in (*self.spec.prune, len(self.spec.seeds)):
                left = [proposal for proposal in batch if proposal not in evaluations]
                yield self._step(batch, left, count, recorder)
                last = count == len(self.spec.seeds)
                done = [proposal for proposal in left if last or self._is_hopeless(proposal, count, recorder)]
                evaluations |= {one: self._evaluate(one, count, recorder, pruned=not last) for one in done}
            told = (self._tell(proposal, evaluations[proposal], recorder) for proposal in batch)
            recorder.close(dict(told))  # of a trial that was proposed twice the last note has all numbers
        self.ended = BY_TRIALS

    def _study(self, place: int, sampler: str, seed: int, recorder: Recorder) -> RunningStudy:
        title = self.spec.each[place].title if self.spec.each else f"{sampler} {seed}" if place else ""
        name = f"{recorder.experiment.name} {recorder.writer.run_id[:8]} {title}".rstrip()
        attributes = {"sweep": recorder.writer.run_id, "command": recorder.experiment.command}
        spec = self.spec.parts[place] if self.spec.each else self.spec
        journal = self.journal.study(name, spec, attributes)
        record = StudyRecord(name, sampler, seed)
        return RunningStudy(place, spec, title, Study(spec, sampler, seed), record, journal)

    def _batch_sizes(self) -> Iterator[int]:
        """Yield the sizes of the batches: first a single trial where a sampler takes its space from what it is told."""
        left = self.spec.trials
        if any(study.record.sampler in LEARN_SPACE for study in self.studies):
            yield 1
            left -= 1
        while left > 0:
            yield min(self.spec.batch, left)
            left -= self.spec.batch

    def _propose(self, study: RunningStudy, size: int) -> Iterator[Proposal]:
        prefix = f"{study.title} " if study.title else ""
        width = len(str(self.spec.trials - 1))  # so that a list of names is in the order of the numbers
        for number, proposed in study.study.ask(size).items():
            trial = study.spec.trial(proposed)
            values = " ".join(word(name, trial.parameters[name], DIGITS) for name in proposed)
            study.record = replace(study.record, trials=(*study.record.trials, trial.trial_id))
            yield Proposal(study, number, trial, f"{prefix}#{number:0{width}} {values}")

    def _step(self, batch: Sequence[Proposal], left: Sequence[Proposal], count: int, recorder: Recorder) -> Step:
        """Return the step that trains what is left of a batch with its first seeds."""
        seeds = self.spec.seeds[:count]
        # of several studies beside each other there is no analysis as of one: what is read of each is its best
        blocks = [self.block(REPEATED if proposal.study.title else SEARCHED, recorder) for proposal in left]
        planned = [PlannedTrial(one.trial, (block,), seeds, ()) for one, block in zip(left, blocks, strict=True)]
        names = {proposal.trial.trial_id: proposal.name for proposal in batch}
        return Step(recorder.plan.extended(planned, self.state), "searching", open=names.keys(), names=names)

    def _is_hopeless(self, proposal: Proposal, count: int, recorder: Recorder) -> bool:
        """Whether a trial is worse than its study's best by its first seeds."""
        leaders = best(proposal.study.candidates, self.spec.directions, 1)
        if not leaders:
            return False
        own, other = (self._rows(one, count, recorder) for one in (proposal.trial.trial_id, leaders[0].trial_id))
        return is_worse(own, other, self.spec.objectives[0])

    def _evaluate(self, proposal: Proposal, count: int, recorder: Recorder, *, pruned: bool) -> Evaluation:
        rows = self._rows(proposal.trial.trial_id, count, recorder)
        limits = {str(limit): limit.violation(objective(rows, limit.measure)) for limit in self.spec.constraints}
        return Evaluation([objective(rows, name) for name in self.spec.objectives], limits, count, pruned)

    def _rows(self, trial_id: str, count: int, recorder: Recorder) -> pd.DataFrame:
        return recorder.trainings(trial_id, self.spec.seeds[:count])

    def _tell(self, proposal: Proposal, evaluation: Evaluation, recorder: Recorder) -> tuple[str, Note]:
        """Tell a study what became of its proposal; return the trial, and what is noted with its run."""
        study, trial_id = proposal.study, proposal.trial.trial_id
        with recorder.clock("optuna"):
            attributes = {"trial_id": trial_id, "seeds": evaluation.seeds}
            study.journal.add(study.study.tell(proposal.number, evaluation, attributes))
        if evaluation.pruned:
            study.record = replace(study.record, pruned={**study.record.pruned, proposal.number: evaluation.seeds})
        else:
            found = Candidate(proposal.number, trial_id, tuple(evaluation.values), evaluation.violation)
            study.candidates.append(found)
        self._numbers[trial_id].append(str(proposal.number))
        tags = {
            NUMBER_TAG: ", ".join(self._numbers[trial_id]),
            STATE_TAG: PRUNED if evaluation.pruned else COMPLETE,
            STUDY_TAG: study.record.name,
        }
        return trial_id, Note(tags, dict(zip(self.spec.objectives, evaluation.values, strict=True)))

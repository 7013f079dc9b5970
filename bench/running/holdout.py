"""Held-out validation: a search's best trials and its references on seeds that nothing was chosen by.

Then the sweep's own run says what came of the search.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import accumulate

from bench.config.plan import PlannedTrial
from bench.config.search_state import HELD_OUT, Winner, best, front
from bench.metrics.objectives import SOLVED_RATE, objective
from bench.running.recorder import Note, Recorder, Step
from bench.running.search_loop import OptunaSearch
from bench.search.optuna_study import importances
from bench.store.finished_runs import Summary
from bench.store.names import SEARCH, STORAGE_TAG, STUDY_TAG

SECONDS = ("optuna", "train", "track")  # that are told apart


class HeldOutValidation:
    """The best of a search, the very best of each that was run beside it, and its references."""

    def __init__(self, search: OptunaSearch) -> None:
        """Prepare to validate a search that has ended by then."""
        self.search, self.spec = search, search.spec

    def steps(self, recorder: Recorder) -> Iterator[Step]:
        """Yield all on held-out seeds, and write what came of the search."""
        state = replace(self.search.state, winners=tuple(self._winners()), ended=self.search.ended)
        planned = list(self._planned(state.winners, recorder)) if self.spec.validate else []
        names = {reference.trial.trial_id: reference.title for reference in self.spec.references}
        trial_ids = {one.trial.trial_id: None for one in planned}  # several studies may have found the same
        plan = recorder.plan.extended(planned, state)
        yield Step(plan, "training on held-out seeds", open=trial_ids, names=names)
        held_out = {trial_id: self._evaluate(trial_id, recorder) for trial_id in trial_ids}
        recorder.close({trial_id: Note(metrics=found) for trial_id, found in held_out.items()})
        if self.spec.each:
            self._write_seconds(recorder)
        else:
            self._write_summary(held_out, recorder)

    def _winners(self) -> Iterator[Winner]:
        for study in self.search.studies:
            found = best(study.candidates, self.spec.directions, 1 if study.place else self.spec.best)
            yield from (Winner(study.place, rank, candidate.trial_id) for rank, candidate in enumerate(found, 1))

    def _planned(self, winners: tuple[Winner, ...], recorder: Recorder) -> Iterator[PlannedTrial]:
        known = {planned.trial.trial_id: planned.trial for planned in recorder.plan.trials}
        block = (self.search.block(HELD_OUT, recorder),)
        for winner in winners:
            own = block if winner.study == 0 or self.spec.each else ()
            yield PlannedTrial(known[winner.trial_id], own, self.spec.held_out, ())
        for reference in self.spec.references:
            yield PlannedTrial(reference.trial, block, self.spec.held_out, ())
        for trial_id in recorder.unplanned & known.keys():  # they were the best of fewer trials, before it was extended
            yield PlannedTrial(known[trial_id], (), self.spec.held_out, ())

    def _evaluate(self, trial_id: str, recorder: Recorder) -> Mapping[str, float]:
        """Return what came of a trial on held-out seeds."""
        rows = recorder.trainings(trial_id, self.spec.held_out)
        measures = dict.fromkeys((SOLVED_RATE, *self.spec.objectives))
        return {f"held_out_{name}": objective(rows, name) for name in measures}

    def _write_seconds(self, recorder: Recorder) -> None:
        """Keep seconds with the sweep; of several combinations none is the best, and their runs say what each is."""
        seconds = {name: round(recorder.seconds[name], 3) for name in SECONDS}
        with recorder.clock("track"):
            recorder.writer.json(SEARCH, {"importance": [], "seconds": seconds})
            tags = {STORAGE_TAG: self.search.state.storage, "search.trials": str(self.spec.trials)}
            recorder.writer.sum_up(Summary({}, {}), tags)

    def _write_summary(self, held_out: Mapping[str, Mapping[str, float]], recorder: Recorder) -> None:
        """Keep importances and seconds with the sweep, and log with its run what came of the search."""
        spec, first = self.spec, self.search.studies[0]
        with recorder.clock("optuna"):
            stopped = any(planned.trial.stop == "solved" for planned in recorder.plan.trials)
            ranked = importances(first.study.optuna, spec.objectives, spec.directions, stopped=stopped)
        seconds = {name: round(recorder.seconds[name], 3) for name in SECONDS}
        leaders = best(first.candidates, spec.directions, 1)
        several = len(spec.objectives) > 1  # whose importances have names of their own
        metrics = {
            ".".join(["importance", *[row["objective"]] * several, row["evaluator"], row["parameter"]]): row[
                "importance"
            ]
            for row in ranked
        }
        found = {"search.trials": str(spec.trials)}  # tags: params are for ever, and a search may be extended
        if leaders and len(spec.objectives) == 1:  # of several, no trial of the front is the best
            metrics |= held_out.get(leaders[0].trial_id, {})
            found |= {"best.number": str(leaders[0].number), **self._parameters(leaders[0].trial_id, recorder)}
        elif leaders:
            metrics["front"] = len(front([one for one in first.candidates if one.violation <= 0], spec.directions))
        with recorder.clock("track"):
            recorder.writer.json(SEARCH, {"importance": ranked, "seconds": seconds})
            tags = {STUDY_TAG: first.record.name, STORAGE_TAG: self.search.state.storage}
            recorder.writer.sum_up(Summary(metrics, self._history()), tags | found)

    def _parameters(self, trial_id: str, recorder: Recorder) -> dict[str, str]:
        """Return what a trial has of the space, as the sweep's tags."""
        (planned,) = (one for one in recorder.plan.trials if one.trial.trial_id == trial_id)
        return {f"best.{name}": str(planned.trial.parameters[name]) for name in self.spec.space}

    def _history(self) -> dict[str, list[tuple[int, float]]]:
        """Return the values by their trials' numbers and, of one objective, the best so far."""
        spec, candidates = self.spec, self.search.studies[0].candidates
        steps = {
            f"trial_{name}": [(one.number, one.values[place]) for one in candidates]
            for place, name in enumerate(spec.objectives)
        }
        if len(spec.objectives) == 1:
            leaders = accumulate(candidates, lambda leader, one: best([leader, one], spec.directions, 1)[0])
            steps[f"best_{spec.objectives[0]}"] = [
                (one.number, leader.values[0]) for one, leader in zip(candidates, leaders, strict=True)
            ]
        return steps

"""After a search: its best trials and its references on held-out seeds, and what the sweep's own run says of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from threading import Event
from typing import Any

from bench.config.plan import PlannedTrial
from bench.config.search_state import HELD_OUT, Winner, best, front
from bench.metrics.objectives import SOLVED_RATE
from bench.model.trial import Trial
from bench.running.progress import SweepProgress
from bench.running.runner import Runner
from bench.running.search_loop import Judge, Searching
from bench.search.optuna_journal import Journal
from bench.search.optuna_study import importances
from bench.store.mlflow_store import SEARCH, STORAGE_TAG, STUDY_TAG
from bench.store.writer import Summary

ASKED = (  # what a search was asked, as params of the sweep's run
    *("sampler", "seed", "trials", "batch", "objectives", "constraints", "seeds", "held_out", "prune", "best"),
    *("baseline", "repeats"),
)
SECONDS = ("optuna", "train", "track")  # that are told apart


def search(
    runner: Runner,
    judge: Judge,
    journal: Journal | None,
    train: Callable[[], None],
    progress: SweepProgress,
    stop: Event,
) -> None:
    """Carry out a plan's search, validate what it found and sum it up; an interrupt leaves the rest for later."""
    if runner.plan.search is None or journal is None or stop.is_set():
        return
    progress.tell("searching")
    searching = Searching(runner.plan.search, runner, judge, journal)
    ended = searching.search(train, stop)
    if ended is not None:
        progress.tell("training on held-out seeds")
        winners = tuple(_winners(searching))
        done = replace(searching.proposals, winners=winners, ended=ended)
        planned = list(_planned(searching, winners))
        runner.extend(planned, {one.trial.trial_id: one.title for one in searching.spec.references}, done)
        train()
        if not stop.is_set():
            _sum_up(searching, {p.trial.trial_id: _validated(searching, p.trial) for p in planned})


def _winners(searching: Searching) -> Iterator[Winner]:
    """Yield the best of the search, and the very best of each that was run beside it."""
    spec = searching.spec
    for place, one in enumerate(searching.asking):
        found = best(one.candidates, spec.directions, 1 if place else spec.best)
        yield from (Winner(place, rank, candidate.trial_id) for rank, candidate in enumerate(found, 1))


def _planned(searching: Searching, winners: Sequence[Winner]) -> Iterator[PlannedTrial]:
    """Yield what is to be trained on seeds that nothing was chosen by."""
    spec, own = searching.spec, (searching.block(HELD_OUT),)
    known = {planned.trial.trial_id: planned.trial for planned in searching.runner.plan.trials}
    for winner in winners if spec.validate else ():
        yield PlannedTrial(known[winner.trial_id], () if winner.study else own, spec.held_out, ())
    for one in spec.references if spec.validate else ():
        yield PlannedTrial(one.trial, own, spec.held_out, ())


def _validated(searching: Searching, trial: Trial) -> Mapping[str, float]:
    """Return what came of a trial on held-out seeds, which is noted with its run."""
    rows = searching.runner.judged(trial.trial_id, searching.spec.held_out)
    measures = dict.fromkeys((SOLVED_RATE, *searching.spec.objectives))
    found = {f"held_out_{name}": searching.judge.value(rows, name) for name in measures}
    searching.runner.conclude(trial.trial_id, {}, found)
    return found


def _sum_up(searching: Searching, held_out: Mapping[str, Mapping[str, float]]) -> None:
    """Keep importances and seconds with the sweep, and note with its run what came of the search."""
    runner, spec, first = searching.runner, searching.spec, searching.asking[0]
    with runner.clock("optuna"):
        ranked = importances(first.study.optuna, spec.objectives, spec.directions)
    seconds = {name: round(runner.seconds[name], 3) for name in SECONDS}
    leaders = best(first.candidates, spec.directions, 1)
    metrics = {f"importance.{row['evaluator']}.{row['parameter']}": row["importance"] for row in ranked}
    params = {f"search.{name}": value for name, value in spec.row.items() if name in ASKED}
    if leaders and len(spec.objectives) == 1:  # of several, no trial of the front is the best
        metrics |= held_out.get(leaders[0].trial_id, {})
        params |= {"best.number": leaders[0].number, **_parameters(searching, leaders[0].trial_id)}
    elif leaders:
        metrics["front"] = len(front([one for one in first.candidates if one.violation <= 0], spec.directions))
    with runner.clock("track"):
        runner.writer.json(SEARCH, {"importance": ranked, "seconds": seconds})
        tags = {STUDY_TAG: first.asked.name, STORAGE_TAG: searching.storage}
        runner.writer.sum_up(params, Summary(metrics, _history(searching)), tags)


def _parameters(searching: Searching, trial_id: str) -> dict[str, Any]:
    """Return what a trial has of the space, as the sweep's params."""
    parameters = searching.runner.ledger[trial_id].planned.trial.parameters
    return {f"best.{name}": parameters[name] for name in searching.spec.space}


def _history(searching: Searching) -> dict[str, list[tuple[int, float]]]:
    """Return the values by their trials' numbers and, of one objective, the best so far."""
    spec, told = searching.spec, searching.asking[0].candidates
    steps = {
        f"trial_{name}": [(one.number, one.values[place]) for one in told] for place, name in enumerate(spec.objectives)
    }
    if len(spec.objectives) == 1:
        leaders = accumulate(told, lambda leader, one: best([leader, one], spec.directions, 1)[0])
        steps[f"best_{spec.objectives[0]}"] = [
            (one.number, leader.values[0]) for one, leader in zip(told, leaders, strict=True)
        ]
    return steps

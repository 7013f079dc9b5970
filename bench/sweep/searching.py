"""A search: ask for a batch of trials, train every seed of each, tell, and ask again."""

from collections.abc import Callable
from threading import Event

from bench.experiment.grid import Plan, PlannedTrial
from bench.experiment.search import Search
from bench.search.study import Study
from bench.sweep.runner import Runner


def search(spec: Search, block: int, runner: Runner, train: Callable[[], None], stop: Event) -> None:
    """Spend the search's trials; what a resumed sweep has already trained is told again and not trained again."""
    study = Study(spec)
    for start in range(0, spec.trials, spec.batch):
        proposals = study.ask(min(spec.batch, spec.trials - start))
        trials = {number: spec.trial(values) for number, values in proposals.items()}
        runner.extend(Plan(tuple(PlannedTrial(trial, (block,), spec.seeds, ()) for trial in trials.values()), 0))
        train()
        if stop.is_set():
            return
        for number, trial in trials.items():
            study.tell(number, runner.solved_rate(trial.trial_id))

"""Budget check: whether what looks stuck is only slow, by training some of it ten times as long.

What is trained here is no part of the sweep: it has no rows, and says only what share of the stuck would solve it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pandas as pd

from bench.backends import load
from bench.config.plan import Plan
from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.model.trial import MOST_ITERATIONS, Trial
from bench.running.chunks import Job
from bench.running.executors import WorkerPool

LONGER = 10  # times the budget
ENOUGH = 200  # stuck trainings of a gate
SHARE, LEAST_S = 0.1, 5.0  # of what the sweep takes itself; seconds of one core that it may always take
BACKEND = "numba"  # trains the check, whatever trained the sweep: loops would take ten times as long as it did
CHECKED = (c.TRIAL_ID, c.SEED, c.OUTCOME, c.ALONE)  # the columns that are read


def check_budget(plan: Plan, trainings: pd.DataFrame, pool: WorkerPool, stop: Event) -> list[dict[str, Any]] | None:
    """Return a row for each stuck training that was trained on: its trial, its seed, and whether it solved its gate.

    They are drawn at random from all of a gate, as many as take a tenth of what the sweep takes, or five seconds of a
    core. None where ``stop`` was set meanwhile.
    """
    stuck = trainings[(trainings[c.OUTCOME] == Result.STUCK) & ~trainings[c.ALONE].astype(bool)]
    seeds = {str(name): np.sort(some.to_numpy()) for name, some in stuck.groupby(c.TRIAL_ID, observed=True)[c.SEED]}
    by_gate: dict[str, list[Trial]] = {}
    for planned in plan.trials:
        if planned.trial.trial_id in seeds and _may_be_longer(planned.trial):
            by_gate.setdefault(planned.trial.gate.name, []).append(planned.trial)
    own_s = sum(len(planned.together) * Job(planned.trial, (0,)).training_s for planned in plan.trials)
    allowed_s = max(SHARE * own_s, LEAST_S) / max(len(by_gate), 1)
    jobs = {}
    for trials in by_gate.values():
        for trial, some in _drawn(trials, seeds, allowed_s):
            jobs[trial.trial_id] = Job(replace(_longer(trial), curve_points=2, stop="solved"), some)
    of = {job.trial.trial_id: trial_id for trial_id, job in jobs.items()}
    rows = [
        {c.TRIAL_ID: of[record.trial.trial_id], c.SEED: int(seed), c.SOLVED: bool(solved)}
        for records in pool.train(list(jobs.values()), stop)
        for record in records
        if record.outcome is not None
        for seed, solved in zip(record.seeds, record.outcome.reading(record.trial).solved_T, strict=True)
    ]
    return None if stop.is_set() else rows


def _drawn(
    trials: Sequence[Trial], seeds: Mapping[str, Any], allowed_s: float
) -> Iterator[tuple[Trial, tuple[int, ...]]]:
    """Yield trials of a gate with the seeds that are checked: a simple random sample, the same for the same sweep."""
    stuck = [(place, int(seed)) for place, trial in enumerate(trials) for seed in seeds[trial.trial_id]]
    taken: dict[int, list[int]] = {}
    spent_s = 0.0
    for number in np.random.default_rng(0).permutation(len(stuck))[:ENOUGH]:
        place, seed = stuck[number]
        own = taken.get(place, [])
        spent_s += _cost_s(trials[place], len(own) + 1) - _cost_s(trials[place], len(own))
        if spent_s > allowed_s:
            break
        taken[place] = [*own, seed]
    yield from ((trials[place], tuple(sorted(own))) for place, own in taken.items())


def _cost_s(trial: Trial, trainings: int) -> float:
    return Job(_longer(trial), range(trainings)).cost_s if trainings else 0.0


def _may_be_longer(trial: Trial) -> bool:
    if trial.optimizer == "none":  # it stays where it is
        return False
    return LONGER * trial.iterations <= MOST_ITERATIONS and load(BACKEND).unsupported(_longer(trial)) is None


def _longer(trial: Trial) -> Trial:
    return replace(trial, iterations=LONGER * trial.iterations, backend=BACKEND, device="cpu")

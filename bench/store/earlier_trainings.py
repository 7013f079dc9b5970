"""Trainings that earlier sweeps of a store hold: what was trained once by the same code is not trained again.

A training is a function of its trial, its seed, and the code and processor that computed it. So its row is taken over
where all of these are the same, with the timing that was measured then. What was timed alone, failed or ran on a GPU is
always trained anew.

Shapes: T trainings.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from bench.config.plan import Plan, PlannedTrial
from bench.config.seeds import compact
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.model.trial import Trial
from bench.store import names
from bench.store.mlflow_store import Store
from bench.store.reader import planned_budgets
from bench.store.shards import in_order, places, without_lists
from bench.store.tables import NOT_WHOLE, by_trial, seeds_of, training_schema

MOST_SWEEPS = 100  # the newest, that are looked through
PART = 50_000  # trainings in memory at a time, with their curves
COMPUTED = [str(result) for result in Result if result not in (Result.FAILED, Result.UNSUPPORTED)]


@dataclass(frozen=True)
class Wanted:
    """A trial with the seeds that are missing, and the last seed whose curve and weights are kept."""

    planned: PlannedTrial
    last_curve_seed: int


class EarlierTrainings:
    """The trainings of a store's other sweeps that the same code computed on the same kind of processor."""

    def __init__(self, store: Store, sweep: str, code: str, say: Callable[[str], None] = lambda _: None) -> None:
        """Look for what may be taken over by a sweep whose code and processor have this fingerprint."""
        self.store, self.sweep, self.code, self._say = store, sweep, code, say

    @cached_property
    def _trials(self) -> dict[str, dict[str, tuple[int, int]]]:
        """The trials of each sweep that may be looked through, the newest first, each with its budget."""
        found = (run.info.run_id for run in self.store.runs(names.SWEEP, tag=(names.CODE_TAG, self.code)))
        others = islice((run_id for run_id in found if run_id != self.sweep), MOST_SWEEPS)
        return {run_id: planned_budgets(self.store, run_id) for run_id in others}

    def rows(self, plan: Plan, wanted: Sequence[Wanted]) -> Iterator[pa.Table]:
        """Yield rows of what is wanted, each training once, some ten thousand at a time."""
        left = {one.planned.trial.trial_id: one for one in wanted if one.planned.trial.device == "cpu"}
        for sweep, trials in list(self._trials.items()) if left else ():
            there = [one for trial_id, one in left.items() if trial_id in trials]
            if not there:
                continue
            taken: dict[str, list[NDArray[np.int64]]] = {}
            some = replace(plan, trials=tuple(one.planned for one in there))
            for table in self._read(sweep, some):
                rows = _usable(table, there)
                if rows.num_rows:
                    yield rows
                    for trial_id, own in by_trial(rows.select([c.TRIAL_ID, c.SEED])).items():
                        taken.setdefault(trial_id, []).append(seeds_of(own))
            left = dict(_left(left, taken))

    def _read(self, sweep: str, plan: Plan) -> Iterator[pa.Table]:
        """Yield a sweep's trainings, as far as they can be read."""
        try:
            yield from in_order(self.store, sweep, plan, training_schema(plan.parameters).names, part=PART)
        except (*NOT_WHOLE, MlflowException, RequestError) as error:
            why = str(error).splitlines()[0]
            self._say(f"sweep {sweep[:8]} cannot be read, and nothing more is taken over from it: {why}")
            self._trials.pop(sweep, None)

    def shorter(self, plan: Plan, wanted: Sequence[Wanted]) -> Iterator[tuple[Trial, Trial, pa.Table]]:
        """Yield trials and those with a smaller budget from whose rows, in order of seeds, some of their seeds go on.

        Of each trial the largest budget; rows have weights and curves, and are some ten thousand at most.
        """
        budgets = sorted({budget for trials in self._trials.values() for budget in trials.values()}, reverse=True)
        for one in wanted:
            trial = one.planned.trial
            earlier = [found for budget in budgets if (found := trial.shorter(*budget))]
            places = ((sweep, e) for e in earlier for sweep, known in list(self._trials.items()) if e.trial_id in known)
            for sweep, shorter in places:
                planned = replace(one.planned, trial=shorter)
                some = replace(plan, trials=(planned,))
                table = next(self._read(sweep, some), None)
                if table is not None:
                    rows = _usable(table, [Wanted(planned, one.last_curve_seed)])
                    finite = pc.and_(rows[c.WEIGHTS].is_valid(), pc.not_equal(rows[c.OUTCOME], str(Result.DIVERGED)))
                    if (rows := rows.filter(finite)).num_rows:
                        yield trial, shorter, rows
                        break


def _usable(table: pa.Table, wanted: Sequence[Wanted]) -> pa.Table:
    """Return the rows of wanted trainings that have all that a row needs, and of lists no more than that."""
    trials = [one.planned.trial.trial_id for one in wanted]
    last_P = np.array([one.last_curve_seed for one in wanted], np.int64)
    place_T, seed_T = places(table[c.TRIAL_ID], trials), seeds_of(table)
    wanted_T = np.zeros(len(place_T), np.bool_)
    for place in np.unique(place_T):
        own_T = place_T == place
        wanted_T[own_T] = _are_among(seed_T[own_T], wanted[place].planned.together)
    wanted_T &= pc.is_in(table[c.OUTCOME], value_set=pa.array(COMPUTED)).to_numpy()
    wanted_T &= ~table[c.ALONE].to_numpy()
    wanted_T &= (seed_T > last_P[place_T]) | pc.is_valid(table[c.WEIGHTS]).to_numpy()
    return without_lists(table.filter(pa.array(wanted_T)), trials, last_P)


def _are_among(seed_T: NDArray[np.int64], seeds: Sequence[int]) -> NDArray[np.bool_]:
    """Return which seeds are among some, of which a range is not written out."""
    if isinstance(seeds, range):
        within: NDArray[np.bool_] = (seed_T >= seeds.start) & (seed_T < seeds.stop)
        return within
    return np.isin(seed_T, seeds)


def _left(
    wanted: Mapping[str, Wanted], taken: Mapping[str, Sequence[NDArray[np.int64]]]
) -> Iterator[tuple[str, Wanted]]:
    """Yield what is still wanted after some seeds of some trials were taken."""
    for trial_id, one in wanted.items():
        if trial_id in taken:
            seeds = np.setdiff1d(np.asarray(one.planned.together), np.concatenate(taken[trial_id]))
            if len(seeds):
                yield trial_id, replace(one, planned=replace(one.planned, together=compact(seeds.tolist())))
        else:
            yield trial_id, one

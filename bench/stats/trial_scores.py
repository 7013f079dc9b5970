"""What a search judged its proposals by: each trial's values over the seeds of the search, and over held-out ones.

Shapes: P proposals, M objectives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.config.plan import Plan, PlannedTrial
from bench.config.search_config import Search
from bench.config.search_state import Candidate, Proposals, best, front
from bench.metrics import columns as c
from bench.metrics.objectives import MAXIMIZE, MEDIAN_MSE, SOLVED_RATE, Constraint, objective

NUMBER, STATE, SEEDS, FEASIBLE, VIOLATION = "number", "state", "seeds", "feasible", "violation"
COMPLETE, PRUNED = "complete", "pruned"
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrialScores:
    """Scores of the trials of a plan's search, by the trainings that they came to."""

    plan: Plan
    trainings: pd.DataFrame

    @property
    def search(self) -> Search:
        """The search that was asked for."""
        assert self.plan.search is not None
        return self.plan.search

    @property
    def proposals(self) -> Proposals:
        """The trials that it proposed so far."""
        assert self.plan.proposals is not None
        return self.plan.proposals

    @cached_property
    def objectives(self) -> dict[str, str]:
        """The better end of each objective, by its name."""
        return dict(zip(self.search.objectives, self.search.directions, strict=True))

    @property
    def first(self) -> str:
        """The objective that trials are ranked by."""
        return next(iter(self.objectives))

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The limits that a trial must keep to be among the best."""
        return self.search.constraints

    @cached_property
    def measures(self) -> list[str]:
        """The objectives, what is limited, and how much and how nearly it was solved, each once."""
        limited = [constraint.measure for constraint in self.constraints]
        return list(dict.fromkeys([*self.objectives, *limited, SOLVED_RATE, MEDIAN_MSE]))

    @property
    def seeds(self) -> Sequence[int]:
        """The seeds that trials were chosen by."""
        return self.search.seeds

    @property
    def held_out(self) -> range:
        """The seeds that no trial was chosen by; none where nothing is checked."""
        return self.search.held_out

    @cached_property
    def planned(self) -> dict[str, PlannedTrial]:
        """The planned trials by their ids."""
        return {one.trial.trial_id: one for one in self.plan.trials}

    def rows(self, trial_id: str, seeds: Sequence[int]) -> pd.DataFrame | None:
        """Return a trial's trainings with these seeds; None where there are none, or some are not there yet."""
        places = self._places.get(trial_id)
        if places is None or not len(seeds):
            return None
        found = self.trainings.iloc[places]
        found = found[found[c.SEED].isin(seeds)]
        if len(found) != len(seeds):
            return None
        sized: pd.DataFrame = found.assign(**{c.WEIGHTS_COUNT: self.planned[trial_id].trial.network.parameters})
        return sized

    @cached_property
    def _places(self) -> dict[str, Any]:
        groups = self.trainings.groupby(c.TRIAL_ID, observed=True).indices
        return {str(trial_id): places for trial_id, places in groups.items()}

    def values(self, rows: pd.DataFrame) -> dict[str, float]:
        """Return each measure of one trial's trainings."""
        return {name: objective(rows, name) for name in self.measures}

    def violation(self, values: Mapping[str, float]) -> float:
        """Return by how much the limits are passed, summed; 0 where all are kept (Deb 2000)."""
        return float(sum(max(one.violation(values[one.measure]), 0.0) for one in self.constraints))

    def table(self, place: int) -> pd.DataFrame:
        """Return a row per proposal of a study that was judged, in Optuna's order, with the values of all measures.

        Those whose trainings are not all there are left out. ``violation`` is the sum over all limits.
        """
        study = self.proposals.studies[place]
        listed = [
            self._proposal(number, trial_id, study.pruned.get(number)) for number, trial_id in enumerate(study.trials)
        ]
        names = [NUMBER, c.TRIAL_ID, STATE, SEEDS, *self.measures, VIOLATION, FEASIBLE]
        return pd.DataFrame([row for row in listed if row], columns=names).astype({FEASIBLE: bool, VIOLATION: float})

    def _proposal(self, number: int, trial_id: str, pruned: int | None) -> dict[str, Any]:
        seeds = self.seeds if pruned is None else self.seeds[:pruned]
        rows = self.rows(trial_id, seeds)
        if rows is None:
            return {}
        values = self.values(rows)
        violation = self.violation(values)
        state = COMPLETE if pruned is None else PRUNED
        known = {NUMBER: number, c.TRIAL_ID: trial_id, STATE: state, SEEDS: len(seeds)}
        return {**known, **values, VIOLATION: violation, FEASIBLE: violation <= 0}

    @cached_property
    def tables(self) -> list[pd.DataFrame]:
        """The proposals of every study."""
        return [self.table(place) for place in range(len(self.proposals.studies))]

    def running_best(self, table: pd.DataFrame) -> Floats:
        """Return the best value so far of the first objective ``[P]``; NaN before the first feasible complete trial."""
        values = table[self.first].where(eligible(table)).to_numpy(dtype=np.float64)
        better = np.fmax if self.objectives[self.first] == MAXIMIZE else np.fmin  # these pass over NaN
        return np.asarray(better.accumulate(values) if len(values) else values)

    def front(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that no other is better than, each trial once: of one objective, the first of the best."""
        rows = table[eligible(table)].drop_duplicates(c.TRIAL_ID)
        values_PM = rows[list(self.objectives)].to_numpy(dtype=np.float64).tolist()
        listed = zip(rows[NUMBER], rows[c.TRIAL_ID], values_PM, strict=True)
        candidates = [Candidate(number, trial_id, tuple(values_M)) for number, trial_id, values_M in listed]
        ends = list(self.objectives.values())
        chosen = best(candidates, ends, 1) if len(ends) == 1 else front(candidates, ends)
        return rows[rows[NUMBER].isin([one.number for one in chosen])]


def eligible(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return which proposals may be the best: those that were judged by all seeds and keep all limits."""
    return (table[STATE] == COMPLETE) & table[FEASIBLE]

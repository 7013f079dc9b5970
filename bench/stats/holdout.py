"""Scores of the trials of a search, over the seeds that they were chosen by and over held-out ones.

The best of many trials looks better than it is on the seeds that chose it: the optimism of the selection (Efron 1983;
for a search over hyperparameters Cawley & Talbot 2010).

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
from bench.metrics.objectives import MAXIMIZE, MEDIAN_MSE, MEDIAN_SOLVED_AT, RMST, SOLVED_RATE, objective
from bench.stats import proportions, survival
from bench.stats.proportions import COUNT, HIGH, LOW, RATE
from bench.stats.survival import MEDIAN_HIGH, MEDIAN_LOW, RMST_HIGH, RMST_LOW

NUMBER, STATE, SEEDS, FEASIBLE, VIOLATION = "number", "state", "seeds", "feasible", "violation"
COMPLETE, PRUNED = "complete", "pruned"
SEARCH, HELD_OUT = SIDES = "search", "held_out"


@dataclass(frozen=True, eq=False)
class TrialScores:
    """Scores of the trials of a plan's search: objectives, and what is limited, of the trainings with some seeds."""

    plan: Plan
    trainings: pd.DataFrame

    @property
    def search(self) -> Search:
        """The search that the plan asks for."""
        assert self.plan.search is not None
        return self.plan.search

    @property
    def proposals(self) -> Proposals:
        """The trials that it proposed so far."""
        assert self.plan.proposals is not None
        return self.plan.proposals

    @property
    def objectives(self) -> dict[str, str]:
        """The better end of each objective, by its name."""
        return dict(zip(self.search.objectives, self.search.directions, strict=True))

    @property
    def primary(self) -> str:
        """The objective that trials are ranked by: the first."""
        return self.search.objectives[0]

    @property
    def measures(self) -> list[str]:
        """The objectives, what is limited, and how much and how nearly it was solved, each once."""
        limited = [constraint.measure for constraint in self.search.constraints]
        return list(dict.fromkeys([*self.objectives, *limited, SOLVED_RATE, MEDIAN_MSE]))

    @cached_property
    def planned(self) -> dict[str, PlannedTrial]:
        """The planned trials by their ids."""
        return {planned.trial.trial_id: planned for planned in self.plan.trials}

    def trained(self, trial_id: str, seeds: Sequence[int]) -> pd.DataFrame | None:
        """Return a trial's trainings with these seeds; None where there are none, or some are not there yet."""
        places = self._places.get(trial_id)
        if places is None or not len(seeds):
            return None
        rows = self.trainings.iloc[places]
        rows = rows[rows[c.SEED].isin(seeds)]
        if len(rows) != len(seeds):
            return None
        sized: pd.DataFrame = rows.assign(**{c.WEIGHTS_COUNT: self.planned[trial_id].trial.network.parameters})
        return sized

    def on(self, side: str, trial_id: str) -> pd.DataFrame | None:
        """Return a trial's trainings with all seeds of the search, or with all held-out ones; None without these."""
        return self.trained(trial_id, self.search.seeds if side == SEARCH else self.search.held_out)

    @cached_property
    def _places(self) -> dict[str, Any]:
        groups = self.trainings.groupby(c.TRIAL_ID, observed=True).indices
        return {str(trial_id): places for trial_id, places in groups.items()}

    def scores(self, rows: pd.DataFrame) -> dict[str, float]:
        """Return each measure of one trial's trainings."""
        return {name: objective(rows, name) for name in self.measures}

    @cached_property
    def tables(self) -> list[pd.DataFrame]:
        """A row per proposal of each study, in Optuna's order, with the values of all measures.

        Those whose trainings are not all there are left out. ``violation`` is the sum over all limits (Deb 2000).
        """
        names = [NUMBER, c.TRIAL_ID, STATE, SEEDS, *self.measures, VIOLATION, FEASIBLE]
        tables = []
        for study in self.proposals.studies:
            rows = [
                self._scored(trial_id, number, study.pruned.get(number)) for number, trial_id in enumerate(study.trials)
            ]
            table = pd.DataFrame([row for row in rows if row], columns=names)
            tables.append(table.astype({FEASIBLE: bool, VIOLATION: float}))
        return tables

    def _scored(self, trial_id: str, number: int, pruned: int | None) -> dict[str, Any]:
        seeds = self.search.seeds if pruned is None else self.search.seeds[:pruned]
        rows = self.trained(trial_id, seeds)
        if rows is None:
            return {}
        scores = self.scores(rows)
        violation = float(sum(max(limit.violation(scores[limit.measure]), 0.0) for limit in self.search.constraints))
        row = {NUMBER: number, c.TRIAL_ID: trial_id, STATE: COMPLETE if pruned is None else PRUNED, SEEDS: len(seeds)}
        return {**row, **scores, VIOLATION: violation, FEASIBLE: violation <= 0}


def best_so_far(table: pd.DataFrame, name: str, direction: str) -> NDArray[np.float64]:
    """Return the best value so far of an objective ``[P]``; NaN before the first feasible complete trial."""
    values = table[name].where(_eligible(table)).to_numpy(dtype=np.float64)
    better = np.fmax if direction == MAXIMIZE else np.fmin  # these pass over NaN
    return np.asarray(better.accumulate(values) if len(values) else values)


def pareto_front(table: pd.DataFrame, objectives: Mapping[str, str]) -> pd.DataFrame:
    """Return the proposals that none is better than, each trial once: of one objective, the first of the best."""
    rows = table[_eligible(table)].drop_duplicates(c.TRIAL_ID)
    values_PM = rows[list(objectives)].to_numpy(dtype=np.float64).tolist()
    listed = zip(rows[NUMBER], rows[c.TRIAL_ID], values_PM, strict=True)
    candidates = [Candidate(number, trial_id, tuple(values_M)) for number, trial_id, values_M in listed]
    directions = list(objectives.values())
    on_front = best(candidates, directions, 1) if len(directions) == 1 else front(candidates, directions)
    return rows[rows[NUMBER].isin([one.number for one in on_front])]


def _eligible(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return which proposals may be the best: those that were trained with all seeds and keep all limits."""
    return (table[STATE] == COMPLETE) & table[FEASIBLE]


# ------------------------------------------------------------------ held-out seeds


KIND, RANK, TITLE = "kind", "rank", "title"
OPTIMISM = ("optimism", "optimism_low", "optimism_high")
WINNER, REFERENCE = "best", "reference"
FIGURES = (COUNT, RATE, LOW, HIGH, survival.RMST, RMST_LOW, RMST_HIGH, MEDIAN_LOW, MEDIAN_HIGH)
INTERVALS = {RMST: (RMST_LOW, RMST_HIGH), SOLVED_RATE: (LOW, HIGH), MEDIAN_SOLVED_AT: (MEDIAN_LOW, MEDIAN_HIGH)}


def held_out_table(scores: TrialScores, trials: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return what each trial is worth on the seeds of the search, and on held-out ones, each in columns.

    ``trials`` are winners, which have a rank, and references, which have none, each with its kind, title and id. A
    column is called by its side and its measure: `column`. There are all measures of the search; the solved rate
    (``rate``) and the restricted mean, in iterations, with their intervals. What was not trained with all
    seeds of a side is missing there. ``optimism`` is by how much the first objective looked better on the seeds of the
    search than it is on the others, above 0 where it looked better, with its interval: see `optimism`. A column per
    constraint says whether it is kept on held-out seeds.
    """
    figures = [column(side, name) for side in SIDES for name in dict.fromkeys([*scores.measures, *FIGURES])]
    limits = [str(constraint) for constraint in scores.search.constraints]
    names = [KIND, RANK, TITLE, c.TRIAL_ID, *figures, *OPTIMISM, *limits]
    rows = [_row(scores, trial) for trial in trials]
    table = pd.DataFrame(rows, columns=names, dtype=object)  # a rank that is missing is None, and not a number
    return table.astype(dict.fromkeys([*figures, *OPTIMISM], np.float64))


def column(side: str, name: str) -> str:
    """Return what a column is called: a measure on one side."""
    return f"{side}_{name}"


def interval_of(row: Mapping[Any, Any], side: str, name: str) -> tuple[float, float]:
    """Return the ends of the 95 % interval of an objective; missing for those that have none."""
    low, high = (row.get(column(side, end), np.nan) for end in INTERVALS.get(name, ("", "")))
    return low, high


def optimism(seen: float, held_out: tuple[float, float, float], *, more_is_better: bool) -> tuple[float, float, float]:
    """Return by how much a value looked better than it is, with its 95 % interval.

    What was seen is a known number, which was chosen for being good, so that no interval around it holds: what is not
    known is the truth, which the interval on held-out seeds knows.
    """
    ends = [seen - end for end in held_out] if more_is_better else [end - seen for end in held_out]
    return ends[0], min(ends[1:]), max(ends[1:])


def _row(scores: TrialScores, trial: Mapping[str, Any]) -> dict[str, Any]:
    sides = {side: _figures(scores, trial[c.TRIAL_ID], side) for side in SIDES}
    row = {RANK: None, **dict.fromkeys(map(str, scores.search.constraints)), **trial}
    row |= {column(side, name): value for side, figures in sides.items() for name, value in figures.items()}
    if all(sides.values()):
        name = scores.primary
        truth = row[column(HELD_OUT, name)], *interval_of(row, HELD_OUT, name)
        found = optimism(row[column(SEARCH, name)], truth, more_is_better=scores.objectives[name] == MAXIMIZE)
        row |= dict(zip(OPTIMISM, found, strict=True))
    if sides[HELD_OUT]:
        limits = scores.search.constraints
        row |= {str(limit): limit.violation(sides[HELD_OUT][limit.measure]) <= 0 for limit in limits}
    return row


def _figures(scores: TrialScores, trial_id: str, side: str) -> dict[str, float]:
    """Return all measures of a trial on one side, and intervals; nothing where it was not trained there."""
    rows = scores.on(side, trial_id)
    if rows is None:
        return {}
    tables = proportions.solved_rates(rows, [c.TRIAL_ID]), survival.times_to_solution(rows)
    figures = {name: float(table[name].iloc[0]) for table in tables for name in FIGURES if name in table and len(table)}
    return figures | scores.scores(rows)

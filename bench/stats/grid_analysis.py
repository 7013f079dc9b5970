"""Analysis of a block of a sweep: its trials, varied on purpose and trained together, with all that is known of them.

Everything that is drawn or said of a block comes from here, computed once, from nothing but its trainings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bench.config.plan import Plan
from bench.config.search_state import HELD_OUT, REPEATED, SEARCHED
from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.metrics import measures
from bench.model.display_labels import labels, phrase, varying
from bench.model.parameter_fields import Role
from bench.model.trial import PARAMETERS, PROMINENT, Trial
from bench.stats import attractors, final_patterns, proportions, restarts, sensitivity, shared_luck, survival
from bench.stats import paired_comparisons as paired
from bench.stats.budget_checks import budget_checks
from bench.stats.numeric_axis import numeric_axes
from bench.stats.proportions import HIGH, LOW, RATE

NAME, BLOCK, PLANNED, SEEDS = "name", "block", "planned", "seeds"
FIRST = tuple(name for name in PROMINENT if name != c.GATE)  # along an axis; each gate has a panel of its own
BUDGET = Trial.names(Role.BUDGET)
DECIDES = (0.05, 0.95)  # a solved rate whose interval lies between: the start decides
FEW_SEEDS = 3  # up to here a trial shows single trainings and no distribution
DIGITS = 4  # of a number in words
SEED = 0  # of all draws: the same sweep always gives the same report


@dataclass(frozen=True, eq=False)
class GridAnalysis:
    """Trials, a row each with name and parameters, indexed by trial_id; their trainings; and what was varied.

    They are ``proposed`` where a search chose them: an average over them says nothing. ``checked`` are stuck trainings,
    of any block, that were trained ten times as long.
    """

    title: str
    trials: pd.DataFrame
    trainings: pd.DataFrame
    proposed: bool = False
    checked: Sequence[Mapping[str, Any]] = ()

    @cached_property
    def parameters(self) -> list[dict[str, Any]]:
        """The parameters of each trial."""
        return _parameters(self.trials)

    @cached_property
    def names(self) -> list[str]:
        """The parameters that vary, those first that readers look for."""
        varied = varying(self.parameters)
        first = [name for name in FIRST if name in varied]
        rest = sorted((n for n in varied if n not in first), key=lambda n: -self.trials[n].nunique())
        return [*first, *rest]

    @cached_property
    def number(self) -> str:
        """The parameter that is the numeric axis of a grid; nothing where there is none, or a search proposed."""
        columns = {name: self.trials[name].tolist() for name in self.names}
        return "" if self.proposed else next(iter(numeric_axes(columns)), "")

    @property
    def _causes(self) -> list[str]:
        return [name for name in self.names if name not in BUDGET]

    @cached_property
    def begun(self) -> pd.DataFrame:
        """The trainings that were begun."""
        return measures.begun(self.trainings)

    @cached_property
    def trained(self) -> pd.DataFrame:
        """The trainings that a backend came back from."""
        return self.trainings[~measures.never_trained(self.trainings)]

    @cached_property
    def rates(self) -> pd.DataFrame:
        """Solved rates by trial, with names and parameters, in the plan's order."""
        return self.named(proportions.solved_rates(self.trainings, [c.TRIAL_ID]))

    @property
    def undecided(self) -> pd.DataFrame:
        """The rates of the trials in which the start decides: surely some solve it, and surely some do not."""
        return self.rates[(self.rates[LOW] > DECIDES[0]) & (self.rates[HIGH] < DECIDES[1])]

    @cached_property
    def rates_at_once(self) -> pd.DataFrame:
        """The same with intervals that hold all at once, as those of trials that are picked afterwards must."""
        return self.named(proportions.solved_rates(self.trainings, [c.TRIAL_ID], at_once=True))

    @cached_property
    def times_at_once(self) -> pd.DataFrame:
        """Times to solution by trial with medians' intervals that hold all at once."""
        return self.named(survival.times_to_solution(self.begun, at_once=True))

    @cached_property
    def times(self) -> pd.DataFrame:
        """Median, restricted mean and expected time to solution by trial, in iterations."""
        return self.named(survival.times_to_solution(self.begun))

    @cached_property
    def shares(self) -> dict[str, pd.DataFrame]:
        """The decomposition of variance of each measure; empty where the grid is not balanced."""
        if not self.is_balanced:
            return {}
        return {m: sensitivity.variance_shares(self.begun, self.names, m) for m in measures.MEASURES}

    @cached_property
    def effects(self) -> pd.DataFrame:
        """The solved rate by each value of each parameter, over everything else."""
        return sensitivity.main_effects(self.begun, self.names)

    @cached_property
    def importances(self) -> pd.DataFrame:
        """What tells good trials from bad ones where the grid is not balanced."""
        return sensitivity.permutation_importances(self.begun, self.names, SEED)

    @cached_property
    def is_balanced(self) -> bool:
        """Whether something was varied, every combination is there, and with the same seeds."""
        return bool(self.names) and sensitivity.is_balanced(self.begun, self.names)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """Pairs of trials that start from the same weights."""
        return paired.comparisons(self.begun, self._causes)

    @cached_property
    def pooled(self) -> pd.DataFrame:
        """The same pairs of values over all that else was varied."""
        return paired.pooled(self.begun, self._causes, self.comparisons)

    @cached_property
    def shared_luck(self) -> pd.DataFrame:
        """How often two trials have the same fate from the same start; empty for what a search proposed."""
        table = shared_luck.shared_luck(self.begun)
        return table[:0] if self.proposed else table

    @cached_property
    def restarts(self) -> pd.DataFrame:
        """How many starts each trial takes, and when to give one up."""
        return self.named(restarts.restarts(self.begun))

    @cached_property
    def attractors(self) -> pd.DataFrame:
        """Where stuck and slow trainings end, by gate and pattern."""
        return attractors.attractors(self.begun, self._attractor_names)

    @cached_property
    def _attractor_names(self) -> pd.Series:
        return attractors.attractor_names(self.begun)

    @cached_property
    def budget_checks(self) -> pd.DataFrame:
        """How many of what looked stuck was only slow, by gate; empty where nothing was checked."""
        return budget_checks(self.trials, self.checked)

    @cached_property
    def wrong(self) -> pd.DataFrame:
        """Which observation is the wrong one where it is one, by trial, and whether each is as likely."""
        return final_patterns.wrong_observation_test(self.begun, SEED)

    def ending_at(self, gate: str, pattern: str) -> pd.DataFrame:
        """Return the trainings of a gate that end at a pattern."""
        rows: pd.DataFrame = self.begun.loc[self._attractor_names.index[self._attractor_names == pattern]]
        return rows[rows[c.GATE] == gate]

    def budget_checks_of(self, gate: str, pattern: str) -> pd.DataFrame:
        """Return how many of the trainings that ended at a pattern were only slow; empty where none was checked."""
        rows = self.ending_at(gate, pattern)
        there = set(zip(rows[c.TRIAL_ID].astype(str), rows[c.SEED], strict=True))
        return budget_checks(self.trials, [one for one in self.checked if (one[c.TRIAL_ID], one[c.SEED]) in there])

    @cached_property
    def seeds(self) -> pd.Series:
        """How many trainings each trial has begun."""
        return self.begun.groupby(c.TRIAL_ID, sort=False, observed=True).size()

    def named(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table by trial with the trials' names and parameters, in the plan's order."""
        own = [column for column in self.trials if column not in table]
        joined = table.assign(**{c.TRIAL_ID: table[c.TRIAL_ID].astype(str)}).join(self.trials[own], on=c.TRIAL_ID)
        places = pd.Categorical(joined[c.TRIAL_ID], categories=self.trials.index).codes
        return joined.iloc[np.argsort(places, kind="stable")].reset_index(drop=True)

    def trial(self, trial_id: object) -> dict[str, Any]:
        """Return a trial's name and parameters."""
        row: dict[str, Any] = self._by_id[str(trial_id)]
        return row

    @cached_property
    def _by_id(self) -> dict[Any, Any]:
        # looked up for every comparison: of a thousand trials, row by row, that took half of the report
        return self.trials.to_dict("index")


def grid_analyses(
    plan: Plan, trainings: pd.DataFrame, checked: Sequence[Mapping[str, Any]] = ()
) -> Iterator[GridAnalysis]:
    """Yield the analysis of every block with trainings that ran together.

    A trial of several blocks is in each, with the seeds that the block's own trials have. Those of a search and of its
    held-out seeds are known; the searches that only repeat it have no analysis.
    """
    table = trial_table(plan)
    blocks = {planned.trial.trial_id: planned.blocks for planned in plan.trials}
    seeds = _search_seeds(plan)
    together = trainings[~trainings[c.ALONE].astype(bool)]
    for place, title in enumerate(plan.blocks):
        trials = table[[place in blocks[str(name)] for name in table.index]]
        own = together[together[c.TRIAL_ID].isin(trials.index)]
        rows = own[own[c.SEED].isin(seeds[place])] if place in seeds else _of_block(own, place, blocks)
        if len(rows):
            some = trials[trials.index.isin(rows[c.TRIAL_ID].unique())]
            names = labels(_parameters(some), write=phrase)
            titles = plan.combination_titles if place in seeds else {}
            named = some.assign(
                **{NAME: [titles.get(str(one), name) for one, name in zip(some.index, names, strict=True)]}
            )
            yield GridAnalysis(title, named, rows, proposed=place in seeds, checked=checked)


def most_undecided(blocks: Sequence[GridAnalysis]) -> GridAnalysis:
    """Return the block in which it is least known beforehand whether a training solves its gate.

    By the sum of its trials' variances of solved or not.
    """
    return max(blocks, key=lambda block: float((block.rates[RATE] * (1 - block.rates[RATE])).sum()))


def _search_seeds(plan: Plan) -> dict[int, Sequence[int]]:
    """Return the seeds of the blocks of a search: none for repeated searches, which are in the ledger only."""
    if plan.search is None:
        return {}
    seeds = {SEARCHED: plan.search.seeds, HELD_OUT: plan.search.held_out, REPEATED: ()}
    return {plan.block(name): some for name, some in seeds.items()}


def _of_block(rows: pd.DataFrame, place: int, blocks: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """Return the trainings of a block: those of trials that other blocks name too have its own trials' seeds only."""
    shared = [name for name, places in blocks.items() if place in places and len(places) > 1]
    is_shared = rows[c.TRIAL_ID].isin(shared)
    if not is_shared.any() or is_shared.all():
        return rows
    return rows[~is_shared | rows[c.SEED].isin(rows[c.SEED][~is_shared].unique())]


def trial_table(plan: Plan) -> pd.DataFrame:
    """Return a row per planned trial, indexed by trial_id: its name, its block, its seeds and its parameters."""
    trials, blocks = [planned.trial for planned in plan.trials], [planned.blocks[0] for planned in plan.trials]
    rows = {
        NAME: labels([trial.parameters for trial in trials], blocks, phrase),
        BLOCK: blocks,
        PLANNED: [planned.trainings for planned in plan.trials],
        SEEDS: [write_seeds(planned.seeds) for planned in plan.trials],
        **{name: [trial.parameters[name] for trial in trials] for name in PARAMETERS},
    }
    return pd.DataFrame(rows, index=pd.Index([trial.trial_id for trial in trials], name=c.TRIAL_ID))


def highest(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return the row with the greatest number in a column, the first of several."""
    return _row(table, int(np.nanargmax(table[name].to_numpy(dtype=np.float64))))


def lowest(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return the row with the smallest number in a column, the first of several."""
    return _row(table, int(np.nanargmin(table[name].to_numpy(dtype=np.float64))))


def _row(table: pd.DataFrame, place: int) -> dict[str, Any]:
    return {str(name): values.array[place] for name, values in table.items()}


def in_words(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return some parameters of a trial in words."""
    return phrase({name: row[name] for name in names}, DIGITS)


def in_order(name: str, values: Sequence[Any]) -> list[Any]:
    """Return the distinct values of a parameter in an order that makes sense: hidden layers by their sizes."""
    distinct = list(dict.fromkeys(values))
    if name == c.HIDDEN:
        return sorted(distinct, key=lambda hidden: [int(size) for size in str(hidden).split("-")])
    is_number = all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in distinct)
    return sorted(distinct) if is_number else distinct


def _parameters(trials: pd.DataFrame) -> list[Any]:
    return trials[list(PARAMETERS)].to_dict("records")

"""Results of a search: what was proposed, what was best, what that is worth on other seeds, and what mattered.

Repeated searches compare one sampler with another. Shapes: R repeats of one sampler, N proposals of each.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, t, ttest_ind

from bench.config.plan import Plan
from bench.config.search_config import Reference
from bench.config.search_space import Dimension, Range
from bench.metrics import columns as c
from bench.metrics.objectives import MAXIMIZE, MEDIAN_MSE, OBJECTIVES, SOLVED_RATE, objective
from bench.model.display_labels import phrase
from bench.stats.grid_analysis import DIGITS
from bench.stats.holdout import (
    COMPLETE,
    FEASIBLE,
    HELD_OUT,
    KIND,
    NUMBER,
    RANK,
    REFERENCE,
    SEARCH,
    STATE,
    TITLE,
    VIOLATION,
    WINNER,
    TrialScores,
    best_so_far,
    held_out_table,
    pareto_front,
)
from bench.stats.proportions import CONFIDENCE, HIGH, LOW, TAIL

BEST, LABEL = "best", "label"
OBJECTIVE, EVALUATOR, PARAMETER, IMPORTANCE = "objective", "evaluator", "parameter", "importance"
TRIAL, END, VALUE = "trial", "end", "value"
EDGE = 0.02  # of a range, on its own scale: what lies nearer to an end may be better beyond it
SAMPLER, SAMPLER_SEED, IS_BASELINE, TRIALS, ENDED = "sampler", "seed", "is_baseline", "judged", "ended"
MEAN = "mean"
STUDIES = [SAMPLER, SAMPLER_SEED, IS_BASELINE, TRIALS, ENDED, c.TRIAL_ID, SEARCH, HELD_OUT]
RUNNING = [SAMPLER, NUMBER, MEAN, LOW, HIGH]


@dataclass(frozen=True)
class Difference:
    """The mean value of a sampler's winners less that of the baseline's, on held-out seeds where there are any.

    ``superiority`` is the probability that a winner of the sampler is better than one of the baseline, ties counted
    half; ``low`` and ``high`` are missing with fewer than two repeats, and where nothing varies.
    """

    side: str
    sampler: str
    baseline: str
    repeats: int
    baseline_repeats: int
    mean: float
    low: float
    high: float
    superiority: float


@dataclass(frozen=True, eq=False)
class SearchResults(TrialScores):
    """A sweep's search, from its plan, its trainings, and what was ``saved`` of it when it ended, if it did."""

    saved: Mapping[str, Any] | None = None

    @property
    def space(self) -> Mapping[str, Dimension]:
        """What each searched parameter may be."""
        return self.search.space

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row per proposal that was trained, in Optuna's order, with values, the best so far and the parameters.

        The best so far is there with one objective only; a parameter that was not searched is None.
        """
        table = self.tables[0]
        if len(self.objectives) == 1:
            table = table.assign(**{BEST: best_so_far(table, self.primary, self.objectives[self.primary])})
        values = [self.params(trial_id) for trial_id in table[c.TRIAL_ID]]
        columns: dict[str, Any] = {name: _column([one[name] for one in values]) for name in self.space}
        return table.assign(**columns)

    @cached_property
    def parameters(self) -> dict[str, Mapping[str, Any]]:
        """All parameters of every planned trial."""
        return {name: planned.trial.parameters for name, planned in self.planned.items()}

    @cached_property
    def front(self) -> pd.DataFrame:
        """The proposals on the Pareto front, each trial once; with one objective the best."""
        return pareto_front(self.history, self.objectives)

    @cached_property
    def best(self) -> pd.DataFrame:
        """The winners' rows of the history, by rank, each with its label; where none keeps the limits, the nearest."""
        first = self.history[self.history[STATE] == COMPLETE].drop_duplicates(c.TRIAL_ID)
        ranks = {winner.trial_id: winner.rank for winner in self.proposals.winners if winner.study == 0}
        rows = first[first[c.TRIAL_ID].isin(list(ranks))]
        named: dict[str, Any] = {RANK: rows[c.TRIAL_ID].map(ranks), LABEL: [label(number) for number in rows[NUMBER]]}
        return rows.assign(**named).sort_values(RANK, kind="stable")

    @cached_property
    def held_out(self) -> pd.DataFrame:
        """The winners, then the references, on the seeds of the search and on held-out ones."""
        best = zip(self.best[RANK].tolist(), self.best[LABEL], self.best[c.TRIAL_ID], strict=True)
        winners = [
            {KIND: WINNER, RANK: rank, TITLE: f"{name} {self.named(trial_id)}", c.TRIAL_ID: trial_id}
            for rank, name, trial_id in best
        ]
        references = [
            {KIND: REFERENCE, TITLE: self._title(one), c.TRIAL_ID: one.trial.trial_id} for one in self.search.references
        ]
        return held_out_table(self, [*winners, *references])

    def _title(self, reference: Reference) -> str:
        """Return a reference's title, with its budget if that is not the search's."""
        own = reference.trial.iterations
        budgets = {self.parameters[trial_id][c.ITERATIONS] for trial_id in self.history[c.TRIAL_ID]}
        return reference.title if own in budgets else f"{reference.title} ({own:,} iterations)"

    def params(self, trial_id: str) -> dict[str, Any]:
        """Return the searched parameters of a trial, as Optuna calls them, each None where it is not searched."""
        found = self.search.active(self.parameters[trial_id])
        return {name: found.get(name) for name in self.space}

    def named(self, trial_id: str) -> str:
        """Return the searched parameters of a trial in words."""
        values = self.params(trial_id).items()
        return phrase({name: value for name, value in values if value is not None}, DIGITS)

    @cached_property
    def importances(self) -> pd.DataFrame:
        """How much each parameter mattered to each objective, by each of Optuna's evaluators; empty until it ended."""
        rows = (self.saved or {}).get(IMPORTANCE) or []
        return pd.DataFrame(rows, columns=[OBJECTIVE, EVALUATOR, PARAMETER, IMPORTANCE])

    def causes(self, name: str) -> list[str]:
        """Return what was searched that an objective can depend on."""
        stopped = any(parameters["stop"] == "solved" for parameters in self.parameters.values())
        return OBJECTIVES[name].can_depend_on(self.space, stopped=stopped)

    @property
    def disagreement(self) -> dict[str, dict[str, str]]:
        """By objective, what each evaluator ranks first, where they do not agree."""
        ordered = self.importances.sort_values(IMPORTANCE, ascending=False, kind="stable")
        first = ordered.drop_duplicates([OBJECTIVE, EVALUATOR])
        tops = {str(name): dict(zip(rows[EVALUATOR], rows[PARAMETER], strict=True)) for name, rows in
                first.groupby(OBJECTIVE, sort=False)}  # fmt: skip
        return {name: top for name, top in tops.items() if len(set(top.values())) > 1}

    @cached_property
    def edges(self) -> pd.DataFrame:
        """A row for each winner that lies within 2 % of an end of a range, on its own scale: there may be better."""
        found = [
            {TRIAL: row[LABEL], PARAMETER: name, VALUE: row[name], END: end}
            for row in self.best.to_dict("records")
            for name, over in self.space.items()
            if isinstance(over.over, Range) and row[name] is not None
            for end in [range_end(float(row[name]), over.over)]
            if end
        ]
        return pd.DataFrame(found, columns=[TRIAL, PARAMETER, VALUE, END])

    @property
    def is_unsolved(self) -> bool:
        """Whether some proposal was trained, and no training of any solved its gate."""
        return len(self.history) > 0 and bool((self.history[SOLVED_RATE] == 0).all())

    @property
    def nearest(self) -> Mapping[str, Any] | None:
        """What came nearest where nothing was solved, by median error, or where no trial keeps the limits, by those.

        None where some trial does, and where nothing was trained.
        """
        complete = self.history[self.history[STATE] == COMPLETE]
        rows = complete if len(complete) else self.history
        if rows.empty or (rows[FEASIBLE].any() and not self.is_unsolved):
            return None
        by = [MEDIAN_MSE] if self.is_unsolved else [VIOLATION]
        return {str(name): value for name, value in rows.sort_values(by, kind="stable").iloc[0].items()}

    @property
    def duplicates(self) -> int:
        """How many proposals named a trial that had been proposed before."""
        proposed = self.proposals.studies[0].trials
        return len(proposed) - len(set(proposed))

    # repeated searches

    @cached_property
    def studies(self) -> pd.DataFrame:
        """A row per study: sampler, seed, whether it ended, and the first objective of its best trial on each side.

        One has ended when all its trials were trained. Its best trial is its winner, or the best so far.
        """
        rows = []
        for place, (study, table) in enumerate(zip(self.proposals.studies, self.tables, strict=True)):
            won = [winner.trial_id for winner in self.proposals.winners if (winner.study, winner.rank) == (place, 1)]
            first = pareto_front(table, {self.primary: self.objectives[self.primary]})
            trial_id = next(iter(won or first[c.TRIAL_ID]), None)
            sides = [self.on(side, trial_id) if trial_id else None for side in (SEARCH, HELD_OUT)]
            values = [np.nan if trained is None else objective(trained, self.primary) for trained in sides]
            ended = len(table) == self.search.trials
            row = (study.sampler, study.seed, place >= self.search.repeats, len(table), ended, trial_id, *values)
            rows.append(row)
        return pd.DataFrame(rows, columns=STUDIES)

    @cached_property
    def running(self) -> pd.DataFrame:
        """The mean best so far of each sampler by the number of the proposal, over the studies that ended.

        With Student's 95 % interval over repeats, at each number by itself; missing below two repeats, and where some
        study has no feasible trial yet.
        """
        ended = self.studies[self.studies[ENDED].astype(bool)]
        parts = [pd.DataFrame(columns=RUNNING)]
        for (_, sampler), rows in ended.groupby([IS_BASELINE, SAMPLER], sort=False):
            tables = [self.tables[place] for place in rows.index]
            best = [best_so_far(table, self.primary, self.objectives[self.primary]) for table in tables]
            best_NR = np.stack(best, axis=1)
            best_NR = np.where(np.isfinite(best_NR), best_NR, np.nan)
            mean_N, half_N = best_NR.mean(axis=1), np.full(len(best_NR), np.nan)
            if len(tables) > 1:
                half_N = t.ppf(TAIL, len(tables) - 1) * best_NR.std(axis=1, ddof=1) / np.sqrt(len(tables))
            columns = {SAMPLER: str(sampler), NUMBER: tables[0][NUMBER].to_numpy(), MEAN: mean_N}
            parts.append(pd.DataFrame({**columns, LOW: mean_N - half_N, HIGH: mean_N + half_N}))
        return pd.concat(parts[1:] or parts, ignore_index=True)

    @cached_property
    def difference(self) -> Difference | None:
        """How the sampler's winners compare with the baseline's, of the studies that ended; None without both.

        The interval is Welch's (1947) for a difference of means with unequal variances; the probability of superiority
        is Mann and Whitney's (1947) U over the number of pairs.
        """
        side = HELD_OUT if len(self.search.held_out) else SEARCH
        ended = self.studies[ENDED].astype(bool) & np.isfinite(self.studies[side].astype(float))
        is_baseline = self.studies[IS_BASELINE].astype(bool)
        own, baseline = self.studies[ended & ~is_baseline], self.studies[ended & is_baseline]
        if own.empty or baseline.empty:
            return None
        values, others = (rows[side].to_numpy(dtype=np.float64) for rows in (own, baseline))
        share = float(mannwhitneyu(values, others).statistic) / len(values) / len(others)
        low, high = _welch_interval(values, others)
        return Difference(
            side=side,
            sampler=str(own[SAMPLER].iloc[0]),
            baseline=str(baseline[SAMPLER].iloc[0]),
            repeats=len(values),
            baseline_repeats=len(others),
            mean=float(values.mean() - others.mean()),
            low=low,
            high=high,
            superiority=share if self.objectives[self.primary] == MAXIMIZE else 1 - share,
        )


def search_results(plan: Plan, trainings: pd.DataFrame, saved: Mapping[str, Any] | None) -> SearchResults | None:
    """Return the results of a sweep's search; None where it has none or several, or nothing was proposed yet."""
    if plan.search is None or plan.search.each or plan.proposals is None or not plan.proposals.studies:
        return None  # of several combinations there is more: see `bench.stats.combinations`
    return SearchResults(plan, trainings, saved)


def label(number: int) -> str:
    """Return what a proposal is called, by Optuna's number."""
    return f"#{number}"


def _column(values: Sequence[Any]) -> "pd.Series[Any]":
    """Return a column in which what is missing stays None."""
    return pd.Series(values, dtype=object) if None in values else pd.Series(values)


def range_end(value: float, over: Range) -> str:
    """Return which end of its range a value lies at, if any."""
    low, at, high = (np.log(end) if over.log else end for end in (over.low, value, over.high))
    share = (at - low) / (high - low)
    return "low" if share <= EDGE else "high" if share >= 1 - EDGE else ""


def _welch_interval(values: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of Welch's 95 % interval; missing where a side has one value, or neither varies."""
    if min(len(values), len(others)) < 2 or (np.ptp(values) == 0 and np.ptp(others) == 0):
        return np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # values that are nearly alike lose digits
        found = ttest_ind(values, others, equal_var=False).confidence_interval(CONFIDENCE)
    return float(found.low), float(found.high)

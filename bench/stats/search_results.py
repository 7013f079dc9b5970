"""A search as it is read: what was proposed, what was best, what that is worth on other seeds, and what mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bench.config.plan import Plan
from bench.config.search_config import Reference, Search
from bench.config.search_space import Dimension, Range
from bench.config.search_state import Proposals
from bench.metrics import columns as c
from bench.metrics.objectives import MEDIAN_MSE, SOLVED_RATE
from bench.model.labels import word
from bench.stats import holdout
from bench.stats.block_analysis import DIGITS, SEED
from bench.stats.holdout import RANK, Difference, HoldoutTrial
from bench.stats.trial_scores import COMPLETE, FEASIBLE, NUMBER, STATE, VIOLATION, TrialScores

BEST, LABEL = "best", "label"
OBJECTIVE, EVALUATOR, PARAMETER, IMPORTANCE = "objective", "evaluator", "parameter", "importance"
TRIAL, END, VALUE = "trial", "end", "value"
EDGE = 0.02  # of a range, on its own scale: what lies nearer to an end may be better beyond it


@dataclass(frozen=True, eq=False)
class SearchResults:
    """A sweep's search, from its plan, its trainings, and what it ``kept`` when it ended, which may be nothing."""

    plan: Plan
    trainings: pd.DataFrame
    kept: Mapping[str, Any] | None = None

    @property
    def search(self) -> Search:
        """The search that was asked for."""
        return self.judged.search

    @property
    def proposals(self) -> Proposals:
        """The trials that it proposed so far."""
        return self.judged.proposals

    @cached_property
    def judged(self) -> TrialScores:
        """The values of its trials."""
        return TrialScores(self.plan, self.trainings)

    @property
    def space(self) -> Mapping[str, Dimension]:
        """What each searched parameter may be."""
        return self.search.space

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row per proposal that was judged, in Optuna's order, with values, the best so far and the parameters.

        The best so far is there with one objective only; a parameter that was not searched is None.
        """
        table = self.judged.tables[0]
        if len(self.judged.objectives) == 1:
            table = table.assign(**{BEST: self.judged.running_best(table)})
        chosen = [self.chosen(trial_id) for trial_id in table[c.TRIAL_ID]]
        columns: dict[str, Any] = {name: _column([one[name] for one in chosen]) for name in self.space}
        return table.assign(**columns)

    @cached_property
    def parameters(self) -> dict[str, Mapping[str, Any]]:
        """All parameters of every planned trial."""
        return {name: planned.trial.parameters for name, planned in self.judged.planned.items()}

    @cached_property
    def front(self) -> pd.DataFrame:
        """The proposals that none is better than, each trial once; with one objective the best."""
        return self.judged.front(self.history)

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
        winners = [
            HoldoutTrial(f"{row[LABEL]} {self.named(row[c.TRIAL_ID])}", holdout.BEST, row[c.TRIAL_ID], int(row[RANK]))
            for row in self.best.to_dict("records")
        ]
        references = [
            HoldoutTrial(self._title(one), holdout.REFERENCE, one.trial.trial_id) for one in self.search.references
        ]
        return holdout.held_out_table(self.judged, [*winners, *references])

    def _title(self, reference: Reference) -> str:
        """Return a reference's title, with its budget if that is not the search's."""
        own = reference.trial.iterations
        budgets = {self.parameters[trial_id][c.ITERATIONS] for trial_id in self.history[c.TRIAL_ID]}
        return reference.title if own in budgets else f"{reference.title} ({own:,} iterations)"

    def chosen(self, trial_id: str) -> dict[str, Any]:
        """Return the searched parameters of a trial, each None where it is not searched."""
        found = self.search.active(self.parameters[trial_id])
        return {name: found.get(name) for name in self.space}

    def named(self, trial_id: str) -> str:
        """Return the searched parameters of a trial in words."""
        return " ".join(word(name, value, DIGITS) for name, value in self.chosen(trial_id).items() if value is not None)

    @cached_property
    def studies(self) -> pd.DataFrame:
        """The repeated searches, a row each."""
        return holdout.studies_table(self.judged)

    @cached_property
    def running(self) -> pd.DataFrame:
        """The mean best so far of each sampler by number of trials."""
        return holdout.running_table(self.judged, self.studies, SEED)

    @cached_property
    def difference(self) -> Difference | None:
        """The sampler's winners against the baseline's; None where there are not both."""
        return holdout.difference_of(self.judged, self.studies)

    @cached_property
    def importances(self) -> pd.DataFrame:
        """How much each parameter mattered to each objective, by each of Optuna's evaluators; empty until it ended."""
        rows = (self.kept or {}).get(IMPORTANCE) or []
        return pd.DataFrame(rows, columns=[OBJECTIVE, EVALUATOR, PARAMETER, IMPORTANCE])

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
            for end in [_edge(float(row[name]), over.over)]
            if end
        ]
        return pd.DataFrame(found, columns=[TRIAL, PARAMETER, VALUE, END])

    @property
    def is_unsolved(self) -> bool:
        """Whether something was judged, and no training of it solved its gate."""
        return len(self.history) > 0 and bool((self.history[SOLVED_RATE] == 0).all())

    @property
    def nearest(self) -> Mapping[str, Any] | None:
        """What came nearest where nothing was solved, by median error, or where no trial keeps the limits, by those.

        None where some trial does, and where nothing was judged.
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
        listed = self.proposals.studies[0].trials
        return len(listed) - len(set(listed))


def search_results(plan: Plan, trainings: pd.DataFrame, kept: Mapping[str, Any] | None) -> SearchResults | None:
    """Return a sweep's search; None where it has none, or nothing was proposed yet."""
    begun = plan.proposals is not None and bool(plan.proposals.studies)
    return SearchResults(plan, trainings, kept) if begun else None


def label(number: int) -> str:
    """Return what a proposal is called, by Optuna's number."""
    return f"#{number}"


def _column(values: Sequence[Any]) -> "pd.Series[Any]":
    """Return a column in which what is missing stays None."""
    return pd.Series(values, dtype=object) if None in values else pd.Series(values)


def _edge(value: float, over: Range) -> str:
    """Return which end of its range a value lies at, if any."""
    low, at, high = (np.log(end) if over.log else end for end in (over.low, value, over.high))
    share = (at - low) / (high - low)
    return "low" if share <= EDGE else "high" if share >= 1 - EDGE else ""

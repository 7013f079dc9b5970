"""Results of a search for each of several combinations: what the best of each is worth beside the first variant's.

All are trained on the same held-out seeds, so that they are compared seed by seed. Shapes: S seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bench.config.plan import Plan
from bench.config.search_space import Range
from bench.metrics import columns as c
from bench.metrics.measures import begun
from bench.stats.holdout import HELD_OUT, OPTIMISM, SEARCH, TrialScores, optimism, pareto_front
from bench.stats.paired_tests import holm, mcnemar_p, mean_difference
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, exact_interval, tail_at_once
from bench.stats.search_results import range_end

VARIANT, SETTING, AS_SEARCHED = "variant", "setting", "as_searched"
DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH = "difference", "difference_low", "difference_high"
ONLY_ONE, ONLY_OTHER, PAIRS, P, P_HOLM = "only_one", "only_other", "pairs", "p", "p_holm"
AT_THE_EDGE = "at_the_edge"
COMPARED = [PAIRS, ONLY_ONE, ONLY_OTHER, DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH, P, P_HOLM]


@dataclass(frozen=True, eq=False)
class CombinationResults(TrialScores):
    """A sweep's searches, one for each combination, from its plan, its trainings, and what was ``saved`` of them."""

    saved: Mapping[str, Any] | None = None

    @property
    def variants(self) -> list[str]:
        """The variants in the order of the file: the first is what the others are compared with."""
        return list(dict.fromkeys(one.variant for one in self.search.each))

    @property
    def settings(self) -> list[str]:
        """The settings that all variants are tried in."""
        return list(dict.fromkeys(one.setting for one in self.search.each))

    @property
    def proposed(self) -> int:
        """How many different trials were proposed for all combinations together."""
        return len({trial_id for study in self.proposals.studies for trial_id in study.trials})

    @cached_property
    def best(self) -> list[str | None]:
        """The id of the best trial of each combination, or of the best so far; None where nothing was judged yet."""
        won = {one.study: one.trial_id for one in self.proposals.winners}
        if won:
            return [won.get(place) for place in range(len(self.search.each))]
        fronts = (pareto_front(table, {self.primary: self.objectives[self.primary]}) for table in self.tables)
        found = [next(iter(front[c.TRIAL_ID]), None) for front in fronts]
        return [*found, *[None] * (len(self.search.each) - len(found))]

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each combination whose best is known: its solved rates on both sides, and beside the first variant.

        ``difference`` is the solved rate on held-out seeds less that of the first variant in the same setting, over the
        pairs of trainings from the same start. Its intervals are those of `mean_difference` and hold for all
        combinations at once; ``p_holm`` is McNemar's, adjusted for all. ``optimism`` is by how much the solved rate was
        higher as searched, in the interval of the held-out one. Searched parameters have columns of their own.
        """
        chosen = [(one, trial_id) for one, trial_id in zip(self.search.each, self.best, strict=True) if trial_id]
        rows = [
            {VARIANT: one.variant, SETTING: one.setting, c.TRIAL_ID: trial_id, **self._params(trial_id)}
            for one, trial_id in chosen
        ]
        solved = {(row[VARIANT], row[SETTING]): self._solved(row[c.TRIAL_ID], HELD_OUT) for row in rows}
        rows = [
            {**row, **self._rates(row[c.TRIAL_ID], solved[row[VARIANT], row[SETTING]]), **self._against(solved, row)}
            for row in rows
        ]
        names = [VARIANT, SETTING, c.TRIAL_ID, *self.search.space, AT_THE_EDGE, AS_SEARCHED, COUNT, c.SOLVED, RATE, LOW,
                 HIGH, *OPTIMISM, *COMPARED]  # fmt: skip
        return self._at_once(pd.DataFrame(rows, columns=names))

    @property
    def compared(self) -> pd.DataFrame:
        """The rows of the table that have a difference."""
        return self.table[self.table[DIFFERENCE].notna()]

    def _params(self, trial_id: str) -> dict[str, Any]:
        """Return the searched parameters of a trial, and which of them lie at an end of a range."""
        parameters = self.planned[trial_id].trial.parameters
        active = self.search.active(parameters)
        ends = {
            name: end
            for name, value in active.items()
            if isinstance(over := self.search.space[name].over, Range) and (end := range_end(float(value), over))
        }
        return {**{name: active.get(name) for name in self.search.space}, AT_THE_EDGE: ends}

    def _solved(self, trial_id: str, side: str) -> "pd.Series[bool] | None":
        """Return whether each training of a trial on one side solved, by seed; None where they are not all there."""
        rows = self.on(side, trial_id)
        return None if rows is None else begun(rows).set_index(c.SEED)[c.SOLVED].astype(bool)

    def _rates(self, trial_id: str, held_out: "pd.Series[bool] | None") -> dict[str, float]:
        """Return the solved rates of a trial: as searched, and held out with its exact interval, and the optimism."""
        found: dict[str, float] = {}
        searched = self._solved(trial_id, SEARCH)
        if searched is not None and len(searched):
            found[AS_SEARCHED] = float(searched.mean())
        if held_out is not None and len(held_out):
            solved, size = int(held_out.sum()), len(held_out)
            low, high = exact_interval(solved, size)
            found |= {COUNT: size, c.SOLVED: solved, RATE: solved / size, LOW: low, HIGH: high}
            if AS_SEARCHED in found:
                gap = optimism(found[AS_SEARCHED], (solved / size, low, high), more_is_better=True)
                found |= dict(zip(OPTIMISM, gap, strict=True))
        return found

    def _against(
        self, solved: Mapping[tuple[str, str], "pd.Series[bool] | None"], row: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return of how many starts the first variant solves it or not, and this one does or does not."""
        own, first = solved[row[VARIANT], row[SETTING]], solved.get((self.variants[0], row[SETTING]))
        if row[VARIANT] == self.variants[0] or own is None or first is None:
            return {}
        both_S2 = pd.concat([own, first], axis=1, join="inner").to_numpy(dtype=bool)
        only_S = both_S2[:, 0].astype(np.int64) - both_S2[:, 1]
        if not len(only_S):
            return {}
        return {PAIRS: len(only_S), ONLY_ONE: int((only_S > 0).sum()), ONLY_OTHER: int((only_S < 0).sum())}

    def _at_once(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with differences, their intervals that hold for all at once, and adjusted p."""
        paired = table[PAIRS].notna()
        tail = tail_at_once(int(paired.sum()))
        counts = table.loc[paired, [PAIRS, ONLY_ONE, ONLY_OTHER]].to_numpy(dtype=np.int64)
        for place, (pairs, plus, minus) in zip(table.index[paired], counts.tolist(), strict=True):
            only_S = np.repeat([1.0, -1.0, 0.0], [plus, minus, pairs - plus - minus])
            table.loc[place, [DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH]] = mean_difference(only_S, tail)
        p = mcnemar_p(counts[:, 1], counts[:, 2]) if len(counts) else np.empty(0)
        table.loc[paired, P], table.loc[paired, P_HOLM] = p, holm(p)
        floats = [AS_SEARCHED, COUNT, c.SOLVED, RATE, LOW, HIGH, *OPTIMISM, *COMPARED]
        return table.astype(dict.fromkeys(floats, np.float64))


def combination_results(
    plan: Plan, trainings: pd.DataFrame, saved: Mapping[str, Any] | None
) -> CombinationResults | None:
    """Return the results of a sweep's search for each combination; None where it has none, or nothing was proposed."""
    if plan.search is None or not plan.search.each or plan.proposals is None or not plan.proposals.studies:
        return None
    return CombinationResults(plan, trainings, saved)

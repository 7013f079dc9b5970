"""What the page shows of a sweep, as plain data, and what is computed of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import pandas as pd

from bench.config.experiment import ADHOC
from bench.config.plan import Plan
from bench.metrics import columns as c
from bench.model.display_labels import name_words, varying
from bench.report.map_words import map_title
from bench.report.number_format import gate_words, listed
from bench.report.panel_layout import is_single
from bench.stats.agreement import agreements, pair_summary
from bench.stats.claims import Verdict
from bench.stats.combinations import CombinationResults, combination_results
from bench.stats.grid_analysis import GridAnalysis, grid_analyses, trial_table
from bench.stats.map_analysis import MapAnalysis
from bench.stats.proportions import Account, account
from bench.stats.search_results import SearchResults, search_results
from bench.stats.timings import timing_table


def no_weights(_wanted: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], Any]:
    """Return no final weights: those of made-up trainings are nowhere."""
    return {}


@dataclass(frozen=True, eq=False)
class SweepData:
    """Everything that the page shows of one sweep, as plain data; what is computed of it is computed once.

    ``runs`` has the address of each trial's run in the MLflow UI, and ``mlflow`` says when it answers. ``searched`` is
    what a search kept when it ended: importances, and where the time went. ``weights`` reads the final weights of some
    trainings, each a trial's id and a seed.
    """

    sweep: str
    status: str
    started: datetime
    plan: Plan
    environment: dict[str, Any]
    figures: dict[str, float]
    trainings: pd.DataFrame
    timings: pd.DataFrame
    cold_starts: Sequence[dict[str, Any]]
    verdicts: Sequence[Verdict]
    runs: Mapping[str, str] = field(default_factory=dict)
    mlflow: str = ""
    searched: Mapping[str, Any] | None = None
    checked: Sequence[Mapping[str, Any]] = ()
    weights: Callable[[Sequence[tuple[str, int]]], Mapping[tuple[str, int], Any]] = no_weights
    maps: Sequence[MapAnalysis] = ()
    counted: Callable[[], Account] | None = None
    curves: int | None = None  # the most seeds of a trial whose curves are in trainings; None for all that were kept
    first: int | None = None  # seeds of each trial that are in trainings; None where all are

    @cached_property
    def account(self) -> Account:
        """What became of every training, those that are not in ``trainings`` included."""
        return self.counted() if self.counted else account([self.trainings])

    @property
    def title(self) -> str:
        """The title that was given, or what was swept, where nobody gave one and it is the words of the command."""
        question, trials = self.plan.question, [planned.trial for planned in self.plan.trials]
        if question.experiment != ADHOC or question.title not in question.command:
            return question.title
        if not trials:
            return map_title(self.plan.maps[0]) if self.plan.maps else question.title
        gates = gate_words(trial.gate.name for trial in trials)
        if self.plan.search is not None:
            return f"A search for networks that learn {gates}"
        varied = [name_words(name) for name in varying([t.parameters for t in trials]) if name != c.GATE]
        return f"{gates} by {listed(varied)}" if varied else gates

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The planned trials, a row each, with their names and blocks."""
        return trial_table(self.plan)

    @cached_property
    def blocks(self) -> list[GridAnalysis]:
        """The blocks with trainings that ran together."""
        return list(grid_analyses(self.plan, self.trainings, self.checked))

    @property
    def rated(self) -> list[GridAnalysis]:
        """The blocks with rates: of more than single trainings, and of some that were begun."""
        return [block for block in self.blocks if not is_single(block) and len(block.begun)]

    @cached_property
    def agreed(self) -> pd.DataFrame:
        """How far each two backends come out the same, by trial."""
        return agreements(self.trainings)

    @cached_property
    def agreed_pairs(self) -> pd.DataFrame:
        """The same over all trials, a row for each two backends and dtype."""
        return pair_summary(self.agreed)

    @cached_property
    def timed(self) -> pd.DataFrame:
        """What was timed alone, a row for each trial and number of trainings side by side."""
        return timing_table(self.timings, self.agreed)

    @cached_property
    def search_results(self) -> SearchResults | None:
        """All that is known of its search; None where it has none, or one for each of several combinations."""
        return search_results(self.plan, self.trainings, self.searched)

    @cached_property
    def combinations(self) -> CombinationResults | None:
        """All that is known of a search for each of several combinations; None where it has none."""
        return combination_results(self.plan, self.trainings, self.searched)


def heading(data: SweepData, block: GridAnalysis) -> str:
    """Return what a block is called among several; nothing where it is the only one."""
    return (block.title or "The grid") if len(data.blocks) > 1 else ""

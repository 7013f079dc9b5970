"""Sections: what the page of a sweep consists of, each registered once, in the file that fills it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import pandas as pd

from bench.config.plan import Plan
from bench.stats.block_analysis import FEW_SEEDS, BlockAnalysis, block_analyses, trial_table
from bench.stats.claims import Verdict
from bench.stats.search_results import SearchResults, search_results

Content = dict[str, Any]  # what a template shows
GRID = "The grid"  # the title of a block without one


@dataclass(frozen=True, eq=False)
class SweepData:
    """Everything that the page shows of one sweep, as plain data; what is computed of it is computed once.

    ``runs`` has the address of each trial's run in the MLflow UI, and ``mlflow`` says when it answers. ``searched`` is
    what a search kept when it ended: importances, and where the time went.
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
    curves: int | None = None  # the most seeds of a trial whose curves are in trainings; None for all that were kept

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The planned trials, a row each, with their names and blocks."""
        return trial_table(self.plan)

    @cached_property
    def blocks(self) -> list[BlockAnalysis]:
        """The blocks with trainings that ran together."""
        return list(block_analyses(self.plan, self.trainings))

    @cached_property
    def search_results(self) -> SearchResults | None:
        """All that is known of its search; None where it has none."""
        return search_results(self.plan, self.trainings, self.searched)


@dataclass(frozen=True)
class Section:
    """A section of the page: its anchor, its name in the contents, its question, its heading, and what it shows.

    The template of the same name shows the content; there is no section where that is empty. Content with a heading
    of its own needs no other. A section ``by_block`` has content for each block, one after the other.
    """

    name: str
    contents: str
    question: str
    heading: str
    content: Callable[[SweepData], Any]
    by_block: bool = False


def is_single(block: BlockAnalysis) -> bool:
    """Whether a block has so few seeds that its trainings are shown one by one."""
    return bool(block.seeds.max() <= FEW_SEEDS) if len(block.seeds) else True


def trained(blocks: Sequence[BlockAnalysis]) -> list[BlockAnalysis]:
    """Return the blocks with distributions to show."""
    return [block for block in blocks if not is_single(block) and len(block.trained)]


def of_blocks(
    name: str,
    contents: str,
    question: str,
    heading: str,
    content: Callable[[SweepData, BlockAnalysis, str], Content | None],
    blocks: Callable[[Sequence[BlockAnalysis]], Sequence[BlockAnalysis]] = trained,
) -> Section:
    """Return a section with content for each of these blocks that has some."""

    def build(data: SweepData) -> list[Content]:
        parts = [(block, content(data, block, str(data.blocks.index(block) + 1))) for block in blocks(data.blocks)]
        several = len(data.blocks) > 1
        return [
            {"heading": (block.title or GRID) if several else "", "picked": block.proposed, **part}
            for block, part in parts
            if part is not None
        ]

    return Section(name, contents, question, heading, build, by_block=True)

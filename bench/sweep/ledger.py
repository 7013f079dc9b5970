"""What has come back of each trial so far."""

from dataclasses import dataclass, field

from bench.experiment.grid import PlannedTrial
from bench.tracking import columns as c
from bench.tracking.rows import Table, seeds_only, solved_count, together


@dataclass
class Ledger:
    """One trial: what is planned, and what has come back.

    While it ``grows``, seeds may be added; its rows, which may become many, then stay in the shards until that ends.
    While it ``waits``, a search has not told what came of it. What a trial is ``judged`` by is kept for such a search.
    """

    planned: PlannedTrial
    grows: bool = False
    waits: bool = False
    judged: bool = False
    tables: list[Table] = field(default_factory=list)
    trained: int = 0
    solved: int = 0
    together: int = 0  # of those trained
    solved_together: int = 0

    def add(self, table: Table) -> None:
        """Account for trainings that came back."""
        self.tables.append(self._kept(table) if self.grows else table.select(c.DESCRIBED))
        self.trained += table.num_rows
        self.solved += solved_count(table)
        beside = together(table)
        self.together += beside.num_rows
        self.solved_together += solved_count(beside)

    def forget(self) -> None:
        """Keep of the rows only which seeds there are, and what they are judged by: the rest is safe in the shards."""
        self.tables = [self._kept(table) for table in self.tables]

    def _kept(self, table: Table) -> Table:
        return table.select(c.JUDGED) if self.judged else seeds_only(table)

    @property
    def missing(self) -> int:
        """How many planned trainings have not come back."""
        return self.planned.trainings - self.trained

    @property
    def last_curve_seed(self) -> int:
        """The last seed whose lists are kept."""
        seeds = self.planned.seeds
        return int(seeds[min(len(seeds), c.CURVES_PER_TRIAL) - 1])

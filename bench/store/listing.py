"""The sweeps of a store as a list shows them; of a file of SQLite without MLflow, whose import takes a second."""

import contextlib
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.store.names import ANSWER_TAG, COMMAND_TAG, FINISHED, KIND, OWNER_TAG, RUNNING, SQLITE, SWEEP
from bench.store.owner import is_alive

FIGURES = ("trials", "trainings")
RUNS = """
SELECT runs.run_uuid, experiments.name, runs.status, runs.start_time, runs.name
FROM runs JOIN experiments USING (experiment_id) JOIN tags ON tags.run_uuid = runs.run_uuid
WHERE tags.key = ? AND tags.value = ? AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
ORDER BY runs.start_time DESC, runs.run_uuid
"""
Run = tuple[str, str, str, int, str]  # id, experiment, status, start in milliseconds, name
TIME = re.compile(r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")  # at the end of a name
VALUES = [
    "SELECT key, value FROM params WHERE run_uuid = ?",
    "SELECT key, value FROM latest_metrics WHERE run_uuid = ?",
    "SELECT key, value FROM tags WHERE run_uuid = ?",
]


@dataclass(frozen=True)
class SweepInfo:
    """Sweep as a listing shows it; ``answer`` is what came of it in a sentence, where a report was written.

    ``name`` is its title, or what it asks in a few words. ``running`` says whether the process that is at it runs on
    this machine.
    """

    sweep: str
    experiment: str
    status: str
    started: datetime
    trials: int
    trainings: int
    command: str
    answer: str = ""
    running: bool = False
    name: str = ""

    @classmethod
    def of(
        cls,
        run: Run,
        figures: Mapping[str, float | str],
        tags: Mapping[str, str],
    ) -> "SweepInfo":
        """Return what a list shows of a run, its figures and its tags."""
        sweep, experiment, status, start, name = run
        started = datetime.fromtimestamp(start / 1000, tz=UTC)
        trials, trainings = (_whole(figures.get(name, 0)) for name in FIGURES)
        command, answer = (tags.get(name, "") for name in (COMMAND_TAG, ANSWER_TAG))
        running = status == RUNNING and is_alive(tags.get(OWNER_TAG, ""))
        return cls(sweep, experiment, status, started, trials, trainings, command, answer, running, TIME.sub("", name))

    @property
    def resuming(self) -> str:
        """The command that goes on with a sweep that has not ended; nothing where it has, or goes on."""
        return "" if self.status == FINISHED or self.running else f"{self.command} --resume"


def read_list(uri: str) -> list[SweepInfo] | None:
    """Return every sweep of a file of SQLite, newest first; None where it is another store, or has other tables."""
    if not uri.startswith(SQLITE):
        return None
    path = Path(uri.removeprefix(SQLITE)).resolve()
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return [_info(connection, run) for run in connection.execute(RUNS, (KIND, SWEEP)).fetchall()]
    except (sqlite3.Error, ValueError):
        return None


def _whole(figure: float | str) -> int:
    """Return a figure as a whole number; one that somebody else wrote there as text is none."""
    try:
        return int(float(figure))
    except (ValueError, OverflowError):
        return 0


def _info(connection: sqlite3.Connection, run: Run) -> SweepInfo:
    params, metrics, tags = (dict(connection.execute(query, (run[0],)).fetchall()) for query in VALUES)
    return SweepInfo.of(run, {**params, **metrics}, tags)

"""What stores, and what is in them, are called: this file imports no library."""

import os
from collections.abc import Iterator
from pathlib import Path

from bench.user_files import is_file

SQLITE = "sqlite:///"  # before a path
DATABASE = "mlflow.db"  # a file of SQLite where nobody says which
DEFAULT_URI = f"{SQLITE}{DATABASE}"
SWEEP, TRIAL, TRAINING, MAP = "sweep", "trial", "training", "map"  # kinds of runs
BEGINNING = "beginning"  # kind of the run of a sweep until all is there that is needed to read or resume it
RUNNING, FINISHED, KILLED = "RUNNING", "FINISHED", "KILLED"
OWNER_TAG = "bench.owner"
KIND, TRIAL_TAG, PLAN_TAG, COMMAND_TAG = "bench.kind", "bench.trial_id", "bench.plan_id", "bench.command"
ANSWER_TAG = "bench.answer"  # what came of a sweep, in a sentence
CODE_TAG = "bench.code"  # a fingerprint of the code and the processor that trained
PARENT_TAG, NOTE_TAG, SOURCE_TAG = "mlflow.parentRunId", "mlflow.note.content", "mlflow.source.name"
COMMIT_TAG, ENVIRONMENT_TAGS = "mlflow.source.git.commit", "bench.env."  # before what is known of a machine
MAP_TAG = "bench.map_id"
NUMBER_TAG, STATE_TAG = "optuna.number", "optuna.state"  # of a trial that a search proposed
STUDY_TAG, STORAGE_TAG = "optuna.study", "optuna.storage"
# artifacts of a sweep
REUSED = "-reused"  # at the end of a shard's name: its rows are those of earlier sweeps
REUSED_FILES = f"*{REUSED}.parquet"
ROWS = "r"  # after the number of a shard's rows, in its name
PLAN, ENVIRONMENT = "plan.json", "environment.json"
BEGUN = "begun.json"  # name, params and tags of a sweep's run, from which it is written again if its store is lost
SHARDS, TIMINGS, COLD_STARTS, RUNS, SEARCH = "shards", "timings", "cold_starts.json", "runs.json", "search.json"
BUDGET_CHECK = "budget_check.json"
MAPS = "maps"  # a folder of shards for each
JOURNAL, ARTIFACTS = "optuna.journal", "mlruns"  # beside the store
SPOOL = "bench-spool"  # in the working folder, what sweeps on a server write until they have ended


def tracking_uri(given: str | None) -> str:
    """Return the URI in use: the given one, else MLFLOW_TRACKING_URI, else SQLite in the working folder."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def is_there(uri: str) -> bool:
    """Return whether a store is there; of a server or a database, that is found out when it is opened."""
    path = Path(uri.removeprefix(SQLITE))
    return not uri.startswith(SQLITE) or (is_file(path) and path.is_file())  # no pipe, and no name that is too long


def kept_beside(uri: str) -> Iterator[Path]:
    """Yield the folders of what sweeps keep beside a file of SQLite, known to it or not, as they were begun."""
    folder = Path(uri.removeprefix(SQLITE)).resolve().parent / ARTIFACTS
    found = folder.glob(f"*/*/artifacts/{ENVIRONMENT}") if uri.startswith(SQLITE) else ()
    begun = sorted(found, key=lambda path: (path.stat().st_mtime, path))
    yield from (path.parent for path in begun if (path.parent / PLAN).is_file())

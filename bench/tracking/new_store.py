"""A new SQLite store: made whole under another name, then moved to its own, so that a kill leaves none or all of it."""

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path
from uuid import uuid4

STALE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a database, and would play into a new one


def make_new(path: Path) -> None:
    """Make an MLflow database at a path that has none; who calls holds the lock of that path.

    MLflow makes its tables in some hundred transactions, and refuses a database that has only some of them.
    """
    folder = path.with_name(f"{path.name}.new")
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed here
    folder.mkdir()
    try:
        _make_tables(folder / f"{uuid4().hex}.db", folder / "whole.db")
        for ending in STALE:
            path.with_name(path.name + ending).unlink(missing_ok=True)
        os.replace(folder / "whole.db", path)  # noqa: PTH105 - named for what it is: atomic
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_tables(first: Path, whole: Path) -> None:
    """Let MLflow make its tables in one file, of a name never used before: it keeps an engine per URI for good.

    The copy is what the first file and its write-ahead log hold together, and has no log of its own.
    """
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{first}", DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH).engine.dispose()
    with contextlib.closing(sqlite3.connect(first)) as connection:
        connection.execute("VACUUM INTO ?", [str(whole)])

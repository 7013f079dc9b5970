"""Stores, and the command line as a user runs it."""

import contextlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from hypothesis import settings

mpl.use("agg")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
settings.register_profile("patient", deadline=None)  # other tests may hold the cores
settings.load_profile("patient")


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def blank_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with tables and nothing in them: making one takes seconds, copying it none."""
    from bench.tracking.store import Store

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    Store(f"sqlite:///{path}")
    blank = path.with_name("blank.db")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", [str(blank)])
    return blank


@pytest.fixture
def folder(tmp_path: Path, blank_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, but for an empty store."""
    shutil.copy(blank_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def bench(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``python -m bench`` with these words in the working folder."""
    from bench.cli import main

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        capsys.readouterr()
        status: Any = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        return Ran(int(status), captured.out, captured.err)

    return run

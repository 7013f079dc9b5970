"""Stores, the command line as a user runs it, and trainings as a sweep turns them into a frame."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from bench.backends.numpy_loop import NumpyLoop
from bench.config.plan import Plan
from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.model.initialization import MAX_SEED
from bench.model.loss import loss_value
from bench.model.outcome import NEVER, Batch, Outcome, Record, Result
from bench.model.trial import Trial
from bench.store.tables import concat, frame, rows

mpl.use("agg")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
settings.register_profile("quick", deadline=None, max_examples=40)  # other tests may hold the cores
settings.register_profile("thorough", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, or one of two cores idles at the end."""
    items.sort(key=lambda item: "test_reproduce" not in item.nodeid)


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
    from bench.store.mlflow_store import Store

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


# ------------------------------------------------------------------ trainings, made up or really trained


@pytest.fixture(scope="session")
def trial() -> Callable[..., Trial]:
    """Return a short trial: its loss is recorded at 0, 10, 20, ..., 90 of 100 iterations."""

    def short(**parameters: object) -> Trial:
        return Trial(**{"iterations": 100, "curve_points": 10} | parameters)

    return short


@pytest.fixture(scope="session")
def ended() -> Callable[..., Record]:
    """Make up what became of a trial's trainings from their final predictions ``[T, N]`` alone, or from more.

    Not a number among the predictions is a training that diverged. ``loss`` is ``[T, K]``, and the final loss
    throughout if it is not given.
    """

    def record(
        trial: Trial,
        predictions: Sequence[Sequence[float]],
        *,
        seeds: Sequence[int] | None = None,
        loss: object = None,
        weights: object = 0.0,
        solved_at: object = NEVER,
        correct_at: object = NEVER,
        iterations: object = None,
        us: object = 1.0,
        alone: bool = False,
    ) -> Record:
        predictions_TN = np.asarray(predictions, dtype=np.float64)
        size, points = len(predictions_TN), len(trial.checkpoints)
        final_T = loss_value(trial.loss, trial.reduction, predictions_TN, trial.gate.targets)
        done_T = np.broadcast_to(trial.iterations if iterations is None else iterations, size).astype(np.int64)
        seconds_T = np.broadcast_to(us, size) * done_T / 1e6
        outcome = Outcome(
            loss_TC=np.array(np.broadcast_to(final_T[:, None] if loss is None else loss, (size, points)), float),
            predictions_TN=predictions_TN,
            weights_TP=np.array(np.broadcast_to(weights, (size, trial.network.parameters)), float),
            solved_at_T=np.broadcast_to(solved_at, size).astype(np.int64),
            correct_at_T=np.broadcast_to(correct_at, size).astype(np.int64),
            iterations_T=done_T,
            seconds_TC=np.repeat(seconds_T[:, None] / points, points, axis=1),
        )
        return Record(trial, tuple(range(size) if seeds is None else seeds), alone, outcome)

    return record


@pytest.fixture(scope="session")
def trained() -> Callable[[Trial, Sequence[int]], Record]:
    """Train a trial with some seeds."""
    return lambda trial, seeds: Record(trial, tuple(seeds), outcome=NumpyLoop().train(Batch.of(trial, seeds)))


@pytest.fixture(scope="session")
def table() -> Callable[..., pd.DataFrame]:
    """Turn records into the frame that analysis reads; lists are kept up to a seed."""

    def read(*records: Record, lists_to: int = MAX_SEED) -> pd.DataFrame:
        data = frame(concat([rows(record, lists_to) for record in records]))
        targets = {record.trial.trial_id: record.trial.gate.targets for record in records}
        return data.assign(**{c.TARGETS: data[c.TRIAL_ID].map(targets)})

    return read


@pytest.fixture(scope="session")
def failed() -> Callable[[Trial, Sequence[int]], Record]:
    """Make up trainings that crashed."""
    return lambda trial, seeds: Record(trial, tuple(seeds), result=Result.FAILED, reason="ValueError: no")


@pytest.fixture(scope="session")
def refused() -> Callable[[Trial, Sequence[int]], Record]:
    """Make up trainings that the backend refused."""
    return lambda trial, seeds: Record(trial, tuple(seeds), result=Result.UNSUPPORTED, reason="no such device")


# ------------------------------------------------------------------ searches


SEARCHED, HELD_OUT = 20, 40  # seeds of a made-up search, and those that follow


@pytest.fixture(scope="session")
def proposal(ended: Callable[..., Record]) -> Callable[..., Record]:
    """Make up a proposed trial that so many of the search's seeds solve, at an iteration, and so many held-out ones."""

    def record(
        trial: Trial, solved: int, held_out: int | None = None, *, at: int = 50, seeds: int = SEARCHED, us: object = 1.0
    ) -> Record:
        sides = [(seeds, solved)] + ([] if held_out is None else [(HELD_OUT, held_out)])
        flags = np.concatenate([np.arange(size) < count for size, count in sides])
        names = [*range(seeds), *(range(SEARCHED, SEARCHED + HELD_OUT) if held_out is not None else ())]
        ends = np.where(flags[:, None], trial.gate.targets, 0.5)
        return ended(trial, ends, seeds=names, solved_at=np.where(flags, at, NEVER), us=us)

    return record


@pytest.fixture(scope="session")
def as_plan() -> Callable[..., Plan]:
    """Read a plan from the parts of its document that matter to a test; records have the gates of its trials."""

    def read(records: Iterable[Record], **document: Any) -> Plan:
        gates = {one.trial.gate.digest: one.trial.gate for one in records}
        whole: dict[str, Any] = {
            "experiment": "made-up",
            "title": "Made up",
            "about": "",
            "command": "python -m bench sweep made-up",
            "blocks": [""],
            "duplicates": 0,
            "until": None,
            "gates": {
                digest: {"name": gate.name, "inputs": gate.inputs.tolist(), "targets": gate.targets.tolist()}
                for digest, gate in gates.items()
            },
            "timings": [],
            "search": None,
            "claims": [],
            "claims_left_out": False,
        }
        return Plan.from_json(whole | document)

    return read


@pytest.fixture(scope="session")
def planned_row() -> Callable[..., dict[str, Any]]:
    """Return the row of a plan's document of a trial, by the blocks that name it."""

    def row(record: Record, places: Sequence[int] = (0,)) -> dict[str, Any]:
        trial = record.trial
        return {
            c.TRIAL_ID: trial.trial_id,
            "blocks": list(places),
            "seeds": write_seeds(record.seeds),
            "table": trial.gate.digest,
            "parameters": trial.parameters,
        }

    return row


@pytest.fixture(scope="session")
def search_plan(planned_row: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return the parts of a plan's document with a search that made these proposals, study by study.

    ``winners`` are of the first study, by rank; ``more_winners`` has (study, record).
    """

    def document(
        *studies: Sequence[Record],
        winners: Sequence[Record] = (),
        more_winners: Sequence[tuple[int, Record]] = (),
        references: Mapping[str, Record] | None = None,
        pruned: Mapping[int, int] | None = None,
        samplers: Sequence[str] = (),
        space: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        references = references or {}
        places: dict[str, list[int]] = {}
        first = [one.trial.trial_id for one in studies[0]]
        held_out = [one.trial.trial_id for one in (*winners, *references.values())]
        records = {one.trial.trial_id: one for some in (*studies, references.values()) for one in some}
        for trial_id in records:
            named = [place for place, some in ((0, first), (1, held_out)) if trial_id in some]
            places[trial_id] = named or [2]
        ranks = [{"study": 0, "rank": rank, "trial_id": one.trial.trial_id} for rank, one in enumerate(winners, 1)]
        ranks += [{"study": place, "rank": 1, "trial_id": one.trial.trial_id} for place, one in more_winners]
        search = {
            "trials": len(studies[0]),
            "batch": 1,
            "sampler": "tpe",
            "seed": 0,
            "timeout_s": None,
            "validate": HELD_OUT,
            "best": 5,
            "baseline": None,
            "repeats": 1,
            "prune": [],
            "space": space or {"hidden": {"low": 2, "high": 16, "log": False, "step": None, "whole": True}},
            "seeds": f"0:{SEARCHED}",
            "held_out": f"{SEARCHED}:{SEARCHED + HELD_OUT}",
            "objectives": ["rmst"],
            "directions": ["minimize"],
            "constraints": [],
            "references": [{"title": title, "trial_id": one.trial.trial_id} for title, one in references.items()],
            "blocks": {"search": 0, "held_out": 1, "repeated": 2},
            "studies": [
                {
                    "name": f"made-up {place}",
                    "sampler": samplers[place] if samplers else "tpe",
                    "seed": place,
                    "trials": [one.trial.trial_id for one in some],
                    "pruned": {str(number): seeds for number, seeds in (pruned or {}).items()} if not place else {},
                }
                for place, some in enumerate(studies)
            ],
            "winners": ranks,
            "storage": "optuna.journal",
            "ended": "trials",
        }
        return {
            "blocks": ["Search", "Held-out seeds", "Repeated searches"],
            "trials": [planned_row(one, places[name]) for name, one in records.items()],
            "search": {**search, **more},
        }

    return document

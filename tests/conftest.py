"""Stores, the command line as a user runs it, and trainings as a sweep turns them into a frame."""

import contextlib
import gc
import io
import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from uuid import uuid4

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from coverage import Coverage
from filelock import FileLock
from hypothesis import settings
from matplotlib.figure import Figure

from bench.backends.numpy_loop import NumpyLoop
from bench.cli import main
from bench.config.plan import Plan
from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.model.initialization import MAX_SEED
from bench.model.loss import loss_value
from bench.model.outcome import NEVER, Batch, Outcome, Record, Result
from bench.model.trial import Trial, shown_parameters
from bench.store.tables import concat, frame, rows

mpl.use("agg")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(__file__).parent.parent / ".pytest_cache" / "jax")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # nine processes beside a server, for nothing here
settings.register_profile("quick", deadline=None, max_examples=12)  # other tests may hold the cores
settings.register_profile("thorough", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=1000, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


FAULTS = "faults.jsonl"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, or one of two cores idles at the end."""
    items.sort(key=lambda item: "test_reproduce" not in item.nodeid)


@pytest.fixture
def fault_table(shared: Path) -> Callable[..., None]:
    """Note that a fault was tried, so many times, and what came of it: a row of tests/FAULTS.md."""

    def fault(name: str, outcome: str, times: int = 1) -> None:
        with (shared / FAULTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, outcome, times]) + "\n")

    return fault


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what the campaigns have noted as one table, where they alone were run."""
    noted = session.config._tmp_path_factory.getbasetemp() / FAULTS
    if "PYTEST_XDIST_WORKER" in os.environ or session.config.option.markexpr != "faults" or not noted.exists():
        return
    found: dict[str, Counter[str]] = {}
    for name, outcome, times in map(json.loads, noted.read_text(encoding="utf-8").splitlines()):
        found.setdefault(name, Counter())[outcome] += times
    rows = [
        f"| {name} | {counts.total():,} | {', '.join(f'{outcome} {count:,}' for outcome, count in counts.items())} |"
        for name, counts in sorted(found.items())
    ]
    head = ["# Faults", "", "What `make test-faults` tried, and what came of it.", "", "| fault | tried | outcome |"]
    text = "\n".join([*head, "|---|---:|---|", *rows, ""])
    (Path(__file__).parent / "FAULTS.md").write_text(text, encoding="utf-8")


class Tracing:
    """Coverage traces fixtures and tests, and nothing of pytest's own between them: that took a third of the time.

    In a worker there are two that trace, the process's own below pytest-cov's: both are stopped and started.
    """

    stopped: ClassVar[list[Coverage]] = []

    @classmethod
    def switch(cls, *, on: bool) -> None:
        """Trace from here on, or not; where nothing is traced at all, it stays so."""
        while on and cls.stopped:
            cls.stopped.pop().start()
        while not on and (current := Coverage.current()) is not None:
            current.stop()
            cls.stopped.append(current)

    @classmethod
    @contextlib.contextmanager
    def switched(cls, *, on: bool) -> Iterator[None]:
        """Trace meanwhile, or not."""
        before = Coverage.current() is not None
        cls.switch(on=on)
        try:
            yield
        finally:
            cls.switch(on=before)


def untraced() -> contextlib.AbstractContextManager[None]:
    """Trace nothing meanwhile."""
    return Tracing.switched(on=False)


def is_traced(item: pytest.Item) -> bool:
    """All but what is marked untraced, fixtures included; and properties: each goes the same way again and again."""
    return not (item.get_closest_marker("untraced") or getattr(getattr(item, "obj", None), "is_hypothesis_test", False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[Any]:
    """Trace nothing of pytest's own."""
    with untraced():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Trace what a traced test asks for."""
    asks = request.node if isinstance(request.node, pytest.Item) else request._pyfuncitem
    with Tracing.switched(on=is_traced(asks)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[Any]:
    """Trace a test."""
    with Tracing.switched(on=is_traced(pyfuncitem)):
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where this process and its children keep what is one for a machine: nobody else's timings are waited for."""
    folder = str(tmp_path_factory.mktemp("tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def own_garbage() -> Iterator[None]:
    """Who looks for garbage looks in what is new: a look through what hundreds of tests left takes a second.

    Timings do so in every round, and statsmodels whenever it adjusts p by Holm's rule. What was imported and collected
    is for ever.
    """
    collect, thresholds = gc.collect, gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, *thresholds[1:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda *_: collect(0))
        yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Ran(NamedTuple):
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all processes that test."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def blank_store(shared: Path) -> Iterator[Path]:
    """An MLflow database with tables and nothing in them: making one takes seconds, copying it none.

    MLflow reads its 67 migrations anew for each database that it opens: with this, once.
    """
    from mlflow.store.db import utils

    from bench.store.mlflow_store import Store

    blank = shared / "blank.db"
    with FileLock(f"{blank}.lock"):
        if not blank.exists():
            with untraced():
                Store(f"sqlite:///{shared}/mlflow.db")
            with contextlib.closing(sqlite3.connect(shared / "mlflow.db")) as connection:
                connection.execute("VACUUM INTO ?", [str(blank)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_get_latest_schema_revision", cache(utils._get_latest_schema_revision))
        yield blank


@pytest.fixture
def folder(tmp_path: Path, blank_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, but for an empty store."""
    shutil.copy(blank_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def command() -> Callable[..., Ran]:
    """Run ``python -m bench`` with these words in a folder.

    A sweep has no MLflow run per training, a tenth of a second each, unless ``--runs`` asks for them, and takes over
    nothing of earlier ones, with which it may be compared, unless it says ``--reuse``.
    """

    def run(folder: Path, *words: object) -> Ran:
        sweeps = words[0] == "sweep"
        more = ["--runs", "trial"] if sweeps and "--runs" not in words else []
        more += ["--fresh"] if sweeps and "--reuse" not in words else []
        out, err, status = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.chdir(folder)
            patch.setattr(sys, "argv", ["bench", *map(str, words), *more])
            try:
                main()
            except SystemExit as end:
                status = int(end.code or 0)
        return Ran(status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def bench(folder: Path, command: Callable[..., Ran]) -> Callable[..., Ran]:
    """Run ``python -m bench`` with these words in the working folder."""
    return lambda *words: command(Path.cwd(), *words)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a sweep of a tenth of a second be written in many shards, as one of minutes is."""
    monkeypatch.setattr("bench.running.chunks.CHUNK_S", 0.01)
    monkeypatch.setattr("bench.running.recorder.FLUSH_S", 0.0)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave panels empty, for tests of words and numbers: whatever a sweep found, its figures are drawn elsewhere."""
    empty = '<svg width="9pt" height="9pt" viewBox="0 0 9 9" xmlns="http://www.w3.org/2000/svg"></svg>'
    monkeypatch.setattr(
        Figure, "savefig", lambda _figure, file, **look: file.write(empty if look["format"] == "svg" else b"")
    )


class Child:
    """A process that runs a script in a folder, as subprocess.Popen would be; it has imported what a sweep needs."""

    PREPARED = multiprocessing.get_context("forkserver")
    PREPARED.set_forkserver_preload(
        ["bench.lifecycle", "bench.report_files", "bench.search.optuna_study", "bench.backends.numba_lanes", "numba"]
    )

    def __init__(self, script: str, folder: Path) -> None:
        self._streams = [folder / f".{uuid4().hex}" for _ in range(2)]
        begin = f"""
import os, signal
os.chdir({str(folder)!r})
for number, file in enumerate({[str(path) for path in self._streams]!r}, 1):
    os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
        self._process = self.PREPARED.Process(target=exec, args=(begin + script, {}))
        self._process.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: int) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; return what it printed on stdout and stderr."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, "it has not ended"
        out, err = (path.read_text() for path in self._streams)
        return out, err


@pytest.fixture(scope="session")
def child() -> type[Child]:
    """Run a script in a process of its own."""
    return Child


@pytest.fixture(scope="session")
def start() -> Callable[..., Child]:
    """Start ``python -m bench`` with these words in a folder, in a process of its own, after lines of a script."""

    def begin(folder: Path, *words: object, after: str = "") -> Child:
        argv = ["bench", *map(str, words)]
        return Child(f"{after}\nimport sys\nsys.argv = {argv!r}\nfrom bench.cli import main\nmain()\n", folder)

    return begin


@pytest.fixture(scope="session")
def made(shared: Path, blank_store: Path, command: Callable[..., Ran]) -> Callable[..., Path]:
    """Carry out a command once for all processes that test, and return its folder; ``out`` there is what it printed.

    Which test comes first is chance, so that none of it is traced.
    ``text`` is an experiment's file, of the same name.
    """

    def make(name: str, *words: str, text: str = "", expected: int = 0) -> Path:
        folder = shared / name
        with FileLock(f"{folder}.lock"):
            if not (folder / "out").exists():
                folder.mkdir()
                shutil.copy(blank_store, folder / "mlflow.db")
                (folder / f"{name}.toml").write_text(text)
                with untraced():
                    ran = command(folder, *words)
                assert ran.status == expected, ran.err
                (folder / "err").write_text(ran.err)
                (folder / "out").write_text(ran.out)
        return folder

    return make


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
        final_T = loss_value(trial.loss, trial.reduction, predictions_TN, trial.targets)
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
        trials = {record.trial.trial_id: record.trial for record in records}
        targets = {name: one.targets.reshape(one.gate.targets.shape) for name, one in trials.items()}
        extras = [name for name in shown_parameters(trials.values()) if name not in data]
        return data.assign(
            **{c.TARGETS: data[c.TRIAL_ID].map(targets)},
            **{name: [trials[one].parameters[name] for one in data[c.TRIAL_ID]] for name in extras},
        )

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
        of_each = [one for _, one in more_winners] if "each" in more else []  # of repeated ones only the first
        held_out = [one.trial.trial_id for one in (*winners, *of_each, *references.values())]
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

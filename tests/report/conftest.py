"""Reports: of sweeps that the command line carried out, of plans that are trained here, and of made-up records."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.backends import load
from bench.config.plan import Plan, make_plan
from bench.model.initialization import MAX_SEED
from bench.model.outcome import Batch, Record, Result
from bench.model.timing import ColdStart
from bench.report.page import Report, render
from bench.report.sweep_data import SweepData
from bench.request import read_request
from bench.stats.claims import check_claims
from bench.store.reader import read_columns, trainings_frame
from bench.store.tables import rows, timing_frame

from .chromium import CHROMIUM, QUIET, opened

FILE = """
title = "Everything at once"
about = "A grid that fills every section of its report."
[defaults]
learning_rate = 5.0
iterations = 400
curve_points = 40
[[grid]]
title = "The grid"
gate = ["or", "xor"]
hidden = [0, 2, 3, "4-4"]
loss = ["mse", "bce"]
seeds = "0:30"
[[grid]]
title = "Refused"
summation = "fma"
seeds = "0:5"
[[claim]]
id = "perceptron"
source = "Minsky & Papert (1969)"
what = "no perceptron solves XOR"
where = { gate = "xor", hidden = 0 }
event = { outcome = "solved" }
never = true
[[claim]]
id = "wrong"
source = "nobody"
what = "every network solves XOR"
where = { gate = "xor", hidden = 3, summation = "library" }
event = { outcome = "solved" }
always = true
"""
PAGE = ("-o", "r.html")
TIMED = ("backend=numpy,torch", "hidden=3,8", "alone=true", "rounds=6", "seeds=0:3", "iterations=60")
SEARCH = """
title = "A search with a condition, a limit, a baseline and trials given up"
[defaults]
gate = "xor"
iterations = 200
curve_points = 20
seeds = "0:20"
[search]
update = ["full", "online"]
reduction = { choices = ["mean", "sum"], only_if = { update = "full" } }
hidden = { low = 2, high = 8 }
learning_rate = { low = 1.0, high = 20.0, log = true }
constraints = "parameters <= 30"
prune = [8]
trials = 12
batch = 6
validate = 20
best = 3
baseline = "random"
repeats = 1
"""
HOPELESS = (
    *("hidden=2..4", "learning_rate=0.0001..0.001:log", "iterations=50", "seeds=0:10", "search.trials=5"),
    *("search.validate=10", "search.objective=solved_rate"),
)


def made_up_starts(trials: Sequence[str], *_: object) -> list[ColdStart]:
    """Make up the cold starts of backends."""
    return [ColdStart(name, 1.0, 0.1, 0.0) for name in trials]


@pytest.fixture(scope="session")
def full(made: Callable[..., Path]) -> tuple[Path, str]:
    """The folder of a sweep that fills every section, and what the terminal printed; a claim of it does not hold."""
    folder = made("full", "sweep", "full.toml", *PAGE, text=FILE, expected=1)
    return folder, (folder / "out").read_text()


@pytest.fixture(scope="session")
def timed(made: Callable[..., Path]) -> Path:
    """The folder of a sweep of timings; cold starts are made up: each would be a process that imports a library."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.running.timing_rounds.cold_starts", made_up_starts)
        return made("timed", "sweep", *TIMED, *PAGE)


@pytest.fixture(scope="session")
def searched(made: Callable[..., Path]) -> Path:
    """The folder of a search with all that a section of one can show but a front."""
    return made("searched", "sweep", "searched.toml", *PAGE, text=SEARCH)


@pytest.fixture(scope="session")
def unsolved(made: Callable[..., Path]) -> Path:
    """The folder of a search in which nothing was solved."""
    return made("unsolved", "sweep", *HOPELESS, *PAGE)


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="session")
def browser() -> Any:
    """One headless Chromium for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Where a page is, which is made when it is asked for."""

    def find(name: str) -> str:
        made = request.getfixturevalue(name)
        return ((made[0] if name == "full" else made) / "r.html").as_uri()

    return find


@pytest.fixture(scope="session")
def untouched(browser: Any, address: Callable[[str], str]) -> Iterator[Callable[[str], Any]]:
    """A page at its widest, opened once for all tests that only read it: opening one takes a second."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(opened(browser, address(name))))


# ------------------------------------------------------------------ without a store


@pytest.fixture(scope="session")
def swept() -> Callable[..., SweepData]:
    """Return what a page is made from, from a plan and its records."""

    def make(plan: Plan, records: Sequence[Record], **more: Any) -> SweepData:
        trainings = trainings_frame(
            [rows(record, MAX_SEED).select(read_columns(None, plan)) for record in records], plan, None
        )
        facts: dict[str, Any] = {
            "sweep": "0123456789abcdef",
            "status": "FINISHED",
            "started": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            "plan": plan,
            "environment": {"cpu": "a CPU", "packages": {"numpy": "2"}},
            "figures": {},
            "trainings": trainings,
            "timings": timing_frame([]),
            "cold_starts": [],
            "verdicts": check_claims(plan.claims, trainings),
        }
        return SweepData(**(facts | more))

    return make


@pytest.fixture(scope="session")
def trained_report(swept: Callable[..., SweepData]) -> Callable[..., Report]:
    """Train here what a command asks for, and return its report."""

    def make(*words: str, key: int = 1, **more: Any) -> Report:
        experiment = read_request(words)
        plan = make_plan(experiment)
        records = [_record(planned.trial, planned.seeds) for planned in plan.trials]
        return Report(swept(plan, records, **more), key)

    return make


@pytest.fixture(scope="session")
def made_report(
    swept: Callable[..., SweepData], as_plan: Callable[..., Plan], planned_row: Any
) -> Callable[..., Report]:
    """Return the report of made-up records; trials are in blocks by their places, all in one if nothing is said."""

    def make(*records: Record, blocks: Sequence[str] = ("",), places: Sequence[int] = (), **more: Any) -> Report:
        its = places or [0] * len(records)
        trials = [planned_row(record, [place]) for record, place in zip(records, its, strict=True)]
        plan = as_plan(records, **{"blocks": list(blocks), "trials": trials} | more.pop("plan", {}))
        return Report(swept(plan, records, **more))

    return make


@pytest.fixture(scope="session")
def html() -> Callable[..., str]:
    """Return the page of reports."""
    return lambda *reports: render(reports)


def _record(trial, seeds):
    backend = load(trial.backend)
    reason = backend.unsupported(trial)
    if reason:
        return Record(trial, tuple(seeds), result=Result.UNSUPPORTED, reason=reason)
    return Record(trial, tuple(seeds), outcome=backend.train(Batch.of(trial, seeds)))


@pytest.fixture
def said():
    """What a report's findings say, each with its evidence, without spaces that do not break."""
    return lambda report: [f"{one.sentence} | {one.evidence}".replace("\u00a0", " ") for one in report.findings]


@pytest.fixture
def text():
    """The words of a piece of a page, without its markup."""
    return lambda html: re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace("\u00a0", " ")

"""From a sweep that was read back to its report: what to read, what it shows, and where the figures go."""

import gc
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from bench.analysis.claims import check_claims
from bench.experiment.claim import Printed
from bench.experiment.grid import PlannedClaim, planned_claims
from bench.report.chart import sheet
from bench.report.page import Report, Swept, render
from bench.tracking import columns as c
from bench.tracking.reader import Sweep, read_plan, read_sweep
from bench.tracking.store import Store
from bench.tracking.writer import SweepWriter

MOST_CURVES = 100_000  # in memory at a time: 80 MB with a hundred points each
FEWEST_CURVES = 100  # of a trial, however many trials there are
LOCAL_UI = "http://127.0.0.1:5000"
FIGURES = "figures"


def read_for_report(store: Store, sweep: str) -> Sweep:
    """Read what a report needs, and no more: weights only where a claim is about them, curves of the first seeds."""
    gc.freeze()  # what was imported stays: to look for garbage in it again and again takes a tenth of a report
    plan = read_plan(store, sweep)
    return read_sweep(store, sweep, _columns(planned_claims(plan["claims"])), curves_read(plan))


def _columns(claims: Sequence[PlannedClaim]) -> list[str]:
    printed = {planned.claim.of for planned in claims if isinstance(planned.claim, Printed)}
    weights = [name for name in (c.INITIAL_WEIGHTS, c.WEIGHTS) if name in printed]
    return [*c.PARAMETERS, *c.SCALARS, c.PREDICTIONS, c.CURVE, *weights]


def curves_read(plan: Mapping[str, Any]) -> int | None:
    """Return of how many seeds of each trial curves are read; None for all, where a verdict may depend on them."""
    backends = {trial["parameters"][c.BACKEND] for trial in plan["trials"]}
    if plan["claims"] or len(backends) > 1:
        return None
    return max(MOST_CURVES // max(len(plan["trials"]), 1), FEWEST_CURVES)


def report_of(store: Store, read: Sweep, key: int = 1) -> Report:
    """Return a sweep's report, with its claims checked; ``key`` tells it from others on the same page."""
    base, note = _mlflow(store)
    runs = {trial_id: f"{base}/#/experiments/{read.experiment_id}/runs/{run}" for trial_id, run in read.runs.items()}
    swept = Swept(
        sweep=read.info.sweep,
        status=read.info.status,
        started=read.info.started,
        plan=read.plan,
        environment=read.environment,
        figures=read.figures,
        trainings=read.trainings,
        timings=read.timings,
        cold_starts=read.cold_starts,
        verdicts=check_claims(planned_claims(read.plan["claims"]), read.trainings),
        runs=runs,
        mlflow=note,
        searched=read.searched,
        curves=curves_read(read.plan),
    )
    return Report(swept, key)


def _mlflow(store: Store) -> tuple[str, str]:
    """Return where the MLflow UI is, without a password that the address may hold, and what there is to say of it."""
    if not store.is_remote:
        return LOCAL_UI, "The links to MLflow answer while python -m bench ui is running."
    parts = urlsplit(store.uri)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")), ""


def write_page(reports: Sequence[Report], path: Path) -> None:
    """Write the page of one report or of several side by side."""
    gc.disable()  # figures refer to themselves: to look for them while drawing takes a fifth of a report
    try:
        page = render(reports)
    finally:
        gc.enable()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def keep_figures(writer: SweepWriter, report: Report) -> None:
    """Keep the main figures with the sweep, each an SVG file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for chart in report.charts():
            (Path(folder) / f"{chart.name}.svg").write_text(sheet(chart), encoding="utf-8")
        writer.folder(Path(folder), FIGURES)

"""Reports as files: what is read for one, where it goes, and how it is written."""

import gc
import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pandas as pd

from bench import plugins
from bench.config.claims import Printed
from bench.config.plan import Plan
from bench.errors import RequestError, unknown
from bench.metrics import columns as c
from bench.model.trial import PARAMETERS, parts_of_optimizers
from bench.report.number_format import plural
from bench.stats.claims import Verdict
from bench.stats.proportions import Account, account
from bench.store.mlflow_store import Store
from bench.store.reader import StoredSweep, frames_in_order, planned_trainings, read_plan, read_sweep
from bench.store.shards import in_order
from bench.user_files import check_folder, check_output, written_aside

if TYPE_CHECKING:
    from bench.report.page import Report
    from bench.stats.map_analysis import MapAnalysis

REPORTS = Path("reports")
MOST_READ = 500_000  # trainings that a page is made of: more would make its figures no surer, and fill the memory
MOST_VALUES = 6  # of a parameter that are compared, each with the first
MOST_CURVES = 100_000  # in memory at a time: 80 MB with a hundred points each
FEWEST_CURVES = 100  # of a trial, however many trials there are
LONGEST_STEM = 200  # in bytes, of a report's own name: no file system takes more than 255
LOCAL_UI = "http://127.0.0.1:5000"


@contextmanager
def garbage_later() -> Iterator[None]:
    """Collect no garbage meanwhile: to look for it among figures and rows again and again takes a third of a report."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_for_report(store: Store, sweep: str) -> StoredSweep:
    """Read what a report needs, and no more: weights only where a claim is about them, curves of the first seeds.

    Raise RequestError where an objective of its search is not here: what it is worth is computed anew.
    """
    plan = read_plan(store, sweep)
    with garbage_later():
        found = read_sweep(store, sweep, _columns(plan), curves_read(plan), seeds_read(plan))
    plugins.require(plugins.OBJECTIVE, found.environment.get(plugins.RECORDED, {}))
    return found


def read_for_claims(store: Store, sweep: str, plan: Plan) -> pd.DataFrame:
    """Return what claims about a plan's trainings are checked by."""
    return planned_trainings(store, sweep, plan, _columns(plan))


def _columns(plan: Plan) -> list[str]:
    printed = {planned.claim.of for planned in plan.claims if isinstance(planned.claim, Printed)}
    weights = [name for name in (c.INITIAL_WEIGHTS, c.WEIGHTS) if name in printed]
    return [*plan.parameters, *c.SCALARS, *c.diagnostics_of(plan.parameters), c.PREDICTIONS, c.CURVE, *weights]


def seeds_read(plan: Plan) -> int | None:
    """Return of how many seeds of each trial a page is made; None for all, as of claims and searches, which need them.

    Seeds are as good as drawn at random: the first of them say the same as all, but for the width of the intervals.
    """
    if plan.trainings <= MOST_READ or plan.claims or plan.search:
        return None
    sizes_P = np.sort([planned.trainings for planned in plan.trials])
    taken_P = np.cumsum(sizes_P) + sizes_P * np.arange(len(sizes_P) - 1, -1, -1)  # if all have no more than this one
    place = int(np.searchsorted(taken_P, MOST_READ, side="right"))
    return max((MOST_READ - int(sizes_P[:place].sum())) // (len(sizes_P) - place), 1)


def account_of(store: Store, sweep: str, plan: Plan) -> Account:
    """Count what became of every training of a sweep."""
    return account(frames_in_order(store, sweep, plan, [c.OUTCOME, c.REASON]))


def curves_read(plan: Plan) -> int | None:
    """Return of how many seeds of each trial curves are read; None for all, where a verdict may depend on them."""
    backends = {planned.trial.backend for planned in plan.trials}
    if plan.claims or len(backends) > 1:
        return None
    return max(MOST_CURVES // max(len(plan.trials), 1), FEWEST_CURVES)


def report_of(
    store: Store,
    read: StoredSweep,
    verdicts: Sequence[Verdict],
    counted: Callable[[], Account],
    key: int = 1,
    maps: "Sequence[MapAnalysis]" = (),
) -> "Report":
    """Return a sweep's report with the verdicts on its claims; ``key`` tells it from others on the same page."""
    from bench.report.page import Report  # Matplotlib takes a second
    from bench.report.sweep_data import SweepData

    base, note = _mlflow(store)
    runs = {trial_id: f"{base}/#/experiments/{read.experiment_id}/runs/{run}" for trial_id, run in read.runs.items()}
    swept = SweepData(
        sweep=read.info.sweep,
        status=read.info.status,
        started=read.info.started,
        plan=read.plan,
        environment=read.environment,
        figures=read.figures,
        trainings=read.trainings,
        timings=read.timings,
        cold_starts=read.cold_starts,
        verdicts=verdicts,
        runs=runs,
        mlflow=note,
        searched=read.searched,
        checked=read.checked,
        weights=partial(_weights, store, read.info.sweep, read.plan),
        curves=curves_read(read.plan),
        maps=maps,
        counted=counted,
        first=seeds_read(read.plan),
    )
    return Report(swept, key)


def _weights(store: Store, sweep: str, plan: Plan, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Any]:
    """Return the final weights of some trainings, of those of which they are kept."""
    last: dict[str, int] = {}
    for trial_id, seed in wanted:
        last[trial_id] = max(seed, last.get(trial_id, -1))
    some = [planned for planned in plan.trials if planned.trial.trial_id in last]
    first = max((bisect_right(planned.seeds, last[planned.trial.trial_id]) for planned in some), default=0)
    found: dict[tuple[str, int], Any] = {}
    for table in in_order(store, sweep, replace(plan, trials=tuple(some)), [c.TRIAL_ID, c.SEED, c.WEIGHTS], first):
        keys = list(zip(table[c.TRIAL_ID].to_pylist(), table[c.SEED].to_pylist(), strict=True))
        places = [place for place, key in enumerate(keys) if key in wanted]
        found |= {keys[place]: table[c.WEIGHTS][place].as_py() for place in places}
    return {key: weights for key, weights in found.items() if weights}


def _mlflow(store: Store) -> tuple[str, str]:
    """Return where the MLflow UI is, without a password that the address may hold, and what there is to say of it."""
    if not store.is_remote:
        return LOCAL_UI, "The links to MLflow answer while python -m bench ui is running."
    parts = urlsplit(store.uri)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")), ""


def write_page(reports: "Sequence[Report]", path: Path, by: str | None = None) -> None:
    """Write the page of one report or of several side by side, compared ``by`` a parameter if one is given."""
    from bench.report.page import render

    with garbage_later():
        page = render(reports, by)
    with written_aside(path) as beside:
        beside.write_text(page, encoding="utf-8")


# ------------------------------------------------------------------ where they go


def default_report(sweeps: Sequence[tuple[str, str]], by: str | None = None) -> Path:
    """Return where the report of sweeps, each with its experiment and its id, goes when nobody says."""
    names = "-".join(dict.fromkeys(experiment for experiment, _ in sweeps))
    whole = f"{names}-{'-'.join(sweep[:8] for _, sweep in sweeps)}{f'-by-{by}' if by else ''}"
    if len(whole.encode()) > LONGEST_STEM:  # of dozens of sweeps
        begun = whole.encode()[:LONGEST_STEM].decode(errors="ignore")
        whole = f"{begun}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    return REPORTS / f"{whole}.html"


def check_by(plans: Sequence[Plan], by: str) -> None:
    """Raise RequestError for a parameter whose values cannot be compared in sweeps: it has one there, or many."""
    if by not in PARAMETERS:
        raise RequestError(unknown("by: parameter", by, PARAMETERS))
    trials = [planned.trial.parameters for plan in plans for planned in plan.trials]
    counts = {name: len({trial[name] for trial in trials}) for name in PARAMETERS}
    counts |= dict.fromkeys(parts_of_optimizers(trials), 1)
    allowed = [f"{name} ({count})" for name, count in counts.items() if 1 < count <= MOST_VALUES]
    if not 1 < counts[by] <= MOST_VALUES:
        where = "the sweep" if len(plans) == 1 else "the sweeps"
        raise RequestError(
            f"by is {by}, which has {plural(counts[by], 'value')} in {where}; allowed are parameters with 2 to "
            f"{MOST_VALUES}: {', '.join(allowed) or 'there is none'}"
        )


def check_report(path: Path | None) -> None:
    """Raise RequestError for a report that cannot be written there, or in its own folder if nobody says where."""
    if path is None:
        check_folder(REPORTS, f"folder {str(REPORTS)!r}")
    else:
        check_output(path, ".html")

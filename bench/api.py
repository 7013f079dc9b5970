"""A sweep from its plan to its report: begun or resumed, trained, tracked, checked, reported and ended."""

import gc
import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from bench.config.claims import Printed
from bench.config.experiment import Experiment
from bench.config.plan import Plan, PlannedClaim, make_plan
from bench.console import repeats_words, say
from bench.errors import RequestError, before_any_work
from bench.metrics import columns as c
from bench.metrics.objectives import is_worse, objective
from bench.model.outcome import Result
from bench.report.charts import Finding, sheet
from bench.report.page import Report, render
from bench.report.sweep_data import SweepData
from bench.running import executors
from bench.running.adaptive_seeds import Precision, check_until, grow
from bench.running.chunks import Job
from bench.running.environment import environment
from bench.running.holdout import search
from bench.running.progress import SweepProgress, interrupts
from bench.running.runner import Describers, Runner
from bench.running.search_loop import Judge
from bench.search.optuna_journal import Journal
from bench.stats.claims import Verdict, check_claims, verdict_rows
from bench.stats.mlflow_summary import describe_training, describe_trial
from bench.stats.proportions import half_width, seeds_for_half_width
from bench.stats.search_results import SearchResults
from bench.store.mlflow_store import COMMAND_TAG, PLAN_TAG, Store, StoreError, tracking_uri
from bench.store.reader import StoredSweep, SweepInfo, read_plan, read_sweep, unfinished
from bench.store.writer import SweepWriter

REPORTS = Path("reports")
FEW_TRAININGS = 100  # up to here every training has an MLflow run of its own
DONE, FAILED, INTERRUPTED = 0, 1, 130
KILLED = "KILLED"
MOST_REASONS = 5
PRECISION = Precision(half_width, seeds_for_half_width)  # Wilson's, of a share of trainings
JUDGE = Judge(objective, is_worse)
REPORT = "report.html"  # what it is called beside the sweep, wherever else it is


@dataclass(frozen=True)
class Options:
    """How a sweep is carried out; what it computes does not depend on any of it."""

    workers: int | None = None
    executor: str = "auto"
    tracking_uri: str | None = None
    resume: bool = False
    no_report: bool = False
    output: Path | None = None
    runs: str = "auto"
    started: float = field(default_factory=time.monotonic)  # when the command was: imports take seconds too


def checked_plan(experiment: Experiment) -> Plan:
    """Return the plan of a request; raise RequestError for all that is wrong with it."""
    plan = make_plan(experiment)
    check_until(plan, PRECISION)
    return plan


@dataclass(frozen=True)
class SweepOutcome:
    """What a sweep that was carried out left: its exit status, and what there is to print."""

    status: int
    summary: dict[str, Any]
    sweep: StoredSweep | None = None
    verdicts: Sequence[Verdict] = ()
    findings: Sequence[Finding] = ()
    searched: SearchResults | None = None


def carry_out(experiment: Experiment, options: Options) -> SweepOutcome:
    """Plan, train, track, check and report."""
    imported = time.monotonic()
    with before_any_work():
        plan = checked_plan(experiment)
    cores = options.workers or executors.available_cores()
    crew = _checked(options, cores)
    kind = _kinds(plan, crew)
    store = Store(tracking_uri(options.tracking_uri))
    journal = Journal(store.journal) if plan.search else None  # one that cannot be read is told before any work
    writer = _resumed(store, experiment, plan) if options.resume else _begun(store, experiment, plan, kind, cores)
    few = plan.expected_trainings <= FEW_TRAININGS and plan.until is None
    training_runs = few if options.runs == "auto" else options.runs == "training"
    describers = Describers(describe_trial, describe_training)
    runner = Runner(experiment, plan, writer, describers, training_runs=training_runs)
    again = f"Go on with: {experiment.command} --resume{_uri_option(options)}"
    try:
        already = runner.take_up() if options.resume else 0
        say(f"sweep {writer.run_id[:8]}: {_work(plan, already)}, {kind if kind == 'serial' else f'{kind} on {cores}'}")
        for words in repeats_words(plan.search) if plan.search else ():
            say(words)
        runner.seconds["import"] = imported - options.started
        runner.seconds["prepare"] = time.monotonic() - imported
        if _train(runner, crew, already, journal):
            return _conclude(runner, options, store)
        writer.finish(KILLED)
        say(f"interrupted; what was written is safe. {again}")
        return SweepOutcome(INTERRUPTED, _summary(runner, read_sweep(store, writer.run_id), None, options))
    except StoreError as error:
        say(f"the store failed: {str(error).splitlines()[0]}\nWhat was written is safe. {again}")
        return SweepOutcome(FAILED, _summary(runner, None, None, options))
    except KeyboardInterrupt:
        say(again)
        raise


def _checked(options: Options, cores: int) -> executors.Crew:
    """Check whatever can be wrong before any work, and return who trains."""
    check_output(options.output, ".html")
    if not (options.output or options.no_report):
        check_folder(REPORTS, f"folder {str(REPORTS)!r}")
    return executors.Crew(options.executor, cores)


def _work(plan: Plan, already: int) -> str:
    done = f" ({already:,} more are done)" if already else ""
    more = f", and more seeds until {plan.until}" if plan.until else ""
    left = max(plan.expected_trainings - already, 0)
    return f"{left:,} trainings of {plan.expected_trials:,} trials{done}{more}"


def _train(runner: Runner, crew: executors.Crew, already: int, journal: Journal | None) -> bool:
    """Train the grid, with more seeds if asked for, what is alone, and the search; return whether all is done."""
    with interrupts() as stop, SweepProgress(runner.plan.expected_trainings, already) as progress:
        train = partial(runner.train, crew, progress, stop)
        train()
        grow(runner, PRECISION, train, progress, stop)
        runner.time(progress, stop)
        search(runner, JUDGE, journal, train, progress, stop)
    return not stop.is_set()


def _conclude(runner: Runner, options: Options, store: Store) -> SweepOutcome:
    """Check the claims, write the report, and end the sweep, in this order: FINISHED says that all is there."""
    reporting = time.monotonic()
    writer, plan = runner.writer, runner.plan
    writer.keep_runs()
    read = read_for_report(store, writer.run_id)
    report = report_of(store, read)
    verdicts = report.data.verdicts
    writer.json("claims.json", verdict_rows(verdicts))
    sizes = {"trials": len(plan.trials), "trainings": plan.trainings}
    figures = {**_outcomes(read), **sizes, "total_seconds": time.monotonic() - options.started}
    writer.figures(figures)
    report.data.figures.update(figures)
    path = None
    if not options.no_report:
        path = options.output or default_report([read.info])
        write_page([report], path)
        writer.file(path, REPORT)
        keep_figures(writer, report)
    runner.seconds["report"] = time.monotonic() - reporting
    summary = _summary(runner, read, path, options)
    _tell_reasons(read)
    if len(read.trainings) < plan.trainings:
        say(f"only {len(read.trainings):,} of {plan.trainings:,} trainings could be read back; --resume does the rest")
        return SweepOutcome(FAILED, summary, read, verdicts, report.findings, report.search_results)
    writer.finish()
    bad = summary["outcomes"][Result.FAILED] or not all(verdict.holds for verdict in verdicts)
    return SweepOutcome(FAILED if bad else DONE, summary, read, verdicts, report.findings, report.search_results)


def _outcomes(read: StoredSweep) -> dict[str, int]:
    return {str(result): int((read.trainings[c.OUTCOME] == result).sum()) for result in Result}


def _tell_reasons(read: StoredSweep) -> None:
    """Say why trainings failed or were refused, each reason once."""
    counted = (
        read.trainings.dropna(subset=[c.REASON])
        .groupby([c.OUTCOME, c.REASON], observed=True)
        .size()
        .reset_index(name="n")
    )
    for row in counted.head(MOST_REASONS).to_dict("records"):
        say(f"{row['n']:,} trainings {row[c.OUTCOME]}: {row[c.REASON]}")
    if len(counted) > MOST_REASONS:
        say(f"and {len(counted) - MOST_REASONS:,} more reasons, in the report and the export")


def _summary(runner: Runner, read: StoredSweep | None, report: Path | None, options: Options) -> dict[str, Any]:
    """Return what --json prints."""
    seconds = {**runner.seconds, "total": time.monotonic() - options.started}
    return {
        "sweep": runner.writer.run_id,
        "experiment": runner.experiment.name,
        "trials": len(runner.plan.trials),
        "trainings": runner.plan.trainings,
        "outcomes": _outcomes(read) if read else {},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "report": str(report.resolve()) if report else None,
    }


def _kinds(plan: Plan, crew: executors.Crew) -> str:
    """Return the executors that a plan will be trained with, in words."""
    jobs = [Job(planned.trial, planned.together) for planned in plan.trials if planned.together]
    if plan.search:
        jobs.append(Job(plan.search.first_trial, range(plan.search.expected_trainings)))
    return " and ".join(crew.divide(jobs)) or "serial"


def _begun(store: Store, experiment: Experiment, plan: Plan, kind: str, workers: int) -> SweepWriter:
    name = f"{experiment.name} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
    return SweepWriter.begin(store, experiment, plan, environment(kind, workers), name)


def _resumed(store: Store, experiment: Experiment, plan: Plan) -> SweepWriter:
    """Return the newest unfinished sweep of this request; raise RequestError if there is none."""
    found = unfinished(store, experiment.name)
    for run in found:
        if run.data.tags.get(PLAN_TAG) == plan.plan_id:
            return SweepWriter.resume(store, run, plan)
    others = "; ".join(f"{run.data.tags.get(COMMAND_TAG, '?')} --resume" for run in found[:5])
    hint = f"unfinished sweeps of {experiment.name} that asked something else: {others}" if others else "there is none"
    raise RequestError(f"nothing to resume: no unfinished sweep of this request in {store.uri}; {hint}")


def _uri_option(options: Options) -> str:
    return f" --tracking-uri {shlex.quote(options.tracking_uri)}" if options.tracking_uri else ""


# ------------------------------------------------------------------ reporting


MOST_CURVES = 100_000  # in memory at a time: 80 MB with a hundred points each
FEWEST_CURVES = 100  # of a trial, however many trials there are
LOCAL_UI = "http://127.0.0.1:5000"
FIGURES = "figures"


def read_for_report(store: Store, sweep: str) -> StoredSweep:
    """Read what a report needs, and no more: weights only where a claim is about them, curves of the first seeds."""
    gc.freeze()  # what was imported stays: to look for garbage in it again and again takes a tenth of a report
    plan = read_plan(store, sweep)
    return read_sweep(store, sweep, _columns(plan.claims), curves_read(plan))


def _columns(claims: Sequence[PlannedClaim]) -> list[str]:
    printed = {planned.claim.of for planned in claims if isinstance(planned.claim, Printed)}
    weights = [name for name in (c.INITIAL_WEIGHTS, c.WEIGHTS) if name in printed]
    return [*c.PARAMETERS, *c.SCALARS, c.PREDICTIONS, c.CURVE, *weights]


def curves_read(plan: Plan) -> int | None:
    """Return of how many seeds of each trial curves are read; None for all, where a verdict may depend on them."""
    backends = {planned.trial.backend for planned in plan.trials}
    if plan.claims or len(backends) > 1:
        return None
    return max(MOST_CURVES // max(len(plan.trials), 1), FEWEST_CURVES)


def report_of(store: Store, read: StoredSweep, key: int = 1) -> Report:
    """Return a sweep's report, with its claims checked; ``key`` tells it from others on the same page."""
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
        verdicts=check_claims(read.plan.claims, read.trainings),
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


def default_report(infos: Sequence[SweepInfo]) -> Path:
    """Return where a report goes when nobody says."""
    names = "-".join(dict.fromkeys(info.experiment for info in infos))
    return REPORTS / f"{names}-{'-'.join(info.sweep[:8] for info in infos)}.html"


def check_output(path: Path | None, *suffixes: str) -> None:
    """Raise RequestError for an output file that cannot be written, before any work."""
    if path is None:
        return
    if path.suffix not in suffixes:
        raise RequestError(f"output {str(path)!r} ends in {path.suffix!r}; allowed are {', '.join(suffixes)}")
    check_folder(path.parent, f"output {str(path)!r}")


def check_folder(folder: Path, what: str) -> None:
    """Raise RequestError unless a file can be written there, or the folder made."""
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise RequestError(f"{what} cannot be written: {str(folder)!r} is not a folder that one may write to")

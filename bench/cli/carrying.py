"""A sweep carried out: begun or resumed, trained, tracked, checked, reported and ended."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.analysis.claims import Verdict, verdict_rows
from bench.analysis.objectives import is_worse, objective
from bench.analysis.searched import Searched
from bench.analysis.solved import half_width, seeds_for_half_width
from bench.analysis.summary import describe_training, describe_trial
from bench.cli import before_any_work
from bench.cli.reporting import keep_figures, read_for_report, report_of, write_page
from bench.cli.show import REPORTS, check_folder, check_output, default_report
from bench.cli.terminal import repeats_words, say
from bench.errors import RequestError
from bench.experiment.grid import Plan, make_plan
from bench.experiment.spec import Experiment
from bench.problem.outcome import Result
from bench.report.sayings import Finding
from bench.search.journal import Journal
from bench.sweep import executors
from bench.sweep.environment import environment
from bench.sweep.growing import Precision, check_until, grow
from bench.sweep.interrupt import interrupts
from bench.sweep.plan import Job
from bench.sweep.progress import SweepProgress
from bench.sweep.runner import Describers, Runner
from bench.sweep.searching import Judge
from bench.sweep.validating import search
from bench.tracking import columns as c
from bench.tracking.reader import Sweep, read_sweep, unfinished
from bench.tracking.store import COMMAND_TAG, PLAN_TAG, Store, StoreError, tracking_uri
from bench.tracking.writer import SweepWriter

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
class Carried:
    """What a sweep that was carried out left: its exit status, and what there is to print."""

    status: int
    summary: dict[str, Any]
    sweep: Sweep | None = None
    verdicts: Sequence[Verdict] = ()
    findings: Sequence[Finding] = ()
    searched: Searched | None = None


def carry_out(experiment: Experiment, options: Options) -> Carried:
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
        return Carried(INTERRUPTED, _summary(runner, read_sweep(store, writer.run_id), None, options))
    except StoreError as error:
        say(f"the store failed: {str(error).splitlines()[0]}\nWhat was written is safe. {again}")
        return Carried(FAILED, _summary(runner, None, None, options))
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


def _conclude(runner: Runner, options: Options, store: Store) -> Carried:
    """Check the claims, write the report, and end the sweep, in this order: FINISHED says that all is there."""
    reporting = time.monotonic()
    writer, plan = runner.writer, runner.plan
    writer.keep_runs()
    read = read_for_report(store, writer.run_id)
    report = report_of(store, read)
    verdicts = report.swept.verdicts
    writer.json("claims.json", verdict_rows(verdicts))
    sizes = {"trials": len(plan.trials), "trainings": plan.trainings}
    figures = {**_outcomes(read), **sizes, "total_seconds": time.monotonic() - options.started}
    writer.figures(figures)
    report.swept.figures.update(figures)
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
        return Carried(FAILED, summary, read, verdicts, report.findings, report.searched)
    writer.finish()
    bad = summary["outcomes"][Result.FAILED] or not all(verdict.holds for verdict in verdicts)
    return Carried(FAILED if bad else DONE, summary, read, verdicts, report.findings, report.searched)


def _outcomes(read: Sweep) -> dict[str, int]:
    return {str(result): int((read.trainings[c.OUTCOME] == result).sum()) for result in Result}


def _tell_reasons(read: Sweep) -> None:
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


def _summary(runner: Runner, read: Sweep | None, report: Path | None, options: Options) -> dict[str, Any]:
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
            return SweepWriter.resume(store, run, experiment, plan)
    others = "; ".join(f"{run.data.tags.get(COMMAND_TAG, '?')} --resume" for run in found[:5])
    hint = f"unfinished sweeps of {experiment.name} that asked something else: {others}" if others else "there is none"
    raise RequestError(f"nothing to resume: no unfinished sweep of this request in {store.uri}; {hint}")


def _uri_option(options: Options) -> str:
    return f" --tracking-uri {shlex.quote(options.tracking_uri)}" if options.tracking_uri else ""

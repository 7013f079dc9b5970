"""The commands that train: they pick the parts and hand them to each other."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from bench.analysis.claims import Verdict, check_claims, verdict_rows
from bench.analysis.summary import describe_training, describe_trial
from bench.cli.show import check_output, default_report, write_report
from bench.cli.terminal import claims_table, plan_table, say, trials_table
from bench.errors import RequestError
from bench.experiment.block import Values
from bench.experiment.find import find_experiment
from bench.experiment.grid import Plan, make_plan
from bench.experiment.spec import Experiment, adhoc, read_experiment, read_overrides
from bench.problem.outcome import Result
from bench.problem.trial import Trial
from bench.sweep import executors
from bench.sweep.environment import environment
from bench.sweep.interrupt import interrupts
from bench.sweep.plan import Job
from bench.sweep.progress import SweepProgress
from bench.sweep.runner import Describers, Runner
from bench.sweep.searching import search
from bench.tracking import columns as c
from bench.tracking.reader import Sweep, read_sweep, unfinished
from bench.tracking.store import COMMAND_TAG, PLAN_TAG, Store, tracking_uri
from bench.tracking.writer import SweepWriter

DEFAULT_EXPERIMENT = "sensitivity"
DOCUMENTS = "documents"
FEW_TRAININGS = 100  # up to here every training has an MLflow run of its own
DONE, FAILED, INTERRUPTED = 0, 1, 130


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


def request(words: Sequence[str]) -> Experiment:
    """Return the experiment that the command line asks for; raise RequestError for a wrong one."""
    named = [word for word in words if "=" not in word]
    overrides = read_overrides([word for word in words if word not in named], Path.cwd())
    if len(named) > 1:
        raise RequestError(f"got the experiments {', '.join(named)}; allowed is one")
    if not named and overrides:
        return adhoc(overrides, words)
    return read_experiment(find_experiment(named[0] if named else DEFAULT_EXPERIMENT), overrides, words)


def dry(words: Sequence[str], *, as_json: bool) -> None:
    """List the trials of a request and count its work."""
    experiment = request(words)
    plan = make_plan(experiment)
    counts = {"trials": plan.expected_trials, "trainings": plan.expected_trainings, "iterations": plan.iterations}
    if as_json:
        listed = [{c.TRIAL_ID: p.trial.trial_id, "trainings": p.trainings, **p.trial.parameters} for p in plan.trials]
        content = {"experiment": experiment.name, **counts, "duplicates": plan.duplicates, "list": listed}
        click.echo(json.dumps(content))
        return
    plan_table(plan)


def sweep(words: Sequence[str], options: Options, *, as_json: bool) -> int:
    """Carry out a sweep and print what came of it; return the exit status."""
    experiment = request(words)
    status, summary, read, verdicts = carry_out(experiment, options)
    if read is not None and not as_json:
        trials_table(read.plan, read.trainings)
    if verdicts:
        missed = [verdict for verdict in verdicts if not verdict.holds]
        say(f"{len(verdicts) - len(missed)} of {len(verdicts)} claims hold")
        claims_table(missed)
    if as_json:
        click.echo(json.dumps(summary))
    elif summary["report"]:
        click.echo(f"Report: {summary['report']}")
    return status


def reproduce(options: Options, *, as_json: bool) -> int:
    """Train what the documents train and print every figure, expected beside observed; return the exit status."""
    status, summary, _, verdicts = carry_out(
        read_experiment(find_experiment(DOCUMENTS), Values(), [DOCUMENTS]), options
    )
    if as_json:
        click.echo(json.dumps(verdict_rows(verdicts), ensure_ascii=False))
    else:
        claims_table(verdicts)
        click.echo(f"{sum(v.holds for v in verdicts)} of {len(verdicts)} hold. Report: {summary['report']}")
    return status


def carry_out(experiment: Experiment, options: Options) -> tuple[int, dict[str, Any], Sweep | None, list[Verdict]]:
    """Plan, train, track, check and report; return the exit status and what there is to print."""
    started = time.monotonic()
    plan = make_plan(experiment)
    executors.check(options.executor)
    check_output(options.output, ".html")
    cores = options.workers or executors.available_cores()
    kind = _executor(plan, options.executor, cores)
    make = executors.maker(kind, cores)
    uri = tracking_uri(options.tracking_uri)
    store = Store(uri)
    writer = _resumed(store, experiment, plan) if options.resume else _begun(store, experiment, plan, kind, cores)
    trainings = plan.expected_trainings
    training_runs = options.runs == "training" or (options.runs == "auto" and trainings <= FEW_TRAININGS)
    describers = Describers(describe_trial, describe_training)
    runner = Runner(experiment, plan, writer, describers, training_runs=training_runs)
    already = runner.take_up() if options.resume else 0
    missing = trainings - already
    say(f"sweep {writer.run_id[:8]}: {missing:,} trainings of {plan.expected_trials:,} trials, {kind} on {cores}")
    window = 1 if kind == "serial" else executors.WINDOW * cores
    prepared = time.monotonic() - started
    with interrupts() as stop, SweepProgress(trainings, already) as progress:
        train = partial(runner.run, make, window, progress, stop)
        train()
        if experiment.search and not stop.is_set():
            search(experiment.search, len(experiment.blocks), runner, train, stop)
    if stop.is_set():
        writer.finish("KILLED")
        say(f"interrupted; what was finished is safe. Go on with: {experiment.command} --resume{_uri_option(options)}")
        return INTERRUPTED, {"report": None}, None, []
    return _conclude(runner.plan, options, store, writer, runner, {"prepare": prepared}, started)


def _conclude(
    plan: Plan,
    options: Options,
    store: Store,
    writer: SweepWriter,
    runner: Runner,
    seconds: Mapping[str, float],
    started: float,
) -> tuple[int, dict[str, Any], Sweep, list[Verdict]]:
    """Check the claims, write the report, and end the sweep, in this order: FINISHED says that all is there."""
    reporting = time.monotonic()
    read = read_sweep(store, writer.run_id)
    verdicts = check_claims(plan.claims, read.trainings)
    outcomes = {str(r): int((read.trainings[c.OUTCOME] == r).sum()) for r in Result}
    writer.json("claims.json", verdict_rows(verdicts))
    writer.figures({**outcomes, "total_seconds": time.monotonic() - started})
    path = None
    if not options.no_report:
        path = options.output or default_report([read.info])
        write_report(store, [writer.run_id], path)
        writer.file(path)
    writer.finish()
    now = time.monotonic()
    summary = {
        "sweep": writer.run_id,
        "experiment": read.info.experiment,
        "trials": len(plan.trials),
        "trainings": plan.trainings,
        "outcomes": outcomes,
        "seconds": {
            **{name: round(value, 3) for name, value in {**seconds, **runner.seconds}.items()},
            "report": round(now - reporting, 3),
            "total": round(now - started, 3),
        },
        "report": str(path.resolve()) if path else None,
    }
    bad = outcomes[Result.FAILED] or not all(verdict.holds for verdict in verdicts)
    return FAILED if bad else DONE, summary, read, verdicts


def _executor(plan: Plan, name: str, workers: int) -> str:
    from bench.backends import load

    jobs = [Job(planned.trial, planned.seeds) for planned in plan.trials]
    if plan.search:
        jobs.append(Job(Trial(**plan.search.fixed), range(plan.search.trials * len(plan.search.seeds))))
    cost_s = sum(job.cost_s for job in jobs)
    holds_gil = any(not load(job.trial.backend).releases_gil for job in jobs)
    return executors.choose(name, workers, cost_s, holds_gil=holds_gil)


def _begun(store: Store, experiment: Experiment, plan: Plan, kind: str, workers: int) -> SweepWriter:
    name = f"{experiment.name} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
    return SweepWriter.begin(store, experiment, plan, environment(kind, workers), name)


def _resumed(store: Store, experiment: Experiment, plan: Plan) -> SweepWriter:
    """Return the newest unfinished sweep of this request; raise RequestError if there is none."""
    found = unfinished(store, experiment.name)
    for run in found:
        if run.data.tags.get(PLAN_TAG) == plan.plan_id:
            return SweepWriter.resume(store, run)
    others = "; ".join(f"{run.data.tags.get(COMMAND_TAG, '?')} --resume" for run in found[:5])
    hint = f"unfinished sweeps of {experiment.name} that asked something else: {others}" if others else "there is none"
    raise RequestError(f"nothing to resume: no unfinished sweep of this request in {store.uri}; {hint}")


def _uri_option(options: Options) -> str:
    return f" --tracking-uri {options.tracking_uri}" if options.tracking_uri else ""

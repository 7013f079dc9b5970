"""The commands behind the command line."""

import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from bench.api import (
    Options,
    SweepOutcome,
    carry_out,
    check_output,
    checked_plan,
    default_report,
    read_for_report,
    report_of,
    write_page,
)
from bench.config.experiment import Experiment, adhoc, read_experiment, read_overrides
from bench.config.experiment_file import experiments, find_experiment, parse
from bench.config.until import read_until, until_row
from bench.config.values import Values
from bench.console import best_table, claims_table, findings_list, plan_table, print_table, say, trials_table
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.stats.claims import verdict_rows
from bench.store.mlflow_store import Store, tracking_uri
from bench.store.reader import export as export_table
from bench.store.reader import find_sweep, sweeps

DEFAULT_EXPERIMENT = "sensitivity"
DOCUMENTS = "documents"
CLOCKS = {"import": "imports", "train": "training", "optuna": "Optuna", "track": "MLflow", "report": "report"}


def request(words: Sequence[str], until: float | None = None, max_seeds: int | None = None) -> Experiment:
    """Return the experiment that the command line asks for; raise RequestError for a wrong one."""
    return replace(_experiment(words), until=read_until(until, max_seeds))


def _experiment(words: Sequence[str]) -> Experiment:
    named = [word for word in words if "=" not in word]
    overrides = read_overrides([word for word in words if word not in named], Path.cwd())
    if len(named) > 1:
        raise RequestError(f"got the experiments {', '.join(named)}; allowed is one")
    if not named and overrides:
        return adhoc(overrides, words)
    return read_experiment(find_experiment(named[0] if named else DEFAULT_EXPERIMENT), overrides, words)


def dry(experiment: Experiment, *, as_json: bool) -> None:
    """List the trials of a request and count its work."""
    plan = checked_plan(experiment)
    if as_json:
        counts = {"trials": plan.expected_trials, "trainings": plan.expected_trainings}
        listed = [{c.TRIAL_ID: p.trial.trial_id, "trainings": p.trainings, **p.trial.parameters} for p in plan.trials]
        counts |= {"iterations": plan.expected_iterations, "duplicates": plan.duplicates}
        rest = {"until": until_row(plan.until), "search": plan.search.row if plan.search else None, "list": listed}
        click.echo(json.dumps({"experiment": experiment.name, **counts, **rest}))
        return
    plan_table(plan)


def sweep(experiment: Experiment, options: Options, *, as_json: bool) -> int:
    """Carry out a sweep and print what came of it; return the exit status."""
    done = carry_out(experiment, options)
    if done.sweep is not None and not as_json:
        trials_table(done.sweep.plan, done.sweep.trainings)
        if done.searched is not None:
            best_table(done.searched)
        findings_list(done.findings)
    if done.verdicts:
        missed = [verdict for verdict in done.verdicts if not verdict.holds]
        say(f"{len(done.verdicts) - len(missed)} of {len(done.verdicts)} claims hold")
        claims_table(missed, on_stderr=as_json)
    if as_json:
        click.echo(json.dumps(done.summary))
    elif done.summary["report"]:
        click.echo(f"Report: {done.summary['report']}")
    if done.searched is not None:
        say(_search_words(done))
    return done.status


def _search_words(done: SweepOutcome) -> str:
    """Return where a search's time went, and where its study can be looked at."""
    seconds = done.summary["seconds"]
    parts = ", ".join(f"{words} {seconds[name]:.1f}" for name, words in CLOCKS.items())
    storage = shlex.quote(done.searched.proposals.storage) if done.searched else ""
    return f"{seconds['total']:.1f} s in all: {parts}. Optuna's study: optuna-dashboard {storage}"


def reproduce(options: Options, *, as_json: bool) -> int:
    """Train what the documents train and print every figure, expected beside observed; return the exit status."""
    done = carry_out(read_experiment(find_experiment(DOCUMENTS), Values(), [DOCUMENTS]), options)
    if as_json:
        click.echo(json.dumps(verdict_rows(done.verdicts), ensure_ascii=False))
    elif done.verdicts:
        claims_table(done.verdicts)
        click.echo(
            f"{sum(v.holds for v in done.verdicts)} of {len(done.verdicts)} hold. Report: {done.summary['report']}"
        )
    return done.status


# ------------------------------------------------------------------ show


TABLES = (".parquet", ".csv")


def report(given: Sequence[str], output: Path | None, uri: str | None) -> None:
    """Write the report of the given sweeps, or of the newest."""
    check_output(output, ".html")
    store = _existing(uri)
    found = list(dict.fromkeys(find_sweep(store, one) for one in given)) or [find_sweep(store, None)]
    infos = {info.sweep: info for info in sweeps(store)}
    path = output or default_report([infos[one] for one in found])
    write_page([report_of(store, read_for_report(store, one), key) for key, one in enumerate(found, 1)], path)
    click.echo(f"Report: {path.resolve()}")


def export(given: str | None, output: Path, uri: str | None) -> None:
    """Write one row per training of a sweep."""
    check_output(output, *TABLES)
    store = _existing(uri)
    sweep = find_sweep(store, given)
    count = export_table(store, sweep, output)
    click.echo(f"{count:,} trainings of sweep {sweep[:8]}: {output}")


def listing(uri: str | None, *, as_json: bool) -> None:
    """List experiments and sweeps."""
    titles = {name: _title(path) for name, path in experiments().items()}
    found = sweeps(Store(tracking_uri(uri))) if _exists(tracking_uri(uri)) else []
    if as_json:
        listed = [{**vars(info), "started": info.started.isoformat()} for info in found]
        click.echo(json.dumps({"experiments": titles, "sweeps": listed}))
        return
    table = Table("experiment", "title", box=None, header_style="bold")
    for name, title in titles.items():
        table.add_row(escape(name), escape(title))
    print_table(table)
    headings = ("sweep", "experiment", "started (UTC)", "status", "trials", "trainings", "command")
    table = Table(*headings, box=None, header_style="bold")
    for info in found:
        sizes = (f"{info.trials:,}", f"{info.trainings:,}")
        started = f"{info.started:%Y-%m-%d %H:%M}"
        table.add_row(info.sweep[:8], info.experiment, started, info.status.lower(), *sizes, escape(info.command))
    if found:
        click.echo()
        print_table(table)


def _title(path: Path) -> str:
    problems: list[str] = []
    title = parse(path, problems).title
    return f"(cannot be read: {problems[0]})" if problems else title


def ui(port: int, uri: str | None) -> None:
    """Replace this process by the MLflow UI on the store, reachable from this machine only."""
    store = tracking_uri(uri)
    if store.startswith("http"):
        click.echo(f"The store is an MLflow server with a UI of its own: {store}")
        return
    if not _exists(store):
        raise RequestError(f"there is no store at {store}; run a sweep first: python -m bench sweep")
    click.echo(f"MLflow UI: http://127.0.0.1:{port} (end it with Ctrl-C)", err=True)
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--backend-store-uri",
        store,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    os.execv(  # noqa: S606 - every word of the command is written here
        sys.executable, [*command, "--workers", "1"]
    )


def _exists(uri: str) -> bool:
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()


def _existing(uri: str | None) -> Store:
    """Open a store that is there: looking at one must not create it."""
    known = tracking_uri(uri)
    if not _exists(known):
        raise RequestError(f"there is no sweep in {known}; run one with: python -m bench sweep")
    return Store(known)

"""The commands that show what was trained: report, export, list, ui."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from bench.cli.reporting import read_for_report, report_of, write_page
from bench.cli.terminal import print_table
from bench.errors import RequestError
from bench.experiment.find import experiments
from bench.experiment.schema import parse
from bench.tracking.reader import SweepInfo, find_sweep, sweeps
from bench.tracking.reader import export as export_table
from bench.tracking.store import Store, tracking_uri

REPORTS = Path("reports")
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


def _exists(uri: str) -> bool:
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()


def _existing(uri: str | None) -> Store:
    """Open a store that is there: looking at one must not create it."""
    known = tracking_uri(uri)
    if not _exists(known):
        raise RequestError(f"there is no sweep in {known}; run one with: python -m bench sweep")
    return Store(known)

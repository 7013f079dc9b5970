"""The command line: only this file is imported for ``--help``, and it imports nothing heavy."""

import sys
import time
from pathlib import Path

import click

from bench.errors import RequestError, before_any_work

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
URI_HELP = "MLflow tracking URI.  [default: $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db]"

tracking = click.option("--tracking-uri", metavar="URI", help=URI_HELP)
workers = click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Workers.  [default: all cores]")
executor = click.option(
    "--executor",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto, serial, threads, processes or dask://HOST:PORT",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


def main() -> None:
    """Run the command line; a wrong request is one clear message and exit status 2."""
    try:
        cli(prog_name="python -m bench")
    except RequestError as error:
        for problem in error.problems:
            click.echo(f"bench: {problem}", err=True)
        sys.exit(2)


class Interruptible(click.Group):
    """Commands that Ctrl-C ends with one line and exit status 130: click's own is ``Aborted!`` and 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Carry out the command; an interrupt's words, if it has any, say what it left."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            click.echo("; ".join(["bench: interrupted", *map(str, interrupt.args)]), err=True)
            ctx.exit(130)


@click.group(cls=Interruptible, context_settings=CONTEXT)
@click.version_option(package_name="bench", prog_name="bench")
def cli() -> None:
    """Show how sensitive the training of small neural networks is to where it starts.

    Trains every seed of every configuration, logs to MLflow, and writes an HTML report.
    """


@cli.command()
@click.argument("words", nargs=-1, metavar="[EXPERIMENT] [KEY=VALUE[,VALUE...]]...")
@workers
@executor
@tracking
@click.option("--resume", is_flag=True, help="Go on with the newest unfinished sweep of this request.")
@click.option("--dry-run", is_flag=True, help="List the trials and count the work; train nothing.")
@as_json
@click.option("--no-report", is_flag=True, help="Write no report.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="REPORT.html",
    help="Where the report goes.",
)
@click.option(
    "--until", type=float, metavar="HALF_WIDTH",
    help="Add seeds until every trial's solved rate is known to ± HALF_WIDTH (95 % interval), such as 0.02.",
)  # fmt: skip
@click.option("--max-seeds", type=int, metavar="N", help="With --until: end when there are N seeds of each trial.")
@click.option(
    "--runs", type=click.Choice(["auto", "trial", "training"]), default="auto", show_default=True,
    help="MLflow runs: one per trial, or one per training as well (auto: up to 100 trainings).",
)  # fmt: skip
def sweep(
    words: tuple[str, ...],
    workers: int | None,
    executor: str,
    tracking_uri: str | None,
    *,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    no_report: bool,
    output: Path | None,
    until: float | None,
    max_seeds: int | None,
    runs: str,
) -> None:
    """Train every seed of every configuration of an experiment.

    EXPERIMENT is a name in experiments/ or a path; by default, experiments/sensitivity.toml. KEY=VALUE replaces a
    parameter in it; without an EXPERIMENT, KEY=VALUE alone describes the sweep:

      python -m bench sweep gate=xor hidden=2,3,4 loss=mse,bce seeds=0:1000

    A range makes it a search by Optuna, whose options are called search.KEY:

      python -m bench sweep hidden=2..16 learning_rate=0.01..10:log search.trials=200
    """
    started = time.monotonic()
    with before_any_work():
        from bench.api import Options
        from bench.commands import dry, request, sweep

        experiment = request(words, until, max_seeds)
    if dry_run:
        dry(experiment, as_json=as_json)
        return
    options = Options(workers, executor, tracking_uri, resume, no_report, output, runs, started)
    sys.exit(sweep(experiment, options, as_json=as_json))


@cli.command()
@click.argument("sweeps", nargs=-1, metavar="[SWEEP]...")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="PATH", help="Where it goes.")
@tracking
def report(sweeps: tuple[str, ...], output: Path | None, tracking_uri: str | None) -> None:
    """Write the report of a sweep again (the newest by default), or of several side by side."""
    from bench.commands import report

    report(sweeps, output, tracking_uri)


@cli.command()
@click.argument("sweep", required=False)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.parquet|FILE.csv"
)
@tracking
def export(sweep: str | None, output: Path, tracking_uri: str | None) -> None:
    """Write one row per training of a sweep (the newest by default)."""
    from bench.commands import export

    export(sweep, output, tracking_uri)


@cli.command()
@as_json
@workers
@executor
@tracking
def reproduce(workers: int | None, executor: str, tracking_uri: str | None, *, as_json: bool) -> None:
    """Train what the two documents train, and compare every figure that they print."""
    started = time.monotonic()
    with before_any_work():
        from bench.api import Options
        from bench.commands import reproduce

    sys.exit(reproduce(Options(workers, executor, tracking_uri, started=started), as_json=as_json))


@cli.command("list")
@as_json
@tracking
def list_(tracking_uri: str | None, *, as_json: bool) -> None:
    """List the experiments and the sweeps."""
    from bench.commands import listing

    listing(tracking_uri, as_json=as_json)


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on this machine.")
@tracking
def ui(port: int, tracking_uri: str | None) -> None:
    """Open the MLflow UI on the store, for this machine only."""
    from bench.commands import ui

    ui(port, tracking_uri)

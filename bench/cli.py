"""The command line, a client of the API: words into calls, results into text. ``--help`` imports no more than this."""

import gc
import json
import os
import shlex
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import RequestError, before_any_work
from bench.outputs import CSV, FORMATS, JSON, TABLE, print_plan, print_rows, print_sweep, search_words, summed_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from bench.config.experiment import Experiment
    from bench.lifecycle import Options
    from bench.results import Sweep

DOCUMENTS = "documents"  # the experiment that `reproduce` carries out
REPRODUCED = ("id", "source", "what", "expected", "observed", "holds")
FAILING = ("refuted", "undecided")  # what differs from something published does not fail
UNDECIDED = 3  # the exit status where all went well, but a claim is undecided
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
URI_HELP = "MLflow tracking URI.  [default: $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db]"

COMPLETE = "_BENCH_COMPLETE"  # the variable by which a shell asks what a word may become
SHELLS = """Completion in a shell, for the command bench:

\b
bash  eval "$(_BENCH_COMPLETE=bash_source bench)"    in ~/.bashrc
zsh   eval "$(_BENCH_COMPLETE=zsh_source bench)"     in ~/.zshrc
fish  _BENCH_COMPLETE=fish_source bench | source     in ~/.config/fish/completions/bench.fish
"""


def _completed_by(name: str) -> "Callable[[click.Context, click.Parameter, str], list[CompletionItem]]":
    """Return what completes words in a shell, imported when it is asked."""

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> "list[CompletionItem]":
        from bench import completion

        return completion.quietly(getattr(completion, name), context, begun)

    return complete


a_sweep = click.argument("sweep", shell_complete=_completed_by("sweeps"))
newest_or = click.argument("sweep", required=False, shell_complete=_completed_by("sweeps"))
tracking = click.option("--tracking-uri", metavar="URI", help=URI_HELP)
workers = click.option("--workers", type=click.IntRange(1, 100_000), metavar="N", help="Workers.  [default: all cores]")
executor = click.option(
    "--executor",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto, serial, threads, processes, dask (a cluster of its own), dask://HOST:PORT or tls://HOST:PORT",
)
map_number = click.option(
    "--map", "map_number", type=click.IntRange(min=1), metavar="N", help="Which of its maps.  [default: the first]"
)
resume = click.option(
    "--resume", is_flag=True, help="Go on with the unfinished sweep of this request of which most is there."
)
dry_run = click.option("--dry-run", is_flag=True, help="List the trials and count the work; train nothing.")
no_report = click.option("--no-report", is_flag=True, help="Write no report.")
report_path = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="REPORT.html",
    help="Where the report goes.",
)


def _use_plugins(_context: click.Context, _option: click.Parameter, paths: tuple[Path, ...]) -> None:
    """Take up plug-in files before anything is read that may name what they add."""
    if paths:
        from bench import plugins

        plugins.use(*paths)


plugin = click.option(
    "--plugin",
    type=click.Path(path_type=Path),
    multiple=True,
    expose_value=False,
    callback=_use_plugins,
    metavar="FILE.py",
    help="Take gates, backends, objectives and sections from a file, too; several, if given several times.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
swept_as, shown_as, listed_as = (
    click.option("--format", "form", type=click.Choice(FORMATS), help=f"{words}.  [default: table]")
    for words in (
        "Tables and sentences, a row per trial, or one object",
        "Tables and sentences, a row per trial, or all of it",
        "Tables, a row per sweep, or all of it",
    )
)
quiet = click.option(
    "-q", "--quiet", is_flag=True, help="Print errors and warnings only, and on stdout the path of the report alone."
)


def main() -> None:
    """Run the command line; a wrong request is one clear message and exit status 2."""
    gc.disable()  # imports make no garbage, and to look for it among them takes half a second
    try:
        cli(prog_name="bench" if COMPLETE in os.environ else "python -m bench")
    except RequestError as error:
        for problem in error.problems:
            click.echo(f"bench: {problem}", err=True)
        sys.exit(2)
    except Exception as error:
        if not _is_of_the_store(error):
            raise
        from bench.store.patience import in_a_line

        click.echo(f"bench: the store failed: {in_a_line(error)}", err=True)
        sys.exit(1)
    finally:
        gc.freeze()  # it all ends with the process: looking for garbage in it would take another 0.3 s
        gc.enable()


def _is_of_the_store(error: Exception) -> bool:
    """Whether it is what a store raises; where none was opened, the library of stores is not imported."""
    opened = sys.modules.get("bench.store.mlflow_store")
    return opened is not None and isinstance(error, opened.StoreError)


class Interruptible(click.Group):
    """Commands that Ctrl-C ends with one line and exit status 130: click's own is ``Aborted!`` and 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Carry out the command; an interrupt's words, if it has any, say what it left."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            click.echo("; ".join(["bench: interrupted", *map(str, interrupt.args)]), err=True)
            ctx.exit(130)


@click.group(cls=Interruptible, context_settings=CONTEXT, epilog=SHELLS)
@click.version_option(package_name="bench", prog_name="bench")
def cli() -> None:
    """Show how sensitive the training of small neural networks is to where it starts.

    Trains every seed of every configuration, logs to MLflow, and writes an HTML report.
    """


@cli.command()
@click.argument(
    "words", nargs=-1, metavar="[EXPERIMENT] [KEY=VALUE[,VALUE...]]...", shell_complete=_completed_by("words")
)
@plugin
@workers
@executor
@tracking
@resume
@dry_run
@as_json
@swept_as
@quiet
@no_report
@click.option(
    "--reuse/--fresh", default=True, show_default=True,
    help="Take over what earlier sweeps of the store have trained with the same code, or train all anew.",
)  # fmt: skip
@click.option("--no-budget-check", is_flag=True, help="Train nothing of what is stuck ten times as long.")
@report_path
@click.option(
    "--until", metavar="HALF_WIDTH|claims",
    help="Add seeds until every trial's solved rate is known to ± HALF_WIDTH (95 % interval), such as 0.02, or until "
    "every claim is decided.",
)  # fmt: skip
@click.option("--max-seeds", type=int, metavar="N", help="With --until: end when there are N seeds of each trial.")
@click.option("--strict", is_flag=True, help="A claim that is undecided is a failure: exit status 1 instead of 3.")
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
    form: str | None,
    quiet: bool,
    no_report: bool,
    reuse: bool,
    no_budget_check: bool,
    output: Path | None,
    until: str | None,
    max_seeds: int | None,
    strict: bool,
    runs: str,
) -> None:
    """Train every seed of every configuration of an experiment.

    EXPERIMENT is a name in experiments/ or a path; by default, experiments/sensitivity.toml. KEY=VALUE replaces a
    parameter in it; without an EXPERIMENT, KEY=VALUE alone describes the sweep:

      python -m bench sweep gate=xor hidden=2,3,4 loss=mse,bce seeds=0:1000

    learning_rate=0.01..10:log:50 is fifty values. A range that does not say how many makes it a search by Optuna, whose
    options are called search.KEY:

      python -m bench sweep hidden=2..16 learning_rate=0.01..10:log search.trials=200
    """
    started = time.monotonic()
    form = _form(form, as_json=as_json)
    with before_any_work():
        with nullcontext() if quiet else _importing():
            from bench.console import say
            from bench.lifecycle import Options
            from bench.request import read_request, remarks

        experiment = read_request(words, until=until, max_seeds=max_seeds)
        for said in remarks(words):
            say(said)
    options = Options(
        workers, executor, tracking_uri, resume, runs, not no_budget_check, output or not no_report,
        whole=form == TABLE and not quiet, quiet=quiet, reuse=reuse, started=started,
    )  # fmt: skip
    status, _ = _run(experiment, options, dry_run=dry_run, form=form)
    sys.exit(1 if strict and status == UNDECIDED else status)


def _form(form: str | None, *, as_json: bool = False) -> str:
    """Return the format in which results are printed; ``--json`` is another name of one."""
    if as_json and form not in (None, JSON):
        raise RequestError(f"format is {form!r}, and --json is given; allowed is one of the two")
    return JSON if as_json else form or TABLE


def _importing() -> AbstractContextManager[None]:
    """Show on a terminal that libraries are imported, which may take seconds where they were not lately."""
    if not sys.stderr.isatty():
        return nullcontext()
    from bench.listings import phase

    return phase("importing")


def _run(experiment: "Experiment", options: "Options", *, dry_run: bool, form: str) -> "tuple[int, Sweep | None]":
    """Carry an experiment out, or only list it, and print what came of it; return the exit status, and the sweep."""
    from bench.console import print_conclusions, print_results, say

    if dry_run:
        print_plan(experiment, form, quiet=options.quiet, workers=options.workers)
        return 0, None
    in_words = form == TABLE and not options.quiet
    status, swept, summary = _carry_out(experiment, replace(options, show=print_results if in_words else None))
    if swept is not None and not (options.quiet and not swept.claims["verdict"].isin(FAILING).any()):
        print_conclusions(swept, on_stderr=not in_words)
    if form == JSON:
        click.echo(json.dumps(summary))
    elif form == CSV and swept is not None:
        print_sweep(swept, form)
    if form != JSON and summary["report"] and not (options.quiet and form == CSV):
        click.echo(summary["report"] if options.quiet else f"Report: {summary['report']}", err=form == CSV)
    if swept is not None and not options.quiet and (swept.search_results or swept.combinations) is not None:
        say(search_words(swept, summary["seconds"]))
    return status, swept


def _carry_out(experiment: "Experiment", options: "Options") -> "tuple[int, Sweep | None, dict[str, Any]]":
    """Carry a sweep out; return the exit status, the sweep if there is something to show of it, and what --json prints.

    The exit status is 0 when all is done, 1 where a training failed, a claim is refuted or the store failed, 3 where
    nothing is wrong but a claim is undecided, and 130 for an interrupt.
    """
    from bench.console import say
    from bench.lifecycle import Interrupted, SweepError, carry_out

    gc.freeze()  # what was imported stays: to look for garbage in it again and again takes a tenth of a report
    gc.set_threshold(100_000)
    gc.enable()
    uri = f" --tracking-uri {shlex.quote(options.tracking_uri)}" if options.tracking_uri else ""
    again = f"Go on with: {experiment.command} --resume{uri}"
    try:
        swept = carry_out(experiment, replace(options, again=again, resuming="--resume"))
    except Interrupted as stopped:
        say(str(stopped))
        return 130, None, summed_up(stopped.sweep, stopped.sweep.outcomes)
    except SweepError as failed:
        say(str(failed))
        if failed.__cause__ is not None:  # the store's own error: nothing more is asked of it
            return 1, None, summed_up(failed.sweep, {})
        report = not failed.unreported and options.report
        return 1, failed.sweep, summed_up(failed.sweep, failed.sweep.outcomes, report=report)
    except KeyboardInterrupt as at_once:
        for words in getattr(at_once, "__notes__", ()):
            say(words)
        raise
    verdicts = set(swept.claims["verdict"])
    status = 1 if swept.outcomes["failed"] or "refuted" in verdicts else UNDECIDED if "undecided" in verdicts else 0
    return status, swept, summed_up(swept, swept.outcomes, report=options.report)


@cli.command()
@click.argument("sweeps", nargs=-1, metavar="[SWEEP]...", shell_complete=_completed_by("sweeps"))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="PATH", help="Where it goes.")
@click.option(
    "--by", metavar="KEY", shell_complete=_completed_by("names"),
    help="Compare the first value of a parameter with each other one, two to six in all: the same starts.",
)  # fmt: skip
@plugin
@tracking
def report(sweeps: tuple[str, ...], output: Path | None, by: str | None, tracking_uri: str | None) -> None:
    """Write the report of a sweep again (the newest by default), or of several side by side."""
    from bench.api import load
    from bench.console import tell
    from bench.results import comparison_words, write_report
    from bench.user_files import check_output

    if output is not None:
        check_output(output, ".html")
    found = {swept.id: swept for swept in (load(one, tracking_uri) for one in sweeps or [None])}
    chosen = list(found.values())
    path = write_report(chosen, output, by=by)
    tell(comparison_words(chosen, by))
    click.echo(f"Report: {path}")


@cli.command()
@newest_or
@shown_as
@plugin
@tracking
def show(sweep: str | None, tracking_uri: str | None, form: str | None) -> None:
    """Print the table, the findings and the claims of a sweep again (the newest by default)."""
    from bench.api import load

    print_sweep(load(sweep, tracking_uri), _form(form))


@cli.command()
@a_sweep
@click.argument("text")
@tracking
def title(sweep: str, text: str, tracking_uri: str | None) -> None:
    """Give a sweep another title: on its page, when that is written again, and in MLflow."""
    from bench.api import load

    load(sweep, tracking_uri).rename(text)


@cli.command()
@a_sweep
@click.argument("text")
@tracking
def note(sweep: str, text: str, tracking_uri: str | None) -> None:
    """Add a paragraph, in Markdown, to what MLflow shows with a sweep."""
    from bench.api import load

    load(sweep, tracking_uri).note(text)


@cli.command()
@a_sweep
@tracking
def delete(sweep: str, tracking_uri: str | None) -> None:
    """Delete a sweep as MLflow does: `mlflow runs restore` brings its runs back, until `gc` removes their files."""
    from bench.api import load

    found = load(sweep, tracking_uri)
    found.delete()
    click.echo(f"Sweep {found.id[:8]} is deleted; `python -m bench gc` frees what it takes.", err=True)


@cli.command("gc")
@tracking
def gc_(tracking_uri: str | None) -> None:
    """Remove for good what was deleted: MLflow's own `gc`."""
    from bench.store.mlflow_store import existing_store

    store = existing_store(tracking_uri)
    words = ["-m", "mlflow", "gc", "--backend-store-uri", store.uri, "--tracking-uri", store.uri]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - every word of the command is written here


@cli.command()
@newest_or
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.parquet|FILE.csv|FILE.npz",
)  # fmt: skip
@click.option("--summary", is_flag=True, help="One row per trial instead: counts, and estimates with their intervals.")
@click.option(
    "--with", "lists", metavar="curves,weights", default=None,
    help="Add what was kept of each training: its loss curve; its initial and final weights (in a .csv as JSON).",
)  # fmt: skip
@map_number
@plugin
@tracking
def export(
    sweep: str | None,
    output: Path,
    map_number: int | None,
    lists: str | None,
    tracking_uri: str | None,
    *,
    summary: bool,
) -> None:
    """Write one row per training of a sweep (the newest by default), per trial, or per pixel of a map.

    An .npz file has a map as arrays.
    """
    from bench.api import load
    from bench.console import say
    from bench.model.parameter_fields import choice
    from bench.report.number_format import plural
    from bench.store.export import LISTS, write_arrays, write_export
    from bench.user_files import check_output

    check_output(output, ".parquet", ".csv", ".npz")
    named = [choice(*LISTS)("with", name.strip()) for name in lists.split(",")] if lists is not None else []
    if named and (summary or map_number is not None or output.suffix == ".npz"):
        raise RequestError(f"with is {lists!r}, which are of trainings; allowed without --summary and of no map")
    if summary and (map_number is not None or output.suffix == ".npz"):
        raise RequestError("summary is of trials, and a map has none; allowed is one of the two")
    swept = load(sweep, tracking_uri)
    if named and not swept.plan.trials:
        raise RequestError(f"with is {lists!r}, and sweep {swept.id[:8]} has maps only; allowed are sweeps with trials")
    if map_number is not None or output.suffix == ".npz" or not (swept.plan.trials or summary):
        from bench.zoom import chosen

        one = chosen(swept, map_number)
        write_arrays(one.arrays(), output) if output.suffix == ".npz" else write_export(one.frame(), output)
        click.echo(f"{plural(one.map.pixels, 'pixel')} of sweep {swept.id[:8]}: {output}")
        return
    if summary:
        write_export(swept.trials, output)
    count = len(swept.trials) if summary else swept.export(output, named, say)
    click.echo(f"{plural(count, 'trial' if summary else 'training')} of sweep {swept.id[:8]}: {output}")


@cli.command()
@a_sweep
@map_number
@click.option("--x", metavar="LOW:HIGH", help="The window along x.  [default: all of it]")
@click.option("--y", metavar="LOW:HIGH", help="The window along y.  [default: all of it]")
@click.option("--size", type=click.IntRange(min=1), metavar="PIXELS", help="Of the longer side.")
@click.option(
    "--depth", type=click.IntRange(min=0), default=0, metavar="N", help="Go on N times nearer, around a point."
)
@click.option("--at", metavar="X,Y", help="With --depth: that point.  [default: on a border, nearest to the middle]")
@click.option("--factor", type=float, default=8.0, show_default=True, help="With --depth: how much nearer each time.")
@click.option("--border", metavar="FATE", help='Of which fate the border is read and followed: solved, "0 1 1 1".')
@click.option("--pairs", type=click.IntRange(min=0), metavar="N", help="Pairs for the dimension of the border.")
@click.option(
    "--animation", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.webp|FILE.png",
    help="With --depth: write the way down as a moving picture.",
)  # fmt: skip
@plugin
@workers
@executor
@tracking
@resume
@dry_run
@as_json
@no_report
@report_path
def zoom(
    sweep: str,
    map_number: int | None,
    workers: int | None,
    executor: str,
    tracking_uri: str | None,
    animation: Path | None,
    output: Path | None,
    *,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    no_report: bool,
    **window: Any,
) -> None:
    """Train a window of a map of SWEEP, and, with --depth, windows within it, each nearer than the one before.

    python -m bench zoom 1a2b3c4d --x 0.1:0.2 --y 0.3:0.4 --size 1024

    python -m bench zoom 1a2b3c4d --depth 5 --animation descent.webp
    """
    started = time.monotonic()
    with before_any_work():
        from bench.api import load
        from bench.lifecycle import Options
        from bench.user_files import check_output
        from bench.zoom import zoom as zoomed

        if animation is not None:
            check_output(animation, ".webp", ".png")
            if not window["depth"]:
                raise RequestError(f"animation is {str(animation)!r}, which needs a depth")
        experiment = zoomed(load(sweep, tracking_uri), map_number, **window)
    options = Options(
        workers, executor, tracking_uri, resume, report=output or not no_report, whole=not as_json, started=started
    )
    status, swept = _run(experiment, options, dry_run=dry_run, form=_form(None, as_json=as_json))
    if animation is not None and swept is not None:
        from bench.report.descent import write_animation

        write_animation(swept.maps, animation)
        click.echo(f"Animation: {animation}", err=as_json)
    sys.exit(status)


@cli.command()
@as_json
@workers
@executor
@tracking
def reproduce(workers: int | None, executor: str, tracking_uri: str | None, *, as_json: bool) -> None:
    """Train what the two documents train, and compare every figure that they print."""
    started = time.monotonic()
    with before_any_work():
        from bench.config.experiment import read_experiment
        from bench.config.files import find_experiment
        from bench.config.values import Overrides
        from bench.console import claims_table
        from bench.lifecycle import Options

        experiment = read_experiment(find_experiment(DOCUMENTS), Overrides(), [DOCUMENTS])
    options = Options(workers, executor, tracking_uri, report=True, reuse=False, started=started)
    status, swept, summary = _carry_out(experiment, options)
    if as_json:
        rows = [] if swept is None else swept.claims[list(REPRODUCED)].to_dict("records")
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif swept is not None:
        claims_table(swept.claims)
        click.echo(f"{swept.claims['holds'].sum()} of {len(swept.claims)} hold. Report: {summary['report']}")
    sys.exit(status)


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_completed_by("papers"))
@workers
@executor
@tracking
@as_json
@quiet
@click.option(
    "--reuse/--fresh", default=True, show_default=True, help="Read what is trained already, or train all anew."
)
@report_path
def papers(
    names: tuple[str, ...],
    workers: int | None,
    executor: str,
    tracking_uri: str | None,
    output: Path | None,
    *,
    as_json: bool,
    quiet: bool,
    reuse: bool,
) -> None:
    """Train what papers have trained, and compare what they published with what comes out: all, or those named.

    A difference is a finding and no failure. What was trained before is read again, and takes seconds.
    """
    started = time.monotonic()
    with before_any_work():
        with nullcontext() if quiet else _importing():
            from bench.console import papers_table, say
            from bench.lifecycle import Options
            from bench.papers import check_papers, judged_papers, write_papers
            from bench.stats.claims import counted_verdicts, verdict_rows

        files = check_papers(names, output)
    options = Options(
        workers, executor, tracking_uri, runs="trial", budget_check=False, quiet=True, reuse=reuse, started=started,
        say=(lambda _: None) if quiet else say,
    )  # fmt: skip
    found = list(judged_papers(files, options))
    path = write_papers(found, output)
    rows = [{"paper": one.name, **row} for one in found for row in verdict_rows(one.verdicts)]
    if as_json:
        about = [
            {"paper": one.name, "sweep": one.sweep, "command": one.command, "seconds": one.seconds} for one in found
        ]
        click.echo(json.dumps({"papers": about, "claims": rows, "page": str(path.resolve())}, ensure_ascii=False))
    elif quiet:
        click.echo(path)
    else:
        papers_table(rows)
        click.echo(f"{counted_verdicts([verdict for one in found for verdict in one.verdicts])}. Page: {path}")
    sys.exit(1 if any(one.failed for one in found) else 0)


@cli.command()
@click.option("--speed", is_flag=True, help="Time whole sweeps, small and large: what you wait for besides training.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=1, show_default=True, help="With --speed: of which medians."
)
@click.option("--repair", is_flag=True, help="Mend what can be; no training that has finished is deleted.")
@click.option("--unlock", metavar="SWEEP", help="Take a sweep from a process of another machine that has ended.")
@as_json
@tracking
def doctor(
    *, speed: bool, rounds: int, repair: bool, unlock: str | None, as_json: bool, tracking_uri: str | None
) -> None:
    """Say what bench runs on here, and what is wrong with the store; exit status 1 if anything stays wrong.

    With --speed it says, instead of the store, how long sweeps take, some three minutes a round.
    """
    from bench.console import fields_table, rows_table, say
    from bench.report.number_format import plural
    from bench.running.environment import environment
    from bench.running.executors import cpu_count
    from bench.store.names import is_there, kept_beside
    from bench.store.names import tracking_uri as in_use

    uri = in_use(tracking_uri)
    here: dict[str, Any] = {"environment": environment("auto", cpu_count())}
    if not as_json:
        fields_table(here["environment"])
    status, rows, columns = 0, list[Any](), list[str]()
    if speed:
        from bench import overhead

        rows = here["seconds"] = overhead.measure(rounds, say)
        columns = list(overhead.COLUMNS)
    elif repair or unlock or tracking_uri or is_there(uri) or any(kept_beside(uri)):
        from bench.doctor import COLUMNS, examine, shown
        from bench.doctor import unlock as unlocked

        if unlock:
            say(unlocked(uri, unlock))
        found = examine(uri, repair=repair)
        here["store"] = {"uri": uri, "found": [one.row for one in found]}
        rows, columns = list(shown(found)), list(COLUMNS)
        status = 0 if all(one.mended for one in found) else 1
        hint = "; mend what can be with: python -m bench doctor --repair" if found and not repair else ""
        say(f"store {uri}: {plural(len(found), 'fault') if found else 'nothing wrong'}{hint}")
    if as_json:
        click.echo(json.dumps(here))
    elif rows:
        click.echo()
        rows_table(rows, columns)
    sys.exit(status)


@cli.command("list")
@as_json
@listed_as
@tracking
def list_(tracking_uri: str | None, *, as_json: bool, form: str | None) -> None:
    """List the experiments and the sweeps."""
    form = _form(form, as_json=as_json)
    from bench.config.files import experiments, title_of
    from bench.listings import experiments_table, sweeps_table
    from bench.store.listing import SweepInfo, read_list
    from bench.store.names import is_there
    from bench.store.names import tracking_uri as in_use

    titles = {name: title_of(path) for name, path in experiments().items()}
    uri = in_use(tracking_uri)
    found = read_list(uri) if is_there(uri) else []
    if found is None:
        from bench.store.mlflow_store import Store
        from bench.store.reader import sweeps

        found = sweeps(Store(uri))
    if form != TABLE:
        listed = [{**vars(info), "started": info.started.isoformat()} for info in found]
        if form == CSV:
            print_rows(listed, (field.name for field in fields(SweepInfo)))
        else:
            click.echo(json.dumps({"experiments": titles, "sweeps": listed}))
        return
    experiments_table(titles)
    if found:
        click.echo()
        sweeps_table(found)


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on this machine.")
@tracking
def ui(port: int, tracking_uri: str | None) -> None:
    """Open the MLflow UI on the store, for this machine only."""
    from bench.store.names import is_there
    from bench.store.names import tracking_uri as in_use

    uri = in_use(tracking_uri)
    if uri.startswith("http"):
        click.echo(f"The store is an MLflow server with a UI of its own: {uri}")
        return
    if not is_there(uri):
        raise RequestError(f"there is no store at {uri}; run a sweep first: python -m bench sweep")
    page = f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning"  # on runs, not on chats
    click.echo(f"MLflow UI: {page} (end it with Ctrl-C)", err=True)
    where = ["--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "ui", *where]
    os.execv(sys.executable, command)  # noqa: S606 - every word of the command is written here

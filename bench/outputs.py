"""Outputs of the commands: what is printed of a plan and of a sweep, as tables and sentences, CSV or JSON.

Heavy libraries are imported when something is printed: `--help` needs none.
"""

import csv
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.user_files import as_text

if TYPE_CHECKING:
    from bench.config.experiment import Experiment
    from bench.results import Sweep

TABLE, CSV, JSON = FORMATS = "table", "csv", "json"
CLOCKS = {"import": "imports", "train": "training", "optuna": "Optuna", "track": "MLflow", "report": "report"}


def print_sweep(swept: "Sweep", form: str) -> None:
    """Print what came of a stored sweep: as tables and sentences, its trials as CSV, or all of it as JSON."""
    from bench.console import print_conclusions, print_results

    if form == CSV:
        click.echo(swept.trials.map(as_text).to_csv(index=False), nl=False)
    elif form == JSON:
        found = {
            name: json.loads(frame.to_json(orient="records"))
            for name, frame in (("trials", swept.trials), ("claims", swept.claims))
        }
        findings = [{"sentence": one.sentence, "evidence": one.evidence} for one in swept.findings]
        click.echo(json.dumps({"sweep": swept.id, "answer": swept.page.answer, "findings": findings, **found}))
    else:
        print_results(swept)
        print_conclusions(swept)


def print_plan(experiment: "Experiment", form: str, *, quiet: bool, workers: int | None = None) -> None:
    """List the trials of a request and count its work; a ``quiet`` one only says what is wrong with it."""
    from bench.config.seeds import until_row
    from bench.console import plan_table
    from bench.estimates import check_memory, estimate
    from bench.lifecycle import checked_plan
    from bench.running.executors import cpu_count

    plan = checked_plan(experiment)
    found = estimate(plan, workers or cpu_count())
    check_memory(found)
    if form == TABLE:
        if not quiet:
            plan_table(plan, str(found))
        return
    counts: dict[str, Any] = {"trials": plan.expected_trials, "trainings": plan.expected_trainings + plan.points}
    counts |= {"maps": [{**one.to_json(), "trainings": one.points} for one in plan.maps]} if plan.maps else {}
    listed = [{"trial_id": p.trial.trial_id, "trainings": p.trainings, **p.trial.content} for p in plan.trials]
    if form == CSV:
        print_rows(listed, ["trial_id", "trainings", *plan.parameters])
        return
    counts |= {"iterations": plan.expected_iterations, "duplicates": plan.duplicates}
    counts |= {"seconds": float(f"{found.seconds:.3g}"), "memory_bytes": found.memory_bytes}
    rest = {"until": until_row(plan.until), "search": plan.search.row if plan.search else None, "list": listed}
    click.echo(json.dumps({"experiment": experiment.name, **counts, **rest}))


def print_rows(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> None:
    """Print rows as CSV."""
    table = csv.DictWriter(sys.stdout, list(names), lineterminator="\n")
    table.writeheader()
    table.writerows({name: as_text(value) for name, value in row.items()} for row in rows)


def summed_up(swept: "Sweep", outcomes: dict[str, int], *, report: bool | Path = False) -> dict[str, Any]:
    """Return the object that a sweep prints as JSON; its keys are a contract: scripts depend on them."""
    from bench.report_files import default_report

    name, trials = swept.plan.question.experiment, swept.plan.trials
    path = report if isinstance(report, Path) else default_report([(name, swept.id)])
    return {
        "sweep": swept.id,
        "experiment": name,
        "trials": len(trials),
        "trainings": swept.plan.trainings + swept.plan.points,
        **({"reused": swept.reused} if outcomes and swept.reused else {}),  # nothing is asked of a store that failed
        "outcomes": outcomes,
        **({"maps": [one.metrics for one in swept.maps]} if swept.plan.maps and outcomes else {}),
        "seconds": swept.seconds,
        "report": str(path.resolve()) if report else None,
    }


def search_words(swept: "Sweep", seconds: dict[str, float]) -> str:
    """Return where a search's time went, and where its study can be looked at."""
    parts = ", ".join(f"{words} {seconds[name]:.1f}" for name, words in CLOCKS.items())
    storage = shlex.quote(swept.plan.proposals.storage if swept.plan.proposals else "")
    return f"{seconds['total']:.1f} s in all: {parts}. Optuna's study: optuna-dashboard {storage}"

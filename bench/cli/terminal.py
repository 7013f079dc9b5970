"""What the terminal shows: results on stdout, everything else on stderr."""

from collections.abc import Sequence
from typing import Any

import click
import pandas as pd
from rich.console import Console
from rich.table import Table

from bench.analysis.claims import Verdict
from bench.analysis.solved import HIGH, LOW, RATE, solved_rates
from bench.experiment.grid import Plan
from bench.experiment.seeds import write_seeds
from bench.problem.label import labels
from bench.tracking import columns as c

MOST_ROWS = 50


def say(message: str) -> None:
    """Tell the user something that is not the result."""
    click.echo(message, err=True)


def plan_table(plan: Plan) -> None:
    """Print the trials of a plan and the size of its work."""
    table = Table("trial", "configuration", "seeds", box=None, header_style="bold")
    names = labels([planned.trial.parameters for planned in plan.trials])
    for planned, name in zip(plan.trials, names, strict=True):
        alone = f" (alone: {write_seeds(planned.alone)})" if planned.alone else ""
        table.add_row(planned.trial.trial_id, name, write_seeds(planned.seeds) + alone)
    _print(table)
    twice = f"; {plan.duplicates:,} named more than once and planned once" if plan.duplicates else ""
    click.echo(f"{len(plan.trials):,} trials, {plan.trainings:,} trainings, {plan.iterations:,} iterations{twice}")


def trials_table(trials: Sequence[dict[str, Any]], trainings: pd.DataFrame) -> None:
    """Print per trial: solved rate with Wilson's interval, and medians over the seeds."""
    names = dict(zip([t[c.TRIAL_ID] for t in trials], labels([t["parameters"] for t in trials]), strict=True))
    rates = solved_rates(trainings, [c.TRIAL_ID]).set_index(c.TRIAL_ID)
    medians = trainings.groupby(c.TRIAL_ID)[[c.FINAL_MSE, c.SOLVED_AT, c.ITERATION_US]].median()
    right: dict[str, Any] = {"justify": "right", "no_wrap": True}
    table = Table("trial", box=None, header_style="bold")
    for heading in ("solved", "95 % interval", "median mse", "median solved at", "µs / iteration"):
        table.add_column(heading, **right)
    for trial_id, name in list(names.items())[:MOST_ROWS]:
        row = medians.loc[trial_id]
        rate = rates.loc[trial_id] if trial_id in rates.index else None
        table.add_row(
            name,
            "–" if rate is None else f"{rate[RATE]:.0%}",
            "–" if rate is None else f"{rate[LOW]:.0%} to {rate[HIGH]:.0%}",
            _number(row[c.FINAL_MSE], ".3g"),
            _number(row[c.SOLVED_AT], ",.0f"),
            _number(row[c.ITERATION_US], ".3g"),
        )
    _print(table)
    if len(names) > MOST_ROWS:
        click.echo(f"... and {len(names) - MOST_ROWS:,} more trials in the report")


def claims_table(verdicts: Sequence[Verdict]) -> None:
    """Print claims, expected beside observed."""
    if not verdicts:
        return
    table = Table("", "source", "what", "expected", "observed", box=None, header_style="bold")
    for verdict in verdicts:
        mark = "[green]✓[/]" if verdict.holds else "[red]✗[/]"
        table.add_row(mark, verdict.source, verdict.what, verdict.expected, verdict.observed)
    _print(table)


def _number(value: Any, form: str) -> str:
    return "–" if pd.isna(value) else format(float(value), form)


def _print(table: Table) -> None:
    console = Console()
    console.print(table, width=None if console.is_terminal else 160)

"""Sweeps side by side: what differs between them, and the rates of the trials that several of them have."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.config.plan import PlannedTrial
from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.report.charts import Cell, Chart, Column, Content, Row, Table, number, row_percent, tabulate, text
from bench.report.drawing import interval_rows, panel
from bench.report.map_words import map_title
from bench.report.number_format import NONE, percent_interval, plural
from bench.report.sides import sides
from bench.report.sweep_data import SweepData
from bench.stats.grid_analysis import NAME
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, clustered_rate, solved_rates

MOST_DRAWN = 24
SWEEP = "sweep"
DIFFERS = "what differs"


def comparison(sweeps: Sequence[SweepData]) -> Content | None:
    """Return the differing facts and the shared trials' rates of two or more sweeps."""
    if len(sweeps) < 2:
        return None
    names = [one.sweep[:8] for one in sweeps]
    known = pd.concat([one.trials[[NAME]] for one in sweeps])
    shared = known[known.index.isin(known.index[known.index.duplicated()]) & ~known.index.duplicated()]
    tables = zip(names, (solved_rates(one.trainings, [c.TRIAL_ID]) for one in sweeps), strict=True)
    rates = pd.concat([table.astype({c.TRIAL_ID: str}).assign(**{SWEEP: name}) for name, table in tables])
    return {
        "facts": _facts(sweeps, names),
        "rates": _table(shared, rates, names),
        "chart": _chart(shared, rates) if len(shared) else None,
        "sides": sides(*sweeps) if len(sweeps) == 2 else None,
    }


def _facts(sweeps: Sequence[SweepData], names: Sequence[str]) -> Table:
    facts: list[dict[str, Any]] = [
        {
            "title": one.plan.question.title,
            "command": one.plan.question.command,
            "solved, of all begun": percent_interval(*clustered_rate(one.trainings)) if len(one.trainings) else NONE,
            "trials": f"{len(one.plan.trials):,}",
            "seeds": ", ".join(dict.fromkeys(write_seeds(planned.seeds) for planned in one.plan.trials)),
            "trainings": f"{one.account.trainings:,} of {one.plan.trainings:,}",
            "maps": "; ".join(map_title(some) for some in one.plan.maps) or None,
            **_values(one.plan.trials),
            **_flat(one.environment),
        }
        for one in sweeps
    ]
    rows = [
        {DIFFERS: name, **{sweep: _plain(fact.get(name)) for sweep, fact in zip(names, facts, strict=True)}}
        for name in dict.fromkeys(name for fact in facts for name in fact)
        if len({str(fact.get(name)) for fact in facts}) > 1
    ]
    return tabulate("facts", "What differs between the sweeps", rows, [text(name, name) for name in (DIFFERS, *names)])


def _values(trials: Sequence[PlannedTrial]) -> dict[str, str]:
    """Return the values that each parameter takes in a sweep."""
    parameters = [planned.trial.parameters for planned in trials]
    names = parameters[0] if parameters else ()  # a sweep of maps has no trials
    return {name: ", ".join(dict.fromkeys(str(values[name]) for values in parameters)) for name in names}


def _flat(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environment one level deep."""
    nested = {name: value if isinstance(value, dict) else {"": value} for name, value in environment.items()}
    return {f"{name} {key}".strip(): item for name, values in nested.items() for key, item in values.items()}


def _plain(value: Any) -> str:
    return NONE if value is None else str(value)


def _table(shared: pd.DataFrame, rates: pd.DataFrame, names: Sequence[str]) -> Table:
    """Return a row per shared trial with its rate in each sweep."""
    found = {(row[c.TRIAL_ID], row[SWEEP]): row for row in rates.to_dict("records")}

    def column(sweep: str) -> Column:
        return Column(sweep, lambda trial: _rate(found.get((trial[c.TRIAL_ID], sweep))), is_number=True)

    columns = [text("trial", NAME), *(column(name) for name in names)]
    return tabulate("shared", "Solved rates side by side", shared.reset_index().to_dict("records"), columns)


def _rate(row: Row | None) -> Cell:
    return number(f"{row_percent(row)}, n = {row[COUNT]:,}", row[RATE]) if row else number(NONE, None)


def _chart(shared: pd.DataFrame, rates: pd.DataFrame) -> Chart:
    """Return a panel per trial with a row per sweep: those first that differ most."""
    table = shared.join(rates.set_index(c.TRIAL_ID), how="inner")[[NAME, SWEEP, RATE, LOW, HIGH]]
    spans = table.groupby(NAME, sort=False)[RATE].agg(lambda rate: rate.max() - rate.min())
    order = spans.sort_values(ascending=False, kind="stable").index[:MOST_DRAWN]
    panels = [panel(str(name), interval_rows(table[table[NAME] == name], SWEEP, xlabel="solved")) for name in order]
    widest = float(spans.max()) if len(spans) else 0.0
    return Chart(
        name="side-by-side",
        title=f"The same trials differ by up to {100 * widest:.1f} points between the sweeps"
        if widest
        else "The same trials solve at the same rate in all of them",
        subtitle="Share of seeds that solve it, with its exact 95 % interval; a panel per trial that two sweeps have.",
        note=f"The {len(panels)} of {plural(len(shared), 'trial')} that differ most."
        if len(panels) < len(shared)
        else "Sweeps with the same trial and the same seeds give the same numbers, whatever trained them.",
        alt="Solved rates of shared trials, a row per sweep.",
        panels=panels,
        data=table,
    )

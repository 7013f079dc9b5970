"""Sweeps side by side: what differs between them, and the rates of the trials that several of them have."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.config.plan import PlannedTrial
from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.report.charts import Cell, Chart, Table, number
from bench.report.drawing import panel
from bench.report.number_format import percent_interval, plural
from bench.report.solved_rates import interval_rows
from bench.stats.block_analysis import NAME, trial_table
from bench.stats.proportions import HIGH, LOW, RATE, clustered_rate, solved_rates

MOST_DRAWN = 24
SWEEP = "sweep"


def comparison(swept: Sequence[Any]) -> dict[str, Any] | None:
    """Return the differing facts and the shared trials' rates of two or more sweeps."""
    if len(swept) < 2:
        return None
    names = [one.sweep[:8] for one in swept]
    shared = _shared(swept)
    rates = [_rates(one.trainings) for one in swept]
    return {
        "facts": _facts(swept, names),
        "rates": _table(shared, rates, names),
        "chart": _chart(shared, rates, names) if len(shared) else None,
    }


def _rates(trainings: pd.DataFrame) -> dict[str, dict[Any, Any]]:
    table = solved_rates(trainings, [c.TRIAL_ID])
    return {str(row[c.TRIAL_ID]): row for row in table.to_dict("records")}


def _shared(swept: Sequence[Any]) -> pd.DataFrame:
    """Return the trials that at least two sweeps have, with the first one's names."""
    tables = [trial_table(one.plan) for one in swept]
    known = pd.concat(tables)
    twice = known.index[known.index.duplicated()]
    return known[known.index.isin(twice) & ~known.index.duplicated()]


def _facts(swept: Sequence[Any], names: Sequence[str]) -> Table:
    facts = [
        {
            "title": one.plan.question.title,
            "command": one.plan.question.command,
            "solved, of all begun": percent_interval(*clustered_rate(one.trainings)) if len(one.trainings) else "–",
            "trials": f"{len(one.plan.trials):,}",
            "seeds": ", ".join(dict.fromkeys(write_seeds(planned.seeds) for planned in one.plan.trials)),
            "trainings": f"{len(one.trainings):,} of {one.plan.trainings:,}",
            **_values(one.plan.trials),
            **_flat(one.environment),
        }
        for one in swept
    ]
    everything = list(dict.fromkeys(name for fact in facts for name in fact))
    differing = [name for name in everything if len({str(fact.get(name)) for fact in facts}) > 1]
    rows = [[Cell(name), *(Cell(_plain(fact.get(name))) for fact in facts)] for name in differing]
    data = pd.DataFrame([[cell.text for cell in row] for row in rows], columns=["what differs", *names])
    return Table("facts", "What differs between the sweeps", ["what differs", *names], rows, data)


def _values(trials: Sequence[PlannedTrial]) -> dict[str, str]:
    """Return the values that each parameter takes in a sweep."""
    parameters = [planned.trial.parameters for planned in trials]
    return {name: ", ".join(dict.fromkeys(str(values[name]) for values in parameters)) for name in parameters[0]}


def _flat(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environment one level deep."""
    nested = {name: value if isinstance(value, dict) else {"": value} for name, value in environment.items()}
    return {f"{name} {key}".strip(): item for name, values in nested.items() for key, item in values.items()}


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)


def _table(shared: pd.DataFrame, rates: Sequence[Mapping[str, dict[Any, Any]]], names: Sequence[str]) -> Table:
    rows = []
    for trial_id, trial in shared.iterrows():
        found = [own.get(str(trial_id)) for own in rates]
        cells = [
            number(
                f"{percent_interval(rate[RATE], rate[LOW], rate[HIGH])}, n = {rate['trainings']:,}" if rate else "–",
                rate[RATE] if rate else None,
            )
            for rate in found
        ]
        rows.append([Cell(trial[NAME]), *cells])
    data = pd.DataFrame([[cell.text for cell in row] for row in rows], columns=["trial", *names])
    return Table("shared", "Solved rates side by side", ["trial", *names], rows, data, frozenset(names))


def _chart(shared: pd.DataFrame, rates: Sequence[Mapping[str, dict[Any, Any]]], names: Sequence[str]) -> Chart:
    """Return a panel per trial with a row per sweep: those first that differ most."""
    rows = [
        {NAME: trial[NAME], SWEEP: name, RATE: own[str(trial_id)][RATE], LOW: own[str(trial_id)][LOW],
         HIGH: own[str(trial_id)][HIGH]}
        for trial_id, trial in shared.iterrows()
        for own, name in zip(rates, names, strict=True)
        if str(trial_id) in own
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=[NAME, SWEEP, RATE, LOW, HIGH])
    spans = table.groupby(NAME, sort=False)[RATE].agg(lambda rate: rate.max() - rate.min())
    order = spans.sort_values(ascending=False, kind="stable").index[:MOST_DRAWN]
    panels = [panel(str(name), interval_rows(table[table[NAME] == name], SWEEP, xlabel="solved")) for name in order]
    widest = float(spans.max()) if len(spans) else 0.0
    return Chart(
        name="side-by-side",
        title=f"The same trials differ by up to {100 * widest:.1f} points between the sweeps"
        if widest
        else "The same trials solve at the same rate in all of them",
        subtitle="Share of seeds that solve it, with Wilson's 95 % interval; a panel per trial that two sweeps have.",
        caption=f"The {len(panels)} of {plural(len(shared), 'trial')} that differ most."
        if len(panels) < len(shared)
        else "Sweeps with the same trial and the same seeds give the same numbers, whatever trained them.",
        alt="Solved rates of shared trials, a row per sweep.",
        panels=panels,
        data=table,
    )

"""The section on backends: whether they agree, and only then how fast they are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis import agreement, timing
from bench.analysis.study import highest, in_words
from bench.problem.label import USUAL, varying, word
from bench.problem.trial import BACKENDS
from bench.report.chart import Chart
from bench.report.colour import BACKEND
from bench.report.drawing import panel
from bench.report.figures import speed
from bench.report.layout import grouped, sort_by
from bench.report.sections.backend_tables import (
    agreement_table,
    beside_table,
    cold_table,
    speedup,
    timing_table,
)
from bench.report.words import from_to, plural, short
from bench.tracking import columns as c

MANY_PANELS = 12
MANY_TRIALS = 60  # beyond these, times beside other work are in the export only


def backends(
    trainings: pd.DataFrame, samples: pd.DataFrame, cold: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return what the template shows of backends, in words, or None if there is nothing; ``names`` are the trials'.

    Where nothing was timed alone, there are the times that the trainings took beside each other.
    """
    agreed = agreement.agreements(trainings)
    table = timing.timing_table(samples, agreed)
    telling = _telling(table)
    table = _ordered(table, telling)
    summed = agreement.pair_summary(agreed)
    found = {
        "agreements": agreement_table(summed, _called(trainings)) if len(summed) else None,
        "excused": f"{100 * agreement.EXCUSED:g} %",
        "timings": timing_table(table, telling or USUAL) if len(table) else None,
        "chart": _chart(table, telling),
        "threads": from_to(table[c.THREADS]) if len(table) else "",
        "rounds": from_to(table[timing.ROUNDS]) if len(table) else "",
        "fewest": timing.FEWEST,
        "own_core": f"{100 * timing.OWN_CORE:g} %",
        "cold": cold_table(cold) if cold else None,
        "beside": _beside(trainings, names) if table.empty else None,
        "fastest": fastest(table, telling or USUAL),
        "summed": summed,
        "table": table,
    }
    return found if any(found[part] for part in ("agreements", "timings", "cold", "beside")) else None


def fastest(table: pd.DataFrame, telling: Sequence[str]) -> dict[str, Any] | None:
    """Return the timing with the greatest speed-up over the numpy loop, in words, or None where nothing has one."""
    if table.empty or table[timing.SPEEDUP].isna().all():
        return None
    row = highest(table, timing.SPEEDUP)
    return {**row, "trial": in_words(row, list(telling)), "speedup_words": speedup(row)}


def _called(trainings: pd.DataFrame) -> dict[str, str]:
    """Return what tells each trial from the others, but for what computes it."""
    rows = trainings.drop_duplicates(c.TRIAL_ID)
    telling = _telling(rows) or USUAL
    return {row[c.TRIAL_ID]: " ".join(word(name, row[name]) for name in telling) for row in rows.to_dict("records")}


def _telling(table: pd.DataFrame) -> list[str]:
    """Return the parameters that tell the timed trials apart, but for what computes them."""
    if table.empty:
        return []
    parameters: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    return [name for name in varying(parameters) if name not in agreement.SIDE]


def _ordered(table: pd.DataFrame, telling: Sequence[str]) -> pd.DataFrame:
    """Return the timings by trial, by the trainings side by side, and by backend: what is compared stands together."""
    if table.empty:
        return table
    by_side = table.sort_values([c.BACKEND, timing.SIDE], key=_place, kind="stable")
    return sort_by(by_side, [*telling, c.TOGETHER]).reset_index(drop=True)


def _place(column: pd.Series) -> pd.Series:
    """Return what a column is sorted by: backends as they are listed."""
    return column.astype(str).map(BACKENDS.index) if column.name == c.BACKEND else column.astype(str)


def _chart(table: pd.DataFrame, telling: list[str]) -> Chart | None:
    if table.empty:
        return None
    sizes = sorted(int(size) for size in table[c.TOGETHER].unique())
    low, high = np.log10([table[timing.PER_S_LOW].min(), table[timing.PER_S_HIGH].max()])
    room = 0.12 * max(high - low, 1.0)
    ends = (10 ** (low - room), 10 ** (high + room))
    groups = grouped(table, telling)
    return Chart(
        name="throughput",
        title=_chart_title(table),
        subtitle="Iterations of one training per second against the number of trainings that advance together: median "
        f"and quartiles over {from_to(table[timing.ROUNDS])} rounds; both axes logarithmic.",
        caption="Dashed, hollow and marked ≠: disagrees with the numpy loop, so that its speed means nothing."
        + (f" The first {MANY_PANELS} of {len(groups)} settings." if len(groups) > MANY_PANELS else ""),
        alt=f"Throughput by trainings side by side, a line per backend, up to {table[timing.PER_S].max():.3g}.",
        panels=[panel(title, speed.throughput(rows, sizes, ends)) for title, rows in groups[:MANY_PANELS]],
        data=table,
    )


def _chart_title(table: pd.DataFrame) -> str:
    best = highest(table, timing.PER_S)
    return (
        f"{best[timing.SIDE]} does up to {short(best[timing.PER_S] / 1e6)} million iterations a second, "
        f"with {plural(int(best[c.TOGETHER]), 'training')} side by side"
    )


def _beside(trainings: pd.DataFrame, names: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what iterations took beside other work, if anything was trained."""
    times = timing.iteration_times(trainings)
    if times.empty:
        return None
    shown = times.assign(**{speed.LABEL: times[c.TRIAL_ID].astype(str).map(names)}).head(MANY_TRIALS)
    chart = Chart(
        name="beside",
        title="What an iteration took in this sweep",
        subtitle="Median time per iteration of one training, with quartiles; microseconds, logarithmic; "
        f"n = {from_to(shown[timing.COUNT])} trainings per trial.",
        caption="A training's share of all that advanced side by side.",
        alt="Microseconds per iteration by trial, coloured by backend.",
        panels=[panel("", speed.iteration_times(shown), wide=True)],
        data=shown,
        legend=[(name, colour) for name, colour in BACKEND.items() if (shown[c.BACKEND] == name).any()],
    )
    return {"alone": bool(shown[c.ALONE].astype(bool).all()), "chart": chart, "table": beside_table(shown)}

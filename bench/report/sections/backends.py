"""The section on backends: whether they agree, and only then how fast they are."""

import math
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
from bench.report.layout import sort_by
from bench.report.table import Cell, Table, number
from bench.report.words import from_to, plural, short
from bench.tracking import columns as c

FEW = 3  # trials that are named
MANY_PANELS = 12
MANY_TRIALS = 60  # beyond these, times beside other work are in the export only
NO_SPEEDUP = {
    timing.REFERENCE: "the loop",
    timing.NO_REFERENCE: "–",
    timing.NOT_COMPARED: "not compared",
    timing.DISTURBED: "the loop's core was shared",
}


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
        "agreements": _agreements(summed, _called(trainings)) if len(summed) else None,
        "excused": f"{100 * agreement.EXCUSED:g} %",
        "timings": _timings(table, telling or USUAL) if len(table) else None,
        "chart": _chart(table, telling),
        "threads": from_to(table[c.THREADS]) if len(table) else "",
        "rounds": from_to(table[timing.ROUNDS]) if len(table) else "",
        "fewest": timing.FEWEST,
        "own_core": f"{100 * timing.OWN_CORE:g} %",
        "cold": _cold(cold) if cold else None,
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
    return {**row, "trial": in_words(row, list(telling)), "speedup_words": _speedup(row)}


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
    groups = [("", table)] if not telling else list(_groups(table, telling))
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


def _groups(table: pd.DataFrame, telling: Sequence[str]) -> Any:
    for values, rows in sort_by(table, telling).groupby(list(telling), sort=False, observed=True):
        yield in_words(dict(zip(telling, values, strict=True)), list(telling)), rows


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
    return {"alone": bool(shown[c.ALONE].astype(bool).all()), "chart": chart, "table": _beside_table(shown)}


# ------------------------------------------------------------------ tables in words


def _beside_table(shown: pd.DataFrame) -> Table:
    headings = ["trial", "backend", "trainings", "median µs", "quartiles", "steady"]
    rows = [
        [
            Cell(row[speed.LABEL]),
            Cell(row[c.BACKEND], colour=BACKEND[row[c.BACKEND]]),
            number(f"{row[timing.COUNT]:,}", row[timing.COUNT]),
            number(short(row[timing.MEDIAN]), row[timing.MEDIAN]),
            number(f"{short(row[timing.LOW])} to {short(row[timing.HIGH])}", row[timing.LOW]),
            Cell(_steady(row)),
        ]
        for row in shown.to_dict("records")
    ]
    numbers = frozenset(headings[2:5])
    return Table("beside", "What an iteration took in this sweep", headings, rows, shown, numbers)


def _steady(row: Mapping[Any, Any]) -> str:
    if row[timing.NOISY]:
        return "spread over 10 % of the median"
    return "yes" if row[timing.COUNT] > 1 else "one training only"


def _agreements(summed: pd.DataFrame, called: Mapping[str, str]) -> Table:
    headings = [
        *("backends", "dtype", "agree", "trainings compared", "largest |Δ prediction|", "over the tolerance"),
        *("losses part by 1e-6", "same outcome"),
    ]
    rows = []
    for row in summed.to_dict("records"):
        parted = row[agreement.PARTED_AT]
        rows.append(
            [
                Cell(f"{row[agreement.ONE]} and {row[agreement.OTHER]}"),
                Cell(row[c.DTYPE]),
                _agrees(row, called),
                number(f"{row[agreement.COMPARED]:,}", row[agreement.COMPARED]),
                number(short(row[agreement.DIFFERENCE]), row[agreement.DIFFERENCE]),
                number(
                    f"{row[agreement.BEYOND]:,} over {short(agreement.TOLERANCE[row[c.DTYPE]])}", row[agreement.BEYOND]
                ),
                number("never" if pd.isna(parted) else f"iteration {parted:,}", parted),
                number(f"{100 * row[agreement.SAME]:.4g} %", row[agreement.SAME]),
            ]
        )
    data = summed.drop(columns=[agreement.DISAGREEING])
    return Table("agreement", "Whether backends agree", headings, rows, data, frozenset(headings[3:]))


def _agrees(row: Mapping[Any, Any], called: Mapping[str, str]) -> Cell:
    agrees = row[agreement.AGREES]
    if pd.isna(agrees):
        return Cell("not compared: all diverged")
    wrong = [called[trial_id] for trial_id in row[agreement.DISAGREEING]]
    if agrees:
        return Cell("yes", kind="holds")
    return Cell(f"no, in {len(wrong):,} of {row[agreement.TRIALS]:,} trials: {_first(wrong)}", kind="fails")


def _first(words: Sequence[str]) -> str:
    return ", ".join(words[:FEW]) + (" …" if len(words) > FEW else "")


def _timings(table: pd.DataFrame, telling: Sequence[str]) -> Table:
    headings = [
        *("trial", "backend", "side by side", "million / s", "speed-up [95 %]", "latency µs [quartiles]"),
        *("p99 µs", "spread"),
    ]
    rows = []
    for row in (_plain(row) for row in table.to_dict("records")):
        disagrees = row[timing.VERDICT] == timing.DISAGREES or bool(row[timing.SHARED])
        spread = f"{100 * row[timing.SPREAD]:.0f} %" if row[timing.ROUNDS] > 1 else "one round"
        latency = f"{short(row[timing.MEDIAN])} [{short(row[timing.LOW])}, {short(row[timing.HIGH])}]"
        rows.append(
            [
                Cell(in_words(row, list(telling))),
                Cell(row[timing.SIDE], colour=BACKEND[row[c.BACKEND]]),
                number(f"{row[c.TOGETHER]:,}", row[c.TOGETHER]),
                number(short(row[timing.PER_S] / 1e6), row[timing.PER_S]),
                number(_speedup(row), row[timing.SPEEDUP], kind="fails" if disagrees else ""),
                number(latency, row[timing.MEDIAN]),
                number(short(row[timing.P99]), row[timing.P99]),
                number(
                    f"{spread}{' noisy' if row[timing.NOISY] else ''}",
                    row[timing.SPREAD],
                    kind="fails" if row[timing.NOISY] else "",
                ),
            ]
        )
    return Table("timings", "Timings", headings, rows, table, frozenset(headings[2:]))


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def _speedup(row: Mapping[Any, Any]) -> str:
    """Return the speed-up with its interval, or why there is none."""
    if row[timing.SHARED]:
        return "core was shared"
    if row[timing.VERDICT] == timing.DISAGREES:
        return f"disagrees by {short(row[agreement.DIFFERENCE])}"
    if row[timing.VERDICT] != timing.AGREED:
        return NO_SPEEDUP[row[timing.VERDICT]]
    low, high = row[timing.SPEEDUP_LOW], row[timing.SPEEDUP_HIGH]
    kind = "range " if row[timing.PAIRED] < timing.FEWEST else ""
    interval = "" if math.isnan(low) else f" {kind}[{short(low)}, {short(high)}]"
    return f"{short(row[timing.SPEEDUP])} ×{interval}"


def _cold(cold: Sequence[Mapping[str, Any]]) -> Table:
    headings = ["backend", "import s", "first training s", "compile s", "remark"]
    rows = [
        [
            Cell(row[c.BACKEND], colour=BACKEND[row[c.BACKEND]]),
            *(number(short(row[name]), row[name]) for name in (c.IMPORT_S, c.FIRST_S, c.COMPILE_S)),
            Cell(row[c.REASON] or "", kind="fails" if row[c.REASON] else ""),
        ]
        for row in cold
    ]
    return Table("cold", "Cold starts", headings, rows, pd.DataFrame(list(cold)), frozenset(headings[1:4]))

"""Backends: whether they agree, and only then how fast they are."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.metrics import columns as c
from bench.model.labels import USUAL, varying, word
from bench.model.trial import BACKENDS
from bench.report.charts import Cell, Chart, Table, number
from bench.report.colours import BACKEND
from bench.report.drawing import blank, end_margin, folded, log_axis, log_range, name_ends, panel, plain
from bench.report.layout import grouped, sort_by
from bench.report.number_format import from_to, plural, short
from bench.report.solved_rates import row_height, row_margin
from bench.stats import agreement, timings
from bench.stats.block_analysis import highest, in_words

LABEL = "label"


def throughput(panel: pd.DataFrame, sizes: Sequence[int], ends: tuple[float, float]) -> Figure:
    """Draw iterations of one training per second against the trainings side by side, both axes logarithmic.

    A line per side with the quartiles over the rounds, named at its end; dashed, hollow and marked ≠ where it
    disagrees with the numpy loop. ``sizes`` and ``ends`` are those of all panels.
    """
    right = end_margin(f"{side} ≠" for side in panel[timings.SIDE])
    figure, axes = blank(3.9, 2.7, left=0.56, right=right)
    axes.set(xscale="log", xlabel="trainings side by side")
    axes.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=6.5 if len(sizes) > 3 else 8)
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    log_axis(axes, "y", *ends)
    lines = [_line(axes, str(side), rows) for side, rows in panel.groupby(timings.SIDE, sort=False)]
    name_ends(axes, lines, *np.log10(ends))
    return figure


def _line(axes: Axes, side: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Draw one side's line; return its name, its colour and where it ends."""
    rows = rows.sort_values(c.TOGETHER)
    colour = BACKEND[str(rows[c.BACKEND].iloc[0])]
    disagrees = (rows[timings.VERDICT] == timings.DISAGREES).any()
    errors = [
        np.clip(rows[timings.PER_S] - rows[timings.PER_S_LOW], 0, None),
        np.clip(rows[timings.PER_S_HIGH] - rows[timings.PER_S], 0, None),
    ]
    axes.errorbar(
        rows[c.TOGETHER], rows[timings.PER_S], yerr=errors, fmt="o--" if disagrees else "o-", color=colour,
        mfc="white" if disagrees else colour, markersize=4, linewidth=1.4, capsize=2, elinewidth=1,
    )  # fmt: skip
    name = f"{side} ≠" if disagrees else side
    return {"name": plain(name), "colour": colour, "y": np.log10(rows[timings.PER_S].iloc[-1])}


def iteration_times(times: pd.DataFrame) -> Figure:
    """Draw the median time per iteration with its quartiles, a row per trial, in its backend's colour, log axis."""
    names = [folded(str(name)) for name in times[LABEL]]
    figure, axes = blank(5.2, 0.55 + row_height(names) * len(times), left=row_margin(names), top=0.06)
    log_axis(axes, "x", *log_range(times[timings.LOW], times[timings.HIGH]))
    for place, row in enumerate(times.to_dict("records")):
        colour = BACKEND[str(row[c.BACKEND])]
        axes.plot([row[timings.LOW], row[timings.HIGH]], [place, place], color=colour, linewidth=3, alpha=0.5)
        axes.plot(row[timings.MEDIAN], place, "o", color=colour, markersize=4)
    axes.set_yticks(range(len(times)), [plain(name) for name in names])
    axes.set_ylim(len(times) - 0.4, -0.6)
    axes.set_xlabel("microseconds per iteration")
    axes.grid(visible=False, axis="y")
    return figure


# ------------------------------------------------------------------ backend tables


FEW = 3  # trials that are named
NO_SPEEDUP = {
    timings.REFERENCE: "the loop",
    timings.NO_REFERENCE: "–",
    timings.NOT_COMPARED: "not compared",
    timings.DISTURBED: "the loop's core was shared",
}


def beside_table(shown: pd.DataFrame) -> Table:
    """Return a row for each trial of what its iterations took beside other work."""
    headings = ["trial", "backend", "trainings", "median µs", "quartiles", "steady"]
    rows = [
        [
            Cell(row[LABEL]),
            Cell(row[c.BACKEND], colour=BACKEND[row[c.BACKEND]]),
            number(f"{row[timings.COUNT]:,}", row[timings.COUNT]),
            number(short(row[timings.MEDIAN]), row[timings.MEDIAN]),
            number(f"{short(row[timings.LOW])} to {short(row[timings.HIGH])}", row[timings.LOW]),
            Cell(_steady(row)),
        ]
        for row in shown.to_dict("records")
    ]
    numbers = frozenset(headings[2:5])
    return Table("beside", "What an iteration took in this sweep", headings, rows, shown, numbers)


def _steady(row: Mapping[Any, Any]) -> str:
    if row[timings.NOISY]:
        return "spread over 10 % of the median"
    return "yes" if row[timings.COUNT] > 1 else "one training only"


def agreement_table(summed: pd.DataFrame, called: Mapping[str, str]) -> Table:
    """Return a row for each two backends: whether they agree; ``called`` names trials that do not."""
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


def timing_table(table: pd.DataFrame, telling: Sequence[str]) -> Table:
    """Return a row for each timing; ``telling`` are the parameters that tell their trials apart."""
    headings = [
        *("trial", "backend", "side by side", "million / s", "speed-up [95 %]", "latency µs [quartiles]"),
        *("p99 µs", "spread"),
    ]
    rows = []
    for row in (_plain(row) for row in table.to_dict("records")):
        disagrees = row[timings.VERDICT] == timings.DISAGREES or bool(row[timings.SHARED])
        spread = f"{100 * row[timings.SPREAD]:.0f} %" if row[timings.ROUNDS] > 1 else "one round"
        latency = f"{short(row[timings.MEDIAN])} [{short(row[timings.LOW])}, {short(row[timings.HIGH])}]"
        rows.append(
            [
                Cell(in_words(row, list(telling))),
                Cell(row[timings.SIDE], colour=BACKEND[row[c.BACKEND]]),
                number(f"{row[c.TOGETHER]:,}", row[c.TOGETHER]),
                number(short(row[timings.PER_S] / 1e6), row[timings.PER_S]),
                number(speedup(row), row[timings.SPEEDUP], kind="fails" if disagrees else ""),
                number(latency, row[timings.MEDIAN]),
                number(short(row[timings.P99]), row[timings.P99]),
                number(
                    f"{spread}{' noisy' if row[timings.NOISY] else ''}",
                    row[timings.SPREAD],
                    kind="fails" if row[timings.NOISY] else "",
                ),
            ]
        )
    return Table("timings", "Timings", headings, rows, table, frozenset(headings[2:]))


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def speedup(row: Mapping[Any, Any]) -> str:
    """Return the speed-up with its interval, or why there is none."""
    if row[timings.SHARED]:
        return "core was shared"
    if row[timings.VERDICT] == timings.DISAGREES:
        return f"disagrees by {short(row[agreement.DIFFERENCE])}"
    if row[timings.VERDICT] != timings.AGREED:
        return NO_SPEEDUP[row[timings.VERDICT]]
    low, high = row[timings.SPEEDUP_LOW], row[timings.SPEEDUP_HIGH]
    kind = "range " if row[timings.PAIRED] < timings.FEWEST else ""
    interval = "" if math.isnan(low) else f" {kind}[{short(low)}, {short(high)}]"
    return f"{short(row[timings.SPEEDUP])} ×{interval}"


def cold_table(cold: Sequence[Mapping[str, Any]]) -> Table:
    """Return a row for each backend's cold start."""
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


# ------------------------------------------------------------------ backends


MANY_PANELS = 12
MANY_TRIALS = 60  # beyond these, times beside other work are in the export only


def backends_section(
    trainings: pd.DataFrame, samples: pd.DataFrame, cold: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return what the template shows of backends, in words, or None if there is nothing; ``names`` are the trials'.

    Where nothing was timed alone, there are the times that the trainings took beside each other.
    """
    agreed = agreement.agreements(trainings)
    table = timings.timing_table(samples, agreed)
    telling = _telling(table)
    table = _ordered(table, telling)
    summed = agreement.pair_summary(agreed)
    found = {
        "agreements": agreement_table(summed, _called(trainings)) if len(summed) else None,
        "excused": f"{100 * agreement.EXCUSED:g} %",
        "timings": timing_table(table, telling or USUAL) if len(table) else None,
        "chart": _chart(table, telling),
        "threads": from_to(table[c.THREADS]) if len(table) else "",
        "rounds": from_to(table[timings.ROUNDS]) if len(table) else "",
        "fewest": timings.FEWEST,
        "own_core": f"{100 * timings.OWN_CORE:g} %",
        "cold": cold_table(cold) if cold else None,
        "beside": _beside(trainings, names) if table.empty else None,
        "fastest": fastest(table, telling or USUAL),
        "summed": summed,
        "table": table,
    }
    return found if any(found[part] for part in ("agreements", "timings", "cold", "beside")) else None


def fastest(table: pd.DataFrame, telling: Sequence[str]) -> dict[str, Any] | None:
    """Return the timing with the greatest speed-up over the numpy loop, in words, or None where nothing has one."""
    if table.empty or table[timings.SPEEDUP].isna().all():
        return None
    row = highest(table, timings.SPEEDUP)
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
    by_side = table.sort_values([c.BACKEND, timings.SIDE], key=_place, kind="stable")
    return sort_by(by_side, [*telling, c.TOGETHER]).reset_index(drop=True)


def _place(column: pd.Series) -> pd.Series:
    """Return what a column is sorted by: backends as they are listed."""
    return column.astype(str).map(BACKENDS.index) if column.name == c.BACKEND else column.astype(str)


def _chart(table: pd.DataFrame, telling: list[str]) -> Chart | None:
    if table.empty:
        return None
    sizes = sorted(int(size) for size in table[c.TOGETHER].unique())
    low, high = np.log10([table[timings.PER_S_LOW].min(), table[timings.PER_S_HIGH].max()])
    room = 0.12 * max(high - low, 1.0)
    ends = (10 ** (low - room), 10 ** (high + room))
    groups = grouped(table, telling)
    return Chart(
        name="throughput",
        title=_chart_title(table),
        subtitle="Iterations of one training per second against the number of trainings that advance together: median "
        f"and quartiles over {from_to(table[timings.ROUNDS])} rounds; both axes logarithmic.",
        caption="Dashed, hollow and marked ≠: disagrees with the numpy loop, so that its speed means nothing."
        + (f" The first {MANY_PANELS} of {len(groups)} settings." if len(groups) > MANY_PANELS else ""),
        alt=f"Throughput by trainings side by side, a line per backend, up to {table[timings.PER_S].max():.3g}.",
        panels=[panel(title, throughput(rows, sizes, ends)) for title, rows in groups[:MANY_PANELS]],
        data=table,
    )


def _chart_title(table: pd.DataFrame) -> str:
    best = highest(table, timings.PER_S)
    return (
        f"{best[timings.SIDE]} does up to {short(best[timings.PER_S] / 1e6)} million iterations a second, "
        f"with {plural(int(best[c.TOGETHER]), 'training')} side by side"
    )


def _beside(trainings: pd.DataFrame, names: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what iterations took beside other work, if anything was trained."""
    times = timings.iteration_times(trainings)
    if times.empty:
        return None
    shown = times.assign(**{LABEL: times[c.TRIAL_ID].astype(str).map(names)}).head(MANY_TRIALS)
    chart = Chart(
        name="beside",
        title="What an iteration took in this sweep",
        subtitle="Median time per iteration of one training, with quartiles; microseconds, logarithmic; "
        f"n = {from_to(shown[timings.COUNT])} trainings per trial.",
        caption="A training's share of all that advanced side by side.",
        alt="Microseconds per iteration by trial, coloured by backend.",
        panels=[panel("", iteration_times(shown), wide=True)],
        data=shown,
        legend=[(name, colour) for name, colour in BACKEND.items() if (shown[c.BACKEND] == name).any()],
    )
    return {"alone": bool(shown[c.ALONE].astype(bool).all()), "chart": chart, "table": beside_table(shown)}

"""Backends: whether they agree, and only then how fast they are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.metrics import columns as c
from bench.model.display_labels import USUAL, phrase, varying
from bench.model.trial import backend_place
from bench.report import drawing
from bench.report.charts import Cell, Chart, Column, Content, Row, Table, numbers, tabulate, text
from bench.report.colours import backend_colour
from bench.report.drawing import panel
from bench.report.number_format import from_to, interval, plural, sentence, short
from bench.report.panel_layout import grouped, sort_by
from bench.report.sweep_data import SweepData
from bench.stats import agreement, timings
from bench.stats.grid_analysis import NAME, highest, in_words

FEW = 3  # trials that are named
MANY_PANELS = 12
MANY_TRIALS = 60  # beyond these, times beside other work are in the export only
NO_SPEEDUP = {
    timings.REFERENCE: "the loop",
    timings.NO_REFERENCE: "–",
    timings.NOT_COMPARED: "not compared",
    timings.DISTURBED: "the loop's core was shared",
}


def backends(data: SweepData) -> Content | None:
    """Return what the template shows of backends, or None if there is nothing.

    Where nothing was timed alone, there are the times that the trainings took beside each other.
    """
    table, names = _compared(data)
    summed = data.agreed_pairs
    found = {
        "agreements": _agreement_table(summed, _trial_names(data.trainings)) if len(summed) else None,
        "excused": f"{100 * agreement.EXCUSED:g} %",
        "timings": _timing_table(table, names or USUAL) if len(table) else None,
        "chart": _throughput_chart(table, names) if len(table) else None,
        "threads": from_to(table[c.THREADS]) if len(table) else "",
        "rounds": from_to(table[timings.ROUNDS]) if len(table) else "",
        "own_core": f"{100 * timings.OWN_CORE:g} %",
        "cold": _cold_table(data.cold_starts) if data.cold_starts else None,
        "beside": _beside(data) if table.empty else None,
    }
    return found if any(found[part] for part in ("agreements", "timings", "cold", "beside")) else None


def fastest(data: SweepData) -> dict[str, Any] | None:
    """Return the timing with the greatest speed-up over the numpy loop, in words, or None where nothing has one.

    ``times`` has the interval that holds for all ``sizes`` comparisons at once, or its own if ``at_once`` is false.
    """
    table, names = _compared(data)
    if table.empty or table[timings.SPEEDUP].isna().all():
        return None
    row = highest(table, timings.SPEEDUP)
    sizes = int((table[timings.VERDICT] == timings.AGREED).sum())
    at_once = not pd.isna(row[timings.SPEEDUP_LEAST])
    ends = (timings.SPEEDUP_LEAST, timings.SPEEDUP_MOST) if at_once else (timings.SPEEDUP_LOW, timings.SPEEDUP_HIGH)
    times = interval(row[timings.SPEEDUP], *(row[end] for end in ends))
    return {
        **row,
        "trial": in_words(row, names or list(USUAL)),
        "sizes": sizes,
        "times": f"{'up to ' if sizes > 1 else ''}{times}",
        "at_once": at_once,
        "threads": from_to(table[c.THREADS]),
    }


def speed_answer(data: SweepData) -> str:
    """Return whether backends train alike, and how much faster the fastest is, or why that is not known."""
    pairs = data.agreed_pairs.dropna(subset=[agreement.AGREES])
    agrees = pairs[agreement.AGREES].astype(bool)
    if len(pairs) == 1:
        one, other = pairs[agreement.ONE].iloc[0], pairs[agreement.OTHER].iloc[0]
        alike = f"{one} and {other} {'' if agrees.all() else 'do not '}train alike"
    else:
        alike = f"{'all' if agrees.all() else f'{int(agrees.sum()):,} of'} {len(pairs):,} pairs of backends train alike"
    best, disturbed = fastest(data), int(data.timed[timings.SHARED].sum())
    if best:
        speed = f"per training, {best[timings.SIDE]} is {best['times']} times as fast as the numpy loop"
    else:
        shared = f": {disturbed:,} of {plural(len(data.timed), 'timing')} shared a core" if disturbed else ""
        speed = f"which is faster is not answered{shared}"
    return sentence(f"{alike}; {speed}." if len(pairs) else f"{speed}.")


def speed_charts(data: SweepData) -> list[Chart]:
    """Return the throughputs with the first setting and with the last, a chart each."""
    chart = _throughput_chart(*_compared(data))
    first, *others = chart.panels
    note = "Higher is faster. Dashed, hollow and marked ≠: disagrees with the numpy loop."
    both = [replace(chart, name="settings", panels=[first], note=note)]
    if others:
        title = f"The same with {others[-1].title}"
        both.append(replace(both[0], name="settings-last", title=title, panels=[replace(others[-1], title="")]))
    return both


def _trial_names(trainings: pd.DataFrame) -> dict[str, str]:
    """Return what tells each trial from the others, but for what computes it."""
    rows = trainings.drop_duplicates(c.TRIAL_ID)
    names = _distinguishing(rows) or USUAL
    return {row[c.TRIAL_ID]: phrase({name: row[name] for name in names}) for row in rows.to_dict("records")}


def _distinguishing(table: pd.DataFrame) -> list[str]:
    """Return the parameters that tell trials apart, but for what computes them."""
    if table.empty:
        return []
    parameters: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    return [name for name in varying(parameters) if name not in agreement.SIDE]


def _compared(data: SweepData) -> tuple[pd.DataFrame, list[str]]:
    """Return the timings and what tells their trials apart, in an order in which what is compared stands together.

    By trial, by the trainings side by side, and by backend.
    """
    table, names = data.timed, _distinguishing(data.timed)
    if table.empty:
        return table, names
    as_listed = table[c.BACKEND].astype(str).map(backend_place)
    by_side = table.assign(place=as_listed).sort_values(["place", timings.SIDE], kind="stable").drop(columns="place")
    return sort_by(by_side, [*names, c.TOGETHER]).reset_index(drop=True), names


def _backend(heading: str, what: str) -> Column:
    """Return a column of text in the colour of the row's backend."""
    return text(heading, what, colour=lambda row: backend_colour(row[c.BACKEND]))


# ------------------------------------------------------------------ agreement


def _agreement_table(summed: pd.DataFrame, names: Mapping[str, str]) -> Table:
    """Return a row for each two backends: whether they agree; ``names`` are those of trials that do not."""
    columns = [
        text("backends", lambda row: f"{row[agreement.ONE]} and {row[agreement.OTHER]}"),
        text("dtype", c.DTYPE),
        Column("agree", lambda row: _agrees(row, names)),
        numbers("trainings compared", agreement.COMPARED),
        numbers("largest |Δ prediction|", agreement.DIFFERENCE, short),
        numbers(
            "over the tolerance", agreement.BEYOND,
            of_row=lambda row: f"{row[agreement.BEYOND]:,} over {short(agreement.TOLERANCE[row[c.DTYPE]])}",
        ),
        numbers(
            "losses part by 1e-6", agreement.PARTED_AT,
            lambda parted: "never" if pd.isna(parted) else f"iteration {parted:,}",
        ),
        numbers("same outcome", agreement.SAME, lambda share: f"{100 * share:.4g} %"),
    ]  # fmt: skip
    data = summed.drop(columns=[agreement.DISAGREEING])
    return tabulate("agreement", "Whether backends agree", summed, columns, data)


def _agrees(row: Row, names: Mapping[str, str]) -> Cell:
    if pd.isna(row[agreement.AGREES]):
        return Cell("not compared: all diverged")
    if row[agreement.AGREES]:
        return Cell("yes", kind="holds")
    wrong = [names[trial_id] for trial_id in row[agreement.DISAGREEING]]
    first = ", ".join(wrong[:FEW]) + (" …" if len(wrong) > FEW else "")
    return Cell(f"no, in {len(wrong):,} of {row[agreement.TRIALS]:,} trials: {first}", kind="fails")


# ------------------------------------------------------------------ timings


def _timing_table(table: pd.DataFrame, names: Sequence[str]) -> Table:
    """Return a row for each timing; ``names`` are the parameters that tell their trials apart."""
    columns = [
        text("trial", lambda row: in_words(row, names or list(USUAL))),
        _backend("backend", timings.SIDE),
        numbers("side by side", c.TOGETHER),
        numbers("million / s", timings.PER_S, lambda per_s: short(per_s / 1e6)),
        numbers("speed-up [95 %]", timings.SPEEDUP, of_row=speedup, kind=_is_refused),
        numbers(
            "latency µs [quartiles]", timings.MEDIAN,
            of_row=lambda row: f"{short(row[timings.MEDIAN])} [{short(row[timings.LOW])}, {short(row[timings.HIGH])}]",
        ),
        numbers("p99 µs", timings.P99, short),
        numbers("spread", timings.SPREAD, of_row=_spread, kind=lambda row: "fails" if row[timings.NOISY] else ""),
    ]  # fmt: skip
    return tabulate("timings", "Timings", table, columns)


def _is_refused(row: Row) -> str:
    return "fails" if row[timings.VERDICT] == timings.DISAGREES or row[timings.SHARED] else ""


def _spread(row: Row) -> str:
    spread = f"{100 * row[timings.SPREAD]:.0f} %" if row[timings.ROUNDS] > 1 else "one round"
    return f"{spread}{' noisy' if row[timings.NOISY] else ''}"


def speedup(row: Row) -> str:
    """Return the speed-up with its interval, or why there is none."""
    if row[timings.SHARED]:
        return "core was shared"
    if row[timings.VERDICT] == timings.DISAGREES:
        return f"disagrees by {short(row[agreement.DIFFERENCE])}"
    if row[timings.VERDICT] != timings.AGREED:
        return NO_SPEEDUP[row[timings.VERDICT]]
    low, high = row[timings.SPEEDUP_LOW], row[timings.SPEEDUP_HIGH]
    return f"{short(row[timings.SPEEDUP])} ×" + ("" if pd.isna(low) else f" [{short(low)}, {short(high)}]")


def _throughput_chart(table: pd.DataFrame, names: list[str]) -> Chart:
    sizes = sorted(int(size) for size in table[c.TOGETHER].unique())
    low, high = np.log10([table[timings.PER_S_LOW].min(), table[timings.PER_S_HIGH].max()])
    room = 0.12 * max(high - low, 1.0)
    ends = (10 ** (low - room), 10 ** (high + room))
    groups = grouped(table, names)
    best = highest(table, timings.PER_S)
    return Chart(
        name="throughput",
        title=f"{best[timings.SIDE]} does up to {short(best[timings.PER_S] / 1e6)} million iterations a second, "
        f"with {plural(int(best[c.TOGETHER]), 'training')} side by side",
        subtitle="Iterations of one training per second against the number of trainings that advance together: median "
        f"and quartiles over {from_to(table[timings.ROUNDS])} rounds; both axes logarithmic.",
        note=f" The first {MANY_PANELS} of {len(groups)} settings." if len(groups) > MANY_PANELS else "",
        alt=f"Throughput by trainings side by side, a line per backend, up to {table[timings.PER_S].max():.3g}.",
        panels=[panel(title, throughput(rows, sizes, ends)) for title, rows in groups[:MANY_PANELS]],
        data=table,
    )


def throughput(table: pd.DataFrame, sizes: Sequence[int], ends: tuple[float, float]) -> Figure:
    """Draw iterations of one training per second against the trainings side by side, both axes logarithmic.

    A line per side with the quartiles over the rounds, named at its end; dashed, hollow and marked ≠ where it
    disagrees with the numpy loop. ``sizes`` and ``ends`` are those of all panels.
    """
    right = drawing.end_margin(f"{side} ≠" for side in table[timings.SIDE])
    figure, axes = drawing.blank(3.9, 2.7, left=0.56, right=right)
    axes.set(xscale="log", xlabel="trainings side by side")
    axes.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=6.5 if len(sizes) > 3 else 8)
    axes.xaxis.set_minor_locator(NullLocator())
    drawing.log_axis(axes, "y", *ends)
    lines = [_line(axes, str(side), rows) for side, rows in table.groupby(timings.SIDE, sort=False)]
    drawing.name_ends(axes, lines, *np.log10(ends))
    return figure


def _line(axes: Axes, side: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Draw one side's line; return its name, its colour and where it ends."""
    rows = rows.sort_values(c.TOGETHER)
    colour = backend_colour(str(rows[c.BACKEND].iloc[0]))
    disagrees = (rows[timings.VERDICT] == timings.DISAGREES).any()
    per_s = rows[timings.PER_S]
    errors = [(per_s - rows[timings.PER_S_LOW]).clip(lower=0), (rows[timings.PER_S_HIGH] - per_s).clip(lower=0)]
    axes.errorbar(
        rows[c.TOGETHER], per_s, yerr=errors, fmt="o--" if disagrees else "o-", color=colour,
        mfc="white" if disagrees else colour, markersize=4, linewidth=1.4, capsize=2, elinewidth=1,
    )  # fmt: skip
    name = f"{side} ≠" if disagrees else side
    return {"name": drawing.plain(name), "colour": colour, "y": np.log10(per_s.iloc[-1])}


def _cold_table(cold: Sequence[Row]) -> Table:
    """Return a row for each backend's cold start."""
    columns = [
        _backend("backend", c.BACKEND),
        numbers("import s", c.IMPORT_S, short),
        numbers("first training s", c.FIRST_S, short),
        numbers("compile s", c.COMPILE_S, short),
        text("remark", lambda row: row[c.REASON] or "", kind=lambda row: "fails" if row[c.REASON] else ""),
    ]
    return tabulate("cold", "Cold starts", pd.DataFrame(list(cold)), columns)


# ------------------------------------------------------------------ beside other work


def _beside(data: SweepData) -> Content | None:
    """Return what iterations took beside other work, if anything was trained."""
    times = timings.iteration_times(data.trainings)
    if times.empty:
        return None
    shown = times.assign(label=times[c.TRIAL_ID].astype(str).map(data.trials[NAME])).head(MANY_TRIALS)
    chart = Chart(
        name="beside",
        title="What an iteration took in this sweep",
        subtitle="Median time per iteration of one training, with quartiles; microseconds, logarithmic; "
        f"n = {from_to(shown[timings.COUNT])} trainings per trial.",
        alt="Microseconds per iteration by trial, coloured by backend.",
        panels=[panel("", iteration_times(shown), wide=True)],
        data=shown,
        legend=[(name, backend_colour(name)) for name in sorted(set(shown[c.BACKEND].astype(str)), key=backend_place)],
    )
    columns = [
        text("trial", "label"),
        _backend("backend", c.BACKEND),
        numbers("trainings", timings.COUNT),
        numbers("median µs", timings.MEDIAN, short),
        numbers(
            "quartiles", timings.LOW, of_row=lambda row: f"{short(row[timings.LOW])} to {short(row[timings.HIGH])}"
        ),
        text("steady", _steady),
    ]
    table = tabulate("beside", "What an iteration took in this sweep", shown, columns)
    return {"alone": bool(shown[c.ALONE].astype(bool).all()), "chart": chart, "table": table}


def _steady(row: Row) -> str:
    if row[timings.NOISY]:
        return "spread over 10 % of the median"
    return "yes" if row[timings.COUNT] > 1 else "one training only"


def iteration_times(times: pd.DataFrame) -> Figure:
    """Draw the median time per iteration with its quartiles, a row per trial, in its backend's colour, log axis."""
    figure, axes = drawing.named_rows(
        times["label"], "microseconds per iteration", width=5.2, right=0.12, bottom=0.42, room=0.07
    )
    drawing.log_axis(axes, "x", *drawing.log_range(times[timings.LOW], times[timings.HIGH]))
    for place, row in enumerate(times.to_dict("records")):
        colour = backend_colour(str(row[c.BACKEND]))
        axes.plot([row[timings.LOW], row[timings.HIGH]], [place, place], color=colour, linewidth=3, alpha=0.5)
        axes.plot(row[timings.MEDIAN], place, "o", color=colour, markersize=4)
    return figure

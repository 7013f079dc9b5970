"""Solved rates: that of every trial with its interval, over any two parameters."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.config.until import Until
from bench.metrics import columns as c
from bench.model.labels import bare, word
from bench.report.charts import Chart, csv_uri
from bench.report.colours import DIM, EFFECT, rate_colours
from bench.report.drawing import CHARACTER, WIDTH, blank, folded, longest, panel, percent_axis, plain
from bench.report.layout import MOST_PANELS, grouped, is_grid, layout, shown_trials, sort_by
from bench.report.number_format import counted, percent, percent_interval, plural
from bench.stats.block_analysis import NAME, BlockAnalysis, highest, in_order, lowest
from bench.stats.proportions import COUNT, HIGH, LOW, RATE

ROW = 0.19  # inches, of one line


def interval_rows(table: pd.DataFrame, label: str, *, xlabel: str, width: float = WIDTH) -> Figure:
    """Draw a dot with its interval for each row, the first on top; the columns are rate, low and high."""
    names = [folded(str(name)) for name in table[label]]
    left = row_margin(names)
    height = 0.5 + row_height(names) * len(table)
    figure, axes = blank(max(width, left + 2.1), height, left=left, right=0.24, top=0.06, bottom=0.44)
    places = range(len(table))
    axes.hlines(places, table[LOW], table[HIGH], color=EFFECT, linewidth=2, alpha=0.55)
    axes.plot(table[RATE], places, "o", color=EFFECT, markersize=4, clip_on=False)
    axes.set_yticks(places, [plain(name) for name in names])
    axes.set_ylim(len(table) - 0.4, -0.6)
    percent_axis(axes, "x", room=0.02)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel, color=DIM)
    return figure


def row_margin(names: Sequence[str]) -> float:
    """Return the inches that the names of rows need."""
    return 0.2 + CHARACTER * longest(names)


def row_height(names: Sequence[str]) -> float:
    """Return the inches of a row: more where a name takes two lines."""
    return ROW * (1.7 if any("\n" in name for name in names) else 1)


# ------------------------------------------------------------------ rates


WIDE = 0.05  # an interval that reaches further to either side is marked: too few seeds to tell
MOST_ROWS = 24
FEW_ROWS = 40  # that one panel has room for
LINE = "line"


def rates(study: BlockAnalysis, until: Until | None, key: str) -> dict[str, Any]:
    """Return the heatmap, if two parameters were varied, and the chart of intervals."""
    target = until.half_width if until else WIDE
    table = study.rates.assign(reach=_reach(study.rates, until))
    wide = int((table["reach"] > target).sum())
    has_heat = len(study.names) > 1 and is_grid(study)
    return {
        "heat": _heat(study, table, target, key) if has_heat else None,
        "chart": _intervals(study, table, key, "The same rates with their intervals" if has_heat else _title(table)),
        "wide": _wide(wide, len(table), target, has_heat=has_heat, growing=bool(until)),
        "title": _title(table),
        "subtitle": f"Share of seeds whose every prediction ends within the tolerance of its target; "
        f"{counted(study.begun)}, in {plural(len(table), 'trial')}.",
    }


def _reach(rates: pd.DataFrame, until: Until | None) -> pd.Series:
    """Return how far an interval reaches from its rate; half of its width where that is what seeds were added for."""
    if until:
        return (rates[HIGH] - rates[LOW]) / 2
    return (rates[HIGH] - rates[RATE]).clip(lower=rates[RATE] - rates[LOW])


def _bound(end: float) -> str:
    """Return an end of an interval in percent, with a decimal near 0 and 100."""
    value = 100 * end
    return f"{value:.0f}" if value in (0, 100) or 10 <= value <= 90 else f"{value:.1f}"


def _title(table: pd.DataFrame) -> str:
    best, worst = highest(table, RATE), lowest(table, RATE)
    if len(table) == 1:
        return f"{percent(best[RATE])} of the starts solve it"
    equal = int((table[RATE] == best[RATE]).sum())
    if best[RATE] == worst[RATE]:
        return f"Every trial solves it from {percent(best[RATE])} of its starts"
    return (
        f"From {percent(worst[RATE])} of the starts with {worst[NAME]} to {percent(best[RATE])} with "
        f"{best[NAME] if equal == 1 else plural(equal, 'other')}"
    )


def _wide(wide: int, trials: int, target: float, *, has_heat: bool, growing: bool) -> str:
    if not wide:
        return ""
    who = (
        "The only trial has"
        if trials == 1
        else f"{plural(wide, 'trial')} of {trials:,} {'has' if wide == 1 else 'have'}"
    )
    marked = " (hatched)" if has_heat else ""
    advice = "" if growing else f" --until {target:g} adds seeds until there are enough."
    return f"{who} too few seeds to know the rate to within {100 * target:g} points{marked}.{advice}"


# ------------------------------------------------------------------ heatmaps


def _heat(study: BlockAnalysis, table: pd.DataFrame, target: float, key: str) -> dict[str, Any]:
    """Return the heatmap's cells by panel, and everything that the page needs to turn it to other axes."""
    down, across = study.names[:2]
    facets = study.names[2:]
    cells = _cells(table, study.names, target)
    panels = []
    for title, rows in grouped(table, facets):
        lookup = {(str(row[down]), str(row[across])): cells[place] for place, row in rows.iterrows()}
        columns, lines = (in_order(name, table[name].tolist()) for name in (across, down))
        grid = [(bare(down, line), [lookup.get((str(line), str(column))) for column in columns]) for line in lines]
        panels.append({"title": title, "columns": [bare(across, column) for column in columns], "rows": grid})
    return {
        "id": f"heat-{key}",
        "down": down,
        "across": across,
        "panels": panels,
        "most": MOST_PANELS,
        "names": study.names,
        "data": {
            "names": study.names,
            "values": {n: [bare(n, v) for v in in_order(n, table[n].tolist())] for n in study.names},
            "cells": list(cells.values()),
        },
        "csv": csv_uri(table.drop(columns=["reach", "block", "planned", "seeds"], errors="ignore")),
    }


def _cells(table: pd.DataFrame, names: Sequence[str], target: float) -> dict[Any, dict[str, Any]]:
    colours = rate_colours(table[RATE].tolist())
    return {
        place: {
            "at": [bare(name, row[name]) for name in names],
            "text": f"{100 * row[RATE]:.0f}" if row[RATE] in (0, 1) or 0.995 > row[RATE] >= 0.005 else _edge(row[RATE]),
            "between": f"{_bound(row[LOW])}–{_bound(row[HIGH])}",
            "wide": bool(row["reach"] > target),
            "title": f"{row[NAME]}: {percent_interval(row[RATE], row[LOW], row[HIGH])}, "
            f"{row[c.SOLVED]:,} of {row[COUNT]:,} seeds",
            "colour": colour,
            "ink": ink,
        }
        for (place, row), (colour, ink) in zip(table.iterrows(), colours, strict=True)
    }


def _edge(rate: float) -> str:
    return "<0.5" if rate < 0.5 else ">99.5"


# ------------------------------------------------------------------ intervals


def _intervals(study: BlockAnalysis, table: pd.DataFrame, key: str, title: str) -> Chart:
    """Return the chart of dots with intervals: of every trial of a grid, else of the best and the worst."""
    plan = layout(study)
    if len(table) <= FEW_ROWS:
        parts = [("", table.assign(**{LINE: table[NAME]}))]
    elif is_grid(study) and study.names and max(len(rows) for _, rows in plan.panels(table)) <= MOST_ROWS:
        parts = [(title, _labelled(plan.lines, rows)) for title, rows in plan.panels(table)]
    else:
        chosen, _ = shown_trials(study, MOST_ROWS)
        best_first = table[table[c.TRIAL_ID].isin(chosen)].sort_values(RATE, ascending=False, kind="stable")
        parts = [("", best_first.assign(**{LINE: best_first[NAME]}))]
    panels = [panel(title, interval_rows(rows, LINE, xlabel="solved")) for title, rows in parts[: 2 * MOST_PANELS]]
    left_out = len(table) - sum(len(rows) for _, rows in parts[: 2 * MOST_PANELS])
    best, worst = table[RATE].max(), table[RATE].min()
    return Chart(
        name=f"rates-{key}",
        title=title,
        subtitle=f"Share of seeds that solve it, with Wilson's 95 % interval; {counted(study.begun)}.",
        caption="A dot is a trial, the line its interval. Lines that overlap do not show that trials are alike: those "
        "that start from the same weights are compared seed by seed below."
        + (f" {left_out:,} more trials are in the table of every trial." if left_out else ""),
        alt=f"Solved rates of {plural(len(table), 'trial')}, from {percent(worst)} to {percent(best)}.",
        panels=panels,
        data=table.drop(columns=["reach", "block", "planned"], errors="ignore"),
    )


def _labelled(lines: str, rows: pd.DataFrame) -> pd.DataFrame:
    ordered = sort_by(rows, [lines]) if lines != NAME else rows
    words = [str(v) if lines == NAME else word(lines, v) for v in ordered[lines]]
    return ordered.assign(**{LINE: words})

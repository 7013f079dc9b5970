"""Solved rates: that of every trial with its interval, over any two parameters."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.config.seeds import Until
from bench.metrics import columns as c
from bench.model.display_labels import phrase, spoken
from bench.report.charts import Chart, Content, csv_uri
from bench.report.colours import rate_colours
from bench.report.drawing import interval_rows, panel, short_id
from bench.report.number_format import PER_CENT, counted, percent, plural, what_solves
from bench.report.numeric_axis import rates_over_number
from bench.report.panel_layout import MOST_PANELS, grouped, is_grid, layout, only_shown, sort_by
from bench.stats.grid_analysis import NAME, GridAnalysis, highest, in_order, lowest
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, half_width

WIDE = 0.05  # an interval that reaches further to either side is marked: too few seeds to tell
MOST_ROWS = 24
MOST_OPEN = 12  # rows that are not folded away: the first screen shows all in one line
FEW_ROWS = 40  # that one panel has room for
REACH = "reach"


def rates(block: GridAnalysis, key: str, until: Until | None) -> Content:
    """Return the chart over a number, if that is an axis, the heatmap, if two parameters were varied, and intervals."""
    table, target = _reach(block, until)
    has_heat = _has_heat(block)
    return {
        "number": rates_over_number(block, f"rates-number-{key}"),
        "heat": _heatmap(block, table, target, key) if has_heat else None,
        "chart": _intervals(block, table, key, "The same rates with their intervals" if has_heat else _title(table)),
        "folded": len(table) > MOST_OPEN,
        "wide": too_few_seeds(block, until),
        "title": _title(table),
        "subtitle": f"Share of seeds whose {what_solves(block.parameters)}; "
        f"{counted(block.begun)}, in {plural(len(table), 'trial')}.",
    }


def _title(table: pd.DataFrame) -> str:
    best, worst = highest(table, RATE), lowest(table, RATE)
    if len(table) == 1:
        return f"{percent(best[RATE])} of the starts solve it"
    if best[RATE] == worst[RATE]:
        return f"Every trial solves it from {percent(best[RATE])} of its starts"
    equal = [int((table[RATE] == one[RATE]).sum()) for one in (worst, best)]
    low, high = (one[NAME] if n == 1 else plural(n, "trial") for one, n in zip((worst, best), equal, strict=True))
    return f"From {percent(worst[RATE])} of the starts ({low}) to {percent(best[RATE])} ({high})"


def _has_heat(block: GridAnalysis) -> bool:
    return len(block.names) > 1 and is_grid(block)


def _reach(block: GridAnalysis, until: Until | None) -> tuple[pd.DataFrame, float]:
    """Return the rates with half the widths of their intervals, and how wide those may be."""
    table = block.rates.assign(**{REACH: half_width(block.rates[c.SOLVED], block.rates[COUNT])})
    return table, (until.half_width if until else None) or WIDE


def too_few_seeds(block: GridAnalysis, until: Until | None) -> str:
    """Say how many trials have too few seeds, and what to do about it; nothing where there are none."""
    table, target = _reach(block, until)
    wide = int((table[REACH] > target).sum())
    if not wide:
        return ""
    who = f"{plural(wide, 'trial')} of {len(table):,} {'has' if wide == 1 else 'have'}"
    marked = " (hatched)" if _has_heat(block) else ""
    advice = "" if until else f" Again with --until {target:g}, seeds are added until there are enough."
    return (
        f"{who if len(table) > 1 else 'The only trial has'} too few seeds to know the rate to within "
        f"{100 * target:g} points{marked}.{advice}"
    )


# ------------------------------------------------------------------ heatmaps


def _heatmap(block: GridAnalysis, table: pd.DataFrame, target: float, key: str) -> Content:
    """Return the heatmap's cells by panel, and everything that the page needs to turn it to other axes."""
    names = block.names
    down, across = names[:2]
    cells = _cells(table, names, target)
    panels = []
    for title, rows in grouped(table, names[2:]):
        lookup = {(str(row[down]), str(row[across])): cells[place] for place, row in rows.iterrows()}
        columns, lines = (in_order(name, table[name].tolist()) for name in (across, down))
        grid = [(spoken(down, line), [lookup.get((str(line), str(column))) for column in columns]) for line in lines]
        panels.append({"title": title, "columns": [spoken(across, column) for column in columns], "rows": grid})
    values = {name: [spoken(name, value) for value in in_order(name, table[name].tolist())] for name in names}
    return {
        "id": f"heat-{key}",
        "down": down,
        "across": across,
        "panels": panels,
        "most": MOST_PANELS,
        "names": names,
        "data": {"names": names, "values": values, "cells": list(cells.values())},
        "csv": csv_uri(table.drop(columns=[REACH, "block", "planned", "seeds"], errors="ignore")),
    }


def _cells(table: pd.DataFrame, names: Sequence[str], target: float) -> dict[Any, Content]:
    return {
        place: {
            "trial": short_id(row[c.TRIAL_ID]),
            "at": [spoken(name, row[name]) for name in names],
            "text": _cell_text(row[RATE]),
            "between": f"{_bound(row[LOW])}–{_bound(row[HIGH])}",
            "wide": bool(row[REACH] > target),
            "colour": colour,
            "ink": ink,
        }
        for (place, row), (colour, ink) in zip(table.iterrows(), rate_colours(table[RATE].tolist()), strict=True)
    }


def _cell_text(rate: float) -> str:
    """Return a rate in percent, with a decimal near 0 and 100, which it is only where it is exactly that."""
    return percent(rate, 0 if 0.01 <= rate < 0.99 else 1).removesuffix(PER_CENT)


def _bound(end: float) -> str:
    """Return an end of an interval in percent, with a decimal near 0 and 100."""
    value = 100 * end
    return f"{value:.0f}" if value in (0, 100) or 10 <= value <= 90 else f"{value:.1f}"


# ------------------------------------------------------------------ intervals


def _intervals(block: GridAnalysis, table: pd.DataFrame, key: str, title: str) -> Chart:
    """Return the chart of dots with intervals: of every trial of a grid, else of some."""
    plan = layout(block)
    facets = plan.panels(table)
    if len(table) <= FEW_ROWS:
        parts = [("", table)]
    elif is_grid(block) and block.names and max(len(rows) for _, rows in facets) <= MOST_ROWS:
        parts = [(title, _by_value(rows, plan.lines)) for title, rows in facets[: 2 * MOST_PANELS]]
    else:
        parts = [("", only_shown(block, table, MOST_ROWS).sort_values(RATE, ascending=False, kind="stable"))]
    left_out = len(table) - sum(len(rows) for _, rows in parts)
    return Chart(
        name=f"rates-{key}",
        title=title,
        subtitle=f"Share of seeds that solve it, with its exact 95 % interval; {counted(block.begun)}.",
        note=f" {left_out:,} more trials are in the table of every trial." if left_out else "",
        alt=f"Solved rates of {plural(len(table), 'trial')}, from {percent(table[RATE].min())} to "
        f"{percent(table[RATE].max())}.",
        panels=[panel(title, interval_rows(rows, NAME, xlabel="solved")) for title, rows in parts],
        data=table.drop(columns=[REACH, "block", "planned"], errors="ignore"),
    )


def _by_value(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of a panel in the order of a parameter, named by its values; as they are if that is the name."""
    if name == NAME:
        return rows
    ordered = sort_by(rows, [name])
    return ordered.assign(**{NAME: [phrase({name: value}) for value in ordered[name]]})

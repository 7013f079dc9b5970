"""Time to solution, with what never solved kept in the count to the end of the budget."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.metrics import columns as c
from bench.model.display_labels import spoken
from bench.report import drawing
from bench.report.charts import Chart, Content, Table, four_digits, numbers, row_interval, tabulate, text
from bench.report.colours import DIM, order
from bench.report.drawing import Panel, panel
from bench.report.number_format import NONE, counted, duration, percent, plural, short
from bench.report.panel_layout import (
    FEW_TRIALS,
    MOST_FOLDED,
    MOST_LINES,
    MOST_PANELS,
    Layout,
    layout,
    not_all,
    only_shown,
)
from bench.stats import survival
from bench.stats.grid_analysis import BUDGET, NAME, GridAnalysis, lowest
from bench.stats.performance_profiles import performance_profiles
from bench.stats.proportions import COUNT, HIGH, LOW, RATE
from bench.stats.sensitivity import PARAMETER, VALUE
from bench.stats.survival import AT, MEDIAN, SHARE

BAND = 0.16
LEAST = 2.4  # inches that axes take
LINE = "line"
POINTS = 40  # of a line: more are not to be seen, and twice as many bytes
MEASURE = "Share of seeds that have solved it by then (1 − Kaplan–Meier), with 95 % limits at each place by itself"


def times(block: GridAnalysis, key: str) -> Content:
    """Return the charts by trial and by value, and the table of medians, means and expected times."""
    seconds = survival.times_to_solution(block.begun, seconds=True)
    return {
        "chart": in_iterations(block, key),
        "profiles": _profiles(block, key),
        "table": _table(block.times, seconds.set_index(c.TRIAL_ID)[MEDIAN], key),
    }


def in_iterations(block: GridAnalysis, key: str) -> Chart | None:
    """Return the steps of every trial in panels on the same axes, or None where nothing was ever solved."""
    steps = block.named(survival.solution_curves(block.begun, POINTS))
    plan = layout(block)
    if plan.is_list:
        steps = only_shown(block, steps, FEW_TRIALS)
    if not (steps[SHARE] > 0).any():
        return None
    drawn = _panels(steps, plan)
    return Chart(
        name=f"times-{key}",
        title=_title(block),
        subtitle=f"{MEASURE}; iterations, logarithmic; {counted(block.begun)}.",
        note=not_all(steps[c.TRIAL_ID].nunique(), block),
        alt=f"Share solved against iterations; at the end of the budget it is from {percent(block.rates[RATE].min())}"
        f" to {percent(block.rates[RATE].max())}.",
        panels=drawn[:MOST_PANELS],
        more=drawn[MOST_PANELS:],
        data=_numbers(steps, [SHARE, LOW, HIGH]),
    )


def _profiles(block: GridAnalysis, key: str) -> Chart | None:
    """Return the profile of each value of each parameter over all that else was varied; None where that is nothing."""
    names = [name for name in block.names if name not in BUDGET and block.trials[name].nunique() <= MOST_LINES]
    if len(block.names) < 2 or not names or not block.is_balanced:
        return None
    table = performance_profiles(block.begun, names)
    if not table[SHARE].any():
        return None
    ends = drawing.log_range(table[AT][table[SHARE] > 0], table[AT])
    panels = []
    for name, rows in table.groupby(PARAMETER, sort=False):
        named = rows.assign(**{LINE: [spoken(str(name), value) for value in rows[VALUE]]})
        colours = dict(zip(named[LINE].unique(), order(rows[VALUE].nunique()), strict=True))
        panels.append(panel(str(name), solution_shares(named, colours, ends=ends, budget=np.inf, unit="iterations")))
    return Chart(
        name=f"profiles-{key}",
        title="The same by each value, over all settings",
        subtitle="Performance profiles: share of all trainings, over settings and seeds, that have solved it by then, "
        f"with 95 % bands that hold everywhere at once; {counted(block.begun)}.",
        alt="Share solved against iterations for each value of each parameter.",
        panels=panels,
        data=four_digits(table.assign(**{VALUE: table[VALUE].astype(str)}), [SHARE, LOW, HIGH]),
    )


def _numbers(steps: pd.DataFrame, rounded: list[str]) -> pd.DataFrame:
    return four_digits(steps[[NAME, AT, SHARE, LOW, HIGH, survival.AT_RISK]], rounded)


def _title(block: GridAnalysis) -> str:
    """Return what the medians say."""
    reached = block.times[block.times[MEDIAN].notna()]
    if reached.empty:
        return "No trial has solved it from half of its starts when the budget ends"
    best = lowest(reached, MEDIAN)
    fast = f"half of the starts have solved it after {short(best[MEDIAN])} iterations"
    if len(block.trials) == 1:
        return fast.capitalize()
    fewer = len(block.trials) - len(reached)
    rest = f"; in {fewer:,} of {len(block.trials):,} trials fewer than half do within the budget" if fewer else ""
    return f"With {best[NAME]}, {fast}{rest}"


# ------------------------------------------------------------------ steps


def _panels(steps: pd.DataFrame, plan: Layout) -> list[Panel]:
    ends = drawing.log_range(steps[AT][steps[SHARE] > 0], steps[AT][steps[AT] > 0].max())
    names = plan.labels(steps)
    colours = dict(zip(names, order(len(names)), strict=True))
    drawn = []
    for title, rows in plan.panels(steps)[: MOST_PANELS + MOST_FOLDED]:
        budgets = rows[c.ITERATIONS].unique()
        budget = float(budgets[0]) if len(budgets) == 1 else np.inf
        named = rows.assign(**{LINE: [plan.label(value) for value in rows[plan.lines]]})
        drawn.append(panel(title, solution_shares(named, colours, ends=ends, budget=budget, unit="iterations")))
    return drawn


def solution_shares(
    steps: pd.DataFrame, colours: Mapping[str, str], *, ends: tuple[float, float], budget: float, unit: str
) -> Figure:
    """Draw a step line with its band for each line, up to the budget; ``ends`` are those of the logarithmic axis."""
    right = drawing.end_margin(steps[LINE])
    figure, axes = drawing.blank(max(drawing.WIDTH, right + LEAST), 2.1, left=0.47, right=right)
    drawing.log_axis(axes, "x", *ends)
    drawing.percent_axis(axes, "y")
    named = []
    for name, rows in steps.groupby(LINE, sort=False, observed=True):
        colour = colours[str(name)]
        x, low, high, share = drawing.stepped(rows[AT].clip(lower=ends[0]), rows[LOW], rows[HIGH], rows[SHARE])
        drawn = drawing.area(axes, x, low, high, colour, BAND), drawing.line(axes, x, share, colour)
        label = drawing.plain(drawing.folded(str(name)))
        end = {"name": label, "colour": colour, "y": float(rows[SHARE].iloc[-1])}
        if c.TRIAL_ID in rows:
            end["trial"] = rows[c.TRIAL_ID].iloc[0]
            for one in drawn:
                drawing.mark(one, [end["trial"]])
        named.append(end)
    if ends[0] < budget < ends[1]:
        axes.axvline(budget, color=DIM, linewidth=0.8, dashes=(3, 2))
        drawing.write(axes, "budget", (budget, 1.0), (-2, 2), xycoords=("data", "axes fraction"), ha="right",
                      fontsize=6.5)  # fmt: skip
    drawing.name_ends(axes, named, -0.03, 1.03)
    axes.set(xlabel=unit)
    return figure


def _table(table: pd.DataFrame, seconds: "pd.Series[float]", key: str) -> Table:
    took = "median as trained here"
    columns = [
        text("trial", NAME),
        numbers("seeds", COUNT),
        numbers("solved", c.SOLVED),
        numbers(
            "median", MEDIAN, kind=lambda row: "dim" if pd.isna(row[MEDIAN]) else "",
            of_row=lambda row: "not reached" if pd.isna(row[MEDIAN]) else row_interval(row, MEDIAN),
        ),
        numbers("restricted mean", survival.RMST, of_row=lambda row: row_interval(row, survival.RMST)),
        numbers("expected with restarts", survival.ERT, of_row=lambda row: row_interval(row, survival.ERT)),
        numbers(took, took, lambda value: duration(value) if pd.notna(value) else NONE),
    ]  # fmt: skip
    rows = table.assign(**{took: table[c.TRIAL_ID].map(seconds)})
    label = f"Time to solution of {plural(len(table), 'trial')}"
    return tabulate(f"times-table-{key}", label, rows, columns, table)

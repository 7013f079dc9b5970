"""Time to solution, with what never solved kept in the count to the end of the budget."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.metrics import columns as c
from bench.report.charts import Cell, Chart, Table, four_digits, number
from bench.report.colours import DIM, order
from bench.report.drawing import (
    WIDTH,
    Panel,
    area,
    blank,
    end_margin,
    folded,
    line,
    log_axis,
    log_range,
    name_ends,
    panel,
    percent_axis,
    plain,
    stepped,
)
from bench.report.layout import FEW_TRIALS, MOST_FOLDED, MOST_PANELS, Layout, layout, shown_trials
from bench.report.number_format import counted, duration, interval, percent, plural, short
from bench.stats import survival
from bench.stats.block_analysis import NAME, SEED, BlockAnalysis, lowest
from bench.stats.proportions import COUNT, HIGH, LOW
from bench.stats.survival import AT, SHARE

BAND = 0.16
LEAST = 2.4  # inches that axes take


def solution_shares(
    steps: pd.DataFrame,
    label: str,
    colours: Mapping[str, str],
    *,
    ends: tuple[float, float],
    budget: float,
    xlabel: str,
) -> Figure:
    """Draw a step line with its band for each label, up to the budget; ``ends`` are those of the logarithmic axis."""
    right = end_margin(steps[label])
    figure, axes = blank(max(WIDTH, right + LEAST), left=0.47, right=right)
    log_axis(axes, "x", *ends)
    percent_axis(axes, "y")
    named = []
    for name, rows in steps.groupby(label, sort=False, observed=True):
        colour = colours[str(name)]
        at = rows[AT].clip(lower=ends[0])
        x, low, high, share = stepped(at, rows[LOW], rows[HIGH], rows[SHARE])
        area(axes, x, low, high, colour, BAND)
        line(axes, x, share, colour)
        named.append({"name": plain(folded(str(name))), "colour": colour, "y": float(rows[SHARE].iloc[-1])})
    if ends[0] < budget < ends[1]:
        axes.axvline(budget, color=DIM, linewidth=0.8, dashes=(3, 2))
        axes.annotate(
            "budget", (budget, 1.0), xycoords=("data", "axes fraction"), xytext=(-2, 2), textcoords="offset points",
            ha="right", fontsize=6.5, color=DIM,
        )  # fmt: skip
    name_ends(axes, named, -0.03, 1.03)
    axes.set(xlabel=xlabel)
    return figure


# ------------------------------------------------------------------ times


LINE = "line"
POINTS = 100  # of a line: more are not to be seen, and twice as many bytes
MEASURE = "Share of seeds that have solved it by then (1 − Kaplan–Meier) with its 95 % band"


def times(study: BlockAnalysis, key: str) -> dict[str, Any]:
    """Return the charts in iterations and in seconds, and the table of medians, means and expected times."""
    seconds = survival.times_to_solution(study.begun, SEED, seconds=True)
    return {
        "chart": _in_iterations(study, key),
        "seconds": _in_seconds(study, seconds, key),
        "table": _table(study.times, seconds, key),
    }


def _in_iterations(study: BlockAnalysis, key: str) -> Chart | None:
    """Return the steps of every trial in panels on the same axes, or None where nothing was ever solved."""
    steps = study.named(survival.solution_curves(study.begun, POINTS))
    plan = layout(study)
    if plan.lines == NAME and not plan.facets:
        steps = steps[steps[c.TRIAL_ID].isin(shown_trials(study, FEW_TRIALS)[0])]
    if not (steps[survival.SHARE] > 0).any():
        return None
    drawn = _panels(steps, plan, "iterations")
    left_out = len(drawn) > MOST_PANELS + MOST_FOLDED or steps[c.TRIAL_ID].nunique() < len(study.trials)
    return Chart(
        name=f"times-{key}",
        title=_title(study),
        subtitle=f"{MEASURE}; iterations, logarithmic; {counted(study.begun)}.",
        caption="Every training that was begun is in the count to the end: stuck, slow and diverged ones never solve "
        "it, so a line ends at the trial's solved rate. Higher and further left is better."
        + (" Not every trial is drawn; the table has all of them." if left_out else ""),
        alt=f"Share solved against iterations; at the end of the budget it is from {percent(study.rates['rate'].min())}"
        f" to {percent(study.rates['rate'].max())}.",
        panels=drawn[:MOST_PANELS],
        more=drawn[MOST_PANELS : MOST_PANELS + MOST_FOLDED],
        data=_numbers(steps, [survival.SHARE, LOW, HIGH]),
    )


def _in_seconds(study: BlockAnalysis, seconds: pd.DataFrame, key: str) -> Chart | None:
    """Return the steps of the trials that are fastest by the clock, in one panel; None where none gets to half."""
    reached = seconds[seconds[survival.MEDIAN].notna()].sort_values(survival.MEDIAN, kind="stable")
    if reached.empty:
        return None
    first = reached.head(FEW_TRIALS)
    own = study.begun[study.begun[c.TRIAL_ID].isin(first[c.TRIAL_ID])]
    steps = study.named(survival.solution_curves(own, POINTS, seconds=True))
    best = study.trial(first[c.TRIAL_ID].iloc[0])[NAME]
    took = [float(first[name].iloc[0]) for name in (survival.MEDIAN, survival.MEDIAN_LOW, survival.MEDIAN_HIGH)]
    return Chart(
        name=f"times-seconds-{key}",
        title=f"By the clock, half have solved it after {duration(took[0])} with {best}",
        subtitle=f"{MEASURE}; seconds, logarithmic; {_which(len(first), len(study.trials))}"
        f"95 % interval of the median: {duration(took[1])} to {duration(took[2])}.",
        caption="Seconds are a training's iterations times the median time that one took it, its share of all that "
        "advanced side by side, often beside other work: what it cost, not a comparison of backends.",
        alt=f"Share solved against seconds; {best} is fastest.",
        panels=_panels(steps, Layout(NAME, ()), "seconds"),
        data=_numbers(steps, [survival.AT, survival.SHARE, LOW, HIGH]),
    )


def _which(drawn: int, trials: int) -> str:
    return "" if drawn == trials else f"the {drawn:,} with the smallest medians of {trials:,} trials; "


def _numbers(steps: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return four_digits(steps[[NAME, survival.AT, survival.SHARE, LOW, HIGH, survival.AT_RISK]], names)


def _panels(steps: pd.DataFrame, plan: Layout, unit: str) -> list[Panel]:
    ends = log_range(steps[survival.AT][steps[survival.SHARE] > 0], steps[survival.AT][steps[survival.AT] > 0].max())
    names = plan.order(steps)
    colours = dict(zip(names, order(len(names)), strict=True))
    drawn = []
    for title, rows in plan.panels(steps)[: MOST_PANELS + MOST_FOLDED]:
        budgets = rows[c.ITERATIONS].unique()
        budget = float(budgets[0]) if len(budgets) == 1 and unit == "iterations" else np.inf
        named = rows.assign(**{LINE: [plan.called(value) for value in rows[plan.lines]]})
        figure = solution_shares(named, LINE, colours, ends=ends, budget=budget, xlabel=unit)
        drawn.append(panel(title, figure))
    return drawn


def _title(study: BlockAnalysis) -> str:
    """Return what the medians say."""
    reached = study.times[study.times[survival.MEDIAN].notna()]
    if reached.empty:
        return "No trial has solved it from half of its starts when the budget ends"
    best = lowest(reached, survival.MEDIAN)
    fast = f"half of the starts have solved it after {short(best[survival.MEDIAN])} iterations"
    if len(study.trials) == 1:
        return fast.capitalize()
    never = len(study.trials) - len(reached)
    rest = f"; {never:,} of {len(study.trials):,} trials never get that far" if never else ""
    return f"With {best[NAME]}, {fast}{rest}"


def _table(table: pd.DataFrame, seconds: pd.DataFrame, key: str) -> Table:
    in_seconds = seconds.set_index(c.TRIAL_ID)[survival.MEDIAN]
    headings = [
        "trial",
        "seeds",
        "solved",
        "median",
        "restricted mean",
        "expected with restarts",
        "median as trained here",
    ]
    rows = []
    for row in table.to_dict("records"):
        cells = [
            number(interval(row[name], row[f"{name}_low"], row[f"{name}_high"]), row[name])
            for name in (survival.MEDIAN, survival.RMST, survival.ERT)
        ]
        if pd.isna(row[survival.MEDIAN]):
            cells[0] = number("not reached", None, kind="dim")
        took = in_seconds[row[c.TRIAL_ID]]
        rows.append(
            [
                Cell(row[NAME]),
                number(f"{row[COUNT]:,}", row[COUNT]),
                number(f"{row[c.SOLVED]:,}", row[c.SOLVED]),
                *cells,
                number(duration(took) if pd.notna(took) else "–", took),
            ]
        )
    label = f"Time to solution of {plural(len(table), 'trial')}"
    return Table(f"times-table-{key}", label, headings, rows, table, frozenset(headings[1:]))

"""Restarts: how many starts it takes, and when to give one up."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.report import drawing
from bench.report.charts import Chart, Content, Finding, Row, Table, four_digits, numbers, row_interval, tabulate, text
from bench.report.colours import order
from bench.report.drawing import Panel, panel
from bench.report.number_format import interval, plural, short
from bench.report.panel_layout import FEW_TRIALS, not_all
from bench.report.time_to_solution import LEAST, LINE, solution_shares
from bench.stats import restarts as stats
from bench.stats.grid_analysis import NAME, GridAnalysis, highest
from bench.stats.proportions import HIGH, LOW, RATE
from bench.stats.restarts import BEST, BEST_ERT, GAIN, NEEDED
from bench.stats.survival import AT, ERT, SHARE

MOST_STARTS = 1_000
PLACES = 60
WORTH = 1.5  # times as cheap: less is not worth a sentence


def restarts(block: GridAnalysis, key: str) -> Content | None:
    """Return the curves of the best of n starts and of the cost by budget, and their table; None where none solves."""
    some = block.rates[block.rates[RATE] > 0]
    if some.empty:
        return None
    ranked = some.sort_values(RATE, kind="stable")[c.TRIAL_ID].tolist()
    chosen = dict.fromkeys([ranked[place] for place in np.linspace(0, len(ranked) - 1, FEW_TRIALS).astype(int)])
    trials = [trial for trial in some[c.TRIAL_ID] if trial in chosen]
    return {"charts": [_starts(block, trials, key), _budgets(block, trials, key)], "table": _table(block, key)}


def _starts(block: GridAnalysis, trials: list[str], key: str) -> Chart:
    starts_N = np.unique(np.geomspace(1, MOST_STARTS, PLACES).astype(int))
    rates = block.rates.set_index(c.TRIAL_ID, drop=False).loc[trials]
    rows = []
    for row in rates.to_dict("records"):
        share, low, high = stats.at_least_one(row[c.SOLVED], row["trainings"], starts_N)
        rows.append(
            pd.DataFrame(
                {LINE: row[NAME], c.TRIAL_ID: row[c.TRIAL_ID], AT: starts_N, SHARE: share, LOW: low, HIGH: high}
            )
        )
    curves = pd.concat(rows, ignore_index=True)
    colours = dict(zip(dict.fromkeys(curves[LINE]), order(len(rates)), strict=False))
    figure = solution_shares(curves, colours, ends=(1, MOST_STARTS), budget=np.inf, unit="starts")
    needed = block.restarts[NEEDED]
    least, most = (short(some) for some in (needed.min(), needed[np.isfinite(needed)].max()))
    never = int(np.isinf(needed).sum())
    return Chart(
        name=f"starts-{key}",
        title=f"For a 99 % chance that one solves it: {least} {'start' if least == '1' else 'starts'}"
        f"{f' at best, {most} at worst' if least != most else ''}"
        f"{f'; with {never:,} of {len(needed):,} none did' if never else ''}",
        subtitle="Probability that at least one of so many starts solves it, 1 − (1 − p)ⁿ, with its exact 95 % band.",
        note=not_all(len(trials), block),
        alt=f"Curves of the best of n starts: {plural(len(trials), 'trial')} from 1 to {MOST_STARTS:,} starts.",
        panels=[panel("", figure)],
        data=four_digits(curves.rename(columns={LINE: NAME}).drop(columns=c.TRIAL_ID), [SHARE, LOW, HIGH]),
    )


def _budgets(block: GridAnalysis, trials: list[str], key: str) -> Chart:
    chosen = block.begun[block.begun[c.TRIAL_ID].isin(trials)]
    curves = block.named(stats.costs(chosen))
    gain = _greatest_gain(block)
    title = "Giving a start up sooner is not shown to pay"
    if gain is not None:
        title = (
            f"Giving a start up surely pays in {plural(int(block.restarts[GAIN].sum()), 'trial')} of "
            f"{len(block.trials):,}, most with {gain[NAME]} after {short(gain[BEST])} iterations"
        )
    return Chart(
        name=f"restart-{key}",
        title=title,
        subtitle="Expected iterations until a start solves it, by the iterations after which one begins anew; both "
        "logarithmic. Dots: the smallest.",
        note=not_all(len(trials), block),
        alt=f"Expected running time against the budget of a start: {plural(len(trials), 'trial')}.",
        panels=[_cost_panel(curves)],
        data=four_digits(curves[[NAME, AT, ERT]], [ERT]),
    )


def _cost_panel(curves: pd.DataFrame) -> Panel:
    known = curves[np.isfinite(curves[ERT])]
    names = list(dict.fromkeys(known[NAME]))
    right = drawing.end_margin(names)
    figure, axes = drawing.blank(max(drawing.WIDTH, right + LEAST), left=0.6, right=right)
    drawing.log_axis(axes, "x", *drawing.log_range(curves[AT]))
    low, high = drawing.log_range(known[ERT])
    drawing.log_axis(axes, "y", low, high)
    ends = []
    for name, colour in zip(names, order(len(names)), strict=True):
        rows = known[known[NAME] == name]
        best = rows.loc[rows[ERT].idxmin()]
        dots = axes.plot(best[AT], best[ERT], "o", color=colour, markersize=4)
        for drawn in (drawing.line(axes, rows[AT], rows[ERT], colour), *dots):
            drawing.mark(drawn, [best[c.TRIAL_ID]])
        label, y = drawing.plain(drawing.folded(name)), np.log10(rows[ERT].iloc[-1])
        ends.append({"name": label, "colour": colour, "y": y, "trial": best[c.TRIAL_ID]})
    drawing.name_ends(axes, ends, np.log10(low), np.log10(high))
    axes.set(xlabel="iterations of a start")
    return panel("", figure)


def _greatest_gain(block: GridAnalysis) -> Row | None:
    """Return the trial in which giving starts up saves most, surely; None where it does in none."""
    table = block.restarts[block.restarts[GAIN]]
    if table.empty:
        return None
    times = (table[ERT] / table[BEST_ERT]).where(lambda some: some >= WORTH)
    return None if times.isna().all() else highest(table.assign(saving=times), "saving")


def _table(block: GridAnalysis, key: str) -> Table:
    columns = [
        text("trial", NAME),
        numbers("starts, for one that solves it", NEEDED, of_row=lambda row: interval(*_needed(row))),
        numbers("give a start up after", BEST, short),
        numbers("expected iterations then", BEST_ERT, of_row=lambda row: row_interval(row, BEST_ERT)),
        numbers("with the whole budget", ERT, of_row=lambda row: row_interval(row, ERT)),
    ]
    return tabulate(
        f"restarts-table-{key}", f"Restarts of {plural(len(block.trials), 'trial')}", block.restarts, columns
    )


def _needed(row: Row) -> tuple[float, float, float]:
    high = row[f"{NEEDED}_high"]
    return row[NEEDED], row[f"{NEEDED}_low"], np.nan if np.isinf(high) else high


def restart_findings(block: GridAnalysis) -> Iterator[Finding]:
    """Say where giving starts up saves most, if it surely does anywhere."""
    gain = _greatest_gain(block)
    if gain is None:
        return
    yield Finding(
        f"restarting after {short(gain[BEST])} instead of {short(gain[c.ITERATIONS])} iterations cuts what a solution "
        f"takes with {gain[NAME]} from an expected {row_interval(gain, ERT)} to {row_interval(gain, BEST_ERT)} "
        "iterations.",
        f"The largest factor of {plural(len(block.trials), 'trial')}, picked afterwards; in "
        f"{int(block.restarts[GAIN].sum()):,} the two intervals lie apart. Estimates for fresh independent starts; the "
        "95 % intervals hold for all trials and budgets at once.",
        "restarts",
    )

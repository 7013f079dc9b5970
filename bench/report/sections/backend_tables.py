"""The tables of the section on backends, in words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis import agreement, timing
from bench.analysis.study import in_words
from bench.report.colour import BACKEND
from bench.report.figures import speed
from bench.report.table import Cell, Table, number
from bench.report.words import short
from bench.tracking import columns as c

FEW = 3  # trials that are named
NO_SPEEDUP = {
    timing.REFERENCE: "the loop",
    timing.NO_REFERENCE: "–",
    timing.NOT_COMPARED: "not compared",
    timing.DISTURBED: "the loop's core was shared",
}


def beside_table(shown: pd.DataFrame) -> Table:
    """Return a row for each trial of what its iterations took beside other work."""
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
        disagrees = row[timing.VERDICT] == timing.DISAGREES or bool(row[timing.SHARED])
        spread = f"{100 * row[timing.SPREAD]:.0f} %" if row[timing.ROUNDS] > 1 else "one round"
        latency = f"{short(row[timing.MEDIAN])} [{short(row[timing.LOW])}, {short(row[timing.HIGH])}]"
        rows.append(
            [
                Cell(in_words(row, list(telling))),
                Cell(row[timing.SIDE], colour=BACKEND[row[c.BACKEND]]),
                number(f"{row[c.TOGETHER]:,}", row[c.TOGETHER]),
                number(short(row[timing.PER_S] / 1e6), row[timing.PER_S]),
                number(speedup(row), row[timing.SPEEDUP], kind="fails" if disagrees else ""),
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


def speedup(row: Mapping[Any, Any]) -> str:
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

"""The section on backends: whether they agree, and only then how fast they are."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis import agreement, timing
from bench.problem.label import USUAL, varying, word
from bench.problem.trial import BACKENDS
from bench.report import figures, speed
from bench.report.pictures import MANY_PANELS, MANY_TRIALS, Picture
from bench.tracking import columns as c

FEW = 3  # trials that are named
NO_SPEEDUP = {
    timing.REFERENCE: "the loop",
    timing.NO_REFERENCE: "–",
    timing.NOT_COMPARED: "not compared",
    timing.DISTURBED: "the loop's core was shared",
}


def backends(
    trainings: pd.DataFrame, samples: pd.DataFrame, cold: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the template shows of backends, in words; ``names`` are those of the trials.

    Where nothing was timed alone, there are the times that the trainings took beside each other.
    """
    agreed = agreement.agreements(trainings)
    table = timing.timing_table(samples, agreed)
    telling = _telling(table)
    called = _called(trainings)
    table = _ordered(table, telling)
    return {
        "agreements": [_agreement(row, called) for row in agreement.pair_summary(agreed).to_dict("records")],
        "excused": f"{100 * agreement.EXCUSED:g} %",
        "timings": [_timing(row, telling or USUAL) for row in table.to_dict("records")],
        "picture": _picture(table, telling),
        "threads": figures.from_to(table[c.THREADS]) if len(table) else "",
        "rounds": figures.from_to(table[timing.ROUNDS]) if len(table) else "",
        "fewest": timing.FEWEST,
        "own_core": f"{100 * timing.OWN_CORE:g} %",
        "cold": [_cold(row) for row in cold],
        "beside": _beside(trainings, names) if table.empty else None,
    }


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
    by = [*telling, c.TOGETHER, c.BACKEND, timing.SIDE]
    ordered: pd.DataFrame = table.sort_values(by, key=_place).reset_index(drop=True)
    return ordered


def _place(column: pd.Series) -> pd.Series:
    """Return what a column is sorted by: hidden layers by their sizes, backends as they are listed."""
    if column.name not in (c.HIDDEN, c.BACKEND):
        return column
    return column.map((figures.hidden_order(column) if column.name == c.HIDDEN else BACKENDS).index)


def _picture(table: pd.DataFrame, telling: list[str]) -> Picture | None:
    if table.empty or (telling and len(table.drop_duplicates(telling)) > MANY_PANELS):
        return None
    return Picture(
        "How many trainings does it pay to train side by side?",
        "Iterations of one training per second against the number of trainings that advance together: the median over "
        "the rounds, with quartiles. Both axes are logarithmic. Dashed and marked ≠: disagrees with the numpy loop.",
        f"Throughput by trainings side by side, a line per backend; the highest is {table[timing.PER_S].max():.3g}.",
        figures.data_uri(speed.throughput(table, telling)),
    )


def _beside(trainings: pd.DataFrame, names: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what iterations took beside other work, if anything was trained."""
    times = timing.iteration_times(trainings)
    if times.empty:
        return None
    shown = times.assign(**{figures.LABEL: times[c.TRIAL_ID].map(names)}).head(MANY_TRIALS)
    return {
        "alone": bool(shown[c.ALONE].all()),
        "rows": shown.to_dict("records"),
        "picture": Picture(
            "How long does an iteration take?",
            "Median time per iteration of one training, with quartiles; logarithmic axis.",
            "Microseconds per iteration by trial, coloured by backend.",
            figures.data_uri(speed.iteration_times(shown)),
        ),
    }


# ------------------------------------------------------------------ rows in words


def _agreement(row: Mapping[Any, Any], called: Mapping[str, str]) -> dict[str, Any]:
    parted, agrees = row[agreement.PARTED_AT], row[agreement.AGREES]
    wrong = [called[trial_id] for trial_id in row[agreement.DISAGREEING]]
    return {
        "pair": f"{row[agreement.ONE]} and {row[agreement.OTHER]}",
        c.DTYPE: row[c.DTYPE],
        "compared": f"{row[agreement.COMPARED]:,}",
        "difference": short(row[agreement.DIFFERENCE]),
        "beyond": f"{row[agreement.BEYOND]:,}",
        "tolerance": short(agreement.TOLERANCE[row[c.DTYPE]]),
        "parted_at": "never" if pd.isna(parted) else f"iteration {parted:,}",
        "same": f"{100 * row[agreement.SAME]:.4g} %",
        "known": not pd.isna(agrees),
        "agrees": not pd.isna(agrees) and bool(agrees),
        "wrong": f"in {len(wrong):,} of {row[agreement.TRIALS]:,} trials: {_first(wrong)}" if wrong else "",
    }


def _first(words: Sequence[str]) -> str:
    return ", ".join(words[:FEW]) + (" …" if len(words) > FEW else "")


def _timing(row: Mapping[Any, Any], telling: Sequence[str]) -> dict[str, Any]:
    return {
        "trial": " ".join(word(name, row[name]) for name in telling),
        "side": row[timing.SIDE],
        "colour": speed.backend_colour(row[c.BACKEND]),
        "together": f"{row[c.TOGETHER]:,}",
        "latency": f"{short(row[timing.MEDIAN])} [{short(row[timing.LOW])}, {short(row[timing.HIGH])}]",
        "p99": short(row[timing.P99]),
        "per_s": short(row[timing.PER_S] / 1e6),
        "speedup": _speedup(row),
        "disagrees": row[timing.VERDICT] == timing.DISAGREES,
        "spread": f"{100 * row[timing.SPREAD]:.0f} %" if row[timing.ROUNDS] > 1 else "one round",
        "noisy": bool(row[timing.NOISY]),
        "shared": bool(row[timing.SHARED]),
    }


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


def _cold(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "backend": row[c.BACKEND],
        "colour": speed.backend_colour(row[c.BACKEND]),
        **{name: short(row[name]) for name in (c.IMPORT_S, c.FIRST_S, c.COMPILE_S)},
        "reason": row[c.REASON],
    }


def short(value: float | None) -> str:
    """Write a number with three digits, or all that it has before the point."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}".replace("e-0", "e-")

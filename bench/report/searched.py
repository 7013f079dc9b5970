"""What there is to say of a search: what its best is worth on other seeds first, each with its interval and its n."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis.held_out import BEST, HELD_OUT, KIND, OPTIMISM, REFERENCE, SEARCH, TITLE, column, interval_of
from bench.analysis.judged import NUMBER
from bench.analysis.repeated import ENDED, Difference
from bench.analysis.searched import Searched, label
from bench.analysis.solved import COUNT, HIGH, LOW, RATE
from bench.experiment.search.objective import (
    CENSORED,
    MAXIMIZE,
    MEDIAN_MSE,
    MEDIAN_SOLVED_AT,
    PARAMETER_COUNT,
    RMST,
    SOLVED_RATE,
    TRAIN_SECONDS,
)
from bench.problem.gate import BUILT_IN
from bench.report.sayings import Finding
from bench.report.words import duration, percent, percent_interval, plural, points, short
from bench.tracking import columns as c

MEASURES = {
    RMST: "restricted mean time to solution",
    SOLVED_RATE: "solved rate",
    MEDIAN_SOLVED_AT: "median time to solution",
    MEDIAN_MSE: "median final error",
    PARAMETER_COUNT: "number of weights and biases",
    TRAIN_SECONDS: "time of a training",
}
UNITS = {RMST: " iterations", MEDIAN_SOLVED_AT: " iterations"}
ANCHOR = "search"
MOST_REFERENCES = 2  # that a sentence has room for
WORTHLESS = "the search had nothing to go by: its trials are all alike in"


def value_words(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a value of a measure in its unit, with its interval if there is one."""
    return "–" if pd.isna(value) else f"{bare_value(name, value, low, high)}{UNITS.get(name, '')}"


def bare_value(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a value of a measure where its unit is known."""
    if pd.isna(value):
        return "–"
    if name == SOLVED_RATE:
        return percent(value) if pd.isna(low) else percent_interval(value, low, high)
    text = duration(value) if name == TRAIN_SECONDS and np.isfinite(value) else short(value)
    ends = "" if pd.isna(low) else f" [{short(low)}, {'…' if pd.isna(high) else short(high)}]"
    return f"{text}{ends}"


def change_words(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a difference of two values with its sign, in points where they are shares, and with its interval if any."""
    if pd.isna(value):
        return "–"
    if name == SOLVED_RATE:
        return f"{points(value, value, value).partition(' [')[0]}" if pd.isna(low) else points(value, low, high)
    ends = "" if pd.isna(low) else f" [{_signed(low)}, {_signed(high)}]"
    return f"{_signed(value)}{ends}{UNITS.get(name, ' s' if name == TRAIN_SECONDS else '')}"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{short(value)}".replace("-", "−")


def search_findings(found: Searched) -> Iterator[Finding]:
    """Yield what the first screen says of a search."""
    for said in (nothing_found(found), lead(found), optimism(found), baseline(found)):
        if said is not None:
            yield said


# ------------------------------------------------------------------ the best


def lead(found: Searched) -> Finding | None:
    """Return what the best trial comes to on held-out seeds, beside what it seemed and the references; or nothing."""
    rows = found.held_out[found.held_out[column(HELD_OUT, RATE)].notna()].to_dict("records")
    best = next((row for row in rows if row[KIND] == BEST), None)
    if best is None or found.is_unsolved:
        return None
    seeds = int(best[column(HELD_OUT, COUNT)])
    others = [row for row in rows if row[KIND] == REFERENCE][:MOST_REFERENCES]
    sentence = (
        f"On {plural(seeds, 'held-out seed')}, {_called(best)} solves {_gate(found, best)} from "
        f"{_rate(best)} of the starts; on the {plural(len(found.judged.seeds), 'seed')} that it was chosen by, it was "
        f"{percent(best[column(SEARCH, RATE)])}{''.join(f'; {row[TITLE]}: {_rate(row)}' for row in others)}."
    )
    name = found.judged.first
    judged = value_words(name, best[column(HELD_OUT, name)], *interval_of(best, HELD_OUT, name))
    seemed = value_words(name, best[column(SEARCH, name)])
    evidence = (
        f"The best of {plural(found.history[c.TRIAL_ID].nunique(), 'trial')} by {MEASURES[name]}: {judged} on held-out "
        f"seeds, {seemed} on those of the search. 95 % intervals; of shares Wilson's."
    )
    return Finding(sentence, evidence, ANCHOR)


def best_so_far(found: Searched) -> str:
    """Return which trial is best by the seeds of the search alone, where it was not trained on others."""
    front = found.front
    if front.empty:
        return ""
    name = found.judged.first
    row = front.sort_values(name, ascending=found.judged.objectives[name] != MAXIMIZE, kind="stable").iloc[0]
    return (
        f"By the {plural(len(found.judged.seeds), 'seed')} that it was chosen by, {label(row[NUMBER])} "
        f"({found.named(row[c.TRIAL_ID])}) is the best of {plural(found.history[c.TRIAL_ID].nunique(), 'trial')}: "
        f"{MEASURES[name]} {value_words(name, row[name])}. The best of many looks better than it is, and it was not "
        "trained on other seeds."
    )


def _called(row: Mapping[Any, Any]) -> str:
    number, _, words = str(row[TITLE]).partition(" ")
    return f"{number} ({words})" if words else number


def _rate(row: Mapping[Any, Any]) -> str:
    return percent_interval(*(row[column(HELD_OUT, name)] for name in (RATE, LOW, HIGH)))


def _gate(found: Searched, row: Mapping[Any, Any]) -> str:
    gate = str(found.parameters[str(row[c.TRIAL_ID])][c.GATE])
    return gate.upper() if gate in BUILT_IN else gate


def optimism(found: Searched) -> Finding | None:
    """Return by how much the best trial looked better than it is, where that is beyond chance; or nothing."""
    best = found.held_out[found.held_out[KIND] == BEST].to_dict("records")[:1]
    name = found.judged.first
    if not best or not best[0][OPTIMISM[1]] > 0:
        return None
    row = best[0]
    seemed, ends = row[column(SEARCH, name)], interval_of(row, HELD_OUT, name)
    return Finding(
        f"The search was too optimistic: the {MEASURES[name]} of {str(row[TITLE]).partition(' ')[0]} was "
        f"{value_words(name, seemed)} on the seeds that chose it, and is "
        f"{value_words(name, row[column(HELD_OUT, name)], *ends)} on others.",
        f"n = {len(found.judged.seeds):,} and {len(found.judged.held_out):,} seeds; it looked better by "
        f"{change_words(name, *(row[part] for part in OPTIMISM))}, with the 95 % interval of the difference: the best "
        "of many trials is in part the luckiest.",
        ANCHOR,
    )


# ------------------------------------------------------------------ nothing found


def nothing_found(found: Searched) -> Finding | None:
    """Return that nothing was solved, or that no trial keeps the limits, and what came nearest; or nothing."""
    near = found.nearest
    if near is None:
        return None
    trials = plural(found.history[c.TRIAL_ID].nunique(), "proposed trial")
    who = f"{label(near[NUMBER])} ({found.named(near[c.TRIAL_ID])})"
    if found.is_unsolved:
        flat = [MEASURES[name] for name in found.judged.objectives if name in (*CENSORED, SOLVED_RATE)]
        blind = f", so {WORTHLESS} {' and '.join(flat)}" if flat else ""
        return Finding(
            f"No training of the {trials} solves {_gate(found, near)}{blind}.",
            f"Nearest came {who}, with a median error of {short(near[MEDIAN_MSE])}. More iterations or a wider space "
            "may help.",
            ANCHOR,
        )
    limits = " and ".join(str(one) for one in found.judged.constraints)
    values = ", ".join(
        f"{MEASURES[one.measure]} {value_words(one.measure, near[one.measure])}" for one in found.judged.constraints
    )
    return Finding(
        f"None of the {trials} keeps {limits}.",
        f"Nearest came {who}: {values} on the {plural(len(found.judged.seeds), 'seed')} of the search.",
        ANCHOR,
    )


# ------------------------------------------------------------------ repeated searches


def baseline(found: Searched) -> Finding | None:
    """Return whether the sampler finds better trials than the baseline; nothing without an interval."""
    compared = found.difference
    if compared is None or pd.isna(compared.low):
        return None
    return compared_words(found, compared)


def compared_words(found: Searched, compared: Difference) -> Finding:
    """Return how the winners of a sampler and of its baseline compare, and from what that is known."""
    name, budget = found.judged.first, found.search["trials"]
    by = change_words(name, compared.mean, compared.low, compared.high)
    where = "on held-out seeds" if compared.side == HELD_OUT else "on the seeds that chose them"
    sides = (compared.sampler, compared.baseline)
    surely = compared.low > 0 or compared.high < 0
    better = (compared.mean > 0) == (found.judged.objectives[name] == MAXIMIZE)
    first, second = sides if better else sides[::-1]
    verdict = (
        f"{first} finds better trials than {second}" if surely else f"{sides[0]} and {sides[1]} cannot be told apart"
    )
    interval = "Welch's 95 % interval; " if pd.notna(compared.low) else "too few for an interval; "
    return Finding(
        f"{verdict}: the {MEASURES[name]} of their best differs by {by} {where}.",
        f"{sides[0]} less {sides[1]}, means of {compared.repeats:,} and "
        f"{plural(compared.baseline_repeats, 'search', 'searches')} of {plural(budget, 'trial')} each; {interval}"
        f"the best of {sides[0]} is better than that of {sides[1]} in {percent(compared.superiority, 0)} of their "
        f"pairs (Mann–Whitney, ties count half).{_left_out(found)}",
        ANCHOR,
    )


def _left_out(found: Searched) -> str:
    left = int((~found.studies[ENDED].astype(bool)).sum())
    return (
        f" {plural(left, 'search', 'searches')} of {len(found.studies):,} did not end and do not count." if left else ""
    )

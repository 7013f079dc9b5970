"""Numbers in words: as many digits as they carry, with their intervals, units and what they count."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.metrics.objectives import OBJECTIVES, SOLVED_RATE, TRAIN_SECONDS
from bench.model.display_labels import gate_word
from bench.model.gate import gate_names

SECONDS_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
PER_CENT = "\u00a0%"  # no line ends between a number and its sign
NONE = "–"
LARGE = 1e10  # more than any count of iterations: an error, of which three digits say how far it went


def percent(share: float, digits: int = 1) -> str:
    """Write a share as percent; 0 and 100 only where it is exactly that, and a rare one with two digits that count."""
    if share is None or math.isnan(share):
        return NONE
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f}{PER_CENT}"
    rounds_to_nothing = value < 10**-digits
    text = f"{value:.{digits + 1}g}" if rounds_to_nothing else f"{value:.{digits}f}"
    if float(text) == 100:
        text = f">{100 - 10**-digits:g}"
    return f"{text}{PER_CENT}"


def percent_interval(share: float, low: float, high: float) -> str:
    """Write a share with its interval, the unit once more at its end; without, where there is none."""
    if pd.isna(low):
        return percent(share)
    return f"{percent(share)} [{percent(low).removesuffix(PER_CENT)}, {percent(high).removesuffix(PER_CENT)}]"


def points(difference: float, low: float = np.nan, high: float = np.nan, unit: str = " points") -> str:
    """Write a difference of shares in percentage points, with its sign and its interval if there is one."""
    ends = "" if pd.isna(low) else f" [{signed(100 * low)}, {signed(100 * high)}]"
    return f"{signed(100 * difference)}{unit}{ends}"


def signed(value: float) -> str:
    """Write a number with its sign, and a true minus."""
    return f"{value:+.1f}".replace("-", "−") if round(value, 1) else "0.0"


def whole(count: int) -> str:
    """Write a count."""
    return f"{count:,}"


def about(count: float) -> str:
    """Write a count to two digits."""
    return f"{float(f'{count:.2g}'):,.0f}"


def short(value: float | None) -> str:
    """Write a number with three digits, or all that it has before the point where those can be counted."""
    if value is None or pd.isna(value):
        return NONE
    if math.isinf(value):
        return "∞"
    if abs(value) >= LARGE:
        return f"{value:.3g}".replace("e+", "e")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}".replace("e-0", "e-")


def duration(seconds: float) -> str:
    """Write seconds in the unit that suits them."""
    if pd.isna(seconds) or math.isinf(seconds):
        return "…"
    unit, size = next((named for named in SECONDS_UNITS if seconds >= named[1]), SECONDS_UNITS[-1])
    return f"{short(seconds / size)} {unit}"


def interval(value: float, low: float, high: float) -> str:
    """Write a number with its interval; without, where there is none."""
    if pd.isna(low) and pd.isna(high):
        return short(value)
    return f"{short(value)} [{short(low)}, {'…' if pd.isna(high) else short(high)}]"


def p_value(p: float) -> str:
    """Write a p value as a sentence does: p = 0.012, p < 0.001."""
    if pd.isna(p):
        return NONE
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def from_to(counts: "pd.Series[int]") -> str:
    """Return the only count, or the least and the greatest."""
    low, high = int(np.min(counts)), int(np.max(counts))
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def counted(begun: pd.DataFrame) -> str:
    """Return n, the trainings of a trial, and k, how many of all have solved it."""
    if begun.empty:
        return "n = 0"
    sizes = begun.groupby(c.TRIAL_ID, observed=True).size()
    per = "" if len(sizes) == 1 else " per trial"
    return f"n\u00a0=\u00a0{from_to(sizes)}{per}, k\u00a0=\u00a0{int(begun[c.SOLVED].sum()):,} of {len(begun):,} solved"


def what_solves(trials: Iterable[Mapping[str, Any]]) -> str:
    """Return what must hold at the end of trainings of these trials, of a prediction or of the loss, to solve it."""
    asked = {(one.get("success", "tolerance"), one.get("success_for", 1)) for one in trials} or {("tolerance", 1)}
    ends = {
        "tolerance": "every prediction ends within the tolerance of its target",
        "correct": "every prediction ends on its target's side",
        "loss": "loss ends at success_loss or below",
    }
    if len(asked) > 1:
        return "end meets what its trial asks for by success"
    ((success, row),) = asked
    return ends[str(success)] + (f", and did so {row:,} iterations in a row" if row > 1 else "")


def gate_words(gates: Iterable[object]) -> str:
    """Write gates, each once, as one speaks of them."""
    return " and ".join(dict.fromkeys(gate_word(str(gate)) for gate in gates))


def listed(words: Sequence[str]) -> str:
    """Write words one after the other, with "and" before the last."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def sentence(words: str) -> str:
    """Write words with the capital of a sentence's beginning."""
    return words[0].upper() + words[1:]


def headed(title: str, words: str) -> str:
    """Write words after what they are about: a title, a question, or nothing."""
    if not title:
        return words
    return f"{title} {sentence(words)}" if title.endswith("?") else f"{title}: {words}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


# ------------------------------------------------------------------ objectives of a search


def unit(name: str) -> str:
    """Return an objective's unit, as it follows a number."""
    return f" {OBJECTIVES[name].unit}".rstrip()


def axis_words(name: str) -> str:
    """Return an objective in words, with the name that its axis has if that is another."""
    words = OBJECTIVES[name].measures
    return words if name == words.replace(" ", "_") else f"{words} ({name})"


def value_words(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a value of an objective in its unit, with its interval if there is one."""
    return NONE if pd.isna(value) else f"{bare_value(name, value, low, high)}{unit(name)}"


def bare_value(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a value of an objective where its unit is known."""
    if name == SOLVED_RATE:
        return percent_interval(value, low, high)
    return duration(value) if name == TRAIN_SECONDS and np.isfinite(value) else interval(value, low, high)


def change_words(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a difference of two values with its sign, in points where they are shares, and with its interval if any."""
    if pd.isna(value):
        return NONE
    if name == SOLVED_RATE:
        return points(value, low, high)
    if name == TRAIN_SECONDS and np.isfinite(value):
        return f"{'+' if value > 0 else '−' if value < 0 else ''}{duration(abs(value))}"
    ends = "" if pd.isna(low) else f" [{_signed(low)}, {_signed(high)}]"
    return f"{_signed(value)}{ends}{unit(name)}"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{short(value)}".replace("-", "−")


def written(name: str, value: Any) -> str:
    """Return a value as the command line takes it; a gate of one's own is a file, in the folder where one is."""
    if name == "gate" and value not in gate_names():
        return f"{value}.csv"
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)

"""Scales of a search: where values of its parameters and objectives stand, however few, equal or endless they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bench.config.search_space import Choices, Dimension
from bench.metrics import columns as c
from bench.metrics.objectives import MAXIMIZE, OBJECTIVES
from bench.report.drawing import Floats, folded, log_axis, log_range, log_ticks, plain, plain_number, write
from bench.stats.holdout import FEASIBLE, NUMBER, PRUNED, STATE

Flags = NDArray[np.bool_]
ENDLESS = "∞"
DECADES = 100.0  # from the least to the greatest: beyond, an axis is logarithmic
PLASTIC = 1.324717957244746  # the real root of x³ = x + 1
MANY = 3000  # marks: with more, a page would be too large
MOST_LETTERS = 40  # of names side by side
NOWHERE = 0.5  # where all values are endless: the middle of an axis with no other tick


def as_floats(values: Iterable[Any]) -> Floats:
    """Return values as floats, NaN for those that are no numbers."""
    return np.asarray(pd.to_numeric(pd.Series(values), errors="coerce"), dtype=np.float64)


def finite_ends(values: Floats) -> tuple[float, float]:
    """Return the least and the greatest finite value; where there is none, both are the middle of an axis."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (NOWHERE, NOWHERE)


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials of a search with their values of an objective; a frame without rows may be without columns."""

    table: pd.DataFrame
    objective: str

    def column(self, name: str) -> "pd.Series[Any]":
        """Return a column, without values where there is none."""
        return self.table[name] if name in self.table else pd.Series(np.nan, index=self.table.index)

    @property
    def numbers(self) -> Floats:
        """Their numbers, in Optuna's order."""
        return as_floats(self.column(NUMBER))

    @property
    def ids(self) -> NDArray[np.object_]:
        """Their trials' ids, for who points at their marks."""
        return self.column(c.TRIAL_ID).to_numpy(dtype=object)

    @cached_property
    def results(self) -> Floats:
        """Their values of the objective; those that are missing are infinite, as those that never came are."""
        found = as_floats(self.column(self.objective))
        return np.where(np.isnan(found), np.inf, found)

    @property
    def drawn(self) -> Floats:
        """Values that can be drawn: those that are endless as the greatest, or the least, that is not."""
        return np.asarray(np.clip(self.results, *finite_ends(self.results)))

    @property
    def is_finite(self) -> Flags:
        """Which have a finite value."""
        return np.isfinite(self.results)

    @property
    def is_pruned(self) -> Flags:
        """Which were given up early."""
        return (self.column(STATE) == PRUNED).to_numpy(dtype=bool)

    @property
    def is_feasible(self) -> Flags:
        """Which break no limit."""
        return self.column(FEASIBLE).fillna(1).to_numpy(dtype=bool)

    @property
    def is_maximized(self) -> bool:
        """Whether more of the objective is better."""
        return OBJECTIVES[self.objective].direction == MAXIMIZE


# ------------------------------------------------------------------ axes of values


def value_axis(axes: Axes, which: str, values: Floats) -> tuple[float, float]:
    """Let an axis show all finite values; return its ends, of a logarithmic one as powers of ten."""
    finite = values[np.isfinite(values)]
    if is_log(finite):
        low, high = log_range(finite)
        log_axis(axes, which, low, high)
        return float(np.log10(low)), float(np.log10(high))
    low, high = _padded(finite) if finite.size else (0.0, 1.0)
    ticks = {tick: plain_number(tick) for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high}
    shown = ticks if finite.size else {NOWHERE: ENDLESS}
    getattr(axes, f"set_{which}lim")(low, high)
    getattr(axes, f"set_{which}ticks")(list(shown), list(shown.values()))
    return low, high


def is_log(values: Floats) -> bool:
    """Whether values are all above 0 and span more than two decades."""
    return bool(values.size and values.min() > 0 and values.max() / DECADES > values.min())


def _padded(finite: Floats) -> tuple[float, float]:
    low, high = float(finite.min()), float(finite.max())
    size = max(abs(low), abs(high))
    pad = 0.05 * (high - low) if high - low > 1e-9 * size else 0.1 * size or 0.5
    return low - pad, high + pad


def title_axis(axes: Axes, name: str) -> None:
    """Write what stands on the y axis above it, where it can be read without turning one's head."""
    write(axes, plain(name), (0, 1), (-2, 5), ha="left", va="bottom", fontsize=8)


# ------------------------------------------------------------------ axes of parameters


@dataclass(frozen=True)
class Scale:
    """An axis of length 1 from ``low`` to ``high``, or with ``names`` at even places."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    names: tuple[str, ...] = ()

    def places(self, values: "pd.Series[Any]") -> Floats:
        """Return where values stand, from 0 to 1; NaN for those that have no place."""
        if self.names:
            known = {_key(name): (k + 0.5) / len(self.names) for k, name in enumerate(self.names)}
            return np.array([known.get(_key(value), np.nan) for value in values], dtype=np.float64)
        found = as_floats(values)
        inside = np.where((found >= self.low) & (found <= self.high), found, np.nan)
        low, high, inside = (
            np.log10(some) if self.log else some for some in np.broadcast_arrays(self.low, self.high, inside)
        )
        return np.asarray((inside - low) / (high - low))

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """Return places, each with its name."""
        if self.names:
            return [((k + 0.5) / len(self.names), name) for k, name in enumerate(self.names)]
        linear = MaxNLocator(most, integer=self.whole)
        at = log_ticks(self.low, self.high, most) if self.log else np.asarray(linear.tick_values(self.low, self.high))
        placed = zip(self.places(pd.Series(at)), at, strict=True)
        return [(float(place), plain_number(value)) for place, value in placed if np.isfinite(place)]

    @property
    def is_turned(self) -> bool:
        """Whether names are too long to stand side by side."""
        return sum(len(name) + 2 for name in self.names) > MOST_LETTERS

    def show(self, axes: Axes, which: str) -> None:
        """Let an axis of length 1 show the scale; long names are turned, or stand in two lines, or are cut."""
        ticks = self.ticks()
        room = 0.0 if self.names else 0.04
        getattr(axes, f"set_{which}lim")(-room, 1 + room)
        getattr(axes, f"set_{which}ticks")([place for place, _ in ticks], [plain(folded(word)) for _, word in ticks])
        if which == "x" and self.is_turned:
            axes.tick_params(axis="x", labelrotation=25, labelsize=7)

    @classmethod
    def of_parameter(cls, dimension: Dimension, values: "pd.Series[Any]") -> Self:
        """Return the scale of a dimension of the space, long enough for all values."""
        over = dimension.over
        if isinstance(over, Choices):
            return cls(names=tuple(_written(name) for name in over.ends))
        found = as_floats(values)
        ends = [float(over.low), float(over.high), *found[np.isfinite(found) & ((found > 0) | (not over.log))]]
        low, high = min(ends), max(ends)
        return cls(low, high if high > low else low + 1, over.log, over.whole)

    @classmethod
    def of_values(cls, values: Floats) -> Self:
        """Return the scale of an objective's finite values, logarithmic where they span more than two decades."""
        finite = values[np.isfinite(values)]
        if not finite.size:
            return cls(names=(ENDLESS,))
        return cls(*log_range(finite), log=True) if is_log(finite) else cls(*_padded(finite))


def _written(value: Any) -> str:
    """Return a choice as a user writes it: true and false as in TOML."""
    return str(value).lower() if str(value) in ("True", "False") else str(value)


def _key(value: Any) -> str:
    """Return what two ways to write the same value have in common: 1 and 1.0, true and True."""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()  # as a number, it would be 1
    try:
        return str(float(value))
    except (TypeError, ValueError):
        return str(value).lower()


# ------------------------------------------------------------------ marks


def spread(count: int) -> Floats:
    """Return places [count, 2] between −0.5 and 0.5 that fill the square evenly, however many (Roberts 2018, R2)."""
    return np.asarray((np.arange(count)[:, None] / (PLASTIC, PLASTIC**2)) % 1 - 0.5)


def mark_style(count: int) -> dict[str, Any]:
    """Return how large marks are, the smaller the more there are, and whether they are so many as to be rastered."""
    return {"markersize": float(np.clip(3.4 * (150 / max(count, 1)) ** 0.3, 1.6, 3.4)), "rasterized": count > MANY}

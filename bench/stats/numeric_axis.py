"""Numeric axis of a grid: a parameter with so many numbers that it is a scale, and where along it a gate is solved."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.display_labels import name_words
from bench.stats.proportions import RATE

MANY = 6  # values from which on a number is no set of categories
MOST_ROWS, FEWEST = 25, 3  # of a list over numbers; of the values of one
ENOUGH = 0.95  # a solved rate that counts as learning
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """A range of neighbouring values of a number, both ends included, and how many of its values were trained."""

    low: float
    high: float
    count: int


def as_numbers(name: str, values: Sequence[Any]) -> list[float] | None:
    """Return the values of a parameter as numbers, hidden layers by the size of the only one; None if one is none."""
    if name == c.HIDDEN and any(isinstance(value, str) for value in values):
        return [float(str(value)) for value in values] if all(str(value).isdigit() for value in values) else None
    is_number = all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values)
    return [float(value) for value in values] if is_number else None


def numeric_axes(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the parameters with six numbers or more, those with the most first.

    There are some in a grid only: half at least of the combinations of all values are there, each once.
    """
    distinct = {name: set(values) for name, values in columns.items()}
    rows = len(next(iter(columns.values()), ()))
    if 2 * rows < math.prod(map(len, distinct.values())) or len(set(zip(*columns.values(), strict=True))) < rows:
        return []
    many = [name for name, values in distinct.items() if len(values) >= MANY and as_numbers(name, list(values))]
    return sorted(many, key=lambda name: -len(distinct[name]))


def thinned(
    table: Sequence[Mapping[Any, Any]],
    names: Sequence[str],
    most: int = MOST_ROWS,
    best: Mapping[Any, Any] | None = None,
) -> tuple[list[int], str]:
    """Return the places of the rows to list, and which they are in words if they are not all; ``names`` are varied.

    Of a grid over numbers with more than ``most`` rows there are the rows at some values of these, which lie evenly
    between the first and the last, three at least: as many as make about so many rows; and those of the ``best`` row.
    """
    rows, columns = len(table), {name: [row[name] for row in table] for name in names}
    values = {name: sorted(set(columns[name]), key=float) for name in numeric_axes(columns) if rows > most}
    if not values:
        return list(range(rows)), ""
    beside = rows / math.prod(map(len, values.values()))
    size = max(math.floor((most / beside) ** (1 / len(values)) + 1e-9), FEWEST)
    kept, words = {}, []
    for name, some in values.items():
        count = min(size, len(some))
        kept[name] = {some[round(place * (len(some) - 1) / (count - 1))] for place in range(count)}
        kept[name] |= {best[name]} if best else set()
        words.append(f"{len(kept[name]):,} of {len(some):,} values of {name_words(name)}")
    chosen = [place for place in range(rows) if all(columns[name][place] in kept[name] for name in kept)]
    return chosen, f"{' and '.join(words)}; all {rows:,} trials are"


def is_log_spaced(values: Sequence[float] | Floats) -> bool:
    """Whether positive numbers are spaced more evenly by their logarithms than by themselves.

    By the coefficient of variation of the steps, which no unit changes.
    """
    steps = [np.diff(np.unique(scale)) for scale in (values, np.log(values))] if min(values) > 0 else []
    if not steps or len(steps[0]) < 2:
        return False
    plain, log = (float(step.std() / step.mean()) for step in steps)
    return log < plain


def ranges_reaching(rates: pd.DataFrame, name: str, enough: float = ENOUGH) -> list[Reach]:
    """Return the ranges of a number, ascending, in which the observed solved rate of every trained value is ``enough``.

    The runs (level sets) of the sorted values at and above a threshold. They go by the point estimates, as a figure
    shows them: that the rate is as high in truth is not said, and the lower ends of simultaneous intervals tell of how
    many values it is. ``rates`` has a row per value; of a number in between nothing is known.
    """
    numbers = np.asarray(as_numbers(name, rates[name].tolist()) or [], dtype=np.float64)
    order = np.argsort(numbers, kind="stable")
    numbers, reached = numbers[order], rates[RATE].to_numpy(dtype=np.float64)[order] >= enough
    edges = np.flatnonzero(np.diff(np.concatenate([[False], reached, [False]]).astype(np.int8)))
    return [
        Reach(float(numbers[first]), float(numbers[end - 1]), int(end - first))
        for first, end in edges.reshape(-1, 2).tolist()
    ]

"""Pairs: the same seeds on two sides."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from bench.analysis.solved import CONFIDENCE


def paired_difference_interval(plus: ArrayLike, minus: ArrayLike, pairs: ArrayLike) -> tuple[Any, Any]:
    """Return the ends of the 95 % interval of ``(plus - minus) / pairs``, in [-1, 1]; missing where there are no pairs.

    The adjusted Wald interval for a difference of paired proportions (Bonett & Price 2012), which adds a pair to either
    side: ``plus`` are the pairs that speak for the first, ``minus`` those for the second, and the rest are tied.
    """
    plus, minus, pairs = (np.asarray(some, dtype=np.float64) for some in (plus, minus, pairs))
    for_first, for_second = (plus + 1) / (pairs + 2), (minus + 1) / (pairs + 2)
    difference = for_first - for_second
    width = norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt((for_first + for_second - difference**2) / (pairs + 2))
    ends = (np.clip(end, -1.0, 1.0) for end in (difference - width, difference + width))
    low, high = (np.where(pairs > 0, end, np.nan)[()] for end in ends)
    return low, high

"""Two trials over the same seeds: formulas for pairs of trainings, of which each succeeded or did not.

Shapes: R pairs of trials, each with as many pairs of trainings as they have seeds in common. Discordant pairs are those
of which one training only succeeded.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, norm

from bench.analysis.solved import CONFIDENCE

Floats = NDArray[np.float64]

POWER = 0.8


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


def mcnemar_p(only_one: ArrayLike, only_other: ArrayLike) -> Floats:
    """Return the two-sided p of McNemar's test (McNemar 1947), exact: binomial, given how many pairs are discordant."""
    one, other = np.asarray(only_one), np.asarray(only_other)
    return np.asarray(np.minimum(2 * binom.cdf(np.minimum(one, other), one + other, 0.5), 1.0), dtype=np.float64)


def holm(p: Floats) -> Floats:
    """Return p adjusted for as many tests as there are, by Holm's step-down procedure (Holm 1979)."""
    # statsmodels has it too, and collects garbage every time: half a second where many trainings are in memory
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def seeds_needed(pairs: ArrayLike, only_one: ArrayLike, only_other: ArrayLike) -> Floats:
    """Return how many seeds McNemar's test needs for 80 % power at 5 %, two-sided (Miettinen 1968; Connor 1987).

    With the discordant proportions that were seen; infinite where they do not differ.
    """
    size = np.asarray(pairs, dtype=np.float64)
    one, other = (np.asarray(only, dtype=np.float64) / size for only in (only_one, only_other))
    difference, discordant = np.abs(one - other), one + other
    spread = norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(discordant)
    spread = spread + norm.ppf(POWER) * np.sqrt(np.maximum(discordant - difference**2, 0.0))
    needed = np.divide(spread**2, difference**2, out=np.full(np.shape(spread), np.inf), where=difference > 0)
    return np.asarray(np.ceil(needed))

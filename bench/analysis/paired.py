"""Two trials over the same seeds: formulas for pairs of trainings, of which each succeeded or did not.

Shapes: R pairs of trials, each with as many pairs of trainings as they have seeds in common. Discordant pairs are those
of which one training only succeeded.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, norm
from statsmodels.stats.multitest import multipletests

Floats = NDArray[np.float64]

CONFIDENCE, POWER = 0.95, 0.8


def bonett_price_interval(pairs: ArrayLike, only_one: ArrayLike, only_other: ArrayLike) -> tuple[Floats, Floats]:
    """Return the adjusted Wald 95 % interval of a difference of paired proportions (Bonett & Price 2012, equation 2).

    One is added to each number of discordant pairs, two to that of all.
    """
    size = np.asarray(pairs, dtype=np.float64) + 2
    one, other = (np.asarray(only, dtype=np.float64) + 1 for only in (only_one, only_other))
    difference, discordant = (one - other) / size, (one + other) / size
    half = norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt((discordant - difference**2) / size)
    return np.maximum(difference - half, -1.0), np.minimum(difference + half, 1.0)


def mcnemar_p(only_one: ArrayLike, only_other: ArrayLike) -> Floats:
    """Return the two-sided p of McNemar's test (McNemar 1947), exact: binomial, given how many pairs are discordant."""
    one, other = np.asarray(only_one), np.asarray(only_other)
    return np.asarray(np.minimum(2 * binom.cdf(np.minimum(one, other), one + other, 0.5), 1.0), dtype=np.float64)


def holm(p: Floats) -> Floats:
    """Return p adjusted for as many tests as there are, by Holm's step-down procedure (Holm 1979)."""
    return np.asarray(multipletests(p, method="holm")[1], dtype=np.float64) if len(p) else p


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

"""Tests and intervals for paired binary outcomes: two trials over the same seeds, each of which solves or does not.

Shapes: R pairs of trials, each with as many pairs of trainings as they have seeds in common. Discordant pairs are those
of which one training only succeeded.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bench.stats.proportions import CONFIDENCE, TAIL, Z, effective_size, exact_interval

Floats = NDArray[np.float64]

POWER = 0.8
FEWEST_DISCORDANT = 5  # with fewer there is nothing to build on
MOST_EXACT = 10_000  # seeds: beyond, the formula is as good, but for a quarter too many where few speak for the other
BELOW = 10  # seeds: the exact power is a saw, of which a tooth may come before the formula's number
FAR = 7  # standard deviations of the number of discordant pairs: beyond is less than rounding


def paired_difference_interval(
    plus: ArrayLike, minus: ArrayLike, pairs: ArrayLike, tail: float = TAIL
) -> tuple[Any, Any]:
    """Return the ends of the 95 % interval of ``(plus - minus) / pairs``, in [-1, 1]; missing where there are no pairs.

    The adjusted Wald interval for a difference of paired proportions (Bonett & Price 2012), which adds a pair to either
    side: ``plus`` are the pairs that speak for the first, ``minus`` those for the second, and the rest are tied.
    """
    plus, minus, pairs = (np.asarray(some, dtype=np.float64) for some in (plus, minus, pairs))
    for_first, for_second = (plus + 1) / (pairs + 2), (minus + 1) / (pairs + 2)
    difference = for_first - for_second
    width = ndtri(tail) * np.sqrt((for_first + for_second - difference**2) / (pairs + 2))
    ends = (np.clip(end, -1.0, 1.0) for end in (difference - width, difference + width))
    low, high = (np.where(pairs > 0, end, np.nan)[()] for end in ends)
    return low, high


def pooled_difference(
    plus_S: Floats, minus_S: Floats, pairs_S: Floats, *, tail: float = TAIL
) -> tuple[float, float, float]:
    """Return a mean difference over pairs that are clustered by seed ``[S]``, and the ends of its 95 % interval.

    That of `paired_difference_interval`, for as many pairs as they are worth: see `effective_size`.
    """
    used_S = pairs_S > 0
    plus_S, minus_S, pairs_S = plus_S[used_S], minus_S[used_S], pairs_S[used_S]
    plus, minus, pairs = plus_S.sum(), minus_S.sum(), pairs_S.sum()
    variance = (plus + minus) / pairs - ((plus - minus) / pairs) ** 2
    worth = effective_size(plus_S - minus_S, pairs_S, variance, tail)
    low, high = paired_difference_interval(plus / pairs * worth, minus / pairs * worth, worth, tail)
    return float((plus - minus) / pairs), float(low), float(high)


def mean_difference(difference_S: Floats, tail: float = TAIL) -> tuple[float, float, float]:
    """Return a mean difference of shares ``[S]`` within pairs, each in [-1, 1], and the ends of its 95 % interval.

    Each end by itself errs in 2.5 %, where the interval of `paired_difference_interval` errs in up to 7 % on one side:
    what speaks for the first and what speaks for the second have exact intervals, which MOVER combines with their
    correlation (Zou & Donner 2008; Newcombe 1998, method 10).
    """
    pairs = len(difference_S)
    plus, minus = (float(np.clip(sign * difference_S, 0, None).sum()) for sign in (1, -1))
    first, second = plus / pairs, minus / pairs
    (low, high), (other_low, other_high) = (exact_interval(count, pairs, tail) for count in (plus, minus))
    product = (1 - first) * (1 - second)
    correlation = math.sqrt(first * second / product) if product > 0 else 0.0

    def reach(one: float, other: float) -> float:
        return math.sqrt(one**2 + other**2 + 2 * correlation * one * other)

    difference = first - second
    ends = difference - reach(first - low, other_high - second), difference + reach(high - first, second - other_low)
    return difference, max(ends[0], -1.0), min(ends[1], 1.0)


def probability_of_improvement(wins: ArrayLike, losses: ArrayLike, pairs: ArrayLike) -> tuple[Any, Any, Any]:
    """Return the probability that the first of a pair does better, ties counted half, and its 95 % interval's ends.

    Mann and Whitney's (1947), within pairs, as Agarwal et al. (2021) compare algorithms. The interval is half that of
    `paired_difference_interval`, around one half: ties make it narrower, not wider.
    """
    low, high = paired_difference_interval(wins, losses, pairs)
    return 0.5 + np.subtract(wins, losses) / pairs / 2, 0.5 + low / 2, 0.5 + high / 2


def mcnemar_p(only_first: ArrayLike, only_second: ArrayLike) -> Floats:
    """Return the two-sided p of McNemar's test (McNemar 1947), exact: binomial, given how many pairs are discordant."""
    from scipy.stats import binom  # a quarter of a second

    fewer, discordant = np.minimum(only_first, only_second), np.add(only_first, only_second)
    return np.asarray(np.minimum(2 * binom.cdf(fewer, discordant, 0.5), 1.0), dtype=np.float64)


def holm(p: Floats) -> Floats:
    """Return p adjusted for as many tests as there are, by Holm's step-down procedure (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


# ------------------------------------------------------------------ how many seeds


def seeds_needed(pairs: ArrayLike, only_first: ArrayLike, only_second: ArrayLike) -> Floats:
    """Return the fewest seeds with which McNemar's exact test, two-sided at 5 %, has 80 % power; of one comparison.

    The discordant proportions that were seen are taken as true. Infinite where they do not differ, else missing where
    fewer than 5 pairs are discordant. Beyond 10,000 seeds it is the number of the formula, corrected for continuity.
    """
    counts = np.broadcast_arrays(pairs, np.maximum(only_first, only_second), np.minimum(only_first, only_second))
    different_U3, which_R = np.unique(np.stack(counts, axis=-1).reshape(-1, 3), axis=0, return_inverse=True)
    needed_U = np.array([_needed(*some) for some in different_U3.tolist()], dtype=np.float64)
    return needed_U[which_R.reshape(counts[0].shape)]


def _needed(pairs: int, more: int, fewer: int) -> float:
    if more == fewer:
        return np.inf
    if more + fewer < FEWEST_DISCORDANT:
        return np.nan
    about, enough = _approximate(more / pairs, fewer / pairs)
    least = max(1, about - BELOW)
    return float(enough if enough > MOST_EXACT else _first_with_power(least, enough, more / pairs, fewer / pairs))


def _approximate(more: float, fewer: float) -> tuple[int, int]:
    """Return how many seeds McNemar's test needs in large samples, without and with a correction for continuity.

    Without, n = (z_α √ψ + z_β √(ψ - δ²))² / δ² (Miettinen 1968; Connor 1987), where ψ are the discordant pairs and δ
    is the difference. With, |b - c| is lowered by 1 (Edwards 1948), which solved for n is n/4 (1 + √(1 + 4 / nδ))².
    """
    difference, discordant = more - fewer, more + fewer
    spread = Z * math.sqrt(discordant)
    spread += ndtri(POWER) * math.sqrt(max(discordant - difference**2, 0.0))
    size = (spread / difference) ** 2
    return math.ceil(size), math.ceil(size / 4 * (1 + math.sqrt(1 + 4 / (size * difference))) ** 2)


def _first_with_power(least: int, enough: int, more: float, fewer: float) -> int:
    """Return the first number of pairs, from ``least`` to about ``enough``, that gives the exact test its power.

    Given d discordant pairs it rejects with a binomial probability, and d is binomial itself. Its chances with one
    pair more are those of d, if that is not discordant, and of d - 1, if it is.
    """
    from scipy.stats import binom  # a quarter of a second

    discordant = min(more + fewer, 1.0)  # rounding may leave it a hair above
    low, high = (size * discordant for size in (least, enough))
    discordant_D = np.arange(max(0, int(low - FAR * (1 + math.sqrt(low)))), _beyond(high))
    power_D, chance_D = _power_given(discordant_D, more / discordant), binom.pmf(discordant_D, least, discordant)
    size = least
    while size < 2 * enough and chance_D @ power_D < POWER:
        joined_D = discordant * chance_D[:-1]
        chance_D *= 1 - discordant
        chance_D[1:] += joined_D
        size += 1
    return size


def _power_given(discordant_D: NDArray[np.int64], share: float) -> Floats:
    """Return how probably McNemar's exact test rejects, given the discordant pairs and the share that speaks for one.

    It rejects with so few on either side that their tail is at most half of 5 %.
    """
    from scipy.stats import binom  # a quarter of a second

    few_D = _few()[discordant_D]
    power_D = binom.cdf(few_D, discordant_D, share) + binom.cdf(few_D, discordant_D, 1 - share)
    return np.asarray(power_D, dtype=np.float64)


@cache
def _few() -> Floats:
    """Return with how many on one side, at most, the exact test rejects, by the number of discordant pairs."""
    from scipy.stats import binom  # a quarter of a second

    discordant_D, level = np.arange(_beyond(MOST_EXACT)), (1 - CONFIDENCE) / 2
    few_D = np.asarray(binom.ppf(level, discordant_D, 0.5), dtype=np.float64)
    few_D -= binom.cdf(few_D, discordant_D, 0.5) > level
    return few_D


def _beyond(expected: float) -> int:
    """Return a number of discordant pairs that is never reached where so many are expected."""
    return int(expected + FAR * (1 + math.sqrt(expected))) + 1

"""Dimension of the border between basins, from pairs of starts, from the pixels of a map, and by box counting.

A map is a window of starts, or of settings, with a fate for each of its pixels. Scales of pairs are in units of the
window's side, those of a map in pixels. A border of dimension D is met at a scale ε with a probability that falls as
ε^α, and α = 2 - D (Grebogi, McDonald, Ott & Yorke 1983): α is 1 where a border is smooth.

Shapes: Y rows and X columns of pixels, N base points, K distances from the largest to the smallest, A tiles of a map,
R of them along each side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from bench.stats.proportions import HIGH, LOW, RATE, TAIL, exact_interval
from bench.stats.shared_luck import PAIRS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

DISTANCE, MIXED, USED, FITTED, SIDE, BOXES = "distance", "mixed", "used", "fitted", "side", "boxes"

PLANE = 2.0  # the dimension of a map, and what α is at most: then the border is points
# f(ε) bends where it comes near what two starts give that have nothing to do with each other. Up to half of that, the
# dimension of discs in random windows was too high by 0.020, as much as half its standard error with 4,000 bases; up to
# a quarter, by 0.005
SATURATED = 0.25
PIXELS_SATURATED = 0.5  # whose interval has room for the bend, as it is of how far points lie off the line
# bases that have another fate near them, by which the finest scales are judged: ± 0.14 where α is 1
FINE_BASES = 400
FINEST_BASES = 100  # by which it is told whether a border that is fractal there goes on being so
FEWEST_DISTANCES = 8  # of the finest scales: a border of dimension 1.97 has many mixed pairs at a single one
FEWEST_COARSE = 4  # distances of the coarse scales: over fewer, the waves of a fractal's f(ε) are taken for its slope
TILES = 8  # along each side of a map: fewer are too few degrees of freedom, and smaller ones depend on each other
COARSEST = 16  # boxes or distances of the coarsest scale that fit in a map's side: larger ones see its own shape
FEWEST_SIDES = 3  # through which a line says how straight it is
FEWEST_PIXELS = 2  # along a box: smaller ones pass over filaments between their few pixels
# Known fractal borders of trainings have 1.6 and more, and a folded one 1.24 where it is seen as a whole. A dimension
# is above 1 where its interval begins beyond the bias of curved borders, and 1 where it ends below the folded one's
ABOVE_ONE, NEAR_ONE = 1.05, 1.24


@dataclass(frozen=True)
class Dimension:
    """A border's dimension with its 95 % interval, and the largest and the smallest scale that it is of."""

    value: float
    low: float
    high: float
    coarsest: float
    finest: float

    @property
    def is_above_one(self) -> bool:
        """Whether the border is more than a curve at these scales."""
        return self.low > ABOVE_ONE

    @property
    def is_one(self) -> bool:
        """Whether the border is a smooth curve at these scales, as far as can be told."""
        return self.low <= ABOVE_ONE and self.high < NEAR_ONE


# ------------------------------------------------------------------ pairs


@dataclass(frozen=True)
class UncertaintyDimension:
    """The dimension of a border by final-state sensitivity.

    ``table`` has a row for each distance, as `uncertainty` returns it, with whether it is ``used`` for ``whole``, and
    the ``fitted`` share there. ``fine`` is of the finest scales by which much can be said, ``coarse`` of those used
    above them, and ``finest`` of the finest by which anything can: None where there is not enough to tell.
    """

    table: pd.DataFrame
    whole: Dimension | None
    coarse: Dimension | None
    fine: Dimension | None
    finest: Dimension | None


def uncertainty(bases_N: ArrayLike, partners_KN: ArrayLike, distances_K: ArrayLike) -> pd.DataFrame:
    """Return the share of pairs whose fates differ, f(ε), with its exact interval: a row for each distance.

    It is the probability with which a move by that distance in a random direction meets another fate.
    """
    bases, partners, distances = _descending(bases_N, partners_KN, distances_K)
    mixed_K, pairs = (partners != bases).sum(axis=1), bases.size
    low, high = exact_interval(mixed_K, pairs)
    share = mixed_K / pairs if pairs else np.full(len(mixed_K), np.nan)
    return pd.DataFrame({DISTANCE: distances, PAIRS: pairs, MIXED: mixed_K, RATE: share, LOW: low, HIGH: high})


def uncertainty_dimension(bases_N: ArrayLike, partners_KN: ArrayLike, distances_K: ArrayLike) -> UncertaintyDimension:
    """Return the dimension of the border between the fates of base points and of their partners ``[K, N]``.

    By `power_law` over the distances below the last at which fates differ more than a quarter as often as those of
    independent starts, 1 - Σ p², and over the finer half of all distances in any case: of a border that fills nearly
    all of the window, that is what can be known. Distances at which no fates differ count: that they do not is what
    bounds the dimension there. Fine scales are as few as have 400 bases with mixed pairs, and 8 distances, and the
    finest as few as have 100.
    """
    bases, partners, distances = _descending(bases_N, partners_KN, distances_K)
    table = uncertainty(bases, partners, distances)
    mixed_KN = partners != bases
    first = np.flatnonzero(table[RATE].to_numpy() > SATURATED * _apart(bases)).max(initial=-1) + 1
    first = min(int(first), len(distances) // 2)
    fine, finest = (max(first, _finest_scales(mixed_KN, fewest)) for fewest in (FINE_BASES, FINEST_BASES))
    whole = power_law(mixed_KN[first:], distances[first:])
    used_K = np.arange(len(distances)) >= first
    fitted_K = np.full(len(distances), np.nan)
    if whole:
        weight_K = distances ** (PLANE - whole.value)
        fitted_K = mixed_KN[first:].sum() / weight_K[first:].sum() / bases.size * weight_K
    return UncertaintyDimension(
        table.assign(**{USED: used_K, FITTED: np.where(used_K, fitted_K, np.nan)}),
        whole,
        power_law(mixed_KN[first:fine], distances[first:fine]) if fine - first >= FEWEST_COARSE else None,
        power_law(mixed_KN[fine:], distances[fine:]),
        power_law(mixed_KN[finest:], distances[finest:]),
    )


def _apart(fates_N: Ints) -> float:
    """Return the probability that two of these, drawn independently, have different fates (Simpson 1949)."""
    _, size_F = np.unique(fates_N, return_counts=True)
    return float(1 - ((size_F / max(fates_N.size, 1)) ** 2).sum())


def _descending(bases_N: ArrayLike, partners_KN: ArrayLike, distances_K: ArrayLike) -> tuple[Ints, Ints, Floats]:
    bases, partners = (np.asarray(some, dtype=np.int64) for some in (bases_N, partners_KN))
    distances = np.asarray(distances_K, dtype=np.float64)
    if partners.shape != (distances.size, bases.size):
        raise ValueError(f"partners have shape {partners.shape}; {(distances.size, bases.size)} is needed")
    order = np.argsort(-distances, kind="stable")
    return bases, partners[order], distances[order]


def _finest_scales(mixed_KN: Flags, fewest: int) -> int:
    """Return where the finest scales begin that have so many bases with another fate near them; or 0."""
    bases_K = np.logical_or.accumulate(mixed_KN[::-1], axis=0)[::-1].sum(axis=1)
    last = int(np.flatnonzero(bases_K >= fewest).max(initial=0))
    return max(min(last, len(bases_K) - FEWEST_DISTANCES), 0)


def power_law(mixed_KN: Flags, distances_K: Floats) -> Dimension | None:
    """Return the dimension 2 - α for which the share of mixed pairs is c ε^α; None of fewer than two bases with any.

    Maximum likelihood of the counts as Poisson's, c profiled out: the mean log distance of mixed pairs is what it
    should be, Σ ε^α log ε / Σ ε^α. The interval inverts that score (Rao 1948): α is in it where the score is within
    Student's t of its standard error *under α*. Bases are shared by all distances, so that the error is over bases:
    that a pair is mixed at both of two distances has the probability of the smaller times q, estimated as one number
    for all of them. The observed squares (the sandwich, and the bootstrap of bases) take its place where they are
    larger. By themselves they miss what is rare, a base that is so near the border that most of its partners are beyond
    it, and cover 88 to 96 %.
    """
    from scipy.optimize import brentq  # a fifth of a second

    bases = int(mixed_KN.any(axis=0).sum())
    if bases < 2 or len(distances_K) < 2:
        return None
    log_K, mixed_K = np.log(distances_K), mixed_KN.sum(axis=1)
    both_KK = mixed_KN.astype(np.float64) @ mixed_KN.T.astype(np.float64)
    again = np.triu(both_KK, 1).sum() / max(float(mixed_K @ np.arange(len(mixed_K))), 1.0)
    finer_KK = np.maximum.outer(np.arange(len(log_K)), np.arange(len(log_K)))
    chance_KK = np.where(np.eye(len(log_K), dtype=bool), 1.0, again)
    total, quantile = float(mixed_K.sum()), float(stdtrit(bases - 1, TAIL))

    def score(alpha: float, deviate: float) -> float:
        weight_K = np.exp(alpha * (log_K - log_K[0]))
        share_K = weight_K / weight_K.sum()
        apart_K = log_K - share_K @ log_K
        expected = total * apart_K @ (chance_KK * share_K[finer_KK]) @ apart_K
        variance = max(expected, apart_K @ both_KK @ apart_K, 0.0)
        return float(mixed_K @ apart_K - deviate * np.sqrt(variance))

    def dimension(deviate: float) -> float:
        if score(0.0, deviate) <= 0:
            return PLANE
        return 0.0 if score(PLANE, deviate) >= 0 else PLANE - float(brentq(score, 0.0, PLANE, args=(deviate,)))

    ends = float(distances_K[0]), float(distances_K[-1])
    return Dimension(dimension(0.0), dimension(-quantile), dimension(quantile), *ends)


# ------------------------------------------------------------------ pixels


def pixel_dimension(fates_YX: ArrayLike) -> Dimension | None:
    """Return the dimension of a map's border from pairs of its pixels, 1, 2, 3, 4, 6, … apart.

    The slope of the log share of pairs along rows and columns whose fates differ, as with trained pairs and up to where
    it saturates: a pixel is a point, and nothing between two of them is asked, so that it is free of the bias of
    `box_counts`. Its standard error has two parts, each with its Student's t: how much the share differs over the map,
    from tile to tile, from row to row or from column to column of 8 by 8 of them, whichever is most, since a border may
    be all stripes; and how far the points lie off the line, since a fractal's do in waves. None where there is no
    border, or no line through three points.
    """
    fates = np.asarray(fates_YX, dtype=np.int64)
    sides = _sides(fates.shape)
    sums = [_by_tile(fates, side) for side in sides]
    bend = PIXELS_SATURATED * _apart(fates)
    seen = [place for place, (mixed_A, _) in enumerate(sums) if mixed_A.sum()]  # of a chessboard, no even distance
    seen = [
        place for place in seen if place in seen[:FEWEST_SIDES] or sums[place][0].sum() <= bend * sums[place][1].sum()
    ]
    if len(seen) < FEWEST_SIDES:
        return None
    mixed_KA, pairs_KA = (np.stack([sums[place][part] for place in seen]) for part in (0, 1))
    mixed_K, pairs_K = mixed_KA.sum(axis=1), pairs_KA.sum(axis=1)
    log_K = np.log([sides[place] for place in seen])
    line_K, off_K = _line(log_K, np.log(mixed_K / pairs_K))
    alpha = float(line_K @ np.log(mixed_K / pairs_K))
    part_A = line_K @ ((mixed_KA - (mixed_K / pairs_K)[:, None] * pairs_KA) / mixed_K[:, None])
    tiles_RR = part_A.reshape(TILES, TILES)
    among_tiles = max(_spread(some) for some in (part_A, tiles_RR.sum(axis=0), tiles_RR.sum(axis=1)))
    rest = len(seen) - 2
    off_line = stdtrit(rest, TAIL) * np.sqrt((off_K**2).sum() / rest * (line_K**2).sum())
    half = float(np.hypot(among_tiles, off_line))
    value, low, high = (float(np.clip(PLANE - end, 0, PLANE)) for end in (alpha, alpha + half, alpha - half))
    return Dimension(value, low, high, float(sides[seen[-1]]), float(sides[seen[0]]))


def _spread(part_A: Floats) -> float:
    """Return half of the 95 % interval of a sum of independent parts, whose mean is 0."""
    return float(stdtrit(part_A.size - 1, TAIL) * np.sqrt((part_A**2).sum() * part_A.size / (part_A.size - 1)))


def _sides(shape: tuple[int, ...]) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12, … pixels up to a sixteenth of the shorter side, or to 4 if they fit."""
    most = min(max(min(shape) // COARSEST, 4), min(shape) - 1)
    return [side for side in range(1, most + 1) if side.bit_count() == 1 or f"{side:b}".rstrip("0") == "11"]


def _by_tile(fates_YX: NDArray[np.int_], side: int) -> tuple[Floats, Floats]:
    """Return by tile of the map how many pairs of pixels so far apart have different fates, and how many there are."""
    mixed_A, pairs_A = np.zeros(TILES**2), np.zeros(TILES**2)
    for differ in (fates_YX[:, side:] != fates_YX[:, :-side], fates_YX[side:] != fates_YX[:-side]):
        row_Y, column_X = (np.arange(size) * TILES // size for size in differ.shape)
        tile_YX = row_Y[:, None] * TILES + column_X
        mixed_A += np.bincount(tile_YX.ravel(), differ.ravel(), TILES**2)
        pairs_A += np.bincount(tile_YX.ravel(), minlength=TILES**2)
    return mixed_A, pairs_A


def _line(x_K: Floats, y_K: Floats) -> tuple[Floats, Floats]:
    """Return the weights whose product with y is the slope of the line of least squares, and how far y is off it."""
    apart_K = x_K - x_K.mean()
    weight_K = apart_K / (apart_K**2).sum()
    return weight_K, y_K - y_K.mean() - (weight_K @ y_K) * apart_K


@dataclass(frozen=True)
class BoxCounts:
    """The box count of a map's border: a row of ``table`` for each side of a box, and the dimension, or None.

    ``boxes`` is how many of that ``side`` in pixels it takes to cover the border, ``fitted`` the line through those
    that are ``used``. The dimension is an estimate, without an interval.
    """

    table: pd.DataFrame
    dimension: float | None


def box_counts(fates_YX: ArrayLike) -> BoxCounts:
    """Return how many boxes with more than one fate cover the map, by their side, and the box-counting dimension.

    A box of side s reaches over s + 1 pixels along each side, so that boxes touch. Their number is the mean over all
    grids of them, wherever these begin: the share of all places of a box where it holds more than one fate, times
    how many fit. The slope is taken over sides of 2 pixels and more where there are three, since smaller boxes miss
    what passes between their pixels. Larger ones do too: of maps of 512 × 512 pixels it is too low by 0.02 for discs,
    0.03 for Newton's method and 0.13 for a Cantor set. No interval would cover that; `pixel_dimension` has one.
    """
    fates = np.asarray(fates_YX)
    cells_YX = (
        (fates[:-1, :-1] != fates[1:, :-1]) | (fates[:-1, :-1] != fates[:-1, 1:]) | (fates[:-1, :-1] != fates[1:, 1:])
    )
    sides = np.array(_sides(fates.shape), dtype=np.int64)
    boxes_K = np.array([_mixed_share(cells_YX, side) * cells_YX.size / side**2 for side in sides.tolist()])
    used_K = sides >= FEWEST_PIXELS
    if used_K.sum() < FEWEST_SIDES:
        used_K = np.ones(len(sides), dtype=bool)
    fitted_K, dimension = np.full(len(sides), np.nan), None
    if cells_YX.any() and used_K.sum() >= FEWEST_SIDES:
        x_K, y_K = np.log(sides[used_K]), np.log(boxes_K[used_K])
        slope_K, off_K = _line(x_K, y_K)
        dimension = -float(slope_K @ y_K)
        fitted_K[used_K] = np.exp(y_K - off_K)
    return BoxCounts(pd.DataFrame({SIDE: sides, BOXES: boxes_K, USED: used_K, FITTED: fitted_K}), dimension)


def _mixed_share(cells_YX: Flags, side: int) -> float:
    """Return the share of the places of a square in which at least one cell is mixed."""
    total_YX = np.zeros((cells_YX.shape[0] + 1, cells_YX.shape[1] + 1), dtype=np.int64)
    total_YX[1:, 1:] = cells_YX.cumsum(axis=0).cumsum(axis=1)
    inside = total_YX[side:, side:] - total_YX[:-side, side:] - total_YX[side:, :-side] + total_YX[:-side, :-side]
    return float((inside > 0).mean())


# ------------------------------------------------------------------ verdict


class Border(StrEnum):
    """What a border is, as far as scales were looked at."""

    NONE = "no border"
    SMOOTH = "smooth"
    FOLDED = "folded"
    FRACTAL = "fractal"
    OPEN = "open"


def border(dimensions: Sequence[Dimension | None]) -> Border:
    """Return what a border is, from its dimensions at coarser scales and then at finer ones; `OPEN` where unknown.

    `FRACTAL`: above 1 at the finest. `FOLDED`: 1 at the finest, and above 1 at some before. `SMOOTH`: 1 at the finest,
    and at the coarsest. From the scales of a single picture nobody can tell folded from fractal. Dimensions may be
    those of pairs, or of maps that zoom in.
    """
    known = [one for one in dimensions if one is not None]
    if not known:
        return Border.OPEN
    *before, finest = known
    if finest.is_above_one:
        return Border.FRACTAL if before else Border.OPEN
    if not finest.is_one:
        return Border.OPEN
    if any(one.is_above_one for one in before):
        return Border.FOLDED
    return Border.SMOOTH if known[0].is_one else Border.OPEN

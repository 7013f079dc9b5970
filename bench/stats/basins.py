"""Basins of a map: the share of each fate, how mixed they are, and what the border between them is.

A map is a window of starts, or of settings, with a fate for each pixel: an integer for what a training comes to.
Besides, base points drawn uniformly in the window were trained, each with partners at several distances.

Shapes: Y rows and X columns of pixels, N base points, K distances, F fates, B boxes of P pixels, M mixed ones.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import entr

from bench.stats.attractors import SHARE
from bench.stats.boundary_dimension import (
    Border,
    BoxCounts,
    Dimension,
    UncertaintyDimension,
    border,
    box_counts,
    pixel_dimension,
    uncertainty_dimension,
)
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, Z, exact_interval, tail_at_once

FATE = "fate"
BOX = 5  # pixels along a box of the entropy, as in the paper that it is from


# ------------------------------------------------------------------ shares and entropy


def basin_shares(fates_YX: ArrayLike, bases_N: ArrayLike) -> pd.DataFrame:
    """Return a row for each fate: its basin's share of the picture, and its basin stability with an interval.

    ``share`` is that of the pixels, as the picture shows it. Basin stability (Menck, Heitzig, Marwan & Kurths 2013) is
    the ``rate`` of a fate among base points, which are drawn uniformly and independently as pixels are not: so its
    interval is exact, and holds for all fates at once.
    """
    fates, bases = (np.asarray(some, dtype=np.int64).ravel() for some in (fates_YX, bases_N))
    names_F = np.union1d(fates, bases)
    pixels_F, count_F = ((some == names_F[:, None]).sum(axis=1) for some in (fates, bases))
    low, high = exact_interval(count_F, bases.size, tail_at_once(len(names_F)))
    rate = count_F / bases.size if bases.size else np.full(len(names_F), np.nan)
    share = pixels_F / fates.size if fates.size else np.full(len(names_F), np.nan)
    return pd.DataFrame({FATE: names_F, SHARE: share, COUNT: count_F, RATE: rate, LOW: low, HIGH: high})


@dataclass(frozen=True)
class BasinEntropy:
    """Basin entropy of a map, in nats: a mean over boxes, and over the ``mixed_boxes`` that have more than one fate.

    A picture is all of its window, so that these are estimates without an interval: what is uncertain is how they
    would be with smaller pixels. ``standard_error`` is that of ``boundary_entropy`` over mixed boxes, as if they were
    independent. None where there is no box of that kind, or only one.
    """

    entropy: float | None
    boundary_entropy: float | None
    standard_error: float | None
    boxes: int
    mixed_boxes: int

    @property
    def is_beyond_log_2(self) -> bool:
        """Whether the boundary entropy is beyond log 2 by two standard errors, so that the border must be fractal.

        Along a smooth border nearly all mixed boxes have two fates, and log 2 at most. The opposite does not follow: a
        fractal border between two fates never is beyond it.
        """
        if self.boundary_entropy is None or self.standard_error is None:
            return False
        return bool(self.boundary_entropy - Z * self.standard_error > np.log(2))


def basin_entropy(fates_YX: ArrayLike, side: int = BOX) -> BasinEntropy:
    """Return S_b and S_bb (Daza, Wagemakers, Georgeot, Guéry-Odelin & Sanjuán 2016): mean of -Σ p log p over boxes.

    ``side`` is that of a box in pixels; what is left over at the map's end is in none.
    """
    fates = np.asarray(fates_YX)
    rows, columns = (size // side for size in fates.shape)
    whole_YX = fates[: rows * side, : columns * side]
    boxes_BP = whole_YX.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side**2)
    entropy_B = np.zeros(len(boxes_BP))
    for fate in np.unique(boxes_BP):
        entropy_B += entr((boxes_BP == fate).mean(axis=1))
    mixed_M = entropy_B[(boxes_BP != boxes_BP[:, :1]).any(axis=1)]
    return BasinEntropy(
        float(entropy_B.mean()) if entropy_B.size else None,
        float(mixed_M.mean()) if mixed_M.size else None,
        float(mixed_M.std(ddof=1) / np.sqrt(mixed_M.size)) if mixed_M.size > 1 else None,
        entropy_B.size,
        mixed_M.size,
    )


# ------------------------------------------------------------------ all of it


@dataclass(frozen=True)
class BasinFigures:
    """What is known of a map: shares of its basins, their entropy, the dimension of their border, and what it is."""

    shares: pd.DataFrame
    entropy: BasinEntropy
    boxes: BoxCounts
    pixels: Dimension | None
    pairs: UncertaintyDimension
    border: Border


def basin_figures(
    fates_YX: ArrayLike, bases_N: ArrayLike = (), partners_KN: ArrayLike = (), distances_K: ArrayLike = ()
) -> BasinFigures:
    """Return the figures of a map, from the fates of its pixels, of base points and of their partners ``[K, N]``.

    Distances are in units of the window's side, in any order: 0.01 among them gives the probability that a move by 1 %
    of it meets another fate. Without pairs, what the border is can only be told where it is smooth. Where it is fractal
    at fine scales, the finest decide whether it remains so.
    """
    distances = np.asarray(distances_K, dtype=np.float64)
    partners = np.asarray(partners_KN, dtype=np.int64).reshape(distances.size, np.size(bases_N))
    by_pairs = uncertainty_dimension(bases_N, partners, distances)
    by_pixels = pixel_dimension(fates_YX)
    seen = [np.ravel(some) for some in (fates_YX, bases_N, partners)]
    has_border = np.unique(np.concatenate(seen)).size > 1
    last = [by_pairs.finest] if by_pairs.fine and by_pairs.fine.is_above_one else []
    found = border([by_pixels, by_pairs.coarse, by_pairs.fine, *last]) if has_border else Border.NONE
    return BasinFigures(
        basin_shares(fates_YX, bases_N), basin_entropy(fates_YX), box_counts(fates_YX), by_pixels, by_pairs, found
    )

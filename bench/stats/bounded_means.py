"""Bounds for a share of trainings that are clustered by seed, whatever the trials have in common.

Shapes: D distinct seeds, by how many of their trainings succeeded and how many there are; Y places of an integral.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.proportions import TAIL, exact_interval

Floats = NDArray[np.float64]

PRECISION = 1e-10  # of a bound
NEAR = 1e-12  # how near a root may lie to where its function is not defined
STEP = 0.1  # of the trapezoidal rule along sinh, whose error is below 1e-9
PART = 30  # places that are summed at once, up to where nothing is left
PLACES_Y = np.arange(0.0, 12.0, STEP)
HEIGHT_Y, WEIGHT_Y = np.sinh(PLACES_Y), np.cosh(PLACES_Y) * STEP / np.pi
WEIGHT_Y[0] /= 2


def share_bounds(
    counts_S: ArrayLike, totals_S: ArrayLike, tail: float = TAIL, seeds: float | None = None
) -> tuple[float, float]:
    """Return a lower and an upper bound of a share, from what succeeded of each seed's trainings; 0 and 1 of nothing.

    Each errs in 2.5 % at most, or 1 - ``tail``. It is the mean of as many bounded values as there are seeds, one of
    which is added where it does the bound most harm, with weights that are drawn as the Bayesian bootstrap's (Gaffke
    2005; Learned-Miller & Thomas 2019). Where each seed trained once it is the exact bound of Clopper & Pearson (1934).
    ``seeds`` asks for the bounds of so many of the same kind.
    """
    counts_S, totals_S = (np.asarray(some, dtype=np.float64) for some in (counts_S, totals_S))
    used_S = totals_S > 0
    if not used_S.any():
        return 0.0, 1.0
    kinds_2D, number_D = np.unique(np.stack([counts_S[used_S], totals_S[used_S]]), axis=1, return_counts=True)
    number_D = number_D * ((seeds or used_S.sum()) / used_S.sum())
    counts_D, totals_D = kinds_2D
    if totals_D.max() <= 1:
        low, high = exact_interval(counts_D @ number_D, number_D.sum(), tail)
        return float(low), float(high)
    return 1 - _upper(totals_D - counts_D, totals_D, number_D, tail), _upper(counts_D, totals_D, number_D, tail)


def _upper(counts_D: Floats, totals_D: Floats, number_D: Floats, tail: float) -> float:
    """Return the quantile of Σ G c / Σ G m over seeds and one more, all of whose trainings succeed.

    G are their weights, exponentially distributed; those of equal seeds add up to a gamma distribution.
    """
    from scipy.optimize import brentq  # a fifth of a second

    if (counts_D == totals_D).all():
        return 1.0
    most, share = totals_D.max(), float(counts_D @ number_D / (totals_D @ number_D))
    counts, totals, shape = np.append(counts_D, most), np.append(totals_D, most), np.append(number_D, 1.0)
    found = brentq(lambda x: _chance_above(counts - x * totals, shape) - (1 - tail), share, 1 - NEAR, xtol=PRECISION)
    return float(found)


def _chance_above(scale_D: Floats, shape_D: Floats) -> float:
    """Return the probability that Σ a G > 0, of independent G with gamma distributions of these shapes.

    The inversion of its moment generating function Π (1 - a s)^-k (Bromwich), through the saddle point on the real
    axis, from where the integrand falls without oscillating.
    """
    from scipy.optimize import brentq

    most = scale_D.max()
    saddle = brentq(
        lambda s: (shape_D * scale_D / (1 - s * scale_D)).sum() - 1 / s, NEAR / most, (1 - NEAR) / most, rtol=0.01
    )
    width = 1 / np.sqrt((shape_D * (scale_D / (1 - saddle * scale_D)) ** 2).sum() + 1 / saddle**2)
    total = 0.0
    for start in range(0, len(PLACES_Y), PART):
        at_Y = saddle + 1j * width * HEIGHT_Y[start : start + PART]
        value_Y = np.exp(-np.log(1 - at_Y[:, None] * scale_D) @ shape_D) / at_Y * WEIGHT_Y[start : start + PART]
        total += float(value_Y.real.sum()) * width
        if abs(value_Y[-1]) * width < NEAR:
            break
    return total

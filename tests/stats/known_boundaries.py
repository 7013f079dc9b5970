"""Maps of which the dimension of the border is known."""

import numpy as np

from bench.model.maps import pair_points

DISTANCES = [*(2.0**-power for power in range(2, 30)), 0.01]
ROOTS = np.exp(2j * np.pi * np.arange(3) / 3)
RADIUS = 0.3
CANTOR = 1 + np.log(2) / np.log(3)
# of the Julia set of Newton's method for z³ = 1; see tests/calibration/test_boundaries.py, which computes it
NEWTON = 1.4445


def disc(places):
    """Return whether places ``[..., 2]`` lie in a disc in the middle of the unit square."""
    return (((places - 0.5) ** 2).sum(axis=-1) < RADIUS**2).astype(int)


def cantor(places, generations=34):
    """Return whether x lies in a gap of Cantor's set that is made in an odd generation: in all scales, side by side."""
    x, fate = places[..., 0].copy(), np.zeros(places.shape[:-1], dtype=int)
    inside = (x >= 0) & (x <= 1)
    for generation in range(1, generations + 1):
        digit = np.floor(3 * x)
        x = 3 * x - digit
        gap = inside & (digit == 1)
        fate[gap] = generation % 2
        inside &= ~gap
    return fate


def newton(places, steps=40):
    """Return which root of z³ = 1 Newton's method comes to from x + iy."""
    z = places[..., 0] + 1j * places[..., 1]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            z = (2 * z + 1 / (z * z)) / 3
    return np.abs(z[..., None] - ROOTS).argmin(axis=-1)


def picture(fate, size, corner=(0.0, 0.0), side=1.0):
    """Return the fates of the pixels of a window."""
    centre = (np.arange(size) + 0.5) / size
    return fate(np.array(corner) + side * np.stack(np.meshgrid(centre, centre), axis=-1))


def trained(fate, bases, seed, corner=(0.0, 0.0), side=1.0, distances=tuple(DISTANCES)):
    """Return the fates of base points and partners in a window, and their distances."""
    places = pair_points(np.random.default_rng(seed), bases, distances)
    return *(fate(np.array(corner) + side * some) for some in places), distances

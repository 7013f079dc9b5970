"""Zooms into a map: a smaller window of it, or a descent of windows, each so many times nearer, around one point."""

import re
from collections.abc import Sequence
from dataclasses import replace

from bench.config.map_config import NUMBER, check_map, in_float64_if_needed
from bench.errors import RequestError, collecting, raising_all
from bench.model.maps import Axis, Map
from bench.model.parameter_fields import number, whole

Window = tuple[float, float]
MOST_DEPTH = 40
RANGE = re.compile(rf"({NUMBER}):({NUMBER})")
POINT = re.compile(rf"({NUMBER}),({NUMBER})")


def read_window(name: str, text: str | None, axis: Axis) -> Window:
    """Return the window ``LOW:HIGH`` of an axis, its whole length where none is given."""
    if text is None:
        return axis.low, axis.high
    found = RANGE.fullmatch(text)
    if found is None:
        raise RequestError(f"{name} is {text!r}; allowed is LOW:HIGH, such as {axis.low:g}:{axis.high:g}")
    low, high = float(found[1]), float(found[2])
    if low >= high:
        raise RequestError(f"{name} is {text!r}; allowed is a low end below the high one")
    if axis.log and low <= 0:
        raise RequestError(f"{name} is {text!r} on a logarithmic axis; allowed are numbers above 0")
    return low, high


def read_point(text: str) -> tuple[float, float]:
    """Return the point ``X,Y``."""
    found = POINT.fullmatch(text.replace(" ", ""))
    if found is None:
        raise RequestError(f"at is {text!r}; allowed is X,Y, a point of the map")
    return float(found[1]), float(found[2])


def window(one: Map, x: str | None, y: str | None, size: int | None) -> Map:
    """Return a window of a map, of the same number of pixels or of ``size`` along its longer side."""
    with raising_all() as problems:
        along = []
        for name, text, axis in (("x", x, one.x), ("y", y, one.y)):
            with collecting(problems):
                low, high = read_window(name, text, axis)
                along.append(replace(axis, low=low, high=high))
    scale = 1.0 if size is None else size / max(one.width, one.height)
    width, height = (max(round(scale * side), 1) for side in (one.width, one.height))
    found = replace(one, x=along[0], y=along[1], width=width, height=height, magnified=1.0)
    check_map(found)
    return found


def descent(one: Map, at: tuple[float, float], depth: int, factor: float) -> Sequence[Map]:
    """Return a map and ``depth`` windows around a point of it, each ``factor`` times nearer than the one before.

    Raises RequestError for a point outside, and for windows whose pixels float64 cannot tell apart.
    """
    whole(0, MOST_DEPTH)("depth", depth)
    number(1, above=True)("factor", factor)
    for name, axis, value in (("x", one.x, at[0]), ("y", one.y, at[1])):
        if not axis.low <= value < axis.high:
            raise RequestError(f"at has {name} = {value!r}; allowed are numbers from {axis.low:g} to {axis.high:g}")
    found = [replace(one, magnified=1.0)]
    for level in range(1, depth + 1):
        x, y = (_near(axis, value, factor**level) for axis, value in zip((one.x, one.y), at, strict=True))
        try:
            found.append(in_float64_if_needed(replace(one, x=x, y=y, magnified=float(factor**level))))
        except RequestError:
            why = "below, pixels are nearer to each other than float64 can tell"
            raise RequestError(
                f"depth is {depth}; allowed is up to {level - 1} with factor {factor:g}: {why}"
            ) from None
    return found


def _near(axis: Axis, value: float, times: float) -> Axis:
    """Return so many times less of an axis, around one of its values, or as near to it as the axis goes."""
    half = 0.5 / times
    middle = min(max(axis.share(value), half), 1 - half)
    if axis.log:
        low, high = (axis.low * (axis.high / axis.low) ** share for share in (middle - half, middle + half))
        return replace(axis, low=float(low), high=float(high))
    reach = half * (axis.high - axis.low)
    centre = min(max(value, axis.low + reach), axis.high - reach)
    return replace(axis, low=centre - reach, high=centre + reach)

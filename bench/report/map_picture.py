"""Pictures of maps: a colour for every pixel, and what the page reads of each, as planes of bytes.

A pixel that solves its gate is bright, the later the darker; any other has the dark hue of its ending, the same on all
maps of a page. Bright and dark are told apart without seeing hues.

Shapes: H rows and W columns of pixels, M points of a map, F fates, L levels of the ramp.
"""

import base64
import io
import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from numpy.typing import NDArray
from PIL import Image
from seaborn.external import husl

from bench.model.maps import ELSEWHERE
from bench.model.outcome import NEVER, Result
from bench.stats.map_analysis import Fate, MapAnalysis

LEVELS = 64
SOON, LATE = 0.98, 0.5  # ends of the ramp on viridis, which is perceptually even (Smith & van der Walt 2015)
HUES = (0.03, 0.8, 0.71, 0.12, 0.93, 0.64, 0.0, 0.75)  # of endings on the husl wheel: none is near the ramp's green
DARK, VIVID = 0.33, 0.95  # what all have: husl keeps lightness even
FIXED: Mapping[Any, str] = {
    Result.SLOW: "#274b66",
    Result.DIVERGED: "#57204a",
    Result.FAILED: "#000000",
    Result.UNSUPPORTED: "#777777",
    None: "#d9d9d6",
}
OTHER = "#3d3d3d"  # elsewhere
NO_TIME = 2**16 - 1  # of what never solved it, in two bytes
MOST_PIXELS = 1024  # along a side in the page: beyond, every second is left out, or more
NO_LOSS = 255
RAMP = [to_hex(colour) for colour in mpl.colormaps["viridis"](np.linspace(SOON, LATE, LEVELS))]
LOSS_RAMP = [to_hex(colour) for colour in mpl.colormaps["magma"](np.linspace(0.95, 0.08, LEVELS))]  # from low to high


def ending_colours(maps: Sequence[MapAnalysis]) -> dict[str, str]:
    """Return a dark hue for each ending of some maps: the commonest of the first map first, so that zooms keep it."""
    names = list(dict.fromkeys(fate.ending for one in maps for fate in one.fates if fate.ending not in ("", ELSEWHERE)))
    lighter = [husl.husl_to_hex(360 * hue, 100 * VIVID, 100 * DARK + shift) for shift in (0, 12) for hue in HUES]
    return {**dict(zip(names, itertools.cycle(lighter))), ELSEWHERE: OTHER}


@dataclass(frozen=True, eq=False)
class MapPicture:
    """A map with the colours of its page."""

    analysis: MapAnalysis
    endings: Mapping[str, str]

    def colour(self, fate: Fate) -> str:
        """Return the colour of a fate; of what is solved that of the middle of the ramp."""
        if fate.ending:
            return self.endings[fate.ending]
        return RAMP[LEVELS // 3] if fate.result == Result.SOLVED else FIXED[fate.result]

    @property
    def step(self) -> int:
        """Of how many pixels along each side one is shown: 1, unless the map is too large for a page."""
        return -(-max(self.analysis.map.width, self.analysis.map.height) // MOST_PIXELS)

    def shown(self, values_M: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels that are shown of values of all points, the highest row first as pictures have it."""
        return np.asarray(self.analysis.pixels(values_M)[:: self.step, :: self.step][::-1])

    @cached_property
    def cuts(self) -> NDArray[np.int64]:
        """The iterations ``[L - 1]`` between the levels of the ramp, each of as many solved pixels as the next."""
        found = self.analysis
        solved = [place for place, fate in enumerate(found.fates) if fate.result == Result.SOLVED]
        solved_at_M = found.points.solved_at_M
        at = solved_at_M[(found.codes == solved[0]) & (solved_at_M != NEVER)] if solved else solved_at_M[:0]
        if not len(at):
            return np.zeros(0, np.int64)
        return np.asarray(np.quantile(at, np.arange(1, LEVELS) / LEVELS, method="nearest"), dtype=np.int64)

    def rgb(self) -> NDArray[np.uint8]:
        """Return the picture ``[H, W, 3]``."""
        found = self.analysis
        colours = np.array([to_rgb(self.colour(fate)) for fate in found.fates] or [to_rgb(OTHER)])
        picture = colours[self.shown(found.codes)]
        for place, fate in enumerate(found.fates):
            if fate.result == Result.SOLVED:
                level = np.searchsorted(self.cuts, self.shown(found.points.solved_at_M), side="left")
                ramp = np.array([to_rgb(colour) for colour in RAMP])
                picture = np.where((self.shown(found.codes) == place)[..., None], ramp[level], picture)
        return np.asarray(np.rint(255 * picture), dtype=np.uint8)

    def fates_and_times(self) -> tuple[str, int]:
        """Return planes of the fates and of the times' high and low bytes, and how many iterations their unit is."""
        found = self.analysis
        unit = -(-found.map.trial.iterations // (NO_TIME - 1))
        at = self.shown(found.points.solved_at_M)
        time = np.where(at == NEVER, NO_TIME, np.rint(at / unit).astype(np.int64))
        return planes(self.shown(found.codes), time >> 8, time & 255), unit

    def losses(self) -> tuple[str, float, float]:
        """Return a plane of the logarithm of the final loss in 255 steps, and what its ends are; 255 is none."""
        loss = self.shown(self.analysis.points.final_loss_M).astype(np.float64)
        finite = np.isfinite(loss) & (loss > 0)
        if not finite.any():
            return planes(np.full(loss.shape, NO_LOSS)), 0.0, 1.0
        log = np.log10(np.where(finite, loss, 1.0))
        low, high = (float(np.quantile(log[finite], end)) for end in (0.002, 0.998))  # a few go down to 10⁻³⁰
        high = max(high, low + 1e-9)
        level = np.rint(np.clip((log - low) / (high - low), 0, 1) * (NO_LOSS - 1))
        return planes(np.where(finite, level, NO_LOSS)), low, high

    def png(self) -> str:
        """Return the picture as the data URI of a PNG file with a palette, a third as large as one without."""
        rgb_HW3 = self.rgb()
        colours, code = np.unique(rgb_HW3.reshape(-1, 3), axis=0, return_inverse=True)
        picture = Image.fromarray(code.reshape(rgb_HW3.shape[:2]).astype(np.uint8), "P")
        picture.putpalette(colours.tobytes())
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", optimize=True)
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def planes(*values_HW: NDArray[Any]) -> str:
    """Return bytes, each less the one above it, plane after plane, deflated (RFC 1950) and in base64.

    The page reads them without a canvas, from which some browsers read noise.
    """
    less_HW = [np.diff(plane.astype(np.uint8), axis=0, prepend=np.uint8(0)) for plane in values_HW]
    return base64.b64encode(zlib.compress(np.stack(less_HW).tobytes(), 9)).decode()

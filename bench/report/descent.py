"""A descent into a map: all its windows side by side, what their borders are, and the way down as a moving picture."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from bench.model.maps import Map
from bench.report import drawing
from bench.report.charts import Chart, Content, Row, tabulate, text
from bench.report.drawing import panel
from bench.report.map_picture import MapPicture, ending_colours
from bench.report.map_words import SAID, border_words, dimension_words
from bench.report.number_format import NONE, plural, short
from bench.stats.basins import BasinFigures
from bench.stats.boundary_dimension import Dimension, border
from bench.stats.map_analysis import MapAnalysis
from bench.user_files import written_aside

SIDE = 512  # pixels of a frame
FRAMES = 24  # of each step down, in the colours of fates and in no others
FRAME_MS, LAST_MS = 50, 2000
ANIMATED: dict[str, dict[str, Any]] = {
    ".webp": {"format": "WEBP", "quality": 80, "method": 4},
    ".png": {"format": "PNG"},
}


def is_descent(maps: Sequence[MapAnalysis]) -> bool:
    """Whether these are windows of one map, each nearer than the one before."""
    return len(maps) > 1 and all(one.map.magnified > before.map.magnified for before, one in pairwise(maps))


def descent(pictures: Sequence[MapPicture]) -> Content:
    """Return all windows side by side, and a row for each with what its border is."""
    maps = [one.analysis for one in pictures]
    rows = pd.DataFrame([_row(one) for one in maps])
    return {
        "chart": Chart(
            name="descent",
            title=descent_words(maps)[0],
            subtitle=f"{plural(len(maps), 'window')}, each within the one before.",
            alt=f"{plural(len(maps), 'map')} side by side, each nearer than the one before.",
            note="By rule: above 1 at the last window by pairs, or 1 there and above 1 before, or 1 throughout.",
            panels=[panel(magnified_words(one.analysis), small(one)) for one in pictures],
            data=rows,
            small=True,
        ),
        "table": tabulate(
            "descent", "The border at every depth", rows, [text(str(name), str(name)) for name in rows], rows
        ),
    }


def descent_words(maps: Sequence[MapAnalysis]) -> tuple[str, str]:
    """Return what the border is all the way down, in a sentence, and the evidence for it."""
    found = [one.border_figures for one in maps]
    before = [dimension for some in found[:-1] for dimension in _agreed(some)]
    # of the last window its pairs decide: pixels see too much where a border is thinner than they are
    verdict = border([*before, found[-1].pairs.whole or found[-1].pixels])
    dimensions = ", ".join("–" if one.pixels is None else f"{one.pixels.value:.2f}" for one in found)
    last = f"× {maps[-1].map.magnified:,.0f}"
    evidence = f"Dimension by pixels from the first window to the last, {last}: {dimensions}; 95 % intervals below."
    return f"The border {border_words(maps[0])}is {SAID[verdict]}.", evidence


def _agreed(figures: BasinFigures) -> Iterator[Dimension]:
    """Yield the dimensions of a border by pixels and by pairs, unless their intervals have nothing in common."""
    known = [one for one in (figures.pixels, figures.pairs.whole) if one is not None]
    if known and max(one.low for one in known) <= min(one.high for one in known):
        yield from known


def magnified_words(one: MapAnalysis) -> str:
    """Return how much nearer a window is than the first."""
    return "all of it" if one.map.magnified == 1 else f"× {one.map.magnified:,.0f}"


def small(picture: MapPicture) -> Figure:
    """Draw a map as a small figure without axes."""
    figure, axes = drawing.blank(2.2, 2.2, left=0.02, right=0.02, top=0.02, bottom=0.02)
    axes.imshow(picture.rgb(), extent=(0, 1, 0, 1), aspect="auto", interpolation="none")
    axes.set_axis_off()
    return figure


def _row(one: MapAnalysis) -> Row:
    figures = one.border_figures
    return {
        "window": magnified_words(one),
        "wide": f"{short(one.map.x.high - one.map.x.low)} × {short(one.map.y.high - one.map.y.low)}",
        "by pixels": NONE if figures.pixels is None else dimension_words(figures.pixels),
        "by pairs": NONE if figures.pairs.whole is None else dimension_words(figures.pairs.whole),
        "box count": NONE if figures.boxes.dimension is None else f"{figures.boxes.dimension:.3f}",
        "border here": figures.border.value,
    }


# ------------------------------------------------------------------ the way down


def write_animation(maps: Sequence[MapAnalysis], path: Path) -> None:
    """Write the way down as a moving picture: WebP, or APNG where the name ends in .png."""
    colours = ending_colours(maps)
    frames = list(_frames([(one.map, Image.fromarray(MapPicture(one, colours).rgb())) for one in maps]))
    waits = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    with written_aside(path) as beside:
        frames[0].save(beside, save_all=True, append_images=frames[1:], duration=waits, loop=0, **ANIMATED[path.suffix])


def _frames(windows: Sequence[tuple[Map, Image.Image]]) -> Iterator[Image.Image]:
    """Yield the frames: each window grows until the next fills it, and that one is laid into its place."""
    width, height = windows[0][1].size
    scale = SIDE / max(width, height)
    size = round(width * scale), round(height * scale)
    for (one, picture), (later, nearer) in pairwise(windows):
        most = later.magnified / one.magnified
        corner = one.x.share(later.x.low), 1 - one.y.share(later.y.high)  # of the next: from the left, from the top
        for magnified in np.geomspace(1, most, FRAMES, endpoint=False).tolist():
            way = (1 - 1 / magnified) / (1 - 1 / most)  # there, of what the corner of the view moves
            (left, right, wide, x), (top, bottom, high, y) = (
                _side(own * way, own, magnified, most, pixels, length)
                for own, pixels, length in zip(corner, picture.size, size, strict=True)
            )
            frame = picture.resize(size, Image.Resampling.NEAREST, box=(left, top, right, bottom))
            frame.paste(nearer.resize((wide, high), Image.Resampling.NEAREST), (x, y))
            yield frame
    yield windows[-1][1].resize(size, Image.Resampling.NEAREST)


def _side(
    view: float, own: float, magnified: float, most: float, pixels: int, size: int
) -> tuple[float, float, int, int]:
    """Return of one side from where to where of the picture is seen, and how wide the next one is in it, and where."""
    low, high = max(view * pixels, 0.0), min((view + 1 / magnified) * pixels, float(pixels))
    return low, high, max(round(size * magnified / most), 1), round((own - view) * magnified * size)

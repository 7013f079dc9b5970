"""Maps on the page: the picture, what its basins share, how thin the borders are, and what opens a pixel of it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.display_labels import gate_word
from bench.model.maps import DIRECTION, PARAMETER, TOWARD, WEIGHT, Axis, Map, direction
from bench.model.network import weight_names
from bench.model.outcome import Result
from bench.model.trial import Trial
from bench.report import drawing
from bench.report.charts import (
    Cell,
    Chart,
    Column,
    Content,
    Finding,
    numbers,
    row_percent,
    tabulate,
    text,
    write_picture,
)
from bench.report.colours import EFFECT, INK
from bench.report.descent import descent, descent_words, is_descent
from bench.report.drawing import Panel, panel
from bench.report.map_picture import LOSS_RAMP, RAMP, MapPicture, ending_colours
from bench.report.map_words import again, axis_words, dimension_words, how_to_read, map_title, sentences
from bench.report.number_format import NONE, percent, plural, short
from bench.report.sweep_data import SweepData
from bench.stats.attractors import SHARE
from bench.stats.basins import FATE
from bench.stats.boundary_dimension import BOXES, DISTANCE, FITTED, SIDE, USED, Border, Dimension
from bench.stats.map_analysis import MapAnalysis
from bench.stats.proportions import COUNT, HIGH, LOW, RATE

LONGEST_SIDE = 4.3  # inches
LEFT, RIGHT, TOP, BOTTOM = 0.62, 0.13, 0.1, 0.45  # likewise
POINTS = 72  # in an inch, as SVG has them
RASTER = re.compile(r"<image .*?/>", re.DOTALL)


def maps(data: SweepData) -> list[Content]:
    """Return the content of each map."""
    colours = ending_colours(data.maps)
    pictures = [MapPicture(one, colours) for one in data.maps]
    found = [
        _content(one, picture, data, number)
        for number, (one, picture) in enumerate(zip(data.maps, pictures, strict=True), 1)
    ]
    if found and is_descent(data.maps):
        found[0]["descent"] = descent(pictures)
    return found


def _content(one: MapAnalysis, picture: MapPicture, data: SweepData, number: int) -> Content:
    return {
        "heading": "",
        "descent": None,
        "title": map_title(one.map),
        "id": f"map-{number}",
        "summary": " ".join(said for said, _ in sentences(one)) if len(data.maps) > 1 else "",
        "picture": _picture(one, picture, number),
        "data": _data(one, picture, data, number),
        "charts": [chart for chart in (_by_distance(one, number), _by_boxes(one, number)) if chart and one.has_border],
        "shares": _shares(one, picture, number),
        "figures": _figures(one, number) if one.has_border else None,
        "how": how_to_read(one.map),
        "weights": weight_names(one.map.trial.network),
        "command": again(one.map),
    }


def map_answer(data: SweepData) -> str:
    """Return what the first map says, in a sentence; of several that are no descent, how far they are apart."""
    one = data.maps[0]
    gate = gate_word(one.map.trial.gate.name)
    if not all(some.is_whole for some in data.maps):
        done = sum(int((some.points.outcome_M >= 0).sum()) for some in data.maps)
        return f"{done:,} of the {data.plan.points:,} trainings of {plural(len(data.maps), 'map')} are done."
    if len(data.maps) > 1 and not is_descent(data.maps):
        solved = [some.solved for some in data.maps]
        return (
            f"On {len(data.maps)} maps, {percent(min(solved))} to {percent(max(solved))} of the trainings learn {gate}."
        )
    where = "window" if PARAMETER in (one.map.x.kind, one.map.y.kind) else "plane of starts"
    said = f"{percent(one.solved)} of this {where} learns {gate}"
    kinds = {Border.SMOOTH: "smooth", Border.FOLDED: "folded", Border.FRACTAL: "fractal"}
    border = kinds.get(one.border_figures.border)
    return f"{said}, and its border is {border}." if border and one.solved and one.has_border else f"{said}."


def map_findings(data: SweepData) -> list[Finding]:
    """Return what maps have to say on the first screen; of a descent, what is said of its first map and of the way."""
    if is_descent(data.maps):
        first = [Finding(said, evidence, "map-1") for said, evidence in sentences(data.maps[0])][:1]
        return [*first, Finding(*descent_words(data.maps), "descent")]
    several = len(data.maps) > 1
    return [
        Finding(f"{map_title(one.map)}: {said[0].lower()}{said[1:]}" if several else said, evidence, f"map-{number}")
        for number, one in enumerate(data.maps, 1)
        for said, evidence in sentences(one)
    ]


# ------------------------------------------------------------------ the picture


def _picture(one: MapAnalysis, picture: MapPicture, number: int) -> Chart:
    found = one.map
    solved = next((fate for fate in one.fates if fate.result == Result.SOLVED), None)
    return Chart(
        name=f"map-picture-{number}",
        title=map_title(found),
        subtitle=f"{found.width:,} × {found.height:,} trainings, a pixel each"
        + (f"; shown: every {picture.step}th along each side" if picture.step > 1 else "")
        + (". Bright: solved, the later the darker; dark: by where it ends." if solved else "."),
        alt=f"Map of {found.pixels:,} trainings, of which {percent(one.solved)} are solved.",
        panels=[_with_raster(panel("", draw_map(one, picture)), picture)],
        data=one.shares[[FATE, SHARE, RATE, LOW, HIGH]],
    )


def write_map_picture(one: MapAnalysis, path: Path, source: str) -> Path:
    """Write a map as one PNG file that needs no page, with its title; ``source`` says where it is from."""
    with drawing.style():
        write_picture(_picture(one, MapPicture(one, ending_colours([one])), 0), path, source)
    return path


def draw_map(one: MapAnalysis, picture: MapPicture) -> Figure:
    """Draw a map with its axes, and the starts of seeds that lie in its plane."""
    found = one.map
    wide, high = _sides(found)
    size = (wide + LEFT + RIGHT, high + TOP + BOTTOM)
    figure, axes = drawing.blank(*size, left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM)
    axes.imshow(picture.rgb(), extent=(0, 1, 0, 1), aspect="auto", interpolation="none")
    axes.grid(visible=False)
    for which, axis in (("x", found.x), ("y", found.y)):
        _ticks(axes, which, axis)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=axis_words(found.x), ylabel=axis_words(found.y))
    for name, x, y in seeds_in(found):
        fate = fate_at(one, x, y)
        place = (found.x.share(x) + 0.5 / found.width, found.y.share(y) + 0.5 / found.height)  # the middle of a pixel
        axes.plot(*place, "o", mfc="white", mec="#111111", mew=1.1, markersize=5.5)
        side = "right" if place[0] > 0.7 else "left"
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.78, "pad": 1.2}
        said = f"{name}: {fate}" if fate else name
        drawing.write(axes, said, place, (-7 if side == "right" else 7, 5), ha=side, color="#111111", fontsize=6.8,
                      fontweight="bold", bbox=box)  # fmt: skip
    return figure


def _sides(one: Map) -> tuple[float, float]:
    """Return the inches that a map is wide and high."""
    largest = max(one.width, one.height)
    return LONGEST_SIDE * one.width / largest, LONGEST_SIDE * one.height / largest


def _frame(one: Map) -> list[float]:
    """Return where in its drawing the pixels are, as shares of it: from the left, from the top, wide and high."""
    wide, high = _sides(one)
    width, height = wide + LEFT + RIGHT, high + TOP + BOTTOM
    return [LEFT / width, TOP / height, wide / width, high / height]


def _with_raster(drawn: Panel, picture: MapPicture) -> Panel:
    """Return a drawing with the map's own pixels, in as many colours as they have, exactly between its axes."""
    wide, high = (POINTS * side for side in _sides(picture.analysis.map))
    place = f'x="{POINTS * LEFT:g}" y="{POINTS * TOP:g}" width="{wide:g}" height="{high:g}"'
    image = f'<image {place} preserveAspectRatio="none" style="image-rendering:pixelated" href="{picture.png()}"/>'
    return replace(drawn, svg=RASTER.sub(image, drawn.svg, count=1))


def seeds_in(one: Map) -> Iterator[tuple[str, float, float]]:
    """Yield the seeds whose starts lie in the window, with their coordinates."""
    if TOWARD not in (one.x.kind, one.y.kind) or PARAMETER in (one.x.kind, one.y.kind):
        return
    origin = {axis: _at_origin(one, axis) for axis in (one.x, one.y)}
    places = [("the start" if one.start is not None else f"seed {one.seed}", origin[one.x], origin[one.y])]
    if one.x.kind == TOWARD and one.y.kind != WEIGHT:
        places.append((f"seed {one.x.of}", 1.0, origin[one.y]))
    if one.y.kind == TOWARD and one.x.kind != WEIGHT:
        places.append((f"seed {one.y.of}", origin[one.x], 1.0))
    for name, x, y in places:
        if one.x.low <= x < one.x.high and one.y.low <= y < one.y.high:
            yield name, x, y


def fate_at(one: MapAnalysis, x: float, y: float) -> str:
    """Return the fate of the pixel at these very coordinates; nothing where they are between pixels."""
    place = one.map.place(x, y)
    (across,), (up,) = one.map.coordinates([place])
    return one.fates[int(one.codes[place])].words if (across, up) == (x, y) else ""


def _at_origin(one: Map, axis: Axis) -> float:
    if axis.kind != WEIGHT:
        return 0.0
    return float(one.origin(one.trial)[weight_names(one.trial.network).index(str(axis.of))])


def _ticks(axes: Axes, which: str, axis: Axis) -> None:
    if axis.log:
        ticks = drawing.log_ticks(axis.low, axis.high, 5)
    else:
        from matplotlib.ticker import MaxNLocator

        steps = MaxNLocator(6, integer=axis.is_whole, steps=[1, 2, 5, 10])
        found = np.asarray(steps.tick_values(axis.low, axis.high))
        ticks = found[(found >= axis.low - 1e-12) & (found <= axis.high * (1 + 1e-12))]
    span = axis.high - axis.low
    words = [drawing.plain_number(t) if axis.log else f"{round(t, 12):.12g}".replace("-", "−") for t in ticks]
    if not axis.log and len(ticks) and span < 1e-4 * max(abs(axis.low), abs(axis.high)):
        words = [f"{t - axis.low:+.2g}" for t in ticks]  # far into a zoom: from the low end
    getattr(axes, f"set_{which}ticks")([axis.share(t) for t in ticks], words)


def _data(one: MapAnalysis, picture: MapPicture, data: SweepData, number: int) -> dict[str, Any]:
    """Return what the page needs to name a pixel, to colour it, and to train it again from its very start."""
    found = one.map
    (times, unit), (losses, low, high) = picture.fates_and_times(), picture.losses()
    step = picture.step
    shares = one.shares.set_index(FATE)[SHARE]
    return {
        "title": map_title(found),
        "columns": -(-found.width // step),
        "rows": -(-found.height // step),
        "width": found.width,
        "height": found.height,
        "step": step,
        "frame": _frame(found),
        "x": _axis_data(found, found.x, np.arange(0, found.width, step) / found.width),
        "y": _axis_data(found, found.y, np.arange(0, found.height, step) / found.height),
        "fates": [
            {
                "name": fate.words,
                "result": fate.result and str(fate.result),
                "colour": picture.colour(fate),
                "share": float(shares.get(fate.words, 0)),
            }
            for fate in one.fates
        ],
        "ramp": RAMP,
        "cuts": picture.cuts.tolist(),
        "times": times,
        "unit": unit,
        "losses": losses,
        "loss": [low, high],
        "lossRamp": LOSS_RAMP,
        "parameters": {name: value for name, value in found.trial.content.items() if name != c.GATE},
        "gate": {"inputs": found.trial.gate.inputs.tolist(), "targets": found.trial.gate.targets.tolist()},
        "seed": found.seed,
        "start": None if found.start is None else list(found.start),
        "zoom": f"python -m bench zoom {data.sweep[:8]} --map {number}",
    }


def _axis_data(one: Map, axis: Axis, share_S: NDArray[np.float64]) -> dict[str, Any]:
    own: dict[str, Any] = {
        "kind": axis.kind,
        "of": axis.of,
        "words": axis_words(axis),
        "low": axis.low,
        "high": axis.high,
        "log": axis.log,
        "whole": axis.is_whole,
    }
    if axis.log:
        own["values"] = axis.values(share_S).tolist()  # no two libraries have the same last digit of a power
    if axis.kind == DIRECTION:
        networks = {trial.network for trial in _trials(one)}
        own["directions"] = {net.parameters: direction(net, int(axis.of)).tolist() for net in networks}
    return own


def _trials(one: Map) -> Iterator[Trial]:
    """Yield a trial of each network that a map has."""
    hidden = next((axis for axis in (one.x, one.y) if axis.of == "hidden"), None)
    if hidden is None:
        yield one.trial
        return
    low, high = hidden.ends
    for size in range(int(low), int(high) + 1):
        yield replace(one.trial, hidden=(size,) if size else ())


# ------------------------------------------------------------------ figures of its basins and borders


def _by_distance(one: MapAnalysis, number: int) -> Chart | None:
    table = one.border_figures.pairs.table
    if not one.map.pairs or not table[RATE].gt(0).any():
        return None
    shown = table[table[RATE] > 0]
    figure, axes = _power_law(table, shown, DISTANCE, RATE, "distance, as a share of the window's sides")
    axes.vlines(shown[DISTANCE], shown[LOW].clip(lower=shown[RATE].min() / 10), shown[HIGH], color=EFFECT, alpha=0.5)
    whole = one.border_figures.pairs.whole
    line = "" if whole is None else f" The line: dimension {dimension_words(whole)}, 2 less its slope."
    return Chart(
        name=f"map-pairs-{number}",
        title="How often one is beyond the border, by how far one moves",
        subtitle=f"Share of {plural(one.map.pairs, 'pair')} at each distance, with its exact 95 % interval.",
        alt="Share of pairs with different fates against their distance, both logarithmic.",
        note=f"Final-state sensitivity (Grebogi, McDonald, Ott & Yorke 1983).{line}",
        panels=[panel("", figure)],
        data=table,
    )


def _by_boxes(one: MapAnalysis, number: int) -> Chart | None:
    table, dimension = one.border_figures.boxes.table, one.border_figures.boxes.dimension
    if dimension is None:
        return None
    figure, _ = _power_law(table, table, SIDE, BOXES, "side of a box, in pixels")
    return Chart(
        name=f"map-boxes-{number}",
        title="Boxes that it takes to cover the border",
        subtitle=f"Mean over all places of their grid; the line: box-counting dimension {dimension:.3f}.",
        alt="Number of boxes that hold several fates against their side, both logarithmic.",
        note="An estimate, too low: what passes between pixels is not seen. One count at one zoom misleads.",
        panels=[panel("", figure)],
        data=table,
    )


def _power_law(table: pd.DataFrame, shown: pd.DataFrame, x: str, y: str, xlabel: str) -> tuple[Figure, Axes]:
    """Draw what is shown of a table, and the line that was fitted, over two logarithmic axes."""
    figure, axes = drawing.blank(4.2, 2.3)
    drawing.log_axis(axes, "x", *drawing.log_range(table[x]))
    drawing.log_axis(axes, "y", *drawing.log_range(shown[y], table[FITTED]))
    sns.scatterplot(shown, x=x, y=y, ax=axes, color=EFFECT, s=18, linewidth=0)
    fitted = table[table[USED]]
    axes.plot(fitted[x], fitted[FITTED], color=INK, linewidth=1)
    axes.set(xlabel=xlabel, ylabel="")
    return figure, axes


def _shares(one: MapAnalysis, picture: MapPicture, number: int) -> Any:
    colours = {fate.words: picture.colour(fate) for fate in one.fates}
    columns = [
        Column("fate", lambda row: Cell(row[FATE], colour=colours[row[FATE]])),
        numbers("of the pixels", SHARE, percent),
        *(
            [numbers("of random starts [95 %]", RATE, of_row=row_percent), numbers("of them", COUNT)]
            if one.map.pairs
            else []
        ),
    ]
    return tabulate(f"basins-{number}", "Basins, by their fate", one.shares, columns, one.shares)


def _figures(one: MapAnalysis, number: int) -> Any:
    """Return the figures of the border that is read, and of those between all fates."""
    sides = (one.border_figures, one.figures)
    entropy = one.figures.entropy
    rows = [("what it is, by rule", *(some.border.value for some in sides), "from the dimensions below")]
    for what in ("whole", "coarse", "fine", "finest"):
        found = [getattr(some.pairs, what) for some in sides]
        name = "dimension by pairs" + ("" if what == "whole" else f", {what} scales")
        rows.append((name, *map(_dimension, found), _scales(found[0])))
    rows += [
        ("dimension by pixels", *(_dimension(some.pixels) for some in sides), "pixels 1, 2, 3, 4, 6 … apart"),
        ("box-counting dimension", *(_number(some.boxes.dimension) for some in sides), "an estimate, no interval"),
        ("basin entropy", NONE, _number(entropy.entropy), f"nats, {entropy.boxes:,} boxes of 5 × 5 pixels"),
        (
            "boundary basin entropy",
            *(_number(some.entropy.boundary_entropy) for some in sides),
            "of boxes with several fates; beyond log 2 = 0.693 a border is fractal",
        ),
    ]
    table = pd.DataFrame(rows, columns=["figure", one.border_of or "the border", "all fates", "of"])
    columns = [text(str(name), str(name)) for name in table]
    return tabulate(f"map-figures-{number}", "Basins and borders in figures", table, columns, table)


def _dimension(found: Dimension | None) -> str:
    return NONE if found is None else dimension_words(found)


def _scales(found: Dimension | None) -> str:
    return "too little to tell" if found is None else f"distances {short(found.coarsest)} to {short(found.finest)}"


def _number(value: float | None) -> str:
    return NONE if value is None or not np.isfinite(value) else f"{value:.3f}"

"""Drawing: one small figure per panel, so that the page can lay panels out at any width.

A panel is drawn with Matplotlib and written as SVG that lives inside the page: its text is text, its colours are the
page's variables. Sizes are in inches, of 72 points; on a page a panel is some 340 to 480 pixels wide.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from bench.metrics import columns as c
from bench.report.colours import DIM, EFFECT, INK, LINE, VARIABLES
from bench.stats.proportions import HIGH, LOW, RATE

Floats = NDArray[np.float64]
WIDTH, HEIGHT = 3.5, 2.5
LONGEST = 24  # characters of a name in one line
WIDEST = 32  # of one in two lines, each
CHARACTER = 0.068  # inches
LEAST = 1e-300
ROW = 0.19  # inches, of one line
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.edgecolor": DIM,
    "axes.labelcolor": DIM,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": DIM,
    "ytick.color": DIM,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "text.color": INK,
    "lines.linewidth": 1.5,
    "path.simplify": True,
}
HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
DROPPED = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<title>.*?</title>| xmlns(?::xlink)?=\"[^\"]*\"", re.DOTALL)
MARK = "trials="  # begins the id of an artist that shows trials, whose ids follow
IDENTITY = re.compile(r' id="([^"]*)"')
TAG = re.compile(r"<[^>]*>")
PATH = re.compile(r' d="[^"]*"')
LONG_IN_PATH = re.compile(r"(\d+\.\d)\d+")
LINE_TO = re.compile(r"\s*\nL|\.0(?= )")  # after a move or a line, another line is meant
SAID = re.compile(r"font-family: 'DejaVu Sans'; | transform=\"rotate\(-0 [^\"]*\"")  # by the stylesheet, or nothing
LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
HEX = re.compile(r"#[0-9a-f]{6}\b")
BLANKS = re.compile(r">\s+<")


@dataclass(frozen=True)
class Panel:
    """One drawing: what tells it from its neighbours, its SVG, whole and with a name space of its own, and its figure.

    ``trial`` is what the page calls the only one that it shows.
    """

    title: str
    svg: str
    figure: Figure
    wide: bool = False
    trial: str = ""


@contextmanager
def style() -> Iterator[None]:
    """Draw in the page's style, and leave Matplotlib as it was."""
    with mpl.rc_context(STYLE):
        yield


def blank(
    width: float = WIDTH,
    height: float = HEIGHT,
    *,
    left: float = 0.52,
    right: float = 0.12,
    top: float = 0.1,
    bottom: float = 0.42,
) -> tuple[Figure, Axes]:
    """Return an empty figure with one pair of axes; margins are in inches."""
    figure = Figure(figsize=(width, height))
    figure.patch.set_alpha(0)
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))
    axes.patch.set_alpha(0)
    return figure, axes


def mark(artist: Artist, trials: Iterable[object]) -> None:
    """Say which trial each mark of an artist shows, or all of them: the page names them, and pins what is clicked."""
    artist.set_gid(MARK + " ".join(short_id(one) for one in trials))


def short_id(trial_id: object) -> str:
    """Return what a trial is called in the page and in its address."""
    return str(trial_id)[:8]


def panel(title: str, figure: Figure, *, wide: bool = False, trial: object = "") -> Panel:
    """Return a drawn figure as a panel: SVG with a picture inside it where it has marks that are rastered."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, dpi=110, metadata={"Date": None})
    return Panel(title, HEAD.sub("", buffer.getvalue()), figure, wide, short_id(trial))


def inline(svg: str, name: str) -> str:
    """Return SVG as a part of the page: no names that other drawings have, short numbers, the page's colours."""
    text = DROPPED.sub("", svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]*)', text))
    text = IDENTITY.sub(lambda found: _identity(found[1], name, used), text)
    text = re.sub(r'(href="#|url\(#)', rf"\1{name}-", text).replace("xlink:href", "href")
    text = HEX.sub(lambda found: VARIABLES.get(found[0], found[0]), text)
    text = TAG.sub(_short_numbers, text)
    text = re.sub(r'(<svg[^>]*?) width="([\d.]+)pt"', r'\1 style="--w:\2"', text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return BLANKS.sub("><", text).strip()


def _identity(own: str, name: str, used: set[str]) -> str:
    """Return what becomes of an id: the trials that it names, an id of the page if it is used there, or nothing."""
    if own.startswith(MARK):
        return f' data-trials="{own.removeprefix(MARK)}"'
    return f' id="{name}-{own}"' if own in used else ""


def _short_numbers(tag: re.Match[str]) -> str:
    """Return a tag with its numbers to a hundredth of a point, paths to a tenth: a sixth of a pixel."""
    whole = PATH.sub(lambda path: LINE_TO.sub("", LONG_IN_PATH.sub(r"\1", path[0])), SAID.sub("", tag[0]))
    return LONG_NUMBER.sub(r"\1", whole)


# ------------------------------------------------------------------ axes


def area(axes: Axes, x: ArrayLike, low: ArrayLike, high: ArrayLike, colour: str, alpha: float = 1.0) -> PolyCollection:
    """Fill between two lines, on axes whose ends are known: looking for them takes longer than drawing."""
    x, low, high = (np.asarray(some, dtype=np.float64) for some in (x, low, high))
    outline = np.concatenate([np.column_stack([x, high]), np.column_stack([x, low])[::-1]])
    filled = PolyCollection([outline], facecolor=colour, edgecolor="none", alpha=alpha)
    axes.add_collection(filled, autolim=False)
    return filled


def line(axes: Axes, x: ArrayLike, y: ArrayLike, colour: str) -> LineCollection:
    """Draw a line, on axes whose ends are known."""
    drawn = LineCollection([np.column_stack([x, y])], colors=colour, linewidths=1.5)
    axes.add_collection(drawn, autolim=False)
    return drawn


def stepped(x: ArrayLike, *ys: ArrayLike) -> list[Floats]:
    """Return the corners of functions that keep each value to the next place."""
    return [np.repeat(x, 2)[1:], *(np.repeat(y, 2)[:-1] for y in ys)]


def percent_axis(axes: Axes, which: str, room: float = 0.03) -> None:
    """Let an axis run from 0 to 100 %."""
    getattr(axes, f"set_{which}lim")(-room, 1 + room)
    getattr(axes, f"set_{which}ticks")([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])


def log_axis(axes: Axes, which: str, low: float, high: float, most: int = 6) -> None:
    """Let an axis be logarithmic between two positive numbers, with a tick per decade, or fewer, and no others."""
    axis = getattr(axes, f"{which}axis")
    getattr(axes, f"set_{which}scale")("log")
    getattr(axes, f"set_{which}lim")(low, high)
    ticks = log_ticks(low, high, most)
    axis.set_minor_locator(mpl.ticker.NullLocator())
    axis.set_ticks(ticks, [plain_number(tick) for tick in ticks])


def log_ticks(low: float, high: float, most: int = 6) -> Floats:
    """Return ticks between two positive numbers: a decade each, or fewer; where there are none, others."""
    first, last = np.ceil(np.log10(low) - 1e-9), np.floor(np.log10(high) + 1e-9)
    step = max(int(np.ceil((last - first + 1) / most)), 1)
    ticks = 10.0 ** np.arange(first, last + 1, step)
    if len(ticks) < 2:  # less than two decades
        ticks = (10.0 ** np.arange(first - 1, last + 1)[:, None] * (1, 2, 5)).ravel()
    if ((ticks >= low) & (ticks <= high)).sum() < 2:  # less than an octave
        ticks = np.asarray(mpl.ticker.MaxNLocator(4).tick_values(low, high))
    return np.asarray(ticks[(ticks >= low) & (ticks <= high)])


def plain_number(value: float) -> str:
    """Write a tick: 5,000 and 0.01 as they are, what is smaller or larger as a power of ten."""
    if value == 0:
        return "0"
    power = int(np.floor(np.log10(abs(value)) + 1e-9))
    if -3 <= power < 6:
        return f"{value:,.0f}" if abs(value) >= 1 and value == round(value) else f"{value:g}"
    digits = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    factor = value / 10.0**power
    return f"10{digits}" if abs(factor - 1) < 1e-6 else f"{factor:g}·10{digits}"


def log_range(*values: ArrayLike) -> tuple[float, float]:
    """Return the ends of a logarithmic axis that shows all positive finite numbers; 0.1 and 1 where there are none."""
    flat = np.concatenate([np.asarray(some, dtype=np.float64).ravel() for some in values])
    flat = flat[np.isfinite(flat) & (flat > 0)]
    if not flat.size:
        return 0.1, 1.0
    low, high = float(flat.min()), float(flat.max())
    pad = max(10 ** (0.04 * float(np.log10(high) - np.log10(low))), 1.08)
    return max(low / pad, min(low, LEAST)), min(high * pad, max(high, 1 / LEAST))  # neither 0 nor infinite


def name_ends(axes: Axes, ends: Sequence[dict[str, Any]], low: float, high: float, gap: float = 0.075) -> None:
    """Write names at the right ends of lines, apart from each other.

    Each end has name, colour and y, and trial if it is that of one. ``low`` and ``high`` are the axis's ends in the
    units of y, ``gap`` a share of that.
    """
    lines = 2 if any("\n" in end["name"] for end in ends) else 1
    room = gap * (high - low) * (1.8 if lines > 1 else 1)
    top = high - 0.25 * room * (lines - 1)
    ordered = sorted(ends, key=lambda end: end["y"])
    places: list[float] = []
    for end in ordered:
        places.append(max(end["y"], places[-1] + room if places else -np.inf))
    over = max(places[-1] - top, 0.0) if places else 0.0
    for place in range(len(places) - 1, -1, -1):  # push down what left the axis at its top
        limit = places[place + 1] - room if place + 1 < len(places) else places[place] - over
        places[place] = min(places[place], limit)
    for end, y in zip(ordered, places, strict=True):
        written = write(axes, end["name"], (1.0, (y - low) / (high - low)), (4, 0), va="center", fontsize=7,
                        color=end["colour"], fontweight="bold")  # fmt: skip
        if "trial" in end:
            mark(written, [end["trial"]])


def write(axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float] = (0, 0), **look: Any) -> Artist:
    """Write text beside a place, in shares of the axes unless ``xycoords`` says otherwise; ``offset`` is in points."""
    look = {"xycoords": "axes fraction", "color": DIM, "annotation_clip": False, **look}
    return axes.annotate(text, at, xytext=offset, textcoords="offset points", **look)


def end_margin(names: Iterable[object]) -> float:
    """Return the inches that names at the ends of lines need."""
    return 0.16 + CHARACTER * longest(names)


def longest(names: Iterable[object]) -> int:
    """Return how many characters the longest line of any of these names has, folded."""
    return max((len(line) for name in names for line in folded(str(name)).split("\n")), default=0)


def folded(text: str) -> str:
    """Return a name that leaves room for its row or its line: in two lines if it is long, and cut if it is longer."""
    if len(text) <= LONGEST:
        return text
    blanks = [place for place, letter in enumerate(text) if letter == " "]
    middle = min(blanks, key=lambda place: abs(place - len(text) / 2), default=LONGEST)
    lines = (text[:middle].strip(), text[middle:].strip())
    return "\n".join(line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…" for line in lines)


def plain(text: str) -> str:
    """Return text that Matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")


# ------------------------------------------------------------------ rows


def named_rows(
    names: Iterable[object], xlabel: str, *, width: float = 4.2, least: float = 0, height: float = 0,
    right: float = 0.5, top: float = 0.06, bottom: float = 0.44, room: float = 0.0,
) -> tuple[Figure, Axes]:  # fmt: skip
    """Return an empty figure with a row for each name, the first on top; sizes are in inches.

    A row is as high as its name needs, and ``height`` at least; the axes are at least ``least`` wide, and ``room``
    higher than their rows.
    """
    lines = [folded(str(name)) for name in names]
    left = row_margin(lines)
    high = top + bottom + room + max(row_height(lines), height) * len(lines)
    figure, axes = blank(max(width, left + least), high, left=left, right=right, top=top, bottom=bottom)
    axes.set_yticks(range(len(lines)), [plain(name) for name in lines])
    axes.set_ylim(max(len(lines), 1) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel)
    return figure, axes


def row_margin(names: Iterable[str]) -> float:
    """Return the inches that the names of rows need."""
    return 0.2 + CHARACTER * longest(names)


def upright_margin(names: Iterable[object]) -> float:
    """Return the inches that names below columns need, written upright."""
    return 0.2 + CHARACTER * max((len(str(name)) for name in names), default=0)


def row_height(names: Iterable[str]) -> float:
    """Return the inches of a row: more where a name takes two lines."""
    return ROW * (1.7 if any("\n" in name for name in names) else 1)


def interval_rows(table: pd.DataFrame, label: str, *, xlabel: str, width: float = WIDTH) -> Figure:
    """Draw a dot with its interval for each row, the first on top; the columns are rate, low and high."""
    figure, axes = named_rows(table[label], xlabel, width=width, least=2.1, right=0.24)
    places = range(len(table))
    lines = axes.hlines(places, table[LOW], table[HIGH], color=EFFECT, linewidth=2, alpha=0.55)
    (dots,) = axes.plot(table[RATE], places, "o", color=EFFECT, markersize=4, clip_on=False)
    if c.TRIAL_ID in table:
        mark(lines, table[c.TRIAL_ID])
        mark(dots, table[c.TRIAL_ID])
    percent_axis(axes, "x", room=0.02)
    return figure

"""Charts and tables of the page: panels or rows under one title, with their words and the numbers behind them."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.report import drawing
from bench.report.colours import DIM
from bench.report.drawing import Panel, inline, short_id
from bench.report.number_format import interval, percent_interval, whole
from bench.stats.proportions import HIGH, LOW, RATE
from bench.user_files import as_text

ESCAPED = '%\n "#<>&'  # in the address of a download, the escape itself first
ABREAST, DPI = 3, 144  # panels of a picture
GAP, LINE, HEADING, LETTER, NARROWEST = 24, 26, 44, 10, 1000  # its pixels
Row = Mapping[Any, Any]
Content = dict[str, Any]  # what a template shows


@dataclass(frozen=True)
class Finding:
    """A sentence with its number, the evidence for it, and the section that shows it."""

    sentence: str
    evidence: str
    anchor: str


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure of the page.

    ``name`` is its anchor; the title states what it shows, the subtitle the measure, the unit and n, ``alt`` the same
    for who cannot see it. How to read it stands in the section's template, and after that the ``note``: of
    what is not drawn, or how to read a chart that is in no section.
    ``legend`` has (name, colour). ``more`` panels are folded away.
    """

    name: str
    title: str
    subtitle: str
    alt: str
    panels: Sequence[Panel]
    data: pd.DataFrame
    legend: Sequence[tuple[str, str]] = ()
    more: Sequence[Panel] = ()
    note: str = ""
    small: bool = False  # panels are pictures of an inch

    def drawings(self, key: int | str, panels: Sequence[Panel], start: int = 0) -> list[tuple[Panel, str]]:
        """Return panels with their SVG as part of a page; ``key`` keeps the names of several sweeps apart."""
        return [(p, inline(p.svg, f"{self.name}-{key}-{place}")) for place, p in enumerate(panels, start)]

    @property
    def csv(self) -> str:
        """The numbers behind the figure, as a data URI of a CSV file."""
        return csv_uri(self.data)


def csv_uri(data: pd.DataFrame) -> str:
    """Return a frame as a data URI of a CSV file, with six significant digits."""
    words = [str(name) for name in data if not pd.api.types.is_numeric_dtype(data[name])]
    safe = data.assign(**{name: data[name].map(as_text) for name in words})
    text = safe.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    # a table is numbers and commas, of which few need an escape: a fifth less than base64
    for mark in ESCAPED:
        text = text.replace(mark, f"%{ord(mark):02X}")
    return f"data:text/csv;charset=utf-8,{text}"


def four_digits(table: pd.DataFrame, names: Sequence[Any]) -> pd.DataFrame:
    """Return a table with four significant digits in some columns: where it is long and drawn, it needs no more."""
    found = table[names].to_numpy(dtype=np.float64)
    size = np.log10(np.abs(found), out=np.zeros_like(found), where=np.isfinite(found) & (found != 0))
    scale = 10.0 ** (3 - np.maximum(np.floor(size), -300))  # below, the scale would overflow
    rounded: pd.DataFrame = table.copy()
    rounded[names] = np.rint(found * scale) / scale
    return rounded


def write_picture(chart: Chart, path: Path, source: str) -> None:
    """Write a chart as one PNG file that needs no page: its panels in rows of three, under all that is said of it."""
    pictures = [_picture(one.figure) for one in chart.panels]
    columns = min(ABREAST, len(pictures))
    high, wide = (max(picture.shape[axis] for picture in pictures) + GAP for axis in (0, 1))
    width = max(wide * columns, NARROWEST) + GAP
    letters = width // LETTER
    head = "\n".join(wrap(drawing.plain(chart.title), letters // 2))
    below = "\n".join([*wrap(drawing.plain(chart.subtitle), letters), *wrap(drawing.plain(source), letters)])
    top = HEADING * (1 + head.count("\n")) + LINE * (1 + below.count("\n")) + GAP
    height = top + (high + LINE) * -(-len(pictures) // columns) + GAP
    sheet = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    sheet.text(GAP / width, 1 - GAP / height, head, va="top", fontsize=13, fontweight="bold")
    sheet.text(GAP / width, 1 - (top - GAP) / height, below, va="bottom", fontsize=8, color=DIM, linespacing=1.3)
    for place, (one, picture) in enumerate(zip(chart.panels, pictures, strict=True)):
        x, y = GAP + wide * (place % columns), height - top - (high + LINE) * (place // columns)
        sheet.text(x / width, (y - LINE) / height, drawing.plain(one.title), fontsize=9, fontweight="bold")
        sheet.figimage(picture, x, y - LINE - picture.shape[0])
    with path.open("wb") as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of scripts that the font has not
        sheet.savefig(file, format="png", metadata={"Title": chart.title, "Description": chart.alt})


def _picture(figure: Figure) -> NDArray[np.uint8]:
    """Return a drawn figure as pixels ``[height, width, RGBA]``."""
    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


# ------------------------------------------------------------------ tables


@dataclass(frozen=True)
class Cell:
    """A cell: what it says, what it is sorted by if that is something else, and how it looks."""

    text: str
    value: Any = None
    kind: str = ""  # a class of the stylesheet: holds, fails, dim
    title: str = ""
    colour: str = ""  # of a key before the text
    href: str = ""
    command: bool = False  # what one types, to be copied
    glyph: Sequence[str] = ()  # colours of squares before the text
    bar: Sequence[tuple[str, float, str]] = ()  # (name, count, colour) of a bar instead of text


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and the cell that it has for a row; numbers stand right."""

    heading: str
    cell: Callable[[Row], Cell]
    is_number: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of cells under headings, and the frame that is downloaded: what the cells say if there is no other."""

    name: str
    label: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    data: pd.DataFrame | None = None
    trials: Sequence[str] = ()  # that the rows are of, as the page calls them

    @property
    def headings(self) -> list[str]:
        """The headings of the columns."""
        return [column.heading for column in self.columns]

    @property
    def csv(self) -> str:
        """The numbers of the table, as a data URI of a CSV file."""
        said = [[cell.text for cell in row] for row in self.rows]
        return csv_uri(pd.DataFrame(said, columns=self.headings) if self.data is None else self.data)


def tabulate(
    name: str,
    label: str,
    rows: pd.DataFrame | Sequence[Row],
    columns: Sequence[Column],
    data: pd.DataFrame | None = None,
) -> Table:
    """Return a table with a row for each of a frame; ``data`` is what is downloaded, if that is not the frame."""
    listed: Sequence[Row] = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    data = rows if data is None and isinstance(rows, pd.DataFrame) else data
    trials = [short_id(row.get(c.TRIAL_ID, "")) for row in listed]
    return Table(name, label, columns, [[column.cell(row) for column in columns] for row in listed], data, trials)


def text(heading: str, what: str | Callable[[Row], Any], **look: Callable[[Row], Any]) -> Column:
    """Return a column of text: that of the frame's column, or of a function of rows; ``look`` has a cell's others."""
    write = what if callable(what) else lambda row: row[what]
    return Column(heading, lambda row: Cell(write(row), **{name: make(row) for name, make in look.items()}))


def numbers(
    heading: str,
    by: str,
    write: Callable[[Any], str] = whole,
    *,
    of_row: Callable[[Row], str] | None = None,
    **look: Callable[[Row], Any],
) -> Column:
    """Return a column of numbers, sorted by a column of the frame; ``write`` writes that one's values."""
    say = of_row or (lambda row: write(row[by]))
    return Column(
        heading, lambda row: number(say(row), row[by], **{name: make(row) for name, make in look.items()}), True
    )


def number(text: str, value: Any, **look: Any) -> Cell:
    """Return a cell that is sorted by a number; one without stands last."""
    missing = value is None or pd.isna(value)
    return Cell(text, None if missing else float(value), **look)


def row_percent(row: "Row | pd.Series[Any]", name: str = RATE) -> str:
    """Write a share of a row with the row's interval."""
    return percent_interval(row[name], row[LOW], row[HIGH])


def row_interval(row: Row, name: str) -> str:
    """Write a number of a row with its interval, whose ends are called after it."""
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])

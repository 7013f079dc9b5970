"""Charts and tables of the page: panels or rows under one title, with their words and the numbers behind them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.report.drawing import Panel, inline, short_id
from bench.report.number_format import interval, percent_interval, whole
from bench.stats.proportions import HIGH, LOW, RATE

SIZE = re.compile(r'<svg(?=[^>]*? width="([\d.]+)pt")(?=[^>]*? height="([\d.]+)pt")')
NAMES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
FONT = 'font-family="DejaVu Sans, sans-serif"'
ESCAPED = '%\n "#<>&'  # in the address of a download, the escape itself first
SHEET_COLUMNS = 3
HEADING, SUBHEADING, GAP = 44, 16, 14  # points
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
    for who cannot see it. How to read it stands in the template, and after that the ``note``, of what is not drawn.
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
    text = data.to_csv(index=False, float_format="%.6g", lineterminator="\n")
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


def sheet(chart: Chart) -> str:
    """Return a chart as one SVG file that needs no page: its panels in rows of three, under title and subtitle."""
    sizes = [_size(one.svg) for one in chart.panels]
    columns = min(SHEET_COLUMNS, len(sizes)) or 1
    cell = (max(w for w, _ in sizes) + GAP, max(h for _, h in sizes) + SUBHEADING + GAP)
    width, height = cell[0] * columns + GAP, HEADING + cell[1] * -(-len(sizes) // columns) + GAP
    parts = [
        f'<svg {NAMES} width="{width:.0f}pt" height="{height:.0f}pt" viewBox="0 0 {width:.0f} {height:.0f}" {FONT}>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{GAP}" y="20" font-size="13" font-weight="bold">{escape(chart.title)}</text>',
        f'<text x="{GAP}" y="36" font-size="9" fill="#595959">{escape(chart.subtitle)}</text>',
    ]
    for place, one in enumerate(chart.panels):
        x, y = GAP + cell[0] * (place % columns), HEADING + cell[1] * (place // columns)
        # definitions of each panel have names of their own
        svg = re.sub(r'(href="#|url\(#)', rf"\1p{place}-", re.sub(r' id="([^"]*)"', rf' id="p{place}-\1"', one.svg))
        svg = svg.replace("<svg ", f'<svg x="{x:.0f}" y="{y + SUBHEADING:.0f}" ', 1)
        parts += [f'<text x="{x:.0f}" y="{y + 11:.0f}" font-size="9">{escape(one.title)}</text>', svg]
    return "\n".join([*parts, "</svg>"])


def _size(svg: str) -> tuple[float, float]:
    found = SIZE.search(svg)
    assert found is not None, svg[:200]
    return float(found[1]), float(found[2])


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

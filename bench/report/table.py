"""Tables of the page: headings and cells, sorted and filtered by the reader."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.report.chart import csv_uri


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


@dataclass(frozen=True, eq=False)
class Table:
    """Rows under headings; ``numbers`` are the headings whose cells stand right."""

    name: str
    label: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    data: pd.DataFrame
    numbers: frozenset[str] = field(default=frozenset())

    @property
    def csv(self) -> str:
        """The numbers of the table, as a data URI of a CSV file."""
        return csv_uri(self.data)


def number(text: str, value: Any, **more: Any) -> Cell:
    """Return a cell that is sorted by a number; one without stands last."""
    missing = value is None or pd.isna(value)
    return Cell(text, None if missing else float(value), **more)

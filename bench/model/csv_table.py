"""Tables of numbers in CSV files, as users write them: a row of names, and numbers below."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.errors import RequestError
from bench.user_files import MOST_COLUMNS, MOST_CSV_BYTES, MOST_ROWS, check_readable, is_file

if TYPE_CHECKING:
    import pandas as pd


def beside(name: str, folder: Path) -> Path:
    """Return where a file is: in the folder, or where its own path says."""
    there = folder / name
    return there if is_file(there) else Path(name)


def read_cells(what: str, path: Path, allowed: str) -> "tuple[list[str], pd.DataFrame]":
    """Return a file's columns and the text of all its cells; raise RequestError, with what and what is allowed."""
    if not is_file(path):
        raise RequestError(f"{what} is not a file; allowed are {allowed}")
    try:
        cells = _cells(path)
    except (ValueError, OSError) as error:  # pandas' parser errors and decoding errors are ValueErrors
        raise RequestError(f"{what} cannot be read as CSV: {str(error).strip()}") from error
    return [str(name).strip() for name in cells.iloc[0]], cells.iloc[1:]


def _cells(path: Path) -> "pd.DataFrame":
    """Return the text of all cells, those of the first row too; raise ValueError for a file beyond the limits."""
    import pandas as pd  # local: only a user's own table needs it, and it takes 0.3 s to import

    check_readable(path, MOST_CSV_BYTES)
    with path.open("rb") as file:
        columns = file.readline().count(b",") + 1
    if columns > MOST_COLUMNS:
        raise ValueError(f"it has {columns:,} columns; allowed are {MOST_COLUMNS:,}")
    # no header for pandas: with one, it takes a row that is too long for a row with an index
    cells = pd.read_csv(path, dtype=str, header=None, keep_default_na=False, encoding="utf-8-sig", nrows=MOST_ROWS + 2)
    if len(cells) > MOST_ROWS + 1:
        raise ValueError(f"it has more than {MOST_ROWS:,} rows; allowed are no more")
    return cells


def as_numbers(what: str, columns: list[str], cells: "pd.DataFrame") -> NDArray[np.float64]:
    """Return cells as numbers ``[rows, columns]``; raise RequestError for the first that is none."""
    import pandas as pd

    values = cells.apply(pd.to_numeric, errors="coerce")
    wrong = np.argwhere(values.isna().to_numpy())
    if len(wrong):
        row, column = wrong[0]
        cell = f"row {row + 1}, column {columns[column]!r}"
        raise RequestError(f"{what}, {cell}: got {cells.iloc[row, column]!r}; allowed are numbers")
    return np.asarray(values.to_numpy(dtype=np.float64))

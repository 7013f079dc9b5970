"""What was claimed, and what came out."""

from collections.abc import Sequence

import pandas as pd

from bench.analysis.claims import Verdict, verdict_rows
from bench.report.table import Cell, Table


def claims(verdicts: Sequence[Verdict]) -> Table:
    """Return a row per verdict, in the file's order."""
    rows = [
        [
            Cell("holds" if one.holds else "does not hold", kind="holds" if one.holds else "fails"),
            Cell(one.what),
            Cell(one.expected),
            Cell(one.observed),
            Cell(one.source),
            Cell(one.id),
        ]
        for one in verdicts
    ]
    headings = ["verdict", "what", "expected", "observed", "source", "id"]
    return Table("claims-table", "Claims", headings, rows, pd.DataFrame(verdict_rows(verdicts)))

"""Same start, one thing changed: trials compared seed by seed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis import compare
from bench.analysis.study import DIGITS, Study, highest, in_words
from bench.problem.label import word
from bench.report.chart import Chart
from bench.report.drawing import panel
from bench.report.figures.matters import HIGH, LABEL, LOW, MARKED, VALUE, differences
from bench.report.layout import MOST_PANELS
from bench.report.table import Cell, Table, number
from bench.report.words import from_to, p_value, plural, points, short

MOST_ROWS = 14  # in a panel
MOST_COMPARED = 2_000  # rows of the table
SMALLEST_AXIS = 0.05


def pairs(study: Study, key: str) -> dict[str, Any] | None:
    """Return the chart and the table of all comparisons; None where no two trials start from the same weights."""
    compared = study.comparisons
    if compared.empty:
        return None
    return {"chart": _chart(study, compared, key), "table": _table(study, compared, key)}


def _chart(study: Study, compared: pd.DataFrame, key: str) -> Chart:
    """Return a panel for each two values of a parameter; where settings are many, those with the greatest effect."""
    reach = compared[[compare.DIFFERENCE_LOW, compare.DIFFERENCE_HIGH]].abs().to_numpy()
    most = float(np.clip(np.ceil(np.nanmax(reach) * 10) / 10, SMALLEST_AXIS, 1))
    panels = []
    groups: list[tuple[Any, pd.DataFrame]] = list(
        compared.groupby([compare.PARAMETER, compare.ONE, compare.OTHER], sort=False)
    )
    for values, rows in groups[:MOST_PANELS]:
        name, (one, other) = str(values[0]), (word(str(values[0]), side, DIGITS) for side in values[1:])
        first = rows[compare.DIFFERENCE].abs().sort_values(ascending=False, kind="stable").index[:MOST_ROWS]
        greatest = rows.reindex(first)
        table = pd.DataFrame(
            {
                LABEL: [_context(study, row, name) for row in greatest.to_dict("records")],
                VALUE: greatest[compare.DIFFERENCE].to_numpy(),
                LOW: greatest[compare.DIFFERENCE_LOW].to_numpy(),
                HIGH: greatest[compare.DIFFERENCE_HIGH].to_numpy(),
                MARKED: (greatest[compare.P_HOLM] <= compare.SIGNIFICANT).to_numpy(),
            }
        )
        sides = [f"← {other}", f"{one} →"]
        panels.append(panel(f"{one} against {other}", differences(table, "percentage points", sides, most)))
    surely = int((compared[compare.P_HOLM] <= compare.SIGNIFICANT).sum())
    return Chart(
        name=f"pairs-{key}",
        title=_title(study, surely, len(compared)),
        subtitle="Difference of solved rates over the same starting weights, in percentage points, with paired 95 % "
        f"intervals; n = {from_to(compared[compare.PAIRS])} pairs of trainings each.",
        caption="A dot lies towards the value that solves more. Filled: beyond chance by McNemar's exact test, after "
        f"Holm's correction for all {len(compared):,} comparisons of this block. Hollow: not shown, "
        "by these seeds. Intervals are of each comparison by itself."
        f"{_cut(compared, len(groups))}",
        alt=f"{plural(len(compared), 'paired difference')} of solved rates, {surely:,} beyond chance.",
        panels=panels,
        data=_plain(compared, study),
    )  # fmt: skip


def _cut(compared: pd.DataFrame, groups: int) -> str:
    """Say what is not drawn."""
    sizes = compared.groupby([compare.PARAMETER, compare.ONE, compare.OTHER], sort=False).size()
    rows = f" Of more settings, the {MOST_ROWS} with the greatest differences." if sizes.max() > MOST_ROWS else ""
    return rows + (f" {groups - MOST_PANELS} more pairs of values are in the table." if groups > MOST_PANELS else "")


def _title(study: Study, surely: int, compared: int) -> str:
    if not surely:
        return f"None of {plural(compared, 'comparison')} by seed shows a difference beyond chance"
    return better(greatest(study.pooled))


def greatest(pooled: pd.DataFrame) -> dict[str, Any]:
    """Return the two values that differ most, either way."""
    return highest(pooled.assign(reach=pooled[compare.DIFFERENCE].abs()), "reach")


def better(row: Mapping[Any, Any]) -> str:
    """Return in words which of two values solves more from the same starts, over all settings."""
    one, other = (word(str(row[compare.PARAMETER]), row[side], DIGITS) for side in (compare.ONE, compare.OTHER))
    low, high = row[compare.DIFFERENCE_LOW], row[compare.DIFFERENCE_HIGH]
    if row[compare.DIFFERENCE] < 0:
        one, other = other, one
        low, high = -high, -low
    return f"From the same starts {one} solves more than {other}: {points(abs(row[compare.DIFFERENCE]), low, high)}"


def _context(study: Study, row: Mapping[Any, Any], name: str) -> str:
    rest = [other for other in study.names if other != name]
    return in_words(study.trial(row[compare.ONE_ID]), rest) or "all else equal"


def _plain(compared: pd.DataFrame, study: Study) -> pd.DataFrame:
    contexts = [_context(study, row, str(row[compare.PARAMETER])) for row in compared.to_dict("records")]
    texts = {side: compared[side].astype(str) for side in (compare.ONE, compare.OTHER)}
    return compared.assign(**{compare.CONTEXT: contexts}, **texts)


def _table(study: Study, compared: pd.DataFrame, key: str) -> Table:
    ordered = compared.sort_values(compare.P_HOLM, kind="stable").head(MOST_COMPARED)
    headings = [
        *("first", "second", "setting", "seeds", "points [95 %]", "improvement [95 %]", "ratio of times [95 %]"),
        *("only first : only second", "p (Holm)", "seeds for 80 % power"),
    ]
    rows = []
    for row in ordered.to_dict("records"):
        name = str(row[compare.PARAMETER])
        low, high = row[compare.IMPROVEMENT_LOW], row[compare.IMPROVEMENT_HIGH]
        needed = row[compare.NEEDED]
        rows.append(
            [
                Cell(word(name, row[compare.ONE], DIGITS)),
                Cell(word(name, row[compare.OTHER], DIGITS)),
                Cell(_context(study, row, name)),
                number(f"{row[compare.PAIRS]:,}", row[compare.PAIRS]),
                number(_points(row), row[compare.DIFFERENCE]),
                number(f"{row[compare.IMPROVEMENT]:.2f} [{low:.2f}, {high:.2f}]", row[compare.IMPROVEMENT]),
                number(_ratio(row), row[compare.RATIO]),
                number(f"{row[compare.ONLY_ONE]:,} : {row[compare.ONLY_OTHER]:,}", row[compare.ONLY_ONE]),
                number(p_value(row[compare.P_HOLM]), row[compare.P_HOLM]),
                number(short(needed), needed),
            ]
        )
    label = f"{plural(len(rows), 'comparison')} by seed"
    return Table(f"pairs-table-{key}", label, headings, rows, _plain(ordered, study), frozenset(headings[3:]))


def _points(row: Mapping[Any, Any]) -> str:
    found = points(row[compare.DIFFERENCE], row[compare.DIFFERENCE_LOW], row[compare.DIFFERENCE_HIGH])
    return found.replace(" points", "")


def _ratio(row: Mapping[Any, Any]) -> str:
    if pd.isna(row[compare.RATIO]):
        return "–"
    if pd.isna(row[compare.RATIO_LOW]):
        return short(row[compare.RATIO])
    return f"{short(row[compare.RATIO])} [{short(row[compare.RATIO_LOW])}, {short(row[compare.RATIO_HIGH])}]"

"""Same start, one thing changed: trials compared seed by seed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.model.labels import word
from bench.report.charts import Cell, Chart, Table, number
from bench.report.drawing import panel
from bench.report.effects import HIGH, LABEL, LOW, MARKED, VALUE, differences
from bench.report.layout import MOST_PANELS
from bench.report.number_format import from_to, p_value, plural, points, short
from bench.stats import paired_comparisons as paired
from bench.stats.block_analysis import DIGITS, BlockAnalysis, highest, in_words

MOST_ROWS = 14  # in a panel
MOST_COMPARED = 2_000  # rows of the table
SMALLEST_AXIS = 0.05


def pairs(study: BlockAnalysis, key: str) -> dict[str, Any] | None:
    """Return the chart and the table of all comparisons; None where no two trials start from the same weights."""
    compared = study.comparisons
    if compared.empty:
        return None
    return {"chart": _chart(study, compared, key), "table": _table(study, compared, key)}


def _chart(study: BlockAnalysis, compared: pd.DataFrame, key: str) -> Chart:
    """Return a panel for each two values of a parameter; where settings are many, those with the greatest effect."""
    reach = compared[[paired.DIFFERENCE_LOW, paired.DIFFERENCE_HIGH]].abs().to_numpy()
    most = float(np.clip(np.ceil(np.nanmax(reach) * 10) / 10, SMALLEST_AXIS, 1))
    panels = []
    groups: list[tuple[Any, pd.DataFrame]] = list(
        compared.groupby([paired.PARAMETER, paired.ONE, paired.OTHER], sort=False)
    )
    for values, rows in groups[:MOST_PANELS]:
        name, (one, other) = str(values[0]), (word(str(values[0]), side, DIGITS) for side in values[1:])
        first = rows[paired.DIFFERENCE].abs().sort_values(ascending=False, kind="stable").index[:MOST_ROWS]
        greatest = rows.reindex(first)
        table = pd.DataFrame(
            {
                LABEL: [_context(study, row, name) for row in greatest.to_dict("records")],
                VALUE: greatest[paired.DIFFERENCE].to_numpy(),
                LOW: greatest[paired.DIFFERENCE_LOW].to_numpy(),
                HIGH: greatest[paired.DIFFERENCE_HIGH].to_numpy(),
                MARKED: (greatest[paired.P_HOLM] <= paired.SIGNIFICANT).to_numpy(),
            }
        )
        sides = [f"← {other}", f"{one} →"]
        panels.append(panel(f"{one} against {other}", differences(table, "percentage points", sides, most)))
    surely = int((compared[paired.P_HOLM] <= paired.SIGNIFICANT).sum())
    return Chart(
        name=f"pairs-{key}",
        title=_title(study, surely, len(compared)),
        subtitle="Difference of solved rates over the same starting weights, in percentage points, with paired 95 % "
        f"intervals; n = {from_to(compared[paired.PAIRS])} pairs of trainings each.",
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
    sizes = compared.groupby([paired.PARAMETER, paired.ONE, paired.OTHER], sort=False).size()
    rows = f" Of more settings, the {MOST_ROWS} with the greatest differences." if sizes.max() > MOST_ROWS else ""
    return rows + (f" {groups - MOST_PANELS} more pairs of values are in the table." if groups > MOST_PANELS else "")


def _title(study: BlockAnalysis, surely: int, compared: int) -> str:
    if not surely:
        return f"None of {plural(compared, 'comparison')} by seed shows a difference beyond chance"
    return better(greatest(study.pooled))


def greatest(pooled: pd.DataFrame) -> dict[str, Any]:
    """Return the two values that differ most, either way."""
    return highest(pooled.assign(reach=pooled[paired.DIFFERENCE].abs()), "reach")


def better(row: Mapping[Any, Any]) -> str:
    """Return in words which of two values solves more from the same starts, over all settings."""
    one, other = (word(str(row[paired.PARAMETER]), row[side], DIGITS) for side in (paired.ONE, paired.OTHER))
    low, high = row[paired.DIFFERENCE_LOW], row[paired.DIFFERENCE_HIGH]
    if row[paired.DIFFERENCE] < 0:
        one, other = other, one
        low, high = -high, -low
    return f"From the same starts {one} solves more than {other}: {points(abs(row[paired.DIFFERENCE]), low, high)}"


def _context(study: BlockAnalysis, row: Mapping[Any, Any], name: str) -> str:
    rest = [other for other in study.names if other != name]
    return in_words(study.trial(row[paired.ONE_ID]), rest) or "all else equal"


def _plain(compared: pd.DataFrame, study: BlockAnalysis) -> pd.DataFrame:
    contexts = [_context(study, row, str(row[paired.PARAMETER])) for row in compared.to_dict("records")]
    texts = {side: compared[side].astype(str) for side in (paired.ONE, paired.OTHER)}
    return compared.assign(**{paired.CONTEXT: contexts}, **texts)


def _table(study: BlockAnalysis, compared: pd.DataFrame, key: str) -> Table:
    ordered = compared.sort_values(paired.P_HOLM, kind="stable").head(MOST_COMPARED)
    headings = [
        *("first", "second", "setting", "seeds", "points [95 %]", "improvement [95 %]", "ratio of times [95 %]"),
        *("only first : only second", "p (Holm)", "seeds for 80 % power"),
    ]
    rows = []
    for row in ordered.to_dict("records"):
        name = str(row[paired.PARAMETER])
        low, high = row[paired.IMPROVEMENT_LOW], row[paired.IMPROVEMENT_HIGH]
        needed = row[paired.NEEDED]
        rows.append(
            [
                Cell(word(name, row[paired.ONE], DIGITS)),
                Cell(word(name, row[paired.OTHER], DIGITS)),
                Cell(_context(study, row, name)),
                number(f"{row[paired.PAIRS]:,}", row[paired.PAIRS]),
                number(_points(row), row[paired.DIFFERENCE]),
                number(f"{row[paired.IMPROVEMENT]:.2f} [{low:.2f}, {high:.2f}]", row[paired.IMPROVEMENT]),
                number(_ratio(row), row[paired.RATIO]),
                number(f"{row[paired.ONLY_ONE]:,} : {row[paired.ONLY_OTHER]:,}", row[paired.ONLY_ONE]),
                number(p_value(row[paired.P_HOLM]), row[paired.P_HOLM]),
                number(short(needed), needed),
            ]
        )
    label = f"{plural(len(rows), 'comparison')} by seed"
    return Table(f"pairs-table-{key}", label, headings, rows, _plain(ordered, study), frozenset(headings[3:]))


def _points(row: Mapping[Any, Any]) -> str:
    found = points(row[paired.DIFFERENCE], row[paired.DIFFERENCE_LOW], row[paired.DIFFERENCE_HIGH])
    return found.replace(" points", "")


def _ratio(row: Mapping[Any, Any]) -> str:
    if pd.isna(row[paired.RATIO]):
        return "–"
    if pd.isna(row[paired.RATIO_LOW]):
        return short(row[paired.RATIO])
    return f"{short(row[paired.RATIO])} [{short(row[paired.RATIO_LOW])}, {short(row[paired.RATIO_HIGH])}]"

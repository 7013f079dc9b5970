"""Same start, one thing changed: trials compared seed by seed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.model.labels import word
from bench.report.charts import Chart, Content, Row, Table, numbers, tabulate, text
from bench.report.colours import DIM, EFFECT
from bench.report.drawing import named_rows, panel, plain, write
from bench.report.layout import MOST_PANELS
from bench.report.number_format import from_to, p_value, plural, points, row_interval, short
from bench.stats import paired_comparisons as paired
from bench.stats.block_analysis import DIGITS, BlockAnalysis, highest, in_words

MOST_ROWS = 14  # in a panel
MOST_COMPARED = 2_000  # rows of the table
SMALLEST_AXIS = 0.05
VALUES = [paired.PARAMETER, paired.ONE, paired.OTHER]  # what is compared
ENDS = [paired.DIFFERENCE_LOW, paired.DIFFERENCE_HIGH]


def pairs(block: BlockAnalysis, key: str) -> Content | None:
    """Return the chart and the table of all comparisons; None where no two trials start from the same weights."""
    if block.comparisons.empty:
        return None
    contexts = [_context(block, row) for row in block.comparisons.to_dict("records")]
    compared = block.comparisons.assign(**{paired.CONTEXT: contexts})
    return {"chart": _chart(block, compared, key), "table": _table(compared, key), "compared": len(compared)}


def _context(block: BlockAnalysis, row: Row) -> str:
    rest = [name for name in block.names if name != row[paired.PARAMETER]]
    return in_words(block.trial(row[paired.ONE_ID]), rest) or "all else equal"


def _sides(row: Row) -> tuple[str, str]:
    """Return in words the two values that are compared."""
    one, other = (word(str(row[paired.PARAMETER]), row[side], DIGITS) for side in (paired.ONE, paired.OTHER))
    return one, other


def _chart(block: BlockAnalysis, compared: pd.DataFrame, key: str) -> Chart:
    """Return a panel for each two values of a parameter; where settings are many, those with the greatest effect."""
    most = float(np.clip(np.ceil(np.nanmax(compared[ENDS].abs().to_numpy()) * 10) / 10, SMALLEST_AXIS, 1))
    groups = [rows for _, rows in compared.groupby(VALUES, sort=False)]
    panels = []
    for rows in groups[:MOST_PANELS]:
        greatest_first = rows[paired.DIFFERENCE].abs().sort_values(ascending=False, kind="stable").index
        one, other = _sides(rows.iloc[0])
        figure = differences(rows.loc[greatest_first[:MOST_ROWS]], [f"← {other}", f"{one} →"], most)
        panels.append(panel(f"{one} against {other}", figure))
    surely = int((compared[paired.P_HOLM] <= paired.SIGNIFICANT).sum())
    cut = max(len(rows) for rows in groups) > MOST_ROWS
    return Chart(
        name=f"pairs-{key}",
        title=better(greatest(block.pooled))
        if surely
        else f"None of {plural(len(compared), 'comparison')} by seed shows a difference beyond chance",
        subtitle="Difference of solved rates over the same starting weights, in percentage points, with paired 95 % "
        f"intervals; n = {from_to(compared[paired.PAIRS])} pairs of trainings each.",
        note=(f" Of more settings, the {MOST_ROWS} with the greatest differences." if cut else "")
        + (f" {len(groups) - MOST_PANELS} more pairs of values are in the table." if len(groups) > MOST_PANELS else ""),
        alt=f"{plural(len(compared), 'paired difference')} of solved rates, {surely:,} beyond chance.",
        panels=panels,
        data=_plain(compared),
    )


def differences(rows: pd.DataFrame, sides: Sequence[str], most: float) -> Figure:
    """Draw a dot with its interval for each row around zero; filled where it is beyond chance.

    ``sides`` are the words for what is left and right of zero.
    """
    figure, axes = named_rows(rows[paired.CONTEXT], "percentage points", right=0.15, top=0.24, room=0.04)
    places, difference = np.arange(len(rows)), rows[paired.DIFFERENCE].to_numpy()
    axes.axvline(0, color=DIM, linewidth=0.9)
    axes.hlines(places, *(rows[end] for end in ENDS), color=EFFECT, linewidth=2, alpha=0.5)
    surely = (rows[paired.P_HOLM] <= paired.SIGNIFICANT).to_numpy()
    axes.plot(difference[surely], places[surely], "o", color=EFFECT, markersize=4.5)
    axes.plot(difference[~surely], places[~surely], "o", color=EFFECT, markersize=4.5, mfc="none")
    axes.set_xlim(-most, most)
    ticks = np.array([-1, -0.5, 0, 0.5, 1]) * most
    axes.set_xticks(ticks, [f"{100 * tick:+.3g}" if tick else "0" for tick in ticks])
    for place, (side, align) in enumerate(zip(sides, ("left", "right"), strict=True)):
        write(axes, plain(side), (place, 1), (0, 4), ha=align, fontsize=7)
    return figure


def greatest(pooled: pd.DataFrame) -> dict[str, Any]:
    """Return the two values that differ most, either way."""
    return highest(pooled.assign(reach=pooled[paired.DIFFERENCE].abs()), "reach")


def better(row: Row) -> str:
    """Return in words which of two values solves more from the same starts, over all settings."""
    one, other = _sides(row)
    difference, low, high = (row[name] for name in (paired.DIFFERENCE, *ENDS))
    if difference < 0:
        one, other = other, one
        difference, low, high = -difference, -high, -low
    return f"From the same starts {one} solves more than {other}: {points(abs(difference), low, high)}"


def _plain(compared: pd.DataFrame) -> pd.DataFrame:
    return compared.assign(**{side: compared[side].astype(str) for side in (paired.ONE, paired.OTHER)})


def _table(compared: pd.DataFrame, key: str) -> Table:
    columns = [
        text("first", lambda row: _sides(row)[0]),
        text("second", lambda row: _sides(row)[1]),
        text("setting", paired.CONTEXT),
        numbers("seeds", paired.PAIRS),
        numbers("points [95 %]", paired.DIFFERENCE, of_row=_points),
        numbers("improvement [95 %]", paired.IMPROVEMENT, of_row=_improvement),
        numbers("ratio of times [95 %]", paired.RATIO, of_row=lambda row: row_interval(row, paired.RATIO)),
        numbers(
            "only first : only second", paired.ONLY_ONE,
            of_row=lambda row: f"{row[paired.ONLY_ONE]:,} : {row[paired.ONLY_OTHER]:,}",
        ),
        numbers("p (Holm)", paired.P_HOLM, p_value),
        numbers("seeds for 80 % power", paired.NEEDED, short),
    ]  # fmt: skip
    ordered = compared.sort_values(paired.P_HOLM, kind="stable").head(MOST_COMPARED)
    label = f"{plural(len(ordered), 'comparison')} by seed"
    return tabulate(f"pairs-table-{key}", label, ordered, columns, _plain(ordered))


def _points(row: Row) -> str:
    return points(*(row[name] for name in (paired.DIFFERENCE, *ENDS)), unit="")


def _improvement(row: Row) -> str:
    low, high = row[paired.IMPROVEMENT_LOW], row[paired.IMPROVEMENT_HIGH]
    return f"{row[paired.IMPROVEMENT]:.2f} [{low:.2f}, {high:.2f}]"

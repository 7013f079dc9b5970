"""Pairs: what one thing changed does to trainings from the same starts."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from bench.model.display_labels import name_words, phrase
from bench.report import drawing
from bench.report.charts import Chart, Content, Row, Table, numbers, row_interval, tabulate, text
from bench.report.drawing import panel
from bench.report.number_format import from_to, p_value, plural, points, sentence, short, signed
from bench.stats import paired_comparisons as paired
from bench.stats.grid_analysis import DIGITS, GridAnalysis, highest, in_words

MOST_SETTINGS = 24  # in a matrix
CELL = 0.36  # inches
DIVERGING = "PuOr"
SIDES = "sides"
MOST_COMPARED = 2_000  # rows of the table
MOST_SIDES = 12  # of a matrix
WORTH_SAYING = 1.5  # times as fast
SMALLEST_SCALE = 0.05
VALUES = [paired.PARAMETER, paired.ONE, paired.OTHER]  # what is compared
ENDS = [paired.DIFFERENCE_LOW, paired.DIFFERENCE_HIGH]


def pairs(block: GridAnalysis, key: str) -> Content | None:
    """Return the chart and the table of all comparisons; None where no two trials start from the same weights."""
    if block.comparisons.empty:
        return None
    contexts = [_context(block, row) for row in block.comparisons.to_dict("records")]
    compared = block.comparisons.assign(**{paired.CONTEXT: contexts})
    return {
        "chart": _pairs_chart(block, compared, key),
        "table": _pairs_table(compared, key),
        "compared": len(compared),
    }


def _context(block: GridAnalysis, row: Row) -> str:
    rest = [name for name in block.names if name != row[paired.PARAMETER]]
    return in_words(block.trial(row[paired.ONE_ID]), rest) or "all else equal"


def _sides(row: Row) -> tuple[str, str]:
    """Return in words the two values that are compared."""
    one, other = (phrase({row[paired.PARAMETER]: row[side]}, DIGITS) for side in (paired.ONE, paired.OTHER))
    return one, other


def _pairs_chart(block: GridAnalysis, compared: pd.DataFrame, key: str) -> Chart:
    """Return a matrix for each parameter: two of its values by the setting of all others."""
    most = float(np.clip(np.nanmax(compared[paired.DIFFERENCE].abs().to_numpy()), SMALLEST_SCALE, 1))
    panels = []
    for name, rows in compared.groupby(paired.PARAMETER, sort=False):
        sides = [" against ".join(_sides(row)) for row in rows.to_dict("records")]
        panels.append(panel(name_words(str(name)), differences(rows.assign(**{SIDES: sides}), most), wide=True))
    surely = int((compared[paired.P_HOLM] <= paired.SIGNIFICANT).sum())
    return Chart(
        name=f"pairs-{key}",
        title=sentence(better(greatest(block.pooled)))
        if surely
        else f"In none of {plural(len(compared), 'comparison')} does one surely solve more starts than the other",
        subtitle="By how many percentage points the first of two values solves more, from the same starts, in each "
        f"setting; n = {from_to(compared[paired.PAIRS])} pairs of trainings each.",
        alt=f"{plural(len(compared), 'paired difference')} of solved rates, {surely:,} beyond chance.",
        panels=panels,
        data=_plain(compared),
    )


def differences(rows: pd.DataFrame, most: float) -> Figure:
    """Draw the differences of each two values, a row, by setting, a column; a number where it is beyond chance.

    Of many rows those with the greatest differences are drawn.
    """
    reach = rows.groupby(SIDES, sort=False)[paired.DIFFERENCE].agg(lambda some: some.abs().max())
    order = [one for one in reach.index if one in reach.nlargest(MOST_SIDES).index]
    table = rows.pivot_table(index=SIDES, columns=paired.CONTEXT, values=paired.DIFFERENCE, sort=False)
    table = 100 * table.loc[order].iloc[:, :MOST_SETTINGS]
    sure = rows.assign(sure=rows[paired.P_HOLM] <= paired.SIGNIFICANT)
    sure = sure.pivot_table(index=SIDES, columns=paired.CONTEXT, values="sure", aggfunc="max", sort=False)
    words = table.map(lambda value: signed(value).removesuffix(".0")).where(
        sure.loc[table.index, table.columns] > 0, ""
    )
    left = drawing.row_margin(order)
    bottom = drawing.upright_margin(table.columns)
    width, height = CELL * len(table.columns), 0.3 * len(table)
    figure, axes = drawing.blank(
        left + width + 0.1, height + bottom + 0.1, left=left, right=0.1, top=0.1, bottom=bottom
    )
    sns.heatmap(table, vmin=-100 * most, vmax=100 * most, cmap=DIVERGING, cbar=False, ax=axes, linewidths=1,
                annot=words, fmt="", annot_kws={"fontsize": 6.5})  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.set_yticks(np.arange(len(table)) + 0.5, [drawing.plain(drawing.folded(one)) for one in order], rotation=0)
    axes.set_xticks(
        np.arange(len(table.columns)) + 0.5, [drawing.plain(str(one)) for one in table.columns], rotation=90
    )
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure


def greatest(pooled: pd.DataFrame) -> dict[str, Any]:
    """Return the two values that differ most, either way."""
    return highest(pooled.assign(reach=pooled[paired.DIFFERENCE].abs()), "reach")


def faster(block: GridAnalysis) -> tuple[str, str] | None:
    """Return in words which of two values is the faster in every setting, and by how much, with the evidence; or None.

    By the median ratio of times from the starts from which both solve it, in each setting that has enough of them for
    an interval that holds for all at once.
    """
    known = block.comparisons[block.comparisons[paired.RATIO_LEAST].notna()]
    log = np.log(known[paired.RATIO].astype(float))
    groups = known.assign(least=np.abs(log), sign=np.sign(log)).groupby(VALUES, sort=False, observed=True)
    table = groups.agg(
        settings=("sign", "size"), sign=("sign", "mean"), least=("least", "min"), low=(paired.RATIO, "min"),
        high=(paired.RATIO, "max"), above=(paired.RATIO_LEAST, "min"), below=(paired.RATIO_MOST, "max"),
        fewest=(paired.RATIO_PAIRS, "min"), most=(paired.RATIO_PAIRS, "max"),
    )  # fmt: skip
    sure = table[(table["sign"].abs() == 1) & ((table["above"] > 1) | (table["below"] < 1))].reset_index()
    if sure.empty or sure["least"].max() < np.log(WORTH_SAYING):
        return None
    row = highest(sure, "least")
    one, other = _sides(row)
    ends = row["low"], row["high"], row["above"], row["below"]
    if row["sign"] > 0:
        one, other, ends = other, one, (1 / row["high"], 1 / row["low"], 1 / row["below"], 1 / row["above"])
    low, high, least, most = (f"{end:.2g}" for end in ends)
    settings, starts = int(row["settings"]), from_to(pd.Series([row["fewest"], row["most"]]))
    evidence = (
        f"Medians{f' in {settings:,} settings' if settings > 1 else ''}, of {starts} starts each; their exact 95 % "
        f"intervals, which hold for all {plural(len(known), 'ratio')} of this grid at once, "
        f"lie between {least} and {most}. Of starts that do not solve it with both they say nothing."
    )
    span = low if low == high else f"{low} to {high}"
    return f"{one} takes in median {span} times the iterations of {other}", evidence


def better(row: Row) -> str:
    """Return in words which of two values solves more from the same starts, over all settings."""
    one, other = _sides(row)
    difference, low, high = (row[name] for name in (paired.DIFFERENCE, *ENDS))
    if difference < 0:
        one, other = other, one
        difference, low, high = -difference, -high, -low
    return f"from the same starts {one} solves more than {other}: {points(abs(difference), low, high)} on average"


def _plain(compared: pd.DataFrame) -> pd.DataFrame:
    return compared.assign(**{side: compared[side].astype(str) for side in (paired.ONE, paired.OTHER)})


def _pairs_table(compared: pd.DataFrame, key: str) -> Table:
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
    return points(row[paired.DIFFERENCE], row[ENDS[0]], row[ENDS[1]], unit="")


def _improvement(row: Row) -> str:
    low, high = row[paired.IMPROVEMENT_LOW], row[paired.IMPROVEMENT_HIGH]
    return f"{row[paired.IMPROVEMENT]:.2f} [{low:.2f}, {high:.2f}]"

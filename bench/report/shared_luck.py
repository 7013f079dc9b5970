"""Shared luck: whose trainings have the same fate from the same start."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from bench.metrics import columns as c
from bench.report import drawing
from bench.report.charts import Chart, Content, Finding, Row, row_percent
from bench.report.colours import fate_colour
from bench.report.drawing import Floats, panel
from bench.report.number_format import percent, plural
from bench.stats.grid_analysis import NAME, GridAnalysis, highest, in_words, lowest
from bench.stats.paired_comparisons import SIGNIFICANT
from bench.stats.proportions import RATE
from bench.stats.shared_luck import (
    AGREEMENT,
    CORRELATION,
    EXPECTED,
    ONE_ID,
    OTHER_ID,
    P_HOLM,
    PAIRS,
    STARTS,
    together,
)

CELL, FATES = 0.135, 3.6  # inches of a row, and of all starts
MOST_ROWS, MOST_STARTS = 48, 400
COLOURS = "vlag"  # red where fates go together, blue where they part, white where the one says nothing of the other
FATE_COLOURS = ListedColormap([fate_colour(solved=False), fate_colour(solved=True)])


def shared_luck(block: GridAnalysis, key: str) -> Content | None:
    """Return the fates of all starts and their correlations; None where no two trials start from the same weights."""
    table = block.shared_luck
    ordered = _alike(table)
    ids = ordered[:MOST_ROWS]
    rows = block.begun[block.begun[c.TRIAL_ID].isin(ids)]
    fates = rows.astype({c.TRIAL_ID: str}).pivot_table(index=c.TRIAL_ID, columns=c.SEED, values=c.SOLVED, aggfunc="max")
    if fates.empty:
        return None
    fates = fates.loc[ids].dropna(axis=1).iloc[:, :MOST_STARTS].astype(int)
    fates = fates.iloc[:, np.lexsort(fates.to_numpy()[::-1])]
    rates = block.rates.set_index(c.TRIAL_ID)[RATE]
    names = [f"{block.trial(one)[NAME]}  {percent(rates[one], 0)}" for one in ids]
    surely = int((table[P_HOLM] <= SIGNIFICANT).sum())
    chart = Chart(
        name=f"luck-{key}",
        title=f"{surely:,} of {len(table):,} pairs of trials share their luck beyond chance"
        if len(table) > 1
        else f"Two trials {'share their luck' if surely else 'are not shown to share their luck'}",
        subtitle=f"Left, a column is one of {fates.shape[1]:,} starts, in the order of the upper rows. Right, the "
        "correlation (φ) of solved or not with every other trial that starts from the same weights, from −1 to 1.",
        note=f" {len(ordered) - len(ids)} more trials are in the numbers." if len(ordered) > len(ids) else "",
        alt=f"Which of {fates.shape[1]:,} starts solve it in {plural(len(fates), 'trial')}, and how they correlate.",
        panels=[panel("", fates_and_correlations(fates.to_numpy(), _correlations(table, ids), names, ids), wide=True)],
        data=table.drop(columns=[STARTS]).assign(**{side: _names(block, table[side]) for side in (ONE_ID, OTHER_ID)}),
        legend=[("solves it", fate_colour(solved=True)), ("does not", fate_colour(solved=False))],
    )
    return {"chart": chart}


def _names(block: GridAnalysis, ids: pd.Series) -> list[str]:
    return [str(block.trial(one)[NAME]) for one in ids]


def _alike(table: pd.DataFrame) -> list[str]:
    """Return trials in an order in which those that share their starts, and their luck, are neighbours."""
    found = []
    for _, rows in table.groupby(STARTS):
        ids = list(dict.fromkeys([*rows[ONE_ID], *rows[OTHER_ID]]))
        found += [ids[place] for place in together(np.nan_to_num(_correlations(rows, ids)))]
    return found


def _correlations(table: pd.DataFrame, ids: Sequence[str]) -> Floats:
    """Return the matrix ``[C, C]`` of correlations, not a number between trials that share no starts."""
    places = {trial_id: place for place, trial_id in enumerate(ids)}
    own = table[table[ONE_ID].isin(places) & table[OTHER_ID].isin(places)]
    first, second = (own[side].map(places).to_numpy() for side in (ONE_ID, OTHER_ID))
    matrix_CC = np.full((len(ids), len(ids)), np.nan)
    np.fill_diagonal(matrix_CC, 1)
    matrix_CC[first, second] = matrix_CC[second, first] = own[CORRELATION]
    return matrix_CC


def fates_and_correlations(solved_CS: Any, matrix_CC: Floats, names: list[str], ids: Sequence[str]) -> Figure:
    """Draw a row for each trial: the fate of every start, and its correlation with every trial."""
    left, high = drawing.upright_margin(names), max(CELL * len(names), 0.5)
    figure, axes = drawing.blank(
        left + FATES + 0.15 + high, high + 0.1, left=left, right=0.2 + high, top=0.05, bottom=0.05
    )
    width, height = figure.get_size_inches()
    beside = figure.add_axes(((left + FATES + 0.15) / width, 0.05 / height, high / width, high / height))
    sns.heatmap(solved_CS, vmin=0, vmax=1, cmap=FATE_COLOURS, cbar=False, ax=axes, rasterized=True)
    sns.heatmap(matrix_CC, vmin=-1, vmax=1, cmap=COLOURS, cbar=False, ax=beside, rasterized=True)
    for one in (axes, beside):
        one.set(xlabel="", ylabel="", xticks=[], yticks=[])
        one.grid(visible=False)
        end = one.get_xlim()[1]
        rows = [[(0, y), (end, y), (end, y + 1), (0, y + 1)] for y in range(len(ids))]
        clear = PolyCollection(rows, facecolor=(1, 1, 1, 0.002), edgecolor="none")
        drawing.mark(clear, ids)
        one.add_collection(clear, autolim=False)
    axes.set_yticks(np.arange(len(names)) + 0.5, [drawing.plain(name) for name in names], rotation=0, fontsize=6.5)
    axes.tick_params(length=0)
    return figure


def luck_findings(block: GridAnalysis) -> Iterator[Finding]:
    """Say of the two trials that share their luck most, and of the two that do least."""
    table = block.shared_luck
    known = table[table[P_HOLM] <= SIGNIFICANT]
    if len(table) < 2 or known.empty:
        return
    first = highest(known, CORRELATION)
    last = lowest(table.assign(size=table[CORRELATION].abs()), "size")
    yield Finding(
        f"{_pair(block, first)} have the same fate from {row_percent(first, AGREEMENT)} of their common starts"
        f" ({percent(first[EXPECTED])} by chance); {_pair(block, last)} from {row_percent(last, AGREEMENT)}"
        f" ({percent(last[EXPECTED])}).",
        f"The most and the least correlated of {plural(len(table), 'pair')} of trials that start from the same "
        f"weights, picked afterwards, with exact 95 % intervals that hold for all at once; n = {int(first[PAIRS]):,} "
        f"and {int(last[PAIRS]):,} starts.",
        "luck",
    )


def _pair(block: GridAnalysis, row: Row) -> str:
    one, other = (block.trial(row[side]) for side in (ONE_ID, OTHER_ID))
    different = [name for name in block.names if one[name] != other[name]]
    same = in_words(one, [name for name in block.names if name not in different and name != c.GATE])
    return f"{in_words(one, different)} and {in_words(other, different)}" + (f" (both {same})" if same else "")

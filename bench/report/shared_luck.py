"""Shared luck: whose trainings have the same fate from the same start."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from bench.metrics import columns as c
from bench.report import drawing
from bench.report.charts import Chart, Content, Finding, Row, row_percent
from bench.report.colours import fate_colour
from bench.report.drawing import Floats, panel
from bench.report.number_format import percent, plural
from bench.report.panel_layout import MOST_PANELS
from bench.stats.grid_analysis import NAME, GridAnalysis, highest, in_words, lowest
from bench.stats.paired_comparisons import SIGNIFICANT
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

CELL = 0.24  # inches
MOST_ROWS, MOST_STARTS = 48, 400  # of the picture of all fates
MOST_NAMED = 24  # trials of a panel, which have names
MOST_NUMBERED = 12  # whose cells have numbers
COLOURS = "vlag"  # red where fates go together, blue where they part, white where the one says nothing of the other


def shared_luck(block: GridAnalysis, key: str) -> Content | None:
    """Return the fates of all starts, and their correlations; None where no two trials start from the same weights."""
    charts = [chart for chart in (_fates(block, key), _correlations(block, key)) if chart is not None]
    return {"charts": charts} if len(charts) > 1 else None


def _fates(block: GridAnalysis, key: str) -> Chart | None:
    """Return the starts as columns and the trials as rows, the alike beside each other."""
    ids = list(dict.fromkeys([*block.shared_luck[ONE_ID], *block.shared_luck[OTHER_ID]]))[:MOST_ROWS]
    if not ids:
        return None
    rows = block.begun[block.begun[c.TRIAL_ID].isin(ids)]
    fates = rows.astype({c.TRIAL_ID: str}).pivot_table(index=c.TRIAL_ID, columns=c.SEED, values=c.SOLVED, aggfunc="max")
    fates = fates.loc[_alike(block, ids)].dropna(axis=1).iloc[:, :MOST_STARTS].astype(int)
    if fates.empty:
        return None
    order = np.lexsort(fates.to_numpy()[::-1])
    fates = fates.iloc[:, order]
    names = [
        f"{block.trial(one)[NAME]}  {percent(share, 0)}"
        for one, share in zip(fates.index, fates.mean(axis=1), strict=True)
    ]
    return Chart(
        name=f"fates-{key}",
        title="Same start, same fate?",
        subtitle=f"A column is one of {fates.shape[1]:,} starts, in the order of the upper rows; a row is a trial with "
        "the share that solves it.",
        alt=f"Which of {fates.shape[1]:,} starts solve it in {plural(len(fates), 'trial')}.",
        panels=[panel("", fate_matrix(fates.to_numpy(), names), wide=True)],
        data=pd.DataFrame(fates.to_numpy(), index=pd.Index(names, name=NAME), columns=fates.columns).reset_index(),
        legend=[("solves it", fate_colour(solved=True)), ("does not", fate_colour(solved=False))],
    )


def _alike(block: GridAnalysis, ids: list[str]) -> list[str]:
    """Return trials in an order in which those that share their starts, and their luck, are neighbours."""
    table, found = block.shared_luck, []
    for _, rows in table[table[ONE_ID].isin(ids) & table[OTHER_ID].isin(ids)].groupby(STARTS):
        own, matrix_CC = _correlation_matrix(rows)
        found += [own[place] for place in together(matrix_CC)]
    return found


def fate_matrix(solved_CS: Any, names: list[str]) -> Figure:
    """Draw a cell for each trial and start, in the colour of its fate."""
    left = drawing.upright_margin(names)
    figure, axes = drawing.blank(left + 5.2, 0.2 + 0.16 * len(names), left=left, right=0.1, top=0.1, bottom=0.1)
    colours = ListedColormap([fate_colour(solved=False), fate_colour(solved=True)])
    sns.heatmap(solved_CS, vmin=0, vmax=1, cmap=colours, cbar=False, ax=axes, rasterized=True)
    axes.set(xlabel="", ylabel="", xticks=[])
    axes.set_yticks(np.arange(len(names)) + 0.5, [drawing.plain(name) for name in names], rotation=0, fontsize=6.5)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure


def _correlations(block: GridAnalysis, key: str) -> Chart | None:
    """Return the correlations of fates, a panel for trials that start from the same weights; None where none do."""
    table = block.shared_luck
    groups = [rows for _, rows in table.groupby(STARTS) if rows[CORRELATION].notna().all()]
    if not groups:
        return None
    groups.sort(key=len, reverse=True)
    surely = int((table[P_HOLM] <= SIGNIFICANT).sum())
    return Chart(
        name=f"luck-{key}",
        title=f"{surely:,} of {len(table):,} pairs of trials share their luck beyond chance"
        if len(table) > 1
        else f"Two trials {'share their luck' if surely else 'are not shown to share their luck'}",
        subtitle="Correlation of solved or not (φ) over common starts: 1 where two trials solve it from the same "
        "starts, 0 where the one says nothing of the other. Those whose luck goes together are neighbours.",
        note=f" {len(groups) - MOST_PANELS} more groups are in the numbers." if len(groups) > MOST_PANELS else "",
        alt=f"Matrices of correlations of {plural(len(table), 'pair')} of trials.",
        panels=[panel(*_matrix(block, rows)) for rows in groups[:MOST_PANELS]],
        data=table.drop(columns=[STARTS]).assign(**{side: _names(block, table[side]) for side in (ONE_ID, OTHER_ID)}),
    )


def _names(block: GridAnalysis, ids: pd.Series) -> list[str]:
    return [str(block.trial(one)["name"]) for one in ids]


def _matrix(block: GridAnalysis, rows: pd.DataFrame) -> tuple[str, Figure]:
    """Return what the trials of a panel have in common, and their matrix in an order that puts the like together."""
    ids, matrix_CC = _correlation_matrix(rows)
    ordered = together(matrix_CC)
    own = [block.trial(ids[place]) for place in ordered]
    different = [name for name in block.names if len({one[name] for one in own}) > 1]
    names = [drawing.plain(in_words(one, different)) if len(ids) <= MOST_NAMED else "" for one in own]
    same = in_words(own[0], [name for name in block.names if name not in different])
    return same, _heatmap(pd.DataFrame(matrix_CC[np.ix_(ordered, ordered)], names, names))


def _correlation_matrix(rows: pd.DataFrame) -> tuple[list[str], Floats]:
    """Return the trials of some pairs, and the matrix ``[C, C]`` of their correlations."""
    ids = list(dict.fromkeys([*rows[ONE_ID], *rows[OTHER_ID]]))
    places = {trial_id: place for place, trial_id in enumerate(ids)}
    matrix_CC = np.eye(len(ids))
    first, second = (rows[side].map(places).to_numpy() for side in (ONE_ID, OTHER_ID))
    matrix_CC[first, second] = matrix_CC[second, first] = rows[CORRELATION].fillna(0)
    return ids, matrix_CC


def _heatmap(matrix: pd.DataFrame) -> Figure:
    size = max(CELL * len(matrix), 1.2)
    left = drawing.upright_margin(matrix.index)
    figure, axes = drawing.blank(left + size + 0.1, size + 0.2, left=left, right=0.1, top=0.1, bottom=0.1)
    numbered = len(matrix) <= MOST_NUMBERED
    sns.heatmap(
        matrix, vmin=-1, vmax=1, cmap=COLOURS, cbar=False, ax=axes, square=True, linewidths=0.5 if numbered else 0,
        annot=matrix.round(1) + 0.0 if numbered else False, fmt=".1f", annot_kws={"fontsize": 6},
    )  # fmt: skip
    axes.tick_params(length=0)
    axes.set_xticks([])  # the columns are in the order of the rows
    axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
    axes.grid(visible=False)
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

"""Combinations: the best of each variant in each setting, on held-out seeds, against the first variant."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.config.search_config import SAMPLERS
from bench.config.search_space import Range
from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.metrics.objectives import OBJECTIVES, SOLVED_RATE
from bench.model.display_labels import spoken
from bench.model.outcome import Result
from bench.report.charts import (
    Cell,
    Chart,
    Column,
    Content,
    Row,
    Table,
    csv_uri,
    number,
    numbers,
    row_percent,
    tabulate,
    text,
)
from bench.report.colours import DIM, OUTCOMES
from bench.report.combination_findings import combination_findings
from bench.report.drawing import mark, named_rows, panel, short_id
from bench.report.ledger import command_of
from bench.report.number_format import NONE, change_words, p_value, percent, plural, points, signed
from bench.report.sweep_data import SweepData
from bench.stats.combinations import (
    AS_SEARCHED,
    AT_THE_EDGE,
    DIFFERENCE,
    DIFFERENCE_HIGH,
    DIFFERENCE_LOW,
    P_HOLM,
    PAIRS,
    SETTING,
    VARIANT,
    CombinationResults,
)  # fmt: skip
from bench.stats.grid_analysis import DIGITS
from bench.stats.holdout import OPTIMISM
from bench.stats.proportions import COUNT, RATE

MORE, FEWER = OUTCOMES[Result.SOLVED], OUTCOMES[Result.STUCK]
FULL = 0.5  # a difference whose cell has its full colour
FAINTEST, FULLEST = 12, 55  # per cent of colour in a cell
ROOM = 1.05
ARROWS = {"low": "↓", "high": "↑"}
CLOCKS = {"optuna": "in Optuna", "train": "in training", "track": "in MLflow"}


def combinations(data: SweepData) -> Content | None:
    """Return the sentences, the chart of differences, the table of the best, and how they were searched."""
    found = data.combinations
    if found is None or found.table.empty:
        return None
    seconds = (found.saved or {}).get("seconds") or {}
    return {
        "found": found,
        "summary": _summary(found),
        "chart": differences_chart(found) if len(found.compared) else None,
        "table": _table(found),
        "objective": OBJECTIVES[found.primary].measures,
        "sampler": f"{SAMPLERS[found.search.sampler].words} ({found.search.sampler})",
        "spent": [(words, seconds[name]) for name, words in CLOCKS.items() if name in seconds],
    }


def _summary(found: CombinationResults) -> list[str]:
    """Return the findings, each evidence once, after the last that it is the evidence of."""
    said = list(combination_findings(found))
    after = {one.evidence: place for place, one in enumerate(said)}
    return [
        f"{one.sentence} {one.evidence}" if after[one.evidence] == n else one.sentence for n, one in enumerate(said)
    ]


# ------------------------------------------------------------------ variants by settings


def matrix(found: CombinationResults) -> Content | None:
    """Return the rows and columns of the first screen's table; None before anything was trained on held-out seeds."""
    if not found.table[RATE].notna().any():
        return None
    rows = {(row[VARIANT], row[SETTING]): row for row in found.table.to_dict("records")}
    count = found.table[COUNT].dropna()
    return {
        "settings": found.settings,
        "rows": [
            (name, [_cell(found, rows[name, one]) if (name, one) in rows else None for one in found.settings])
            for name in found.variants
        ],
        "first": found.variants[0],
        "starts": int(count.min()),
        "comparisons": len(found.compared),
        "edges": bool(found.table[AT_THE_EDGE].map(bool).any()),
        "tuned": " and ".join(name.replace("_", " ") for name in found.search.space),
        "csv": csv_uri(_plain(found.table)),
    }


def _cell(found: CombinationResults, row: Row) -> Content:
    """Return a cell: the change and its interval, the solved rate, and what was tuned."""
    is_first = row[VARIANT] == found.variants[0]
    low, high = row[DIFFERENCE_LOW], row[DIFFERENCE_HIGH]
    kind = "more" if low > 0 else "fewer" if high < 0 else "alike"
    strength = FAINTEST + (FULLEST - FAINTEST) * min(abs(row[DIFFERENCE]) / FULL, 1) if kind != "alike" else 0
    edges = row[AT_THE_EDGE] or {}
    values = [_value(name, row[name], edges.get(name, "")) for name in found.search.space]
    return {
        "trial": short_id(row[c.TRIAL_ID]),
        "change": "" if is_first or pd.isna(low) else signed(100 * row[DIFFERENCE]),
        "between": "" if is_first or pd.isna(low) else f"[{signed(100 * low)}, {signed(100 * high)}]",
        "rate": row_percent(row),
        "tuned": " · ".join(filter(None, values)),
        "kind": "" if is_first else kind,
        "strength": round(strength),
    }


def _value(name: str, value: Any, end: str) -> str:
    """Return a tuned value, with an arrow where it lies at an end of its range."""
    if value is None or pd.isna(value):
        return ""
    return f"{spoken(name, value, 3)}{ARROWS.get(end, '')}"


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{AT_THE_EDGE: [", ".join(ends or ()) for ends in table[AT_THE_EDGE]]})


# ------------------------------------------------------------------ chart


def differences_chart(found: CombinationResults) -> Chart:
    """Return a panel for each setting with a row for each variant: its difference to the first one."""
    compared, first = found.compared, found.variants[0]
    ends = compared[[DIFFERENCE_LOW, DIFFERENCE_HIGH]].abs().to_numpy()
    reach = float(np.clip(ends.max(), 0.02, 1))
    panels = [
        panel(setting, differences(compared[compared[SETTING] == setting], reach))
        for setting in found.settings
        if (compared[SETTING] == setting).any()
    ]
    helps = int((compared.groupby(VARIANT)[DIFFERENCE_LOW].max() > 0).sum())
    variants = plural(compared[VARIANT].nunique(), "variant")
    return Chart(
        name="changes",
        title=f"{helps} of {variants} solve more than {first} somewhere, beyond chance"
        if helps
        else f"None of {variants} solves more than {first}, beyond chance",
        subtitle="Change in the share of held-out starts that are solved, in points, start by start against "
        f"{first}; n = {int(compared[PAIRS].min()):,}; lines: 95 % intervals that hold for all "
        f"{plural(len(compared), 'comparison')} at once.",
        note=f"Each is the best of {plural(found.search.trials, 'trial')}, tuned by itself.",
        alt=f"Differences in solved rate of {variants} in {plural(len(panels), 'setting')}, from "
        f"{points(compared[DIFFERENCE].min())} to {points(compared[DIFFERENCE].max())}.",
        panels=panels,
        data=_plain(compared),
        legend=[("solves more", MORE), ("solves fewer", FEWER), ("cannot be told apart", DIM)],
    )


def differences(rows: pd.DataFrame, reach: float) -> Figure:
    """Draw the difference of each variant with its interval, coloured by its sign where it is beyond chance."""
    figure, axes = named_rows(rows[VARIANT], "points", least=2.1, right=0.24)
    lows, highs = rows[DIFFERENCE_LOW].to_numpy(), rows[DIFFERENCE_HIGH].to_numpy()
    colours = np.where(lows > 0, MORE, np.where(highs < 0, FEWER, DIM)).tolist()
    places = np.arange(len(rows))
    lines = axes.hlines(places, lows, highs, colors=colours, linewidth=2, alpha=0.6)
    dots = axes.scatter(rows[DIFFERENCE], places, c=colours, s=18, zorder=3)
    for artist in (lines, dots):
        mark(artist, rows[c.TRIAL_ID])
    axes.axvline(0, color="0.5", linewidth=0.8)
    axes.set_xlim(-ROOM * reach, ROOM * reach)
    axes.xaxis.set_major_locator(MaxNLocator(5, symmetric=True))
    axes.xaxis.set_major_formatter(lambda value, _: signed(100 * value).removesuffix(".0"))
    return figure


# ------------------------------------------------------------------ table


def _table(found: CombinationResults) -> Table:
    """Return a row for each combination, with all that is known of its best and the command that trains it again."""
    seeds = write_seeds(found.search.held_out)
    commands = [command_of(found.planned[str(name)].trial.parameters, seeds, None) for name in found.table[c.TRIAL_ID]]
    columns = [
        text("variant", VARIANT, title=lambda row: row[c.TRIAL_ID], kind=lambda _: "name"),
        *([text("setting", SETTING)] if any(found.settings) else []),
        numbers("change [95 %]", DIFFERENCE, of_row=_change),
        numbers("p (Holm)", P_HOLM, p_value),
        numbers("solved, held out", RATE, of_row=row_percent),
        numbers("solved, as searched", AS_SEARCHED, percent),
        numbers("optimism", OPTIMISM[0], of_row=_gap),
        *(_parameter(found, name) for name in found.search.space),
        text("command", "command", command=lambda _: True),
    ]
    rows = found.table.assign(command=commands)
    label = f"The best of {plural(len(rows), 'combination')}"
    return tabulate("combinations-best-1", label, rows, columns, _plain(rows))


def change_cell(found: CombinationResults, row: Row) -> str:
    """Return what a terminal shows of a combination: the solved rate of the first variant, the others' change."""
    return row_percent(row) if row[VARIANT] == found.variants[0] else _change(row)


def _change(row: Row) -> str:
    return (
        NONE
        if pd.isna(row[DIFFERENCE])
        else points(row[DIFFERENCE], row[DIFFERENCE_LOW], row[DIFFERENCE_HIGH], unit="")
    )


def _gap(row: Row) -> str:
    return change_words(SOLVED_RATE, *(row[name] for name in OPTIMISM)).replace(" points", "")


def _parameter(found: CombinationResults, name: str) -> Column:
    """Return the column of a searched parameter, marked where it lies at an end of its range."""
    is_number = isinstance(found.search.space[name].over, Range)

    def cell(row: Row) -> Cell:
        value = row[name]
        if value is None or pd.isna(value):
            return Cell(NONE)
        words = f"{spoken(name, value, DIGITS)}{', at the edge' if name in (row[AT_THE_EDGE] or {}) else ''}"
        return number(words, pd.to_numeric(value, errors="coerce")) if is_number else Cell(words)

    return Column(name, cell, is_number=is_number)

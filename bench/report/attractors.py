"""Where the failures end up: patterns of final predictions that stuck and slow trainings share."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.report.charts import Cell, Chart, Table, number
from bench.report.colours import STEPS, order
from bench.report.drawing import log_range, panel
from bench.report.loss_curves import Line, typical
from bench.report.number_format import p_value, percent, percent_interval, plural, short
from bench.stats import attractors as found
from bench.stats import final_patterns
from bench.stats.block_analysis import NAME, BlockAnalysis, highest
from bench.stats.curves import ITERATION
from bench.stats.final_patterns import PATTERN
from bench.stats.paired_comparisons import SIGNIFICANT
from bench.stats.proportions import COUNT, HIGH, LOW

MOST_LINES = 5
NEAR = 0.03  # of a loss: closer lines cannot be told apart


def attractors(study: BlockAnalysis, key: str) -> dict[str, Any] | None:
    """Return the table of attractors, their typical curves and the test of the wrong observation; None without any."""
    table = study.attractors
    if table.empty:
        return None
    return {
        "summary": _summary(table),
        "table": _table(table, key),
        "chart": _chart(study, key),
        "wrong": _wrong(study, key),
    }


def _summary(table: pd.DataFrame) -> str:
    named = table[table[PATTERN] != found.ELSEWHERE]
    unsolved = int(table[COUNT].sum())
    if named.empty:
        return f"The {plural(unsolved, 'training')} that did not solve it end scattered: no ending is shared by many."
    share = named[COUNT].sum() / unsolved
    first = highest(named, COUNT)
    return (
        f"{plural(len(named), 'ending')} {'holds' if len(named) == 1 else 'hold'} {percent(share)} of the "
        f"{plural(unsolved, 'training')} that are stuck or slow; the commonest is {first[PATTERN]} "
        f"({first[c.GATE]}, {first[COUNT]:,} trainings, median error {short(first[c.FINAL_MSE])})."
    )


def _table(table: pd.DataFrame, key: str) -> Table:
    headings = ["gate", "ends at", "trainings", "of all begun [95 %]", "of the unsolved", "mse", "wrong", "trials"]
    rows = [
        [
            Cell(row[c.GATE]),
            Cell(row[PATTERN], glyph=_shades(row[found.CENTRE])),
            number(f"{row[COUNT]:,}", row[COUNT]),
            number(percent_interval(row[found.SHARE], row[LOW], row[HIGH]), row[found.SHARE]),
            number(percent(row[found.OF_UNSOLVED]), row[found.OF_UNSOLVED]),
            number(short(row[c.FINAL_MSE]), row[c.FINAL_MSE]),
            Cell(_which(row)),
            number(f"{row[found.TRIALS]:,}", row[found.TRIALS]),
        ]
        for row in table.to_dict("records")
    ]
    data = table.assign(**{found.CENTRE: [_listed(one) for one in table[found.CENTRE]]})
    data[found.WHICH] = [_listed(one) for one in table[found.WHICH]]
    numbers = frozenset(["trainings", "of all begun [95 %]", "of the unsolved", "mse", "trials"])
    return Table(f"attractors-{key}", "Where stuck and slow trainings end", headings, rows, data, numbers)


def _shades(centre: Any) -> Sequence[str]:
    """Return a grey for each prediction: white is 0, black is 1."""
    if centre is None:
        return ()
    return [f"hsl(0 0% {100 - 100 * float(value):.0f}%)" for value in np.clip(centre, 0, 1)]


def _which(row: Mapping[Any, Any]) -> str:
    if row[found.WHICH] is None:
        return "–"
    observations = ", ".join(str(one) for one in row[found.WHICH])
    undecided = f"{row[found.UNDECIDED]} undecided" if row[found.UNDECIDED] else ""
    return " and ".join(part for part in (observations, undecided) if part) or "none"


def _listed(values: Any) -> str:
    return "" if values is None else " ".join(f"{float(value):.4g}" for value in values)


# ------------------------------------------------------------------ typical curves


def _chart(study: BlockAnalysis, key: str) -> Chart | None:
    curves = study.typical
    if curves.empty or not (curves[found.MEDIAN] > 0).any():
        return None
    panels = []
    common = dict.fromkeys(str(name) for name in study.attractors[PATTERN] if name != found.ELSEWHERE)
    colours = dict(zip(list(common)[:STEPS], order(min(len(common), STEPS)), strict=True))
    for (gate, loss), rows in curves.groupby([c.GATE, c.LOSS], sort=False, observed=True):
        patterns = [str(name) for name in dict.fromkeys(rows[PATTERN]) if name in colours][:MOST_LINES]
        own = rows[rows[PATTERN].isin(patterns)].replace(np.inf, np.nan)
        if not (own[found.MEDIAN] > 0).any():
            continue
        lines = _merged(own, patterns, colours)
        panels.append(panel(f"{gate} {loss}", typical(lines, log_range(own[found.MEDIAN]))))
    return Chart(
        name=f"typical-{key}",
        title="What training looks like on the way there",
        subtitle="Median loss before each iteration of the trainings that end at each pattern, logarithmic; one panel "
        "per loss, whose units differ.",
        caption="A line that is level from early on is a plateau that was never left; a line that still falls at the "
        "right edge belongs to trainings that ran out of budget.",
        alt="Median loss curves of the most frequent attractors.",
        panels=panels,
        data=curves,
    )


def _merged(rows: pd.DataFrame, patterns: Sequence[str], colours: Mapping[str, str]) -> list[Line]:
    """Return a line for each pattern, and one for those together whose losses are the same all the way."""
    lines: list[Line] = []
    for pattern in patterns:
        own = rows[rows[PATTERN] == pattern]
        at, loss = own[ITERATION].to_numpy(), own[found.MEDIAN].to_numpy(dtype=np.float64)
        same = [line for line in lines if len(line.loss) == len(loss) and np.allclose(line.loss, loss, rtol=NEAR)]
        if same:
            same[0].names.append(pattern)
        else:
            lines.append(Line([pattern], colours[pattern], at, loss))
    return lines


# ------------------------------------------------------------------ the wrong observation


def _wrong(study: BlockAnalysis, key: str) -> dict[str, Any] | None:
    tested = study.wrong
    if tested.empty or tested[final_patterns.N].sum() < 2:
        return None
    return {"summary": _wrong_summary(tested), "table": _wrong_table(study, tested, key)}


def _wrong_summary(tested: pd.DataFrame) -> str:
    uneven = int((tested[final_patterns.P_HOLM] <= SIGNIFICANT).sum())
    parts = []
    for row in final_patterns.wrong_observation_summary(tested).to_dict("records"):
        shares = ", ".join(
            f"{percent(count / row[final_patterns.N], 0)} observation {place}"
            for place, count in enumerate(row[final_patterns.COUNTS], 1)
        )
        parts.append(f"On {row[c.GATE]}, of {plural(row[final_patterns.N], 'training')} with one wrong: {shares}.")
    verdict = (
        f"In {plural(uneven, 'trial')} of {len(tested):,} the choice is not uniform over the seeds."
        if uneven
        else f"A preference could be shown in none of {plural(len(tested), 'trial')}."
    )
    return " ".join([*parts, verdict])


def _wrong_table(study: BlockAnalysis, tested: pd.DataFrame, key: str) -> Table:
    most = max(len(counts) for counts in tested[final_patterns.COUNTS])
    observations = [f"observation {place}" for place in range(1, most + 1)]
    headings = ["trial", *observations, "trainings", "χ²", "p (Holm)"]
    rows = []
    for row in study.named(tested).to_dict("records"):
        counts = [*row[final_patterns.COUNTS], *[None] * (most - len(row[final_patterns.COUNTS]))]
        rows.append(
            [
                Cell(row[NAME]),
                *(number("" if count is None else f"{count:,}", count) for count in counts),
                number(f"{row[final_patterns.N]:,}", row[final_patterns.N]),
                number(short(row[final_patterns.CHI2]), row[final_patterns.CHI2]),
                number(p_value(row[final_patterns.P_HOLM]), row[final_patterns.P_HOLM]),
            ]
        )
    data = tested.assign(**{final_patterns.COUNTS: [_listed(counts) for counts in tested[final_patterns.COUNTS]]})
    label = "Which observation is wrong, by trial"
    return Table(f"wrong-{key}", label, headings, rows, data, frozenset(headings[1:]))

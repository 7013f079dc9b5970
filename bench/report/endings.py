"""Where trainings end: their final errors, and the patterns of final predictions that those unsolved share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.report import drawing
from bench.report.charts import Cell, Chart, Column, Content, Row, Table, number, numbers, row_percent, tabulate, text
from bench.report.colours import OUTCOMES, STEPS, order, outcome_legend
from bench.report.drawing import Floats, panel
from bench.report.loss_curves import loss_axes
from bench.report.number_format import (
    NONE,
    counted,
    gate_word,
    p_value,
    percent,
    percent_interval,
    plural,
    short,
    whole,
)
from bench.report.panel_layout import MOST_FOLDED, MOST_PANELS, layout, only_shown
from bench.stats.attractors import CENTRE, ELSEWHERE, MEDIAN, OF_UNSOLVED, SHARE, TRIALS, UNDECIDED, WHICH
from bench.stats.budget_checks import CHECKED
from bench.stats.curves import ITERATION
from bench.stats.final_patterns import CHI2, COUNTS, P_HOLM, PATTERN, N, wrong_observation_summary
from bench.stats.grid_analysis import NAME, GridAnalysis, highest
from bench.stats.paired_comparisons import SIGNIFICANT
from bench.stats.proportions import COUNT, HIGH, LOW, RATE

# ------------------------------------------------------------------ final errors

BINS = 56
FEW = 24  # trainings of a row that are drawn one by one
ROW = 0.34  # inches
LOWEST = 1e-9  # errors below are drawn here: they are solved to more digits than matter
MOST_ROWS = 12
DECADE = "log10_mse_from"


def final_errors(block: GridAnalysis, key: str) -> Content | None:
    """Return the ridges of final errors by trial, or None where no error is finite."""
    finite = block.trained[np.isfinite(block.trained[c.FINAL_MSE])]
    if finite.empty:
        return None
    finite = finite.assign(**{c.TRIAL_ID: finite[c.TRIAL_ID].astype(str)})
    by_trial = dict(iter(finite.groupby(c.TRIAL_ID, sort=False)))
    positive = finite[c.FINAL_MSE][finite[c.FINAL_MSE] > 0]
    low = max(float(positive.min()), LOWEST) if len(positive) else LOWEST
    ends = (10 ** np.floor(np.log10(low)), 1.0)
    plan = layout(block)
    trials = block.trials.reset_index()
    drawn = []
    shown = only_shown(block, trials, MOST_ROWS) if plan.is_list else trials
    for title, rows in plan.panels(shown)[: MOST_PANELS + MOST_FOLDED]:
        own = [(name, by_trial.get(row[c.TRIAL_ID])) for name, row in plan.rows(rows)]
        kept = [(name, trainings) for name, trainings in own if trainings is not None]
        if kept:
            drawn.append(panel(title, ridges(kept, ends)))
    legend = outcome_legend(finite[c.OUTCOME])
    chart = Chart(
        name=f"errors-{key}",
        title=_errors_title(finite),
        subtitle=f"Mean squared error after the last iteration, logarithmic; {counted(finite)}.",
        alt=f"Distribution of final errors by trial: {', '.join(name for name, _ in legend)}.",
        panels=drawn[:MOST_PANELS],
        more=drawn[MOST_PANELS:],
        data=_histogram(block, finite),
        legend=legend,
    )
    return {"chart": chart}


def _errors_title(finite: pd.DataFrame) -> str:
    """Say what became of the trainings whose errors these are."""
    words = {
        Result.SOLVED: ("All trainings end at a solution", " end at a solution"),
        Result.STUCK: ("All trainings are level when the budget ends", " are level when the budget ends"),
        Result.SLOW: ("All trainings are still falling when the budget ends", " still falling"),
    }
    shares = {name: float((finite[c.OUTCOME] == name).mean()) for name in words}
    whole = [words[name][0] for name, share in shares.items() if share == 1]
    return (
        whole[0] if whole else ", ".join(f"{percent(share)}{words[name][1]}" for name, share in shares.items() if share)
    )


def _histogram(block: GridAnalysis, finite: pd.DataFrame) -> pd.DataFrame:
    """Return how many trainings of each trial and outcome end in each tenth of a decade."""
    values = finite[c.FINAL_MSE].to_numpy(dtype=np.float64).clip(LOWEST, None)
    table = finite[[c.TRIAL_ID]].assign(
        **{c.OUTCOME: finite[c.OUTCOME].astype(str), DECADE: np.floor(np.log10(values) * 10) / 10}
    )
    counts = table.groupby([c.TRIAL_ID, c.OUTCOME, DECADE], sort=False).size().reset_index(name="trainings")
    return counts.assign(**{NAME: counts[c.TRIAL_ID].map(block.trials[NAME])})


def ridges(rows: Sequence[tuple[str, pd.DataFrame]], ends: tuple[float, float]) -> Figure:
    """Draw a ridge for each row: how many trainings end at which error, stacked by outcome; few are drawn singly.

    Each row's ridge has its own height. Errors at and beyond the ends of the axis are drawn at its ends.
    """
    names = [drawing.folded(name) for name, _ in rows]
    left = drawing.row_margin(names)
    size = max(drawing.WIDTH, left + 2.1), 0.55 + ROW * len(rows)
    figure, axes = drawing.blank(*size, left=left, right=0.2, top=0.08, bottom=0.44)
    drawing.log_axis(axes, "x", *ends)
    edges = np.geomspace(*ends, BINS + 1)
    for base, (_, trainings) in zip(reversed(range(len(rows))), rows, strict=True):
        values = trainings[c.FINAL_MSE].to_numpy(dtype=np.float64).clip(*ends)
        outcomes = trainings[c.OUTCOME].to_numpy(dtype=np.str_)
        (_strip if len(trainings) <= FEW else _ridge)(axes, base, values, outcomes, edges)
    axes.set_yticks(np.arange(len(rows)), [drawing.plain(name) for name in reversed(names)])
    axes.set_ylim(-0.12, len(rows) - 0.05)
    axes.set_xlabel("final mean squared error")
    return figure


def _ridge(axes: Axes, base: float, values: Floats, outcomes: NDArray[np.str_], edges: Floats) -> None:
    counts = {name: np.histogram(values[outcomes == name], edges)[0] for name in OUTCOMES if (outcomes == name).any()}
    scale = 0.82 / max(int(np.sum(list(counts.values()), axis=0).max()), 1)
    below = np.zeros(len(edges) - 1)
    for name, count in counts.items():
        floor, top = (np.append(base + some * scale, base) for some in (below, below + count))
        x, low, high = drawing.stepped(edges, floor, top)
        drawing.area(axes, x, low, high, OUTCOMES[name])
        below = below + count


def _strip(axes: Axes, base: float, values: Floats, outcomes: NDArray[np.str_], edges: Floats) -> None:
    """Draw a mark for each training, marks of the same bin above each other."""
    ordered = np.argsort(values, kind="stable")
    bins = np.clip(np.searchsorted(edges, values[ordered], side="right") - 1, 0, len(edges) - 2)
    height = pd.Series(bins).groupby(bins).cumcount().to_numpy()
    step = 0.8 / max(height.max(initial=0) + 1, 8)
    colours = [OUTCOMES[name] for name in outcomes[ordered]]
    middles = np.sqrt(edges[bins] * edges[bins + 1])
    axes.scatter(middles, base + 0.06 + height * step, c=colours, s=9, linewidths=0)


# ------------------------------------------------------------------ attractors

MOST_LINES = 5
NEAR = 0.03  # of a loss: closer lines cannot be told apart


def attractors(block: GridAnalysis, key: str) -> Content | None:
    """Return the table of attractors, their typical curves and the test of the wrong observation; None without any."""
    table = block.attractors
    if table.empty:
        return None
    return {
        "summary": _attractors_summary(table),
        "checks": [check_words(row) for row in block.budget_checks.to_dict("records")],
        "table": _attractors_table(table, key),
        "chart": _typical_chart(block, key),
        "wrong": _wrong(block, key),
    }


def check_words(check: Row, pattern: str = "") -> str:
    """Return in words how many of what looked stuck, or ended at a pattern, was only slow."""
    count, size = check[c.SOLVED], check[CHECKED]
    solved = f"{count:,} {'solves' if count == 1 else 'solve'} it" if count else "none solves it"
    what = f"{plural(size, f'{gate_word(check[c.GATE])} training')} that {'end there' if pattern else 'looked stuck'}"
    return (
        f"Of {what}, drawn at random and trained on to ten times the budget, {solved}: "
        f"{percent_interval(check[RATE], check[LOW], check[HIGH])}."
    )


def _attractors_summary(table: pd.DataFrame) -> str:
    named = table[table[PATTERN] != ELSEWHERE]
    unsolved = int(table[COUNT].sum())
    if named.empty:
        return f"The {plural(unsolved, 'training')} that did not solve it end scattered: no ending is shared by many."
    first = highest(named, COUNT)
    return (
        f"{plural(len(named), 'ending')} {'holds' if len(named) == 1 else 'hold'} "
        f"{percent(named[COUNT].sum() / unsolved)} of the {plural(unsolved, 'training')} that are stuck or slow; the "
        f"commonest is {first[PATTERN]} ({gate_word(first[c.GATE])}, {first[COUNT]:,} trainings, median squared "
        f"error {short(first[c.FINAL_MSE])})."
    )


def _attractors_table(table: pd.DataFrame, key: str) -> Table:
    columns = [
        text("gate", c.GATE),
        text("ends at", PATTERN, glyph=_shades),
        numbers("trainings", COUNT),
        numbers("of all begun [95 %]", SHARE, of_row=lambda row: row_percent(row, SHARE)),
        numbers("of the unsolved", OF_UNSOLVED, percent),
        numbers("mse", c.FINAL_MSE, short),
        text("wrong", _which),
        numbers("trials", TRIALS),
    ]
    data = table.assign(**{name: [_listed(one) for one in table[name]] for name in (CENTRE, WHICH)})
    return tabulate(f"attractors-{key}", "Where stuck and slow trainings end", table, columns, data)


def _shades(row: Row) -> Sequence[str]:
    """Return a grey for each prediction: white is 0, black is 1."""
    centre = () if row[CENTRE] is None else np.clip(row[CENTRE], 0, 1)
    return [f"hsl(0 0% {100 - 100 * float(value):.0f}%)" for value in centre]


def _which(row: Row) -> str:
    if row[WHICH] is None:
        return NONE
    observations = ", ".join(str(one) for one in row[WHICH])
    undecided = f"{row[UNDECIDED]} undecided" if row[UNDECIDED] else ""
    return " and ".join(part for part in (observations, undecided) if part) or "none"


def _listed(values: Any) -> str:
    return "" if values is None else " ".join(f"{float(value):.4g}" for value in values)


# ------------------------------------------------------------------ typical curves


@dataclass(frozen=True, eq=False)
class Line:
    """A line of a figure: the patterns that end in it, its colour, and its loss at recorded iterations."""

    patterns: list[str]
    colour: str
    iterations: NDArray[np.int64]
    loss: Floats

    @property
    def budget(self) -> int:
        """The iteration after the last recorded one that a recorded one would be at."""
        step = self.iterations[1] - self.iterations[0] if len(self.iterations) > 1 else 0
        return int(self.iterations[-1] + step)

    @property
    def name(self) -> str:
        """Its first two patterns, and how many there are more."""
        more = f" +{len(self.patterns) - 2}" if len(self.patterns) > 2 else ""
        return "\n".join(self.patterns[:2]) + more


def _typical_chart(block: GridAnalysis, key: str) -> Chart | None:
    curves = block.typical
    if curves.empty or not (curves[MEDIAN] > 0).any():
        return None
    panels = []
    common = list(dict.fromkeys(str(name) for name in block.attractors[PATTERN] if name != ELSEWHERE))[:STEPS]
    colours = dict(zip(common, order(len(common)), strict=True))
    for (gate, loss), rows in curves.groupby([c.GATE, c.LOSS], sort=False, observed=True):
        patterns = [str(name) for name in dict.fromkeys(rows[PATTERN]) if name in colours][:MOST_LINES]
        own = rows[rows[PATTERN].isin(patterns)].replace(np.inf, np.nan)
        if (own[MEDIAN] > 0).any():
            lines = _merged(own, patterns, colours)
            panels.append(panel(f"{gate} {loss}", typical(lines, drawing.log_range(own[MEDIAN]))))
    return Chart(
        name=f"typical-{key}",
        title="What training looks like on the way there",
        subtitle="Median loss before each iteration of the trainings that end at each pattern, logarithmic; one panel "
        "per loss, whose units differ.",
        alt="Median loss curves of the most frequent attractors.",
        panels=panels,
        data=curves,
    )


def _merged(rows: pd.DataFrame, patterns: Sequence[str], colours: Mapping[str, str]) -> list[Line]:
    """Return a line for each pattern, and one for those together whose losses are the same all the way."""
    lines: list[Line] = []
    for pattern in patterns:
        own = rows[rows[PATTERN] == pattern]
        at, loss = own[ITERATION].to_numpy(), own[MEDIAN].to_numpy(dtype=np.float64)
        same = [line for line in lines if len(line.loss) == len(loss) and np.allclose(line.loss, loss, rtol=NEAR)]
        if same:
            same[0].patterns.append(pattern)
        else:
            lines.append(Line([pattern], colours[pattern], at, loss))
    return lines


def typical(lines: Sequence[Line], ends: tuple[float, float]) -> Figure:
    """Draw the median loss of the trainings that end at each pattern."""
    right = drawing.end_margin(part for one in lines for part in one.name.split("\n"))
    figure, axes = drawing.blank(3.9, 2.5, right=right)
    loss_axes(axes, ends, max(one.budget for one in lines))
    named = []
    for one in lines:
        drawing.line(axes, one.iterations, one.loss, one.colour)
        named += [
            {"name": one.name, "colour": one.colour, "y": np.log(max(float(last), ends[0]))}
            for last in one.loss[np.isfinite(one.loss)][-1:]
        ]
    drawing.name_ends(axes, named, np.log(ends[0]), np.log(ends[1]))
    return figure


# ------------------------------------------------------------------ the wrong observation


def _wrong(block: GridAnalysis, key: str) -> Content | None:
    tested = block.wrong
    if tested.empty or tested[N].sum() < 2:
        return None
    return {"summary": _wrong_summary(tested), "table": _wrong_table(block, tested, key)}


def _wrong_summary(tested: pd.DataFrame) -> str:
    uneven = int((tested[P_HOLM] <= SIGNIFICANT).sum())
    parts = []
    for row in wrong_observation_summary(tested).to_dict("records"):
        shares = [f"{percent(count / row[N], 0)} observation {place}" for place, count in enumerate(row[COUNTS], 1)]
        parts.append(f"On {row[c.GATE]}, of {plural(row[N], 'training')} with one wrong: {', '.join(shares)}.")
    verdict = (
        f"In {plural(uneven, 'trial')} of {len(tested):,} the choice is not uniform over the seeds."
        if uneven
        else f"A preference could be shown in none of {plural(len(tested), 'trial')}."
    )
    return " ".join([*parts, verdict])


def _wrong_table(block: GridAnalysis, tested: pd.DataFrame, key: str) -> Table:
    most = max(len(counts) for counts in tested[COUNTS])
    columns = [
        text("trial", NAME),
        *(_observation(place) for place in range(most)),
        numbers("trainings", N),
        numbers("χ²", CHI2, short),
        numbers("p (Holm)", P_HOLM, p_value),
    ]
    data = tested.assign(**{COUNTS: [_listed(counts) for counts in tested[COUNTS]]})
    return tabulate(f"wrong-{key}", "Which observation is wrong, by trial", block.named(tested), columns, data)


def _observation(place: int) -> Column:
    """Return the column of how often an observation was the wrong one; gates may have fewer."""

    def cell(row: Row) -> Cell:
        count = row[COUNTS][place] if place < len(row[COUNTS]) else None
        return number("" if count is None else whole(count), count)

    return Column(f"observation {place + 1}", cell, is_number=True)

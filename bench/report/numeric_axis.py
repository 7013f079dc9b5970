"""Solved rates over a number: a line per combination of all else that was varied, or a map of them, and its words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.display_labels import name_words
from bench.report import drawing
from bench.report.charts import Chart, Finding, row_percent
from bench.report.colours import DIM, EFFECT, EVEN, order
from bench.report.number_format import from_to, gate_words, listed, percent, plural, sentence, short
from bench.report.panel_layout import grouped
from bench.stats.grid_analysis import GridAnalysis, highest
from bench.stats.numeric_axis import ENOUGH, MANY, Reach, as_numbers, is_log_spaced, ranges_reaching
from bench.stats.proportions import COUNT, HIGH, LOW, RATE
from bench.stats.sensitivity import MEAN, VALUE

MOST_LINES = 6  # of a panel: more are a map
MOST_ROWS = 48  # of a map: more are told apart by the table only
MOST_SAID = 4  # combinations
MOST_RANGES = 2  # of one of them
MARKERS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"), ("P", "✚"))  # as drawn, and before a name
SPOKEN = {  # of one value, and of several
    c.HIDDEN: ("size of the hidden layer", "sizes of the hidden layer"),
    c.LEARNING_RATE: ("learning rate", "learning rates"),
    "momentum": ("momentum", "momenta"),
    "tolerance": ("tolerance", "tolerances"),
}
Floats = NDArray[np.float64]


# ------------------------------------------------------------------ the figure


def rates_over_number(block: GridAnalysis, name: str) -> Chart | None:
    """Return the chart of a grid's solved rates over its numeric axis; None where it has none, or too many rows."""
    if not block.number:
        return None
    words, lines = name_words(block.number), _combinations(block, block.rates)
    if len(lines) > MOST_ROWS:
        return None
    is_map = len(lines) > MOST_LINES
    draw = _map if is_map else _lines
    others = listed([name_words(other) for other in _others(block)])
    each = f"{'row' if is_map else 'line'} is a setting of {others}" if others else "dot is a setting"
    shown = "Share of starts that solve it" if is_map else "Share with its exact 95 % interval"
    read = " The interval in the sentence above holds for all of them at once." if not others else ""
    return Chart(
        name=name,
        title=f"Starts that solve it, by {listed([words, *map(name_words, _others(block))])}",
        subtitle=f"{shown}; n = {from_to(block.rates[COUNT])} starts each.",
        note=f"A {each}.{read}",
        alt=f"Solved rates by {words}, from {percent(block.rates[RATE].min())} to {percent(block.rates[RATE].max())}.",
        panels=[drawing.panel("", draw(block, lines))],
        data=block.rates[[*block.names, RATE, LOW, HIGH, COUNT]],
    )


def _others(block: GridAnalysis) -> list[str]:
    return [name for name in block.names if name != block.number]


def _combinations(block: GridAnalysis, rates: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return by the combinations of all else that was varied, in words, the rates in the order of the number."""
    numbers = rates.assign(**{block.number: as_numbers(block.number, rates[block.number].tolist())})
    ordered = numbers.sort_values(block.number, kind="stable")
    return grouped(ordered, _others(block))


def _number_axis(axes: Axes, which: str, name: str, values: Floats, edges: Floats | None = None) -> None:
    """Let an axis run over all values of a number, or from edge to edge, logarithmic where they are spaced so."""
    if is_log_spaced(values):
        drawing.log_axis(axes, which, *(drawing.log_range(values) if edges is None else (edges[0], edges[-1])))
    else:
        room = 0.02 * float(np.ptp(values))
        ends = (values.min() - room, values.max() + room) if edges is None else (edges[0], edges[-1])
        getattr(axes, f"set_{which}lim")(*ends)
        whole = all(float(value).is_integer() for value in values)
        getattr(axes, f"{which}axis").set_major_locator(MaxNLocator(6, integer=whole))
    getattr(axes, f"set_{which}label")(name_words(name))


def _lines(block: GridAnalysis, lines: list[tuple[str, pd.DataFrame]]) -> Figure:
    """Draw the rate of each combination against the number, with its band; named at the right by mark and colour."""
    names = [
        title if len(title) <= drawing.WIDEST else drawing.folded(title)
        for title in (f"{glyph} {title}" for (title, _), (_, glyph) in zip(lines, MARKERS, strict=False))
    ]
    only = len(lines) == 1
    right = 0.12 if only else 0.16 + drawing.CHARACTER * max(len(one) for name in names for one in name.split("\n"))
    figure, axes = drawing.blank(4.5 if only else max(4.5, right + 2.8), 2.1, right=right)
    colours = [EFFECT] if only else order(len(lines))
    _number_axis(axes, "x", block.number, _axis_values(block, block.number))
    ends = []
    for place, ((_, rows), colour, (marker, _), label) in enumerate(zip(lines, colours, MARKERS, names, strict=False)):
        x = rows[block.number].to_numpy(dtype=np.float64)
        drawing.area(axes, x, rows[LOW], rows[HIGH], colour, 0.2)
        (drawn,) = axes.plot(x, rows[RATE], color=colour, marker=marker, markersize=4, markeredgewidth=0)
        drawing.mark(drawn, rows[c.TRIAL_ID])
        ends.append({"name": drawing.plain(label), "colour": colour, "y": 1 - 0.11 * place})  # from the top, in order
    drawing.percent_axis(axes, "y")
    if not only:
        drawing.name_ends(axes, ends, -0.03, 1.03, gap=0.09)
    return figure


def means_over_number(rows: pd.DataFrame, name: str) -> Figure:
    """Draw the mean solved rate by each value of a number, with its band."""
    figure, axes = drawing.blank(3.2, 2.1)
    x = rows[VALUE].to_numpy(dtype=np.float64)
    drawing.area(axes, x, rows[LOW], rows[HIGH], EFFECT, 0.2)
    axes.plot(x, rows[MEAN], color=EFFECT, marker="o", markersize=4, markeredgewidth=0)
    _number_axis(axes, "x", name, x)
    drawing.percent_axis(axes, "y")
    return figure


def _map(block: GridAnalysis, lines: list[tuple[str, pd.DataFrame]]) -> Figure:
    """Draw the rates as colours over the number, upwards over the only other number if there is one, else in rows."""
    other = _second_number(block)
    titles = [drawing.folded(title) for title, _ in lines]
    left = 0.62 if other else drawing.row_margin(titles)
    high = 2.3 if other else 0.5 + max(drawing.row_height(titles) * len(lines), 1.2)
    figure, axes = drawing.blank(left + 3.3, high, left=left, right=0.75)
    across = _axis_values(block, block.number)
    down = _axis_values(block, other) if other else np.arange(len(lines), dtype=np.float64)
    rate_RC = np.full((len(down), len(across)), np.nan)
    for place, (_, rows) in enumerate(lines):
        at = np.searchsorted(down, as_numbers(other, rows[other].tolist()[:1]) or 0) if other else place
        rate_RC[at, np.searchsorted(across, rows[block.number])] = rows[RATE]
    edges = _edges(across), _edges(down)
    # pictures: a drawing's colours that the page knows would change in the dark, a few of many
    colours: Any = {"cmap": EVEN, "vmin": 0, "vmax": 1, "rasterized": True}
    axes.pcolormesh(*edges, rate_RC, **colours)
    _number_axis(axes, "x", block.number, across, edges[0])
    if other:
        _number_axis(axes, "y", other, down, edges[1])
    else:
        axes.set_yticks(range(len(lines)), [drawing.plain(title) for title in titles])
        axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(visible=False)
    key = figure.add_axes((1 - 0.62 / figure.get_figwidth(), axes.get_position().y0, 0.1 / figure.get_figwidth(),
                           axes.get_position().height))  # fmt: skip
    key.pcolormesh([0, 1], np.linspace(0, 1, 65), np.linspace(0, 1, 64)[:, None], **colours)
    drawing.percent_axis(key, "y", room=0)
    key.set_xticks([])
    key.tick_params(labelsize=6.5)
    key.yaxis.tick_right()
    key.grid(visible=False)
    key.spines[:].set_color(DIM)
    return figure


def _second_number(block: GridAnalysis) -> str:
    """Return the only other parameter that was varied, if it is a numeric axis as well."""
    others = _others(block)
    values = set(block.trials[others[0]]) if len(others) == 1 else set()
    return others[0] if len(values) >= MANY and as_numbers(others[0], list(values)) else ""


def _axis_values(block: GridAnalysis, name: str) -> Floats:
    return np.unique(np.asarray(as_numbers(name, block.trials[name].tolist()), dtype=np.float64))


def _edges(values: Floats) -> Floats:
    """Return the ends of cells around values: halfway to their neighbours, on the scale that they are spaced by."""
    is_log = is_log_spaced(values)
    places = np.log(values) if is_log else values
    middles = (places[1:] + places[:-1]) / 2
    ends = np.concatenate([[2 * places[0] - middles[0]], middles, [2 * places[-1] - middles[-1]]])
    return np.asarray(np.exp(ends) if is_log else ends)


# ------------------------------------------------------------------ the finding


def number_findings(block: GridAnalysis) -> Iterator[Finding]:
    """Yield at which values of its numeric axis a grid's gate is solved from nearly all starts, by combination."""
    if not block.number:
        return
    lines = _combinations(block, block.rates_at_once)
    gates = block.trials[c.GATE].unique()
    what = f"{gate_words(gates)} is solved" if len(gates) == 1 else "a gate is solved"
    head = f"{what} from at least {percent(ENOUGH, 0)} of the starts at"
    yield Finding(f"{sentence(f'{head} {_said(block, lines)}')}.", _evidence(block, lines), "rates")


def _said(block: GridAnalysis, lines: list[tuple[str, pd.DataFrame]]) -> str:
    """Return which values reach it, and the highest rate: of all lines where they do not differ, else of some."""
    every = pd.concat([rows for _, rows in lines])
    title, rows = max(lines, key=lambda line: float(line[1][RATE].max()))
    top = f"the highest is {_best(block, rows)}{f' with {title}' if title else ''}"
    reached = int((every[RATE] >= ENOUGH).sum())
    words = f"value of {name_words(block.number)}"
    one, several = SPOKEN.get(block.number, (words, words.replace("value", "values", 1)))
    if reached in (0, len(every)):
        which = "every" if reached else "no"
        both = f", in {'all' if reached else 'any of the'} {len(lines):,} combinations" if len(lines) > 1 else ""
        return f"{which} {one} {_span(block, every)}{both}: {top}"
    if len(lines) == 1:
        return f"{several} {_where(block, every)} ({reached:,} of {len(every):,} values); {top}"
    chosen = sorted(lines, key=lambda line: -int((line[1][RATE] >= ENOUGH).sum()))[:MOST_SAID]
    some = [line for line in lines if any(line is one for one in chosen)]
    parts = [f"{_where(block, rows)} with {title}" for title, rows in some]
    left = len(lines) - len(some)
    more = f", and of the other {plural(left, 'combination')} none at more" if left else ""
    return f"these {several}: {', '.join(parts)}{more}; {top}"


def _span(block: GridAnalysis, rows: pd.DataFrame) -> str:
    name = block.number
    return f"from {_value(rows[name].min())} to {_value(rows[name].max())}"


def _where(block: GridAnalysis, rows: pd.DataFrame) -> str:
    """Return the values of a line that reach it."""
    found = ranges_reaching(rows, block.number)
    reached = sum(one.count for one in found)
    return "all" if reached == len(rows) else range_words(found) if found else "none"


def range_words(found: Sequence[Reach]) -> str:
    """Return the widest ranges in words, two at most, by how many values they have, in their order."""
    widest = sorted(found, key=lambda one: -one.count)[:MOST_RANGES]
    parts = [
        _value(one.low) if one.count == 1 else f"from {_value(one.low)} to {_value(one.high)}"
        for one in sorted(widest, key=lambda one: one.low)
    ]
    more = len(found) - len(parts)
    return " and ".join(parts) if not more else f"{', '.join(parts)} and {more:,} more"


def _best(block: GridAnalysis, rows: pd.DataFrame) -> str:
    best = highest(rows, RATE)
    others = int((rows[RATE] == best[RATE]).sum()) - 1
    return f"{row_percent(best)} at {_value(best[block.number])}" + (
        f" and {plural(others, 'other value')}" if others else ""
    )


def _evidence(block: GridAnalysis, lines: list[tuple[str, pd.DataFrame]]) -> str:
    name, rows = block.number, pd.concat([rows for _, rows in lines])
    sure = int((rows[LOW] >= ENOUGH).sum())
    numbers = _axis_values(block, name)
    if len(lines) == 1:
        more = _ends(name, lines[0][1])
    elif len(lines) <= MOST_SAID:
        more = f" By combination: {'; '.join(_counted(block, *line) for line in lines)}."
    else:
        more = ""
    return (
        f"By the observed rates of the {len(numbers):,} values {_span(block, rows)} that were trained, n = "
        f"{from_to(rows[COUNT])} starts each; between them nothing is known. 95 % intervals are exact and hold for "
        f"all {len(rows):,} trials at once; in {sure:,} of them the whole interval is at "
        f"{percent(ENOUGH, 0)} or above.{more}"
    )


def _counted(block: GridAnalysis, title: str, rows: pd.DataFrame) -> str:
    reached = int((rows[RATE] >= ENOUGH).sum())
    return f"{title} {reached:,} of {len(rows):,} values, at most {_best(block, rows)}"


def _ends(name: str, rows: pd.DataFrame) -> str:
    """Return the rates at the ends of the widest range, which chance moves."""
    found = sorted(ranges_reaching(rows, name), key=lambda one: -one.count)[:1]
    places: Mapping[float, Any] = {row[name]: row for row in rows.to_dict("records")}
    ends = [at for one in found for at in dict.fromkeys((one.low, one.high))]
    return f" At {' and at '.join(f'{_value(at)} {row_percent(places[at])}' for at in ends)}." if ends else ""


def _value(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else short(value)

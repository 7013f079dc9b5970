"""The first screen: the answer in a sentence, and every setting on one axis, or what is known of the only one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from bench.config.search_parsing import AS_LONG, SETTING
from bench.metrics import columns as c
from bench.metrics.measures import begun
from bench.model.display_labels import gate_word, name_words, phrase
from bench.model.network import read_hidden
from bench.report import drawing
from bench.report.backends import speed_answer, speed_charts
from bench.report.charts import Chart, Content, Row, row_percent
from bench.report.colours import EFFECT, INK
from bench.report.combination_findings import answer as combinations_answer
from bench.report.combinations import matrix
from bench.report.drawing import panel
from bench.report.maps import map_answer
from bench.report.number_format import from_to, gate_words, percent, percent_interval, plural, short
from bench.report.numeric_axis import number_findings, range_words, rates_over_number
from bench.report.pairs import faster
from bench.report.question import question_answer
from bench.report.sweep_data import SweepData
from bench.report.time_to_solution import in_iterations
from bench.report.two_starts import two_starts
from bench.stats.claims import counted_verdicts
from bench.stats.grid_analysis import DECIDES, NAME, GridAnalysis, highest, most_undecided
from bench.stats.holdout import HELD_OUT, KIND, REFERENCE, TITLE, WINNER, column
from bench.stats.numeric_axis import as_numbers, ranges_reaching
from bench.stats.proportions import COUNT, HIGH, LOW, RATE

MOST_SWARMED = 300  # dots: a swarm of more takes seconds
FEW_BLOCKS = 8
BLOCK = "block"
NAMED = ("hidden", "activation", "loss", "learning_rate")  # of a search's winner, whose other values are in the table


def first_screen(data: SweepData) -> Content:
    """Return the answer of a sweep in a sentence, and up to two charts that show it."""
    said, draw = _lead(data)
    return {"answer": said, "charts": draw(), "matrix": matrix(data.combinations) if data.combinations else None}


def answer(data: SweepData) -> str:
    """Return the answer of a sweep in a sentence."""
    return _lead(data)[0]


def _lead(data: SweepData) -> tuple[str, Callable[[], list[Chart]]]:
    """Return the answer, and what draws its charts."""
    grids = [block for block in data.rated if not block.proposed]
    found = data.search_results
    if found is not None and len(found.held_out):
        return _searched(data), lambda: [*_held_out(data), *_references(data)]
    if data.combinations is not None:
        return combinations_answer(data.combinations), list
    main = most_undecided(grids) if grids else None
    if len(data.timed) and (main is None or c.BACKEND in main.names):
        return speed_answer(data), lambda: list(speed_charts(data))
    if main is None:
        return map_answer(data) if data.maps else _few(data), list
    number = main.number if len(main.names) == 1 else ""
    shown = example(main)
    is_one = len(main.rates) == len(grids) == 1

    def draw() -> list[Chart]:
        chart = _solved_by(main) if is_one else rates_over_number(main, "settings")
        return [chart or _settings(grids, shown), *two_starts(data, main, shown)]

    said = question_answer(data)
    over = next((finding.sentence for finding in number_findings(main)), "")
    return said or (_over_a_number(main, number) if number else over or _decided(main, shown)), draw


# ------------------------------------------------------------------ the answer


def _searched(data: SweepData) -> str:
    found = data.search_results
    assert found is not None
    rows = found.held_out[(found.held_out[KIND] == WINNER) & found.held_out[column(HELD_OUT, RATE)].notna()]
    if rows.empty:
        return f"Of {plural(len(found.history), 'setting')} none is known to be good: the search is not finished."
    best = rows.iloc[0]
    rate = percent_interval(*(best[column(HELD_OUT, name)] for name in (RATE, LOW, HIGH)))
    parameters = found.parameters[str(best[c.TRIAL_ID])]
    gate, name = gate_word(str(parameters[c.GATE])), phrase({one: parameters[one] for one in NAMED}, 3)
    tried, starts = plural(found.history[c.TRIAL_ID].nunique(), "setting"), int(best[column(HELD_OUT, COUNT)])
    return f"{name}, the best of {tried}: {gate} is solved from {rate} of {starts:,} held-out starts."


def _few(data: SweepData) -> str:
    if data.verdicts:
        return f"{counted_verdicts(data.verdicts)}."
    done = begun(data.trainings)
    solved = int(done[c.SOLVED].sum())
    return f"{solved:,} of {plural(len(done), 'training')} {'solves' if solved == 1 else 'solve'} it."


def _decided(block: GridAnalysis, shown: str) -> str:
    gates, rates, undecided = gate_words(block.trials[c.GATE]), block.rates, block.undecided
    (row,) = rates[rates[c.TRIAL_ID] == shown].to_dict("records")
    of = f"{row_percent(row)} of {row[COUNT]:,} starts"
    if not rates[c.SOLVED].any():
        return f"No start solves {gates}, in {plural(len(rates), 'setting')}: {row_percent(row)} of {row[COUNT]:,}."
    if len(rates) == 1:
        return f"{row[NAME]}: solved from {of}."
    if len(undecided):
        share = f"In {len(undecided):,} of {len(rates):,} {gates} settings the start decides"
        return f"{share}, {'such as' if len(undecided) > 1 else 'with'} {row[NAME]}: solved from {of}."
    high = int((rates[RATE] > DECIDES[1]).sum())
    speed = faster(block) if high == len(rates) else None
    if speed is not None:
        return f"All {high:,} settings solve {gates} from nearly every start; {speed[0]}."
    return (
        f"{high:,} of {plural(len(rates), f'{gates} setting')} solve it from nearly every start: {row[NAME]} from {of}."
    )


def _over_a_number(block: GridAnalysis, name: str) -> str:
    """Say between which values of a number at least half of the starts solve it, and which is the best."""
    rates = block.rates_at_once
    numbers = as_numbers(name, rates[name].tolist()) or []
    gates, words, half = gate_words(block.trials[c.GATE]), name_words(name), ranges_reaching(rates, name, 0.5)
    best = highest(rates, RATE)
    others = int((rates[RATE] == best[RATE]).sum()) - 1
    top = f"{row_percent(best)} at {short(float(best[name]))}{f' and {others:,} other values' if others else ''}"
    if not half:
        low, high = short(min(numbers)), short(max(numbers))
        return f"No {words} from {low} to {high} solves {gates} from half of its starts: at most {top}."
    return f"Half of the starts or more solve {gates} with a {words} {range_words(half)}; {top}."


def example(block: GridAnalysis) -> str:
    """Return the trial that shows best that the start decides: of the smallest networks, the nearest to a half."""
    rates = block.rates if block.undecided.empty else block.undecided

    def size_and_distance(row: Row) -> tuple[int, int, float]:
        layers = read_hidden(row[c.HIDDEN])
        return len(layers), sum(layers), abs(row[RATE] - 0.5)

    return str(min(rates.to_dict("records"), key=size_and_distance)[c.TRIAL_ID])


# ------------------------------------------------------------------ every setting


def _settings(blocks: list[GridAnalysis], shown: str) -> Chart:
    """Return the chart of all solved rates on one axis, a dot for each trial and a row for each gate of a block."""
    parts = [part for block in blocks for part in _rows(block)][:FEW_BLOCKS]
    table = pd.concat(parts, ignore_index=True)
    low, high = (percent(end, 0) for end in DECIDES)
    return Chart(
        name="settings",
        title="Every setting, by the share of starts that solve it",
        subtitle=f"A dot is one of {plural(len(table), 'setting')} (trials), n = {from_to(table[COUNT])} starts.",
        alt=f"Solved rates of {plural(len(table), 'setting')}, from {percent(table[RATE].min())} to "
        f"{percent(table[RATE].max())}.",
        note=f"The start decides where the exact 95 % interval lies between {low} and {high}.",
        panels=[panel("", settings(table, shown))],
        data=table[[NAME, BLOCK, RATE, LOW, HIGH, COUNT]],
    )


def _rows(block: GridAnalysis) -> Iterator[pd.DataFrame]:
    """Yield the solved rates of each gate of a block, with the name of their row."""
    gates = block.trials[c.GATE].unique()
    for gate in gates:
        words = " · ".join(
            filter(None, [block.title, gate_word(str(gate)) if len(gates) > 1 or not block.title else ""])
        )
        rates = block.rates[block.rates[c.GATE] == gate]
        yield rates.assign(**{BLOCK: words})


def settings(table: pd.DataFrame, shown: str) -> Figure:
    """Draw a dot for each trial in the row of its block; the example is ringed and named."""
    rows = list(dict.fromkeys(table[BLOCK]))
    figure, axes = drawing.named_rows(
        rows, "starts that solve it", width=4.5, height=max(0.42, 1.2 / len(rows)), least=3, right=0.25, room=0.15
    )
    look: Any = {"x": RATE, "y": BLOCK, "order": rows, "ax": axes, "size": 3.1, "color": EFFECT, "alpha": 0.85}
    if len(table) <= MOST_SWARMED:
        sns.swarmplot(table, warn_thresh=1, **look)
    else:
        sns.stripplot(table, **look)
    for name, dots in zip(rows, axes.collections, strict=True):
        drawing.mark(dots, table[table[BLOCK] == name][c.TRIAL_ID])
    drawing.percent_axis(axes, "x")
    axes.set(ylabel="")
    axes.set_yticks(range(len(rows)), [drawing.plain(drawing.folded(name)) for name in rows])
    chosen = table[table[c.TRIAL_ID] == shown]
    if len(chosen):
        row = chosen.iloc[0]
        place = rows.index(row[BLOCK])
        axes.plot([row[RATE]], [place], "o", mfc="none", mec=INK, markersize=9, mew=1.6)
        side = "center" if 0.3 < row[RATE] < 0.7 else "left" if row[RATE] <= 0.3 else "right"
        drawing.write(axes, drawing.plain(str(row[NAME])), (row[RATE], place), (0, -15), xycoords="data", ha=side,
                      color=INK, fontsize=7, fontweight="bold")  # fmt: skip
    return figure


def _solved_by(block: GridAnalysis) -> Chart | None:
    """Return the share of a single trial's starts that have solved it by when; None where none ever did."""
    chart = in_iterations(block, "0")
    return chart and replace(chart, note="Where the line ends is the share of starts that solve it within the budget.")


def _references(data: SweepData) -> Iterator[Chart]:
    """Yield the two starts of the reference in which the start decides most."""
    found = data.search_results
    assert found is not None
    references = found.held_out[found.held_out[KIND] == REFERENCE]
    titles = dict(zip(references[c.TRIAL_ID].astype(str), references[TITLE], strict=True))
    some = [
        (block, row) for block in data.blocks for row in block.rates.to_dict("records") if row[c.TRIAL_ID] in titles
    ]
    if some:
        block, row = min(some, key=lambda one: abs(one[1][RATE] - 0.5))
        yield from two_starts(data, block, row[c.TRIAL_ID], titles[row[c.TRIAL_ID]])


def _held_out(data: SweepData) -> Iterator[Chart]:
    """Yield the chart of the winners' and references' solved rates on held-out seeds."""
    found = data.search_results
    assert found is not None
    names = {column(HELD_OUT, name): name for name in (RATE, LOW, HIGH, COUNT)}
    rows = found.held_out[found.held_out[column(HELD_OUT, RATE)].notna()].rename(columns=names)
    if rows.empty:
        return
    titles = (
        rows[TITLE]
        .str.replace(AS_LONG, SETTING)
        .where(rows[KIND] == REFERENCE, rows[TITLE].astype(str).str.partition(" ")[0])
    )
    table = rows.assign(**{NAME: titles})
    yield Chart(
        name="settings",
        title="The best, on starts that they were not chosen by",
        subtitle=f"Share of {int(table[COUNT].min()):,} held-out starts that solve it, with its exact 95 % interval.",
        note="Numbers are trials of the search, those that it found best first.",
        alt="Solved rates of the winners and the references on held-out seeds.",
        panels=[panel("", drawing.interval_rows(table, NAME, xlabel="starts that solve it", width=4.5))],
        data=table[[NAME, RATE, LOW, HIGH, COUNT]],
    )

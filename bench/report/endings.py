"""Where trainings end: their final errors, and the patterns of final predictions that those unsolved share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.model.display_labels import gate_word
from bench.model.maps import ELSEWHERE
from bench.model.outcome import Result
from bench.report.charts import Cell, Chart, Column, Content, Row, Table, number, numbers, row_percent, tabulate, text
from bench.report.drawing import panel
from bench.report.number_format import (
    NONE,
    p_value,
    percent,
    percent_interval,
    plural,
    sentence,
    short,
    whole,
)
from bench.report.surfaces import shades_in_words, surface
from bench.report.sweep_data import SweepData
from bench.stats.attractors import CENTRE, OF_UNSOLVED, SHARE, TRIALS, UNDECIDED, WHICH
from bench.stats.budget_checks import CHECKED
from bench.stats.decision_surface import has_plane
from bench.stats.final_patterns import CHI2, COUNTS, P_HOLM, PATTERN, N, has_sides, wrong_observation_summary
from bench.stats.grid_analysis import NAME, GridAnalysis, highest
from bench.stats.paired_comparisons import SIGNIFICANT
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, clustered_interval

# ------------------------------------------------------------------ attractors

TELLING = 0.05  # a share of something, of which more is worth a sentence
MOST_SHOWN = 12  # in the gallery
DIAGNOSED = (
    ("gradient norm", c.GRADIENT_NORM),
    ("largest weight", c.LARGEST_WEIGHT),
    ("smallest curvature", c.SMALLEST_CURVATURE),
    ("step to the next stationary point", c.NEWTON_STEP),
)
MOST_SQUARES = 64  # beside a pattern


def attractors(data: SweepData, block: GridAnalysis, key: str) -> Content | None:
    """Return the gallery and the table of endings, and the test of the wrong observation; None without any."""
    table = block.attractors
    if table.empty:
        return None
    return {
        "summary": _attractors_summary(table),
        "diagnosed": diagnosed_in_words(block.begun),
        "checks": [check_words(row) for row in block.budget_checks.to_dict("records")],
        "table": _attractors_table(table, key),
        "chart": _gallery(data, block, key),
        "sides": all(has_sides(one.trial.gate.targets) for one in data.plan.trials),
        "wrong": _wrong(block, key),
    }


def diagnosed_in_words(trainings: pd.DataFrame) -> str:
    """Return how steep and how curved the loss is where trainings are stuck; nothing where nobody asked for that."""
    if c.SMALLEST_CURVATURE not in trainings:
        return ""
    stuck = trainings[(trainings[c.OUTCOME] == Result.STUCK) & trainings[c.SMALLEST_CURVATURE].notna()]
    if stuck.empty:
        return ""
    escapes, seeds = stuck[c.SMALLEST_CURVATURE] < 0, stuck[c.SEED]
    counts_S, totals_S = escapes.groupby(seeds).sum(), escapes.groupby(seeds).size()
    share = percent_interval(float(escapes.mean()), *clustered_interval(counts_S, totals_S))
    medians = [f"{what} {short(float(stuck[name].median()))}" for what, name in DIAGNOSED if name in stuck]
    return (
        f"Of {plural(len(stuck), 'stuck training')}, {int(escapes.sum()):,} {'has' if escapes.sum() == 1 else 'have'} "
        f"a direction of escape, a smallest curvature below 0: {share}, interval over the seeds. "
        f"Medians: {', '.join(medians)}."
    )


def _gallery(data: SweepData, block: GridAnalysis, key: str) -> Chart | None:
    """Return the decision surface of a training of each ending, the commonest first; None where none can be drawn."""
    named = block.attractors[block.attractors[PATTERN] != ELSEWHERE]
    solved = block.begun[block.begun[c.SOLVED]]
    examples: list[tuple[Row | None, tuple[str, int]]] = [
        (None, _first(rows)) for _, rows in solved.groupby(c.GATE, sort=False, observed=True)
    ]
    examples += [(row, _first(block.ending_at(row[c.GATE], row[PATTERN]))) for row in named.to_dict("records")]
    weights = data.weights([start for _, start in examples[:MOST_SHOWN]])
    trials = {one.trial.trial_id: one.trial for one in data.plan.trials}
    panels, rows, drawn = [], [], []
    for row, start in examples[:MOST_SHOWN]:
        trial = trials.get(start[0])
        if start in weights and trial is not None and has_plane(trial):
            gate = gate_word(trial.gate.name)
            own = block.begun[block.begun[c.GATE] == trial.gate.name]
            share = float(own[c.SOLVED].mean()) if row is None else row[SHARE]
            ends = "solved" if row is None else row[PATTERN]
            several = f"{gate} " if c.GATE in block.names else ""
            drawn.append(trial)
            panels.append(panel(f"{several}{ends} · {percent(share)}", surface(trial, weights[start])))
            rows.append((gate, ends, share, block.trial(start[0])[NAME], start[1]))
    if not panels:
        return None
    return Chart(
        name=f"gallery-{key}",
        title="What a network says where it ends, an example of each ending",
        subtitle=f"{sentence(shades_in_words(drawn))}; share of {plural(len(block.begun), 'training')}; "
        "the commonest first.",
        alt=f"Decision surfaces of {plural(len(panels), 'ending')}.",
        panels=panels,
        data=pd.DataFrame(rows, columns=[c.GATE, PATTERN, SHARE, NAME, c.SEED]),
        small=True,
    )


def _first(rows: pd.DataFrame) -> tuple[str, int]:
    """Return the trial and the seed of the training with the smallest seed, the first of several."""
    place = int(rows[c.SEED].to_numpy().argmin())
    return str(rows[c.TRIAL_ID].iloc[place]), int(rows[c.SEED].iloc[place])


def telling_checks(block: GridAnalysis) -> list[str]:
    """Return in words, by gate, how many of what looked stuck were only slow, where it is more than a few."""
    return [check_words(row) for row in block.budget_checks.to_dict("records") if row[LOW] > TELLING]


def check_words(check: Row, pattern: str = "") -> str:
    """Return in words how many of what looked stuck, or ended at a pattern, was only slow."""
    count, size = check[c.SOLVED], check[CHECKED]
    solved = f"{count:,} {'solves' if count == 1 else 'solve'} it" if count else "none solves it"
    what = plural(size, f"stuck {gate_word(check[c.GATE])} training") + (" that end there" if pattern else "")
    return (
        f"Of {what}, drawn at random and trained on, {solved} within ten times the budget: "
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
        f"commonest is {first[PATTERN]} ({gate_word(first[c.GATE])}, {first[COUNT]:,} trainings, median of "
        f"their mean squared errors {short(first[c.FINAL_MSE])})."
    )


def _attractors_table(table: pd.DataFrame, key: str) -> Table:
    columns = [
        text("gate", lambda row: gate_word(row[c.GATE])),
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
    centre = () if row[CENTRE] is None or len(row[CENTRE]) > MOST_SQUARES else np.clip(row[CENTRE], 0, 1)
    return [f"hsl(0 0% {100 - 100 * float(value):.0f}%)" for value in centre]


def _which(row: Row) -> str:
    if row[WHICH] is None:
        return NONE
    observations = ", ".join(str(one) for one in row[WHICH])
    undecided = f"{row[UNDECIDED]} undecided" if row[UNDECIDED] else ""
    return " and ".join(part for part in (observations, undecided) if part) or "none"


def _listed(values: Any) -> str:
    return "" if values is None else " ".join(f"{float(value):.4g}" for value in values)


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
        parts.append(
            f"On {gate_word(row[c.GATE])}, of {plural(row[N], 'training')} with one wrong: {', '.join(shares)}."
        )
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

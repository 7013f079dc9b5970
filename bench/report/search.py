"""What the search found: its best trials on seeds that did not choose them, beside the references, and how it went."""

from functools import partial

import pandas as pd

from bench.config.search_config import SAMPLERS
from bench.config.search_space import Range
from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.metrics.objectives import OBJECTIVES, PARAMETER_COUNT, RMST, SOLVED_RATE
from bench.model.display_labels import phrase, spoken
from bench.model.trial import PARAMETERS
from bench.report.charts import Cell, Chart, Column, Content, Row, Table, number, numbers, tabulate, text
from bench.report.ledger import command_of
from bench.report.number_format import NONE, bare_value, change_words, plural, unit, value_words
from bench.report.parallel_coordinates import parallel_chart
from bench.report.search_findings import ENDS, against_baseline, best_findings, charted, is_flat, is_untrained
from bench.report.search_parameters import contour_chart, importance_chart, importance_words, slices_chart
from bench.report.search_progress import front_chart, history_chart, repeated_chart
from bench.report.sweep_data import SweepData
from bench.stats.grid_analysis import DIGITS
from bench.stats.holdout import (
    HELD_OUT,
    KIND,
    OPTIMISM,
    PRUNED,
    RANK,
    REFERENCE,
    SEARCH,
    STATE,
    TITLE,
    column,
    interval_of,
)  # fmt: skip
from bench.stats.search_results import END, PARAMETER, SAMPLER, SAMPLER_SEED, TRIAL, TRIALS, VALUE, SearchResults

FEWEST = 2  # trials, below which there is nothing to see
CLOCKS = {"optuna": "in Optuna", "train": "in training", "track": "in MLflow"}
LIMITS = {None: Cell(NONE), True: Cell("kept", kind="holds"), False: Cell("broken", kind="fails")}


def search(data: SweepData) -> Content | None:
    """Return the sentences, the table of the best and the references, the charts, and how it was searched."""
    found = data.search_results
    if found is None:
        return None
    planned = found.held_out[found.held_out[c.TRIAL_ID].isin(list(found.parameters))]  # all, once it has ended
    chart, more = _charts(found)
    seconds = (found.saved or {}).get("seconds") or {}
    return {
        "found": found,
        "summary": _summary(found),
        "table": _table(found, planned) if len(planned) and not is_untrained(found) else None,
        "edges": "" if found.is_unsolved else _edges(found),
        "chart": chart,
        "more": more,
        "importance": importance_words(found),
        "conditional": [name for name, over in found.space.items() if over.only_if] if len(found.importances) else [],
        "compared": against_baseline(found, found.difference) if found.difference else None,
        "studies": _studies(found) if len(found.studies) > 1 else None,
        "equal": len(found.objectives) == 1 and found.best[found.primary].duplicated().any(),
        "sampler": f"{SAMPLERS[found.search.sampler].words} ({found.search.sampler})",
        "pruned": int((found.history[STATE] == PRUNED).sum()),
        "spent": [(words, seconds[name]) for name, words in CLOCKS.items() if name in seconds],
    }


def _charts(found: SearchResults) -> tuple[Chart | None, list[Chart]]:
    """Return the chart of all proposals, and the others that there is something to draw in, as they are read."""
    if is_untrained(found) or len(found.history) < FEWEST:
        return None, []
    name = charted(found)
    over_one = [] if is_flat(found, name) else [parallel_chart(found, name), slices_chart(found, name)]
    return history_chart(found, name), [
        *over_one,
        *([contour_chart(found, name)] if over_one and len(found.space) > 1 else []),
        *([front_chart(found)] if len(found.objectives) > 1 else []),
        *filter(None, [importance_chart(found, name)]),
        *([repeated_chart(found)] if len(found.studies) > 1 and len(found.running) else []),
    ]


def _summary(found: SearchResults) -> list[str]:
    if found.history.empty:
        return ["No proposal has been judged yet."]
    said = [f"{part.sentence} {part.evidence}" for part in best_findings(found)]
    return said or ["No trial was judged by all of its seeds."]


# ------------------------------------------------------------------ the best and the references


def _table(found: SearchResults, planned: pd.DataFrame) -> Table:
    """Return the table, what is wanted first at its left: a reader looks for parameters and commands."""
    rows = planned.assign(command=[_command(found, str(name)) for name in planned[c.TRIAL_ID]])
    limits = [str(one) for one in found.search.constraints] if len(found.search.held_out) else []
    columns = [
        numbers("rank", RANK, of_row=lambda row: NONE if row[KIND] == REFERENCE else str(row[RANK])),
        text("trial", _title, title=lambda row: row[c.TRIAL_ID], kind=lambda _: "name"),
        *_values(found),
        *(Column(limit, partial(_limit, limit)) for limit in limits),
        *(_parameter(found, name) for name in found.space),
        text("command", "command", command=lambda _: True),
    ]
    return tabulate("search-best-1", "The best trials and the references", rows, columns)


def _title(row: Row) -> str:
    title = str(row[TITLE])
    return title if row[KIND] == REFERENCE else title.partition(" ")[0]


def _command(found: SearchResults, trial_id: str) -> str:
    return command_of(found.parameters[trial_id], write_seeds(found.search.held_out or found.search.seeds), None)


def _values(found: SearchResults) -> list[Column]:
    """Return the columns of the first objective and its optimism, the solved rate, other objectives, what is usual."""
    first, *others = found.objectives
    own = _sides(found, first)
    gap = [_optimism(first)] if len(own) > 1 else []
    solved = [] if first == SOLVED_RATE else _sides(found, SOLVED_RATE, both=SOLVED_RATE in others)
    more = [column for name in others if name != SOLVED_RATE for column in _sides(found, name)]
    usual = [] if RMST in found.objectives else _sides(found, RMST, both=False)
    return [*own, *gap, *solved, *more, *usual]


def _sides(found: SearchResults, name: str, *, both: bool = True) -> list[Column]:
    """Return the columns of an objective: on both sides, or held out only; one where seeds do not matter."""
    has_held_out, heading = len(found.search.held_out) > 0, OBJECTIVES[name].heading
    if name == PARAMETER_COUNT:
        return [_value(heading, HELD_OUT if has_held_out else SEARCH, name)]
    searched = [_value(f"{heading}, as searched", SEARCH, name)] if both or not has_held_out else []
    return [*searched, *([_value(f"{heading}, held out", HELD_OUT, name)] if has_held_out else [])]


def _value(heading: str, side: str, name: str) -> Column:
    """Return the column of an objective on one side, on held-out seeds with its interval."""
    where = column(side, name)

    def write(row: Row) -> str:
        return bare_value(name, row[where], *(interval_of(row, side, name) if side == HELD_OUT else ()))

    return numbers(heading, where, of_row=write)


def _optimism(name: str) -> Column:
    """Return the column of by how much a trial looked better than it is."""

    def write(row: Row) -> str:
        return change_words(name, *(row[part] for part in OPTIMISM)).removesuffix(unit(name) or " points")

    return numbers("optimism", OPTIMISM[0], of_row=write)


def _parameter(found: SearchResults, name: str) -> Column:
    """Return the column of a searched parameter."""
    is_number = isinstance(found.space[name].over, Range)

    def cell(row: Row) -> Cell:
        value = found.params(str(row[c.TRIAL_ID]))[name]
        words = NONE if value is None else spoken(name, value, DIGITS)
        return number(words, pd.to_numeric(value, errors="coerce")) if is_number else Cell(words)

    return Column(name, cell, is_number=is_number)


# ------------------------------------------------------------------ what else there is to say


def _limit(limit: str, row: Row) -> Cell:
    return LIMITS[row[limit]]


def _edges(found: SearchResults) -> str:
    """Return which winners lie at an end of a range that could be wider: there may be better beyond it."""
    said = []
    for end, rows in found.edges.groupby(END, sort=False):
        listed = [
            f"{phrase({str(name): some[VALUE].iloc[0]}, DIGITS)} of {', '.join(some[TRIAL])}"
            for (name, _), some in rows.groupby([PARAMETER, VALUE], sort=False)
            if end == "high" or found.space[str(name)].over.ends[0] != PARAMETERS[str(name)].least
        ]
        said += [f"At the {ENDS[str(end)]} end of its range: {'; '.join(listed)}."] if listed else []
    return " ".join([*said, "A wider range may hold better trials."]) if said else ""


def _studies(found: SearchResults) -> Table:
    """Return a row per repeated search: what its best came to."""
    first = found.primary
    sides = {"as searched": SEARCH, **({"held out": HELD_OUT} if len(found.search.held_out) else {})}
    columns = [
        text(SAMPLER, SAMPLER),
        numbers("sampler seed", SAMPLER_SEED, str),
        numbers("trials", TRIALS, lambda trials: f"{trials:,} of {found.search.trials:,}"),
        *(numbers(f"best {OBJECTIVES[first].measures}, {words}", side, lambda value: value_words(first, value))
          for words, side in sides.items()),
    ]  # fmt: skip
    label = plural(len(found.studies), "repeated search", "repeated searches")
    return tabulate("search-studies-1", label, found.studies, columns)

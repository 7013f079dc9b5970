"""What the search found: its best trials on seeds that did not choose them, beside the references, and how it went."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.config.search_space import Range
from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.metrics.objectives import MEDIAN_SOLVED_AT, PARAMETER_COUNT, RMST, SOLVED_RATE
from bench.model.labels import bare, word
from bench.report.charts import Cell, Table, number
from bench.report.ledger import command_of
from bench.report.number_format import MEASURE_UNITS, MEASURES, SHORT, bare_value, change_words, plural, value_words
from bench.report.search_charts import charts
from bench.report.search_findings import best_findings, compared_words, is_untrained
from bench.stats.block_analysis import DIGITS
from bench.stats.holdout import (
    HELD_OUT,
    KIND,
    OPTIMISM,
    RANK,
    REFERENCE,
    SAMPLER,
    SAMPLER_SEED,
    SEARCH,
    TITLE,
    column,
    interval_of,
)
from bench.stats.search_results import END, PARAMETER, TRIAL, VALUE, SearchResults
from bench.stats.trial_scores import PRUNED, STATE

SAMPLERS = {
    "tpe": "Optuna's tree-structured Parzen estimator (tpe)",
    "random": "random search (random)",
    "qmc": "a quasi-random sequence (qmc)",
    "gp": "a Gaussian process (gp)",
    "cmaes": "CMA-ES (cmaes)",
    "nsga2": "NSGA-II (nsga2)",
}
CLOCKS = {"optuna": "in Optuna", "train": "in training", "track": "in MLflow"}
LIMITS = {None: Cell("–"), True: Cell("kept", kind="holds"), False: Cell("broken", kind="fails")}
LOOKED_BETTER = "optimism"
ENDS = {"low": "lower", "high": "upper"}
LEAST = {c.HIDDEN: 0, "momentum": 0}  # of parameters whose range cannot be wider


def search(found: SearchResults, key: str) -> dict[str, Any]:
    """Return the sentences, the table of the best and the references, the charts, and how it was searched."""
    planned = _planned(found)
    return {
        "summary": _summary(found),
        "table": _table(found, planned, key) if len(planned) and not is_untrained(found) else None,
        "note": _note(found),
        "edges": "" if found.is_unsolved else _edges(found),
        "charts": [] if is_untrained(found) else charts(found, key),
        "importance": _importance(found),
        "compared": _compared(found),
        "studies": _studies(found, key) if len(found.studies) > 1 else None,
        "how": _how(found),
        "storage": found.proposals.storage,
    }


def _summary(found: SearchResults) -> list[str]:
    if found.history.empty:
        return ["No proposal has been judged yet."]
    said = [f"{part.sentence} {part.evidence}" for part in best_findings(found)]
    return said or ["No trial was judged by all of its seeds."]


# ------------------------------------------------------------------ the best and the references


def _planned(found: SearchResults) -> pd.DataFrame:
    """Return what is held out of winners and references; a search that was interrupted has not planned these."""
    return found.held_out[found.held_out[c.TRIAL_ID].isin(list(found.parameters))]


def _table(found: SearchResults, planned: pd.DataFrame, key: str) -> Table:
    """Return the table, what matters first: a reader sees its left end, and looks for parameters and commands."""
    limits = [str(one) for one in found.judged.constraints] if len(found.judged.held_out) else []
    figures, names = _figures(found), list(found.space)
    headings = ["rank", "trial", *figures, *limits, *names, "command"]
    rows = [
        [
            number("–" if row[KIND] == REFERENCE else str(row[RANK]), row[RANK]),
            Cell(_title(row), title=str(row[c.TRIAL_ID]), kind="name"),
            *(_optimism(found.judged.first, row) if at is None else _value(row, *at) for at in figures.values()),
            *(LIMITS[row[limit]] for limit in limits),
            *_parameters(found, row),
            Cell(_command(found, str(row[c.TRIAL_ID])), command=True),
        ]
        for row in planned.to_dict("records")
    ]
    numbers = frozenset(["rank", *figures, *(name for name in names if _is_range(found, name))])
    data = planned.assign(command=[row[-1].text for row in rows])
    return Table(f"search-best-{key}", "The best trials and the references", headings, rows, data, numbers)


def _figures(found: SearchResults) -> dict[str, tuple[str, str] | None]:
    """Return the side and the measure of each column by its heading, and None for the optimism.

    The first objective on both sides and its optimism, the solved rate, other objectives, then what is usual.
    """
    first, *others = found.judged.objectives
    own, more = _sides(found, first), [_sides(found, name) for name in others if name != SOLVED_RATE]
    gap = {LOOKED_BETTER: None} if len(own) > 1 else {}
    solved = {} if first == SOLVED_RATE else _sides(found, SOLVED_RATE, both=SOLVED_RATE in others)
    usual = {} if RMST in found.judged.objectives else _sides(found, RMST, both=False)
    return {**own, **gap, **solved, **{key: at for part in more for key, at in part.items()}, **usual}


def _sides(found: SearchResults, name: str, *, both: bool = True) -> dict[str, tuple[str, str]]:
    """Return the columns of a measure: on both sides, or held out if there is that; one where seeds do not matter."""
    if name == PARAMETER_COUNT:
        return {SHORT[name]: (HELD_OUT if len(found.judged.held_out) else SEARCH, name)}
    searched = {f"{SHORT[name]}, as searched": (SEARCH, name)}
    if not len(found.judged.held_out):
        return searched
    return {**(searched if both else {}), f"{SHORT[name]}, held out": (HELD_OUT, name)}


def _note(found: SearchResults) -> str:
    """Return how the table is to be read."""
    objectives, seeds = found.judged.objectives, plural(len(found.judged.seeds), "seed")
    times = {RMST: "restricted mean", MEDIAN_SOLVED_AT: "median"}
    shown = [words for name, words in times.items() if name == RMST or name in objectives]
    said = [f"As searched: over the {seeds} that trials were chosen by."]
    if len(found.judged.held_out):
        others = plural(len(found.judged.held_out), "other seed")
        said.append(f"Held out: over {others}, that nothing was chosen by, with 95 % intervals, of shares Wilson's.")
    said.append(f"{' and '.join(shown).capitalize()} in iterations; what never solves counts at the budget.")
    if LOOKED_BETTER in _figures(found):
        what = "" if len(objectives) == 1 else f" in {MEASURES[found.judged.first]}"
        unit = ", in points" if found.judged.first == SOLVED_RATE else ""
        said.append(
            f"Optimism: by how much a trial looked better{what} as searched than it is held out, with the 95 % "
            f"interval of the difference{unit}; below 0 it looked worse."
        )
    if found.judged.constraints and len(found.judged.held_out):
        said.append("Limits are kept or broken on held-out seeds.")
    if found.best[found.judged.first].duplicated().any() and len(objectives) == 1:
        said.append("Of equal trials, the one that was proposed first ranks first.")
    again = "held-out seeds" if len(found.judged.held_out) else "seeds of the search"
    return f"{' '.join(said)} A command trains its trial again, with the {again}."


def _title(row: Mapping[Any, Any]) -> str:
    title = str(row[TITLE])
    return title if row[KIND] == REFERENCE else title.partition(" ")[0]


def _parameters(found: SearchResults, row: Mapping[Any, Any]) -> list[Cell]:
    values = found.chosen(str(row[c.TRIAL_ID]))
    return [_parameter(name, value, is_number=_is_range(found, name)) for name, value in values.items()]


def _is_range(found: SearchResults, name: str) -> bool:
    return isinstance(found.space[name].over, Range)


def _parameter(name: str, value: Any, *, is_number: bool) -> Cell:
    text = "–" if value is None else bare(name, value, DIGITS)
    return number(text, pd.to_numeric(value, errors="coerce")) if is_number else Cell(text)


def _value(row: Mapping[Any, Any], side: str, name: str) -> Cell:
    value = row[column(side, name)]
    ends = interval_of(row, side, name) if side == HELD_OUT else ()
    return number(bare_value(name, value, *ends), value)


def _optimism(name: str, row: Mapping[Any, Any]) -> Cell:
    parts = [row[part] for part in OPTIMISM]
    return number(change_words(name, *parts).removesuffix(MEASURE_UNITS.get(name, " points")), parts[0])


def _command(found: SearchResults, trial_id: str) -> str:
    return command_of(found.parameters[trial_id], write_seeds(found.search.held_out or found.search.seeds), None)


# ------------------------------------------------------------------ what else there is to say


def _edges(found: SearchResults) -> str:
    """Return which winners lie at an end of a range that could be wider: there may be better beyond it."""
    said = []
    for end, rows in found.edges.groupby(END, sort=False):
        listed = [
            f"{word(str(name), some[VALUE].iloc[0], DIGITS)} of {', '.join(some[TRIAL])}"
            for (name, _), some in rows.groupby([PARAMETER, VALUE], sort=False)
            if end == "high" or found.space[str(name)].over.ends[0] != LEAST.get(str(name))
        ]
        said += [f"At the {ENDS[str(end)]} end of its range: {'; '.join(listed)}."] if listed else []
    return " ".join([*said, "A wider range may hold better trials."]) if said else ""


def _importance(found: SearchResults) -> str:
    """Return where the evaluators disagree, and what they leave out."""
    said = [
        f"The evaluators disagree on what matters most to the {MEASURES[name]}: "
        + ", ".join(f"{evaluator} says {parameter}" for evaluator, parameter in top.items())
        + "."
        for name, top in found.disagreement.items()
    ]
    conditional = [name for name, over in found.space.items() if over.only_if]
    if len(found.importances) and conditional:
        said.append(
            f"fANOVA compares parameters that every trial has: {', '.join(conditional)} "
            f"{'is' if len(conditional) == 1 else 'are'} searched under a condition, and left out there."
        )
    return " ".join(said)


def _compared(found: SearchResults) -> str:
    if found.difference is None:
        return ""
    said = compared_words(found, found.difference)
    return f"{said.sentence} {said.evidence}"


def _studies(found: SearchResults, key: str) -> Table:
    """Return a row per repeated search: what its best came to."""
    words = MEASURES[found.judged.first]
    sides = {f"best {words}, as searched": SEARCH}
    if len(found.judged.held_out):
        sides[f"best {words}, held out"] = HELD_OUT
    headings = [SAMPLER, "sampler seed", "trials", *sides]
    rows = [
        [
            Cell(str(row[SAMPLER])),
            number(str(row[SAMPLER_SEED]), row[SAMPLER_SEED]),
            number(f"{row['judged']:,} of {found.search.trials:,}", row["judged"]),
            *(number(value_words(found.judged.first, row[side]), row[side]) for side in sides.values()),
        ]
        for row in found.studies.to_dict("records")
    ]
    label = f"{plural(len(rows), 'repeated search', 'repeated searches')}"
    return Table(f"search-studies-{key}", label, headings, rows, found.studies, frozenset(headings[1:]))


def _how(found: SearchResults) -> str:
    """Return how it was searched: sampler, trials, what was given up or proposed again, and where the time went."""
    asked, history = found.search, found.history
    pruned = int((history[STATE] == PRUNED).sum())
    parts = [
        f"{plural(len(history), 'trial')} of {asked.trials:,} in batches of {asked.batch:,}",
        *([f"{pruned:,} given up early"] if asked.prune else []),
        *([f"{found.duplicates:,} proposed again, and not trained again"] if found.duplicates else []),
    ]
    name = SAMPLERS[asked.sampler]
    return f"Searched by {name} with sampler seed {asked.seed}: {', '.join(parts)}.{_seconds(found)}"


def _seconds(found: SearchResults) -> str:
    seconds: Mapping[str, float] = (found.kept or {}).get("seconds") or {}
    spent: Sequence[str] = [f"{seconds[name]:.1f} s {words}" for name, words in CLOCKS.items() if name in seconds]
    return f" It took {', '.join(spent)}." if spent else ""

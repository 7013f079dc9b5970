"""What the search found: its best trials on seeds that did not choose them, beside the references, and how it went."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis.held_out import HELD_OUT, KIND, OPTIMISM, RANK, REFERENCE, SEARCH, TITLE, column, interval_of
from bench.analysis.judged import PRUNED, STATE
from bench.analysis.repeated import SAMPLER, SAMPLER_SEED
from bench.analysis.searched import END, PARAMETER, TRIAL, VALUE, Searched
from bench.analysis.study import DIGITS
from bench.experiment.search.objective import (
    MEDIAN_MSE,
    MEDIAN_SOLVED_AT,
    PARAMETER_COUNT,
    RMST,
    SOLVED_RATE,
    TRAIN_SECONDS,
)
from bench.problem.label import bare, word
from bench.report.searched import (
    MEASURES,
    UNITS,
    bare_value,
    best_so_far,
    change_words,
    compared_words,
    lead,
    nothing_found,
    optimism,
    value_words,
)
from bench.report.sections.again import command_of
from bench.report.sections.search_charts import charts
from bench.report.table import Cell, Table, number
from bench.report.words import plural
from bench.tracking import columns as c

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
SHORT = {
    RMST: "restricted mean",
    SOLVED_RATE: "solved",
    MEDIAN_SOLVED_AT: "median time",
    MEDIAN_MSE: "median error",
    PARAMETER_COUNT: "weights",
    TRAIN_SECONDS: "time",
}
LOOKED_BETTER = "optimism"
ENDS = {"low": "lower", "high": "upper"}


def search(found: Searched, key: str) -> dict[str, Any]:
    """Return the sentences, the table of the best and the references, the charts, and how it was searched."""
    return {
        "summary": _summary(found),
        "table": _table(found, key) if len(found.held_out) else None,
        "edges": _edges(found),
        "charts": charts(found, key),
        "importance": _importance(found),
        "compared": _compared(found),
        "studies": _studies(found, key) if len(found.studies) > 1 else None,
        "how": _how(found),
        "storage": found.search.get("storage") or "",
    }


def _summary(found: Searched) -> list[str]:
    """Return what was found, the held-out figures first; by the seeds of the search where there are no others."""
    parts = nothing_found(found), lead(found), optimism(found)
    said = [f"{part.sentence} {part.evidence}" for part in parts if part is not None]
    if found.history.empty:
        return ["No proposal has been judged yet."]
    return said or [text for text in [best_so_far(found)] if text] or ["No trial was judged by all of its seeds."]


# ------------------------------------------------------------------ the best and the references


def _table(found: Searched, key: str) -> Table:
    names, limits = list(found.space), [str(one) for one in found.judged.constraints]
    shown = _shown(found)
    headings = ["rank", "trial", *names, *shown, LOOKED_BETTER, *limits, "command"]
    rows = [
        [
            number("–" if row[KIND] == REFERENCE else str(row[RANK]), row[RANK]),
            Cell(_title(row), title=str(row[c.TRIAL_ID])),
            *_parameters(found, row),
            *(_value(row, side, name) for side, name in shown.values()),
            _optimism(found.judged.first, row),
            *(LIMITS[row[limit]] for limit in limits),
            Cell(_command(found, str(row[c.TRIAL_ID])), command=True),
        ]
        for row in found.held_out.to_dict("records")
    ]
    numbers = frozenset(["rank", *shown, LOOKED_BETTER, *(name for name in names if "low" in found.space[name])])
    data = found.held_out.assign(command=[row[-1].text for row in rows])
    return Table(f"search-best-{key}", "The best trials and the references", headings, rows, data, numbers)


def _shown(found: Searched) -> dict[str, tuple[str, str]]:
    """Return the side and the measure of each column by its heading: every objective on both, then what is usual."""
    shown = {
        f"{SHORT[name]}, {words}": (side, name)
        for name in found.judged.objectives
        for side, words in ((SEARCH, "as searched"), (HELD_OUT, "held out"))
    }
    usual = [name for name in (SOLVED_RATE, RMST) if name not in found.judged.objectives]
    return shown | {f"{SHORT[name]}, held out": (HELD_OUT, name) for name in usual}


def _title(row: Mapping[Any, Any]) -> str:
    title = str(row[TITLE])
    return title if row[KIND] == REFERENCE else title.partition(" ")[0]


def _parameters(found: Searched, row: Mapping[Any, Any]) -> list[Cell]:
    values = found.chosen(str(row[c.TRIAL_ID]))
    return [_parameter(name, value, is_number="low" in found.space[name]) for name, value in values.items()]


def _parameter(name: str, value: Any, *, is_number: bool) -> Cell:
    text = "–" if value is None else bare(name, value, DIGITS)
    return number(text, pd.to_numeric(value, errors="coerce")) if is_number else Cell(text)


def _value(row: Mapping[Any, Any], side: str, name: str) -> Cell:
    value = row[column(side, name)]
    ends = interval_of(row, side, name) if side == HELD_OUT else ()
    return number(bare_value(name, value, *ends), value)


def _optimism(name: str, row: Mapping[Any, Any]) -> Cell:
    parts = [row[part] for part in OPTIMISM]
    return number(change_words(name, *parts).removesuffix(UNITS.get(name, " points")), parts[0])


def _command(found: Searched, trial_id: str) -> str:
    return command_of(found.parameters[trial_id], found.search["held_out"] or found.search["seeds"], None)


# ------------------------------------------------------------------ what else there is to say


def _edges(found: Searched) -> str:
    """Return which winners lie at an end of a range: there may be better beyond it."""
    groups = found.edges.groupby([PARAMETER, END], sort=False)
    parts = [
        f"{word(str(name), rows[VALUE].iloc[0], DIGITS)} of {', '.join(rows[TRIAL])} lies at the {ENDS[str(end)]} end "
        "of its range"
        for (name, end), rows in groups
    ]
    return f"{'; '.join(parts)}: a wider range may hold better trials." if parts else ""


def _importance(found: Searched) -> str:
    """Return where the evaluators disagree, and what they leave out."""
    said = [
        f"The evaluators disagree on what matters most to the {MEASURES[name]}: "
        + ", ".join(f"{evaluator} says {parameter}" for evaluator, parameter in top.items())
        + "."
        for name, top in found.disagreement.items()
    ]
    conditional = [name for name, over in found.space.items() if over.get("only_if")]
    if len(found.importances) and conditional:
        said.append(
            f"fANOVA compares parameters that every trial has: {', '.join(conditional)} "
            f"{'is' if len(conditional) == 1 else 'are'} searched under a condition, and left out there."
        )
    return " ".join(said)


def _compared(found: Searched) -> str:
    if found.difference is None:
        return ""
    said = compared_words(found, found.difference)
    return f"{said.sentence} {said.evidence}"


def _studies(found: Searched, key: str) -> Table:
    """Return a row per repeated search: what its best came to."""
    words = MEASURES[found.judged.first]
    sides = {f"best {words}, as searched": SEARCH, f"best {words}, held out": HELD_OUT}
    headings = [SAMPLER, "sampler seed", "trials", *sides]
    rows = [
        [
            Cell(str(row[SAMPLER])),
            number(str(row[SAMPLER_SEED]), row[SAMPLER_SEED]),
            number(f"{row['judged']:,} of {found.search['trials']:,}", row["judged"]),
            *(number(value_words(found.judged.first, row[side]), row[side]) for side in sides.values()),
        ]
        for row in found.studies.to_dict("records")
    ]
    label = f"{plural(len(rows), 'repeated search', 'repeated searches')}"
    return Table(f"search-studies-{key}", label, headings, rows, found.studies, frozenset(headings[1:]))


def _how(found: Searched) -> str:
    """Return how it was searched: sampler, trials, what was given up or proposed again, and where the time went."""
    asked, history = found.search, found.history
    pruned = int((history[STATE] == PRUNED).sum())
    parts = [
        f"{plural(len(history), 'trial')} of {asked['trials']:,} in batches of {asked['batch']:,}",
        *([f"{pruned:,} given up early"] if asked["prune"] else []),
        *([f"{found.duplicates:,} proposed again, and not trained again"] if found.duplicates else []),
    ]
    name = SAMPLERS.get(asked["sampler"], str(asked["sampler"]))
    return f"Searched by {name} with sampler seed {asked['seed']}: {', '.join(parts)}.{_seconds(found)}"


def _seconds(found: Searched) -> str:
    seconds: Mapping[str, float] = (found.kept or {}).get("seconds") or {}
    spent: Sequence[str] = [f"{seconds[name]:.1f} s {words}" for name, words in CLOCKS.items() if name in seconds]
    return f" It took {', '.join(spent)}." if spent else ""

"""The ledger: what became of every training, what was claimed, and the command of every trial."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.config.experiment import again_command
from bench.metrics import columns as c
from bench.model.display_labels import bare, varying
from bench.model.outcome import Result
from bench.model.trial import OF_OPTIMIZERS, PARAMETERS, Trial, is_left_to_optimizer
from bench.report.charts import Cell, Column, Content, Row, Table, number, numbers, tabulate, text
from bench.report.colours import OUTCOMES
from bench.report.map_words import map_title
from bench.report.number_format import NONE, about, percent_interval, what_solves, whole, written
from bench.report.sweep_data import SweepData
from bench.stats import proportions
from bench.stats.claims import HOLDS, OF_PUBLISHED, REFUTED, UNDECIDED, counted_verdicts, verdict_rows
from bench.stats.grid_analysis import BLOCK, DIGITS, NAME, PLANNED, SEEDS, in_order
from bench.stats.map_analysis import MapAnalysis
from bench.stats.proportions import MISSING

MOST_VALUES = 12  # of a parameter that are listed
NOT_YET = "not yet trained"
USUAL = Trial().parameters


def ledger(data: SweepData) -> Content:
    """Return the sum and the table of the outcomes, what was varied, and what was the same for all trials."""
    trials = data.trials
    counts = proportions.ledger(data.account.counts, trials[PLANNED])
    of_maps = [_map_row(one) for one in data.maps]
    totals = {str(result): int(counts[result].sum() + sum(row[result] for row in of_maps)) for result in Result}
    missing = int(counts[MISSING].sum() + sum(row[MISSING] for row in of_maps))
    occurred = [name for name, count in totals.items() if count]
    rows = trials.drop(columns=PLANNED).join(counts).reset_index(names=c.TRIAL_ID)
    parameters = [planned.trial.parameters for planned in data.plan.trials]
    varied = varying(parameters)
    return {
        "planned": sum(totals.values()) + missing,
        "done": sum(totals.values()),
        "missing": missing,
        "solved": what_solves(parameters),
        "outcomes": [(name, count, OUTCOMES[name]) for name, count in totals.items()],
        "table": _table(data, rows, occurred, missing),
        "maps": _maps(of_maps, occurred, missing) if of_maps else None,
        "varying": {name: _listed(name, [values[name] for values in parameters]) for name in varied},
        "fixed": {
            name: str(value)
            for name, value in (parameters or [{}])[0].items()
            if name in data.plan.parameters and all(values[name] == value for values in parameters)
        },
    }


def _map_row(one: MapAnalysis) -> dict[str, Any]:
    """Return how many points of a map have each outcome; its pairs are trainings too."""
    counts = {str(result): int(one.points.of(result).sum()) for result in Result}
    return {NAME: map_title(one.map), PLANNED: one.map.points, **counts, MISSING: int((one.points.outcome_M < 0).sum())}


def _maps(rows: Sequence[Row], occurred: Sequence[str], missing: int) -> Table:
    columns = [
        text("map", NAME),
        numbers("planned", PLANNED),
        Column("outcomes", lambda row: _bar(row, occurred)),
        *(numbers(name, name, lambda count: whole(count) if count else "") for name in occurred),
        *([numbers(NOT_YET, MISSING)] if missing else []),
    ]
    return tabulate("maps", "What became of every point, by map", pd.DataFrame(rows), columns)


def _table(data: SweepData, rows: pd.DataFrame, occurred: list[str], missing: int) -> Table:
    columns = [
        text("trial", NAME, title=lambda row: row[c.TRIAL_ID]),
        _block(data),
        text("seeds", SEEDS),
        numbers("planned", PLANNED),
        Column("outcomes", lambda row: _bar(row, occurred)),
        Column("solved rate [95 %]", _rate, is_number=True),
        *(numbers(name, name, lambda count: whole(count) if count else "") for name in occurred),
        *([numbers(NOT_YET, MISSING)] if missing else []),
    ]
    figures = rows[[c.TRIAL_ID, NAME, PLANNED, *proportions.OUTCOMES, MISSING]]
    return tabulate("ledger", "What became of every training, by trial", rows, columns, figures)


def _block(data: SweepData) -> Column:
    return text("block", lambda row: data.plan.blocks[row[BLOCK]] or "the grid")


def _bar(row: Row, occurred: Sequence[str]) -> Cell:
    bar = [(name, float(row[name]), OUTCOMES[name]) for name in occurred if row[name]]
    return Cell("", value=float(row[Result.SOLVED]), bar=bar)


def _rate(row: Row) -> Cell:
    """Return the solved rate of a trial with its exact interval, of those that were begun."""
    begun = sum(row[result] for result in Result if result != Result.UNSUPPORTED)
    if not begun:
        return number(NONE, None)
    rate = row[Result.SOLVED] / begun
    return number(percent_interval(rate, *proportions.exact_interval(row[Result.SOLVED], begun)), rate)


def _listed(name: str, values: Sequence[Any]) -> str:
    """Return the values of a parameter, or how many there are and their ends."""
    words = [bare(name, value, DIGITS) for value in in_order(name, values)]
    return ", ".join(words) if len(words) <= MOST_VALUES else f"{len(words):,} values from {words[0]} to {words[-1]}"


# ------------------------------------------------------------------ claims


def claims(data: SweepData) -> Content | None:
    """Return a row per verdict, in the file's order; None without any."""
    if not data.verdicts:
        return None
    columns = [
        text("verdict", _said, kind=lambda one: KINDS[one["verdict"]]),
        *(text(name, name) for name in ("what", "expected", "observed")),
        *(text(name, name) for name in ("difference", "why") if any(getattr(one, name) for one in data.verdicts)),
        *(text(name, name) for name in ("source", "id")),
    ]
    return {
        "heading": counted_verdicts(data.verdicts),
        "table": tabulate("claims-table", "Claims", pd.DataFrame(verdict_rows(data.verdicts)), columns),
    }


KINDS = {HOLDS: "holds", REFUTED: "fails", UNDECIDED: "dim"}
KINDS |= {OF_PUBLISHED[own]: kind for own, kind in KINDS.items()}


def _said(row: Row) -> str:
    seeds, recalled = row["seeds"], ", recalled" if row["recalled"] else ""
    return f"{row['verdict']}{recalled}{'' if pd.isna(seeds) else f': about {about(seeds)} seeds would decide'}"


# ------------------------------------------------------------------ commands


def commands(data: SweepData) -> Content:
    """Return a row per trial with the command that trains it again, and its run in MLflow."""
    rounds = {timing.trial.trial_id: timing.rounds for timing in data.plan.timings}
    rows = data.trials.reset_index()
    again = [command_of(row, row[SEEDS], rounds.get(row[c.TRIAL_ID])) for row in rows.to_dict("records")]
    rows = rows.assign(command=again, run=[data.runs.get(name, "") for name in rows[c.TRIAL_ID]])
    columns = [
        text("trial", NAME),
        _block(data),
        text("id", c.TRIAL_ID),
        text("MLflow", lambda row: "run" if row["run"] else NONE, href=lambda row: row["run"]),
        text("command", "command", command=lambda _: True),
    ]
    figures = rows[[c.TRIAL_ID, NAME, SEEDS, *data.plan.parameters, "command"]]
    return {"table": tabulate("trials", "Every trial with its command", rows, columns, figures)}


def command_of(parameters: Mapping[Any, Any], seeds: str, rounds: int | None) -> str:
    """Return the command that trains one trial with its seeds: all parameters that are not the usual ones."""
    usual = {name: is_left_to_optimizer(name, parameters) for name in OF_OPTIMIZERS}
    if parameters.get(c.OPTIMIZER) == "none":
        usual[c.ITERATIONS] = True  # there is one, whatever is said
    others = (name for name in PARAMETERS if not usual.get(name, parameters[name] == USUAL[name]))
    words = [f"{name}={written(name, parameters[name])}" for name in others]
    if not any(word.startswith("gate=") for word in words):
        words.insert(0, f"gate={written(c.GATE, parameters[c.GATE])}")  # a command names its question
    words += [f"seeds={seeds}"] + ([] if rounds is None else ["alone=true", f"rounds={rounds}"])
    return again_command(parameters, words, {"grid": [{}]})

"""The ledger: what became of every training, what was claimed, and the command of every trial."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.metrics import columns as c
from bench.model.gate import BUILT_IN
from bench.model.outcome import Result
from bench.model.trial import PARAMETERS, Trial
from bench.report.charts import Cell, Table, number
from bench.report.colours import OUTCOMES
from bench.report.number_format import percent_interval
from bench.stats import proportions
from bench.stats.block_analysis import BLOCK, NAME, PLANNED, SEEDS
from bench.stats.claims import Verdict, verdict_rows


def claims(verdicts: Sequence[Verdict]) -> Table:
    """Return a row per verdict, in the file's order."""
    rows = [
        [
            Cell("holds" if one.holds else "does not hold", kind="holds" if one.holds else "fails"),
            Cell(one.what),
            Cell(one.expected),
            Cell(one.observed),
            Cell(one.source),
            Cell(one.id),
        ]
        for one in verdicts
    ]
    headings = ["verdict", "what", "expected", "observed", "source", "id"]
    return Table("claims-table", "Claims", headings, rows, pd.DataFrame(verdict_rows(verdicts)))


# ------------------------------------------------------------------ again


USUAL = Trial().parameters


def again(trials: pd.DataFrame, blocks: Sequence[str], timings: Mapping[str, int], runs: Mapping[str, str]) -> Table:
    """Return a row per trial; ``timings`` has the rounds of those that were timed alone, ``runs`` the addresses."""
    rows, commands = [], []
    for trial_id, trial in trials.iterrows():
        command = command_of(trial.to_dict(), str(trial[SEEDS]), timings.get(str(trial_id)))
        commands.append(command)
        link = runs.get(str(trial_id), "")
        rows.append(
            [
                Cell(trial[NAME]),
                Cell(blocks[trial[BLOCK]] or "the grid"),
                Cell(str(trial_id)),
                Cell("run", href=link) if link else Cell("–"),
                Cell(command, command=True),
            ]
        )
    data = trials.reset_index()[[c.TRIAL_ID, NAME, SEEDS, *PARAMETERS]].assign(command=commands)
    return Table("trials", "Every trial with its command", ["trial", "block", "id", "MLflow", "command"], rows, data)


def command_of(parameters: Mapping[Any, Any], seeds: str, rounds: int | None) -> str:
    """Return the command that trains one trial with its seeds: all parameters that are not the usual ones."""
    words = [f"{name}={_written(name, parameters[name])}" for name in PARAMETERS if parameters[name] != USUAL[name]]
    if not any(word.startswith("gate=") for word in words):
        words.insert(0, f"gate={_written(c.GATE, parameters[c.GATE])}")  # a command names its question
    alone = [] if rounds is None else ["alone=true", f"rounds={rounds}"]
    return shlex.join(["python", "-m", "bench", "sweep", *words, f"seeds={seeds}", *alone])


def _written(name: str, value: Any) -> str:
    """Return a value as the command line takes it; a gate of one's own is a file, in the folder where one is."""
    if name == c.GATE and value not in BUILT_IN:
        return f"{value}.csv"
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


# ------------------------------------------------------------------ ledger


NOT_YET = "not yet trained"
RATE_HEADING = "solved rate [95 %]"


def ledger(trials: pd.DataFrame, blocks: Sequence[str], trainings: pd.DataFrame) -> dict[str, Any]:
    """Return the sum and the table of the outcomes; ``trials`` has every planned trial."""
    counts = proportions.ledger(trainings, trials[PLANNED])
    totals = {str(result): int(counts[result].sum()) for result in Result}
    missing = int(counts[proportions.MISSING].sum())
    occurred = [name for name, count in totals.items() if count]
    return {
        "planned": int(counts[PLANNED].sum()),
        "done": sum(totals.values()),
        "missing": missing,
        "outcomes": [(name, count, OUTCOMES[name]) for name, count in totals.items()],
        "table": _table(trials, blocks, counts, occurred, missing),
    }


def _table(
    trials: pd.DataFrame, blocks: Sequence[str], counts: pd.DataFrame, occurred: list[str], missing: int
) -> Table:
    extra = [NOT_YET] if missing else []
    headings = ["trial", "block", "seeds", "planned", "outcomes", RATE_HEADING, *occurred, *extra]
    rows = []
    by_trial: dict[str, Any] = counts.to_dict("index")  # type: ignore[assignment]
    for trial_id, trial in trials.to_dict("index").items():
        count: dict[str, int] = by_trial[str(trial_id)]
        bar = [(name, float(count[name]), OUTCOMES[name]) for name in occurred if count[name]]
        rows.append(
            [
                Cell(trial[NAME], title=str(trial_id)),
                Cell(blocks[trial[BLOCK]] or "the grid"),
                Cell(trial[SEEDS]),
                number(f"{count[PLANNED]:,}", count[PLANNED]),
                Cell("", value=float(count[Result.SOLVED]), bar=bar),
                _rate(count),
                *(number(f"{count[name]:,}" if count[name] else "", count[name]) for name in occurred),
                *(number(f"{count[proportions.MISSING]:,}", count[proportions.MISSING]) for _ in extra),
            ]
        )
    data = trials[[NAME]].join(counts).reset_index(names=c.TRIAL_ID)
    numbers = frozenset(["planned", RATE_HEADING, *occurred, *extra])
    return Table("ledger", "What became of every training, by trial", headings, rows, data, numbers)


def _rate(count: Mapping[str, int]) -> Cell:
    """Return the solved rate of a trial with Wilson's interval, of those that were begun."""
    begun = sum(count[result] for result in Result if result != Result.UNSUPPORTED)
    if not begun:
        return number("–", None)
    low, high = proportions.wilson_interval(count[Result.SOLVED], begun)
    rate = count[Result.SOLVED] / begun
    return number(percent_interval(rate, float(low), float(high)), rate)

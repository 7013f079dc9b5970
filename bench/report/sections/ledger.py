"""What became of every training: planned = the sum of the outcomes and what is missing, in all and by trial."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.analysis import solved
from bench.analysis.study import BLOCK, NAME, PLANNED, SEEDS
from bench.problem.outcome import Result
from bench.report.colour import OUTCOMES
from bench.report.table import Cell, Table, number
from bench.report.words import percent_interval
from bench.tracking import columns as c

NOT_YET = "not yet trained"
RATE_HEADING = "solved rate [95 %]"


def ledger(trials: pd.DataFrame, blocks: list[str], trainings: pd.DataFrame) -> dict[str, Any]:
    """Return the sum and the table of the outcomes; ``trials`` has every planned trial."""
    counts = solved.ledger(trainings, trials[PLANNED])
    totals = {str(result): int(counts[result].sum()) for result in Result}
    missing = int(counts[solved.MISSING].sum())
    occurred = [name for name, count in totals.items() if count]
    return {
        "planned": int(counts[PLANNED].sum()),
        "done": sum(totals.values()),
        "missing": missing,
        "outcomes": [(name, count, OUTCOMES[name]) for name, count in totals.items()],
        "table": _table(trials, blocks, counts, occurred, missing),
    }


def _table(trials: pd.DataFrame, blocks: list[str], counts: pd.DataFrame, occurred: list[str], missing: int) -> Table:
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
                *(number(f"{count[solved.MISSING]:,}", count[solved.MISSING]) for _ in extra),
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
    low, high = solved.wilson_interval(count[Result.SOLVED], begun)
    rate = count[Result.SOLVED] / begun
    return number(percent_interval(rate, float(low), float(high)), rate)

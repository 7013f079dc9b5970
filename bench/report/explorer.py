"""The explorer: what the page needs to train any start of any trial again, and what the sweep itself made of it."""

from typing import Any

import pandas as pd

from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.report.charts import Content
from bench.report.sweep_data import SweepData
from bench.stats.grid_analysis import NAME, GridAnalysis

MOST_TRIALS = 200
MOST_STARTS = 100  # of a trial whose fates are listed; any other can be trained too
DIGITS = 5
CODES = {str(result): code for result, code in zip(Result, "slkdfu", strict=True)}


def explorer(data: SweepData, example: str = "") -> Content | None:
    """Return the trials that were trained together, with their gates and the fates of their first starts."""
    blocks = [block for block in data.blocks if len(block.trained)]
    if not blocks:
        return None
    trials = {str(trial_id): block for block in reversed(blocks) for trial_id in block.trials.index}
    planned = [one for one in data.plan.trials if one.trial.trial_id in trials][:MOST_TRIALS]
    gates = {one.trial.gate.digest[:8]: one.trial.gate for one in planned}
    rows = data.trainings[[c.TRIAL_ID, c.SEED, c.OUTCOME, c.SOLVED_AT, c.FINAL_LOSS]]
    of = dict(iter(rows.groupby(rows[c.TRIAL_ID].astype(str), sort=False)))
    listed = [
        {
            "id": one.trial.trial_id,
            "name": _name(trials[one.trial.trial_id], one.trial.trial_id, several=len(blocks) > 1),
            "gate": one.trial.gate.digest[:8],
            "parameters": {name: value for name, value in one.trial.content.items() if name != c.GATE},
            **_fates(of.get(one.trial.trial_id, rows[:0])),
        }
        for one in planned
    ]
    tables = {name: {"inputs": gate.inputs.tolist(), "targets": gate.targets.tolist()} for name, gate in gates.items()}
    first = example if any(one["id"] == example for one in listed) else listed[0]["id"]
    return {
        "data": {"trials": listed, "gates": tables, "first": first, "outcomes": {v: k for k, v in CODES.items()}},
        "trials": [(one["id"], one["name"]) for one in listed],
    }


def _name(block: GridAnalysis, trial_id: str, *, several: bool) -> str:
    name = str(block.trial(trial_id)[NAME])
    return f"{block.title}: {name}" if several and block.title else name


def _fates(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the first starts: their seeds, outcomes by a letter, when they solved it, and their final losses."""
    some = rows.sort_values(c.SEED, kind="stable").head(MOST_STARTS)
    losses = some[c.FINAL_LOSS].astype(float)
    return {
        "seeds": write_seeds(some[c.SEED].tolist()),
        "fates": "".join(CODES[str(outcome)] for outcome in some[c.OUTCOME]),
        "solvedAt": [None if pd.isna(at) else int(at) for at in some[c.SOLVED_AT]],
        "losses": [
            float(f"{loss:.{DIGITS}g}") if pd.notna(loss) and abs(loss) < float("inf") else None for loss in losses
        ],
    }

"""Every trial again: the command that trains it, and where its run is in MLflow."""

import shlex
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.analysis.study import BLOCK, NAME, SEEDS
from bench.problem.gate import BUILT_IN
from bench.problem.trial import PARAMETERS, Trial
from bench.report.table import Cell, Table
from bench.tracking import columns as c

USUAL = Trial().parameters


def again(trials: pd.DataFrame, blocks: list[str], timings: Mapping[str, int], runs: Mapping[str, str]) -> Table:
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

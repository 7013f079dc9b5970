"""What a user waits for: whole commands in fresh processes, phase by phase, beside what the libraries alone take."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

WHAT, TOTAL, REST, FLOOR = "what", "total", "rest", "libraries"
PHASES = ("import", "prepare", "train", "optuna", "track", "report")  # of a sweep's ``seconds``
COLUMNS = (WHAT, TOTAL, *PHASES, REST, FLOOR)
GRID = ("gate=xor", "--no-report")
CASES: Mapping[str, Sequence[str]] = {
    "100 seeds of 2 trials, 2,000 iterations, with report": (
        *("gate=xor", "hidden=2,3", "seeds=0:100", "iterations=2000"),
    ),
    "8,192 seeds, 100 iterations": (*GRID, "hidden=3", "seeds=0:8192", "iterations=100"),
    "1,000 seeds of 12 trials, 50,000 iterations, with report": (
        *("gate=xor", "hidden=2,3,4", "loss=mse,bce,l1,huber", "seeds=0:1000", "iterations=50000"),
    ),
    "a search of 200 trials, with report": ("consistent_xor",),
    "20 seeds of 1,008 trials, 300 iterations": (
        *(*GRID, "hidden=2,3,4,5,6,7", "activation=sigmoid,tanh,relu", "loss=mse,bce", "seeds=0:20"),
        *("learning_rate=0.1,0.2,0.5,1,2,5,10", "init_scale=0.5,1,2,4", "iterations=300"),
    ),
    "1,000,000 seeds, 1,000 iterations": (*GRID, "hidden=3", "seeds=0:1000000", "iterations=1000"),
}
# what any program takes that asks Numba and pandas, opens a store of MLflow's and, for a report, draws with seaborn
LIBRARIES = """
import gc, sys
gc.disable()
import numba, numpy, pandas, pyarrow.parquet, pydantic, rich.table, scipy.special
from mlflow import MlflowClient
MlflowClient("sqlite:///mlflow.db").search_experiments()
if "report" in sys.argv:
    import jinja2, matplotlib.figure, scipy.optimize, scipy.stats, seaborn, sklearn.cluster
if "search" in sys.argv:
    import optuna
gc.freeze()
"""


def measure(rounds: int, say: Callable[[str], None]) -> list[dict[str, float | str]]:
    """Return a row for each case: medians over rounds of seconds, in which all cases take turns.

    ``rest`` is what no phase counts: the start of Python, and what is printed and tidied up.
    """
    taken: dict[str, list[dict[str, float]]] = {what: [] for what in CASES}
    with tempfile.TemporaryDirectory() as folder:
        _timed(folder, "-m", "bench", "sweep", *GRID, "hidden=3", "seeds=0:10", "iterations=10")  # makes the store
        for number in range(1, rounds + 1):
            for what, words in CASES.items():
                say(f"round {number} of {rounds}: {what}")
                taken[what].append(_once(folder, words))
    return [
        {WHAT: what, **{name: round(median(one[name] for one in rows), 2) for name in rows[0]}}
        for what, rows in taken.items()
    ]


def _once(folder: str, words: Sequence[str]) -> dict[str, float]:
    """Return the seconds of one command, and of what its libraries take."""
    total, out = _timed(folder, "-m", "bench", "sweep", *words, "--json")
    seconds = json.loads(out)["seconds"]
    phases = {name: float(seconds[name]) for name in PHASES}
    uses = [*(["report"] if "--no-report" not in words else []), *(["search"] if seconds["optuna"] else [])]
    floor, _ = _timed(folder, "-c", LIBRARIES, *uses)
    return {TOTAL: total, **phases, REST: total - sum(phases.values()), FLOOR: floor}


def _timed(folder: str, *words: str) -> tuple[float, str]:
    started = time.monotonic()
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(words[:4])} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return time.monotonic() - started, done.stdout

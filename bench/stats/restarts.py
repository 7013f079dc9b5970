"""Restarts: how many starts it takes until one solves it, and after how many iterations to give a start up.

Shapes: K budgets.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bench.metrics import columns as c
from bench.stats.proportions import COUNT, TAIL, exact_interval, tail_together
from bench.stats.survival import AT, ERT, Times, running_time, times_by_trial

Floats = NDArray[np.float64]

SURELY = 0.99  # that at least one start solves it
FEWEST = 16  # iterations of the shortest budget
NEEDED, BEST, GAIN = "starts_needed", "restart_after", "gain"
BEST_ERT = f"{BEST}_ert"
TABLE = [
    *(c.TRIAL_ID, COUNT, NEEDED, f"{NEEDED}_low", f"{NEEDED}_high"),
    *(BEST, BEST_ERT, f"{BEST_ERT}_low", f"{BEST_ERT}_high", ERT, f"{ERT}_low", f"{ERT}_high", GAIN),
]


def at_least_one(solved: int, trainings: int, starts: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the probability that at least one of so many starts solves it, and the ends of its 95 % interval.

    1 - (1 - p)^n, which rises with the solved rate p, so that the ends of p's exact interval are its own, for every n
    at once: the best of n seeds, as Picard (2021) compares them.
    """
    starts_N = np.asarray(starts, dtype=np.float64)
    share, low, high = (1 - (1 - p) ** starts_N for p in (solved / trainings, *exact_interval(solved, trainings)))
    return share, low, high


def restarts(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return for each trial how many starts it takes until one solves it, and the best budget for each of them.

    ``starts_needed`` is with 99 % that at least one solves it: ln 0.01 / ln (1 - p), with an interval as p has.
    ``restart_after`` is the budget with the smallest expected running time (Luby, Sinclair & Zuckerman 1993), of those
    that are the sweep's over a power of √2; its running time, and that of the whole budget, have intervals that hold
    for all budgets and trials at once, since they are picked afterwards. ``gain`` says whether it is surely less than
    that of the whole budget.
    """
    found = list(times_by_trial(trainings))
    tail = tail_together(map(_influence, found))
    return pd.DataFrame([_row(one, tail) for one in found], columns=TABLE)


def costs(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return the expected running time of each trial by the budget of a start, a row per budget."""
    rows = [
        (one.trial_id, budget, cost)
        for one in times_by_trial(trainings)
        for budget, (cost, *_) in zip(*_costs(one, TAIL), strict=True)
    ]
    return pd.DataFrame(rows, columns=[c.TRIAL_ID, AT, ERT])


def _costs(times: Times, tail: float) -> tuple[Floats, Floats]:
    """Return the budgets ``[K]`` of a trial and its expected running time with each, and its ends, ``[K, 3]``."""
    budgets_K = shorter_budgets(times.budget)
    return budgets_K, np.array([running_time(times.within(budget, tail)) for budget in budgets_K])


def _influence(times: Times) -> Floats:
    """Return what each training adds to the logarithm of the running time with each budget, ``[T, K]``."""
    budgets_K = shorter_budgets(times.budget)
    time_TK = np.append(times.solved_S, np.full(times.censored, np.inf))[:, None]
    spent_TK, solved_TK = np.minimum(time_TK, budgets_K), time_TK <= budgets_K
    share_TK = spent_TK / spent_TK.mean(axis=0)
    return np.asarray(share_TK - solved_TK / np.maximum(solved_TK.mean(axis=0), 1 / times.trainings))


def _row(times: Times, tail: float) -> tuple[object, ...]:
    shares = (len(times.solved_S) / times.trainings, *exact_interval(len(times.solved_S), times.trainings)[::-1])
    budgets_K, costs_K3 = _costs(times, tail)
    best, whole = int(np.argmin(costs_K3[:, 0])), len(budgets_K) - 1
    gain = bool(costs_K3[best, 2] < costs_K3[whole, 1])
    return (
        *(times.trial_id, times.trainings, *map(_starts, shares)),
        *(budgets_K[best], *costs_K3[best], *costs_K3[whole], gain),
    )


def shorter_budgets(budget: float) -> Floats:
    """Return a budget and all that are shorter by a power of √2, down to some iterations, ascending."""
    steps = max(int(2 * np.log2(max(budget, 1) / FEWEST)), 0)
    return np.unique(np.floor(budget / 2.0 ** (np.arange(steps + 1) / 2)))


def _starts(share: float) -> float:
    """Return how many starts it takes that one solves it almost surely, at a solved rate."""
    if share <= 0:
        return np.inf
    return 1.0 if share >= SURELY else float(np.ceil(np.log(1 - SURELY) / np.log(1 - share)))

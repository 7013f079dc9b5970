"""Survival analysis of the time to solution: how many trainings have solved by when, and what a solution costs.

The event is a solution, at the time of `time_to_solution`. Every training that was begun and did not end solved,
diverged and failed ones included, is right-censored at its trial's budget: it stays at risk to the end, so that the
share at the budget is the solved rate.

Shapes: S solved trainings in order of time, U places of a curve.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from bench.metrics import columns as c
from bench.metrics.measures import begun, time_to_solution
from bench.stats.proportions import COUNT, HIGH, LOW, TAIL, exact_interval, median_place, tail_at_once

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]
AT, SHARE, AT_RISK, BUDGET = "at", "share", "at_risk", "budget"
MEDIAN, MEDIAN_LOW, MEDIAN_HIGH = "median", "median_low", "median_high"
RMST, RMST_LOW, RMST_HIGH = "rmst", "rmst_low", "rmst_high"
ERT, ERT_LOW, ERT_HIGH = "ert", "ert_low", "ert_high"
CURVE = [c.TRIAL_ID, AT, SHARE, LOW, HIGH, AT_RISK]
FIGURES = [MEDIAN, MEDIAN_LOW, MEDIAN_HIGH, RMST, RMST_LOW, RMST_HIGH, ERT, ERT_LOW, ERT_HIGH]


@dataclass(frozen=True, eq=False)
class Times:
    """Times to solution of one trial, in iterations, of all trainings that were begun; ``unit`` is 1, or seconds.

    ``tail`` is the probability below an interval's upper end.
    """

    trial_id: str
    solved_S: Floats
    trainings: int
    budget: float
    unit: float = 1.0
    tail: float = TAIL

    def within(self, budget: float, tail: float) -> "Times":
        """Return them as of a shorter budget, with intervals of another tail."""
        return replace(self, solved_S=self.solved_S[self.solved_S <= budget], budget=budget, tail=tail)

    @property
    def censored(self) -> int:
        """How many are censored at the budget."""
        return self.trainings - len(self.solved_S)

    @cached_property
    def failing(self) -> Interval:
        """The share that does not solve, with its exact interval."""
        low, high = exact_interval(self.censored, self.trainings, self.tail)
        return self.censored / self.trainings, float(low), float(high)


def solution_curves(trainings: pd.DataFrame, points: int = 200) -> pd.DataFrame:
    """Return the Kaplan–Meier estimate (1958) of the share that had solved by when, a row per trial and place.

    A step function, continuous from the right: ``share`` holds from ``at`` to the next. Nothing is censored before the
    budget, so that it is a share of all trainings at each place. The first row of a trial is at 0, before anything was
    done, the last at its budget; at most ``points`` are kept, evenly in share and in the logarithm of time. ``low`` and
    ``high`` are the exact 95 % limits at each place by itself, not of all at once. ``at_risk`` is how many were still
    unsolved just before.
    """
    trials = list(times_by_trial(trainings))
    curves = [_thinned(_curve(one), points) for one in trials]
    data = {name: np.concatenate([np.empty(0), *(curve[name] for curve in curves)]) for name in CURVE[1:]}
    names = np.repeat(np.array([one.trial_id for one in trials], dtype=object), [len(curve[AT]) for curve in curves])
    return pd.DataFrame({c.TRIAL_ID: names, **data}).astype({AT_RISK: np.int64})


def times_to_solution(trainings: pd.DataFrame, *, seconds: bool = False, at_once: bool = False) -> pd.DataFrame:
    """Return median, restricted mean and expected running time to solution of each trial, with 95 % intervals.

    In iterations; with ``seconds``, multiplied by the trial's median ``iteration_us``, and missing where there is
    none. The median and its limits are missing where they are not within the budget; the expected running time is
    infinite where nothing solved. A trial's figures depend on its own trainings only; but for the median's interval if
    those of all trials are to hold ``at_once``.
    """
    found = list(times_by_trial(trainings, seconds=seconds))
    tail = tail_at_once(len(found)) if at_once else TAIL
    rows = [
        (one.trial_id, one.trainings, len(one.solved_S), *(one.unit * np.array([one.budget, *_figures(one, tail)])))
        for one in found
    ]
    table = pd.DataFrame(rows, columns=[c.TRIAL_ID, COUNT, c.SOLVED, BUDGET, *FIGURES])
    return table.astype({COUNT: np.int64, c.SOLVED: np.int64, **dict.fromkeys((BUDGET, *FIGURES), np.float64)})


def _figures(times: Times, tail: float) -> tuple[float, ...]:
    return *median_time(times, tail), *_restricted_mean(times), *running_time(times)


def times_by_trial(trainings: pd.DataFrame, *, seconds: bool = False) -> Iterator[Times]:
    """Yield each trial's times, in the order in which the trials come."""
    wanted = [c.TRIAL_ID, c.OUTCOME, c.SOLVED, c.SOLVED_AT, c.ITERATIONS, c.ITERATION_US]
    for name, rows in begun(trainings[wanted]).groupby(c.TRIAL_ID, sort=False, observed=True):
        time_T = np.sort(time_to_solution(rows))  # sums must not depend on the order of the rows
        unit = float(rows[c.ITERATION_US].astype(float).median()) / 1e6 if seconds else 1.0
        yield Times(str(name), time_T[np.isfinite(time_T)], len(rows), float(rows[c.ITERATIONS].iloc[0]), unit)


def _curve(times: Times) -> dict[str, Floats]:
    """Return a trial's curve whole: at 0, at every iteration at which something solved, and at the budget."""
    at_U = np.append(0.0, np.unique(np.append(times.solved_S, times.budget)))
    solved_U = np.searchsorted(times.solved_S, at_U, side="right")
    solved_U[0] = 0
    at_risk_U = times.trainings - np.searchsorted(times.solved_S, at_U)
    low_U, high_U = exact_interval(solved_U, times.trainings)
    return {
        AT: at_U,
        SHARE: solved_U / times.trainings,
        LOW: low_U,
        HIGH: high_U,
        AT_RISK: at_risk_U.astype(np.float64),
    }


def _thinned(curve: dict[str, Floats], points: int) -> dict[str, Floats]:
    """Return at most ``points`` places of a curve, each as it was: evenly in share and in log time, with both ends."""
    last = len(curve[AT]) - 1
    if last < points:
        return curve
    kept = [np.array([0, last])]
    for values_U, count in ((curve[SHARE], (points - 1) // 2), (np.log1p(curve[AT]), (points - 2) // 2)):
        even = np.linspace(values_U[0], values_U[-1], count + 1)[1:]
        kept.append(np.minimum(np.searchsorted(values_U, even), last))
    places = np.unique(np.concatenate(kept))
    return {name: values_U[places] for name, values_U in curve.items()}


def median_time(times: Times, tail: float) -> Interval:
    """Return the median time to solution and its exact interval; missing where they are not within the budget."""
    middle, place = (times.trainings - 1) // 2, int(median_place(times.trainings, tail))
    time_T = np.append(times.solved_S, np.full(times.censored, np.nan))
    low, high = (time_T[place], time_T[-1 - place]) if place >= 0 else (0.0, np.nan)
    return float(time_T[middle]), float(low), float(high)


def _restricted_mean(times: Times) -> Interval:
    """Return the restricted mean time (Royston & Parmar 2013), of min(time, budget), with its interval.

    Nothing is censored before the budget B, so that it is q m + p B: m is the mean time of the solved share q, p the
    share that is not. Each has its own interval, which MOVER (Zou & Donner 2008) combines: the distance from the
    estimate to either end is the root of the sum of squares of what each part's end changes by itself. Student's
    interval of the clipped times would know nothing of failures that were not seen (of 20 seeds it covers 13 % where
    one in a thousand fails).
    """
    (mean, *mean_ends), (failing, *failing_ends) = solved_mean(times), times.failing
    estimate = (1 - failing) * mean + failing * times.budget
    low, high = (
        np.hypot((times.budget - mean) * (end - failing), (1 - failing) * (mean_end - mean))
        for end, mean_end in zip(failing_ends, mean_ends, strict=True)
    )
    return estimate, float(max(estimate - low, 0)), float(min(estimate + high, times.budget))


def running_time(times: Times) -> Interval:
    """Return the expected running time with restarts (Auger & Hansen 2005), with its interval.

    All that was spent, the whole budget where it did not solve, for each solution: m + B p / (1 - p), with an interval
    by MOVER as that of the restricted mean. Where nothing solved, what solutions would cost is not known, and the
    lower end is what the failures before one cost.
    """
    (mean, *mean_ends), (failing, *failing_ends) = solved_mean(times), times.failing
    odds, odds_low, odds_high = (p / (1 - p) if p < 1 else np.inf for p in (failing, *failing_ends))
    if not len(times.solved_S):
        return np.inf, times.budget * odds_low, np.inf
    estimate = mean + times.budget * odds
    low, high = (
        np.hypot(times.budget * (end - odds), mean_end - mean)
        for end, mean_end in zip((odds_low, odds_high), mean_ends, strict=True)
    )
    return estimate, float(max(estimate - low, 0)), float(estimate + high)


def solved_mean(times: Times) -> Interval:
    """Return the mean time of those that solved, with Student's interval; from 0 to the budget below two.

    Of none it is 0, the earliest that there can be: what is not known must not make an interval shorter.
    Where all times are equal, as many as may be of another kind, exactly, may lie anywhere in the budget.
    """
    solved = len(times.solved_S)
    mean = float(times.solved_S.mean()) if solved else 0.0
    if solved < 2:
        return mean, 0.0, times.budget
    margin = float(stdtrit(solved - 1, times.tail) * times.solved_S.std(ddof=1)) / np.sqrt(solved)
    if margin == 0:
        other = float(exact_interval(0, solved, times.tail)[1])
        return mean, mean * (1 - other), mean + (times.budget - mean) * other
    return mean, max(mean - margin, 0.0), min(mean + margin, times.budget)

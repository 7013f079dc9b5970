"""Survival analysis of the time to solution: how many trainings have solved by when, and what a solution costs.

The event is a solution, at the time of `time_to_solution`. Every training that was begun and did not end solved,
diverged and failed ones included, is right-censored at its trial's budget: it stays at risk to the end, so that the
share at the budget is the solved rate.

Shapes: S solved trainings in order of time, U places of a curve, R resamples.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf, t

from bench.metrics import columns as c
from bench.metrics.measures import begun, time_to_solution
from bench.stats.proportions import CONFIDENCE, COUNT, HIGH, LOW, TAIL, wilson_interval
from bench.stats.resampling import RESAMPLES

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]
AT, SHARE, AT_RISK, BUDGET = "at", "share", "at_risk", "budget"
MEDIAN, MEDIAN_LOW, MEDIAN_HIGH = "median", "median_low", "median_high"
RMST, RMST_LOW, RMST_HIGH = "rmst", "rmst_low", "rmst_high"
ERT, ERT_LOW, ERT_HIGH = "ert", "ert_low", "ert_high"
CURVE = [c.TRIAL_ID, AT, SHARE, LOW, HIGH, AT_RISK]
FIGURES = [MEDIAN, MEDIAN_LOW, MEDIAN_HIGH, RMST, RMST_LOW, RMST_HIGH, ERT, ERT_LOW, ERT_HIGH]
MANY = 200  # solved trainings: the mean of so many resampled ones is as good as normal


@dataclass(frozen=True, eq=False)
class _Times:
    """Times to solution of one trial, in iterations, of all trainings that were begun; ``unit`` is 1, or seconds."""

    trial_id: str
    solved_S: Floats
    trainings: int
    budget: float
    unit: float

    @property
    def censored(self) -> int:
        """How many are censored at the budget."""
        return self.trainings - len(self.solved_S)

    @cached_property
    def unseen(self) -> float:
        """Wilson's upper limit for the share of trainings of a kind that was not among these."""
        return float(wilson_interval(0, self.trainings)[1])


def solution_curves(trainings: pd.DataFrame, points: int = 200, *, seconds: bool = False) -> pd.DataFrame:
    """Return the Kaplan–Meier estimate (1958) of the share that had solved by when, a row per trial and place.

    A step function, continuous from the right: ``share`` holds from ``at`` to the next. The first row of a trial is 0
    before anything was done, the last is its budget; at most ``points`` are kept, evenly in share and in the logarithm
    of time. ``low`` and ``high`` are the 95 % limits at each place by itself, log-log transformed (Kalbfleisch &
    Prentice 1980), and Wilson's where none or all have solved, for which that is not defined. ``at_risk`` is how many
    were still unsolved just before. With ``seconds``, iterations are multiplied by the trial's median
    ``iteration_us``; a trial that was never timed has no curve then.
    """
    trials = [one for one in _trials(trainings, seconds=seconds) if np.isfinite(one.unit)]
    curves = [_thinned(_curve(one), points) for one in trials]
    curves = [{**curve, AT: curve[AT] * one.unit} for curve, one in zip(curves, trials, strict=True)]
    data = {name: np.concatenate([np.empty(0), *(curve[name] for curve in curves)]) for name in CURVE[1:]}
    names = np.repeat(np.array([one.trial_id for one in trials], dtype=object), [len(curve[AT]) for curve in curves])
    return pd.DataFrame({c.TRIAL_ID: names, **data}).astype({AT_RISK: np.int64})


def times_to_solution(trainings: pd.DataFrame, seed: int, *, seconds: bool = False) -> pd.DataFrame:
    """Return median, restricted mean and expected running time to solution of each trial, with 95 % intervals.

    In iterations; with ``seconds``, multiplied by the trial's median ``iteration_us``, and missing where there is
    none. The median and its limits are missing where they are not within the budget; the expected running time is
    infinite where nothing solved. A trial's figures depend on its own trainings and the seed only.
    """
    rows = [
        (one.trial_id, one.trainings, len(one.solved_S), *(one.unit * np.array([one.budget, *_figures(one, seed)])))
        for one in _trials(trainings, seconds=seconds)
    ]
    table = pd.DataFrame(rows, columns=[c.TRIAL_ID, COUNT, c.SOLVED, BUDGET, *FIGURES])
    return table.astype({COUNT: np.int64, c.SOLVED: np.int64, **dict.fromkeys((BUDGET, *FIGURES), np.float64)})


def _figures(times: _Times, seed: int) -> tuple[float, ...]:
    return *_median(times), *_restricted_mean(times), *_running_time(times, seed)


def _trials(trainings: pd.DataFrame, *, seconds: bool) -> Iterator[_Times]:
    """Yield each trial's times, in the order in which the trials come."""
    wanted = [c.TRIAL_ID, c.OUTCOME, c.SOLVED, c.SOLVED_AT, c.ITERATIONS, c.ITERATION_US]
    for name, rows in begun(trainings[wanted]).groupby(c.TRIAL_ID, sort=False, observed=True):
        time_T = np.sort(time_to_solution(rows))  # sums and draws must not depend on the order of the rows
        unit = float(rows[c.ITERATION_US].astype(float).median()) / 1e6 if seconds else 1.0
        yield _Times(str(name), time_T[np.isfinite(time_T)], len(rows), float(rows[c.ITERATIONS].iloc[0]), unit)


def _curve(times: _Times) -> dict[str, Floats]:
    """Return a trial's curve whole: at 0, at every iteration at which something solved, and at the budget."""
    cdf = ecdf(CensoredData(times.solved_S, right=np.full(times.censored, times.budget))).cdf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the limits are not defined for none and for all
        band = cdf.confidence_interval(CONFIDENCE, method="log-log")
    at_U, share_U = np.append(0.0, cdf.quantiles), np.append(0.0, cdf.probabilities)
    low_U, high_U = (np.append(np.nan, limits.probabilities) for limits in band)
    if at_U[-1] < times.budget:
        at_U = np.append(at_U, times.budget)
        share_U, low_U, high_U = (np.append(values, values[-1]) for values in (share_U, low_U, high_U))
    none, some = share_U <= 0, share_U < 1
    return {
        AT: at_U,
        SHARE: share_U,
        LOW: np.select([none, some], [0.0, low_U], 1 - times.unseen),
        HIGH: np.select([none, some], [times.unseen, high_U], 1.0),
        AT_RISK: times.trainings - np.searchsorted(times.solved_S, at_U).astype(np.float64),
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


def _median(times: _Times) -> Interval:
    """Return the median time to solution, and where the curve's band crosses 1/2 (Brookmeyer & Crowley 1982)."""
    curve, half = _curve(times), (times.trainings + 1) // 2
    low, high = (
        float(curve[AT][share >= 0.5][0]) if (share >= 0.5).any() else np.nan for share in (curve[HIGH], curve[LOW])
    )
    return float(times.solved_S[half - 1]) if len(times.solved_S) >= half else np.nan, low, high


def _restricted_mean(times: _Times) -> Interval:
    """Return the restricted mean time (Royston & Parmar 2013), of min(time, budget), with Student's interval.

    Nothing is censored before the budget, so that it is the mean of the clipped times. Where they do not differ, that
    of as many as could be of another kind may lie anywhere from 0 to the budget.
    """
    values, size = times.solved_S, times.trainings
    mean = float(values.sum() + times.censored * times.budget) / size
    squares = float(((values - mean) ** 2).sum()) + times.censored * (times.budget - mean) ** 2
    if size == 1 or squares == 0:
        return mean, mean * (1 - times.unseen), mean + (times.budget - mean) * times.unseen
    margin = float(t.ppf(TAIL, size - 1)) * np.sqrt(squares / (size - 1) / size)
    return mean, max(mean - margin, 0.0), min(mean + margin, times.budget)


def _running_time(times: _Times, seed: int) -> Interval:
    """Return the expected running time with restarts (Auger & Hansen 2005), with its bootstrap interval.

    All that was spent, the whole budget where it did not solve, for each solution. Percentiles over resampled seeds
    (Efron 1979). Resampling cannot invent a solution where there is none, nor a failure where all solved: there, one
    end is what it would be if the solved rate were at Wilson's limit.
    """
    size, solved = times.trainings, len(times.solved_S)
    unlucky = times.budget * times.unseen / (1 - times.unseen)
    if not solved:
        return np.inf, times.budget * (1 - times.unseen) / times.unseen, np.inf
    found = float(times.solved_S.sum() + times.censored * times.budget) / solved
    rng = np.random.default_rng([seed, *times.trial_id.encode()])
    solved_R = rng.binomial(size, solved / size, RESAMPLES)
    with np.errstate(divide="ignore"):
        spent_R = _resampled_means(times.solved_S, solved_R, rng) + times.budget * (size - solved_R) / solved_R
    low, high = np.quantile(
        spent_R, ((1 - CONFIDENCE) / 2, TAIL), method="inverted_cdf"
    )  # never between a number and infinity
    return found, float(low), float(high) + (0.0 if times.censored else unlucky)


def _resampled_means(solved_S: Floats, solved_R: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Return the mean of so many solved trainings, drawn with replacement, for each resample; 0 where it has none."""
    size, mean_R = len(solved_S), np.zeros(len(solved_R))
    some = solved_R > 0
    if size >= MANY:  # a million draws for each of two thousand resamples would take minutes
        return np.asarray(rng.normal(solved_S.mean(), solved_S.std() / np.sqrt(np.maximum(solved_R, 1))))
    draws = solved_S[rng.integers(size, size=solved_R.sum())]
    starts = np.cumsum(solved_R[some]) - solved_R[some]
    mean_R[some] = np.add.reduceat(draws, starts) / solved_R[some]
    return mean_R

"""Time to solution: how many trainings have solved by when, and what a solution costs.

The event is a training that is solved at the end, at the iteration at which it first was (``solved_at``). Every other
one that was begun, diverged and failed ones included, is right-censored at its trial's budget: it stays at risk to the
end, so that the share at the budget is the solved rate.

Shapes: S solved trainings in order of time, U places of a curve, R resamples.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf, t

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.stats.proportions import CONFIDENCE, COUNT, HIGH, LOW, wilson_interval

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]
AT, SHARE, AT_RISK, BUDGET = "at", "share", "at_risk", "budget"
MEDIAN, MEDIAN_LOW, MEDIAN_HIGH = "median", "median_low", "median_high"
RMST, RMST_LOW, RMST_HIGH = "rmst", "rmst_low", "rmst_high"
ERT, ERT_LOW, ERT_HIGH = "ert", "ert_low", "ert_high"
CURVE = [c.TRIAL_ID, AT, SHARE, LOW, HIGH, AT_RISK]
FIGURES = [MEDIAN, MEDIAN_LOW, MEDIAN_HIGH, RMST, RMST_LOW, RMST_HIGH, ERT, ERT_LOW, ERT_HIGH]
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
RESAMPLES = 2_000
MANY = 200  # solved trainings: the mean of so many resampled ones is as good as normal


@dataclass(frozen=True, eq=False)
class _Times:
    """When the trainings of one trial solved, in iterations, of all that were begun; ``unit`` is 1, or seconds.

    ``unseen`` is Wilson's upper limit for the share of trainings of a kind that was not among these.
    """

    trial_id: str
    solved_S: Floats
    trainings: int
    budget: float
    unseen: float
    unit: float

    @property
    def unsolved(self) -> int:
        """How many are censored at the budget."""
        return self.trainings - len(self.solved_S)


def solution_curves(trainings: pd.DataFrame, points: int = 200, *, seconds: bool = False) -> pd.DataFrame:
    """Return by when which share had solved: a row per trial and place, 1 - Kaplan-Meier (Kaplan & Meier 1958).

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
    """Return a row per trial: its median, restricted mean and expected running time to solution, with 95 % intervals.

    In iterations; with ``seconds``, multiplied by the trial's median ``iteration_us``, and missing where there is
    none. The median and its limits are missing where they are not within the budget; the expected running time is
    infinite where nothing solved. A trial's figures depend on its own trainings and the seed only.
    """
    trials = list(_trials(trainings, seconds=seconds))
    counts = [(one.trial_id, one.trainings, len(one.solved_S)) for one in trials]
    figures = [(one.budget, *_median(one), *_restricted_mean(one), *_running_time(one, seed)) for one in trials]
    scaled = np.array(figures).reshape(-1, 1 + len(FIGURES)) * np.array([one.unit for one in trials])[:, None]
    table = pd.DataFrame(counts, columns=[c.TRIAL_ID, COUNT, c.SOLVED]).astype({COUNT: np.int64, c.SOLVED: np.int64})
    return table.join(pd.DataFrame(scaled, columns=[BUDGET, *FIGURES]))


def _trials(trainings: pd.DataFrame, *, seconds: bool) -> Iterator[_Times]:
    """Yield each trial's times, in the order in which the trials come."""
    wanted = [c.TRIAL_ID, c.SOLVED, c.SOLVED_AT, c.ITERATIONS, c.ITERATION_US]
    begun = trainings.loc[trainings[c.OUTCOME] != Result.UNSUPPORTED, wanted]
    trial_T, names = pd.factorize(begun[c.TRIAL_ID])
    sizes = np.bincount(trial_T, minlength=len(names))
    budgets = begun[c.ITERATIONS].groupby(trial_T).first().to_numpy(dtype=np.float64)
    units = begun[c.ITERATION_US].astype(float).groupby(trial_T).median().to_numpy() / 1e6
    solved = begun[c.SOLVED].to_numpy(dtype=bool)
    solved_S, trial_S = begun[c.SOLVED_AT].to_numpy(dtype=np.float64, na_value=np.nan)[solved], trial_T[solved]
    solved_S = np.fmin(solved_S, budgets[trial_S])  # solved at the end is solved by then
    order = np.lexsort((solved_S, trial_S))  # sums and draws must not depend on the order of the rows
    parts = np.split(solved_S[order], np.cumsum(np.bincount(trial_S, minlength=len(names)))[:-1])
    unseen = wilson_interval(np.zeros(len(names)), sizes)[1]
    for name, part, size, budget, share, unit in zip(names, parts, sizes, budgets, unseen, units, strict=False):
        yield _Times(str(name), part, int(size), float(budget), float(share), float(unit) if seconds else 1.0)


def _curve(times: _Times) -> dict[str, Floats]:
    """Return a trial's whole curve: 0, every iteration at which something solved, and the budget."""
    cdf = ecdf(CensoredData(times.solved_S, right=np.full(times.unsolved, times.budget))).cdf
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
    """Return when half had solved, and where the band crosses 1/2 (Brookmeyer & Crowley 1982)."""
    curve, half = _curve(times), (times.trainings + 1) // 2
    low, high = (
        float(curve[AT][share >= 0.5][0]) if (share >= 0.5).any() else np.nan for share in (curve[HIGH], curve[LOW])
    )
    return float(times.solved_S[half - 1]) if len(times.solved_S) >= half else np.nan, low, high


def _restricted_mean(times: _Times) -> Interval:
    """Return the mean of min(time, budget), in iterations (Royston & Parmar 2013), with Student's interval.

    Nothing is censored before the budget, so that it is the mean of the clipped times. Where they do not differ, that
    of as many as could be of another kind may lie anywhere from 0 to the budget.
    """
    values, size = times.solved_S, times.trainings
    mean = float(values.sum() + times.unsolved * times.budget) / size
    squares = float(((values - mean) ** 2).sum()) + times.unsolved * (times.budget - mean) ** 2
    if size == 1 or squares == 0:
        return mean, mean * (1 - times.unseen), mean + (times.budget - mean) * times.unseen
    margin = float(t.ppf(TAILS[1], size - 1)) * np.sqrt(squares / (size - 1) / size)
    return mean, max(mean - margin, 0.0), min(mean + margin, times.budget)


def _running_time(times: _Times, seed: int) -> Interval:
    """Return the expected running time with restarts, in iterations (Auger & Hansen 2005), with its bootstrap interval.

    All that was spent, the whole budget where it did not solve, for each solution. Percentiles over resampled seeds
    (Efron 1979). Resampling cannot invent a solution where there is none, nor a failure where all solved: there, one
    end is what it would be if the solved rate were at Wilson's limit.
    """
    size, solved = times.trainings, len(times.solved_S)
    unlucky = times.budget * times.unseen / (1 - times.unseen)
    if not solved:
        return np.inf, times.budget * (1 - times.unseen) / times.unseen, np.inf
    found = float(times.solved_S.sum() + times.unsolved * times.budget) / solved
    rng = np.random.default_rng([seed, *times.trial_id.encode()])
    solved_R = rng.binomial(size, solved / size, RESAMPLES)
    with np.errstate(divide="ignore"):
        spent_R = _resampled_means(times.solved_S, solved_R, rng) + times.budget * (size - solved_R) / solved_R
    low, high = np.quantile(spent_R, TAILS, method="inverted_cdf")  # never between a number and infinity
    return found, float(low), float(high) + (0.0 if times.unsolved else unlucky)


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

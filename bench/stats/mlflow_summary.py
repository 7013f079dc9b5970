"""Summaries of trainings for their runs in MLflow: single figures, and series by iteration."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import ERRORS, TIMES, begun, measured
from bench.metrics.objectives import RMST, SOLVED_RATE, objective
from bench.model.outcome import Result
from bench.stats.curves import ITERATION, curve_quantiles
from bench.stats.proportions import exact_interval

Floats = NDArray[np.float64]
Metrics = dict[str, float]
Steps = dict[str, list[tuple[int, float]]]
MAX_STEPS = 25
QUARTILES = {"median": 0.5, "q25": 0.25, "q75": 0.75}


def trial_medians(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return the medians of error, time to solution and time per iteration of each trial, over all that were begun.

    The first two are `measured` in a training (Hyndman & Fan 1996, definition 1), as in `describe_trial`; that of the
    time to solution is infinite where fewer than half are solved. ``iteration_us`` is missing unless all trainings of
    the trial were alone: other times cannot be compared.
    """
    started = begun(trainings)
    names = (c.FINAL_MSE, c.SOLVED_AT, c.ITERATION_US)
    values = pd.DataFrame({name: measured(started, name) for name in names}, index=started.index)
    trials = values.groupby(started[c.TRIAL_ID], observed=True)
    medians = trials.quantile(0.5, interpolation="lower")
    alone = started[c.ALONE].astype(bool).groupby(started[c.TRIAL_ID], observed=True).all()
    return medians.assign(**{c.ITERATION_US: trials[c.ITERATION_US].median().where(alone)})


def describe_trial(trainings: pd.DataFrame, counts: Mapping[str, int] | None = None) -> tuple[Metrics, Steps]:
    """Return the figures of one trial over its seeds, the most telling first, and series at up to 25 iterations.

    They are few, because MLflow draws each, and its comparisons open with the first. Medians and quartiles are over
    all trainings that were begun, each `measured` in one of them: what diverged or failed has infinite errors, what did
    not end solved an infinite time. MLflow has no place for what comes out infinite, which is left out; so is the count
    of an outcome that no training had. With the ``counts`` of all trainings of the trial, by outcome, ``trainings`` are
    some of them: shares are of all, and ``described`` says how many the rest is of.
    """
    started = begun(trainings)
    found = counts or trainings[c.OUTCOME].value_counts()
    outcomes = {str(result): float(found.get(result, 0)) for result in Result}
    size = sum(outcomes.values()) - outcomes[Result.UNSUPPORTED]
    metrics: Metrics = {}
    if size:
        low, high = exact_interval(int(outcomes[Result.SOLVED]), int(size))
        rate = outcomes[Result.SOLVED] / size
        metrics |= {SOLVED_RATE: rate, f"{SOLVED_RATE}_low": low, f"{SOLVED_RATE}_high": high}
    if len(started):
        metrics |= _quartiles(c.SOLVED_AT, measured(started, c.SOLVED_AT))
        metrics[RMST] = objective(started, RMST)
        metrics |= _quartiles(c.FINAL_MSE, measured(started, c.FINAL_MSE))
        metrics |= _endings(started)
    if len(times := _chunk_times(started)):
        metrics[f"{c.ITERATION_US}_median"] = float(np.median(times))
    metrics |= {"trainings": sum(outcomes.values()), **({"described": len(trainings)} if counts else {})}
    return metrics | {name: count for name, count in outcomes.items() if count}, _trial_steps(started)


def _endings(started: pd.DataFrame) -> Metrics:
    """Return the medians of diagnostics over the trainings that did not solve it, where there are any."""
    unsolved = started[~started[c.SOLVED].astype(bool)]
    medians = {name: unsolved[name].median() for name in c.DIAGNOSTICS if name in unsolved}
    return {f"{name}_median_unsolved": float(value) for name, value in medians.items() if np.isfinite(value)}


def _quartiles(name: str, values: Floats) -> Metrics:
    """Return those of the median and the quartiles that are finite."""
    found = np.quantile(values, list(QUARTILES.values()), method="inverted_cdf").tolist()
    return {f"{name}_{label}": value for label, value in zip(QUARTILES, found, strict=True) if np.isfinite(value)}


def _chunk_times(started: pd.DataFrame) -> Floats:
    """Return iteration_us of the recorded chunks of all trainings or, where they were not kept, of the trainings."""
    kept = started[c.CURVE_US].dropna()
    chunks = np.concatenate(kept.to_list()) if len(kept) else started[c.ITERATION_US].to_numpy(dtype=np.float64)
    return np.asarray(chunks[np.isfinite(chunks)])


def _trial_steps(started: pd.DataFrame) -> Steps:
    """Return the median, 5 and 95 % quantiles of the loss and the median time of an iteration, some of each."""
    loss, times = curve_quantiles(started), curve_quantiles(started, c.CURVE_US, (0.5,))
    if loss.empty:
        return {}
    some = np.unique(np.linspace(0, len(loss) - 1, min(MAX_STEPS, len(loss))).astype(int))
    series = {"loss_median": loss[0.5], "loss_q05": loss[0.05], "loss_q95": loss[0.95], c.ITERATION_US: times[0.5]}
    steps = loss[ITERATION].to_numpy()[some].tolist()
    return {name: list(zip(steps, values.to_numpy()[some].tolist(), strict=True)) for name, values in series.items()}


def describe_training(training: pd.DataFrame) -> tuple[Metrics, Steps]:
    """Return one training's figures, as its row has them, and its whole curves; ``training`` has one row."""
    row = training.iloc[0]
    names = (c.SOLVED, c.CORRECT, *ERRORS, *TIMES, c.ITERATION_US)
    metrics = {name: float(row[name]) for name in names if not pd.isna(row[name])}
    metrics["diverged"] = float(row[c.OUTCOME] == Result.DIVERGED)
    if c.ITERATION_US in metrics:  # the series has this name
        metrics[f"{c.ITERATION_US}_mean"] = metrics.pop(c.ITERATION_US)
    if row[c.CURVE] is None:
        return metrics, {}
    steps: Steps = {}
    for name, column in ((c.LOSS, c.CURVE), (c.ITERATION_US, c.CURVE_US)):
        values = curve_quantiles(training, column, (0.5,))
        steps[name] = [(int(at), float(value)) for at, value in zip(values[ITERATION], values[0.5], strict=True)]
    return metrics, steps

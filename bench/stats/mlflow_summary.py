"""Summaries of trainings for their runs in MLflow: single figures, and series by iteration."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.metrics.measures import ERRORS, TIMES, begun, measured
from bench.model.outcome import Result
from bench.stats.curves import ITERATION, curve_quantiles
from bench.stats.proportions import exact_interval

Metrics = dict[str, float]
Steps = dict[str, list[tuple[int, float]]]
MAX_STEPS = 25
QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


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
    """Return at most 40 figures of one trial over its seeds, and series at up to 25 recorded iterations.

    Medians and quartiles are over all trainings that were begun, each `measured` in one of them: what diverged or
    failed has infinite errors, what did not end solved (or correct) an infinite time. MLflow has no place for what
    comes out infinite, which is left out. With the ``counts`` of all trainings of the trial, by outcome and of those
    that are correct, ``trainings`` are some of them: shares are of all, and ``described`` says how many the rest is of.
    """
    started = begun(trainings)
    found = counts or {**trainings[c.OUTCOME].value_counts(), c.CORRECT: int(started[c.CORRECT].sum())}
    metrics: Metrics = {str(result): float(found.get(result, 0)) for result in Result}
    metrics = {"trainings": sum(metrics.values()), **metrics, **({"described": len(trainings)} if counts else {})}
    size = metrics["trainings"] - metrics[Result.UNSUPPORTED]
    if size:
        for name, count in ((c.SOLVED, found.get(Result.SOLVED, 0)), (c.CORRECT, found[c.CORRECT])):
            low, high = exact_interval(count, size)
            metrics |= {f"{name}_rate": count / size, f"{name}_rate_low": low, f"{name}_rate_high": high}
    if len(started):
        for name in (*ERRORS, *TIMES):
            quartiles = np.quantile(measured(started, name), list(QUARTILES.values()), method="inverted_cdf")
            named = zip(QUARTILES, quartiles, strict=True)
            metrics |= {f"{name}_{label}": float(value) for label, value in named if np.isfinite(value)}
    return metrics | _chunk_times(started), _trial_steps(started)


def _chunk_times(started: pd.DataFrame) -> Metrics:
    """Return median, quartiles and 99th percentile of iteration_us over the recorded chunks of all trainings."""
    kept = started[c.CURVE_US].dropna()
    chunks = np.concatenate(kept.to_list()) if len(kept) else started[c.ITERATION_US].to_numpy(dtype=np.float64)
    chunks = chunks[np.isfinite(chunks)]
    quantiles = {**QUARTILES, "p99": 0.99}
    found = np.quantile(chunks, list(quantiles.values())) if len(chunks) else []
    return {f"{c.ITERATION_US}_{label}": float(value) for label, value in zip(quantiles, found, strict=False)}


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

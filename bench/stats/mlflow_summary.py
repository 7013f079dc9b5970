"""Sums up trainings for a run of MLflow: single figures, and series by iteration."""

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.stats.curves import ITERATION, curve_quantiles
from bench.stats.proportions import wilson_interval

Metrics = dict[str, float]
Steps = dict[str, list[tuple[int, float]]]
MAX_STEPS = 25
QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}
ERRORS = (c.FINAL_LOSS, c.FINAL_MSE, c.MAX_ABS_ERROR)
SPREAD_COLUMNS = (*ERRORS, c.SOLVED_AT, c.CORRECT_AT, c.ITERATION_US)


def worst_first(trainings: pd.DataFrame, name: str) -> pd.Series:
    """Return a measure of every training that was begun: an error is infinite where the training diverged or failed.

    ``solved_at``, ``correct_at`` and times have no such worst value: they are missing where there is none.
    """
    begun = trainings[trainings[c.OUTCOME] != Result.UNSUPPORTED]
    values = begun[name].astype(float)
    lost = begun[c.OUTCOME].isin([Result.DIVERGED, Result.FAILED])
    return values.mask(lost, np.inf) if name in ERRORS else values


def trial_medians(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return the medians of error, solved_at and iteration_us per trial, as `worst_first` has them.

    ``solved_at`` is infinite where a training did not solve it, so that its median is that of all that were begun.
    ``iteration_us`` is missing unless all trainings of the trial were alone: other times cannot be compared.
    """
    names = (c.FINAL_MSE, c.SOLVED_AT, c.ITERATION_US)
    by = trainings[c.TRIAL_ID]
    values = {name: worst_first(trainings, name) for name in names}
    solved = trainings[c.SOLVED].astype(bool).reindex(values[c.SOLVED_AT].index)
    values[c.SOLVED_AT] = values[c.SOLVED_AT].where(solved, np.inf)
    medians = pd.DataFrame({name: some.groupby(by, observed=True).median() for name, some in values.items()})
    alone = trainings[c.ALONE].astype(bool).groupby(by, observed=True).all()
    medians[c.ITERATION_US] = medians[c.ITERATION_US].where(alone.reindex(medians.index))
    return medians


def describe_trial(trainings: pd.DataFrame) -> tuple[Metrics, Steps]:
    """Return at most 40 figures of one trial over its seeds, and series at up to 25 recorded iterations.

    ``solved_at`` and ``correct_at`` are over the trainings that got there; an error is infinite where one diverged,
    and what comes out infinite is left out: MLflow has no place for it.
    """
    begun = trainings[trainings[c.OUTCOME] != Result.UNSUPPORTED]
    metrics: Metrics = {"trainings": len(trainings)}
    metrics |= {str(result): float((trainings[c.OUTCOME] == result).sum()) for result in Result}
    if len(begun):
        for name in (c.SOLVED, c.CORRECT):
            low, high = wilson_interval(int(begun[name].sum()), len(begun))
            metrics |= {f"{name}_rate": begun[name].mean(), f"{name}_rate_low": low, f"{name}_rate_high": high}
    for name in (*ERRORS, c.SOLVED_AT, c.CORRECT_AT):
        values = worst_first(begun, name).dropna().to_numpy(dtype=np.float64)
        if values.size:
            found = np.quantile(values, list(QUARTILES.values()), method="inverted_cdf")
            named = zip(QUARTILES, found, strict=True)
            metrics |= {f"{name}_{label}": float(value) for label, value in named if np.isfinite(value)}
    return metrics | _chunk_times(begun), _trial_steps(begun)


def _chunk_times(begun: pd.DataFrame) -> Metrics:
    """Return median, quartiles and 99th percentile of iteration_us over the recorded chunks of all trainings."""
    kept = begun[c.CURVE_US].dropna()
    chunks = np.concatenate(kept.to_list()) if len(kept) else begun[c.ITERATION_US].to_numpy(dtype=np.float64)
    chunks = chunks[np.isfinite(chunks)]
    quantiles = {**QUARTILES, "p99": 0.99}
    found = np.quantile(chunks, list(quantiles.values())) if len(chunks) else []
    return {f"{c.ITERATION_US}_{label}": float(value) for label, value in zip(quantiles, found, strict=False)}


def _trial_steps(begun: pd.DataFrame) -> Steps:
    loss, times = curve_quantiles(begun), curve_quantiles(begun, c.CURVE_US, (0.5,))
    if loss.empty:
        return {}
    some = np.unique(np.linspace(0, len(loss) - 1, min(MAX_STEPS, len(loss))).astype(int))
    series = {"loss_median": loss[0.5], "loss_q05": loss[0.05], "loss_q95": loss[0.95], c.ITERATION_US: times[0.5]}
    steps = loss[ITERATION].to_numpy()[some].tolist()
    return {name: list(zip(steps, values.to_numpy()[some].tolist(), strict=True)) for name, values in series.items()}


def describe_training(training: pd.DataFrame) -> tuple[Metrics, Steps]:
    """Return one training's figures, and its whole curves; ``training`` has one row."""
    row = training.iloc[0]
    metrics = {name: float(row[name]) for name in (c.SOLVED, c.CORRECT, *SPREAD_COLUMNS) if not pd.isna(row[name])}
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

"""Measures of a search in words: what each is called, and its values and their differences with their units."""

import numpy as np
import pandas as pd

from bench.experiment.search.objective import (
    MEDIAN_MSE,
    MEDIAN_SOLVED_AT,
    PARAMETER_COUNT,
    RMST,
    SOLVED_RATE,
    TRAIN_SECONDS,
)
from bench.report.words import duration, percent, percent_interval, points, short

MEASURES = {
    RMST: "restricted mean time to solution",
    SOLVED_RATE: "solved rate",
    MEDIAN_SOLVED_AT: "median time to solution",
    MEDIAN_MSE: "median final error",
    PARAMETER_COUNT: "number of weights and biases",
    TRAIN_SECONDS: "time of a training",
}
SHORT = {  # in a heading
    RMST: "restricted mean",
    SOLVED_RATE: "solved",
    MEDIAN_SOLVED_AT: "median time",
    MEDIAN_MSE: "median error",
    PARAMETER_COUNT: "weights",
    TRAIN_SECONDS: "time",
}
UNITS = {RMST: " iterations", MEDIAN_SOLVED_AT: " iterations"}


def value_words(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a value of a measure in its unit, with its interval if there is one."""
    return "–" if pd.isna(value) else f"{bare_value(name, value, low, high)}{UNITS.get(name, '')}"


def bare_value(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a value of a measure where its unit is known."""
    if pd.isna(value):
        return "–"
    if name == SOLVED_RATE:
        return percent(value) if pd.isna(low) else percent_interval(value, low, high)
    text = duration(value) if name == TRAIN_SECONDS and np.isfinite(value) else short(value)
    ends = "" if pd.isna(low) else f" [{short(low)}, {'…' if pd.isna(high) else short(high)}]"
    return f"{text}{ends}"


def change_words(name: str, value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Write a difference of two values with its sign, in points where they are shares, and with its interval if any."""
    if pd.isna(value):
        return "–"
    if name == SOLVED_RATE:
        return f"{points(value, value, value).partition(' [')[0]}" if pd.isna(low) else points(value, low, high)
    if name == TRAIN_SECONDS and np.isfinite(value):
        return f"{'+' if value > 0 else '−' if value < 0 else ''}{duration(abs(value))}"
    ends = "" if pd.isna(low) else f" [{_signed(low)}, {_signed(high)}]"
    return f"{_signed(value)}{ends}{UNITS.get(name, '')}"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{short(value)}".replace("-", "−")

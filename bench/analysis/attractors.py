"""Where trainings end up: final predictions, named.

A prediction near 0 or 1 is called that; one within 0.01 of a simple fraction is called the fraction.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.problem.outcome import Result
from bench.tracking import columns as c

ENDS = {"0": 0.0, "1": 1.0}
FRACTIONS = {"⅓": 1 / 3, "½": 0.5, "⅔": 2 / 3, "¼": 0.25, "¾": 0.75}
END_WIDTH = 0.1
FRACTION_WIDTH = 0.01
OTHER = "·"
WRONG, WRONG_OBSERVATION, PATTERN = "wrong", "wrong_observation", "pattern"


def name_pattern(predictions_N: NDArray[np.float64]) -> str:
    """Return predictions as a pattern such as ``⅓ 1 ⅓ ⅓``; a dot stands for anything else."""
    return " ".join(_name(float(prediction)) for prediction in predictions_N)


def _name(prediction: float) -> str:
    for names, width in ((ENDS, END_WIDTH), (FRACTIONS, FRACTION_WIDTH)):
        for name, value in names.items():
            if abs(prediction - value) <= width:
                return name
    return OTHER


def where_they_end(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return per training: how many observations are on the wrong side of 0.5, which one if it is one, the pattern.

    Observations are counted from 1, as the tables do. What diverged, or has no predictions, has missing values.
    """
    ended = trainings[c.PREDICTIONS].notna() & (trainings[c.OUTCOME] != Result.DIVERGED)
    predictions = [np.asarray(p) if ok else None for p, ok in zip(trainings[c.PREDICTIONS], ended, strict=True)]
    wrong = [
        None if p is None else (p > 0.5) != (np.asarray(t) > 0.5)
        for p, t in zip(predictions, trainings[c.TARGETS], strict=True)
    ]
    single = [int(np.flatnonzero(w)[0]) + 1 if w is not None and w.sum() == 1 else pd.NA for w in wrong]
    return pd.DataFrame(
        {
            WRONG: pd.array([pd.NA if w is None else int(w.sum()) for w in wrong], dtype="Int64"),
            WRONG_OBSERVATION: pd.array(single, dtype="Int64"),
            PATTERN: [None if p is None else name_pattern(p) for p in predictions],
        },
        index=trainings.index,
    )

"""Agreement of backends: whether they give the same trainings from the same initial weights, however fast they are.

Shapes: T trainings that both sides have, N observations, K recorded iterations.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import never_trained
from bench.model.outcome import Result
from bench.model.parameter_fields import Role
from bench.model.trial import Trial, backend_place, recorded_iterations

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Flags = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]
SIDE = Trial.names(Role.COMPUTATION)  # what may differ between trials that should give the same trainings
REST = tuple(name for name in c.PARAMETERS if name not in SIDE)
USUAL = Trial().parameters

# A training magnifies its rounding errors while it leaves a plateau: over thousands of iterations one unit in the
# last place (6e-8, 1e-16) was seen to grow to 1e-5 and 2e-14. Arithmetic that is wrong is further off by orders.
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
# Some are on an edge just when their budget ends: summing three ReLU neurons in another order, and nothing else, put 2
# of 3,000 float32 trainings beyond 1e-4. Backends with an exp of their own have more to magnify. But roundings grow
# late, and arithmetic that is wrong shows early: who parts in the first tenth is not excused
EXCUSED = 0.01
EARLY = 10  # the first tenth
PARTED = 1e-6  # of losses

ONE, OTHER, COMPARED, DIFFERENCE, BEYOND, PARTED_AT, SAME, AGREES = (
    "one", "other", "compared", "difference", "beyond", "parted_at", "same_outcome", "agrees",
)  # fmt: skip
ONE_ID, OTHER_ID, FINITE, TRIALS, DISAGREEING = "one_id", "other_id", "finite", "trials", "disagreeing"
READ = (
    *(c.TRIAL_ID, c.SEED, c.DTYPE, c.ITERATIONS, c.CURVE_POINTS),
    *(c.OUTCOME, c.PREDICTIONS, c.CURVE, c.ITERATIONS_DONE),
)
COLUMNS = [
    *(ONE, OTHER, c.DTYPE, ONE_ID, OTHER_ID, COMPARED, FINITE, DIFFERENCE, BEYOND, PARTED_AT, SAME, AGREES),
]


def sides(trainings: pd.DataFrame) -> pd.Series:
    """Return the name of what computed each row: its backend, with device and summation where they are not usual."""
    words: pd.Series = trainings[c.BACKEND].astype(str)
    for name in (c.DEVICE, c.SUMMATION):
        words = words + (" " + trainings[name].astype(str)).where(trainings[name] != USUAL[name], "")
    return words


def agreements(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return for each trial and two sides that trained it how far the same trainings come out the same.

    Trainings are compared that both sides finished, of trials equal but for the side, with the same seed. Two sides
    agree in a trial if no prediction differs by more than the dtype's tolerance, but for one training in a hundred
    whose losses stayed together over the first tenth of the iterations. Of trainings that diverged on both sides there
    is nothing to compare: ``finite`` counts the others, and where there are none, ``agrees`` is missing. ``parted_at``
    is the first recorded iteration at which the losses of any training differ by more than 1e-6, or missing.
    """
    finished = trainings.loc[
        ~never_trained(trainings), list(dict.fromkeys([*READ, *(name for name in c.PARAMETERS if name in trainings)]))
    ]
    trials = finished.drop_duplicates(c.TRIAL_ID)
    trials = trials.assign(**{ONE: sides(trials)})
    columns = {name: finished[name].to_numpy() for name in READ}
    places = finished.groupby(c.TRIAL_ID, observed=True).indices
    rows = []
    rest = [name for name in REST if name in trials]
    groups = trials.groupby(rest, sort=False, observed=True) if len(trials[ONE].unique()) > 1 else ()
    for _, same in groups:
        by_side = dict(zip(same[ONE][::-1], same[c.TRIAL_ID][::-1], strict=True))  # of tables of one name the first
        for first, second in combinations(sorted(by_side, key=_in_order), 2):
            own, others = places[by_side[first]], places[by_side[second]]
            _, at, other_at = np.intersect1d(columns[c.SEED][own], columns[c.SEED][others], return_indices=True)
            if len(at):
                both = (own[at], others[other_at])
                pair = ({name: values[some] for name, values in columns.items()} for some in both)
                rows.append({ONE: first, OTHER: second, **_compared(*pair)})
    table = pd.DataFrame(rows, columns=COLUMNS)
    table[PARTED_AT] = table[PARTED_AT].astype("Int64")
    return table.astype({AGREES: "boolean", SAME: float})


def _in_order(side: str) -> tuple[int, str]:
    return backend_place(side.split(maxsplit=1)[0]), side


def pair_summary(agreed: pd.DataFrame) -> pd.DataFrame:
    """Return the agreement of each two sides by dtype, over all trials; ``disagreeing`` lists those that do not agree.

    One trial that disagrees is a pair that does; a pair agrees if some trial could be compared.
    """
    rows = agreed.assign(**{SAME: agreed[SAME] * agreed[COMPARED]})
    wrong = (~agreed[AGREES].astype("boolean")).fillna(value=False)
    rows[DISAGREEING] = [[one] if disagrees else [] for one, disagrees in zip(rows[ONE_ID], wrong, strict=True)]
    rows[TRIALS] = 1
    how = dict.fromkeys((COMPARED, FINITE, BEYOND, SAME, TRIALS, DISAGREEING), "sum")
    how |= {DIFFERENCE: "max", PARTED_AT: "min"}
    table: pd.DataFrame = rows.groupby([ONE, OTHER, c.DTYPE], sort=False).agg(how).reset_index()
    table[SAME] /= table[COMPARED]
    table[AGREES] = (table[DISAGREEING].map(len) == 0).astype("boolean").where(table[FINITE] > 0)
    return table


def agreement_of(agreed: pd.DataFrame, one_id: str, other_id: str) -> dict[str, Any] | None:
    """Return the agreement of two trials, whichever comes first, or None where nothing could be compared."""
    same = agreed[ONE_ID].isin([one_id, other_id]) & agreed[OTHER_ID].isin([one_id, other_id])
    rows = agreed[same & agreed[AGREES].notna()].to_dict("records")
    return {str(name): value for name, value in rows[0].items()} if rows else None


def _compared(first: Columns, second: Columns) -> dict[str, Any]:
    dtype, size = str(first[c.DTYPE][0]), len(first[c.SEED])
    finite = size - int(((first[c.OUTCOME] == Result.DIVERGED) & (second[c.OUTCOME] == Result.DIVERGED)).sum())
    difference_T = _differences(first, second)
    beyond_T = difference_T > TOLERANCE[dtype]
    iterations_K, parted_TK, has_curve_T = _partings(first, second)
    excusable_T: Flags = has_curve_T & _together_early(iterations_K, parted_TK, int(first[c.ITERATIONS][0]))
    parted_K = parted_TK.any(axis=0)
    excused = bool(excusable_T[beyond_T].all()) and beyond_T.sum() <= EXCUSED * finite
    return {
        c.DTYPE: dtype,
        ONE_ID: first[c.TRIAL_ID][0],
        OTHER_ID: second[c.TRIAL_ID][0],
        COMPARED: size,
        FINITE: finite,
        DIFFERENCE: float(difference_T.max()),
        BEYOND: int(beyond_T.sum()),
        PARTED_AT: int(iterations_K[parted_K.argmax()]) if parted_K.any() else pd.NA,
        SAME: float((first[c.OUTCOME] == second[c.OUTCOME]).mean()),
        AGREES: excused if finite else pd.NA,
    }


def _differences(first: Columns, second: Columns) -> Floats:
    """Return per training the largest difference ``[T]`` of its predictions; infinite if one diverged, 0 if both."""
    lost_T, second_lost_T = (columns[c.OUTCOME] == Result.DIVERGED for columns in (first, second))
    with np.errstate(invalid="ignore"):
        difference_T = np.abs(np.stack(list(first[c.PREDICTIONS])) - np.stack(list(second[c.PREDICTIONS]))).max(axis=1)
    return np.where(lost_T & second_lost_T, 0.0, np.where(lost_T | second_lost_T, np.inf, difference_T))


def _partings(first: Columns, second: Columns) -> tuple[Places, Flags, Flags]:
    """Return the recorded iterations ``[K]``, where losses differ at them ``[T, K]``, and who has a curve ``[T]``.

    What either did not do any more, because it stopped early, is not compared.
    """
    iterations_K = recorded_iterations(int(first[c.ITERATIONS][0]), int(first[c.CURVE_POINTS][0]))
    has_curve_T = np.array(
        [a is not None and b is not None for a, b in zip(first[c.CURVE], second[c.CURVE], strict=True)]
    )
    parted_TK = np.zeros((len(has_curve_T), len(iterations_K)), dtype=bool)
    if has_curve_T.any():
        loss_TK, second_loss_TK = (np.stack(list(columns[c.CURVE][has_curve_T])) for columns in (first, second))
        done_T = np.minimum(first[c.ITERATIONS_DONE], second[c.ITERATIONS_DONE])[has_curve_T].astype(np.int64)
        with np.errstate(invalid="ignore"):
            near_TK = np.abs(loss_TK - second_loss_TK) <= PARTED
        near_TK |= ~np.isfinite(loss_TK) & ~np.isfinite(second_loss_TK)  # diverged, both of them
        parted_TK[has_curve_T] = ~near_TK & (iterations_K < done_T[:, None])
    return iterations_K, parted_TK, has_curve_T


def _together_early(iterations_K: Places, parted_TK: Flags, iterations: int) -> Flags:
    """Return whose losses stayed together ``[T]`` over the first tenth, where more than the start was recorded."""
    early_K = iterations_K <= iterations // EARLY
    if early_K.sum() < 2:
        return np.zeros(len(parted_TK), dtype=bool)
    return np.asarray(~parted_TK[:, early_K].any(axis=1), dtype=bool)

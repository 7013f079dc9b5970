"""Attractors: where the trainings gather that do not solve their gate, clusters of their final predictions.

Shapes: T trainings, N observations, U different rounded predictions, K recorded iterations, S seeds.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import begun
from bench.model.maps import ELSEWHERE
from bench.model.outcome import Result
from bench.stats.final_patterns import (
    PATTERN,
    WRONG,
    by_targets,
    has_sides,
    in_hundredths,
    name_patterns,
    stacked,
    unique_rows,
)
from bench.stats.proportions import COUNT, HIGH, LOW, clustered_interval

Floats = NDArray[np.float64]

OF, SHARE, CENTRE, WHICH, UNDECIDED, TRIALS = "of", "share", "centre", "which", "undecided", "trials"
OF_UNSOLVED = "of_unsolved"

NEAR = 0.02  # predictions that differ by no more in any observation are neighbours, and names are as wide
# So many neighbours make the core of a cluster: with fewer, what drifts along a line without slope (ReLU networks that
# died, under the absolute loss) is chained to the plateau that it crosses
FEWEST, FEWEST_SHARE = 5, 0.005  # the share is of the gate's stuck trainings
HEAVIEST = 5_000  # different predictions among which clusters are sought: rarer ones can only belong to them

SIDES = [CENTRE, WRONG, WHICH, UNDECIDED]
COLUMNS = [
    *(c.GATE, PATTERN, COUNT, OF, SHARE, LOW, HIGH, OF_UNSOLVED, TRIALS),
    *(c.FINAL_MSE, *SIDES),
]


# ------------------------------------------------------------------ clusters


def attractor_names(trainings: pd.DataFrame) -> pd.Series:
    """Return the name of each training's attractor, "elsewhere" outside of all, or None where it is not unsolved.

    Unsolved are the stuck and the slow. Clusters are sought in each gate's stuck trainings, since slow ones still
    move: DBSCAN (Ester, Kriegel, Sander & Xu 1996) of the final predictions rounded to two decimals, weighted by how
    many are there, neighbours within 0.02 in every observation, a core of 5 trainings or of 1 in 200. A slow
    training belongs to a cluster that it has come to: with a neighbour in its core. A cluster is named by its median;
    two with one name are one attractor.
    """
    names_T = np.full(len(trainings), None, dtype=object)
    unsolved_T = trainings[c.OUTCOME].isin([Result.STUCK, Result.SLOW]).to_numpy()
    stuck_T = (trainings[c.OUTCOME] == Result.STUCK).to_numpy()
    for places, _ in by_targets(trainings):
        some = places[unsolved_T[places]]
        if some.size:
            names_T[some] = _named_clusters(stacked(trainings.iloc[some]), stuck_T[some])
    return pd.Series(names_T, index=trainings.index, name=PATTERN, dtype=object)


def _named_clusters(predictions_TN: Floats, stuck_T: NDArray[np.bool_]) -> NDArray[Any]:
    which_T, names = cluster_names(predictions_TN, stuck_T)
    return np.array(names, dtype=object)[which_T]


def cluster_names(predictions_TN: Floats, stuck_T: NDArray[np.bool_]) -> tuple[NDArray[np.int64], list[str]]:
    """Return which of the clusters' names each unsolved training has ``[T]``, and the names, the first "elsewhere".

    As `attractor_names` finds them, from the stuck among them.
    """
    rounded_TN = in_hundredths(predictions_TN)
    different_UN, which_T = unique_rows(rounded_TN)
    weight_U = np.bincount(which_T[stuck_T], minlength=len(different_UN))
    label_T = _clusters(different_UN, weight_U)[which_T]
    names = {ELSEWHERE: 0}
    number_T = np.zeros(len(label_T), np.int64)
    for label in range(label_T.max(initial=-1) + 1):
        own_T = label_T == label
        name = name_centre(np.median(predictions_TN[own_T & stuck_T], axis=0))
        number_T[own_T] = names.setdefault(name, len(names))
    return number_T, list(names)


def _clusters(different_UN: NDArray[np.int64], weight_U: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cluster of each of the rounded predictions ``[U, N]``, in hundredths; -1 for none."""
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import NearestNeighbors

    heavy = np.sort(np.argsort(-weight_U, kind="stable")[:HEAVIEST])
    heavy = heavy[weight_U[heavy] > 0]
    label_U = np.full(len(different_UN), -1)
    if not heavy.size:
        return label_U
    near = 100 * NEAR
    fewest = max(FEWEST, int(FEWEST_SHARE * weight_U.sum()))
    found = DBSCAN(eps=near, min_samples=fewest, metric="chebyshev")
    found.fit(different_UN[heavy], sample_weight=weight_U[heavy])
    core = found.core_sample_indices_
    if core.size:
        nearest = NearestNeighbors(n_neighbors=1, metric="chebyshev").fit(different_UN[heavy[core]])
        distance, place = nearest.kneighbors(different_UN)
        label_U = np.where(distance[:, 0] <= near, found.labels_[core][place[:, 0]], -1)
    return label_U


def name_centre(centre_N: Floats) -> str:
    """Return a cluster's name, such as ``⅓ 1 ⅓ ⅓``: fractions within 0.02, two decimals where there is none."""
    return str(name_patterns(centre_N[None], NEAR, digits=True)[0])


# ------------------------------------------------------------------ table


def attractors(trainings: pd.DataFrame, names: pd.Series | None = None) -> pd.DataFrame:
    """Return a row for each gate and attractor that its unsolved trainings end in, the most frequent first.

    ``trainings`` of the ``of`` that were begun with the gate end there, in ``trials`` of its trials: a share with an
    interval over the seeds that trials have in common (`clustered_interval`); ``of_unsolved`` is their share of its
    unsolved ones. The error and the ``centre`` ``[N]`` are medians over them. ``wrong`` counts the observations whose
    median is on the wrong side of 0.5, and ``which`` numbers them from 1; those within 0.02 of 0.5 are on neither
    side, and counted as ``undecided``; both are missing where there are no sides (`has_sides`). What is in no cluster
    is "elsewhere", without a centre, so that a gate's rows add up to its unsolved trainings. ``names`` are those of
    `attractor_names`, where they are known already.
    """
    names = attractor_names(trainings) if names is None else names
    own = (c.GATE, c.TRIAL_ID, c.SEED, c.OUTCOME, c.FINAL_MSE, c.PREDICTIONS, c.TARGETS)
    read = trainings[[*own, *(name for name in c.SCALE if name in trainings)]]
    rows = []
    for gate, started in begun(read.assign(**{PATTERN: names})).groupby(c.GATE, observed=True):
        totals_S = started.groupby(c.SEED, sort=False).size()
        unsolved = int(started[PATTERN].notna().sum())
        for pattern, some in started.groupby(PATTERN):
            counts_S = some.groupby(c.SEED).size().reindex(totals_S.index, fill_value=0)
            low, high = clustered_interval(counts_S, totals_S)
            share = {COUNT: len(some), OF: len(started), SHARE: len(some) / len(started), LOW: low, HIGH: high}
            share |= {OF_UNSOLVED: len(some) / unsolved, TRIALS: some[c.TRIAL_ID].nunique()}
            rows.append(
                {c.GATE: str(gate), PATTERN: pattern, c.FINAL_MSE: some[c.FINAL_MSE].median()} | share | _centre(some)
            )
    rows.sort(key=lambda row: (row[c.GATE], row[PATTERN] == ELSEWHERE, -row[COUNT], row[PATTERN]))
    return pd.DataFrame(rows, columns=COLUMNS).astype({WRONG: "Int64", UNDECIDED: "Int64"})


def _centre(trainings: pd.DataFrame) -> dict[str, Any]:
    """Return the median predictions of an attractor's trainings, and which are wrong: missing for what is elsewhere."""
    if trainings[PATTERN].iloc[0] == ELSEWHERE:
        return {CENTRE: None, WRONG: pd.NA, WHICH: None, UNDECIDED: pd.NA}
    centre_N = np.median(stacked(trainings), axis=0)
    ((_, targets_N),) = by_targets(trainings.iloc[:1])
    if not has_sides(targets_N):
        return {CENTRE: centre_N, WRONG: pd.NA, WHICH: None, UNDECIDED: pd.NA}
    by_output_NO = centre_N.reshape(len(targets_N), -1)
    undecided_NO = np.abs(by_output_NO - 0.5) <= NEAR
    wrong_NO = ((by_output_NO > 0.5) != (targets_N.reshape(by_output_NO.shape) > 0.5)) & ~undecided_NO
    wrong_N = wrong_NO.any(axis=1)
    undecided_N = undecided_NO.any(axis=1) & ~wrong_N
    which = tuple((np.flatnonzero(wrong_N) + 1).tolist())
    return {CENTRE: centre_N, WRONG: len(which), WHICH: which, UNDECIDED: int(undecided_N.sum())}

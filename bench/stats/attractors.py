"""Attractors: where the trainings gather that do not solve their gate, clusters of their final predictions.

Shapes: T trainings, N observations, U different rounded predictions, K recorded iterations.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.stats.curves import CURVES, ITERATION, curve_matrix, inverted_cdf, recorded
from bench.stats.final_patterns import PATTERN, WRONG, by_targets, name_patterns, stacked, unique_rows
from bench.stats.proportions import COUNT, HIGH, LOW, clustered_interval, wilson_interval

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

OF, SHARE, CENTRE, WHICH, UNDECIDED, TRIALS = "of", "share", "centre", "which", "undecided", "trials"
OF_UNSOLVED, MEDIAN = "of_unsolved", "median"
ELSEWHERE = "elsewhere"

NEAR = 0.02  # predictions that differ by no more in any observation are neighbours, and names are as wide
# So many neighbours make the core of a cluster: with fewer, what drifts along a line without slope (ReLU networks that
# died, under the absolute loss) is chained to the plateau that it crosses
FEWEST, FEWEST_SHARE = 5, 0.005  # the share is of the gate's stuck trainings
HEAVIEST = 5_000  # different predictions among which clusters are sought: rarer ones can only belong to them
MOST_CURVES = 10_000  # that a typical curve is the median of

SIDES = [CENTRE, WRONG, WHICH, UNDECIDED]
TRIAL_COLUMNS = [
    *(c.GATE, PATTERN, c.TRIAL_ID, COUNT, OF, SHARE, LOW, HIGH),
    *(c.FINAL_LOSS, c.FINAL_MSE, *SIDES),
]
GATE_COLUMNS = [
    *(c.GATE, PATTERN, COUNT, OF, SHARE, LOW, HIGH, OF_UNSOLVED, TRIALS),
    *(c.FINAL_MSE, *SIDES),
]
READ = (c.GATE, c.TRIAL_ID, c.FINAL_LOSS, c.FINAL_MSE, c.PREDICTIONS, c.TARGETS)
READ_CURVES = (
    *(c.GATE, c.TRIAL_ID, c.SEED, c.LOSS, c.REDUCTION, c.ITERATIONS, c.CURVE_POINTS),
    *(c.OUTCOME, c.FINAL_LOSS, c.CURVE),
)
CURVE_COLUMNS = [c.GATE, PATTERN, c.LOSS, ITERATION, MEDIAN, CURVES]


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
    rounded_TN = np.rint(100 * predictions_TN).astype(np.int64)
    different_UN, which_T = unique_rows(rounded_TN)
    weight_U = np.bincount(which_T[stuck_T], minlength=len(different_UN))
    label_T = _clusters(different_UN, weight_U)[which_T]
    names_T = np.full(len(label_T), ELSEWHERE, dtype=object)
    for label in range(label_T.max() + 1):
        own_T = label_T == label
        names_T[own_T] = name_centre(np.median(predictions_TN[own_T & stuck_T], axis=0))
    return names_T


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
    """Return a name such as ``⅓ 1 ⅓ ⅓``: fractions within 0.02, two decimals where there is no such name."""
    return str(name_patterns(centre_N[None], NEAR, digits=True)[0])


# ------------------------------------------------------------------ tables


def attractors(trainings: pd.DataFrame, names: pd.Series | None = None) -> pd.DataFrame:
    """Return a row for each trial and attractor that its unsolved trainings end in, the most frequent of a gate first.

    ``trainings`` of the ``of`` that the trial began end there: a share with Wilson's interval. Losses, errors and the
    ``centre`` ``[N]`` are medians over them. ``wrong`` counts the observations whose median is on the wrong side of
    0.5, and ``which`` numbers them from 1; those within 0.02 of 0.5 are on neither side, and counted as ``undecided``.
    What is in no cluster is "elsewhere", without a centre, so that a trial's rows add up to its unsolved trainings.
    ``names`` are those of `attractor_names`, where they are known already; so in the other functions.
    """
    table = _table(trainings, [c.GATE, PATTERN, c.TRIAL_ID], names)
    table[LOW], table[HIGH] = wilson_interval(table[COUNT], table[OF])
    return table[TRIAL_COLUMNS]


def attractor_summary(trainings: pd.DataFrame, names: pd.Series | None = None) -> pd.DataFrame:
    """Return a row for each gate and attractor over all trials, the most frequent first; see `attractors`.

    The share is of all begun trainings of the gate, with an interval over the seeds that its trials share
    (`clustered_interval`); ``of_unsolved`` is that of its unsolved ones, and ``trials`` of them have it.
    """
    names = attractor_names(trainings) if names is None else names
    table = _table(trainings, [c.GATE, PATTERN], names)
    ends = _over_seeds(trainings, names)
    for place, end in enumerate((LOW, HIGH)):
        table[end] = [ends[key][place] for key in zip(table[c.GATE], table[PATTERN], strict=True)]
    table[OF_UNSOLVED] = table[COUNT] / table.groupby(c.GATE)[COUNT].transform("sum")
    return table[GATE_COLUMNS]


def _table(trainings: pd.DataFrame, by: list[str], names: pd.Series | None) -> pd.DataFrame:
    """Return a row for each group of unsolved trainings, with everything that either table has of it."""
    names = attractor_names(trainings) if names is None else names
    unsolved_T = names.notna().to_numpy()
    rows = trainings.loc[unsolved_T, list(READ)].assign(**{PATTERN: names[unsolved_T]})
    if rows.empty:
        return pd.DataFrame(columns=list(dict.fromkeys([*TRIAL_COLUMNS, *GATE_COLUMNS])))
    groups = rows.groupby(by, observed=True)
    table = groups[[c.FINAL_LOSS, c.FINAL_MSE]].median()
    table[COUNT], table[TRIALS] = groups.size(), groups[c.TRIAL_ID].nunique()
    whole = [name for name in by if name != PATTERN]
    begun = trainings[trainings[c.OUTCOME] != Result.UNSUPPORTED].groupby(whole, observed=True).size().rename(OF)
    table[SIDES] = _centres(rows, by, table.index)
    table = table.reset_index().merge(begun.reset_index(), on=whole)
    table[SHARE] = table[COUNT] / table[OF]
    return _ordered(table)


def _over_seeds(trainings: pd.DataFrame, names: pd.Series) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the ends of the interval of each gate's and attractor's share of the begun trainings, over their seeds."""
    begun_T = (trainings[c.OUTCOME] != Result.UNSUPPORTED).to_numpy()
    ends = {}
    gates = trainings.loc[begun_T, c.GATE]
    for gate, places in gates.groupby(gates, observed=True).indices.items():
        some = np.flatnonzero(begun_T)[places]
        seed_T, seeds = pd.factorize(trainings[c.SEED].to_numpy()[some])
        pattern_T, patterns = pd.factorize(names.to_numpy()[some])
        totals_S = np.bincount(seed_T)
        for which, pattern in enumerate(patterns):
            counts_S = np.bincount(seed_T[pattern_T == which], minlength=len(seeds))
            ends[str(gate), pattern] = clustered_interval(counts_S, totals_S)
    return ends


def _centres(rows: pd.DataFrame, by: list[str], index: pd.Index) -> pd.DataFrame:
    """Return the groups' median predictions, and which of them are wrong: missing for what is elsewhere."""
    there = rows[rows[PATTERN] != ELSEWHERE]
    tables = [pd.DataFrame(columns=SIDES)]
    for places, targets_N in by_targets(there):
        some = there.iloc[places]
        predictions = pd.DataFrame(stacked(some), index=some.index)
        medians = predictions.groupby([some[name] for name in by], observed=True).median()
        tables.append(_sides(medians, targets_N))
    found = pd.concat(tables[1:] or tables).reindex(index).astype({WRONG: "Int64", UNDECIDED: "Int64"})
    for name in (CENTRE, WHICH):
        found[name] = found[name].astype(object).where(found[name].notna(), None)
    return found


def _sides(medians: pd.DataFrame, targets_N: Floats) -> pd.DataFrame:
    centres = medians.to_numpy()
    undecided = np.abs(centres - 0.5) <= NEAR
    wrong = ((centres > 0.5) != (targets_N > 0.5)) & ~undecided
    columns = {
        CENTRE: list(centres),
        WRONG: wrong.sum(axis=1),
        WHICH: [tuple((np.flatnonzero(row) + 1).tolist()) for row in wrong],
        UNDECIDED: undecided.sum(axis=1),
    }
    return pd.DataFrame(columns, index=medians.index)


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows by gate, the most frequent attractor first, elsewhere last, then by trial."""
    names = [c.GATE, *([c.TRIAL_ID] if c.TRIAL_ID in table else [])]
    table[names] = table[names].astype(str)
    total = table.groupby([c.GATE, PATTERN])[COUNT].transform("sum")
    keys = {"last": table[PATTERN] == ELSEWHERE, "most": -total}
    order = [c.GATE, *keys, PATTERN, *names[1:]]
    ordered: pd.DataFrame = table.assign(**keys).sort_values(order, ignore_index=True).drop(columns=list(keys))
    return ordered


# ------------------------------------------------------------------ curves


def typical_curves(trainings: pd.DataFrame, names: pd.Series | None = None, *, most: int = 5) -> pd.DataFrame:
    """Return the median loss curves of the most frequent attractors by gate and loss: a row per recorded iteration.

    Losses of different functions cannot be compared, nor curves of different lengths put together: each loss has its
    own, of those trials that share the most frequent reduction, iterations and recorded points. ``n`` is
    how many curves it is the median of, those of the lowest seeds where there are more than 10,000.
    """
    names = attractor_names(trainings) if names is None else names
    kept = (names.notna() & (names != ELSEWHERE) & trainings[c.CURVE].notna()).to_numpy()
    rows = trainings.loc[kept, list(READ_CURVES)].assign(**{PATTERN: names[kept]})
    tables = [
        table.assign(**{c.GATE: str(gate), c.LOSS: str(loss)})
        for (gate, loss), some in rows.groupby([c.GATE, c.LOSS], observed=True)
        for table in _median_curves(some, most)
    ]
    return pd.concat(tables, ignore_index=True)[CURVE_COLUMNS] if tables else pd.DataFrame(columns=CURVE_COLUMNS)


def _most_frequent(values: pd.Series, most: int) -> list[Any]:
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return counts.index[:most].tolist()


def _median_curves(rows: pd.DataFrame, most: int) -> list[pd.DataFrame]:
    how = rows.groupby([c.REDUCTION, c.ITERATIONS, c.CURVE_POINTS], observed=True).ngroup()
    alike = rows[how == _most_frequent(how, 1)[0]]
    tables = []
    for pattern in _most_frequent(alike[PATTERN], most):
        own = alike[alike[PATTERN] == pattern].sort_values([c.SEED, c.TRIAL_ID]).head(MOST_CURVES)
        median = inverted_cdf(curve_matrix(own), (0.5,))[0]
        tables.append(pd.DataFrame({PATTERN: pattern, ITERATION: recorded(own), MEDIAN: median, CURVES: len(own)}))
    return tables

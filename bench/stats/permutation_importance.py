"""What matters where trials are no full grid: which parameters a random forest needs to predict how trials came out.

Shapes: C trials, F features, E trees, R repeats.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import LOG_MSE, SOLVED_SHARE, measured
from bench.model.network import read_hidden
from bench.stats.factor_levels import begun, levels, places_of, trials
from bench.stats.proportions import HIGH, LOW

Floats = NDArray[np.float64]

PARAMETER, MEASURE, IMPORTANCE, R2 = "parameter", "measure", "importance", "r2"
COLUMNS = [MEASURE, PARAMETER, IMPORTANCE, LOW, HIGH, R2]
FEWEST = 8  # trials
TREES, REPEATS = 100, 20
LEAF = 3  # trials: fully grown trees learn noise, and predict the opposite of it where they did not see it


def importances(trainings: pd.DataFrame, names: Sequence[str], seed: int) -> pd.DataFrame:
    """Return for two measures how much worse a random forest predicts trials when a parameter's values are shuffled.

    Permutation importance (Breiman 2001, section 10): the fall of the forest's out-of-bag R² over the trials, the mean
    of twenty shuffles, between the 2.5 and 97.5 % quantiles of them: the spread of shuffling, not over seeds or
    trials. A trial's values are means over its trainings of ``log10 final_mse`` and of ``solved_at / iterations``, as
    in `measured`; the latter is the restricted mean (Irwin 1949), in which what is not solved counts at the budget.
    ``r2`` is the forest's own: where it is not above 0, it explains nothing, nor do the importances. No rows for fewer
    than eight trials, nor for a measure that is the same in all of them.
    """
    started = begun(trainings)
    table = trials(started, names)
    if len(table) < FEWEST or not names:
        return pd.DataFrame(columns=COLUMNS)
    features = [_features(table, name) for name in names]
    place = places_of(started, table)
    order = np.lexsort([started[c.SEED].to_numpy(), place])  # sums round alike in whatever order rows come
    parts = []
    for measure in (LOG_MSE, SOLVED_SHARE):
        means_C = np.bincount(place[order], measured(started, measure)[order]) / np.bincount(place)
        if np.ptp(means_C) > 0:
            found = pd.DataFrame(_importance(features, means_C, seed), columns=[IMPORTANCE, LOW, HIGH, R2])
            parts.append(found.assign(**{MEASURE: measure, PARAMETER: list(names)})[COLUMNS])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def _features(table: pd.DataFrame, name: str) -> Floats:
    """Return a parameter as numbers ``[C, F]``: hidden as layers and neurons, words each as a flag of its own."""
    values = table[name].to_list()
    if name == c.HIDDEN:
        sizes = [read_hidden(value) for value in values]
        return np.array([[len(layers), sum(layers)] for layers in sizes], dtype=np.float64)
    if any(isinstance(value, str) for value in values):
        return np.array([[value == level for level in levels(table, name)] for value in values], dtype=np.float64)
    return np.array(values, dtype=np.float64)[:, None]


def _importance(features: Sequence[Floats], target_C: Floats, seed: int) -> list[tuple[float, ...]]:
    """Return importance, its quantiles and the forest's R² for each parameter."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1).fit(
        np.hstack(features), target_C
    )
    out_EC = _out_of_bag(forest, len(target_C))
    own = _r2(forest, np.hstack(features)[None], out_EC, target_C)[0]
    rng = np.random.default_rng(seed)
    rows = []
    for place, feature in enumerate(features):
        shuffled = [
            np.hstack([*features[:place], rng.permutation(feature), *features[place + 1 :]]) for _ in range(REPEATS)
        ]
        falls = own - _r2(forest, np.stack(shuffled), out_EC, target_C)
        rows.append((float(falls.mean()), *map(float, np.quantile(falls, [0.025, 0.975])), float(own)))
    return rows


def _out_of_bag(forest: Any, size: int) -> NDArray[np.bool_]:
    """Return which trials each tree did not see, ``[E, C]``."""
    return np.stack([np.bincount(drawn, minlength=size) == 0 for drawn in forest.estimators_samples_])


def _r2(forest: Any, features_RCF: Floats, out_EC: NDArray[np.bool_], target_C: Floats) -> Floats:
    """Return the share of the trials' variance that is predicted by trees that did not see them, ``[R]``."""
    repeats, size, _ = features_RCF.shape
    flat = features_RCF.reshape(repeats * size, -1).astype(np.float32)  # as trees want them
    total_RC = np.zeros((repeats, size))
    for tree, out_C in zip(forest.estimators_, out_EC, strict=True):
        total_RC += tree.predict(flat, check_input=False).reshape(repeats, size) * out_C
    kept = out_EC.any(axis=0)  # hardly ever have a hundred trees all seen the same trial
    error_RC = total_RC[:, kept] / out_EC.sum(axis=0)[kept] - target_C[kept]
    return np.asarray(1 - (error_RC**2).mean(axis=1) / target_C[kept].var())

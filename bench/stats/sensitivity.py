"""Sensitivity analysis: how much of the spread between trainings each parameter makes, and how much the seed.

Shapes: C trials (in a grid, all combinations of the parameters' levels), P parameters, F features, S seeds, U units of
seeds, B samples of them, E trees.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import LOG_MSE, SOLVED, SOLVED_SHARE, begun, measured
from bench.model.network import read_hidden
from bench.stats.factor_levels import codes, levels, places_of, trials
from bench.stats.proportions import COUNT, HIGH, LOW, wilson_interval
from bench.stats.resampling import UNITS, draw_weights, jackknife_interval, percentile_interval, quotients, units

Floats = NDArray[np.float64]

TERM, KIND, OF, SHARE = "term", "kind", "parameters", "share"
MAIN, INTERACTION, SEED_KIND = "main", "interaction", "seed"
TIMES = " × "
HIGHER, SEED_ALONE, SEED_LUCK = "higher interactions", "seed", "seed × parameters"
PARAMETER, VALUE, MEAN, TRIALS = "parameter", "value", "mean", "trials"
MEASURE, IMPORTANCE, R2 = "measure", "importance", "r2"
SHARES = [TERM, KIND, OF, SHARE, LOW, HIGH]
EFFECTS = [PARAMETER, VALUE, MEAN, LOW, HIGH, COUNT, TRIALS]
IMPORTANCES = [MEASURE, PARAMETER, IMPORTANCE, LOW, HIGH, R2]


def is_balanced(trainings: pd.DataFrame, names: Sequence[str]) -> bool:
    """Return whether each combination of the parameters' values is one trial, and all trials began the same seeds."""
    started = begun(trainings)
    if started.empty or len(started) != len(trainings):
        return False
    table = trials(started, names)
    places = codes(table, names)
    sizes = [len(levels(table, name)) for name in names]
    full = int(np.prod(sizes)) == len(table) == len(np.unique(places, axis=0))
    own = started.groupby(c.TRIAL_ID, observed=True)[c.SEED]
    seeds = started[c.SEED].nunique()
    return bool(full and (own.nunique() == seeds).all() and (own.size() == seeds).all())


# ------------------------------------------------------------------ shares of the variance


def variance_shares(trainings: pd.DataFrame, names: Sequence[str], measure: str) -> pd.DataFrame:
    """Return the decomposition of the variance of a balanced grid, the seed being one more crossed factor.

    The factorial analysis of variance (Fisher 1925), which on a full grid is the functional one (Hoeffding 1948;
    Hutter et al. 2014), exact, by inclusion and exclusion of means: a row per parameter, per two of them, one for all
    higher interactions, one for the seed by itself, and one for its interactions with parameters. They add up to 1.
    ``measure`` is one of `measured` that is finite. The 95 % interval is the jackknife's over seeds, see
    `jackknife_interval`, widened to the share itself where, of a very small one, it misses it; missing for one seed.
    Where all trainings are the same, there are no rows. Raises ValueError for a grid that `is_balanced` denies.
    """
    if trainings.empty:
        return pd.DataFrame(columns=SHARES)
    if not is_balanced(trainings, names):
        raise ValueError(f"the trials are no full grid of {', '.join(names)} with the same seeds; take importances")
    table = trials(trainings, names)
    values_CS = _by_seed(trainings, table, measured(trainings, measure))
    if np.ptp(values_CS) == 0:
        return pd.DataFrame(columns=SHARES)
    values_CS = (values_CS - values_CS.mean()) / values_CS.std()
    shape = tuple(len(levels(table, name)) for name in names)
    rows = pd.DataFrame(_terms(names), columns=[TERM, KIND, OF])
    return pd.concat([rows, pd.DataFrame(_shares(values_CS, shape))], axis=1)


def _by_seed(trainings: pd.DataFrame, table: pd.DataFrame, values: Floats) -> Floats:
    """Return a balanced grid's values ``[C, S]``, trials as in the table and seeds ascending."""
    order = np.lexsort([trainings[c.SEED].to_numpy(), places_of(trainings, table)])
    return values[order].reshape(len(table), -1)


def _terms(names: Sequence[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return term, kind and parameters of every row."""
    rows: list[tuple[str, str, tuple[str, ...]]] = [(name, MAIN, (name,)) for name in names]
    rows += [(TIMES.join(two), INTERACTION, two) for two in combinations(names, 2)]
    rows += [(HIGHER, INTERACTION, tuple(names))] if len(names) > 2 else []
    return [*rows, (SEED_ALONE, SEED_KIND, ()), (SEED_LUCK, SEED_KIND, tuple(names))]


def _shares(values_CS: Floats, shape: tuple[int, ...]) -> dict[str, Floats]:
    """Return each term's share with its interval: functions of sums over seeds, which the jackknife leaves out."""
    seed_mean_S = values_CS.mean(axis=0)
    count_S = np.ones(values_CS.shape[1])
    sums = units(np.vstack([values_CS, (values_CS**2).mean(axis=0), seed_mean_S**2, count_S]))
    total = sums.sum(axis=1, keepdims=True)
    share = _components(total, shape)[:, 0]
    left_out = _components(total - sums, shape) if sums.shape[1] > 1 else share[:, None]
    low, high = jackknife_interval(share, left_out)
    return {SHARE: share, LOW: np.minimum(low, share), HIGH: np.maximum(high, share)}


def _components(sums_XB: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the terms' shares ``[terms, B]`` from sums over seeds: of cells, of squares, of the seeds' squared means.

    Components of the variance: that of means over all other factors, less that of the terms within.
    """
    *means, square, seed_square = np.split(sums_XB[:-1] / sums_XB[-1], [-2, -1])
    cell = means[0].reshape(*shape, -1)
    alone = {(axis,): _spread(cell, (axis,)) for axis in range(len(shape))}
    two = {
        pair: _spread(cell, pair) - sum(alone[axis,] for axis in pair) for pair in combinations(range(len(shape)), 2)
    }
    between, grand_square = _spread(cell, tuple(range(len(shape)))), means[0].mean(axis=0) ** 2
    total, seed = square[0] - grand_square, seed_square[0] - grand_square
    higher = [between - sum(alone.values()) - sum(two.values())] if len(shape) > 2 else []
    parts = np.stack([*alone.values(), *two.values(), *higher, seed, total - between - seed])
    parts = np.maximum(parts, 0)  # rounding leaves what is zero a hair below
    return quotients(parts, parts.sum(axis=0))


def _spread(cell: Floats, axes: tuple[int, ...]) -> Any:
    """Return the variance ``[B]`` along some axes, of means over all others but the last."""
    others = tuple(axis for axis in range(cell.ndim - 1) if axis not in axes)
    return cell.mean(axis=others).reshape(-1, cell.shape[-1]).var(axis=0)


# ------------------------------------------------------------------ means by value


def main_effects(trainings: pd.DataFrame, names: Sequence[str], measure: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return the main effects: for each parameter and value the mean of a measure over all its trainings.

    Its 95 % interval is the expanded percentile bootstrap (Hesterberg 2015) over seeds, resampled whole because trials
    share them; missing for one seed. Of none or all solved it is Wilson's (1927), of as many as there are seeds.
    """
    started = begun(trainings)
    if started.empty or not names:
        return pd.DataFrame(columns=EFFECTS)
    table = trials(started, names)
    known, seed = np.unique(started[c.SEED].to_numpy(), return_inverse=True)
    trial = places_of(started, table)
    sums = [
        _sums(codes(table, [name])[trial, 0], seed, measured(started, measure), len(levels(table, name)))
        for name in names
    ]
    total_XU, count_XU, seeds_X = (np.concatenate(some) for some in zip(*sums, strict=True))
    weights = draw_weights(min(len(known), UNITS), rng)
    low, high = percentile_interval(quotients(total_XU @ weights, count_XU @ weights), seeds_X)
    means = quotients(total_XU.sum(axis=1), count_XU.sum(axis=1))
    if measure == SOLVED:  # no resample of none or of all has another rate
        sure = np.isin(means, (0, 1))
        low[sure], high[sure] = wilson_interval(means[sure] * seeds_X[sure], seeds_X[sure])
    rows = [(name, value, int((table[name] == value).sum())) for name in names for value in levels(table, name)]
    effects = pd.DataFrame(rows, columns=[PARAMETER, VALUE, TRIALS]).astype({VALUE: object})
    counts = count_XU.sum(axis=1).astype(np.int64)
    return effects.assign(**{MEAN: means, LOW: low, HIGH: high, COUNT: counts})[EFFECTS]


def _sums(level: NDArray[np.int64], seed: NDArray[np.intp], values: Floats, size: int) -> tuple[Any, ...]:
    """Return sums and counts ``[levels, U]`` by unit of resampling, and how many seeds each level has."""
    place = level * UNITS + seed % UNITS  # as `units` deals seeds out
    shape = (size, UNITS)
    total, count = (np.bincount(place, weights, size * UNITS).reshape(shape) for weights in (values, None))
    used = min(int(seed.max()) + 1, UNITS)
    pairs = pd.DataFrame({PARAMETER: level, c.SEED: seed}).drop_duplicates()
    return total[:, :used], count[:, :used].astype(np.float64), np.bincount(pairs[PARAMETER], minlength=size)


# ------------------------------------------------------------------ where trials are no full grid


FEWEST = 8  # trials
TREES, REPEATS = 100, 20
LEAF = 3  # trials: fully grown trees learn noise, and predict the opposite of it where they did not see it


def permutation_importances(trainings: pd.DataFrame, names: Sequence[str], seed: int) -> pd.DataFrame:
    """Return the permutation importance of each parameter to a random forest that predicts trials, for two measures.

    That is (Breiman 2001, section 10) the fall of the forest's out-of-bag R² over the trials when the parameter's
    values are shuffled among them, the mean of twenty shuffles between their 2.5 and 97.5 % quantiles: the spread of
    shuffling, not over seeds or trials. A trial's values are means over its trainings of ``log10 final_mse`` and of
    ``solved_at / iterations``, as in `measured`; the latter is the restricted mean (Irwin 1949), in which what is not
    solved counts at the budget. ``r2`` is the forest's own: where it is not above 0, it explains nothing, nor do the
    importances. No rows for fewer than eight trials, nor for a measure that is the same in all of them.
    """
    started = begun(trainings)
    table = trials(started, names)
    if len(table) < FEWEST or not names:
        return pd.DataFrame(columns=IMPORTANCES)
    features = [_features(table, name) for name in names]
    place = places_of(started, table)
    order = np.lexsort([started[c.SEED].to_numpy(), place])  # sums round alike in whatever order rows come
    parts = [pd.DataFrame(columns=IMPORTANCES)]
    for measure in (LOG_MSE, SOLVED_SHARE):
        means_C = np.bincount(place[order], measured(started, measure)[order]) / np.bincount(place)
        if np.ptp(means_C) > 0:
            falls_PR, r2 = _falls(features, means_C, seed)
            low, high = np.quantile(falls_PR, [0.025, 0.975], axis=1)
            columns = {MEASURE: measure, PARAMETER: list(names), IMPORTANCE: falls_PR.mean(axis=1)}
            parts.append(pd.DataFrame({**columns, LOW: low, HIGH: high, R2: r2}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _features(table: pd.DataFrame, name: str) -> Floats:
    """Return a parameter as numbers ``[C, F]``: hidden as layers and neurons, words each as a flag of its own."""
    values = table[name].to_list()
    if name == c.HIDDEN:
        sizes = [read_hidden(value) for value in values]
        return np.array([[len(layers), sum(layers)] for layers in sizes], dtype=np.float64)
    if any(isinstance(value, str) for value in values):
        return np.array([[value == level for level in levels(table, name)] for value in values], dtype=np.float64)
    return np.array(values, dtype=np.float64)[:, None]


def _falls(features: Sequence[Floats], target_C: Floats, seed: int) -> tuple[Floats, float]:
    """Return by how much R² falls with each parameter and shuffle ``[P, R]``, and the forest's own R²."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import r2_score

    forest = RandomForestRegressor(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
    forest.fit(np.hstack(features), target_C)
    unseen_EC = np.stack([np.bincount(drawn, minlength=len(target_C)) == 0 for drawn in forest.estimators_samples_])
    unseen_EC = unseen_EC / unseen_EC.sum(axis=0)  # that a hundred trees have all seen some trial does not happen

    def out_of_bag_r2(_: Any, rows_CP: NDArray[np.int64], target_C: Floats) -> float:
        """Return R² of the mean prediction of trees that did not see a trial, with its values from other rows."""
        shuffled = np.hstack([feature[rows_C] for feature, rows_C in zip(features, rows_CP.T, strict=True)])
        predicted_EC = [tree.predict(shuffled.astype(np.float32), check_input=False) for tree in forest.estimators_]
        return float(r2_score(target_C, (unseen_EC * predicted_EC).sum(axis=0)))

    # what is shuffled are rows: a parameter that makes several features takes them along
    rows_CP = np.tile(np.arange(len(target_C))[:, None], len(features))
    found = permutation_importance(
        forest, rows_CP, target_C, scoring=out_of_bag_r2, n_repeats=REPEATS, random_state=seed
    )
    return np.asarray(found.importances), out_of_bag_r2(forest, rows_CP, target_C)

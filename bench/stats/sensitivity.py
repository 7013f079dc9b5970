"""Sensitivity analysis: how much of the spread between trainings each parameter makes, and how much the seed.

Shapes: C trials (in a grid, all combinations of the parameters' levels), P parameters, F features, S seeds, U units of
seeds, B samples of them, G classes of trials whose starts are the same, L levels of a parameter, E trees.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import LOG_MSE, SOLVED_SHARE, begun, measured
from bench.model.network import read_hidden
from bench.stats.factor_levels import codes, levels, places_of, start_classes, trials
from bench.stats.jackknife import jackknife_interval, quotients, units
from bench.stats.proportions import COUNT, HIGH, LOW, clustered_interval, tail_at_once

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TERM, KIND, OF, SHARE, P = "term", "kind", "parameters", "share", "p"
MAIN, INTERACTION, SEED_KIND = "main", "interaction", "seed"
TOTAL, TOTAL_LOW, TOTAL_HIGH = "total", "total_low", "total_high"
TIMES = " × "
HIGHER, SEED_ALONE, SEED_LUCK = "higher interactions", "seed", "seed × parameters"
PARAMETER, VALUE, MEAN, TRIALS = "parameter", "value", "mean", "trials"
MEASURE, IMPORTANCE, R2 = "measure", "importance", "r2"
SHUFFLES = 199
FEWEST_SHUFFLED, MOST_SHUFFLED = 50, 20_000_000  # seeds of a trial; values in all
SHARES = [TERM, KIND, OF, SHARE, LOW, HIGH, TOTAL, TOTAL_LOW, TOTAL_HIGH, P]
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
    Hutter et al. 2014), by inclusion and exclusion of means: a row per parameter, per two of them, one for all higher
    interactions, one for the seed by itself, and one for its interplay with parameters. They add up to 1. ``total`` is
    the share in which a parameter, or the seed, has any part (Sobol's total index, Homma & Saltelli 1996): the mean
    variance along it with all else held, the seed too.

    A seed is the same start only in trials whose initial weights it draws alike, see `start_classes`. Its own share is
    the variance component of a start among such trials (Searle, Casella & McCulloch 1992): (MS_seed - MS_rest) / C,
    which is 0 on average where luck in one trial says nothing of luck in another; ``p`` is the probability of as large
    a one then, by shuffling the seeds within trials. It is missing where no two trials share their starts.

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
    found = pd.DataFrame(_terms(names), columns=[TERM, KIND, OF])
    class_C = start_classes(trainings, table)
    shares = pd.DataFrame(_shares(values_CS, shape, class_C))
    found[[SHARE, LOW, HIGH]] = shares.iloc[: len(found)]
    with_total = [*range(len(names)), len(found) - 2]  # the parameters by themselves, and the seed
    found.loc[with_total, [TOTAL, TOTAL_LOW, TOTAL_HIGH]] = shares.iloc[len(found) :].to_numpy()
    found[P] = np.where(found[TERM] == SEED_ALONE, _shuffled_p(values_CS, class_C), np.nan)
    if np.isnan(found[P]).all():
        found.loc[found[TERM] == SEED_ALONE, [SHARE, LOW, HIGH]] = np.nan
    return found


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


def _shares(values_CS: Floats, shape: tuple[int, ...], class_C: Ints) -> dict[str, Floats]:
    """Return each term's share with its interval, then the total shares of each parameter and of the seed.

    They are functions of sums over seeds, which the jackknife leaves out.
    """
    seed_mean_GS = _class_means(values_CS, class_C)
    cells = values_CS.reshape(*shape, -1)
    along_PS = [cells.var(axis=axis).reshape(-1, cells.shape[-1]).mean(axis=0) for axis in range(len(shape))]
    sums = units(np.vstack([values_CS, values_CS**2, seed_mean_GS**2, *along_PS, np.ones(values_CS.shape[1])]))
    total = sums.sum(axis=1, keepdims=True)
    size_G = np.bincount(class_C)
    share = _components(total, shape, class_C, size_G)[:, 0]
    several = sums.shape[1] > 1
    left_out = _components(total - sums, shape, class_C, size_G) if several else share[:, None]
    low, high = jackknife_interval(share, left_out)
    return {SHARE: share, LOW: np.minimum(low, share), HIGH: np.maximum(high, share)}


def _class_means(values_CS: Floats, class_C: Ints) -> Floats:
    """Return the mean ``[G, S]`` over the trials of each class."""
    member_GC = class_C == np.arange(class_C.max() + 1)[:, None]
    return np.asarray(member_GC.astype(np.float64) @ values_CS / np.bincount(class_C)[:, None])


def _components(sums_XB: Floats, shape: tuple[int, ...], class_C: Ints, size_G: Ints) -> Floats:
    """Return the shares of `_shares` ``[terms + P + 1, B]``.

    From sums over seeds: of cells, of their squares, of squared means of each seed over a class of trials that share
    their starts, of the variances along each factor, for total shares, and their number. Components of the variance of
    the cells' means: that of means over all other factors, less that of the terms within.
    """
    trials = len(class_C)
    ends = trials, 2 * trials, 2 * trials + len(size_G)
    mean_CB, square_CB, seed_square_GB, along_PB = np.split(sums_XB[:-1] / sums_XB[-1], ends)
    cell = mean_CB.reshape(*shape, -1)
    alone = {(axis,): _spread(cell, (axis,)) for axis in range(len(shape))}
    two = {
        pair: _spread(cell, pair) - sum(alone[axis,] for axis in pair) for pair in combinations(range(len(shape)), 2)
    }
    between = _spread(cell, tuple(range(len(shape))))
    higher = [between - sum(alone.values()) - sum(two.values())] if len(shape) > 2 else []
    within_CB = square_CB - mean_CB**2
    own, within = _own_component(within_CB, seed_square_GB - _class_means(mean_CB, class_C) ** 2, class_C, size_G)
    parts = np.stack([*alone.values(), *two.values(), *higher, own, within - own])
    parts = np.maximum(parts, 0)  # rounding leaves what is zero a hair below
    return quotients(np.vstack([parts, along_PB, within]), parts.sum(axis=0))


def _own_component(within_CB: Floats, seed_GB: Floats, class_C: Ints, size_G: Ints) -> tuple[Floats, Floats]:
    """Return the variance component of a start, and all variance within trials, both ``[B]``, means over trials.

    From variances over seeds, of each trial and of the means of each class, for which seeds count the same.
    """
    size_G1 = size_G[:, None]
    rest_GB = size_G1 * (_class_means(within_CB, class_C) - seed_GB) / np.maximum(size_G1 - 1, 1)
    own_GB = np.where(size_G1 > 1, np.maximum(seed_GB - rest_GB / size_G1, 0), 0)
    return (own_GB * size_G1).sum(axis=0) / size_G.sum(), within_CB.mean(axis=0)


def _shuffled_p(values_CS: Floats, class_C: Ints) -> float:
    """Return how probable as large an own component of the starts is by chance alone; NaN where none are shared."""
    size_G, seeds = np.bincount(class_C), values_CS.shape[1]
    shared_C = size_G[class_C] > 1
    if not shared_C.any() or seeds < 2:
        return np.nan
    used = min(seeds, max(FEWEST_SHUFFLED, MOST_SHUFFLED // (SHUFFLES * len(class_C))))
    values_CS = values_CS[shared_C, :used]
    _, class_C = np.unique(class_C[shared_C], return_inverse=True)
    size_G = np.bincount(class_C)

    def seed_variance(values_CS: Floats) -> float:
        # what is within trials is the same however they are shuffled
        return float(_class_means(values_CS, class_C).var(axis=1) @ size_G**2)

    rng = np.random.default_rng(0)
    found = seed_variance(values_CS)
    as_large = sum(seed_variance(rng.permuted(values_CS, axis=1)) >= found * (1 - 1e-12) for _ in range(SHUFFLES))
    return (1 + as_large) / (1 + SHUFFLES)


def _spread(cell: Floats, axes: tuple[int, ...]) -> Any:
    """Return the variance ``[B]`` along some axes, of means over all others but the last."""
    others = tuple(axis for axis in range(cell.ndim - 1) if axis not in axes)
    return cell.mean(axis=others).reshape(-1, cell.shape[-1]).var(axis=0)


# ------------------------------------------------------------------ means by value


def main_effects(trainings: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the main effects: for each parameter and value the solved rate over all its trainings.

    With its interval over the seeds that trials share, see `clustered_interval`, which all hold at once.
    """
    started = begun(trainings)
    table = trials(started, names)
    trial_T, solved_T = places_of(started, table), started[c.SOLVED].to_numpy(dtype=np.float64)
    seeds, seed_T = np.unique(started[c.SEED].to_numpy(), return_inverse=True)
    rows = []
    tail = tail_at_once(sum(table[name].nunique() for name in names))
    for name in names:
        values, codes_C = levels(table, name), codes(table, [name])[:, 0]
        place_T, shape = codes_C[trial_T] * len(seeds) + seed_T, (len(values), len(seeds))
        total_LS = np.bincount(place_T, minlength=len(values) * len(seeds)).reshape(shape)
        solved_LS = np.bincount(place_T, solved_T, len(values) * len(seeds)).reshape(shape)
        for value, solved_S, total_S, count in zip(values, solved_LS, total_LS, np.bincount(codes_C), strict=True):
            ends = clustered_interval(solved_S, total_S, tail)
            rows.append((name, value, solved_S.sum() / total_S.sum(), *ends, total_S.sum(), count))
    types = {VALUE: object, MEAN: np.float64, LOW: np.float64, HIGH: np.float64, COUNT: np.int64, TRIALS: np.int64}
    return pd.DataFrame(rows, columns=EFFECTS).astype(types)


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

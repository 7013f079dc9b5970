"""Shared luck: how often two trials have the same fate from the same start.

Shapes: C trials, S seeds, P pairs of trials.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import begun
from bench.stats.factor_levels import places_of, start_classes, trials
from bench.stats.paired_tests import holm
from bench.stats.proportions import HIGH, LOW, exact_interval, tail_at_once

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ONE_ID, OTHER_ID, STARTS, PAIRS = "one_id", "other_id", "starts", "pairs"
AGREEMENT, EXPECTED, CORRELATION, P_HOLM = "agreement", "expected", "correlation", "p_holm"
COLUMNS = [STARTS, ONE_ID, OTHER_ID, PAIRS, AGREEMENT, LOW, HIGH, EXPECTED, CORRELATION, P_HOLM]
MOST_TRIALS = 200  # that start from the same weights: of more, nobody reads twenty thousand pairs


def shared_luck(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each two trials that start from the same weights, over the seeds that both have begun.

    ``agreement`` is the share of starts from which both solve it, or neither does, with an exact interval that holds
    for all pairs at once; ``expected`` what it would be if the one said nothing of the other. ``correlation`` is that
    of solved or not (Pearson's φ), an estimate without an interval, and ``p_holm`` that of Fisher's exact test (1922),
    adjusted for all pairs (Holm 1979). Trials that all or none of the starts solve have no luck to share: they are left
    out, and so are those beyond the first two hundred of a class. ``starts`` numbers the classes.
    """
    started = begun(trainings[[c.TRIAL_ID, c.SEED, c.OUTCOME, c.SOLVED, *(n for n in c.PARAMETERS if n in trainings)]])
    started = started.astype({c.TRIAL_ID: str})
    rates = started.groupby(c.TRIAL_ID)[c.SOLVED].mean()
    table = trials(started, [name for name in c.PARAMETERS if name in started])
    class_C = start_classes(started, table)
    open_C = table[c.TRIAL_ID].map(rates).between(0, 1, inclusive="neither").to_numpy(dtype=bool)
    seed_T = np.unique(started[c.SEED].to_numpy(), return_inverse=True)[1]
    fate_CS = np.full((len(table), seed_T.max(initial=-1) + 1), np.nan)
    fate_CS[places_of(started, table), seed_T] = started[c.SOLVED]
    classes = [np.flatnonzero(open_C & (class_C == one))[:MOST_TRIALS] for one in np.unique(class_C)]
    ids_C = table[c.TRIAL_ID].to_numpy()
    parts = [_pairs(ids_C[own], fate_CS[own]).assign(**{STARTS: number}) for number, own in enumerate(classes)]
    found = pd.concat([part for part in parts if len(part)] or [_pairs(ids_C[:0], fate_CS[:0]).assign(**{STARTS: 0})])
    found = found[found[PAIRS] > 0].reset_index(drop=True)
    low, high = exact_interval(found[AGREEMENT] * found[PAIRS], found[PAIRS], tail_at_once(len(found)))
    return found.assign(**{LOW: low, HIGH: high, P_HOLM: holm(found[P_HOLM].to_numpy())})[COLUMNS]


def _pairs(ids_C: NDArray[np.object_], fate_CS: Floats) -> pd.DataFrame:
    """Return how often the fates of each two trials are the same, with p not yet adjusted.

    From 1 where a training solved it, 0 where it did not, and NaN where there is none.
    """
    there_CS, solved_CS = (~np.isnan(fate_CS)).astype(np.float64), np.nan_to_num(fate_CS)
    first_P, second_P = np.triu_indices(len(ids_C), 1)

    def count(one_CS: Floats, other_CS: Floats) -> Floats:
        return np.asarray((one_CS @ other_CS.T)[first_P, second_P])

    pairs_P, both_P = count(there_CS, there_CS), count(solved_CS, solved_CS)
    one_P, other_P = count(solved_CS, there_CS), count(there_CS, solved_CS)
    same_P = pairs_P - one_P - other_P + 2 * both_P
    size_P = np.maximum(pairs_P, 1)
    one, other = one_P / size_P, other_P / size_P
    spread_P = np.sqrt(one * (1 - one) * other * (1 - other))
    correlation_P = np.divide(
        both_P / size_P - one * other, spread_P, out=np.full(len(size_P), np.nan), where=spread_P > 0
    )
    return pd.DataFrame(
        {
            ONE_ID: ids_C[first_P],
            OTHER_ID: ids_C[second_P],
            PAIRS: pairs_P.astype(np.int64),
            AGREEMENT: same_P / size_P,
            EXPECTED: one * other + (1 - one) * (1 - other),
            CORRELATION: correlation_P,
            P_HOLM: _fisher_p(both_P, one_P, other_P, pairs_P),
        }
    )


def _fisher_p(both_P: Floats, one_P: Floats, other_P: Floats, pairs_P: Floats) -> Floats:
    """Return twice the smaller tail of Fisher's exact test (1922), at most 1."""
    from scipy.stats import hypergeom  # a quarter of a second

    given = (pairs_P, one_P, other_P)
    tails = hypergeom.cdf(both_P, *given), hypergeom.sf(both_P - 1, *given)
    return np.asarray(np.minimum(2 * np.minimum(*tails), 1.0))


def together(matrix_CC: Floats) -> Ints:
    """Return an order of trials in which those whose luck goes together are neighbours, from their correlations.

    The leaves of a tree of average linkage (Sokal & Michener 1958) by the distance 1 - φ.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage  # a fifth of a second

    if len(matrix_CC) < 3:
        return np.arange(len(matrix_CC))
    distance_P = np.maximum(1 - matrix_CC[np.triu_indices(len(matrix_CC), 1)], 0)  # rounding may leave φ above 1
    return np.asarray(leaves_list(linkage(distance_P, "average", optimal_ordering=True)), dtype=np.int64)

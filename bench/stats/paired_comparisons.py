"""Paired comparisons: trials that differ in one parameter only, and whose trainings start from the same weights.

Shapes: T trainings, C trials, V of them that are matched, S their seeds, P pairs of them or parameters of trials,
U units that are resampled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from inspect import signature
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import first_solved
from bench.model.initialization import initial_weights
from bench.model.network import Network
from bench.model.trial import Trial
from bench.stats.factor_levels import begun, codes, levels, places_of, trials
from bench.stats.paired_tests import holm, mcnemar_p, paired_difference_interval, seeds_needed
from bench.stats.resampling import UNITS, draw_weights, percentile_interval, quotients, units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# what the initial weights are drawn by: a seed says the same of two trials only where all of these are equal
DRAWN_BY = {c.GATE, *signature(initial_weights).parameters, *(field.name for field in fields(Network))}
COMPARABLE = tuple(name for name in c.PARAMETERS if name not in DRAWN_BY)
FEW = 4  # values: each is compared with each; of more, each with a reference


@dataclass(frozen=True, eq=False)
class MatchedTrials:
    """Trials that are alike but for one parameter: ids, levels and context, and what their trainings came to.

    ``first_VS`` is the first iteration at which a training was solved, infinite where it was not; ``begun_VS`` says
    which there are. Seeds are places among all of the frame's. ``one_P`` and ``other_P`` are the trials to compare.
    """

    parameter: str
    ids: list[str]
    levels: list[Any]
    context: dict[str, Any]
    seeds_S: Ints
    begun_VS: Flags
    first_VS: Floats
    one_P: Ints
    other_P: Ints


def matched_trials(trainings: pd.DataFrame, names: Sequence[str]) -> Iterator[MatchedTrials]:
    """Yield all trials that may be compared by seed, in an order that does not depend on that of the rows."""
    started = begun(trainings)
    every = [name for name in c.PARAMETERS if name in started]
    table = trials(started, [*names, *(name for name in every if name not in names)])
    codes_CP = codes(table, every)
    rows = _rows_by_trial(started, table)
    varying = [name for place, name in enumerate(every) if len(table) and np.ptp(codes_CP[:, place])]
    for name in (name for name in names if name in COMPARABLE and name in varying):
        own_C, rest_CP = codes_CP[:, every.index(name)], np.delete(codes_CP, every.index(name), axis=1)
        _, group_C = np.unique(rest_CP, axis=0, return_inverse=True)
        reference = _reference(table, name)
        for group in dict.fromkeys(group_C.ravel().tolist()):  # in the table's order
            places = np.flatnonzero(group_C.ravel() == group)
            places = places[np.argsort(own_C[places])]
            # twins are tables of one name whose contents differ: what would be compared with what is not known
            if len(places) > 1 and len(np.unique(own_C[places])) == len(places):
                one_P, other_P = _pairs(own_C[places], reference, many=own_C.max() >= FEW)
                yield _read(table.iloc[places], name, varying, [rows[place] for place in places], one_P, other_P)


def _reference(table: pd.DataFrame, name: str) -> int:
    """Return the code of the parameter's default, or of the first value."""
    values = levels(table, name)
    default = Trial().parameters[name]
    return values.index(default) if default in values else 0


def _pairs(codes_V: Ints, reference: int, *, many: bool) -> tuple[Ints, Ints]:
    """Return the places of the trials to compare: each with each, or each with the reference where values are many."""
    if not many:
        one_P, other_P = np.array(list(combinations(range(len(codes_V)), 2))).T
        return one_P, other_P
    place = int(np.argmax(codes_V == reference))  # the first where it is not among them
    one_P = np.delete(np.arange(len(codes_V)), place)
    return one_P, np.full(len(one_P), place)


def _rows_by_trial(started: pd.DataFrame, table: pd.DataFrame) -> list[tuple[Ints, Floats]]:
    """Return of each trial its seeds, ascending, as places among all, and when each was solved."""
    _, seed_T = np.unique(started[c.SEED].to_numpy(), return_inverse=True)
    trial_T = places_of(started, table)
    order = np.lexsort([seed_T, trial_T])
    ends = np.searchsorted(trial_T[order], np.arange(1, len(table)))
    return list(zip(np.split(seed_T[order], ends), np.split(first_solved(started)[order], ends), strict=True))


def _read(
    table: pd.DataFrame,
    name: str,
    varying: Sequence[str],
    rows: Sequence[tuple[Ints, Floats]],
    one_P: Ints,
    other_P: Ints,
) -> MatchedTrials:
    seeds_S = np.unique(np.concatenate([seeds for seeds, _ in rows]))
    begun_VS = np.zeros((len(rows), len(seeds_S)), dtype=bool)
    first_VS = np.full(begun_VS.shape, np.inf)
    for place, (seeds, first) in enumerate(rows):
        at = np.searchsorted(seeds_S, seeds)
        begun_VS[place, at], first_VS[place, at] = True, first
    context = {other: _plain(table[other].iloc[0]) for other in varying if other != name}
    values = [_plain(value) for value in table[name]]
    return MatchedTrials(
        name, table[c.TRIAL_ID].to_list(), values, context, seeds_S, begun_VS, first_VS, one_P, other_P
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


# ------------------------------------------------------------------ compare


SIGNIFICANT = 0.05
AT_ONCE = 500  # pairs that are resampled at once: 8 MB

PARAMETER, ONE, OTHER, ONE_ID, OTHER_ID, CONTEXT = "parameter", "one", "other", "one_id", "other_id", "context"
PAIRS, BOTH, ONLY_ONE, ONLY_OTHER, NEITHER = "pairs", "both", "only_one", "only_other", "neither"
DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH = "difference", "difference_low", "difference_high"
RATIO, RATIO_LOW, RATIO_HIGH, RATIO_PAIRS = "ratio", "ratio_low", "ratio_high", "ratio_pairs"
IMPROVEMENT, IMPROVEMENT_LOW, IMPROVEMENT_HIGH = "improvement", "improvement_low", "improvement_high"
P, P_HOLM, NEEDED = "p", "p_holm", "seeds_needed"
WINS, LOSSES = "wins", "losses"
CONTEXTS, BETTER, WORSE = "contexts", "better", "worse"
COLUMNS = [
    *(PARAMETER, ONE, OTHER, ONE_ID, OTHER_ID, CONTEXT, PAIRS, BOTH, ONLY_ONE, ONLY_OTHER, NEITHER),
    *(DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH, RATIO, RATIO_LOW, RATIO_HIGH, RATIO_PAIRS),
    *(IMPROVEMENT, IMPROVEMENT_LOW, IMPROVEMENT_HIGH, P, P_HOLM, NEEDED),
]
POOLED = [PARAMETER, ONE, OTHER, CONTEXTS, PAIRS, DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH, BETTER, WORSE]


def comparisons(trainings: pd.DataFrame, names: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Return a row for each two trials that are equal but for one of the named parameters, over the seeds of both.

    That parameter leaves the initial weights alone. Each value is compared with each, or, where there are more than
    four in the sweep, with Trial's default if it is among those compared, else with the first. ``context`` holds the
    other varying parameters.

    ``difference`` is the solved rate of one less that of the other, with the interval of Bonett & Price (2012).
    ``ratio`` is the geometric mean over the ``ratio_pairs`` seeds that both solved of one's solved_at over the other's,
    with the expanded percentile bootstrap of its logarithm (Hesterberg 2015); missing below two. ``improvement`` is the
    probability that one solves earlier than the other with the same seed, ties counted half (Mann & Whitney 1947;
    Agarwal et al. 2021, by seed): what ended unsolved, diverged or failed is worst, so that two of them tie; its
    interval is that of Bonett & Price for wins less losses, halved. ``p`` is McNemar's (1947), exact, and ``p_holm``
    adjusted for all rows (Holm 1979). ``seeds_needed`` is how many seeds that exact test, two-sided at 5 % and not
    adjusted, needs for 80 % power, the difference seen taken as true: infinite where there is none, and missing where
    fewer than 5 pairs are discordant. All intervals are of 95 %.
    """
    parts = [part for alike in matched_trials(trainings, names) for part in [_counted(alike)] if len(part[0])]
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat([counted for counted, _ in parts], ignore_index=True)
    table[RATIO], table[RATIO_LOW], table[RATIO_HIGH] = _ratios([sums for _, sums in parts], rng)
    counts = [table[name].to_numpy() for name in (PAIRS, ONLY_ONE, ONLY_OTHER)]
    table[DIFFERENCE] = (counts[1] - counts[2]) / counts[0]
    table[DIFFERENCE_LOW], table[DIFFERENCE_HIGH] = paired_difference_interval(counts[1], counts[2], counts[0])
    played = [table[name].to_numpy() for name in (PAIRS, WINS, LOSSES)]
    table[IMPROVEMENT] = 0.5 + (played[1] - played[2]) / played[0] / 2
    low, high = paired_difference_interval(played[1], played[2], played[0])
    table[IMPROVEMENT_LOW], table[IMPROVEMENT_HIGH] = 0.5 + low / 2, 0.5 + high / 2
    table[P] = mcnemar_p(*counts[1:])
    return table.assign(**{P_HOLM: holm(table[P].to_numpy()), NEEDED: seeds_needed(*counts)})[COLUMNS]


def pooled(
    trainings: pd.DataFrame, names: Sequence[str], compared: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Return a row for each parameter and two of its values, over all contexts together; ``compared`` as above.

    ``difference`` is the mean over all pairs of trainings of solved by one less solved by the other, with the expanded
    percentile bootstrap (Hesterberg 2015) over seeds, resampled whole because contexts share them. ``better`` and
    ``worse`` count the contexts in which one solves more, or fewer, with an adjusted p of at most 5 %.
    """
    if compared.empty:
        return pd.DataFrame(columns=POOLED)
    rows = compared.assign(**{BETTER: _surely(compared, 1), WORSE: _surely(compared, -1)})
    rows[CONTEXTS] = 1
    how = dict.fromkeys((CONTEXTS, PAIRS, BETTER, WORSE), "sum")
    table = rows.groupby([PARAMETER, ONE, OTHER], sort=False).agg(how).reset_index()
    sums = _differences(trainings, names)
    keys = list(zip(*(table[name] for name in (PARAMETER, ONE, OTHER)), strict=True))
    difference_XU, count_XU = (np.stack([sums[key][place] for key in keys]) for place in (0, 1))
    weights = draw_weights(difference_XU.shape[1], rng)
    seeds_X = np.array([sums[key][2].sum() for key in keys])
    low, high = percentile_interval(quotients(difference_XU @ weights, count_XU @ weights), seeds_X)
    mean = quotients(difference_XU.sum(axis=1), count_XU.sum(axis=1))
    return table.assign(**{DIFFERENCE: mean, DIFFERENCE_LOW: low, DIFFERENCE_HIGH: high})[POOLED]


def _surely(compared: pd.DataFrame, sign: int) -> pd.Series:
    """Return in which comparisons one solves more (1) or fewer (-1) than the other, beyond chance."""
    surely: pd.Series = (compared[P_HOLM] <= SIGNIFICANT) & (np.sign(compared[DIFFERENCE]) == sign)
    return surely.astype(np.int64)


# ------------------------------------------------------------------ what pairs of trainings came to


def _counted(alike: MatchedTrials) -> tuple[pd.DataFrame, Floats]:
    """Return how the trainings of each pair of trials compare, and by unit what their ratios come from ``[2, P, U]``.

    That is the sums of the logarithms of the ratios where both solved, and how many these are.
    """
    known_PS = alike.begun_VS[alike.one_P] & alike.begun_VS[alike.other_P]
    one_PS, other_PS = alike.first_VS[alike.one_P], alike.first_VS[alike.other_P]
    solved_PS, other_solved_PS = np.isfinite(one_PS) & known_PS, np.isfinite(other_PS) & known_PS
    both_PS = solved_PS & other_solved_PS
    logs_PS = np.log(np.where(both_PS, one_PS, 1.0)) - np.log(np.where(both_PS, other_PS, 1.0))
    counted = {
        PAIRS: known_PS,
        BOTH: both_PS,
        ONLY_ONE: solved_PS & ~both_PS,
        ONLY_OTHER: other_solved_PS & ~both_PS,
        NEITHER: known_PS & ~solved_PS & ~other_solved_PS,
        WINS: known_PS & (one_PS < other_PS),
        LOSSES: known_PS & (one_PS > other_PS),
        RATIO_PAIRS: both_PS,
    }
    sums = {name: flags_PS.sum(axis=1) for name, flags_PS in counted.items()}
    kept_P = sums[PAIRS] > 0
    table = pd.DataFrame(_named(alike) | sums)
    return table[kept_P], np.stack([units(logs_PS), units(both_PS.astype(np.float64))])[:, kept_P]


def _named(alike: MatchedTrials) -> dict[str, Any]:
    """Return which trials are compared, a value per pair."""
    named: dict[str, Any] = {PARAMETER: alike.parameter, CONTEXT: [alike.context] * len(alike.one_P)}
    for value, name, places in ((ONE, ONE_ID, alike.one_P), (OTHER, OTHER_ID, alike.other_P)):
        named[value] = np.array([alike.levels[place] for place in places], dtype=object)
        named[name] = [alike.ids[place] for place in places]
    return named


def _ratios(parts: Sequence[Floats], rng: np.random.Generator) -> Floats:
    """Return the geometric means of all ratios and the ends of their intervals ``[3, P]``, from sums ``[2, P, U]``.

    Parts with as many units are resampled together: one product of matrices takes a twentieth of the time of a hundred
    small ones, in which several cores wait for each other.
    """
    size_P = np.repeat([sums.shape[2] for sums in parts], [sums.shape[1] for sums in parts])
    found = np.full((3, len(size_P)), np.nan)
    for size in dict.fromkeys(size_P.tolist()):
        weights = draw_weights(size, rng)
        logs_PU, both_PU = np.concatenate([sums for sums in parts if sums.shape[2] == size], axis=1)
        places = np.flatnonzero(size_P == size)
        found[0, places] = quotients(logs_PU.sum(axis=1), both_PU.sum(axis=1))
        for some in np.array_split(np.arange(len(places)), -(-len(places) // AT_ONCE)):
            resampled = quotients(logs_PU[some] @ weights, both_PU[some] @ weights)
            found[1:, places[some]] = percentile_interval(resampled, both_PU[some].sum(axis=1))
    return np.asarray(np.exp(found))


def _differences(trainings: pd.DataFrame, names: Sequence[str]) -> dict[tuple[str, Any, Any], Floats]:
    """Return by parameter and two values, over all contexts and by unit: differences, pairs, and seeds ``[3, U]``."""
    size = begun(trainings)[c.SEED].nunique()
    sums: dict[tuple[str, Any, Any], Floats] = {}
    for alike in matched_trials(trainings, names):
        solved_VS = np.isfinite(alike.first_VS).astype(np.float64)
        for one, other in zip(alike.one_P.tolist(), alike.other_P.tolist(), strict=True):
            known_S = alike.begun_VS[one] & alike.begun_VS[other]
            seeds, difference = alike.seeds_S[known_S], (solved_VS[one] - solved_VS[other])[known_S]
            key = (alike.parameter, alike.levels[one], alike.levels[other])
            found = sums.setdefault(key, np.zeros((3, min(size, UNITS))))
            for place, weight in enumerate((difference, None)):
                found[place] += np.bincount(seeds % UNITS, weight, found.shape[1])
            found[2] = np.maximum(found[2], np.bincount(seeds % UNITS, minlength=found.shape[1]))
    return sums

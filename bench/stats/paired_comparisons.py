"""Paired comparisons: trials that differ in one parameter only, and whose trainings start from the same weights.

Shapes: T trainings, C trials, V of them that are matched, S their seeds, P pairs of them or parameters of trials.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import begun, time_to_solution
from bench.model.trial import PARAMETERS, Trial, parts_of_optimizers
from bench.stats.factor_levels import DRAWN_BY, codes, levels, places_of, trials
from bench.stats.paired_tests import (
    holm,
    mcnemar_p,
    paired_difference_interval,
    pooled_difference,
    probability_of_improvement,
    seeds_needed,
)
from bench.stats.proportions import TAIL, median_place, tail_at_once

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

COMPARABLE = tuple(name for name in c.PARAMETERS if name not in DRAWN_BY)
SIDE = "sweep"
FEW = 4  # values: each is compared with each; of more, each with a reference


@dataclass(frozen=True, eq=False)
class MatchedTrials:
    """Trials that are equal but for one parameter: ids, levels and context, and when their trainings were solved.

    ``time_VS`` is the time to solution, ``begun_VS`` says which trainings there are. Seeds are places among all of the
    frame's. ``first_P`` and ``second_P`` are the trials to compare.
    """

    parameter: str
    ids: list[str]
    levels: list[Any]
    context: dict[str, Any]
    seeds_S: Ints
    begun_VS: Flags
    time_VS: Floats
    first_P: Ints
    second_P: Ints


def matched_trials(trainings: pd.DataFrame, names: Sequence[str]) -> Iterator[MatchedTrials]:
    """Yield all trials that may be compared by seed, in an order that does not depend on that of the rows."""
    started = begun(trainings)
    every = comparable(started)
    table = trials(started, [*names, *(name for name in every if name not in names)])
    codes_CP = codes(table, every)
    times = _times_by_trial(started, table)
    varying = [name for place, name in enumerate(every) if len(table) and np.ptp(codes_CP[:, place])]
    for name in (name for name in names if name in COMPARABLE and name in varying):
        own_C, rest_CP = codes_CP[:, every.index(name)], np.delete(codes_CP, every.index(name), axis=1)
        _, group_C = np.unique(rest_CP, axis=0, return_inverse=True)
        reference = _reference(table, name)
        for group in dict.fromkeys(group_C.ravel().tolist()):  # in the table's order
            places = np.flatnonzero(group_C.ravel() == group)
            places = places[np.argsort(own_C[places])]
            # twins are tables of one name whose contents differ: what would be compared with what is not known
            if len(places) < 2 or len(np.unique(own_C[places])) < len(places):
                continue
            seeds_S, begun_VS, time_VS = _aligned([times[place] for place in places])
            rows = table.iloc[places]
            yield MatchedTrials(
                name,
                rows[c.TRIAL_ID].to_list(),
                rows[name].to_list(),
                {other: rows[other].iloc[0] for other in varying if other != name},
                *(seeds_S, begun_VS, time_VS),
                *_pairs(own_C[places], reference, many=own_C.max() >= FEW),
            )


def comparable(trainings: pd.DataFrame) -> list[str]:
    """Return the parameters that trials of a frame are told apart by; an optimizer's own are part of it."""
    every = [name for name in c.PARAMETERS if name in trainings]
    values = trainings.drop_duplicates(c.TRIAL_ID)[every].to_dict("records")
    parts = parts_of_optimizers(values)  # type: ignore[arg-type]  # columns are named by text
    return [name for name in every if name not in parts]


def _reference(table: pd.DataFrame, name: str) -> int:
    """Return the code of the parameter's default, or of the first value."""
    values = levels(table, name)
    default = Trial().parameters[name]
    return values.index(default) if default in values else 0


def _pairs(codes_V: Ints, reference: int, *, many: bool) -> tuple[Ints, Ints]:
    """Return the places of the trials to compare: each with each, or each with the reference where values are many."""
    if not many:
        first_P, second_P = np.array(list(combinations(range(len(codes_V)), 2))).T
        return first_P, second_P
    place = int(np.argmax(codes_V == reference))  # the first where it is not among them
    first_P = np.delete(np.arange(len(codes_V)), place)
    return first_P, np.full(len(first_P), place)


def _times_by_trial(started: pd.DataFrame, table: pd.DataFrame) -> list[tuple[Ints, Floats]]:
    """Return of each trial its seeds, ascending, as places among all, and the time to solution with each."""
    _, seed_T = np.unique(started[c.SEED].to_numpy(), return_inverse=True)
    trial_T = places_of(started, table)
    order = np.lexsort([seed_T, trial_T])
    ends = np.searchsorted(trial_T[order], np.arange(1, len(table)))
    return list(zip(np.split(seed_T[order], ends), np.split(time_to_solution(started)[order], ends), strict=True))


def _aligned(times: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Flags, Floats]:
    """Return the seeds of some trials ``[S]``, which of them each trial has, and its times ``[V, S]``."""
    seeds_S = np.unique(np.concatenate([seeds for seeds, _ in times]))
    begun_VS = np.zeros((len(times), len(seeds_S)), dtype=bool)
    time_VS = np.full(begun_VS.shape, np.inf)
    for place, (seeds, own) in enumerate(times):
        at = np.searchsorted(seeds_S, seeds)
        begun_VS[place, at], time_VS[place, at] = True, own
    return seeds_S, begun_VS, time_VS


# ------------------------------------------------------------------ two sets of trials


@dataclass(frozen=True, eq=False)
class Sides:
    """Trials of two sets, matched by all that does not differ between the sets: what one has and the other has not.

    ``differing`` are the parameters whose values are others there, ``fixed`` those of a side's matched trials, where
    all have the same. ``unmatched`` are the settings in which a side has several trials, or none.
    """

    differing: list[str]
    fixed: tuple[dict[str, Any], dict[str, Any]]
    matched: list[MatchedTrials]
    unmatched: int


def match_sides(one: pd.DataFrame, other: pd.DataFrame, by: str | None = None) -> Sides:
    """Match the trials of two frames of trainings; those that both have are left to neither, if something is left.

    They differ in one parameter where it is said ``by`` which, else in all whose values are others in one frame.
    """
    sides = [begun(some) for some in _with_all_extras(one, other)]
    ids = [set(some[c.TRIAL_ID].astype(str)) for some in sides]
    for place in (1, 0):
        if ids[place] - ids[1 - place]:
            sides[place] = sides[place][~sides[place][c.TRIAL_ID].astype(str).isin(ids[1 - place])]
    both = pd.concat([some.assign(**{c.TRIAL_ID: some[c.TRIAL_ID].astype(str)}) for some in sides])
    every = [name for name in comparable(both) if all(name in some for some in sides)]
    table = trials(both, every)
    tables = [table[table[c.TRIAL_ID].isin(set(some[c.TRIAL_ID].astype(str)))] for some in sides]
    differing = [by] if by else [name for name in every if set(tables[0][name]) != set(tables[1][name])]
    same = [name for name in every if name not in differing]
    varying = [name for name in same if len(set(table[name])) > 1]
    times = dict(zip(table[c.TRIAL_ID], _times_by_trial(both, table), strict=True))
    settings = [_by_setting(some, same) for some in tables]
    matched, unmatched = [], 0
    for key in dict.fromkeys((*settings[0], *settings[1])):
        pair = [found.get(key, []) for found in settings]
        if [len(trials) for trials in pair] != [1, 1] or not differing:
            unmatched += 1
            continue
        aligned = _aligned([times[ids[0]] for ids in pair])
        context = {name: value for name, value in zip(same, key, strict=True) if name in varying}
        places = (np.array([0]), np.array([1]))
        matched.append(MatchedTrials(SIDE, [ids[0] for ids in pair], [0, 1], context, *aligned, *places))
    used = [{match.ids[place] for match in matched} for place in (0, 1)]
    first, second = (_common(t[t[c.TRIAL_ID].isin(own)], differing) for t, own in zip(tables, used, strict=True))
    return Sides(differing, (first, second), matched, unmatched)


def _with_all_extras(*sides: pd.DataFrame) -> list[pd.DataFrame]:
    """Return each side with the extra parameters that any has: where a sweep has no column, it has the defaults."""
    extras = [name for name, one in PARAMETERS.items() if one.extra and any(name in some for some in sides)]
    return [some.assign(**{name: _filled(some, name) for name in extras}) for some in sides]


def _filled(trainings: pd.DataFrame, name: str) -> Any:
    default = PARAMETERS[name].default
    if name not in trainings:
        return default
    values = trainings[name]
    return values if values.notna().all() else values.astype(object).where(values.notna(), default)


def _by_setting(table: pd.DataFrame, names: Sequence[str]) -> dict[Any, list[str]]:
    """Return the trials' ids by their values of these parameters; by nothing where there are none, or no trials."""
    if not names or table.empty:
        return {(): list(table[c.TRIAL_ID])} if len(table) else {}
    return {key: list(rows[c.TRIAL_ID]) for key, rows in table.groupby(list(names), sort=False, observed=True)}


def _common(table: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of which all trials have the same value, with that."""
    return {name: table[name].iloc[0] for name in names if len(set(table[name])) == 1}


# ------------------------------------------------------------------ compare


SIGNIFICANT = 0.05

PARAMETER, ONE, OTHER, ONE_ID, OTHER_ID, CONTEXT = "parameter", "one", "other", "one_id", "other_id", "context"
PAIRS, BOTH, ONLY_ONE, ONLY_OTHER, NEITHER = "pairs", "both", "only_one", "only_other", "neither"
DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH = "difference", "difference_low", "difference_high"
RATIO, RATIO_LOW, RATIO_HIGH, RATIO_PAIRS = "ratio", "ratio_low", "ratio_high", "ratio_pairs"
RATIO_LEAST, RATIO_MOST = "ratio_low_at_once", "ratio_high_at_once"
IMPROVEMENT, IMPROVEMENT_LOW, IMPROVEMENT_HIGH = "improvement", "improvement_low", "improvement_high"
P, P_HOLM, NEEDED = "p", "p_holm", "seeds_needed"
WINS, LOSSES = "wins", "losses"
CONTEXTS, BETTER, WORSE = "contexts", "better", "worse"
COLUMNS = [
    *(PARAMETER, ONE, OTHER, ONE_ID, OTHER_ID, CONTEXT, PAIRS, BOTH, ONLY_ONE, ONLY_OTHER, NEITHER),
    *(DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH, RATIO, RATIO_LOW, RATIO_HIGH, RATIO_LEAST, RATIO_MOST),
    RATIO_PAIRS,
    *(IMPROVEMENT, IMPROVEMENT_LOW, IMPROVEMENT_HIGH, P, P_HOLM, NEEDED),
]
POOLED = [PARAMETER, ONE, OTHER, CONTEXTS, PAIRS, DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH, BETTER, WORSE]


def comparisons(trainings: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the comparison of each two trials that are equal but for one of the named parameters, over common seeds.

    That parameter leaves the initial weights alone. Each value is compared with each, or, where there are more than
    four in the sweep, with Trial's default if it is among those compared, else with the first. ``context`` holds the
    other varying parameters.

    ``difference`` is the solved rate of one less that of the other, with the interval of Bonett & Price (2012).
    ``ratio`` is the median over the ``ratio_pairs`` seeds that both solved of one's time to solution over the other's
    (each of one iteration or more), with its exact interval; missing below six. The ends ``_at_once`` are of intervals
    that hold for all rows together, and need more seeds.
    ``improvement`` is the `probability_of_improvement`, that one solves earlier than the other: what ended unsolved,
    diverged or failed is worst, so that two of them tie. ``p`` is McNemar's (1947), exact, and
    ``p_holm`` adjusted for all rows (Holm 1979). ``seeds_needed`` is how many seeds that exact test, two-sided at 5 %
    and not adjusted, needs for 80 % power, the difference seen taken as true: infinite where there is none, and missing
    where fewer than 5 pairs are discordant. All intervals are of 95 %.
    """
    return compared(list(matched_trials(trainings, names)))


def compared(matched: Sequence[MatchedTrials]) -> pd.DataFrame:
    """Return the comparison of each two matched trials, as `comparisons` does."""
    tail = tail_at_once(sum(len(one.first_P) for one in matched))
    parts = [part for one in matched if len(part := _counted(one, tail))]
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(parts, ignore_index=True)
    counts = [table[name].to_numpy() for name in (PAIRS, ONLY_ONE, ONLY_OTHER)]
    table[DIFFERENCE] = (counts[1] - counts[2]) / counts[0]
    table[DIFFERENCE_LOW], table[DIFFERENCE_HIGH] = paired_difference_interval(counts[1], counts[2], counts[0])
    improved = probability_of_improvement(table[WINS], table[LOSSES], table[PAIRS])
    table[IMPROVEMENT], table[IMPROVEMENT_LOW], table[IMPROVEMENT_HIGH] = improved
    table[P] = mcnemar_p(*counts[1:])
    return table.assign(**{P_HOLM: holm(table[P].to_numpy()), NEEDED: seeds_needed(*counts)})[COLUMNS]


def pooled(trainings: pd.DataFrame, names: Sequence[str], compared: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each parameter and two of its values, over all contexts together; ``compared`` as above.

    ``difference`` is the mean over all pairs of trainings of solved by one less solved by the other. Its interval is
    that of `pooled_difference` over seeds, which contexts share; those of all rows hold at once. ``better`` and
    ``worse`` count the contexts in which one solves more, or fewer, with an adjusted p of at most 5 %.
    """
    return pooled_over(list(matched_trials(trainings, names)), compared)


def pooled_over(matched: Sequence[MatchedTrials], compared: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each two values of matched trials, over all contexts together, as `pooled` does."""
    if compared.empty:
        return pd.DataFrame(columns=POOLED)
    rows = compared.assign(**{BETTER: _significant(compared, 1), WORSE: _significant(compared, -1)})
    rows[CONTEXTS] = 1
    how = dict.fromkeys((CONTEXTS, PAIRS, BETTER, WORSE), "sum")
    table = rows.groupby([PARAMETER, ONE, OTHER], sort=False).agg(how).reset_index()
    sums, keys = _differences(matched), [table[name] for name in (PARAMETER, ONE, OTHER)]
    tail = tail_at_once(len(table))
    each = (sums[key] for key in zip(*keys, strict=True))
    found = [pooled_difference(plus, minus, pairs, tail=tail) for plus, minus, pairs in each]
    columns = dict(zip((DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH), zip(*found, strict=True), strict=True))
    return table.assign(**columns)[POOLED]


def _significant(compared: pd.DataFrame, sign: int) -> pd.Series:
    """Return in which comparisons one solves more (1) or fewer (-1) than the other, beyond chance."""
    significant: pd.Series = (compared[P_HOLM] <= SIGNIFICANT) & (np.sign(compared[DIFFERENCE]) == sign)
    return significant.astype(np.int64)


# ------------------------------------------------------------------ what pairs of trainings came to


def _counted(matched: MatchedTrials, tail: float) -> pd.DataFrame:
    """Return how the trainings of each pair of trials compare, a row per pair; ``tail`` is of ratios at once."""
    pairs_PS = matched.begun_VS[matched.first_P] & matched.begun_VS[matched.second_P]
    time_PS, other_time_PS = matched.time_VS[matched.first_P], matched.time_VS[matched.second_P]
    solved_PS, other_solved_PS = np.isfinite(time_PS) & pairs_PS, np.isfinite(other_time_PS) & pairs_PS
    both_PS = solved_PS & other_solved_PS
    log_PS, other_log_PS = (np.log(np.where(both_PS, np.maximum(time, 1.0), 1.0)) for time in (time_PS, other_time_PS))
    counted = {
        PAIRS: pairs_PS,
        BOTH: both_PS,
        ONLY_ONE: solved_PS & ~both_PS,
        ONLY_OTHER: other_solved_PS & ~both_PS,
        NEITHER: pairs_PS & ~solved_PS & ~other_solved_PS,
        WINS: pairs_PS & (time_PS < other_time_PS),
        LOSSES: pairs_PS & (time_PS > other_time_PS),
        RATIO_PAIRS: both_PS,
    }
    columns: dict[str, Any] = {name: flags_PS.sum(axis=1) for name, flags_PS in counted.items()}
    columns |= {PARAMETER: matched.parameter, CONTEXT: [matched.context] * len(pairs_PS)}
    log_ratio_PS = log_PS - other_log_PS
    columns |= dict(zip((RATIO, RATIO_LOW, RATIO_HIGH), _ratios(log_ratio_PS, both_PS), strict=True))
    columns |= dict(zip((RATIO_LEAST, RATIO_MOST), _ratios(log_ratio_PS, both_PS, tail)[1:], strict=True))
    for value, name, places in ((ONE, ONE_ID, matched.first_P), (OTHER, OTHER_ID, matched.second_P)):
        columns[value] = np.array([matched.levels[place] for place in places], dtype=object)
        columns[name] = [matched.ids[place] for place in places]
    counts = pd.DataFrame(columns)
    return counts[counts[PAIRS] > 0]


def _ratios(log_PS: Floats, both_PS: Flags, tail: float = TAIL) -> tuple[Floats, Floats, Floats]:
    """Return median ratios ``[P]`` and their exact intervals' ends, from logarithms where both solved."""
    ordered_PS, size_P = np.sort(np.where(both_PS, log_PS, np.inf), axis=1), both_PS.sum(axis=1)
    place_P = median_place(size_P, tail)
    wanted_P4 = np.stack([(size_P - 1) // 2, size_P // 2, place_P, size_P - 1 - place_P], axis=1)
    found_P4 = np.take_along_axis(ordered_PS, wanted_P4.clip(0, ordered_PS.shape[1] - 1), axis=1)
    median_P = np.where(size_P > 0, found_P4[:, :2].mean(axis=1), np.nan)
    low_P, high_P = np.where(place_P[:, None] >= 0, found_P4[:, 2:], np.nan).T
    return np.exp(median_P), np.exp(low_P), np.exp(high_P)


def _differences(every: Sequence[MatchedTrials]) -> dict[tuple[str, Any, Any], Floats]:
    """Return by parameter and two values, over all contexts: pairs of each seed ``[3, S]``.

    Those of which only one solved, those of which only the other did, and all.
    """
    size = max(int(one.seeds_S[-1]) for one in every) + 1
    sums: dict[tuple[str, Any, Any], Floats] = {}
    for matched in every:
        solved_VS = np.isfinite(matched.time_VS)
        for one, other in zip(matched.first_P.tolist(), matched.second_P.tolist(), strict=True):
            both_S = matched.begun_VS[one] & matched.begun_VS[other]
            key = (matched.parameter, matched.levels[one], matched.levels[other])
            found = sums.setdefault(key, np.zeros((3, size)))
            only = solved_VS[one] & ~solved_VS[other], solved_VS[other] & ~solved_VS[one], True
            found[:, matched.seeds_S[both_S]] += [(flags & both_S)[both_S] for flags in only]
    return sums

"""Whether the intervals that a page prints cover the truth as often as they say, and claims err as seldom.

The table of `docs/statistics.md` is what this prints: ``python -m pytest tests/calibration -m slow -s``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.stats import paired_comparisons as paired
from bench.stats import sensitivity, survival
from bench.stats.bounded_means import share_bounds
from bench.stats.budget_checks import budget_checks
from bench.stats.holdout import optimism
from bench.stats.paired_tests import (
    mean_difference,
    paired_difference_interval,
    pooled_difference,
    probability_of_improvement,
)
from bench.stats.performance_profiles import PLACES, profile_tail
from bench.stats.proportions import clustered_interval, exact_interval, tail_at_once
from bench.stats.restarts import BEST, BEST_ERT, restarts, shorter_budgets
from bench.stats.timings import median_interval
from tests.calibration.population import GRID, ITERATIONS, SEEDS, TRIALS, population, sampled, samples

pytestmark = pytest.mark.slow

Floats = NDArray[np.float64]
Coverage = list[float]
SIZES, REPEATS = (50, 200, 1_000), 500
CELLS = list(product(*GRID.values()))
PAIRS = [  # of trials that differ in one parameter, and start from the same weights
    (one, other)
    for one, other in combinations(range(len(CELLS)), 2)
    if sum(a != b for a, b in zip(CELLS[one], CELLS[other], strict=True)) == 1 and CELLS[one][2] == CELLS[other][2]
]
GROUPS = [  # trials whose seeds are pooled, as main effects, claims and endings pool them
    [place for place, cell in enumerate(CELLS) if all(cell[axis] == value for axis, value in fixed)]
    for many in (1, 2, 3)
    for axes in combinations(range(len(GRID)), many)
    for fixed in product(*([(axis, value) for value in list(GRID.values())[axis]] for axis in axes))
]


@pytest.fixture(scope="module", name="time_CS")
def times_of_the_population(shared):
    """When each training of the population is solved."""
    return population(shared)


def covered(low: Any, truth: Any, high: Any) -> float:
    return float(np.mean((np.asarray(low) <= truth) & (truth <= np.asarray(high))))


# ------------------------------------------------------------------ each kind of interval: its coverage by trial


def solved_rate(time_CS: Floats, seeds_RN: Any) -> Coverage:
    size = seeds_RN.shape[1]
    solved = [np.isfinite(time_S) for time_S in time_CS]
    return [covered(*_around(exact_interval(one[seeds_RN].sum(axis=1), size), one.mean())) for one in solved]


def _around(ends: tuple[Any, Any], truth: Any) -> tuple[Any, Any, Any]:
    return ends[0], truth, ends[1]


@cache
def _tables(samples_RN: "_ByIdentity") -> list[pd.DataFrame]:
    """Return the table of times of all samples of each trial; a minute's work, for three kinds of interval."""
    time_CS, seeds_RN = samples_RN.arrays
    return [survival.times_to_solution(sampled(time_S[seeds_RN], TRIALS[0])) for time_S in time_CS]


@dataclass(frozen=True)
class _ByIdentity:
    size: int
    arrays: Any = field(compare=False)


def _times(
    time_CS: Floats, seeds_RN: Any, name: str, truth: Callable[[Floats], float], where: Callable[[Floats], bool]
) -> Coverage:
    found = []
    tables = _tables(_ByIdentity(seeds_RN.shape[1], (time_CS, seeds_RN)))
    for time_S, table in zip(time_CS, tables, strict=True):
        if where(time_S):
            low, high = table[f"{name}_low"], table[f"{name}_high"]  # those of a median may be beyond the budget
            found.append(covered(low.fillna(ITERATIONS), truth(time_S), high.fillna(np.inf)))
    return found


def median(time_CS: Floats, seeds_RN: Any) -> Coverage:
    return _times(time_CS, seeds_RN, survival.MEDIAN, _median, lambda t: float(np.isfinite(t).mean()) > 0.5)


def _median(time_S: Floats) -> float:
    return float(np.sort(time_S)[(len(time_S) - 1) // 2])


def restricted_mean(time_CS: Floats, seeds_RN: Any) -> Coverage:
    return _times(time_CS, seeds_RN, survival.RMST, lambda t: float(np.minimum(t, ITERATIONS).mean()), lambda _: True)


def running_time(time_CS: Floats, seeds_RN: Any) -> Coverage:
    return _times(
        time_CS,
        seeds_RN,
        survival.ERT,
        lambda t: float(np.minimum(t, ITERATIONS).sum() / np.isfinite(t).sum()),
        lambda t: bool(np.isfinite(t).any()),
    )


def curve(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """At a quarter of the budget."""
    return solved_rate(np.where(time_CS <= ITERATIONS / 4, time_CS, np.inf), seeds_RN)


def pooled_rate(time_CS: Floats, seeds_RN: Any) -> Coverage:
    found = []
    for group in GROUPS:
        counts_S = np.isfinite(time_CS[group]).sum(axis=0)
        totals_N = np.full(seeds_RN.shape[1], len(group))
        ends = np.array([clustered_interval(counts_S[seeds_N], totals_N) for seeds_N in seeds_RN]).T
        found.append(covered(ends[0], counts_S.mean() / len(group), ends[1]))
    return found


def picked_highest(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """Of 36 trials that are all the same, and of all 72: the one that came out highest."""
    size = seeds_RN.shape[1]
    found = []
    for place in range(0, len(CELLS), 4):
        solved_S = np.isfinite(time_CS[place])
        rng = np.random.default_rng(place)
        best = rng.binomial(size, solved_S.mean(), (len(seeds_RN), 36)).max(axis=1)
        found.append(covered(*_around(exact_interval(best, size, tail_at_once(36)), solved_S.mean())))
    solved_CS = np.isfinite(time_CS)
    best_R = solved_CS[:, seeds_RN].sum(axis=2).argmax(axis=0)
    counts = solved_CS[best_R[:, None], seeds_RN].sum(axis=1)
    ends = exact_interval(counts, size, tail_at_once(len(CELLS)))
    return [*found, covered(*_around(ends, solved_CS.mean(axis=1)[best_R]))]


def paired_difference(time_CS: Floats, seeds_RN: Any) -> Coverage:
    found = []
    for one, other in PAIRS:
        difference_S = np.isfinite(time_CS[one]).astype(np.int8) - np.isfinite(time_CS[other])
        drawn = difference_S[seeds_RN]
        counts = (drawn > 0).sum(axis=1), (drawn < 0).sum(axis=1), np.full(len(drawn), drawn.shape[1])
        found.append(covered(*_around(paired_difference_interval(*counts), difference_S.mean())))
    return found


def improvement(time_CS: Floats, seeds_RN: Any) -> Coverage:
    found = []
    for one, other in PAIRS:
        with np.errstate(invalid="ignore"):
            sign_S = np.nan_to_num(np.sign(time_CS[other] - time_CS[one]))
        drawn = sign_S[seeds_RN]
        counts = (drawn > 0).sum(axis=1), (drawn < 0).sum(axis=1), np.full(len(drawn), drawn.shape[1])
        found.append(covered(*_around(probability_of_improvement(*counts)[1:], 0.5 + sign_S.mean() / 2)))
    return found


def ratio(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """Where both solve often enough for an interval in nearly every sample."""
    found = []
    for one, other in PAIRS:
        both_S = np.isfinite(time_CS[one]) & np.isfinite(time_CS[other])
        if both_S.mean() * seeds_RN.shape[1] < 15:
            continue
        log_S = np.log(np.where(both_S, time_CS[one], 1) / np.where(both_S, time_CS[other], 1))
        _, low, high = paired._ratios(log_S[seeds_RN], both_S[seeds_RN])
        there, truth = ~np.isnan(low), np.exp(np.median(log_S[both_S]))
        found.append(covered(low[there] * (1 - 1e-12), truth, high[there] * (1 + 1e-12)))
    return found


def pooled_pairs(time_CS: Floats, seeds_RN: Any) -> Coverage:
    found = []
    for axis, values in ((axis, values) for axis, values in enumerate(GRID.values()) if axis != 2):
        for pair in combinations(values, 2):
            contexts = [p for p in PAIRS if {CELLS[p[0]][axis], CELLS[p[1]][axis]} == set(pair)]
            ordered = [p if CELLS[p[0]][axis] == pair[0] else p[::-1] for p in contexts]
            solved = [(np.isfinite(time_CS[one]), np.isfinite(time_CS[other])) for one, other in ordered]
            plus_S = sum((one & ~other).astype(float) for one, other in solved)
            minus_S = sum((other & ~one).astype(float) for one, other in solved)
            pairs_N = np.full(seeds_RN.shape[1], float(len(ordered)))
            drawn = [pooled_difference(plus_S[seeds], minus_S[seeds], pairs_N)[1:] for seeds in seeds_RN]
            found.append(covered(*_around(tuple(np.array(drawn).T), (plus_S - minus_S).mean() / len(ordered))))
    return found


def variance(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """Shares of at least 1 %, by loss, hidden and learning rate, for each activation."""
    shape, class_C = (3, 4, 2), np.tile(np.repeat(np.arange(4), 2), 3)
    found: Coverage = []
    for start in range(0, len(CELLS), 24):
        solved_CS = np.isfinite(time_CS[start : start + 24]).astype(float)
        truth = sensitivity._shares(solved_CS, shape, class_C)[sensitivity.SHARE]
        drawn = [sensitivity._shares(solved_CS[:, seeds_N], shape, class_C) for seeds_N in seeds_RN[:300]]
        low, high = (np.stack([one[end] for one in drawn]) for end in ("low", "high"))
        found += [covered(low[:, term], truth[term], high[:, term]) for term in np.flatnonzero(truth > 0.01)]
    return found


def same_fate(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """Of all pairs of trials that start from the same weights, whose intervals are to hold at once."""
    found = []
    for hidden in GRID[c.HIDDEN]:
        solved_CS = np.isfinite(time_CS[[place for place, cell in enumerate(CELLS) if cell[2] == hidden]])
        first, second = np.triu_indices(len(solved_CS), 1)
        same_PS = solved_CS[first] == solved_CS[second]
        counts_PR = np.stack([one_S[seeds_RN].sum(axis=1) for one_S in same_PS])
        low, high = exact_interval(counts_PR, seeds_RN.shape[1], tail_at_once(len(same_PS)))
        truth_P1 = same_PS.mean(axis=1)[:, None]
        found.append(float(((low <= truth_P1) & (truth_P1 <= high)).all(axis=0).mean()))
    return found


def best_restart(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """The running time with the budget that came out best, and with the whole one, at once: of every fourth trial."""
    found = []
    for time_S in time_CS[::4]:
        drawn = [restarts(sampled(time_S[seeds_N][None], TRIALS[0])) for seeds_N in seeds_RN[:200]]
        table = pd.concat(drawn)
        budgets = shorter_budgets(ITERATIONS)
        truth = {b: np.minimum(time_S, b).sum() / max((time_S <= b).sum(), 1e-9) for b in budgets}
        ends = [table[f"{name}_{end}"] for name in (BEST_ERT, survival.ERT) for end in ("low", "high")]
        picked = table[BEST].map(truth)
        both = (
            (ends[0] <= picked) & (picked <= ends[1]) & (ends[2] <= truth[ITERATIONS]) & (truth[ITERATIONS] <= ends[3])
        )
        found.append(float(both.mean()))
    return found


def profile(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """Everywhere and for all values of a parameter at once."""
    found = []
    at_K = np.unique(np.round(np.geomspace(1, ITERATIONS, PLACES)))
    for axis, values in enumerate(GRID.values()):
        groups = [[p for p, cell in enumerate(CELLS) if cell[axis] == value] for value in values]
        counts_LKS = np.array([[(time_CS[group] <= at).sum(axis=0) for at in at_K] for group in groups])
        totals_N = np.full(seeds_RN.shape[1], float(len(groups[0])))
        curves, truth = counts_LKS.reshape(-1, SEEDS), counts_LKS.reshape(-1, SEEDS).mean(axis=1) / len(groups[0])
        held = []
        for seeds_N in seeds_RN[:200]:
            tail = profile_tail([(counts_KS[:, seeds_N].T, totals_N) for counts_KS in counts_LKS])
            low, high = np.array([clustered_interval(one_S[seeds_N], totals_N, tail) for one_S in curves]).T
            held.append(bool(((low <= truth) & (truth <= high)).all()))
        found.append(float(np.mean(held)))
    return found


def held_out(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """The winner among each twelve trials by 50 other seeds: its restricted mean, and its optimism."""
    spent_CS = np.minimum(time_CS, ITERATIONS)
    found = []
    chosen = np.random.default_rng(3).integers(SEEDS, size=(len(seeds_RN), 50))
    for some in (list(range(place, len(CELLS), 6)) for place in range(6)):
        seen_CR = spent_CS[some][:, chosen].mean(axis=2)
        best_R = np.array(some)[seen_CR.argmin(axis=0)]
        table = survival.times_to_solution(sampled(time_CS[best_R[:, None], seeds_RN], TRIALS[0]))
        truth_R = spent_CS.mean(axis=1)[best_R]
        value, low, high = (table[name].to_numpy() for name in (survival.RMST, survival.RMST_LOW, survival.RMST_HIGH))
        found.append(covered(low, truth_R, high))
        seen_R = seen_CR.min(axis=0)
        ends = [optimism(s, one, more_is_better=False)[1:] for s, *one in zip(seen_R, value, low, high, strict=True)]
        found.append(covered(*_around(tuple(np.array(ends).T), truth_R - seen_R)))
    return found


def timing_median(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """Of 9, 15 and 25 rounds, skewed as timings are."""
    rng = np.random.default_rng(1)
    found = []
    for rounds in (9, 15, 25):
        drawn = [median_interval(rng.lognormal(0, 1, rounds))[1:] for _ in range(5_000)]
        found.append(covered(*_around(tuple(np.array(drawn).T), 1.0)))
    return found


def checked_share(time_CS: Floats, seeds_RN: Any) -> Coverage:
    """What is unsolved after a quarter of the budget and solves it later, of 200 that are drawn from twelve trials."""
    rng, found = np.random.default_rng(2), []
    trials = pd.DataFrame({c.GATE: "xor"}, index=["a"])
    for some in (list(range(place, len(CELLS), 6)) for place in range(6)):
        late_T = np.isfinite(time_CS[some][time_CS[some] > ITERATIONS / 4])
        ends = []
        for _ in range(len(seeds_RN)):
            rows = [{c.TRIAL_ID: "a", c.SEED: 0, c.SOLVED: bool(one)} for one in rng.choice(late_T, 200)]
            row = budget_checks(trials, rows).iloc[0]
            ends.append((row["low"], row["high"]))
        found.append(covered(*_around(tuple(np.array(ends).T), late_T.mean())))
    return found


KINDS: dict[str, Callable[[Floats, Any], Coverage]] = {
    "solved rate": solved_rate,
    "share solved by when": curve,
    "median time": median,
    "restricted mean time": restricted_mean,
    "expected running time": running_time,
    "rate over several trials": pooled_rate,
    "highest, picked afterwards": picked_highest,
    "difference of pairs": paired_difference,
    "probability of improvement": improvement,
    "ratio of times": ratio,
    "difference over settings": pooled_pairs,
    "share of the variance": variance,
    "winner and optimism, held out": held_out,
    "the same fate, all pairs": same_fate,
    "best restart, picked afterwards": best_restart,
    "performance profile, everywhere": profile,
    "median of timing rounds": timing_median,
    "stuck that are only slow": checked_share,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_intervals_cover_the_truth_as_often_as_they_say(time_CS, kind, size):
    """On average over trials in 93 to 99 % of samples or more, and of none in less than 91 %."""
    ((_, seeds_RN),) = samples((size,), REPEATS)
    found = KINDS[kind](time_CS, seeds_RN)
    print(f"\n| {kind} | {size:,} | {np.mean(found):.1%} | {min(found):.1%} | {len(found)} |")
    assert np.mean(found) >= 0.93
    assert min(found) >= 0.91


# ------------------------------------------------------------------ claims


def _wrong(low: Any, high: Any, share: float) -> float:
    """Return how often a claim that is just not true holds: above the share, or below it; the worse of both."""
    return max(float(np.mean(np.asarray(low) > share)), float(np.mean(np.asarray(high) < share)))


def test_claims_about_single_trials_err_in_two_and_a_half_percent_at_most(time_CS):
    """With 20 to 1,000 seeds; by more only as 4,000 samples may."""
    for size, seeds_RN in samples((20, 50, 200, 1_000), 4_000):
        for time_S in time_CS:
            solved_S = np.isfinite(time_S)
            low, high = exact_interval(solved_S[seeds_RN].sum(axis=1), size)
            assert _wrong(low, high, float(solved_S.mean())) <= 0.025 + 0.011


def test_claims_over_several_trials_err_as_seldom(time_CS):
    """Over seeds that trials share: by more only as 500 samples may."""
    for size, seeds_RN in samples((50, 200), 500):
        errors = []
        for group in GROUPS[::3]:
            counts_S = np.isfinite(time_CS[group]).sum(axis=0)
            totals_N = np.full(size, len(group))
            ends = np.array([share_bounds(counts_S[seeds_N], totals_N) for seeds_N in seeds_RN]).T
            errors.append(_wrong(*ends, float(counts_S.mean() / len(group))))
        print(f"\n| pooled claims | {size} | {np.mean(errors):.1%} | {max(errors):.1%} |")
        assert max(errors) <= 0.025 + 0.022


def _looks(group: list[int], time_CS: Floats, seeds_RN: Any, first: int) -> float:
    """Return how often a claim at the true share is decided at some look, with doubled seeds."""
    counts_S = np.isfinite(time_CS[group]).sum(axis=0)
    share = counts_S.mean() / len(group)
    wrong = np.zeros((2, len(seeds_RN)), dtype=bool)
    sizes = [first * 2**look for look in range(7)]
    for look, size in enumerate(sizes, 1):
        tail, totals_N = 1 - 0.025 / (look * (look + 1)), np.full(size, len(group))
        ends = np.array([share_bounds(counts_S[seeds[:size]], totals_N, tail) for seeds in seeds_RN]).T
        wrong |= np.stack([ends[0] > share, ends[1] < share])
    return float(wrong.mean(axis=1).max())


def test_claims_that_are_looked_at_again_and_again_err_as_seldom(time_CS):
    """After 20, 40, …, 1,280 seeds, over all looks together."""
    ((_, seeds_RN),) = samples((1_280,), 1_000)
    single = [_looks([place], time_CS, seeds_RN, 20) for place in range(0, len(CELLS), 3)]
    pooled = [_looks(group, time_CS, seeds_RN[:300], 20) for group in GROUPS[::8]]
    for name, errors in (("single", single), ("pooled", pooled)):
        print(f"\n| {name} claims, seven looks | {np.mean(errors):.1%} | {max(errors):.1%} |")
        assert max(errors) <= 0.025 + 0.018


def test_trials_that_differ_by_the_margin_are_seldom_called_the_same(time_CS):
    """With a margin that is their true difference, in 2.5 % on average."""
    errors = []
    for _, seeds_RN in samples((50, 200, 1_000), 1_000):
        for one, other in PAIRS[::3]:
            difference_S = np.isfinite(time_CS[one]).astype(float) - np.isfinite(time_CS[other])
            margin = abs(float(difference_S.mean()))
            if margin > 0.005:
                ends = np.array([mean_difference(difference_S[seeds])[1:] for seeds in seeds_RN])
                errors.append(float(np.mean((ends[:, 0] > -margin) & (ends[:, 1] < margin))))
    print(f"\n| the same within the margin | {np.mean(errors):.1%} | {max(errors):.1%} |")
    assert np.mean(errors) <= 0.025
    assert max(errors) <= 0.04

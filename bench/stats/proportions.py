"""Shares of trainings with their confidence intervals, and what became of every training.

Shapes: T trainings, S seeds.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtr, ndtri, stdtrit

from bench.metrics import columns as c
from bench.metrics.measures import begun, never_trained
from bench.model.outcome import Result

CONFIDENCE = 0.95
TAIL = (1 + CONFIDENCE) / 2
Z = float(ndtri(TAIL))
DEVIATES = 4_000  # that are drawn for intervals that hold all at once
COUNT, RATE, LOW, HIGH = "trainings", "rate", "low", "high"
PLANNED, MISSING = "planned", "missing"
OUTCOMES = [str(result) for result in Result]
REASONS = [c.OUTCOME, c.REASON, COUNT]


def exact_interval(successes: ArrayLike, trainings: ArrayLike, tail: float = TAIL) -> tuple[Any, Any]:
    """Return the ends of the exact 95 % interval (Clopper & Pearson 1934); 0 and 1 where there are no trainings.

    At no rate does it cover the truth less often than it says, which near none and all no approximation does: Wilson's
    covers 85 % there. Each end by itself is an exact bound that holds in 97.5 %, or in ``tail``. Counts may be broken,
    as those of trainings that are worth fewer (Korn & Graubard 1998).
    """
    count, size = np.broadcast_arrays(*(np.asarray(some, dtype=np.float64) for some in (successes, trainings)))
    rest = size - count
    with np.errstate(invalid="ignore"):  # of none, and of all, one end is where it is by definition
        low = np.where(count > 0, betaincinv(count, rest + 1, 1 - tail), 0.0)
        high = np.where(rest > 0, betaincinv(count + 1, rest, tail), 1.0)
    return low[()], high[()]


def median_place(size: ArrayLike, tail: float = TAIL) -> Any:
    """Return the place, from either end, of the ordered values that hold the median in at least 95 %; or -1.

    Whatever their distribution is (Thompson 1936). Of fewer than six there are no such values. ``tail`` is the
    probability on either side of an end, for other intervals than 95 %.
    """
    from scipy.stats import binom  # a quarter of a second

    return binom.ppf(1 - tail, size, 0.5).astype(np.int64)[()] - 1


def tail_at_once(intervals: int) -> float:
    """Return the probability beside each end with which so many intervals hold all at once in 95 % (Bonferroni).

    So does whichever of them is picked afterwards.
    """
    return 1 - (1 - TAIL) / max(intervals, 1)


def tail_together(groups: Iterable[NDArray[np.float64]]) -> float:
    """Return the probability beside each end with which intervals that depend on each other hold all at once in 95 %.

    sup-t (Montiel Olea & Plagborg-Møller 2019): the largest of normal deviates that are correlated as the estimates
    are, where Bonferroni would take them for independent. Each of ``groups`` ``[S, K]`` has by seed or training what it
    adds to K estimates; two groups are taken for independent. What does not vary adds nothing.
    """
    rng = np.random.default_rng(0)
    largest_D = np.zeros(DEVIATES)
    for values_SK in groups:
        centered_SK = values_SK - values_SK.mean(axis=0)
        centered_SK = centered_SK[:, (centered_SK**2).sum(axis=0) > 0]
        if centered_SK.size:
            unit_SK = centered_SK / np.sqrt((centered_SK**2).sum(axis=0))
            places = unit_SK.shape[1]
            root_KK = np.linalg.cholesky(unit_SK.T @ unit_SK + 1e-9 * np.eye(places))  # estimates may be the same
            largest_D = np.maximum(largest_D, np.abs(rng.standard_normal((DEVIATES, places)) @ root_KK.T).max(axis=1))
    return max(float(ndtr(np.quantile(largest_D, CONFIDENCE))), TAIL)


def half_width(successes: ArrayLike, trainings: ArrayLike) -> Any:
    """Return ± what the exact 95 % interval lies within, around the share; 1 where there are no trainings."""
    count, size = np.broadcast_arrays(*(np.asarray(some, dtype=np.float64) for some in (successes, trainings)))
    low, high = exact_interval(count, size)
    share = count / np.maximum(size, 1)
    return np.maximum(share - low, high - share)[()]


def seeds_for_half_width(rate: float, width: float) -> int:
    """Return the fewest trainings whose exact 95 % interval lies within ± ``width`` of that solved rate.

    Found by bisection: it never takes more than 4 / h². Raises ValueError for a rate or a width that cannot be.
    """
    if not (0 <= rate <= 1 and width > 0):
        raise ValueError(f"rate {rate!r} and half-width {width!r} are not allowed; choose 0 to 1, and above 0")
    sizes = range(1, int(4 / width**2) + 2)
    return sizes[bisect_left(sizes, True, key=lambda size: bool(half_width(rate * size, size) <= width))]


def solved_rates(trainings: pd.DataFrame, by: Sequence[str], *, at_once: bool = False) -> pd.DataFrame:
    """Return the solved rate of every group of trainings with its exact interval, of all groups ``at_once`` if asked.

    Diverged and failed trainings count as not solved; unsupported ones were never begun and do not count.
    """
    started = begun(trainings[[c.OUTCOME, *by, c.SOLVED]])
    groups = started.groupby(list(by), sort=False, observed=True)[c.SOLVED].agg(["size", "sum"])
    size, solved = groups["size"], groups["sum"]
    low, high = exact_interval(solved, size, tail_at_once(len(size)) if at_once else TAIL)
    rates = pd.DataFrame({COUNT: size, c.SOLVED: solved, RATE: solved / size, LOW: low, HIGH: high}).reset_index()
    # categories that no group has would stand in a figure's legend
    return rates.astype({name: rates[name].cat.categories.dtype for name in rates.select_dtypes("category")})


def counted_rates(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the solved rate of every trial with its exact interval, from an `outcome_ledger`: index trial_id."""
    size = counts.sum(axis=1) - counts[Result.UNSUPPORTED]
    solved = counts[Result.SOLVED][size > 0]
    low, high = exact_interval(solved, size[size > 0])
    return pd.DataFrame({COUNT: size[size > 0], c.SOLVED: solved, RATE: solved / size[size > 0], LOW: low, HIGH: high})


def clustered_rate(trainings: pd.DataFrame) -> tuple[float, float, float]:
    """Return the solved rate of several trials together, and its 95 % interval over the seeds that they share.

    See `clustered_interval`; of one trial it is exact. Missing where nothing was begun.
    """
    started = begun(trainings[[c.OUTCOME, c.SEED, c.SOLVED]])
    if started.empty:
        return np.nan, np.nan, np.nan
    clusters = started.groupby(c.SEED)[c.SOLVED].agg(["sum", "size"])
    return float(started[c.SOLVED].mean()), *clustered_interval(clusters["sum"], clusters["size"])


def clustered_interval(counts_S: ArrayLike, totals_S: ArrayLike, tail: float = TAIL) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a share of trainings that are clustered by seed; 0 and 1 of nothing.

    Trials share their seeds, so that seeds are drawn and not trainings: the exact interval of as many trainings as
    they are worth (Korn & Graubard 1998), by `effective_size`. Where each seed trained once it is that of all.
    """
    counts_S, totals_S = (np.asarray(some, dtype=np.float64) for some in (counts_S, totals_S))
    count, size = counts_S.sum(), totals_S.sum()
    used_S = totals_S > 0
    share = count / size if size else 0.0
    is_single = (totals_S <= 1).all()
    worth = size if is_single else effective_size(counts_S[used_S], totals_S[used_S], share * (1 - share), tail)
    low, high = exact_interval(share * worth, worth, tail)
    return float(low), float(high)


def effective_size(
    sums_S: NDArray[np.float64], totals_S: NDArray[np.float64], variance: float, tail: float = TAIL
) -> float:
    """Return the effective sample size of values that are clustered by seed: their number over the design effect.

    Of each seed their sum and how many there are; ``variance`` is that of a single value. The design effect (Kish 1965)
    is the variance of the ratio estimator of a cluster sample (Cochran 1977, section 9A.1) over that of as many
    independent ones; Student's t pays for its estimate (Korn & Graubard 1998). They are worth at most all values, and
    at least the seeds alone, as where trials all do the same: n² / Σ m² of them, Kish's number for seeds with unequally
    many values m. That is taken where they do not vary, and nothing can be estimated.
    """
    size, seeds = totals_S.sum(), len(totals_S)
    mean, fewest = sums_S.sum() / size, size**2 / (totals_S**2).sum()
    if variance <= 0 or seeds < 2:
        return float(fewest)
    clustered = ((sums_S - mean * totals_S) ** 2).sum() * seeds / (seeds - 1) / size**2
    single = variance * (ndtri(tail) / stdtrit(seeds - 1, tail)) ** 2
    return float(np.clip(single / clustered, fewest, size)) if clustered * size > single else float(size)


def outcome_ledger(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return how many trainings of each trial had each outcome: index trial_id, one column per outcome."""
    trial_T, names = pd.factorize(trainings[c.TRIAL_ID])
    outcome_T = pd.Categorical(trainings[c.OUTCOME], categories=OUTCOMES).codes.astype(np.int64)
    counts = np.bincount(trial_T * len(OUTCOMES) + outcome_T, minlength=len(names) * len(OUTCOMES))
    index = pd.Index(np.asarray(names), name=c.TRIAL_ID)
    return pd.DataFrame(counts.reshape(len(names), len(OUTCOMES)), index=index, columns=OUTCOMES)


@dataclass(frozen=True, eq=False)
class Account:
    """What became of every training: how many had each outcome, by trial, and why some have no result.

    ``counts`` is an `outcome_ledger`, ``reasons`` a row for each reason with its outcome and how many there are.
    """

    counts: pd.DataFrame
    reasons: pd.DataFrame

    @property
    def trainings(self) -> int:
        """How many there are."""
        return int(self.counts.to_numpy().sum())


def account(parts: Iterable[pd.DataFrame]) -> Account:
    """Return what became of the trainings of all parts; a trial may be in several."""
    counts, reasons = [outcome_ledger(pd.DataFrame({c.TRIAL_ID: [], c.OUTCOME: []}))], [pd.DataFrame(columns=REASONS)]
    for part in parts:
        counts.append(outcome_ledger(part).rename(index=str))
        lost = part[part[c.REASON].notna() & never_trained(part)]
        reasons.append(lost[REASONS[:2]].astype(str).value_counts(sort=False).reset_index(name=REASONS[2]))
    summed = pd.concat(counts).groupby(level=0, sort=False).sum()
    again = pd.concat([some for some in reasons if len(some)] or reasons[:1])
    return Account(summed, again.groupby(REASONS[:2], sort=False)[REASONS[2]].sum().reset_index())


def ledger(counts: pd.DataFrame, planned: Mapping[str, int] | pd.Series) -> pd.DataFrame:
    """Return what became of every planned training: index trial_id, in the plan's order, without a training left over.

    ``counts`` is an `outcome_ledger`; ``planned`` says how many trainings each trial has; those without a row yet are
    ``missing``, so that in every row ``planned`` is the sum of all the others. Raises ValueError where there are more
    trainings than planned.
    """
    plan = pd.Series(planned, name=PLANNED, dtype=np.int64).rename_axis(c.TRIAL_ID)
    done, allowed = counts.sum(axis=1), plan.reindex(counts.index, fill_value=0)
    if (done > allowed).any():
        wrong = [f"{name} has {done[name]}, planned {allowed[name]}" for name in counts.index[done > allowed]]
        raise ValueError(f"more trainings than planned: {'; '.join(wrong)}")
    counts = counts.reindex(plan.index, fill_value=0)
    return pd.concat([plan, counts, (plan - counts.sum(axis=1)).rename(MISSING)], axis=1)


# ------------------------------------------------------------------ in words

RARELY = 0.005  # a smaller share is one in so many
NO_DIGITS = 0.001  # of a smaller one, percent with one digit have none that counts


def percent(share: float, low: float, high: float) -> str:
    """Return a share in words, with its interval; a rare one as one in so many."""
    if 0 < share < RARELY:
        most = f"{1 / low:,.0f}" if low > 0 else "…"
        return f"1 in {1 / share:,.0f} [{1 / high:,.0f}, {most}]"
    return f"{bare_percent(share)} [{bare_percent(low)}, {bare_percent(high)}]"


def bare_percent(share: float) -> str:
    """Return a share in words; of a rare one, two digits that count."""
    return f"{100 * share:.2g}%" if 0 < share < NO_DIGITS else f"{share:.1%}"

"""Claims checked against trainings: each with what was expected, what was observed, and the verdict."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bench.config.claims import (
    DECIMAL,
    Bound,
    Claim,
    Comparison,
    Equivalence,
    FigureClaim,
    Printed,
    Rate,
    Variety,
)
from bench.config.plan import PlannedClaim
from bench.metrics import columns as c
from bench.metrics.measures import begun, never_trained
from bench.stats import published
from bench.stats.bounded_means import share_bounds
from bench.stats.curves import recorded
from bench.stats.events import has_event, measure
from bench.stats.final_patterns import WRONG_OBSERVATION, where_they_end
from bench.stats.map_analysis import MapAnalysis
from bench.stats.paired_tests import mean_difference
from bench.stats.proportions import TAIL, clustered_interval, exact_interval, percent
from bench.stats.published import AGREES, DIFFERS, NO_DATA, OPEN, read_as

CARRIED = 1e-5  # of a number: what float32, with 1e-7 an iteration, carries through some ten thousand of them
HOLDS, REFUTED, UNDECIDED = "holds", "refuted", "undecided"
OF_PUBLISHED = {HOLDS: AGREES, REFUTED: DIFFERS, UNDECIDED: OPEN}
SEVERAL = {DIFFERS: "differ"}
RARE = 0.02  # never is less than that; a share of 0 cannot be shown
HALF = 0.5
MOST_SEEDS = 10_000_000  # that are worth naming


PUBLISHED = ("difference", "recalled", "why", "numbers", "basis")  # what is said of published claims only
FIGURE, READING = "figure", "reading"  # what a published claim is about: a figure, or words as they are read here
BASES = {FIGURE: "published figures agree", READING: "readings of published words agree", "": "other claims hold"}


@dataclass(frozen=True)
class Verdict:
    """One row of the table of claims: it holds, it is refuted, or it is undecided.

    ``seeds`` is about how many would decide what is undecided, if shares stay what they are; None where nobody knows.
    What was published agrees, differs or is open; ``difference`` is that to the published figure, with its interval,
    ``recalled`` and ``why`` are the claim's, ``numbers`` has both figures with the ends of their intervals, and
    ``basis`` says whether it is a ``figure`` or a ``reading`` of words, whose bound or trend is not the author's.
    """

    id: str
    source: str
    what: str
    expected: str
    observed: str
    verdict: str
    seeds: int | None = None
    difference: str = ""
    recalled: bool = False
    why: str = ""
    numbers: Mapping[str, Sequence[float]] | None = None
    basis: str = ""

    @property
    def holds(self) -> bool:
        """Whether it holds, beyond chance."""
        return self.verdict in (HOLDS, AGREES)

    @property
    def is_published(self) -> bool:
        """Whether it is of something published, which may differ: that is a finding."""
        return self.verdict in OF_PUBLISHED.values()


def check_claims(
    claims: Sequence[PlannedClaim], trainings: pd.DataFrame, look: int = 0, maps: Sequence[MapAnalysis] = ()
) -> list[Verdict]:
    """Check every claim; a printed list gives a verdict for each of its numbers.

    What is said of shares holds, or is refuted, beyond an exact bound that errs in 2.5 % of sweeps (Clopper & Pearson
    1934), over seeds where trials share them. With seeds added until claims are decided it is the ``look`` at them, the
    first is 1, whose bound errs in 2.5 % / (k (k + 1)), in all looks together again in 2.5 % (a confidence sequence by
    the union bound, as Howard et al. 2021 stitch them). The number of seeds at each must not depend on what was seen.
    All claims about something published err together as one of the others does (Bonferroni).
    """
    error = (1 - TAIL) / (look * (look + 1) if look else 1)
    several = max(sum(planned.claim.published is not None for planned in claims), 1)
    return [
        verdict
        for planned in claims
        for verdict in _check(planned, trainings, 1 - error / (several if planned.claim.published else 1), maps)
    ]


def verdict_rows(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Return verdicts as plain rows."""
    return [{**asdict(verdict), "holds": verdict.holds} for verdict in verdicts]


def counted_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Return in words how many claims hold, are refuted and are undecided, and how many published ones agree."""
    by_basis = {basis: [one for one in verdicts if one.basis == basis] for basis in BASES}
    if len(by_basis[""]) == len(verdicts):
        return _counted(verdicts, "claims hold")
    return "; ".join(_counted(some, BASES[basis]) for basis, some in by_basis.items() if some)


def _counted(verdicts: Sequence[Verdict], what: str) -> str:
    recalled = sum(one.recalled for one in verdicts)
    words = f"{sum(one.holds for one in verdicts):,} of {len(verdicts):,} {what}"
    words += f" ({recalled:,} recalled)" if recalled else ""
    for name in (REFUTED, UNDECIDED, DIFFERS, OPEN):
        count = sum(one.verdict == name for one in verdicts)
        words += f", {count:,} {SEVERAL.get(name, name) if count > 1 else name}" if count else ""
    return words


def undecided(verdicts: Sequence[Verdict]) -> int:
    """Return how many are undecided."""
    return sum(verdict.verdict == UNDECIDED for verdict in verdicts)


def _check(
    planned: PlannedClaim, trainings: pd.DataFrame, tail: float, maps: Sequence[MapAnalysis]
) -> Iterator[Verdict]:
    said = planned.claim.published
    for found in _verdicts(planned, trainings, tail, maps):
        verdict = found
        if isinstance(said, str):
            expected, judged = read_as(planned.claim, said, verdict.expected), OF_PUBLISHED[verdict.verdict]
            verdict = replace(verdict, expected=expected, verdict=judged)
        basis = "" if said is None else READING if isinstance(said, str) or said.words is not None else FIGURE
        yield replace(verdict, recalled=planned.claim.recalled, why=planned.claim.why, basis=basis)


def _verdicts(
    planned: PlannedClaim, trainings: pd.DataFrame, tail: float, maps: Sequence[MapAnalysis]
) -> Iterator[Verdict]:
    if planned.seeds is not None:
        trainings = trainings[trainings[c.SEED].isin(planned.seeds)]
    selected, than = (trainings[trainings[c.TRIAL_ID].isin(some)] for some in (planned.trials, planned.than))
    match planned.claim:
        case FigureClaim() as claim:
            found = published.compare(planned, selected, than, tail, maps)
            verdict = _verdict(claim, found.expected, found.observed, found.verdict)
            yield replace(verdict, difference=found.difference, numbers=found.numbers)
        case Printed() as claim:
            yield from _printed(claim, selected)
        case Bound() as claim:
            yield _bound(claim, selected)
        case Rate() as claim:
            yield _rate(claim, selected, tail)
        case Comparison() as claim:
            yield _comparison(claim, selected, than, tail)
        case Equivalence() as claim:
            yield _equivalence(claim, selected, than, tail)
        case Variety() as claim:
            yield _variety(claim, selected)


# ------------------------------------------------------------------ one training's numbers


def _printed(claim: Printed, trainings: pd.DataFrame) -> Iterator[Verdict]:
    rows = trainings[trainings[c.SEED] == claim.seed]
    at = claim.at or list(range(len(claim.printed)))
    for place, text in zip(at, claim.printed, strict=True):
        numbered = place if claim.of == c.LOSS else place + 1
        alone = len(claim.printed) == 1
        value = _number(rows.iloc[0], claim.of, place) if len(rows) else math.nan
        observed = _as_printed(value, text, claim.format) if len(rows) else NO_DATA
        single = claim.carried and bool((rows[c.DTYPE] == "float32").all())
        yield Verdict(
            id=claim.id if alone else f"{claim.id}-{numbered}",
            source=claim.source,
            what=claim.what.replace("{at}", str(numbered)),
            expected=f"{text} ± {CARRIED:.0e}" if single else text,
            observed=observed,
            verdict=_known(len(rows), holds=observed == text or (single and _carries(value, text))),
        )


def _number(training: pd.Series, of: str, place: int) -> float:
    """Return one number of a training: of its curve at an iteration, of a list at a place, or a scalar."""
    if of == c.LOSS:
        at = np.flatnonzero(recorded(training.to_frame().T) == place)
        return float(training[c.CURVE][at[0]]) if at.size and training[c.CURVE] is not None else math.nan
    if of == "errors":
        return _number(training, c.TARGETS, place) - _number(training, c.PREDICTIONS, place)
    value = np.ravel(training[of]) if of == c.TARGETS else training[of]
    if isinstance(value, list | np.ndarray):
        return float(value[place]) if place < len(value) else math.nan
    return math.nan if value is None else float(value)


def _as_printed(value: float, text: str, given: str | None) -> str:
    """Write a number with as many digits as the printed text has, in its notation."""
    if given is not None:
        return format(value, given)
    digits = DECIMAL.fullmatch(text)
    assert digits is not None, text
    return format(value, f".{len(digits[1])}{'e' if digits[2] else 'f'}")


def _carries(value: float, text: str) -> bool:
    """Whether a float32's number is the printed one, to the digits that it carries and those that were printed."""
    printed = Decimal(text)
    last_digit = float(Decimal(1).scaleb(int(printed.as_tuple().exponent)))
    return abs(value - float(printed)) <= last_digit / 2 + CARRIED * abs(float(printed))


def _bound(claim: Bound, trainings: pd.DataFrame) -> Verdict:
    rows = trainings[(trainings[c.SEED] == claim.seed).to_numpy() & ~never_trained(trainings)]
    bound, is_below = (claim.below, True) if claim.below is not None else (claim.above, False)
    assert bound is not None
    value = float(measure(rows, claim.of).iloc[0]) if len(rows) else math.nan
    holds = value < bound if is_below else value > bound
    observed = f"{value:.4g}" if len(rows) else NO_DATA
    return _verdict(claim, f"{'<' if is_below else '>'} {bound:g}", observed, _known(len(rows), holds=holds))


# ------------------------------------------------------------------ shares of trainings


def _rate(claim: Rate, trainings: pd.DataFrame, tail: float) -> Verdict:
    started = begun(trainings)
    expected, (least, most) = _range(claim)
    if started.empty:
        return _verdict(claim, expected, NO_DATA, UNDECIDED)
    event = has_event(claim.event, started)
    by_seed = event.groupby(started[c.SEED]).agg(["sum", "size"])
    bounds = partial(share_bounds, by_seed["sum"], by_seed["size"], tail)
    low, high = bounds()
    count, size = int(event.sum()), len(event)
    exception = (claim.never and count > 0) or (claim.always and count < size)
    if exception or high <= least or low >= most:
        verdict = REFUTED
    else:
        verdict = HOLDS if least < low and high < most else UNDECIDED
    observed = f"{percent(count / size, low, high)}, {count:,} of {size:,}"
    seeds = _seeds_for_range(bounds, (least, most), len(by_seed)) if verdict == UNDECIDED else None
    return _verdict(claim, expected, observed, verdict, seeds)


def _range(claim: Rate) -> tuple[str, tuple[float, float]]:
    """Return in words what is expected of a share, and the ends that it must surely be between."""
    if claim.never:
        return f"never (< {RARE:.0%})", (-math.inf, RARE)
    if claim.always:
        return f"always (> {1 - RARE:.0%})", (1 - RARE, math.inf)
    if claim.above is not None:
        return f"> {100 * claim.above:g}%", (claim.above, math.inf)
    if claim.between is not None:
        least, most = claim.between
        ends = least if least > 0 else -math.inf, most if most < 1 else math.inf
        return f"{100 * least:g}% to {100 * most:g}%", ends
    assert claim.below is not None
    return f"< {100 * claim.below:g}%", (-math.inf, claim.below)


def _seeds_for_range(
    bounds: Callable[[int], tuple[float, float]], ends: tuple[float, float], fewest: int
) -> int | None:
    """Return with how many seeds of the same kind the bounds lie on one side of each end."""

    def decides(size: int) -> bool:
        low, high = bounds(size)
        return all(end < low or end > high for end in ends)

    sizes = range(fewest, MOST_SEEDS)
    place = bisect_left(sizes, True, key=decides)
    return sizes[place] if place < len(sizes) else None


def _variety(claim: Variety, trainings: pd.DataFrame) -> Verdict:
    """Check that there is no single value: two that were seen show it, and one alone may be the only one."""
    started = begun(trainings)
    known = where_they_end(started)
    values = (known[claim.varies] if claim.varies in known else started[claim.varies]).dropna()
    counts = values.astype(object).value_counts()  # of a category that never came there is nothing to count
    word = "observation " if claim.varies == WRONG_OBSERVATION else ""
    size, seeds = len(values), started[c.SEED][values.index]
    totals_S = values.groupby(seeds).size()
    each = ((value, count, (values == value).groupby(seeds).sum()) for value, count in counts.items())
    listed = "; ".join(
        f"{word}{value}: {percent(count / size, *clustered_interval(counts_S, totals_S))}, {count:,} of {size:,}"
        for value, count, counts_S in each
    )
    alike = len(counts) == 1 and float(exact_interval(len(totals_S), len(totals_S))[0]) > 1 - RARE
    verdict = HOLDS if len(counts) > 1 else REFUTED if alike else UNDECIDED
    return _verdict(claim, "no value for all seeds", listed or NO_DATA, verdict)


# ------------------------------------------------------------------ one selection against another


def _comparison(claim: Comparison, trainings: pd.DataFrame, than: pd.DataFrame, tail: float) -> Verdict:
    """Compare by seed, by the sign test (Fisher 1925): of the seeds that differ, the share that is above or below.

    Seeds that tie say nothing for either side.
    """
    pairs = pd.DataFrame({"a": _by_seed(trainings, claim.measure), "b": _by_seed(than, claim.measure)}).dropna()
    expected = f"{claim.is_} for most seeds (> 50%)"
    if pairs.empty:
        return _verdict(claim, expected, NO_DATA, UNDECIDED)
    more, less = int((pairs["a"] > pairs["b"]).sum()), int((pairs["a"] < pairs["b"]).sum())
    wins, differing, ties = more if claim.is_ == "above" else less, more + less, len(pairs) - more - less
    low, high = exact_interval(wins, differing, tail)
    medians = f"medians {_short(pairs['a'].median())} and {_short(pairs['b'].median())}"
    tied = f" ({ties:,} more tie)" if ties else ""
    share = percent(wins / differing, low, high) if differing else "none"
    verdict = HOLDS if low > HALF else REFUTED if high < HALF else UNDECIDED
    seeds = None
    if verdict == UNDECIDED and differing:
        bounds = partial(share_bounds, [1] * wins + [0] * (differing - wins), [1] * differing, tail)
        enough = _seeds_for_range(bounds, (HALF, math.inf), differing)
        seeds = None if enough is None else math.ceil(enough / differing * len(pairs))
    return _verdict(claim, expected, f"{share}, {wins:,} of {differing:,} seeds{tied}; {medians}", verdict, seeds)


def _equivalence(claim: Equivalence, trainings: pd.DataFrame, than: pd.DataFrame, tail: float) -> Verdict:
    """Compare shares over common seeds by two one-sided tests (Schuirmann 1987): the interval lies within the margin.

    It is refuted where all of the interval lies outside.
    """
    shares = [has_event(claim.event, some).groupby(some[c.SEED]).mean() for some in map(begun, (trainings, than))]
    pairs = pd.concat(shares, axis=1, join="inner")
    expected = f"the same within {100 * claim.within:g} points"
    if pairs.empty:
        return _verdict(claim, expected, NO_DATA, UNDECIDED)
    difference_S = (pairs.iloc[:, 0] - pairs.iloc[:, 1]).to_numpy(dtype=np.float64)
    mean, low, high = mean_difference(difference_S, tail)
    is_within, is_beyond = -claim.within < low and high < claim.within, low >= claim.within or high <= -claim.within
    verdict = HOLDS if is_within else REFUTED if is_beyond else UNDECIDED
    observed = f"{100 * mean:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}], {len(pairs):,} seeds"
    room, width = abs(claim.within - abs(mean)), max(high - mean, mean - low)
    is_known = verdict == UNDECIDED and room > 0
    seeds = math.ceil(len(pairs) * max((width / room) ** 2, 1)) if is_known else None  # an interval shrinks as 1 / √n
    return _verdict(claim, expected, observed, verdict, seeds if seeds and seeds < MOST_SEEDS else None)


def _by_seed(trainings: pd.DataFrame, name: str) -> pd.Series:
    started = begun(trainings)
    if name == c.ITERATION_US:
        started = started[started[c.ALONE]]  # timings taken beside other work are not compared
    return measure(started, name).groupby(started[c.SEED]).median()


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _known(rows: int, *, holds: bool) -> str:
    """Return the verdict on a number, which is there or not."""
    return UNDECIDED if not rows else HOLDS if holds else REFUTED


def _verdict(claim: Claim, expected: str, observed: str, verdict: str, seeds: int | None = None) -> Verdict:
    return Verdict(claim.id, claim.source, claim.what, expected, observed, verdict, seeds)

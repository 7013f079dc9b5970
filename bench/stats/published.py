"""Published figures beside observed ones: whether the two agree, given how uncertain each of them is.

Two figures agree where the interval of their difference has 0: that of MOVER (Zou & Donner 2008), which combines the
intervals of both, exact ones for shares, Student's for means; of a ratio, and of growth, that of logarithms. A figure
that was published without its uncertainty is taken for exact, since nobody can tell.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from bench.config.claims import CHANCE, TIMES, Claim, FigureClaim, Published
from bench.config.plan import PlannedClaim
from bench.metrics import columns as c
from bench.metrics.measures import SOLVED_SHARE, begun
from bench.model.trial import PARAMETERS
from bench.stats.events import has_event
from bench.stats.map_analysis import MapAnalysis
from bench.stats.paired_tests import mean_difference
from bench.stats.proportions import TAIL, Z, bare_percent, clustered_interval, exact_interval, percent
from bench.stats.sensitivity import SEED_ALONE, TERM, TOTAL, TOTAL_HIGH, TOTAL_LOW, variance_shares
from bench.stats.survival import Times, median_time, running_time, solved_mean, times_by_trial

AGREES, DIFFERS, OPEN = "agrees", "differs", "open"
NO_DATA = "no such training was finished"
WIDE_SHARE, WIDE = 0.1, 0.5  # beyond ± 10 points, or half of the figure, agreement says little
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float

    def less(self, other: "Estimate") -> "Estimate":
        """Return the difference to another, independent, with its interval by MOVER."""
        below = math.hypot(self.value - self.low, other.high - other.value)
        above = math.hypot(self.high - self.value, other.value - other.low)
        difference = self.value - other.value
        return Estimate(difference, difference - below, difference + above)

    def over(self, other: "Estimate") -> "Estimate":
        """Return the ratio to another, independent, with its interval by MOVER of the logarithms."""
        return self.apply(_log).less(other.apply(_log)).apply(math.exp)

    def apply(self, rising: Callable[[float], float]) -> "Estimate":
        """Return a rising function of it."""
        return Estimate(rising(self.value), rising(self.low), rising(self.high))


@dataclass(frozen=True)
class Comparison:
    """What was published beside what is observed, in words, with their difference, and whether they agree.

    ``numbers`` has both figures, where both are some: value, low and high end of the 95 % interval, or of the range.
    """

    expected: str
    observed: str
    verdict: str
    difference: str = ""
    numbers: Mapping[str, Sequence[float]] | None = None


def compare(
    planned: PlannedClaim, trainings: pd.DataFrame, than: pd.DataFrame, tail: float, maps: Sequence[MapAnalysis]
) -> Comparison:
    """Compare a claim's figure with the published one; ``tail`` is the probability beside an end of an interval."""
    claim = planned.claim
    assert isinstance(claim, FigureClaim)
    expected = published_words(claim)
    started = begun(trainings)
    started = started[has_event(claim.among, started)]
    if claim.figure == "dimension":
        return _border(claim, expected, tail, maps)
    if started.empty or (claim.than is not None and begun(than).empty):
        return Comparison(expected, NO_DATA, OPEN)
    if claim.published.shape == CHANCE:
        return _beyond_chance(claim, expected, started, tail)
    if claim.published.shape is not None:
        return _shape(planned, expected, started, tail)
    if claim.figure == "better" and claim.seed not in set(started[c.SEED]):
        return Comparison(expected, f"seed {claim.seed} is not among those that were trained", OPEN)
    shown, strict = (_observed(planned, started, begun(than), one) for one in (TAIL, tail))
    found = _judged(claim, expected, _words(claim, shown, _counted(claim, started)), strict, tail)
    alone = _judged(claim, expected, "", shown, TAIL)
    verdict = OPEN if (found.verdict, alone.verdict) == (AGREES, DIFFERS) else found.verdict
    return replace(found, verdict=verdict, numbers=_numbers(claim, shown))


# ------------------------------------------------------------------ figures


def _observed(planned: PlannedClaim, started: pd.DataFrame, than: pd.DataFrame, tail: float) -> Estimate:
    """Return the figure of a claim's trainings, or its ratio to that of the others."""
    claim = planned.claim
    assert isinstance(claim, FigureClaim)
    if claim.along is not None:
        return _growth(planned, started, tail)
    figure = _figure(claim, started, tail)
    return figure if claim.than is None else figure.over(_figure(claim, than, tail))


def _figure(claim: FigureClaim, started: pd.DataFrame, tail: float) -> Estimate:
    if claim.figure in TIMES:
        (times,) = times_by_trial(started)
        return _time(claim.figure, replace(times, tail=tail))
    if claim.figure == "seed variance":
        return _seed_variance(started)
    event = has_event(claim.event, started)
    if claim.figure == "better":
        count_S = event.groupby(started[c.SEED]).sum()
        better = int((count_S > count_S.get(claim.seed, math.inf)).sum())
        return Estimate(better / len(count_S), *exact_interval(better, len(count_S), tail))
    by_seed = event.groupby(started[c.SEED]).agg(["sum", "size"])
    return Estimate(float(event.mean()), *clustered_interval(by_seed["sum"], by_seed["size"], tail))


def _time(figure: str, times: Times) -> Estimate:
    """Return iterations until a trial is solved; infinite where it never was."""
    if figure == "ert":
        return Estimate(*running_time(times))
    return Estimate(*(solved_mean(times) if figure == "mean" else median_time(times, times.tail)))


def _growth(planned: PlannedClaim, started: pd.DataFrame, tail: float) -> Estimate:
    """Return the factor by which times grow for each 1 more of a parameter: least squares of their logarithms.

    The slope is a sum of the logarithms with weights, whose intervals MOVER combines; Student's interval of how far
    they lie off the line is added to that, in squares, since no growth is exact.
    """
    assert isinstance(planned.claim, FigureClaim)
    figure, values = planned.claim.figure, dict(zip(planned.trials, planned.along, strict=True))
    found = [(values[one.trial_id], _time(figure, replace(one, tail=tail))) for one in times_by_trial(started)]
    at_K = np.array([at for at, _ in found])
    log_K3 = np.log([(one.value, one.low, one.high) for _, one in found])
    squares = float(((at_K - at_K.mean()) ** 2).sum())
    weight_K = (at_K - at_K.mean()) / squares
    slope = float(weight_K @ log_K3[:, 0])
    low_K = weight_K * (log_K3[:, 0] - np.where(weight_K > 0, log_K3[:, 1], log_K3[:, 2]))
    high_K = weight_K * (np.where(weight_K > 0, log_K3[:, 2], log_K3[:, 1]) - log_K3[:, 0])
    free, rest_K = len(found) - 2, log_K3[:, 0] - log_K3[:, 0].mean() - slope * (at_K - at_K.mean())
    off = float(stdtrit(free, tail) * np.sqrt(rest_K @ rest_K / free / squares)) if free else 0.0
    below, above = (math.hypot(off, math.sqrt(float(end_K @ end_K))) for end_K in (low_K, high_K))
    return Estimate(slope, slope - below, slope + above).apply(math.exp)


def _seed_variance(started: pd.DataFrame) -> Estimate:
    """Return the share of the variance of the time to solution in which the seed has any part, of a full grid."""
    names = [name for name in PARAMETERS if name in started and len(started[name].unique()) > 1]
    rows = variance_shares(started, names, SOLVED_SHARE).to_dict("records")
    row = next((one for one in rows if one[TERM] == SEED_ALONE), None)
    if row is None:  # there is no variance
        return Estimate(0.0, 0.0, 1.0)
    return Estimate(*(float(row[name]) for name in (TOTAL, TOTAL_LOW, TOTAL_HIGH)))


# ------------------------------------------------------------------ shapes


def _shape(planned: PlannedClaim, expected: str, started: pd.DataFrame, tail: float) -> Comparison:
    """Judge the shape of a share along a parameter, by the differences of all pairs of its values, seed by seed.

    All of them hold at once (Bonferroni). A share rises where the last is surely above the first and none surely below
    one before; it has a minimum inside where some share between is surely below both ends, and has none where one of
    the ends is surely below all between.
    """
    claim = planned.claim
    assert isinstance(claim, FigureClaim)
    values = dict(zip(planned.trials, planned.along, strict=True))
    at = started[c.TRIAL_ID].astype(str).map(values)
    event = pd.DataFrame({"at": at, c.SEED: started[c.SEED], "event": has_event(claim.event, started).astype(float)})
    table = event.pivot_table("event", c.SEED, "at")
    places = range(len(table.columns))
    pairs = list(combinations(places, 2))
    at_once = 1 - (1 - tail) / max(len(pairs), 1)
    shares_VS = table.to_numpy(dtype=np.float64).T
    steps = {(i, j): shares_VS[j] - shares_VS[i] for i, j in pairs}
    rise = {pair: mean_difference(step_S[np.isfinite(step_S)], at_once) for pair, step_S in steps.items()}
    up = {pair for pair, (_, low, _) in rise.items() if low > 0}
    down = {pair for pair, (_, _, high) in rise.items() if high < 0}
    listed = ", ".join(f"{value:g}: {bare_percent(share)}" for value, share in table.mean().items())
    seeds = f"; {len(table):,} seeds each"
    return Comparison(
        expected, f"{claim.along} {listed}{seeds}", _shape_verdict(str(claim.published.shape), places, up, down)
    )


def _shape_verdict(shape: str, places: range, up: set[tuple[int, int]], down: set[tuple[int, int]]) -> str:
    ends = (places[0], places[-1])
    inside = places[1:-1]
    if shape == "minimum inside":
        if any((ends[0], i) in down and (i, ends[1]) in up for i in inside):
            return AGREES
        is_end = all((ends[0], i) in up for i in inside) or all((i, ends[1]) in down for i in inside)
        return DIFFERS if is_end else OPEN
    support, against = (up, down) if shape == "rises" else (down, up)
    return DIFFERS if against else AGREES if ends in support else OPEN


def _beyond_chance(claim: FigureClaim, expected: str, started: pd.DataFrame, tail: float) -> Comparison:
    """Compare the share of seeds that have an event in all trials with that of independent trials, their product."""
    event = has_event(claim.event, started)
    every_S = event.groupby(started[c.SEED]).min()
    chance = float(np.prod(event.groupby(started[c.TRIAL_ID], observed=True).mean()))
    count, size = int(every_S.sum()), len(every_S)
    low, high = exact_interval(count, size, tail)
    verdict = AGREES if low > chance else DIFFERS if high < chance else OPEN
    words = f"{percent(count / size, *exact_interval(count, size))}, {count:,} of {size:,}"
    return Comparison(expected, f"{words}; by chance {chance * size:,.0f}", verdict)


# ------------------------------------------------------------------ verdicts


def _judged(claim: FigureClaim, expected: str, observed: str, figure: Estimate, tail: float) -> Comparison:
    """Judge a figure by its interval at that tail, which is of all published figures of a sweep at once."""
    said = claim.published
    bound = said.bound
    if bound is not None:
        side = 1 if said.above is not None else -1
        ends = sorted((side * (figure.low - bound), side * (figure.high - bound)))
        return Comparison(expected, observed, AGREES if ends[0] > 0 else DIFFERS if ends[1] < 0 else OPEN)
    if said.estimate is None and said.k is None:
        assert said.low is not None
        assert said.high is not None
        outside = figure.high < said.low or figure.low > said.high
        within = said.low <= figure.low and figure.high <= said.high
        return Comparison(expected, observed, DIFFERS if outside else AGREES if within else OPEN)
    other = published_estimate(said, tail, is_share=_is_share(claim))
    difference = figure.less(other)
    if not math.isfinite(figure.value):
        return Comparison(expected, observed, OPEN)
    wide = WIDE_SHARE if _is_share(claim) else WIDE * abs(other.value)
    is_apart = difference.low > 0 or difference.high < 0
    is_wide = difference.high - difference.low > 2 * wide
    differs = OPEN if other.low == other.high else DIFFERS  # nobody knows how uncertain it is
    verdict = differs if is_apart else OPEN if is_wide else AGREES
    return Comparison(expected, observed, verdict, _difference(claim, difference))


def _border(claim: FigureClaim, expected: str, tail: float, maps: Sequence[MapAnalysis]) -> Comparison:
    """Judge the dimension of the border of a map, by its pairs or else its pixels; box counting is told beside it."""
    assert claim.map is not None
    if claim.map > len(maps) or not maps[claim.map - 1].has_border:
        return Comparison(expected, NO_DATA, OPEN)
    figures = maps[claim.map - 1].border_figures
    boxes = figures.boxes.dimension
    counted = "" if boxes is None else f"; {boxes:.2f} by box counting, an estimate"
    found = figures.pairs.whole or figures.pixels
    if found is None:
        return Comparison(expected, f"too little of a border to tell{counted}", OPEN)
    words = f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]{counted}"
    shown = Estimate(found.value, found.low, found.high)
    return replace(_judged(claim, expected, words, shown, tail), numbers=_numbers(claim, shown))


def published_estimate(said: Published, tail: float = TAIL, *, is_share: bool = False) -> Estimate:
    """Return a published figure with its interval at a tail; one without any has no width.

    An interval of 95 % that was published is widened as a normal deviate's is.
    """
    if said.k is not None and said.of is not None:
        return Estimate(said.k / said.of, *exact_interval(said.k, said.of, tail))
    assert said.estimate is not None
    value = said.estimate
    if said.sd is not None and said.n is not None:
        margin = float(stdtrit(said.n - 1, tail)) * said.sd / math.sqrt(said.n)
        return Estimate(value, value - margin, value + margin)
    if said.n is not None and is_share:
        return Estimate(value, *exact_interval(value * said.n, said.n, tail))
    if said.low is None or said.high is None:
        return Estimate(value, value, value)
    scale = float(ndtri(tail)) / Z
    return Estimate(value, value - scale * (value - said.low), value + scale * (said.high - value))


def _numbers(claim: FigureClaim, figure: Estimate) -> dict[str, list[float]]:
    said = claim.published
    if said.bound is not None:
        theirs = Estimate(said.bound, said.bound, said.bound)
    elif said.estimate is None and said.low is not None and said.high is not None:
        theirs = Estimate((said.low + said.high) / 2, said.low, said.high)
    else:
        theirs = published_estimate(said, is_share=_is_share(claim))
    both = {"published": theirs, "observed": figure}
    return {name: [one.value, one.low, one.high] for name, one in both.items()}


# ------------------------------------------------------------------ words


def read_as(claim: Claim, words: str, reading: str) -> str:
    """Return a paper's words and how they are read here; in quotation marks, unless they are recalled."""
    return f"{words if claim.recalled else f'“{words}”'}; read here as: {reading}"


def published_words(claim: FigureClaim) -> str:
    """Return a published figure in words, with its 95 % interval where it has one."""
    said, is_share = claim.published, _is_share(claim)
    if said.words is not None:
        bound = said.bound
        number = "" if bound is None else f"{100 * bound:g}%" if is_share else f"{bound:g}"
        return read_as(claim, said.words, said.shape or f"{'<' if said.above is None else '>'} {number}")
    if said.estimate is None and said.k is None:
        return f"{said.low:g} to {said.high:g}"
    figure = published_estimate(said, is_share=is_share)
    has_width = figure.low < figure.high
    of = f", {said.k:,} of {said.of:,}" if said.k is not None else f", n = {said.n:,}" if said.n is not None else ""
    if is_share:
        return (percent(figure.value, figure.low, figure.high) if has_width else bare_percent(figure.value)) + of
    return _interval(figure) + of if has_width else f"{_short(figure.value)}, without its uncertainty"


def _words(claim: FigureClaim, figure: Estimate, counted: str) -> str:
    if _is_share(claim):
        return f"{percent(figure.value, figure.low, figure.high)}{counted}"
    return f"{_interval(figure)}{counted}"


def _counted(claim: FigureClaim, started: pd.DataFrame) -> str:
    size = len(started)
    if claim.figure == "share" and claim.than is None:
        return f", {int(has_event(claim.event, started).sum()):,} of {size:,}"
    return f", n = {started[c.SEED].nunique() if claim.figure in ('better', 'seed variance') else size:,}"


def _difference(claim: FigureClaim, difference: Estimate) -> str:
    if _is_share(claim):
        low, high = 100 * difference.low, 100 * difference.high
        return f"{100 * difference.value:+.1f} points [{low:+.1f}, {high:+.1f}]"
    return f"{_signed(difference.value)} [{_signed(difference.low)}, {_signed(difference.high)}]"


def _is_share(claim: FigureClaim) -> bool:
    return claim.figure not in (*TIMES, "dimension") and claim.than is None


def _interval(figure: Estimate) -> str:
    return f"{_short(figure.value)} [{_short(figure.low)}, {_short(figure.high)}]"


def _short(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{_short(value)}"


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf

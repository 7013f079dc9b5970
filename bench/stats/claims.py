"""Claims checked against trainings: each with what was expected, what was observed, and whether it holds."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from bench.config.claims import DECIMAL, Bound, Claim, Comparison, Printed, Rate, Variety
from bench.config.plan import PlannedClaim
from bench.metrics import columns as c
from bench.metrics.measures import begun, lost, measured, never_trained
from bench.stats.curves import halfway_iterations, recorded
from bench.stats.final_patterns import WRONG, WRONG_OBSERVATION, where_they_end
from bench.stats.paired_tests import probability_of_improvement
from bench.stats.proportions import wilson_interval

HALFWAY_AT = "halfway_at"
CARRIED = 1e-5  # of a number: what float32, with 1e-7 an iteration, carries through some ten thousand of them
NO_DATA = "no such training was finished"


@dataclass(frozen=True)
class Verdict:
    """One row of the table of claims."""

    id: str
    source: str
    what: str
    expected: str
    observed: str
    holds: bool


def check_claims(claims: Sequence[PlannedClaim], trainings: pd.DataFrame) -> list[Verdict]:
    """Check every claim; a printed list gives a verdict for each of its numbers."""
    return [verdict for planned in claims for verdict in _check(planned, trainings)]


def verdict_rows(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Return verdicts as plain rows."""
    return [asdict(verdict) for verdict in verdicts]


def _check(planned: PlannedClaim, trainings: pd.DataFrame) -> Iterator[Verdict]:
    selected = trainings[trainings[c.TRIAL_ID].isin(planned.trials)]
    match planned.claim:
        case Printed() as claim:
            yield from _printed(claim, selected)
        case Bound() as claim:
            yield _bound(claim, selected)
        case Rate() as claim:
            yield _rate(claim, selected)
        case Comparison() as claim:
            yield _comparison(claim, selected, trainings[trainings[c.TRIAL_ID].isin(planned.than)])
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
            holds=observed == text or (single and _carries(value, text)),
        )


def _number(training: pd.Series, of: str, place: int) -> float:
    """Return one number of a training: of its curve at an iteration, of a list at a place, or a scalar."""
    if of == c.LOSS:
        at = np.flatnonzero(recorded(training.to_frame().T) == place)
        return float(training[c.CURVE][at[0]]) if at.size and training[c.CURVE] is not None else math.nan
    if of == "errors":
        return _number(training, c.TARGETS, place) - _number(training, c.PREDICTIONS, place)
    value = training[of]
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
    return _verdict(claim, f"{'<' if is_below else '>'} {bound:g}", observed, holds=holds)


def measure(trainings: pd.DataFrame, name: str) -> pd.Series:
    """Return one number per training, as `measured` has it; or ``wrong``, or ``halfway_at``.

    These are infinite where it diverged or failed, too; ``halfway_at`` is missing where the curve was not kept.
    """
    if name not in (HALFWAY_AT, WRONG):
        return pd.Series(measured(trainings, name), index=trainings.index)
    values = _halfway(trainings) if name == HALFWAY_AT else where_they_end(trainings)[WRONG].astype(float)
    return values.where(~lost(trainings), math.inf)


def _halfway(trainings: pd.DataFrame) -> pd.Series:
    """Return when each loss had done half of its fall; NaN where the curve was not kept, which says nothing."""
    values = pd.Series(math.nan, index=trainings.index)
    for _, rows in trainings[trainings[c.CURVE].notna()].groupby(c.TRIAL_ID, observed=True):
        final, done = (rows[name].to_numpy(dtype=np.float64) for name in (c.FINAL_LOSS, c.ITERATIONS_DONE))
        values[rows.index] = halfway_iterations(np.stack(rows[c.CURVE].to_list()), recorded(rows), final, done)
    return values


# ------------------------------------------------------------------ shares of trainings


def _rate(claim: Rate, trainings: pd.DataFrame) -> Verdict:
    started = begun(trainings)
    size = len(started)
    count = int(_has_event(claim, started).sum()) if size else 0
    low, high = wilson_interval(count, size)
    expected, holds = _rate_bound(claim, count, size, float(low), float(high))
    return _verdict(claim, expected, share(count, size) if size else NO_DATA, holds=bool(size) and holds)


def _rate_bound(claim: Rate, count: int, size: int, low: float, high: float) -> tuple[str, bool]:
    if claim.never:
        return "never", count == 0
    if claim.always:
        return "always", count == size
    if claim.above is not None:
        return f"> {100 * claim.above:g}%", low > claim.above
    if claim.between is not None:
        least, most = claim.between
        return f"{100 * least:g}% to {100 * most:g}%", least <= low and high <= most
    assert claim.below is not None
    return f"< {100 * claim.below:g}%", high < claim.below


def _has_event(claim: Rate, trainings: pd.DataFrame) -> pd.Series:
    """Return which trainings have every property that the event names."""
    known = pd.concat([trainings, where_they_end(trainings)], axis=1)
    happened = pd.Series(True, index=trainings.index)
    for name, value in claim.event.items():
        if isinstance(value, dict):
            ((side, bound),) = value.items()
            values = measure(trainings, name)
            happened &= values > bound if side == "above" else values < bound
        else:
            happened &= known[name].isin(value if isinstance(value, list) else [value])
    return happened


def share(count: float, size: int) -> str:
    """Return a share in words, with its Wilson interval and its counts."""
    low, high = wilson_interval(count, size)
    return f"{count / size:.1%} [{low:.1%}, {high:.1%}], {count:g} of {size}"


def _variety(claim: Variety, trainings: pd.DataFrame) -> Verdict:
    started = begun(trainings)
    known = where_they_end(started)
    values = (known[claim.varies] if claim.varies in known else started[claim.varies]).dropna()
    counts = values.astype(object).value_counts()  # of a category that never came there is nothing to count
    _, high = wilson_interval(int(counts.iloc[0]), len(values)) if len(counts) else (0.0, 1.0)
    word = "observation " if claim.varies == WRONG_OBSERVATION else ""
    listed = "; ".join(f"{word}{value}: {share(int(count), len(values))}" for value, count in counts.items())
    return _verdict(claim, "no value for all seeds", listed or NO_DATA, holds=float(high) < 1)


# ------------------------------------------------------------------ one selection against another


def _comparison(claim: Comparison, trainings: pd.DataFrame, than: pd.DataFrame) -> Verdict:
    """Compare by seed: the share of seeds where it is above or below, ties counted half, and both medians.

    The interval is that of the difference between wins and losses, in which ties make it narrower, not wider.
    """
    pairs = pd.DataFrame({"a": _by_seed(trainings, claim.measure), "b": _by_seed(than, claim.measure)}).dropna()
    if pairs.empty:
        return _verdict(claim, f"{claim.is_} for most seeds", NO_DATA, holds=False)
    more, less = int((pairs["a"] > pairs["b"]).sum()), int((pairs["a"] < pairs["b"]).sum())
    wins, losses = (more, less) if claim.is_ == "above" else (less, more)
    _, low, _ = probability_of_improvement(wins, losses, len(pairs))
    medians = f"medians {_short(pairs['a'].median())} and {_short(pairs['b'].median())}"
    return _verdict(
        claim,
        f"{claim.is_} for most seeds (> 50%)",
        f"{improvement(wins, losses, len(pairs))} seeds; {medians}",
        holds=low > 0.5,
    )


def improvement(wins: int, losses: int, seeds: int) -> str:
    """Return the probability of improvement (wins, and ties half) in words, with its interval and its counts."""
    figure, low, high = probability_of_improvement(wins, losses, seeds)
    ties = seeds - wins - losses
    return f"{figure:.1%} [{low:.1%}, {high:.1%}], {wins}{f' and {ties} tied' if ties else ''} of {seeds}"


def _by_seed(trainings: pd.DataFrame, name: str) -> pd.Series:
    started = begun(trainings)
    if name == c.ITERATION_US:
        started = started[started[c.ALONE]]  # timings taken beside other work are not compared
    return measure(started, name).groupby(started[c.SEED]).median()


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _verdict(claim: Claim, expected: str, observed: str, *, holds: bool) -> Verdict:
    return Verdict(claim.id, claim.source, claim.what, expected, observed, bool(holds))

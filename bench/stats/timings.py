"""Times per iteration: how long, how steady, how much faster than the numpy loop, and whether it may be compared."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.timing import WARM_UP
from bench.stats.agreement import AGREES, DIFFERENCE, REST, agreement_of, sides
from bench.stats.proportions import TAIL, median_place, tail_at_once

Floats = NDArray[np.float64]
STEADY = 0.10  # a spread over 10 % of the median is flagged, as pyperf does
MEDIAN, LOW, HIGH, SPREAD, NOISY, COUNT = "median_us", "q25_us", "q75_us", "spread", "noisy", "trainings"
P99, ROUNDS, SIDE = "p99_us", "rounds", "side"
PER_S, PER_S_LOW, PER_S_HIGH = "per_s", "per_s_q25", "per_s_q75"
VERDICT, SPEEDUP, SPEEDUP_LOW, SPEEDUP_HIGH = "verdict", "speedup", "speedup_low", "speedup_high"
SPEEDUP_LEAST, SPEEDUP_MOST = "speedup_low_at_once", "speedup_high_at_once"
REFERENCE, AGREED, DISAGREES, NOT_COMPARED, NO_REFERENCE, DISTURBED = (
    "reference", "agrees", "disagrees", "not compared", "no reference", "disturbed",
)  # fmt: skip
SHARED, PAIRED, RATIOS = "shared", "paired", "ratios"
OWN_CORE = 0.9  # of its wall time a process on a core of its own works at least so much
LOOP = "numpy"  # the side whose speed is the reference
BY = [c.TRIAL_ID, c.TOGETHER]


def iteration_times(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return the median time of an iteration with its quartiles by trial and way of running, in microseconds.

    ``spread`` is the interquartile range over the median. Timings with ``alone`` false were taken beside other
    work: they are kept, and not to be compared.
    """
    timed = trainings.dropna(subset=[c.ITERATION_US])
    groups = timed.groupby([c.TRIAL_ID, c.BACKEND, c.ALONE], sort=False, observed=True)[c.ITERATION_US]
    times = pd.DataFrame({LOW: groups.quantile(0.25), MEDIAN: groups.median(), HIGH: groups.quantile(0.75)})
    times[COUNT] = groups.size()
    times[SPREAD] = (times[HIGH] - times[LOW]) / times[MEDIAN]
    times[NOISY] = times[SPREAD] > STEADY
    return times.reset_index()


def timing_table(samples: pd.DataFrame, agreed: pd.DataFrame) -> pd.DataFrame:
    """Return a row per trial and number of trainings side by side, with its speed-up if its trainings agree.

    Latency is in microseconds for the whole batch to advance by one iteration: median, quartiles and 99th percentile
    over every recorded chunk of every round. ``per_s`` is the throughput: iterations of one training per second, the
    median over the rounds with its quartiles, from all that the caller waited for but compiling. ``spread`` is the
    interquartile range of the rounds' times per training over their median. ``speedup`` has its own interval, and one
    that holds for all at once, which needs more rounds. ``shared`` says that the core did
    something else meanwhile. The warm-up is in no figure.
    """
    rounds = samples[samples[c.ROUND] > WARM_UP].dropna(subset=[c.TRAINING_US])
    table = pd.DataFrame([_row(some) for _, some in rounds.groupby(BY, sort=False)])
    if table.empty:
        return table
    table[SIDE] = sides(table)
    gains = [_speedup(row, table, rounds, agreed) for row in table.to_dict("records")]
    tail = tail_at_once(sum(gain[VERDICT] == AGREED for gain in gains))
    for gain in gains:
        ratios = gain.pop(RATIOS)
        gain[PAIRED] = len(ratios)
        gain[SPEEDUP], gain[SPEEDUP_LOW], gain[SPEEDUP_HIGH] = median_interval(ratios)
        _, gain[SPEEDUP_LEAST], gain[SPEEDUP_MOST] = median_interval(ratios, tail)
    return pd.concat([table, pd.DataFrame(gains)], axis=1)


def _row(rounds: pd.DataFrame) -> dict[Any, Any]:
    """Return what one timing took over its rounds."""
    first = rounds.iloc[0]
    chunks = np.concatenate(rounds[c.CHUNK_US].to_list())
    latency = np.quantile(chunks[np.isfinite(chunks)], [0.25, 0.5, 0.75, 0.99])
    low, middle, high = np.quantile(rounds[c.TRAINING_US], [0.25, 0.5, 0.75])
    per_s = np.quantile(1e6 / rounds[c.TRAINING_US], [0.25, 0.5, 0.75])
    return {
        **first[[*BY, *(name for name in c.PARAMETERS if name in first), c.THREADS]],
        ROUNDS: len(rounds),
        **dict(zip((LOW, MEDIAN, HIGH, P99), latency, strict=True)),
        **dict(zip((PER_S_LOW, PER_S, PER_S_HIGH), per_s, strict=True)),
        SPREAD: (high - low) / middle,
        NOISY: (high - low) / middle > STEADY,
        SHARED: first[c.DEVICE] == "cpu" and bool((rounds[c.CPU_S] / rounds[c.WALL_S]).median() < OWN_CORE),
    }


def _speedup(row: dict[Any, Any], table: pd.DataFrame, rounds: pd.DataFrame, agreed: pd.DataFrame) -> Any:
    """Return whether a row may be compared with the numpy loop, and how much faster it is in each round if it may.

    The loop trains one network after the other, so that the nearest number of trainings will do.
    """
    rest = [name for name in REST if name in table]
    loops = table[(table[SIDE] == LOOP) & (table[rest] == [row[name] for name in rest]).all(axis=1)]
    nothing = {DIFFERENCE: np.nan, RATIOS: np.array([])}
    if row[SIDE] == LOOP or loops.empty:
        return {VERDICT: REFERENCE if row[SIDE] == LOOP else NO_REFERENCE, **nothing}
    near = loops.iloc[int(np.abs(np.log(loops[c.TOGETHER].astype(float) / row[c.TOGETHER])).argmin())]
    found = agreement_of(agreed, near[c.TRIAL_ID], row[c.TRIAL_ID])
    if found is None or not found[AGREES]:
        difference = np.nan if found is None else found[DIFFERENCE]
        return {VERDICT: NOT_COMPARED if found is None else DISAGREES, **nothing, DIFFERENCE: difference}
    if row[SHARED] or near[SHARED]:
        return {VERDICT: DISTURBED, **nothing, DIFFERENCE: found[DIFFERENCE]}
    ratios = (_by_round(rounds, near) / _by_round(rounds, row)).dropna().to_numpy()
    return {VERDICT: AGREED, DIFFERENCE: found[DIFFERENCE], RATIOS: ratios}


def _by_round(rounds: pd.DataFrame, row: Any) -> pd.Series:
    """Return microseconds per iteration of one training, by round."""
    own = rounds[(rounds[c.TRIAL_ID] == row[c.TRIAL_ID]) & (rounds[c.TOGETHER] == row[c.TOGETHER])]
    by_round: pd.Series = own.groupby(c.ROUND)[c.TRAINING_US].median()
    return by_round


def median_interval(values: Floats, tail: float = TAIL) -> tuple[float, float, float]:
    """Return the median and the exact ends of its 95 % interval, by `median_place`; missing below six values.

    ``tail`` is of other intervals, as there. The median is missing too where there is no value.
    """
    if not len(values):
        return np.nan, np.nan, np.nan
    ordered, place = np.sort(values), int(median_place(len(values), tail))
    low, high = (ordered[place], ordered[-1 - place]) if place >= 0 else (np.nan, np.nan)
    return float(np.median(values)), float(low), float(high)

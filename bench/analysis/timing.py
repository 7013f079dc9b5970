"""Time per iteration: how long, how steady, and whether it may be compared."""

import pandas as pd

from bench.tracking import columns as c

STEADY = 0.10  # a spread over 10 % of the median is flagged, as pyperf does
MEDIAN, LOW, HIGH, SPREAD, NOISY, COUNT = "median_us", "q25_us", "q75_us", "spread", "noisy", "trainings"


def iteration_times(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return median and quartiles of iteration_us per trial and way of running, in microseconds.

    ``spread`` is the interquartile range over the median. Timings with ``alone`` false were taken beside other
    work: they are kept, and not to be compared.
    """
    timed = trainings.dropna(subset=[c.ITERATION_US])
    groups = timed.groupby([c.TRIAL_ID, c.BACKEND, c.ALONE], sort=False)[c.ITERATION_US]
    times = pd.DataFrame({LOW: groups.quantile(0.25), MEDIAN: groups.median(), HIGH: groups.quantile(0.75)})
    times[COUNT] = groups.size()
    times[SPREAD] = (times[HIGH] - times[LOW]) / times[MEDIAN]
    times[NOISY] = times[SPREAD] > STEADY
    return times.reset_index()

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import quantile_test

from bench.metrics import columns as c
from bench.model.outcome import Record, Result
from bench.model.timing import WARM_UP, Sample, Timing
from bench.stats import timings
from bench.stats.agreement import DIFFERENCE, agreements
from bench.stats.timings import (
    COUNT,
    HIGH,
    LOW,
    MEDIAN,
    NOISY,
    P99,
    PER_S,
    SIDE,
    SPEEDUP,
    SPEEDUP_HIGH,
    SPEEDUP_LOW,
    SPREAD,
    VERDICT,
    iteration_times,
    median_interval,
    timing_table,
)
from bench.store.tables import timing_frame, timing_rows

STUCK = [0.5] * 4
TIMES = st.lists(st.floats(0.1, 1e6), min_size=1, max_size=20)


@given(TIMES)
def test_times_are_numpys_median_and_quartiles(trial, ended, table, times):
    """The median and both quartiles are those of NumPy, over the seeds of a trial."""
    (row,) = iteration_times(table(ended(trial(), [STUCK] * len(times), us=times))).to_dict("records")
    assert [row[LOW], row[MEDIAN], row[HIGH]] == pytest.approx(np.quantile(times, [0.25, 0.5, 0.75]), rel=1e-9)
    assert row[COUNT] == len(times)


@pytest.mark.parametrize(("times", "noisy"), [([95, 100, 104], False), ([80, 100, 120], True), ([100], False)])
def test_a_spread_over_a_tenth_of_the_median_is_flagged(trial, ended, table, times, noisy):
    """Times that vary are kept, and marked."""
    (row,) = iteration_times(table(ended(trial(), [STUCK] * len(times), us=times))).to_dict("records")
    assert bool(row[NOISY]) is noisy
    assert row[SPREAD] == pytest.approx(np.subtract(*np.quantile(times, [0.75, 0.25])) / np.median(times))


def test_times_taken_alone_stand_apart_from_those_taken_beside_others(trial, ended, table):
    """One trial has a row for each way in which it ran."""
    one = trial()
    times = iteration_times(
        table(
            ended(one, [STUCK] * 3, us=[9, 9, 9], seeds=[3, 4, 5]),
            ended(one, [STUCK] * 3, us=[1, 2, 3], alone=True),
        )
    )
    assert times[[c.ALONE, MEDIAN, COUNT]].to_numpy().tolist() == [
        [False, pytest.approx(9), 3],
        [True, pytest.approx(2), 3],
    ]


def test_every_trial_has_its_row_with_its_backend(trial, ended, table):
    """Trials are listed in the order in which they come."""
    trials = [trial(backend="torch", dtype="float64"), trial(backend="numpy")]
    times = iteration_times(table(*(ended(one, [STUCK]) for one in trials)))
    assert times[[c.TRIAL_ID, c.BACKEND]].to_numpy().tolist() == [[one.trial_id, one.backend] for one in trials]


@pytest.mark.parametrize("result", [Result.FAILED, Result.UNSUPPORTED])
def test_what_was_not_trained_took_no_time(trial, ended, table, result):
    """Trainings without a time are in no median and no count."""
    one = trial()
    data = table(ended(one, [STUCK], us=7), Record(one, (1,), result=result, reason="no"))
    assert iteration_times(data)[[MEDIAN, COUNT]].to_numpy().tolist() == [[pytest.approx(7), 1]]


def test_without_any_time_there_is_no_row(trial, table):
    """A sweep in which everything failed, or nothing was trained, has an empty table of times."""
    assert iteration_times(table()).empty
    assert iteration_times(table(Record(trial(), (0, 1), result=Result.FAILED, reason="no"))).empty


@given(TIMES, st.randoms())
def test_the_order_of_the_trainings_never_matters(trial, ended, table, times, random):
    """Trainings arrive in any order from their workers."""
    data = table(ended(trial(), [STUCK] * len(times), us=times))
    shuffled = data.iloc[random.sample(range(len(data)), len(data))]
    assert iteration_times(shuffled).equals(iteration_times(data))


# ------------------------------------------------------------------ timings taken alone


def sample(trial, number, training_us, *, size=1, chunks=None, cpu_s=0.1):
    us = training_us * size
    chunk_us = np.full(10, us) if chunks is None else np.asarray(chunks, float)
    return Sample(Timing(trial, range(size), 5), number, 0, 1, us, training_us, chunk_us, 0.0, 0.1, cpu_s)


def samples(trial, times, **more):
    """Make up the samples of a timing from its microseconds per training and iteration, a round each."""
    return [sample(trial, number, us, **more) for number, us in enumerate(times, 1)]


def tabled(agreed, *rounds):
    """Return the rows of the table of timings by side and number of trainings."""
    table = timing_table(timing_frame([timing_rows([one for some in rounds for one in some])]), agreed)
    return {(row[SIDE], row[c.TOGETHER]): row for row in table.to_dict("records")}


@pytest.fixture(scope="session")
def agreed(trial, ended, table):
    """Return the agreement of numpy and torch whose predictions differ by so much."""

    def found(difference=0.0):
        ends = (("numpy", STUCK), ("torch", [0.5, 0.5, 0.5, 0.5 + difference]))
        return agreements(table(*(ended(trial(backend=name), [end]) for name, end in ends)))

    return found


@pytest.fixture(scope="session")
def sides(trial):
    """The same trial with either backend."""
    return trial(backend="numpy"), trial(backend="torch")


def test_latency_is_of_the_whole_batch_and_throughput_of_its_trainings(agreed, sides):
    """Eight trainings that each take 2.5 µs of an iteration advance by one in 20 µs: 400,000 a second."""
    row = tabled(agreed(), samples(sides[0], [2.5] * 3, size=8))["numpy", 8]
    assert (row[MEDIAN], row[PER_S], row[timings.ROUNDS]) == (pytest.approx(20), pytest.approx(400_000), 3)


def test_quantiles_of_latency_are_over_the_chunks_of_all_rounds(agreed, sides):
    """NumPy's own, without the chunks that were never begun."""
    rng = np.random.default_rng(1)
    chunks = rng.uniform(1, 9, (5, 10))
    chunks[2, 8:] = np.nan
    rounds = [sample(sides[0], number, 5.0, chunks=some) for number, some in enumerate(chunks, 1)]
    row = tabled(agreed(), rounds)["numpy", 1]
    expected = np.nanquantile(chunks, [0.25, 0.5, 0.75, 0.99])
    assert [row[name] for name in (LOW, MEDIAN, HIGH, P99)] == pytest.approx(expected)


@pytest.mark.parametrize(("times", "noisy"), [([95, 100, 104], False), ([80, 100, 120], True), ([100], False)])
def test_rounds_that_vary_by_over_a_tenth_are_flagged(agreed, sides, times, noisy):
    """Their interquartile range is over 10 % of their median."""
    row = tabled(agreed(), samples(sides[0], times))["numpy", 1]
    assert row[SPREAD] == pytest.approx(np.subtract(*np.quantile(times, [0.75, 0.25])) / np.median(times))
    assert bool(row[NOISY]) is noisy


def test_the_warm_up_is_in_no_figure(agreed, sides):
    """Whatever it took."""
    rounds = [sample(sides[0], WARM_UP, 1e6), *samples(sides[0], [10.0] * 2)]
    row = tabled(agreed(), rounds)["numpy", 1]
    assert (row[MEDIAN], row[SPREAD], row[timings.ROUNDS]) == (10, 0, 2)
    assert tabled(agreed(), rounds[:1]) == {}


def test_a_speed_up_is_the_median_of_the_ratios_of_rounds(agreed, sides):
    """By hand: 40/10, 60/20 and 100/20 have the median 4, which is not the ratio of the medians, 3."""
    rows = tabled(agreed(), samples(sides[0], [40, 60, 100]), samples(sides[1], [10, 20, 20]))
    row = rows["torch", 1]
    assert (row[VERDICT], row[SPEEDUP]) == (timings.AGREED, 4)
    assert np.isnan([row[SPEEDUP_LOW], row[SPEEDUP_HIGH]]).all()
    assert rows["numpy", 1][VERDICT] == timings.REFERENCE
    assert np.isnan(rows["numpy", 1][SPEEDUP])


def test_the_interval_of_a_speed_up_is_of_the_ratios_of_rounds(agreed, sides):
    """Of nine, the second and the eighth, which hold the median in 1 - 2 10 / 2⁹ = 96.1 %."""
    ratios = [9, 2, 4, 3, 8, 6, 5, 1, 7]
    row = tabled(agreed(), samples(sides[0], [10 * one for one in ratios]), samples(sides[1], [10] * 9))["torch", 1]
    assert [row[name] for name in (SPEEDUP, SPEEDUP_LOW, SPEEDUP_HIGH)] == [5, 2, 8]
    assert row[timings.PAIRED] == 9


def test_of_two_speed_ups_each_has_an_interval_that_holds_with_the_others(agreed, sides):
    """Of nine rounds the first and the last, which hold both medians in 1 - 2 2 / 2⁹ = 99.2 %; of six none would."""
    for rounds, least, most in ((9, 1, 9), (6, np.nan, np.nan)):
        loop, *others = (samples(sides[0], [10 * (1 + place) for place in range(rounds)]),
                         *(samples(sides[1], [10] * rounds, size=size) for size in (1, 2)))  # fmt: skip
        rows = tabled(agreed(), loop, *others)
        for size in (1, 2):
            ends = [rows["torch", size][name] for name in (timings.SPEEDUP_LEAST, timings.SPEEDUP_MOST)]
            assert ends == pytest.approx([least, most], nan_ok=True)


def test_rounds_are_paired_so_that_what_slows_both_cancels(agreed, sides):
    """A machine that doubles its time in every other round leaves the ratio as it is."""
    drift = np.array([1, 2, 1, 2, 1, 2])
    row = tabled(agreed(), samples(sides[0], 30.0 * drift), samples(sides[1], 10.0 * drift))["torch", 1]
    assert [row[name] for name in (SPEEDUP, SPEEDUP_LOW, SPEEDUP_HIGH)] == pytest.approx([3, 3, 3])


def test_only_rounds_that_both_have_are_paired(agreed, sides):
    """The loop was timed in two rounds only."""
    row = tabled(agreed(), samples(sides[0], [40, 60]), samples(sides[1], [10, 20, 1, 1, 1]))["torch", 1]
    assert row[SPEEDUP] == 3.5


def test_the_loop_of_the_nearest_number_of_trainings_is_the_reference(agreed, sides):
    """It trains one network after the other: per training, any number is the same to it."""
    one, eight = samples(sides[0], [100] * 2), samples(sides[0], [80] * 2, size=8)
    rows = tabled(agreed(), one, eight, *(samples(sides[1], [10] * 2, size=size) for size in (1, 2, 16, 1024)))
    assert [rows["torch", size][SPEEDUP] for size in (1, 2, 16, 1024)] == [10, 10, 8, 8]


def test_a_side_that_disagrees_has_no_speed_up(agreed, sides):
    """It has its difference instead."""
    row = tabled(agreed(0.3), samples(sides[0], [40] * 3), samples(sides[1], [10] * 3))["torch", 1]
    assert (row[VERDICT], row[DIFFERENCE]) == (timings.DISAGREES, pytest.approx(0.3))
    assert np.isnan([row[name] for name in (SPEEDUP, SPEEDUP_LOW, SPEEDUP_HIGH)]).all()


def test_speeds_are_compared_by_the_agreement_of_their_own_trial(trial, ended, table):
    """One that disagrees spoils no other, and one without a common seed gets nothing from the others."""
    ends = {3: 0.0, 8: 0.3}
    data = table(
        *(ended(trial(backend="numpy", hidden=hidden), [STUCK]) for hidden in (3, 8, 16)),
        *(ended(trial(backend="torch", hidden=h), [[*STUCK[:3], 0.5 + off]]) for h, off in ends.items()),
        ended(trial(backend="torch", hidden=16), [STUCK], seeds=[5]),
    )
    for hidden, verdict in ((3, timings.AGREED), (8, timings.DISAGREES), (16, timings.NOT_COMPARED)):
        some = (samples(trial(backend=name, hidden=hidden), [10.0] * 3) for name in ("numpy", "torch"))
        assert tabled(agreements(data), *some)["torch", 1][VERDICT] == verdict


@pytest.mark.parametrize("which", [0, 1])
def test_a_core_that_was_shared_gives_no_speed_up(agreed, sides, which):
    """Neither to the side that shared it, nor to one that is compared with it; one bad round of three is none."""
    cpu_s = [0.1, 0.1]
    cpu_s[which] = 0.08
    rounds = [samples(side, [10.0] * 3, cpu_s=one) for side, one in zip(sides, cpu_s, strict=True)]
    rows = tabled(agreed(), *rounds)
    assert (rows["numpy", 1][timings.SHARED], rows["torch", 1][timings.SHARED]) == (which == 0, which == 1)
    assert rows["torch", 1][VERDICT] == timings.DISTURBED
    assert np.isnan(rows["torch", 1][SPEEDUP])
    rounds[which][1:] = samples(sides[which], [10.0] * 3)[1:]
    assert tabled(agreed(), *rounds)["torch", 1][VERDICT] == timings.AGREED


def test_a_gpu_may_work_while_the_process_waits(agreed, trial):
    """The processor's time says nothing of it."""
    assert not tabled(agreed(), samples(trial(backend="torch", device="cuda"), [1.0], cpu_s=0.0))["torch cuda", 1][
        "shared"
    ]


def test_a_side_whose_trainings_were_not_compared_has_no_speed_up(table, sides):
    """Nothing is known of whether it does the same."""
    rounds = samples(sides[0], [40] * 3), samples(sides[1], [10] * 3)
    row = tabled(agreements(table()), *rounds)["torch", 1]
    assert row[VERDICT] == timings.NOT_COMPARED
    assert np.isnan(row[SPEEDUP])


def test_a_trial_that_the_loop_was_not_timed_with_has_no_speed_up(agreed, trial, sides):
    """Another size of network is another trial."""
    row = tabled(agreed(), samples(trial(hidden=8), [40] * 3), samples(sides[1], [10] * 3))["torch", 1]
    assert row[VERDICT] == timings.NO_REFERENCE
    assert np.isnan(row[SPEEDUP])


@pytest.mark.parametrize("rounds", [1, 5])
def test_fewer_than_six_rounds_give_a_speed_up_without_an_interval(agreed, sides, rounds):
    """Not even their range would hold the median in 95 %: that of five does in 1 - 2 / 2⁵ = 93.75 %."""
    row = tabled(agreed(), samples(sides[0], [40] * rounds), samples(sides[1], [10] * rounds))["torch", 1]
    assert row[SPEEDUP] == 4
    assert np.isnan([row[SPEEDUP_LOW], row[SPEEDUP_HIGH]]).all()


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60))
def test_the_interval_of_a_median_is_scipys(values):
    """Two independent implementations of the order statistics' interval agree; below six values neither has one."""
    expected = quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    found = median_interval(np.array(values))
    assert found == pytest.approx((np.median(values), expected.low, expected.high), nan_ok=True)
    assert np.isnan(found[1]) == (len(values) < 6)


def test_the_interval_of_six_values_is_their_range():
    """It holds the median in 1 - 2 / 2⁶ = 96.9 %; that of ten begins and ends one further in, with 97.9 %."""
    assert median_interval(np.array([5.0, 1, 4, 2, 8, 3])) == (3.5, 1, 8)
    assert median_interval(np.arange(10.0)) == (4.5, 1, 8)


def test_of_no_values_there_is_no_median():
    """Nor an interval."""
    assert np.isnan(median_interval(np.array([]))).all()


def test_a_sweep_without_timings_has_an_empty_table(agreed):
    """Nothing ran alone."""
    assert timing_table(timing_frame([]), agreed()).empty

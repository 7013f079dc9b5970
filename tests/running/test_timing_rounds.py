"""Rounds of timings: whose turn it is, what it gives, and what an interruption leaves."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from threading import Event, Thread, Timer

import pandas as pd
import pytest
from filelock import FileLock, Timeout
from hypothesis import given
from hypothesis import strategies as st

from bench.backends import load
from bench.config.plan import Plan
from bench.metrics import columns as c
from bench.model.outcome import Batch, Result
from bench.model.timing import WARM_UP, Timing
from bench.model.trial import Trial
from bench.running import timing_rounds
from bench.running.cold_start import cold_starts, smallest
from bench.running.process_setup import pinned
from bench.running.progress import SweepProgress
from bench.running.timing_owner import Owner, named_owner, owner
from bench.running.timing_rounds import WARM_S, machine_lock, shuffled, take_turns, turns, warm_up
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI
from bench.store.reader import read_sweep
from bench.store.tables import frame, rows, timing_frame, timing_rows

SHORT = Trial(backend="numpy", iterations=20)
NOTHING = timing_frame([])
TIMINGS = st.lists(
    st.builds(
        lambda hidden, start, size, rounds: Timing(Trial(hidden=hidden), range(start, start + size), rounds),
        st.integers(1, 2),
        st.integers(0, 3),
        st.integers(1, 6),
        st.integers(1, 3),
    ),
    max_size=5,
    unique_by=lambda timing: (timing.trial.trial_id, timing.seeds),
)

pytestmark = pytest.mark.untraced


def plan_of(timings):
    return Plan((), 0, timings=tuple(timings))


def every_seed(plan):
    missing = {}
    for timing in plan.timings:
        missing.setdefault(timing.trial.trial_id, set()).update(timing.seeds)
    return missing


def taken(plan, missing=None):
    """Take all turns of a plan; return what they gave."""
    given = list(take_turns(turns(plan, NOTHING, every_seed(plan) if missing is None else missing), Event()))
    return [record for records, _ in given for record in records], [sample for _, some in given for sample in some]


# ------------------------------------------------------------------ whose turn it is


@given(TIMINGS)
def test_every_timing_has_a_turn_in_each_of_its_rounds(timings):
    """Round by round, and in none more often."""
    found = turns(plan_of(timings), NOTHING, {})
    expected = [(place, number) for place, timing in enumerate(timings) for number in range(1, timing.rounds + 1)]
    assert sorted((turn.place, turn.round) for turn in found) == expected
    assert [turn.round for turn in found] == sorted(turn.round for turn in found)


@given(TIMINGS)
def test_a_training_has_its_row_from_the_first_timing_that_names_it(timings):
    """In the first round, and from no other, wherever its turn comes."""
    plan = plan_of(timings)
    found = turns(plan, NOTHING, every_seed(plan))
    owners = [(turn.timing.trial.trial_id, seed, turn.place) for turn in found for seed in turn.owned]
    first = {}
    for place, timing in enumerate(timings):
        for seed in timing.seeds:
            first.setdefault((timing.trial.trial_id, seed), place)
    assert sorted(owners) == sorted((*name, place) for name, place in first.items())
    assert all(turn.round == 1 for turn in found if turn.owned)


def test_the_order_is_shuffled_anew_in_every_round_and_the_same_for_the_same_plan():
    """Whoever takes them again has the same order; no round has that of the last."""
    plan = plan_of([Timing(Trial(hidden=hidden), range(1), 5) for hidden in range(1, 9)])
    orders = [tuple(shuffled(plan, number)) for number in range(1, 6)]
    assert all(sorted(order) == list(range(8)) for order in orders)
    assert len(set(orders)) == 5
    assert [tuple(shuffled(plan, number)) for number in range(1, 6)] == orders
    assert [turn.place for turn in turns(plan, NOTHING, {})] == [place for order in orders for place in order]


def test_what_has_a_sample_has_no_turn_and_the_others_keep_their_order():
    """Half of the samples are there: the other half is missing, each with its place in its round."""
    plan = plan_of([Timing(Trial(hidden=hidden), range(2), 3) for hidden in (1, 2, 3)])
    every = turns(plan, NOTHING, {})
    done = pd.DataFrame(
        [(turn.timing.trial.trial_id, "0:2", turn.round) for turn in every[:4]], columns=[c.TRIAL_ID, c.SEEDS, c.ROUND]
    )
    assert turns(plan, done, {}) == every[4:]


def test_a_training_whose_row_was_lost_is_trained_again():
    """Though its sample is there."""
    plan = plan_of([Timing(SHORT, range(2), 2)])
    done = pd.DataFrame([(SHORT.trial_id, "0:2", number) for number in (1, 2)], columns=[c.TRIAL_ID, c.SEEDS, c.ROUND])
    (turn,) = turns(plan, done, {SHORT.trial_id: [1]})
    assert (turn.round, list(turn.owned)) == (1, [1])


def test_what_a_backend_refuses_has_no_turn():
    """Its rows say why."""
    assert turns(plan_of([Timing(Trial(summation="fma"), range(2), 3)]), NOTHING, {}) == []


# ------------------------------------------------------------------ what a turn gives


def test_every_round_gives_a_sample_and_only_the_first_gives_rows():
    """And the warm-up gives one that stands apart."""
    records, samples = taken(plan_of([Timing(SHORT, range(3), 4)]))
    assert [record.seeds for record in records] == [(0, 1, 2)]
    assert all(record.alone for record in records)
    assert [sample.round for sample in samples] == [WARM_UP, 1, 2, 3, 4]


def test_the_rows_of_a_training_are_those_that_it_has_by_itself():
    """Whichever batch its row comes from."""
    plan = plan_of([Timing(SHORT, range(2, 3), 1), Timing(SHORT, range(4), 1)])
    records, _ = taken(plan)
    data = pd.concat([frame(rows(record, 9)) for record in records]).sort_values(c.SEED)
    assert data[c.SEED].tolist() == [0, 1, 2, 3]
    alone, _ = taken(plan_of([Timing(SHORT, range(seed, seed + 1), 1) for seed in range(4)]))
    losses = {record.seeds: frame(rows(record, 9))[c.FINAL_LOSS].item() for record in alone}
    assert losses == {(seed,): found for seed, found in zip(data[c.SEED], data[c.FINAL_LOSS], strict=True)}


def test_a_sample_says_what_the_batch_took():
    """The chunks add up to the latency; throughput is from all that the caller waited for, which is more."""
    _, samples = taken(plan_of([Timing(Trial(iterations=400, curve_points=10), range(4), 1)]))
    sample = samples[-1]
    assert sample.training_us == pytest.approx((sample.wall_s - sample.compile_s) / 1600 * 1e6)
    assert sample.iteration_us < 4 * sample.training_us
    assert 0 < sample.cpu_s < 1.5 * sample.wall_s
    assert sample.chunk_us_K.mean() == pytest.approx(sample.iteration_us)
    assert sample.iteration_us * 400 / 1e6 <= sample.wall_s
    (row,) = timing_frame([timing_rows([sample])]).to_dict("records")
    assert (row[c.TOGETHER], row[c.SEEDS], row[c.THREADS], row[c.ITERATIONS]) == (4, "0:4", 1, 400)


def test_trainings_that_were_solved_at_the_start_took_no_time():
    """Nothing was begun: there is no time per iteration, rather than none."""
    easy = Trial(
        backend="numpy", iterations=20, stop="solved", tolerance=0.49999, init="uniform", init_high=1e-9, gate="or"
    )
    _, samples = taken(plan_of([Timing(easy, range(1), 1)]))
    assert pd.isna(samples[-1].training_us) or samples[-1].training_us > 0


def test_a_batch_that_raises_costs_the_training_at_fault_and_its_samples(crash):
    """The other trainings have their rows, the other timing has its samples."""
    crash(SHORT, 2, "no room for two")
    records, samples = taken(plan_of([Timing(SHORT, range(4), 2), Timing(SHORT, range(1), 2)]))
    became = {seed: record.result for record in records for seed in record.seeds}
    assert became == {0: None, 1: None, 2: Result.FAILED, 3: None}
    assert {len(sample.timing.seeds) for sample in samples} == {1}


def test_nothing_is_begun_once_it_is_to_stop():
    """Not even a warm-up."""
    stop = Event()
    stop.set()
    plan = plan_of([Timing(SHORT, range(2), 2)])
    assert list(take_turns(turns(plan, NOTHING, every_seed(plan)), stop)) == []


@pytest.mark.parametrize(("iterations", "size", "same"), [(20, 1, True), (10**8, 1, False), (1000, 10**6, False)])
def test_a_warm_up_is_the_training_itself_or_as_much_of_it_as_takes_half_a_second(iterations, size, same):
    """At least ten iterations, of the same batch."""
    timing = Timing(Trial(backend="numpy", iterations=iterations), range(size), 1)
    warm = warm_up(timing)
    assert (warm == timing.trial) is same
    assert warm.iterations >= 10
    assert WARM_S == 0.5


# ------------------------------------------------------------------ where it runs


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not say which cores a thread has")
def test_threads_are_kept_on_as_many_cores_as_are_said():
    """And have theirs back afterwards."""
    before = os.sched_getaffinity(0)
    with pinned(1):
        assert len(os.sched_getaffinity(0)) == 1
        child = subprocess.check_output([sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"])
        assert child.strip() == b"1"
    assert os.sched_getaffinity(0) == before


def test_a_cold_start_is_that_of_a_process_that_has_imported_nothing():
    """Importing takes time even for NumPy, which this process has long had; a backend that fails says why."""
    good, bad = cold_starts({"numpy": SHORT, "nothing": SHORT}, 1, Event())
    assert good.reason is None
    assert good.import_s > 0.01
    assert good.first_s > 0
    assert good.compile_s == 0
    assert bad.import_s is None
    assert "nothing" in bad.reason


@pytest.mark.parametrize("backend", ["jax", pytest.param("numba", marks=pytest.mark.slow)])
def test_a_cold_start_compiles_what_was_compiled_before(backend):
    """Code that earlier runs left on disk is not found.

    Slow is numba, which compiles for ten seconds: where it looks is said in the same way.
    """
    trial = Trial(backend=backend, iterations=10)
    load(backend).train(Batch.of(trial, [0]))  # leaves its code
    (start,) = cold_starts({backend: trial}, 1, Event())
    assert start.compile_s > 0.2


def test_no_cold_start_is_begun_once_it_is_to_stop():
    """One that is under way ends first."""
    stop = Event()
    stop.set()
    assert cold_starts({"numpy": SHORT}, 1, stop) == []


def test_cold_starts_are_of_each_backends_smallest_network():
    """The same network for all that have the same trials, whatever the order of their turns."""
    trials = [Trial(backend=name, hidden=hidden) for name in ("torch", "numpy") for hidden in (8, 3, 16)]
    for some in (trials, trials[::-1]):
        found = smallest(some)
        assert {name: one.hidden for name, one in found.items()} == {"numpy": (3,), "torch": (3,)}
    same = [Trial(backend="numpy", loss=loss) for loss in ("mse", "bce", "l1")]
    assert smallest(same)["numpy"].trial_id == min(one.trial_id for one in same)


# ------------------------------------------------------------------ one sweep at a time


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """A machine's lock of the test's own."""
    monkeypatch.setattr(timing_rounds, "lock_path", lambda: tmp_path / "lock")
    return FileLock(tmp_path / "lock", thread_local=False)


@pytest.fixture
def soon(monkeypatch):
    """What is waited for is told at once."""
    monkeypatch.setattr(timing_rounds, "SAID_AFTER_S", 0)


def test_only_one_sweep_measures_at_a_time(lock, soon):
    """The second says once what it waits for, and goes on when the first is done."""
    said = []

    def say(line):
        said.append(line)
        Timer(0.5, lock.release).start()

    with lock:
        started = time.perf_counter()
        with machine_lock(Event(), say) as free:
            assert free
            assert time.perf_counter() - started > 0.4
    assert said == ["waiting for another sweep that is timing on this machine"]


def test_what_is_waited_for_is_named_with_whose_it_is(lock, soon):
    """Its process, its user and its command, which are gone with it; shown at once, and told once."""
    shown, said = [], []

    def release():
        time.sleep(0.5)
        holder.close()

    holder = ExitStack()
    with lock, holder:
        holder.callback(lock.release)
        holder.enter_context(named_owner(timing_rounds.lock_path(), "python -m bench sweep speed\x1b[31m"))
        Thread(target=release).start()
        with machine_lock(Event(), said.append, shown.append) as free:
            assert free
    whose = rf"waiting for the sweep of process {os.getpid()} \(.+, python -m bench sweep speed\[31m\) that is timing "
    assert len(said) == 1
    assert re.match(whose, said[0])
    assert re.match(rf"waiting for process {os.getpid()} \(.+\)$", shown[0])
    assert owner(timing_rounds.lock_path()) is None


def test_what_a_killed_process_left_is_not_shown(tmp_path):
    """Nor what is taken for it: another process with its number, or a file that says nothing."""
    lock, own = tmp_path / "lock", os.getpid()
    with named_owner(lock, "a"):
        (path,) = tmp_path.glob("lock.*")
        told = json.loads(path.read_text())
        assert owner(lock) == Owner(**told)
        path.write_text(json.dumps(told | {"began": "1"}))
        assert owner(lock) is None
        path.write_text("[")
        assert owner(lock) is None
    gone = int(subprocess.check_output([sys.executable, "-c", "import os; print(os.getpid())"]))
    (tmp_path / f"lock.{gone}").write_text(json.dumps(told | {"process": gone, "began": ""}))
    (tmp_path / f"lock.{gone + 1}").write_text(json.dumps(told | {"process": own}))
    assert owner(lock) is None


def test_waiting_is_told_after_two_seconds(lock):
    """It is shown before that: a sweep that waits for less needs no line of its own."""
    stop, shown = Event(), []
    Timer(0.4, stop.set).start()
    with lock, machine_lock(stop, pytest.fail, shown.append) as free:
        assert not free
    assert shown == ["waiting for another sweep"]


def test_waiting_for_another_sweep_can_be_interrupted(lock, soon):
    """Nothing is measured then."""
    stop = Event()
    with lock, machine_lock(stop, lambda _: stop.set()) as free:
        assert not free


def test_whoever_comes_next_may_lock_the_machine_too(lock, tmp_path):
    """The file is everybody's, and free again afterwards."""
    with machine_lock(Event(), pytest.fail):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o666
        with pytest.raises(Timeout):
            lock.acquire(timeout=0)
    lock.acquire(timeout=0)
    lock.release()


def test_a_lock_that_may_not_be_opened_is_no_end_of_a_sweep(tmp_path, monkeypatch):
    """It is said, and the samples' own witness remains."""
    monkeypatch.setattr(timing_rounds, "lock_path", lambda: tmp_path)  # a folder
    said = []
    with machine_lock(Event(), said.append) as free:
        assert free
    assert len(said) == 1


def test_timings_of_a_sweep_wait_for_those_of_another(bench, folder, lock, soon, monkeypatch):
    """One line on stderr says so."""
    show = SweepProgress.print

    def said(self, line):
        show(self, line)
        lock.release()

    monkeypatch.setattr(SweepProgress, "print", said)
    with lock:
        ran = bench("sweep", "alone=true", "backend=numpy", "seeds=0:2", "rounds=1", "iterations=20", "--no-report")
    assert ran.status == 0
    assert ran.err.count("waiting for another sweep") == 1


# ------------------------------------------------------------------ through the whole program

REQUEST = ("backend=numpy", "alone=true", "hidden=2,3", "seeds=0:4", "rounds=3", "iterations=1000")


def test_a_sweep_keeps_its_rows_once_and_its_samples_all(bench, folder):
    """Two trials, four trainings each, three rounds and a warm-up."""
    ran = bench("sweep", *REQUEST[:-1], "iterations=50", "--no-report", "--json")
    assert ran.status == 0, ran.err
    read = read_sweep(Store(DEFAULT_URI), ran.json["sweep"])
    assert len(read.trainings) == ran.json["trainings"] == 8
    assert read.trainings[c.ALONE].all()
    assert sorted(read.timings[c.ROUND]) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert sorted(read.timings[read.timings[c.ROUND] == 2][c.ORDER]) == [0, 1]
    assert [start["backend"] for start in read.cold_starts] == ["numpy"]
    assert [timing.rounds for timing in read.plan.timings] == [3, 3]


def test_a_sweep_without_anything_alone_has_no_timings(bench, folder):
    """And measures no cold start."""
    ran = bench("sweep", "iterations=50", "seeds=0:2", "--no-report", "--json")
    read = read_sweep(Store(DEFAULT_URI), ran.json["sweep"])
    assert read.timings.empty
    assert read.cold_starts == []


@pytest.mark.slow
def test_a_killed_sweep_takes_no_timing_again_that_was_written(bench, folder, start):
    """After SIGKILL, --resume takes the missing ones; what was there stays as it was."""
    process = start(folder, "sweep", *REQUEST, "--no-report")
    while process.poll() is None and not list((folder / "mlruns").rglob("timings/*.parquet")):
        time.sleep(0.02)
    process.kill()
    process.communicate()
    store = Store(DEFAULT_URI)
    sweep = bench("list", "--json").json["sweeps"][0]["sweep"]
    before = read_sweep(store, sweep)
    ran = bench("sweep", *REQUEST, "--no-report", "--resume", "--json")
    assert (ran.status, ran.json["sweep"]) == (0, sweep), ran.err
    after = read_sweep(store, sweep)
    key = [c.TRIAL_ID, c.ROUND]
    assert len(after.timings[after.timings[c.ROUND] > WARM_UP]) == 6 > len(before.timings)
    kept = before.timings.merge(after.timings, on=key, suffixes=("", "_after"))
    assert len(kept) == len(before.timings) > 0
    assert (kept[c.ITERATION_US] == kept[f"{c.ITERATION_US}_after"]).all()
    assert after.cold_starts == before.cold_starts
    assert len(after.trainings) == 8

"""What every executor must do: the same rows, whoever trains them and whatever dies meanwhile."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from bench.model.outcome import Result
from bench.model.trial import Trial
from bench.running import executors
from bench.running.chunks import Chunk, Job, Pace, cut, train_chunk
from bench.running.dask_executor import DaskExecutor
from bench.running.process_setup import WorkerProcess

TRIAL = Trial(iterations=50)
JOBS = [Job(TRIAL, range(6)), Job(Trial(iterations=50, hidden=2), range(4))]


@pytest.fixture(scope="module")
def dask():
    """A Dask scheduler with a worker of its own on this machine."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", host="127.0.0.1", protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


@pytest.fixture(params=["serial", "threads", "processes", "dask"])
def make(request):
    """Every executor that ``--executor`` knows."""
    if request.param != "dask":
        yield executors.executor_maker(request.param, 2)
        return
    executor = DaskExecutor(request.getfixturevalue("dask"), 2)
    yield lambda: executor
    executor.close()


def predictions(records):
    """Return each training's predictions by trial and seed."""
    return {
        (record.trial.trial_id, seed): tuple(record.outcome.predictions_TN[place])
        for record in records
        for place, seed in enumerate(record.seeds)
        if record.outcome is not None
    }


def collect(make, chunks, window=3):
    return [
        record
        for records in executors.train_chunks(make, chunks, lambda: window, threading.Event())
        for record in records
    ]


def test_every_training_comes_back_the_same_from_every_executor(make):
    """Rows do not depend on who computed them."""
    chunks = [Chunk((Job(job.trial, (seed,)),)) for job in JOBS for seed in job.seeds]
    expected = predictions([record for chunk in cut(JOBS, Pace()) for record in train_chunk(chunk)])
    assert predictions(collect(make, chunks)) == expected


class Mortal(Executor):
    """Trains here, but dies as a process pool does on any chunk that holds a deadly seed."""

    def __init__(self, deadly):
        self.deadly = deadly
        self.dead = False

    def submit(self, fn, /, chunk):
        if self.dead:
            raise BrokenProcessPool("dead")
        future: Future = Future()
        if self.deadly(chunk):
            self.dead = True
            future.set_exception(BrokenProcessPool("a child process terminated abruptly"))
        else:
            future.set_result(fn(chunk))
        return future


def test_a_training_that_kills_its_worker_is_found_and_recorded():
    """It is halved down to one failed training with its reason; all others are trained."""
    chunks = [Chunk((Job(TRIAL, range(start, start + 8)),)) for start in (0, 8, 16)]
    records = collect(lambda: Mortal(lambda chunk: any(13 in job.seeds for job in chunk.jobs)), chunks)
    failed = [record for record in records if record.result == Result.FAILED]
    assert [record.seeds for record in failed] == [(13,)]
    assert "worker process died" in failed[0].reason
    assert {seed for _, seed in predictions(records)} == set(range(24)) - {13}


def test_a_worker_lost_once_costs_nothing():
    """Chunks in flight when a worker died are trained again."""
    deaths = []

    def dies_once(chunk):
        deaths.append(chunk)
        return len(deaths) == 2

    records = collect(lambda: Mortal(dies_once), [Chunk((job,)) for job in JOBS])
    assert len(predictions(records)) == 10
    assert not [record for record in records if record.result == Result.FAILED]


@pytest.mark.slow
@pytest.mark.untraced
def test_a_killed_process_is_replaced():
    """Killing a real worker process loses no training."""
    chunks = [Chunk((Job(Trial(iterations=4000), (seed,)),)) for seed in range(20)]
    found, killed = [], False
    pools = []

    def make():
        pools.append(executors.executor_maker("processes", 2)())
        return pools[-1]

    for records in executors.train_chunks(make, chunks, lambda: 4, threading.Event()):
        found += records
        if not killed:
            os.kill(next(iter(pools[0]._processes)), signal.SIGKILL)
            killed = True
    assert {seed for _, seed in predictions(found)} == set(range(20))
    assert len(pools) > 1


class Unreachable(Executor):
    """An executor whose results never make it back."""

    def submit(self, fn, /, chunk):
        future: Future = Future()
        future.set_exception(TypeError("cannot pickle this"))
        return future


def test_a_result_that_cannot_come_back_is_a_failed_training_with_its_reason():
    """Whatever breaks on the way is told in the row."""
    records = collect(Unreachable, [Chunk((Job(TRIAL, range(3)),))])
    assert sorted(seed for record in records for seed in record.seeds) == [0, 1, 2]
    assert {record.reason for record in records} == {"TypeError: cannot pickle this"}


def test_no_more_chunks_than_the_window_are_in_flight():
    """The driver's memory does not grow with the sweep."""
    flying, most = set(), []

    class Watching(ThreadPoolExecutor):
        def submit(self, fn, /, chunk):
            def watched(chunk):
                time.sleep(0.01)
                return fn(chunk)

            future = super().submit(watched, chunk)
            flying.add(future)
            most.append(sum(not f.done() for f in flying))
            return future

    collect(lambda: Watching(2), [Chunk((Job(TRIAL, (seed,)),)) for seed in range(12)], window=3)
    assert max(most) <= 3


def test_nothing_new_is_begun_after_a_stop():
    """On an interrupt, what is being trained comes back and the rest is left."""
    stop = threading.Event()
    found = []
    for records in executors.train_chunks(
        executors.executor_maker("serial", 1), [Chunk((job,)) for job in JOBS * 5], lambda: 1, stop
    ):
        found += records
        stop.set()
    assert len(found) == 1


@pytest.mark.parametrize("name", ["serial", "threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_what_is_being_trained_is_left_after_a_stop(name):
    """However long it would take; what the same chunk has finished by then comes back."""
    stop, endless = threading.Event(), Job(Trial(iterations=10**9, curve_points=1), range(2))
    collect(executors.executor_maker("serial", 1), [Chunk(tuple(JOBS))])  # what is compiled now takes no time then
    threading.Timer(10.0 if name == "processes" else 1.0, stop.set).start()
    chunks = [Chunk((*JOBS, endless)), Chunk((endless,))]
    began = time.monotonic()
    came = list(executors.train_chunks(executors.executor_maker(name, 2), chunks, lambda: 4, stop))
    found = [one for some in came for one in some]
    assert time.monotonic() - began < 30
    assert [record.trial for record in found] == [job.trial for job in JOBS]


@pytest.mark.slow
def test_worker_processes_end_with_whoever_is_ended_at_once():
    """A second Ctrl-C leaves none behind, whatever they do."""

    class Insisting(threading.Event):
        def is_set(self):
            if multiprocessing.active_children():
                raise KeyboardInterrupt
            return False

    endless = Chunk((Job(Trial(iterations=10**9, curve_points=1), range(2)),))
    with pytest.raises(KeyboardInterrupt):
        list(executors.train_chunks(executors.executor_maker("processes", 2), [endless], lambda: 4, Insisting()))
    assert not [child for child in multiprocessing.active_children() if isinstance(child, WorkerProcess)]


def test_auto_starts_processes_only_for_work_that_pays_for_them():
    """Little work stays here; loops that hold the GIL get processes, others threads."""
    assert executors.choose_executor("auto", 2, 1.0, holds_gil=True) == "serial"
    assert executors.choose_executor("auto", 2, 100.0, holds_gil=True) == "processes"
    assert executors.choose_executor("auto", 2, 100.0, holds_gil=False) == "threads"
    assert executors.choose_executor("auto", 1, 100.0, holds_gil=True) == "serial"
    assert executors.choose_executor("threads", 1, 0.1, holds_gil=True) == "threads"


def test_auto_gives_each_backend_the_executor_that_suits_it():
    """Threads for those that release the GIL, processes for long loops; an executor that is asked for does all."""
    loop, lanes = (Job(Trial(backend=name, iterations=10**7), range(4)) for name in ("numpy", "numba"))
    assert executors.WorkerPool("auto", 2).divide([loop, lanes]) == {"threads": [lanes], "processes": [loop]}
    assert executors.WorkerPool("auto", 1).divide([loop, lanes]) == {"serial": [lanes, loop]}
    assert executors.WorkerPool("serial", 2).divide([loop, lanes]) == {"serial": [lanes, loop]}
    assert executors.WorkerPool("auto", 2).divide([]) == {}


def test_dask_that_is_not_installed_says_how_to_install_it(monkeypatch):
    """The message names the extra."""
    import sys

    from bench.errors import RequestError

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RequestError, match=r"pip install 'bench\[cluster\]'"):
        executors.WorkerPool("dask://127.0.0.1:1", 1)


def test_a_batch_of_one_is_bit_identical_to_a_batch_of_many():
    """A training's row does not depend on its neighbours."""
    together = predictions(train_chunk(Chunk((Job(TRIAL, range(5)),))))
    singly = predictions([r for seed in range(5) for r in train_chunk(Chunk((Job(TRIAL, (seed,)),)))])
    assert together == singly
    assert np.isfinite(list(together.values())).all()

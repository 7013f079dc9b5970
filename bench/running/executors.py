"""Executors: anything that is a concurrent.futures.Executor can train, here or elsewhere."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from functools import partial
from itertools import islice
from threading import Event
from typing import Any, Self, TypeVar

from bench.backends import load
from bench.errors import RequestError, unknown
from bench.model.outcome import Record
from bench.running.chunks import Chunk, Job, Pace, cut, failed_record, train_chunk
from bench.running.dask_executor import LOCAL, DaskExecutor, SchedulerLostError, is_dask
from bench.running.process_setup import WorkerContext, end_workers, set_up_worker

A = TypeVar("A")
NAMES = ("auto", "serial", "threads", "processes")
DASK = ("dask", "dask://HOST:PORT", "tls://HOST:PORT")
WINDOW = 2  # chunks in flight per worker: one being trained, one waiting
POLL_S = 0.2  # how long an interrupt may wait to be noticed
SERIAL_S = 4.0  # below this much work, starting processes would take longer
KILLED = "the worker process died while training this (killed, out of memory, or crashed in native code)"
MakeExecutor = Callable[[], Executor]


class SerialExecutor(Executor):
    """Does each chunk when it is submitted, in this process."""

    def submit(self, fn: Callable[..., A], /, *args: Any, **kwargs: Any) -> "Future[A]":
        """Call now; the future is done when it is returned."""
        future: Future[A] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - a future carries whatever was raised
            future.set_exception(error)
        return future


class Processes(ProcessPoolExecutor):
    """Worker processes, which leave what they do once ``stop`` is set."""

    def __init__(self, workers: int) -> None:
        """Start none yet."""
        context = WorkerContext()
        self.stop = context.Event()
        super().__init__(workers, mp_context=context, initializer=set_up_worker, initargs=(self.stop,))


def cpu_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_executor(name: str, workers: int, cost_s: float, *, holds_gil: bool) -> str:
    """Return what ``auto`` means: threads where the GIL is released, else processes if there is enough work."""
    if name != "auto":
        return name
    if workers == 1 or (holds_gil and cost_s < SERIAL_S):
        return "serial"
    return "processes" if holds_gil else "threads"


class WorkerPool:
    """Workers that train jobs: of the executor that was asked for or, for auto, of the one that suits each backend."""

    def __init__(self, name: str, workers: int, say: Callable[[str], None] = lambda _: None) -> None:
        """Check the name; raise RequestError for a wrong one, or for a cluster that cannot be reached.

        A cluster is connected until the pool is left as a context; ``say`` is told how it fares.
        """
        check_executor(name)
        self.name = name
        self._pace = Pace()
        self._cluster = DaskExecutor(name, workers, say) if is_dask(name) else None
        self.workers = workers if self._cluster is None or name == LOCAL else self._cluster.threads

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster, if there is one."""
        if self._cluster is not None:
            self._cluster.close()

    def divide(self, jobs: Sequence[Job]) -> dict[str, list[Job]]:
        """Return which jobs each executor is to do: those that release the GIL first, in threads."""
        divided: dict[str, list[Job]] = {}
        for holds_gil in (False, True):
            some = [job for job in jobs if load(job.trial.backend).releases_gil is not holds_gil]
            kind = choose_executor(self.name, self.workers, sum(job.cost_s for job in some), holds_gil=holds_gil)
            if some:
                divided.setdefault(kind, []).extend(some)
        return divided

    def train(self, jobs: Sequence[Job], stop: Event) -> Iterator[list[Record]]:
        """Yield the records of jobs as they come; once ``stop`` is set nothing new is begun."""
        for kind, some in self.divide(jobs).items():
            for records in train_chunks(self._maker(kind), cut(some, self._pace), self._window(kind), stop):
                self._pace.note(records)
                if records:  # there are none of a chunk that was left
                    yield records

    def _maker(self, kind: str) -> MakeExecutor:
        cluster = self._cluster
        return executor_maker(kind, self.workers) if cluster is None else lambda: cluster

    def _window(self, kind: str) -> Callable[[], int]:
        """Return what says how many chunks may be in flight."""
        cluster, fixed = self._cluster, 1 if kind == "serial" else WINDOW * self.workers
        return (lambda: fixed) if cluster is None else lambda: cluster.window


def check_executor(name: str) -> None:
    """Raise RequestError for an executor that does not exist."""
    if name not in NAMES and not is_dask(name):
        raise RequestError(unknown("executor", name, [*NAMES, *DASK]))


def executor_maker(name: str, workers: int) -> MakeExecutor:
    """Return the function that makes an executor of this machine, and makes it anew should it break."""
    if name == "serial":
        return SerialExecutor
    if name == "threads":
        return lambda: ThreadPoolExecutor(workers)
    return lambda: Processes(workers)


def train_chunks(
    make: MakeExecutor, chunks: Iterable[Chunk], window: Callable[[], int], stop: Event
) -> Iterator[list[Record]]:
    """Yield the records of every chunk as they come, with at most so many in flight as ``window`` says at the time.

    When a worker dies, the chunks in flight are tried again one at a time; one that is lost even then is halved,
    down to the training at fault, which is recorded as failed. Once ``stop`` is set nothing new is begun, and what is
    being trained on this machine is left. Whatever ends this at once ends worker processes, too.
    """
    waiting, suspects = _Waiting(chunks), deque[Chunk]()
    pool = make()
    try:
        while (waiting or suspects) and not stop.is_set():
            alone = bool(suspects)
            queue = _Waiting([suspects.popleft()]) if alone else waiting
            lost = yield from _drain(pool, queue, _one if alone else window, stop)
            if not lost:
                continue
            pool.shutdown(wait=False, cancel_futures=True)
            pool = make()
            if not alone:
                suspects.extend(chunk for chunk, _ in lost)
                continue
            chunk, reason = lost[0]
            if chunk.trainings == 1:
                yield [failed_record(chunk.jobs[0], reason)]
            else:
                suspects.extendleft(reversed(chunk.halves()))
    except KeyboardInterrupt:
        end_workers()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one() -> int:
    return 1


class _Waiting:
    """Chunks that wait: the next of them is made when it is wanted."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._left, self._next = iter(chunks), deque[Chunk]()

    def __bool__(self) -> bool:
        self._next += islice(self._left, 0 if self._next else 1)
        return bool(self._next)

    def pop(self) -> Chunk:
        """Return the next, which is there where this is true."""
        return self._next.popleft()


def _drain(
    pool: Executor, queue: _Waiting, window: Callable[[], int], stop: Event
) -> Generator[list[Record], None, list[tuple[Chunk, str]]]:
    """Yield records until the queue is empty or a chunk is lost; return the lost ones, each with why."""
    here = isinstance(pool, SerialExecutor | ThreadPoolExecutor)
    work = partial(train_chunk, stop=stop) if here else train_chunk
    flying: dict[Future[list[Record]], Chunk] = {}
    lost: list[tuple[Chunk, str]] = []
    while flying or (queue and not stop.is_set() and not lost):
        while len(flying) < window() and not stop.is_set() and not lost and queue:
            chunk = queue.pop()
            try:
                flying[pool.submit(work, chunk)] = chunk
            except BrokenExecutor:
                lost.append((chunk, KILLED))
        if stop.is_set():
            if isinstance(pool, Processes):
                pool.stop.set()
            flying = {future: chunk for future, chunk in flying.items() if not future.cancel()}
        done, _ = wait(flying, timeout=POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            chunk = flying.pop(future)
            try:
                records = future.result()
            except SchedulerLostError:
                raise
            except Exception as error:  # noqa: BLE001 - train_chunk itself does not raise: the way to it or back failed
                lost.append(
                    (chunk, KILLED if isinstance(error, BrokenExecutor) else f"{type(error).__name__}: {error}")
                )
            else:
                yield records
    return lost

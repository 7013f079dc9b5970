"""Training on a Dask cluster, here or elsewhere: workers come late, hang, die or have another bench; schedulers end.

Dask itself gives a chunk whose worker died to another. All else is here, and rests on chunks being repeatable: one that
is done twice is the same twice, and the first result is taken.
"""

import asyncio
import logging
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np

from bench.errors import RequestError
from bench.model.outcome import Floats, Outcome, Record
from bench.running.chunks import Chunk, train_chunk
from bench.running.code_version import CODE, code_version, differences

A = TypeVar("A")
LOCAL = "dask"  # a cluster of this machine's own, for as long as the sweep
SCHEMES = {"dask://": "tcp://", "tls://": "tls://"}
PER_THREAD, MORE = 2, 32  # chunks in flight: adaptive clusters grow by what waits, and wait for it where they are empty
REACH_S = 5.0  # how long a scheduler may take to answer for the first time
LOST_S = 30.0  # how long it may be away later
LOOK_S = 1.0  # how often it is asked which workers there are
ASK_S = 10.0  # how long the first workers may take to say what code they have
HANGS_S, HANGS_COSTS = 60.0, 20.0  # a chunk hangs that takes longer than both: seconds, and times its estimated cost
WAITING = "no worker of the Dask cluster can train at the moment; waiting for one"
WIDE = ("loss_TC", "predictions_TN", "weights_TP")  # float64, whatever the trial's own type is
END_S = 5.0  # how long processes may take to end


class SchedulerLostError(RuntimeError):
    """A scheduler that is gone for good, and with it all that was in flight."""


class OtherCodeError(RuntimeError):
    """A worker that was given a chunk and has other code than the driver: raised there, never seen by a user."""


def is_dask(name: str) -> bool:
    """Whether an executor's name asks for Dask."""
    return name == LOCAL or name.startswith(tuple(SCHEMES))


def train_on_worker(chunk: Chunk, code: Mapping[str, str]) -> list[Record]:
    """Train a chunk on a worker that has the driver's code."""
    if other := differences(code_version(), code):
        raise OtherCodeError(other)
    return [_with_outcome(record, packed) for record in train_chunk(chunk)]


def packed(outcome: Outcome) -> Outcome:
    """Return an outcome in a third of the bytes: what float32 holds exactly, and once what all trainings share."""
    shares = bool((outcome.seconds_TC == outcome.seconds_TC[:1]).all())
    narrow = {name: _narrow(getattr(outcome, name)) for name in WIDE}
    return replace(outcome, **narrow, seconds_TC=outcome.seconds_TC[: 1 if shares else None])


def unpacked(outcome: Outcome) -> Outcome:
    """Return an outcome as it was before it was packed, bit for bit."""
    wide = {name: getattr(outcome, name).astype(np.float64) for name in WIDE}
    return replace(outcome, **wide, seconds_TC=np.broadcast_to(outcome.seconds_TC, outcome.loss_TC.shape))


def _narrow(values: Floats) -> Any:
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values, equal_nan=True) else values


def _with_outcome(record: Record, change: Callable[[Outcome], Outcome]) -> Record:
    return record if record.outcome is None else replace(record, outcome=change(record.outcome))


@dataclass(frozen=True)
class _Call:
    """A call that is made where it is unpickled: a scheduler unpickles what it passes on, and need not have bench."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.args


@dataclass(eq=False)
class _Try:
    """A chunk that was given to the cluster: to any worker, or to some."""

    key: tuple[str, int]
    workers: list[str] | None
    worker: str | None = None  # that has it, once it is not waiting in the scheduler
    since: float = 0.0  # when that was first seen
    hangs: bool = False


class DaskExecutor(Executor):
    """Trains on a cluster until it is closed; ``shutdown`` gives up what is in flight, and keeps the connection."""

    def __init__(self, name: str, workers: int, say: Callable[[str], None] = lambda _: None) -> None:
        """Reach the cluster, or start one with so many workers; raise RequestError if no worker there may train.

        ``say`` is told of workers that are refused or hang, and of waiting for others.
        """
        try:
            import distributed
        except ImportError as error:
            problem = f"executor {name!r} needs Dask; install it with: pip install 'bench[cluster]'"
            raise RequestError(problem) from error
        self._dask, self._say = distributed, say
        self._code = code_version(loaded=True)
        self._group, self._numbers = f"bench-{uuid4().hex}", count()  # what shares a group may wait in the scheduler
        self._threads: dict[str, int] = {}  # of the workers that may train
        self._asked: dict[str, asyncio.Task[None]] = {}  # every worker, and what asks it for its code
        self._refused: dict[str, str] = {}
        self._hanging: dict[str, asyncio.Task[None]] = {}  # and what waits for them
        self._holders: dict[Any, str] = {}  # which worker has which chunk
        self._submitted: set[Future[Any]] = set()
        self._idle = False  # no worker may train at the moment
        self._lost = ""
        self._watching: asyncio.Task[None] | None = None
        self._processes: subprocess.Popen[bytes] | None = None
        with ExitStack() as opened:
            opened.enter_context(_silenced())
            self.address = self._start(workers, opened) if name == LOCAL else _reached(distributed, name)
            self._client = distributed.Client(
                self.address, timeout=LOST_S, set_as_default=False, direct_to_workers=True
            )
            opened.callback(self._client.close)
            self._client.sync(self._begin)
            opened.callback(self._end)
            if self._refused and not self._threads:
                raise RequestError(*(f"executor {name!r}: {why}" for why in self._refused.values()))
            if name != LOCAL and not self._threads:
                say(WAITING)
            self._opened = opened.pop_all()

    def _start(self, workers: int, opened: ExitStack) -> str:
        """Start a scheduler in this process and workers in others, for nobody else; return its address."""
        cluster = self._dask.LocalCluster(
            n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
        )  # fmt: skip
        opened.callback(cluster.close)
        address: str = cluster.scheduler_address
        # processes of their own: those that Dask would fork off run the driver's script again, and hear its Ctrl-C
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nworkers", str(workers)]
        command += ["--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard", "--memory-limit", "0"]
        paths = [str(CODE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._processes = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        opened.callback(_ended, self._processes)
        return address

    @property
    def threads(self) -> int:
        """How many trainings the cluster does at a time, as it is now."""
        return sum(threads for worker, threads in list(self._threads.items()) if worker not in self._hanging)

    @property
    def window(self) -> int:
        """How many chunks may be in flight, as the cluster is now."""
        return PER_THREAD * self.threads + MORE

    def submit(self, fn: Callable[..., A], /, *args: Any, **kwargs: Any) -> "Future[A]":  # noqa: ARG002 - Executor's
        """Have a chunk trained; ``fn`` is what trains it on every other executor too."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(self._train(args[0]), self._client.loop.asyncio_loop)
        self._submitted.add(future)
        future.add_done_callback(self._submitted.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - Executor's
        """Give up what is in flight."""
        for future in list(self._submitted):
            future.cancel()

    def close(self) -> None:
        """Leave the cluster, or end it where it was started here."""
        self.shutdown()
        self._opened.close()

    # -------------------------------------------------------------- a chunk

    async def _train(self, chunk: Chunk) -> list[Record]:
        """Return the records of a chunk, by whichever worker gives them first."""
        limit_s = max(HANGS_S, HANGS_COSTS * chunk.cost_s)
        tries: dict[asyncio.Task[list[Record]], _Try] = {}
        try:
            while True:
                if self._lost:
                    raise SchedulerLostError(self._lost)
                workers = self._restriction()
                if all(one.hangs or self._is_stranded(one) for one in tries.values()) and workers != []:
                    one = _Try((self._group, next(self._numbers)), workers)
                    tries[asyncio.ensure_future(self._result(chunk, one))] = one
                if not tries:
                    await asyncio.sleep(LOOK_S)
                    continue
                done, _ = await asyncio.wait(tries, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    one = tries.pop(task)
                    if (error := task.exception()) is None:
                        return task.result()
                    await self._check(error, one)
                for one in tries.values():
                    self._follow(one, limit_s)
        finally:
            for task in tries:
                task.cancel()

    async def _result(self, chunk: Chunk, one: _Try) -> list[Record]:
        call = pickle.dumps(_Call(train_on_worker, (chunk, self._code)))
        future = self._client.submit(pickle.loads, call, key=one.key, workers=one.workers, pure=False)
        try:
            records: list[Record] = await future
        finally:
            future.release()
        return [_with_outcome(record, unpacked) for record in records]

    async def _check(self, error: BaseException, one: _Try) -> None:
        """Return where a chunk is to be tried again, and raise where trying is no use."""
        if self._client.status in {"closing", "closed"}:
            self._lose()
        elif isinstance(error, self._dask.KilledWorker):
            raise BrokenExecutor(str(error)) from error
        elif isinstance(error, self._dask.CancelledError | self._dask.comm.CommClosedError):
            await asyncio.sleep(LOOK_S / 10)  # the connection is lost: the client finds it again, or gives up
        elif isinstance(error, OtherCodeError) or one.workers is None:
            with suppress(OSError):
                await self._look_and_ask()
            if not (isinstance(error, OtherCodeError) or self._refused):
                raise error
        else:
            raise error

    def _follow(self, one: _Try, limit_s: float) -> None:
        """Notice where a chunk is, and whether its worker hangs."""
        worker, now = self._holders.get(one.key), time.monotonic()
        if worker != one.worker:
            one.worker, one.since, one.hangs = worker, now, False
        if worker is not None and not one.hangs and now - one.since > limit_s:
            one.hangs = True
            self._hang(worker, now - one.since)

    def _is_stranded(self, one: _Try) -> bool:
        """Whether all workers that it was meant for have left."""
        return one.workers is not None and not self._asked.keys() & set(one.workers)

    def _restriction(self) -> list[str] | None:
        """Return the workers that may have a chunk; None is any that there are or will be."""
        if not (self._refused or self._hanging):
            return None
        return [worker for worker in self._threads if worker not in self._hanging]

    # -------------------------------------------------------------- the workers

    async def _begin(self) -> None:
        """See which workers there are, and go on looking."""
        await self._look_and_ask()
        self._watching = asyncio.ensure_future(self._watch())

    def _end(self) -> None:
        for task in (self._watching, *self._asked.values(), *self._hanging.values()):
            if task is not None:
                self._client.loop.add_callback(task.cancel)

    async def _watch(self) -> None:
        while not self._lost:
            await asyncio.sleep(LOOK_S)
            if self._client.status == "closed":
                self._lose()
            with suppress(OSError):  # the client comes back to it, or gives up
                try:
                    await asyncio.wait_for(self._look(), LOST_S)
                except TimeoutError:
                    self._lose()
            if self._processes is not None and self._processes.poll() is not None:
                self._lost = f"the local Dask workers ended with status {self._processes.returncode}"

    def _lose(self) -> None:
        self._lost = f"the Dask scheduler at {self.address} has not answered for {LOST_S:g} s"

    async def _look_and_ask(self) -> None:
        """See which workers there are and, unless they take too long, which code they have."""
        await self._look()
        if self._asked:
            await asyncio.wait(self._asked.values(), timeout=ASK_S)

    async def _look(self) -> None:
        """See which workers there are, ask new ones for their code, and forget those that left."""
        threads = await self._client.scheduler.ncores(workers=None)
        holders = await self._client.scheduler.processing(workers=None)
        self._holders = {_key(key): worker for worker, keys in holders.items() for key in keys}
        for worker in self._asked.keys() - threads.keys():
            self._asked.pop(worker).cancel()
            self._threads.pop(worker, None)
            self._refused.pop(worker, None)
            if worker in self._hanging:
                self._hanging.pop(worker).cancel()
        for worker in threads.keys() - self._asked.keys():
            self._asked[worker] = asyncio.ensure_future(self._ask(worker, threads[worker]))
        idle = not self.threads
        if idle and not self._idle and self._watching is not None:
            self._say(WAITING)
        self._idle = idle

    async def _ask(self, worker: str, threads: int) -> None:
        """Have a new worker say which code it has, and let it train if that is the driver's."""
        found: Any = OSError()
        while isinstance(found, OSError):  # it does not answer, or has left: who looks will notice
            with suppress(OSError):
                found = (await self._client.run(code_version, workers=[worker], on_error="return"))[worker]
            if isinstance(found, OSError):
                await asyncio.sleep(LOOK_S)
        if isinstance(found, Exception):
            other = f"has no bench like this one ({type(found).__name__}: {found})"
        else:
            other = differences(found, self._code)
            other = other and f"has {other}"
        if other:
            self._refused[worker] = f"worker {worker} {other}; allowed are workers with the driver's versions and code"
            self._say(self._refused[worker])
        else:
            await self._reach(worker)
            self._threads[worker] = threads

    async def _reach(self, worker: str) -> None:
        """Have results go by way of the scheduler where a worker cannot be reached from here."""
        try:
            if self._client.direct_to_workers:
                await asyncio.wait_for(self._client.rpc(worker).identity(), REACH_S)
        except OSError:
            self._client.direct_to_workers = False

    def _hang(self, worker: str, seconds: float) -> None:
        """Give a worker nothing more until it answers again."""
        if worker in self._hanging:
            return
        self._hanging[worker] = asyncio.ensure_future(self._wait_for(worker))
        others = "others do its work" if self.threads else "no other worker can train; waiting for one, or for it"
        self._say(f"Dask worker {worker} has not come back with its work for {seconds:.0f} s; {others}")

    async def _wait_for(self, worker: str) -> None:
        """Give a worker work again once it has done any."""
        with suppress(Exception):  # it has left, or everything has
            await self._client.submit(pickle.loads, pickle.dumps(_Call(code_version)), workers=[worker], pure=False)
            self._hanging.pop(worker, None)


def _key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def _reached(distributed: Any, name: str) -> str:
    """Return the address of a scheduler that answers; a wrong one is told before any training."""
    scheme = next(scheme for scheme in SCHEMES if name.startswith(scheme))
    address = SCHEMES[scheme] + name.removeprefix(scheme)
    security = distributed.security.Security()
    if scheme == "tls://" and security.get_connection_args("client").get("ssl_context") is None:
        raise RequestError(
            f"executor {name!r} needs a certificate, and none is configured; allowed are PEM files named in Dask's "
            "configuration: distributed.comm.tls.ca-file, distributed.comm.tls.client.cert and .key"
        )
    try:
        distributed.Client(address, timeout=REACH_S, set_as_default=False).close()
    except (OSError, ValueError) as error:
        problem = f"executor {name!r} does not answer ({error}); allowed is a running Dask scheduler"
        raise RequestError(problem) from error
    return address


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep Dask's own log off the terminal: what matters of it is said in words."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in {"distributed", "tornado"}]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _ended(processes: "subprocess.Popen[bytes]") -> None:
    processes.terminate()
    try:
        processes.wait(END_S)
    except subprocess.TimeoutExpired:
        processes.kill()
        processes.wait()

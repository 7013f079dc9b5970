"""What a process does before it trains: leaves Ctrl-C to the driver, ends with it, stays on its cores.

It imports nothing, so that a cold start can be measured in such a process.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any


class WorkerProcess(SpawnProcess):
    """A process that does not run its driver's script again, as Python has it: nothing of it is needed.

    A script that asks for a sweep without ``if __name__ == "__main__"`` would ask for it in every process.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - multiprocessing's name
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            return SpawnProcess._Popen(process_obj)  # noqa: SLF001 - meant to be overridden
        finally:
            sys.modules["__main__"] = script


class WorkerContext(SpawnContext):
    """Starts processes that are new and empty."""

    Process = WorkerProcess


def end_workers() -> None:
    """End all worker processes of this one at once."""
    for child in multiprocessing.active_children():
        if isinstance(child, WorkerProcess):
            child.kill()


_STOP: list[Any] = []  # the driver's event, in a worker


def drivers_stop() -> Any:
    """Return the event that the driver sets where its workers are to leave what they do; None in no worker."""
    return _STOP[0] if _STOP else None


def set_up_worker(stop: Any = None) -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the driver; and end when the driver does.

    ``stop`` is the driver's event, if it has one.
    """
    _STOP[:] = [] if stop is None else [stop]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # a driver that was killed cannot say goodbye


# ------------------------------------------------------------------ pinned


TASKS = Path("/proc/self/task")


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Keep every thread of this process, and those that they start, on as many cores as ``threads`` says.

    Where the system cannot say which cores a thread may use, the libraries' own limits are all there is.
    """
    before = _affinities()
    for task, cores in before.items():
        _pin(task, set(sorted(cores)[-threads:]))  # the last: systems prefer the first for their own work
    try:
        yield
    finally:
        every = set().union(*before.values())
        for task in _affinities():
            _pin(task, before.get(task, every))


def _affinities() -> dict[int, set[int]]:
    """Return the cores of each thread; one may end while it is asked."""
    found: dict[int, set[int]] = {}
    if hasattr(os, "sched_getaffinity") and TASKS.is_dir():
        for entry in TASKS.iterdir():
            with suppress(OSError):
                found[int(entry.name)] = os.sched_getaffinity(int(entry.name))
    return found


def _pin(task: int, cores: set[int]) -> None:
    with suppress(OSError):
        os.sched_setaffinity(task, cores)

"""Threads kept on a number of cores: a library's own limit does not bind every library, the system's does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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

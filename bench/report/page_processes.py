"""The parts of a page, made by several processes side by side: they are many, and none needs another."""

import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, Protocol

MOST = 4  # processes
OWN = ("attractors",)  # read the store, whose connections are of one process


class Parts(Protocol):
    """A report that makes its parts by name."""

    def part(self, name: str) -> Any:
        """Return a part."""

    def prepare(self) -> None:
        """Do what this process has to do itself, while others make the parts."""


_reports: Sequence[Parts] = ()


def made_side_by_side(reports: Sequence[Parts], names: Sequence[str]) -> list[list[Any]]:
    """Return each part of each report; by other processes too, where that is possible.

    Processes are forked, so that they have all data at once. That is safe where there is one thread and no JAX, whose
    threads Python does not count; elsewhere this process does it all, and so it does what a process that died left.
    """
    places = [(place, name) for place in range(len(reports)) for name in names]
    others = [(place, name) for place, name in places if name not in OWN]
    made: dict[tuple[int, str], Any] = {}
    if _may_fork():
        fork = multiprocessing.get_context("fork")
        # one that dies, for want of memory say, takes the pool with it: what is missing then is made below
        with suppress(BrokenProcessPool), ProcessPoolExecutor(_processes(), fork, _begin, (reports,)) as pool:
            with warnings.catch_warnings():  # of threads in libraries, which are ready to be forked
                warnings.simplefilter("ignore", DeprecationWarning)
                asked = {part: pool.submit(_make, *part) for part in others}
            for report in reports:
                report.prepare()
            made = {(place, name): reports[place].part(name) for place, name in places if name in OWN}
            made |= {part: one.result() for part, one in asked.items()}
    return [
        [made[place, name] if (place, name) in made else report.part(name) for name in names]
        for place, report in enumerate(reports)
    ]


def _begin(reports: Sequence[Parts]) -> None:
    global _reports  # noqa: PLW0603  # of a forked process, which has them without being sent them
    _reports = reports


def _make(place: int, name: str) -> Any:
    return _reports[place].part(name)


def _processes() -> int:
    return min(len(os.sched_getaffinity(0)), MOST) if sys.platform == "linux" else 1


def _may_fork() -> bool:
    return _processes() > 1 and threading.active_count() == 1 and "jax" not in sys.modules

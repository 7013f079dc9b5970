"""Estimates: how long a plan will be trained, and how much memory it takes, before any of it is done."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.config.plan import Plan, PlannedTrial
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.report.number_format import duration, plural, short
from bench.report_files import curves_read, seeds_read
from bench.running.chunks import Job
from bench.running.executors import WINDOW

BASE_BYTES = 500_000_000  # of the libraries
TRIAL_BYTES = 10_000  # of a trial in the plan, in its document and in frames
ROW_BYTES = 1_200  # of a training that a page is made of, but for its lists
NUMBER_BYTES = 16  # of each number of its lists: as they are read, and as they are used
DRAWN_US = {"torch": 0.001, "uniform": 0.002, "xavier": 0.002}  # of a number that is drawn before the weights
NORMAL_US = 0.03  # of those that are drawn by rejection
LONG_S = 60.0  # what takes longer is told before it begins
UNITS_S = {"days": 86_400.0, "hours": 3_600.0, "minutes": 60.0}
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # a container's


@dataclass(frozen=True)
class Estimate:
    """About how many seconds some workers will train a plan, and how many bytes it takes at most."""

    workers: int
    seconds: float
    memory_bytes: int

    def __str__(self) -> str:
        """Say both."""
        cores = plural(self.workers, "core")
        return f"about {time_words(self.seconds)} of training on {cores}, and {_gigabytes(self.memory_bytes)} of memory"

    @property
    def long(self) -> str:
        """What is said of the time where many would not wait so long, after a comma; nothing otherwise."""
        return f", about {time_words(self.seconds)}" if self.seconds >= LONG_S else ""


def estimate(plan: Plan, workers: int) -> Estimate:
    """Return what a plan will take, by what its backends are known to take for such networks."""
    alone_s = sum(Job(one.trial, one.seeds).cost_s * one.rounds for one in plan.timings)
    together_s = sum(job.cost_s + _drawing_s(job) for job in _jobs(plan) if job.trainings)
    return Estimate(workers, alone_s + together_s / workers, _memory_bytes(plan, workers))


def _drawing_s(job: Job) -> float:
    """Return how long it takes to skip what is drawn before the weights of a trial."""
    return job.trainings * job.trial.draws_before * DRAWN_US.get(job.trial.init, NORMAL_US) / 1e6


def _memory_bytes(plan: Plan, workers: int) -> int:
    """Return how much memory the process of a sweep takes at most: for the plan, its page, and what comes back."""
    read, listed = seeds_read(plan), curves_read(plan)
    rows = sum(len(one.seeds[:read]) * (ROW_BYTES + NUMBER_BYTES * one.trial.targets.size) for one in plan.trials)
    curves = sum(_kept(one, listed) * len(one.trial.recorded_iterations) for one in plan.trials)
    more = plan.expected_trainings - plan.trainings  # of a search
    back = max((min(job.most * WINDOW * workers, job.trainings) * job.numbers for job in _jobs(plan)), default=0)
    return (
        BASE_BYTES
        + plan.expected_trials * TRIAL_BYTES
        + rows
        + more * ROW_BYTES
        + NUMBER_BYTES * (curves + back)
        + plan.trainings  # whether each is done
    )


def _kept(planned: PlannedTrial, listed: int | None) -> int:
    """Return of how many trainings of a trial curves are read."""
    return min(planned.trainings, c.CURVES_PER_TRIAL, planned.trainings if listed is None else listed)


def _jobs(plan: Plan) -> Iterable[Job]:
    """Yield what is trained side by side."""
    for planned in plan.trials:
        yield Job(planned.trial, planned.together)
    for one in plan.maps:
        yield Job(one.trial, range(one.points), of=one)
    for part in plan.search.parts if plan.search else ():
        yield Job(part.first_trial, range(part.expected_trainings))


def memory_here() -> int | None:
    """Return how many bytes of memory this process may have: the machine's, or less in a container or by a limit."""
    found = []
    with suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in map(Path, LIMITS):
        with suppress(ValueError, OSError):
            found.append(int(path.read_text(encoding="ascii")))
    with suppress(ImportError, OSError):
        import resource  # local: there is none on Windows

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        found += [soft] * (soft != resource.RLIM_INFINITY)
    return min(found, default=None)


def check_memory(found: Estimate) -> None:
    """Raise RequestError for a plan that the memory of this machine would not hold."""
    there = memory_here()
    if there is not None and found.memory_bytes > there:
        raise RequestError(
            f"this takes about {_gigabytes(found.memory_bytes)} of memory; allowed are the {_gigabytes(there)} that "
            "there are: ask for fewer trials, seeds or curve points"
        )


def time_words(seconds: float) -> str:
    """Write a time as people say it: in days, hours or minutes, if it is two of them."""
    for name, unit_s in UNITS_S.items():
        if seconds >= 2 * unit_s:
            return f"{short(seconds / unit_s)} {name}"
    return duration(seconds)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"

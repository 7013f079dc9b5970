"""Cold starts: what a backend takes in a fresh process before its second training.

The process that is measured imports this module, so it imports nothing that a backend could need.
"""

import multiprocessing
import pickle
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING

from bench.sweep.child import begin_child
from bench.sweep.pinned import pinned

if TYPE_CHECKING:
    from bench.problem.timing import ColdStart
    from bench.problem.trial import Trial


def cold_starts(trials: "Mapping[str, Trial]", threads: int) -> "list[ColdStart]":
    """Measure each backend once, one process at a time, with the short trial that is given for it."""
    from bench.problem.timing import ColdStart

    found = []
    context = multiprocessing.get_context("spawn")
    for name, trial in trials.items():
        try:
            with ProcessPoolExecutor(1, mp_context=context, initializer=begin_child) as pool:
                taken = pool.submit(measure, name, pickle.dumps(trial), threads).result()
            found.append(ColdStart(name, *taken))
        except Exception as error:  # noqa: BLE001 - whatever becomes of it, the sweep goes on
            found.append(ColdStart(name, reason=f"{type(error).__name__}: {error}"))
    return found


def measure(backend: str, trial: bytes, threads: int) -> tuple[float, float, float]:
    """Return the seconds of importing a backend, of its first training, and of compiling for that."""
    with pinned(threads):
        started = perf_counter()
        from bench.backends import load

        loaded = load(backend)
        imported_s = perf_counter() - started
        from threadpoolctl import threadpool_limits

        from bench.problem.outcome import Batch

        batch = Batch.of(pickle.loads(trial), [0])  # noqa: S301 - the driver wrote it
        with threadpool_limits(limits=threads):
            started = perf_counter()
            outcome = loaded.train(batch)
            trained_s = perf_counter() - started
    return imported_s, trained_s - outcome.compile_seconds, outcome.compile_seconds

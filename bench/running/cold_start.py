"""Cold starts: what a backend takes in a fresh process before its second training.

The process that is measured imports this module, so it imports nothing that a backend could need.
"""

import os
import pickle
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from threading import Event
from time import perf_counter
from typing import TYPE_CHECKING

from bench.running.process_setup import WorkerContext, pinned, set_up_worker

COMPILE_CACHES = ("NUMBA_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")  # read when the library is imported

if TYPE_CHECKING:
    from bench.model.timing import ColdStart
    from bench.model.trial import Trial


def smallest(trials: "Iterable[Trial]") -> "dict[str, Trial]":
    """Return for each backend its trial with the fewest weights: the same network, where all have the same."""
    found: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda trial: (trial.backend, trial.network.parameters, trial.trial_id)):
        found.setdefault(trial.backend, trial)
    return found


def cold_starts(trials: "Mapping[str, Trial]", threads: int, stop: Event) -> "list[ColdStart]":
    """Measure each backend once, one process at a time, with its short trial; none is begun after ``stop``."""
    from bench.model.timing import ColdStart

    found = []
    for name, trial in trials.items():
        if stop.is_set():
            break
        try:
            with (
                tempfile.TemporaryDirectory() as empty,
                ProcessPoolExecutor(1, mp_context=WorkerContext(), initializer=set_up_worker) as pool,
            ):
                taken = pool.submit(measure, name, pickle.dumps(trial), threads, empty).result()
            found.append(ColdStart(name, *taken))
        except Exception as error:  # noqa: BLE001 - whatever becomes of it, the sweep goes on
            found.append(ColdStart(name, reason=f"{type(error).__name__}: {error}"))
    return found


def measure(backend: str, trial: bytes, threads: int, empty: str) -> tuple[float, float, float]:
    """Return the seconds of importing a backend, of its first training, and of compiling for that.

    Code that was compiled before is not found: libraries look for it in the ``empty`` folder.
    """
    for variable in COMPILE_CACHES:
        os.environ[variable] = empty
    with pinned(threads):
        started = perf_counter()
        from bench.backends import load

        loaded = load(backend)
        imported_s = perf_counter() - started
        from threadpoolctl import threadpool_limits

        from bench.model.outcome import Batch

        batch = Batch.of(pickle.loads(trial), [0])  # noqa: S301 - the driver wrote it
        with threadpool_limits(limits=threads):
            started = perf_counter()
            outcome = loaded.train(batch)
            trained_s = perf_counter() - started
    return imported_s, trained_s - outcome.compile_seconds, outcome.compile_seconds

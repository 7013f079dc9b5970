"""Benchmark rounds: timings take turns in an order shuffled anew for every round, one sweep at a time on a machine."""

import gc
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from bench.backends.pieces import StoppedError, heeding
from bench.config.plan import Plan
from bench.config.seeds import compact, write_seeds
from bench.metrics import columns as c
from bench.model.outcome import Batch, Outcome, Record
from bench.model.timing import WARM_UP, Sample, Timing, read_sample
from bench.model.trial import Trial
from bench.running.chunks import THREADS, Job, diagnosed, loaded_backend, train_job
from bench.running.cold_start import cold_starts, smallest
from bench.running.process_setup import pinned
from bench.running.progress import SweepProgress
from bench.running.recorder import Recorder, Step
from bench.running.timing_owner import named_owner, owner
from bench.store.writer import SweepWriter


class Benchmark:
    """The trainings that are timed: alone in this process, with nothing of ours beside them."""

    def steps(self, recorder: Recorder) -> Iterator[Step]:
        """Yield the plan as it is, if it has timings."""
        if recorder.plan.timings:
            yield Step(recorder.plan, "timing", alone=True)


def measure(
    plan: Plan, missing: Sequence[Job], writer: SweepWriter, progress: SweepProgress, stop: Event
) -> Iterator[tuple[list[Record], list[Sample]]]:
    """Take the timings that have no sample yet, and yield what each turn gave; ``missing`` have no row yet."""
    waiting = turns(plan, writer.timed(), {job.trial.trial_id: job.seeds for job in missing})
    lock = machine_lock(stop, progress.print, progress.update, plan.question.command) if waiting else nullcontext()
    with lock:
        if waiting and not stop.is_set() and not writer.cold_starts():
            progress.update("timing cold starts of backends")
            _start_cold([turn.timing.trial for turn in waiting], writer, stop)
        progress.update("warming up")
        most = max((timing.rounds for timing in plan.timings), default=0)
        for records, samples in take_turns(waiting, stop):
            number = samples[0].round if samples else WARM_UP
            progress.update(f"timing, round {number} of {most}" if number != WARM_UP else "warming up")
            yield records, samples


def _start_cold(trials: Sequence[Trial], writer: SweepWriter, stop: Event) -> None:
    """Measure each backend's cold start; all of them are kept, or none."""
    chosen = smallest(trials)
    found = cold_starts({name: shortened(trial) for name, trial in chosen.items()}, THREADS, stop)
    if len(found) == len(chosen):
        writer.keep_cold_starts(found)


# ------------------------------------------------------------------ one sweep at a time


POLL_S, SAID_AFTER_S = 0.2, 2.0
SHARED = 0o666  # whoever runs the other sweep may lock the file too


def lock_path() -> Path:
    """Return the file that whoever measures on this machine keeps locked."""
    return Path(tempfile.gettempdir()) / "bench-timing.lock"


@contextmanager
def machine_lock(
    stop: Event, report: Callable[[str], None], show: Callable[[str], None] = lambda _: None, command: str = ""
) -> Iterator[bool]:
    """Yield once no other sweep of anybody's measures on this machine; False if ``stop`` was set before that.

    What is waited for is shown at once, and after two seconds it is reported, once. Whoever waits for this is told the
    ``command``.
    """
    lock = FileLock(lock_path(), mode=SHARED)
    free = _wait(lock, stop, report, show)
    try:
        with named_owner(lock_path(), command) if lock.is_locked else nullcontext():
            yield free
    finally:
        lock.release()  # nothing, if it is not held


def _wait(lock: FileLock, stop: Event, report: Callable[[str], None], show: Callable[[str], None]) -> bool:
    began, shown, reported = time.monotonic(), "", False
    while not stop.is_set():
        try:
            lock.acquire(timeout=0)
        except Timeout:
            whose = owner(lock_path())
            words = f"waiting for {whose or 'another sweep that is timing on this machine'}"
            briefly = f"waiting for process {whose.process} ({whose.user})" if whose else "waiting for another sweep"
            if briefly != shown:
                show(shown := briefly)
            if not reported and time.monotonic() - began >= SAID_AFTER_S:
                report(words)
                reported = True
            time.sleep(POLL_S)  # not stop.wait: a signal's handler must not meet the event's lock held
        except OSError as error:  # somebody else's file that may not be opened
            report(f"timings of other sweeps on this machine cannot be waited for: {error}")
            return True
        else:
            return True
    return False


# ------------------------------------------------------------------ rounds


FEW_ITERATIONS = 10
WARM_S = 0.5  # a training up to this long is its own warm-up, so that nothing is left to compile

Missing = Mapping[str, Collection[int]]  # by trial, the seeds that have no row yet


@dataclass(frozen=True)
class Turn:
    """One timing's turn in one round; ``owned`` are the seeds whose rows come from it."""

    timing: Timing
    place: int  # of the timing in the plan
    round: int
    order: int  # of the turn in its round
    owned: Sequence[int]


def turns(plan: Plan, samples: pd.DataFrame, missing: Missing) -> list[Turn]:
    """Return the turns that still have to be taken, round by round; the plan alone decides their order.

    A training's row comes from the first round of the first timing that names it.
    """
    taken = set(zip(samples[c.TRIAL_ID], samples[c.SEEDS], samples[c.ROUND], strict=True))
    owned = _owned(plan.timings, missing)
    found = []
    for number in range(1, max((timing.rounds for timing in plan.timings), default=0) + 1):
        for order, place in enumerate(shuffled(plan, number)):
            timing = plan.timings[place]
            turn = Turn(timing, place, number, order, owned[place] if number == 1 else ())
            name = (timing.trial.trial_id, write_seeds(timing.seeds), number)
            if number <= timing.rounds and _can(timing.trial) and (turn.owned or name not in taken):
                found.append(turn)
    return found


def shuffled(plan: Plan, number: int) -> list[int]:
    """Return the places of a plan's timings in the order of a round: drift, and what ran before, hit all alike."""
    rng = np.random.default_rng([int(plan.plan_id, 16), number])
    places: list[int] = rng.permutation(len(plan.timings)).tolist()
    return places


def _can(trial: Trial) -> bool:
    return loaded_backend(trial.backend).unsupported(trial) is None


def _owned(timings: Sequence[Timing], missing: Missing) -> list[Sequence[int]]:
    """Return for each timing the seeds without a row that no earlier timing of its trial has."""
    left = {trial_id: set(seeds) for trial_id, seeds in missing.items()}
    found = []
    for timing in timings:
        waiting = left.get(timing.trial.trial_id, set())
        found.append(compact([seed for seed in timing.seeds if seed in waiting]))
        waiting.difference_update(timing.seeds)
    return found


def take_turns(waiting: Sequence[Turn], stop: Event) -> Iterator[tuple[list[Record], list[Sample]]]:
    """Warm every timing up, then yield what each turn gave: rows in the first round, and a sample.

    A batch that raises has no sample, then or later: its trainings are done again in parts, to find those that
    fail. Once ``stop`` is set nothing new is begun.
    """
    broken: set[int] = set()
    with pinned(THREADS), _frozen():
        for order, turn in enumerate({turn.place: turn for turn in waiting}.values()):
            if not stop.is_set():
                yield _warmed(turn.timing, order)
        gc.freeze()  # what the first trainings imported, too
        for turn in waiting:
            if stop.is_set():
                return
            if turn.place not in broken:
                try:
                    with heeding(stop):
                        taken = _taken(turn, broken)
                except StoppedError:
                    return
                yield taken


@contextmanager
def _frozen() -> Iterator[None]:
    """Take what is in memory now out of Python's garbage collection, which would look through all of it every time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _taken(turn: Turn, broken: set[int]) -> tuple[list[Record], list[Sample]]:
    """Return what a turn gave; a batch that raises is done in parts, and its timing is ``broken`` from then on."""
    try:
        outcome, sample = _measured(turn.timing, turn.timing.trial, turn.round, turn.order)
    except StoppedError:
        raise
    except Exception:  # noqa: BLE001 - whatever a backend raises must cost trainings, not the sweep
        broken.add(turn.place)
        return _in_parts(turn), []
    return _rows(turn, outcome), [sample]


def _warmed(timing: Timing, order: int) -> tuple[list[Record], list[Sample]]:
    """Train the batch for so long that all is compiled; a batch that raises will do so again in its turn."""
    try:
        return [], [_measured(timing, warm_up(timing), WARM_UP, order)[1]]
    except Exception:  # noqa: BLE001 - see above
        return [], []


def warm_up(timing: Timing) -> Trial:
    """Return the trial, shortened so that a batch of the timing's size takes about half a second."""
    job = Job(timing.trial, timing.seeds)
    return shortened(timing.trial, max(int(timing.trial.iterations * WARM_S / job.cost_s), FEW_ITERATIONS))


def shortened(trial: Trial, iterations: int = FEW_ITERATIONS) -> Trial:
    """Return the trial with at most so many iterations."""
    return trial if trial.iterations <= iterations else replace(trial, iterations=iterations)


def _measured(timing: Timing, trial: Trial, number: int, order: int) -> tuple[Outcome, Sample]:
    """Train the whole batch once; drawing its weights, and what Python would tidy up meanwhile, come before."""
    backend, batch = loaded_backend(trial.backend), Batch.of(trial, timing.seeds)
    gc.collect()
    with threadpool_limits(limits=THREADS):
        started, worked = perf_counter(), process_time()
        outcome = backend.train(batch)
        wall_s, cpu_s = perf_counter() - started, process_time() - worked
    took = {"wall_s": wall_s, "cpu_s": cpu_s}
    return outcome, read_sample(timing, trial, outcome, number=number, order=order, threads=THREADS, **took)


def _rows(turn: Turn, outcome: Outcome) -> list[Record]:
    places = np.searchsorted(turn.timing.seeds, turn.owned)
    seeds = tuple(turn.owned)
    owned = diagnosed(turn.timing.trial, outcome.take(places))
    return [Record(turn.timing.trial, seeds, alone=True, outcome=owned)] if seeds else []


def _in_parts(turn: Turn) -> list[Record]:
    with threadpool_limits(limits=THREADS):
        return train_job(Job(turn.timing.trial, turn.owned, alone=True)) if turn.owned else []

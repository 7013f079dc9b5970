"""Training of maps: their points are cut into chunks like a grid's trainings, and written as they come."""

import time
from threading import Event

import numpy as np

from bench.config.plan import Plan
from bench.config.seeds import compact
from bench.model.maps import Map
from bench.running.chunks import Job, refusals
from bench.running.dask_executor import SchedulerLostError
from bench.running.executors import WorkerPool
from bench.running.progress import SweepProgress
from bench.running.recorder import FLUSH_S
from bench.running.work import done_work
from bench.store.map_points import ArrowTable, point_rows
from bench.store.tables import stack
from bench.store.writer import SweepWriter


def train_maps(plan: Plan, writer: SweepWriter, pool: WorkerPool, progress: SweepProgress, stop: Event) -> float:
    """Train what is missing of every map; once ``stop`` is set, write what is finished and return.

    Returns the seconds of all workers together that went into training.
    """
    seconds = 0.0
    for number, one in enumerate(plan.maps, 1):
        if stop.is_set():
            break
        progress.update(f"map {number} of {len(plan.maps)}")
        jobs = missing(one, writer)
        refused = refusals(jobs)
        unwritten: list[ArrowTable] = [point_rows(record) for record in refused]
        flushed = time.monotonic()
        try:
            for records in pool.train([] if refused else jobs, stop):
                seconds += sum(float(r.outcome.seconds_TC.sum()) for r in records if r.outcome is not None)
                unwritten += [point_rows(record) for record in records]
                progress.advance(done_work(records))
                if time.monotonic() - flushed > FLUSH_S:
                    writer.map_points(one, stack(unwritten))
                    unwritten, flushed = [], time.monotonic()
        except SchedulerLostError:
            if unwritten:
                writer.map_points(one, stack(unwritten))
            raise
        if unwritten:
            writer.map_points(one, stack(unwritten))
    return seconds


def missing(one: Map, writer: SweepWriter) -> list[Job]:
    """Return the points of a map that are not trained yet, by trial."""
    there_M = writer.mapped(one)
    if not there_M.any():
        return [Job(trial, places, of=one) for trial, places in one.parts()]
    jobs = []
    for trial, places in one.parts():
        place_T = np.asarray(places)
        left = place_T[~there_M[place_T]].tolist()
        jobs += [Job(trial, compact(left), of=one)] if left else []
    return jobs

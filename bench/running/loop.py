"""How a sweep runs: strategies say what is trained next, given what has come back, until none has more to ask."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING, Protocol

from bench.config.plan import Plan
from bench.model.outcome import Record
from bench.model.timing import Sample
from bench.running.adaptive_seeds import AdaptiveSeeds
from bench.running.chunks import loaded_backend, refusals
from bench.running.executors import WorkerPool
from bench.running.progress import SweepProgress
from bench.running.recorder import Recorder, Statistics, Step
from bench.running.timing_rounds import Benchmark, measure
from bench.running.work import done_work, planned_work

if TYPE_CHECKING:
    from bench.search.optuna_journal import Journal


class Strategy(Protocol):
    """A way of choosing what is trained."""

    def steps(self, recorder: Recorder) -> Iterator[Step]:
        """Yield what to train next; when a step has been trained, the recorder has its results and this goes on.

        A resumed sweep takes all steps again from the first and trains what is missing, so that a step may depend on
        the plan and on results only. After an interrupt nobody asks for the next step.
        """


class Grid:
    """Every training that the experiment's grid names."""

    def steps(self, recorder: Recorder) -> Iterator[Step]:
        """Yield the plan as it is."""
        yield Step(recorder.plan)


def strategies(plan: Plan, statistics: Statistics, journal: "Journal | None") -> list[Strategy]:
    """Return what carries out a plan, in order; a search needs Optuna's journal."""
    found: list[Strategy] = [AdaptiveSeeds(statistics) if plan.until else Grid(), Benchmark()]
    if plan.search and journal:
        from bench.running.holdout import HeldOutValidation  # Optuna takes a second
        from bench.running.search_loop import OptunaSearch

        search = OptunaSearch(plan.search, journal)
        found += [search, HeldOutValidation(search)]
    return found


def run(
    strategies: Sequence[Strategy], recorder: Recorder, pool: WorkerPool, progress: SweepProgress, stop: Event
) -> None:
    """Train and record every step of every strategy; once ``stop`` is set, record what is finished and return."""
    for strategy in strategies:
        for step in strategy.steps(recorder):
            is_new = recorder.begin(step)  # the written plan has it before any of it is trained
            progress.update(step.activity, planned_work(recorder.plan))
            progress.advance(recorder.reused)
            if is_new and step.message:
                progress.print(step.message)
            # closed at once where the store fails: the same workers may go on elsewhere
            with (
                recorder.clock("time" if step.alone else "train"),
                closing(_train(step, recorder, pool, progress, stop)) as back,
            ):
                for records, samples in back:
                    recorder.add(records, samples)
                    progress.advance(done_work(records, samples))
            recorder.flush()
            if stop.is_set():
                return


def _train(
    step: Step, recorder: Recorder, pool: WorkerPool, progress: SweepProgress, stop: Event
) -> Generator[tuple[list[Record], list[Sample]], None, None]:
    """Yield what becomes of all that is missing of a step; once ``stop`` is set nothing new is begun."""
    yield refusals(recorder.missing(alone=step.alone)), []
    missing = recorder.missing(alone=step.alone)  # refusals are recorded by now
    if step.alone:
        yield from measure(recorder.plan, missing, recorder.writer, progress, stop)
    else:
        kernels = {loaded_backend(job.trial.backend).kernel(job.trial) for job in missing}
        progress.compiles(len(kernels - {None}))
        yield from ((records, []) for records in pool.train(recorder.continued(missing), stop))

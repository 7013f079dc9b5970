"""The loop over strategies: what they may rely on, and what an interruption leaves."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from bench.config.experiment import adhoc
from bench.config.overrides import read_overrides
from bench.config.plan import make_plan
from bench.config.seeds import write_seeds
from bench.lifecycle import STATISTICS
from bench.metrics import columns as c
from bench.running.executors import WorkerPool
from bench.running.loop import Grid, run
from bench.running.progress import SweepProgress
from bench.running.recorder import Note, Recorder, Step
from bench.running.work import Work
from bench.store import names
from bench.store.mlflow_store import Store
from bench.store.reader import read_plan, read_sweep
from bench.store.writer import SweepWriter

WORDS = ["hidden=0,2", "backend=numpy", "iterations=20", "seeds=10:14"]


class EarlierSeeds:
    """More seeds for one trial, below those that it has: as many as its trainings that did not solve it."""

    def __init__(self, ends=2):
        self.ends = ends
        self.seen = []

    def steps(self, recorder):
        first = recorder.plan.trials[0]
        trial_id = first.trial.trial_id
        for end in range(1, self.ends + 1):
            more = replace(first, together=(*range(2 * end), *range(10, 14)))
            yield Step(replace(recorder.plan, trials=(more, *recorder.plan.trials[1:])), open=[trial_id])
            self.seen.append(recorder.trainings(trial_id, range(14))[c.SEED].tolist())
        recorder.close({trial_id: Note({"words": "all there"}, {"figure": 7.0})})


class WatchedPool(WorkerPool):
    """Workers that note what the written plan has when they begin, and may be told to stop at a step."""

    def __init__(self, sweep, stop, last_step=None):
        super().__init__("serial", 1)
        self.sweep, self.stop, self.last_step = sweep, stop, last_step
        self.trained, self.planned = [], []

    def train(self, jobs, stop):
        self.trained.append([(job.trial.trial_id, list(job.seeds)) for job in jobs])
        self.planned.append([write_seeds(one.seeds) for one in read_plan(Store(names.DEFAULT_URI), self.sweep).trials])
        if len(self.trained) == self.last_step:
            self.stop.set()
        yield from super().train(jobs, stop)


@pytest.fixture
def sweep(folder):
    """Run strategies in a sweep of two trials, begun or resumed, and return who trained it."""
    experiment = adhoc(read_overrides(WORDS, Path.cwd()), WORDS)
    plan, store = make_plan(experiment), Store(names.DEFAULT_URI)
    begun = SweepWriter.begin(store, experiment, plan, {"cpu": "a"}, "a sweep", "code").run_id

    def of(*strategies, resume=False, last_step=None):
        writer = SweepWriter(store, store.experiment_id("adhoc"), begun)
        recorder, stop = Recorder(experiment, plan, writer, STATISTICS, training_runs=False), Event()
        if resume:
            recorder.resume()
        pool = WatchedPool(begun, stop, last_step)
        with SweepProgress(Work()) as progress:
            run(strategies, recorder, pool, progress, stop)
        return pool

    return of


@pytest.mark.untraced
def test_what_a_step_asks_is_planned_trained_and_there_when_its_strategy_goes_on(sweep):
    """Each step trains what is missing only, and its seeds are in the written plan before."""
    strategy = EarlierSeeds()
    pool = sweep(Grid(), strategy)
    assert [[seeds for _, seeds in jobs] for jobs in pool.trained] == [[[10, 11, 12, 13]] * 2, [[0, 1]], [[2, 3]]]
    assert pool.planned == [["10:14", "10:14"], ["0:2,10:14", "10:14"], ["0:4,10:14", "10:14"]]
    assert strategy.seen == [[0, 1, 10, 11, 12, 13], [0, 1, 2, 3, 10, 11, 12, 13]]


@pytest.mark.untraced
def test_the_run_of_an_open_trial_has_what_it_is_closed_with(sweep):
    """And all of its seeds; one that is not open has its run once it is complete, with its name from the grid."""
    pool = sweep(EarlierSeeds())
    runs = {run.data.tags[names.TRIAL_TAG]: run for run in Store(names.DEFAULT_URI).runs(names.TRIAL)}
    first, second = (runs[trial_id] for trial_id, _ in pool.trained[0])
    assert (first.data.params["seeds"], first.data.tags["words"], first.data.metrics["figure"]) == (
        "0:4,10:14",
        "all there",
        7.0,
    )
    assert first.data.metrics["trainings"] == 8
    assert (first.info.run_name, second.info.run_name) == ("hidden=0", "hidden=2")
    assert "figure" not in second.data.metrics


@pytest.mark.untraced
def test_once_it_is_to_stop_no_strategy_goes_on(sweep):
    """What was asked is planned, what was finished is kept, and nobody asks for more."""
    strategy, after = EarlierSeeds(), EarlierSeeds()
    pool = sweep(Grid(), strategy, after, last_step=2)
    assert len(pool.trained) == 2
    assert (strategy.seen, after.seen) == ([], [])


@pytest.mark.parametrize("last_step", [1, 2, 3])
def test_a_resumed_sweep_takes_the_same_steps_and_trains_what_is_missing(sweep, last_step):
    """Also where a later step has seeds before those of an earlier one; the plan never shrinks meanwhile."""
    interrupted = sweep(Grid(), EarlierSeeds(), last_step=last_step)
    strategy = EarlierSeeds()
    pool = sweep(Grid(), strategy, resume=True)
    assert strategy.seen == [[0, 1, 10, 11, 12, 13], [0, 1, 2, 3, 10, 11, 12, 13]]
    assert all(planned == interrupted.planned[-1] for planned in pool.planned[: last_step - 1])
    steps = [[(job, seeds) for job, seeds in jobs if seeds] for jobs in pool.trained]
    assert [jobs for jobs in steps if jobs] == [*interrupted.trained[-1:], *_rest(interrupted, last_step)]
    rows = read_sweep(Store(names.DEFAULT_URI), pool.sweep).trainings
    assert len(rows) == 12
    assert not rows.duplicated([c.TRIAL_ID, c.SEED]).any()


def _rest(interrupted, last_step):
    """Return what the steps after the one that was interrupted train."""
    first = interrupted.trained[0][0][0]
    return [[(first, seeds)] for seeds in ([0, 1], [2, 3])[last_step - 1 :]]

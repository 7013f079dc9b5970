"""What a worker does with a chunk that goes wrong."""

import pytest

from bench.backends import numpy_loop
from bench.problem.outcome import Result
from bench.problem.trial import Trial
from bench.sweep.plan import Chunk, Job
from bench.sweep.work import train_chunk


@pytest.fixture
def _seven_crashes(monkeypatch):
    """The training whose initial weights are seed 7's raises."""
    cursed = Trial(iterations=20).initial_weights([7])[0]
    start = numpy_loop.NumpyLoop.start

    def start_or_crash(self, batch, index):
        if (batch.weights_TP[index] == cursed).all():
            raise MemoryError("no room for seven")
        return start(self, batch, index)

    monkeypatch.setattr(numpy_loop.NumpyLoop, "start", start_or_crash)


@pytest.mark.usefixtures("_seven_crashes")
def test_a_training_that_raises_costs_itself_only():
    """It becomes failed, with its reason; its neighbours are trained."""
    records = train_chunk(Chunk((Job(Trial(backend="numpy", iterations=20), range(12)),)))
    failed = [record for record in records if record.result == Result.FAILED]
    assert [(record.seeds, record.reason) for record in failed] == [((7,), "MemoryError: no room for seven")]
    trained = {seed for record in records if record.outcome is not None for seed in record.seeds}
    assert trained == set(range(12)) - {7}

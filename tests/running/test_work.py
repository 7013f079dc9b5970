"""What a worker does with a chunk that goes wrong."""

from bench.model.outcome import Result
from bench.model.trial import Trial
from bench.running.chunks import Chunk, Job, train_chunk


def test_a_training_that_raises_costs_itself_only(crash):
    """It becomes failed, with its reason; its neighbours are trained."""
    trial = Trial(backend="numpy", iterations=20)
    crash(trial, 7, "no room for seven")
    records = train_chunk(Chunk((Job(trial, range(12)),)))
    failed = [record for record in records if record.result == Result.FAILED]
    assert [(record.seeds, record.reason) for record in failed] == [((7,), "MemoryError: no room for seven")]
    trained = {seed for record in records if record.outcome is not None for seed in record.seeds}
    assert trained == set(range(12)) - {7}

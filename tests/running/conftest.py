"""Trainings that go wrong."""

import pytest

from bench.backends import numpy_loop


@pytest.fixture
def crash(monkeypatch):
    """Return what makes the numpy loop raise for the training of a trial with one seed."""

    def of(trial, seed, words):
        cursed = trial.initial_weights([seed])[0]
        start = numpy_loop.NumpyLoop.start

        def start_or_crash(self, batch, index):
            if (batch.weights_TP[index] == cursed).all():
                raise MemoryError(words)
            return start(self, batch, index)

        monkeypatch.setattr(numpy_loop.NumpyLoop, "start", start_or_crash)

    return of

"""Trainings that go wrong."""

import pytest

from bench.backends import numpy_loop


@pytest.fixture
def crash(monkeypatch):
    """Return what makes the numpy loop raise for the training of a trial with one seed."""

    def of(trial, seed, words):
        cursed = trial.initial_weights([seed])[0]
        group = numpy_loop.NumpyLoop.group

        def group_or_crash(self, batch):
            if (batch.weights_TP[0] == cursed).all():
                raise MemoryError(words)
            return group(batch)

        monkeypatch.setattr(numpy_loop.NumpyLoop, "group", group_or_crash)

    return of

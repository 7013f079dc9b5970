"""What every gate must be."""

import numpy as np

from bench.backends import load
from bench.model.gate import Gate
from bench.model.outcome import Batch
from bench.model.trial import Trial
from bench.plugins import GATE, NAME, kind_of


class GateContract:
    """Tests of a gate. A subclass whose name begins with ``Test`` says which: ``gate = MAJORITY``."""

    gate: Gate

    def test_a_gate_is_a_record_with_a_name_of_one_word(self):
        """The command line asks for it as gate=NAME."""
        assert kind_of(self.gate) == GATE
        assert NAME.fullmatch(self.gate.name)

    def test_no_observation_should_be_two_things(self):
        """Equal inputs have equal targets: no network could tell them apart."""
        _, which = np.unique(self.gate.inputs, axis=0, return_inverse=True)
        for place in range(which.max() + 1):
            assert np.ptp(self.gate.targets[which.ravel() == place]) == 0

    def test_its_tables_are_frozen(self):
        """They name trials: whoever has the gate may not change it."""
        assert not self.gate.inputs.flags.writeable
        assert not self.gate.targets.flags.writeable

    def test_a_network_can_be_trained_on_it(self):
        """One prediction for each observation, and every one a number."""
        trial = Trial(gate=self.gate, backend="numpy", iterations=5)
        found = load("numpy").train(Batch.of(trial, range(2)))
        assert found.predictions_TN.shape == (2, len(self.gate.targets))
        assert np.isfinite(found.predictions_TN).all()

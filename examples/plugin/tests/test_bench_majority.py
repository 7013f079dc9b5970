import numpy as np
import pytest
from bench_majority import HARDEST, MAJORITY, UPPER_QUARTILE, NumpyBatched

from bench.testing import BackendContract, GateContract, ObjectiveContract, SectionContract
from bench.testing.objective_contract import trainings


class TestMajority(GateContract):
    """A gate like any other, and one that Python agrees with."""

    gate = MAJORITY

    def test_two_of_three_decide(self):
        """As Python counts them."""
        assert self.gate.targets.tolist() == [float(row.sum() >= 2) for row in self.gate.inputs]


class TestNumpyBatched(BackendContract):
    """A backend like any other."""

    backend = NumpyBatched()


class TestUpperQuartile(ObjectiveContract):
    """An objective like any other, and the quartile that it says."""

    objective = UPPER_QUARTILE

    @pytest.mark.parametrize("count", range(1, 9))
    def test_three_quarters_are_within_it(self, count):
        """No fewer, and without the last of them fewer."""
        times = list(range(1, count + 1))
        value = self.objective.value(trainings(times))
        assert np.mean(np.array(times) <= value) >= 0.75
        assert np.mean(np.array(times) < value) < 0.75


class TestHardest(SectionContract):
    """A section like any other."""

    section = HARDEST

"""What every built-in gate and objective is, as plug-ins' own must be, and so the example's section."""

from pathlib import Path

import pytest

from bench.metrics.objectives import OBJECTIVES
from bench.model.gate import BUILT_IN, built_in
from bench.plugins import find, use
from bench.testing import GateContract, ObjectiveContract, SectionContract

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin" / "bench_majority.py"


class TestGates(GateContract):
    """Every gate in turn."""

    @pytest.fixture(params=BUILT_IN, autouse=True)
    def gate(self, request):
        """The one that is tested."""
        self.gate = built_in(request.param)


class TestObjectives(ObjectiveContract):
    """Every objective in turn."""

    @pytest.fixture(params=OBJECTIVES, autouse=True)
    def objective(self, request):
        """The one that is tested."""
        self.objective = OBJECTIVES[request.param]


class TestSection(SectionContract):
    """The example's."""

    @pytest.fixture(autouse=True)
    def section(self, monkeypatch):
        """The one that is tested."""
        monkeypatch.setenv("BENCH_PLUGINS", "")
        use(EXAMPLE)
        self.section = find("section", "hardest")

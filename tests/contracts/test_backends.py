"""What every backend must do; a name added to BACKENDS inherits every test."""

import pytest

from bench.backends import load
from bench.model.trial import BACKENDS, Trial
from bench.testing import BackendContract


@pytest.mark.untraced  # its loops would take half as long again; each backend's own tests are traced
class TestBackends(BackendContract):
    """Every backend in turn."""

    @pytest.fixture(params=BACKENDS, autouse=True)
    def backend(self, request):
        """The one that is tested."""
        self.backend = load(request.param)

    def test_a_backend_is_loaded_by_its_name(self):
        """It knows its own name."""
        assert self.backend.name in BACKENDS
        assert self.backend.unsupported(Trial(backend=self.backend.name)) is None

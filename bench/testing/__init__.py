"""Tests that whatever a plug-in adds must pass: a subclass of one of these, whose name begins with ``Test``, runs all.

``class TestMine(BackendContract): backend = MyBackend()``, and likewise ``gate``, ``objective`` and ``section``. They
need pytest (``pip install 'bench[testing]'``), and are what bench tests its own with.
"""

try:
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("bench.testing needs pytest; install it with: pip install 'bench[testing]'") from error

pytest.register_assert_rewrite(
    *(f"{__name__}.{name}_contract" for name in ("backend", "gate", "objective", "section"))
)  # before they are imported, so that a test that fails says what was compared

from bench.testing.backend_contract import BackendContract  # noqa: E402
from bench.testing.gate_contract import GateContract  # noqa: E402
from bench.testing.objective_contract import ObjectiveContract  # noqa: E402
from bench.testing.section_contract import SectionContract  # noqa: E402

__all__ = ["BackendContract", "GateContract", "ObjectiveContract", "SectionContract"]

"""Shows how sensitive the training of small neural networks is to where it starts.

``bench.sweep("gate=xor", "hidden=2,3", seeds="0:100")`` trains every seed of every configuration and returns a
`Sweep`; ``bench.load()`` returns one that is stored; ``bench.train`` trains from initial weights of one's own.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.api import load, sweep, train
    from bench.backends.base import Backend
    from bench.errors import RequestError
    from bench.lifecycle import SweepError
    from bench.metrics.objectives import Objective
    from bench.model.gate import Gate
    from bench.model.outcome import Batch, Outcome
    from bench.model.trial import Trial
    from bench.report.section import Section
    from bench.results import Sweep

__all__ = [
    "Backend", "Batch", "Gate", "Objective", "Outcome", "RequestError", "Section", "Sweep", "SweepError", "Trial",
    "load", "sweep", "train",
]  # fmt: skip

_HOMES = {
    "Backend": "backends.base",
    "Batch": "model.outcome",
    "Gate": "model.gate",
    "Objective": "metrics.objectives",
    "Outcome": "model.outcome",
    "RequestError": "errors",
    "Section": "report.section",
    "Sweep": "results",
    "SweepError": "lifecycle",
    "Trial": "model.trial",
    "load": "api",
    "sweep": "api",
    "train": "api",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: all of them together take seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return list(__all__)

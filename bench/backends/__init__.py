"""Backends: ways of training a batch of trainings."""

from bench.backends.base import Backend
from bench.problem.trial import BACKENDS


def load(name: str) -> Backend:
    """Return the backend of that name, importing its library only now."""
    match name:
        case "numpy":
            from bench.backends.numpy_loop import NumpyLoop

            return NumpyLoop()
        case "torch":
            from bench.backends.torch_loop import TorchLoop

            return TorchLoop()
        case "torch-batched":
            from bench.backends.torch_batched import TorchBatched

            return TorchBatched()
    raise AssertionError(f"backend {name!r} is in {BACKENDS} but has no file")

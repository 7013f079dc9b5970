"""Backends: ways of training a batch of trainings."""

from bench.backends.base import Backend, Unavailable
from bench.model.trial import BACKENDS

OPTIONAL = {"jax": ("JAX", "jax")}  # backends whose package may be missing: what it is called, and the extra it is in


def load(name: str) -> Backend:
    """Return the backend of that name; where its package is missing, one that refuses every trial."""
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if name not in OPTIONAL or (error.name or "").startswith("bench"):
            raise
        return Unavailable(name, *OPTIONAL[name])


def _load(name: str) -> Backend:
    """Import the backend's library only now."""
    match name:
        case "numba":
            from bench.backends.numba_lanes import NumbaLanes

            return NumbaLanes()
        case "numpy":
            from bench.backends.numpy_loop import NumpyLoop

            return NumpyLoop()
        case "torch":
            from bench.backends.torch_loop import TorchLoop

            return TorchLoop()
        case "torch-batched":
            from bench.backends.torch_batched import TorchBatched

            return TorchBatched()
        case "jax":
            from bench.backends.jax_batched import JaxBatched

            return JaxBatched()
    raise AssertionError(f"backend {name!r} is in {BACKENDS} but has no file")

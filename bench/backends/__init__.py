"""Backends: ways of training a batch of trainings."""

from pkgutil import resolve_name

from bench import plugins
from bench.backends.base import Backend, Unavailable

CLASSES = {
    "numba": "numba_lanes:NumbaLanes",
    "numpy": "numpy_loop:NumpyLoop",
    "torch": "torch_loop:TorchLoop",
    "torch-batched": "torch_batched:TorchBatched",
    "jax": "jax_batched:JaxBatched",
}
OPTIONAL = {"jax": ("JAX", "jax")}  # backends whose package may be missing: what it is called, and the extra it is in


def load(name: str) -> Backend:
    """Import and return the backend of that name, or one that refuses every trial where its package is missing.

    Raise RequestError for a plug-in's that is not here.
    """
    if name not in CLASSES:
        added: type[Backend] | None = plugins.find(plugins.BACKEND, name)
        if added is None:
            raise plugins.missing(plugins.BACKEND, name)
        return added()
    try:
        backend: Backend = resolve_name(f"{__name__}.{CLASSES[name]}")()
    except ModuleNotFoundError as error:
        if name not in OPTIONAL or (error.name or "").startswith("bench"):
            raise
        return Unavailable(name, *OPTIONAL[name])
    return backend

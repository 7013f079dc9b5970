"""Compilation of the kernels, and the folder that keeps their code."""

import hashlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import config
from numba.misc.appdirs import AppDirs

from bench.model import loss, optimizer, threefry

# no nnan or ninf: a lane that diverged must stay so; no reassoc: sums keep their order; contract: fused multiply-add
FLAGS = {"contract", "nsz", "arcp"}
# no counting of references to arrays (_nrt): it is atomic, and costs more than what a call does with a few rows
COMPILED = {"nogil": True, "fastmath": FLAGS, "error_model": "numpy", "_nrt": False}
INLINE = COMPILED | {"forceinline": True}


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function, compiled when first called; its code is kept on disk where that can be written."""
    return numba.njit(cache=FOLDER is not None, **COMPILED)(function)


def clear_cache() -> None:
    """Remove the code that is kept on disk."""
    for file in FOLDER.rglob("*.nb[ci]") if FOLDER is not None else ():
        file.unlink(missing_ok=True)


def _cache_folder() -> Path | None:
    """Return a folder in the user's cache, or where NUMBA_CACHE_DIR says; None if it cannot be written.

    Its name has a hash of all sources: Numba itself notices a change of one file, and not of those that it calls.
    """
    constants = (Path(module.__file__) for module in (loss, optimizer, threefry) if module.__file__)
    sources = [*sorted(Path(__file__).parent.glob("*.py")), *constants]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    base = config.CACHE_DIR or AppDirs(appname="bench", appauthor=False).user_cache_dir
    folder = Path(base) / f"lanes-{digest[:12]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        logging.getLogger(__name__).info("compiled code cannot be kept in %s: every process compiles anew", folder)
        return None


def _use_wide_vectors() -> bool:
    """Let LLVM use 512-bit vectors where the processor has them: for Intel's it would prefer half of that."""
    try:
        features = llvm.get_host_cpu_features()
    except RuntimeError:  # LLVM does not know this system
        return False
    wide = bool(features.get("avx512f")) and config.CPU_NAME is None and config.CPU_FEATURES is None
    if wide:
        config.CPU_NAME = llvm.get_host_cpu_name()
        config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"
    return wide


FOLDER = _cache_folder()
if FOLDER is not None:
    config.CACHE_DIR = str(FOLDER)
WIDE = _use_wide_vectors()

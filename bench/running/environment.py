"""Where a sweep ran: whatever could explain why its timings differ elsewhere."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.plugins import RECORDED
from bench.running.chunks import THREADS
from bench.running.code_version import code_version
from bench.running.executors import cpu_count

PACKAGES = (
    *("bench", "numpy", "numba", "llvmlite", "torch", "jax", "jaxlib"),
    *("pandas", "pyarrow", "scipy", "mlflow", "optuna", "seaborn"),
)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def environment(executor: str, workers: int, plugins: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the machine, the versions, the threads, the commit of the working folder, and the plug-ins if any."""
    return {
        "cpu": _cpu(),
        "cores": cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "threads": {
            "executor": executor,
            "workers": workers,
            "per_worker": THREADS,
            **{name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        },
        "commit": _commit(),
        **({RECORDED: dict(plugins)} if plugins else {}),
    }


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits for the code and the processor that train here: others may round otherwise."""
    known = {**code_version(loaded=True), "cpu": facts["cpu"], "system": facts["system"].rpartition(" ")[2]}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the git commit of the working folder, marked if there are changes on top of it."""
    commit = _output("git", "rev-parse", "HEAD")
    if not commit:
        return None
    return f"{commit} with changes" if _output("git", "status", "--porcelain") else commit


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

"""Which code trains here: all of bench, Python, and the libraries whose versions can change a number.

It imports the standard library only, so that a worker that lacks the rest can be asked as well.
"""

import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CODE = Path(__file__).parents[1]  # the package
PACKAGES = ("numpy", "numba", "llvmlite", "torch", "jax")


@cache
def code_version() -> dict[str, str]:
    """Return the version of bench with a hash of its sources, of Python, and of the libraries that are installed."""
    sources = hashlib.sha256()
    for file in sorted(CODE.rglob("*.py")):
        sources.update(file.relative_to(CODE).as_posix().encode() + b"\0" + file.read_bytes())
    bench = f"{_version('bench') or '?'} with code {sources.hexdigest()[:8]}"
    found = {"bench": bench, "Python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    return found | {name: installed for name in PACKAGES if (installed := _version(name))}


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Say what they have and what we have, of that which both have and which is not the same; nothing if all is."""
    other = [name for name in ours if name in theirs and theirs[name] != ours[name]]
    return ", ".join(f"{name} {theirs[name]} (here {ours[name]})" for name in other)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

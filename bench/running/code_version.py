"""Which code trains here: all of bench, Python, and the libraries whose versions can change a number.

Neither this nor `bench.plugins` imports more than the standard library, so that a worker that lacks the rest can be
asked as well.
"""

import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import plugins

CODE = Path(__file__).parents[1]  # the package
PACKAGES = ("numpy", "numba", "llvmlite", "torch", "jax")
PLUGIN = "plug-in "


def code_version(*, loaded: bool = False) -> dict[str, str]:
    """Return the versions of bench, of Python, of the libraries that are installed, and of plug-ins with backends.

    Of bench it has a hash of its sources too; of plug-ins that were not ``loaded`` it may say nothing.
    """
    found = plugins.versions(plugins.BACKEND, loaded=loaded)
    return {**_installed(), **{PLUGIN + source: version for source, version in found.items()}}


@cache
def _installed() -> dict[str, str]:
    sources = hashlib.sha256()
    for file in sorted(CODE.rglob("*.py")):
        sources.update(file.relative_to(CODE).as_posix().encode() + b"\0" + file.read_bytes())
    bench = f"{_version('bench') or '?'} with code {sources.hexdigest()[:8]}"
    found = {"bench": bench, "Python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    return found | {name: installed for name in PACKAGES if (installed := _version(name))}


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Say what they have and what we have, of that which both have and which is not the same; nothing if all is.

    Plug-ins must be the same, and there: nothing else trains what they train.
    """
    other = [
        f"{name} {theirs[name]} (here {ours[name]})" for name in ours if theirs.get(name, ours[name]) != ours[name]
    ]
    lacking = [name for name in ours if name.startswith(PLUGIN) and name not in theirs]
    return ", ".join([*other, *(f"no {name} (here {ours[name]})" for name in lacking)])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

"""Plug-ins: gates, backends, objectives and sections of the report that packages and single files add to bench.

A package names each object in an entry point of the group ``bench.gates``, ``bench.backends``, ``bench.objectives`` or
``bench.sections``; a file lists its own as ``PLUGINS``. They are `Gate`, `Objective` and `Section` records and
subclasses of `Backend`, each known by its ``name``. Files are those in the environment variable BENCH_PLUGINS, which
the processes that are started here inherit. No experiment file names one: what was downloaded runs no code.
"""

import hashlib
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from bench.errors import RequestError, raising_all

VARIABLE, LISTED = "BENCH_PLUGINS", "PLUGINS"
RECORDED = "plugins"  # what a sweep's environment keeps of them, if there are any: their `origins`
GATE, BACKEND, OBJECTIVE, SECTION = KINDS = ("gate", "backend", "objective", "section")
CLASSES = {  # of each kind, by its name: this file is below all of them, and imports none
    GATE: "bench.model.gate.Gate",
    BACKEND: "bench.backends.base.Backend",
    OBJECTIVE: "bench.metrics.objectives.Objective",
    SECTION: "bench.report.section.Section",
}
NAME = re.compile(r"[A-Za-z][\w-]*")  # a word on the command line, and an address in the page
ALLOWED = "Gate, Objective and Section records, and subclasses of Backend"
HOW = "install its package, or give its file with --plugin"


@dataclass(frozen=True)
class Plugin:
    """An object that is added: what it is, the package or the file that has it, and the version or hash of that."""

    kind: str
    name: str
    source: str
    version: str
    load: Callable[[], Any]

    @property
    def origin(self) -> str:
        """The package or the file with its version."""
        return f"{self.source} {self.version}"


_LOADED: set[Plugin] = set()


def use(*paths: str | Path) -> None:
    """Take up plug-in files, in this process and in those that it starts.

    Raises:
        RequestError: one is missing or fails, lists what is no plug-in, or a name is taken; then none is in use

    """
    before = os.environ.get(VARIABLE, "")
    more = [str(Path(path).resolve()) for path in paths]
    if split := [path for path in more if os.pathsep in path]:
        raise RequestError(f"plug-in {split[0]!r} has {os.pathsep!r} in its path; allowed is a path without")
    now = os.pathsep.join(dict.fromkeys([*map(str, files()), *more]))
    _all(now)
    os.environ[VARIABLE] = now or before


def files() -> list[Path]:
    """Return the plug-in files that are in use."""
    return _paths(os.environ.get(VARIABLE, ""))


def words() -> list[str]:
    """Return the words of a command that takes them up."""
    here = Path.cwd()
    shown = [path.relative_to(here) if path.is_relative_to(here) else path for path in files()]
    return [word for path in shown for word in ("--plugin", str(path))]


def names(kind: str, built_in: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of one kind's plug-ins; raise RequestError for those that are built in too."""
    found = _plugins(kind)
    with raising_all() as problems:
        for name in set(found).intersection(built_in):
            problems.append(f"{kind} {name!r} of {found[name].origin} is built in; allowed is another name")
    return tuple(found)


def find(kind: str, name: str) -> Any:
    """Return the object of that kind and name, None where no plug-in has it; raise RequestError if it is none."""
    one = _plugins(kind).get(name)
    if one is None:
        return None
    found = one.load()
    _LOADED.add(one)
    return found


def missing(kind: str, name: str) -> RequestError:
    """Return the error of one that a sweep was made with, and that is not here."""
    return RequestError(f"{kind} {name!r} is of a plug-in that is not here; {HOW}")


def require(kind: str, made_with: Mapping[str, str]) -> None:
    """Raise RequestError for those of a kind, among the `origins` that a sweep keeps, which are not here."""
    here = {f"{kind} {name}" for name in _plugins(kind)}
    lacking = [one for one in made_with if one.startswith(f"{kind} ") and one not in here]
    if lacking:
        raise RequestError(*(f"{one} is of {made_with[one]}, which is not here; {HOW}" for one in lacking))


def origins(used: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return where those of some kinds and names are from that plug-ins have: ``{"gate majority3": "mine.py …"}``."""
    return {f"{kind} {name}": found[name].origin for kind, name in used if name in (found := _plugins(kind))}


def versions(kind: str, *, loaded: bool = False) -> dict[str, str]:
    """Return the versions of what has plug-ins of a kind, by package or file: of all, or of those that were loaded."""
    return {one.source: one.version for one in _plugins(kind).values() if not loaded or one in _LOADED}


# ------------------------------------------------------------------ where they are


def _plugins(kind: str) -> Mapping[str, Plugin]:
    return {one.name: one for one in _all(os.environ.get(VARIABLE, "")) if one.kind == kind}


def _paths(joined: str) -> list[Path]:
    return [Path(path) for path in joined.split(os.pathsep) if path]


@cache
def _all(joined: str) -> tuple[Plugin, ...]:
    """Return the plug-ins of some files and of all packages; raise RequestError where two have one name."""
    found = [*(one for path in _paths(joined) for one in _of_file(path)), *_of_packages()]
    with raising_all() as problems:
        first: dict[tuple[str, str], Plugin] = {}
        for one in found:
            if not NAME.fullmatch(one.name):
                problems.append(f"{one.origin} has a {one.kind} {one.name!r}; allowed are letters, digits, _ and -")
            if (other := first.setdefault((one.kind, one.name), one)) is not one:
                both = f"{other.origin} and of {one.origin}"
                problems.append(f"{one.kind} {one.name!r} is of {both}; allowed is one of a name")
    return tuple(found)


def _of_file(path: Path) -> list[Plugin]:
    """Run a file; return what it lists."""
    if not path.is_file():
        raise RequestError(f"plug-in {str(path)!r} is not a file; allowed is a Python file that has {LISTED}")
    version = f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    listed = getattr(_module(path), LISTED, None)
    if not isinstance(listed, list | tuple):
        raise RequestError(f"plug-in {path.name} has {LISTED} = {listed!r}; allowed is a list of {ALLOWED}")
    with raising_all() as problems:
        for one in listed:
            if kind_of(one) is None:
                problems.append(f"plug-in {path.name} lists {one!r}; allowed are {ALLOWED}")
    return [Plugin(str(kind_of(one)), one.name, path.name, version, partial(_as_it_is, one)) for one in listed]


def _as_it_is(found: Any) -> Any:
    return found


def _module(path: Path) -> Any:
    from importlib.util import module_from_spec, spec_from_file_location

    name = f"bench_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RequestError(f"plug-in {str(path)!r} is no Python file; allowed is one that ends in .py")
    sys.modules[name] = module = module_from_spec(spec)  # where dataclasses look for it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise RequestError(f"plug-in {str(path)!r} cannot be imported: {_said(error)}") from error
    return module


def _of_packages() -> Iterator[Plugin]:
    """Yield what entry points name, without importing it."""
    from importlib.metadata import entry_points

    every = entry_points()  # read once: some milliseconds
    for kind in KINDS:
        for entry in every.select(group=f"bench.{kind}s"):
            source, version = (entry.dist.name, entry.dist.version) if entry.dist else (entry.value, "")
            yield Plugin(kind, entry.name, source, version, partial(_of_entry, entry, kind, source))


@cache
def _of_entry(entry: Any, kind: str, source: str) -> Any:
    """Import what an entry point names; raise RequestError where that fails, or is something else."""
    what = f"{kind} {entry.name!r} of the plug-in {source}"
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        raise RequestError(f"{what} cannot be imported from {entry.value}: {_said(error)}") from error
    if kind_of(found) != kind:
        raise RequestError(f"{what} is {found!r}; allowed is a {CLASSES[kind]}, of the {ALLOWED}")
    if found.name != entry.name:
        raise RequestError(f"{what} calls itself {found.name!r}; allowed is its entry point's name")
    return found


def kind_of(found: Any) -> str | None:
    """Return the kind of plug-in that an object is; None for any other object."""
    is_class = isinstance(found, type)
    classes = {f"{one.__module__}.{one.__qualname__}" for one in (found if is_class else type(found)).__mro__}
    fitting = [kind for kind in KINDS if CLASSES[kind] in classes and is_class == (kind == BACKEND)]
    return fitting[0] if fitting and isinstance(getattr(found, "name", None), str) else None


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}".removesuffix(": ")

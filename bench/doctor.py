"""Doctor of a store: what is wrong with it, and what of that is mended."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from bench.errors import RequestError
from bench.lifecycle import SweepError, write_runs_again
from bench.store.checkup import Fault, faults, unregistered
from bench.store.checkup import unlock as unlocked
from bench.store.mlflow_store import Store, StoreError, existing_store
from bench.store.names import is_there, kept_beside
from bench.store.patience import in_a_line
from bench.store.reader import find_sweep

COLUMNS = ("kind", "run", "what", "done")


@dataclass(frozen=True)
class Finding:
    """Something that was found wrong: its kind, the run that it is of, what it is, and what was done about it."""

    kind: str
    run: str
    what: str
    done: str = ""
    mended: bool = False

    @property
    def row(self) -> dict[str, object]:
        """The finding as a document has it."""
        return asdict(self)


def examine(uri: str, *, repair: bool) -> list[Finding]:
    """Return what is wrong with a store, and ``repair`` what can be: what that uncovers is found and mended, too.

    Only a repair makes a store that is not there, where something lies beside that it knew of.
    """
    if not repair:
        there = faults(Store(uri)) if is_there(uri) else unregistered(uri)
        return [Finding(one.kind, one.run, one.what) for one in there]
    store = Store(uri) if any(kept_beside(uri)) else existing_store(uri)
    found: dict[tuple[str, str, str], Finding] = {}
    while new := [one for one in faults(store) if (one.kind, one.run, one.what) not in found]:
        for one in new:
            found[one.kind, one.run, one.what] = _mended(store, one)
    return list(found.values())


def _mended(store: Store, fault: Fault) -> Finding:
    """Mend a fault; return what was done."""
    if fault.mend is None:
        return Finding(fault.kind, fault.run, fault.what, "nothing can be done")
    try:
        done = fault.mend()
        if fault.again and write_runs_again(store, fault.run):
            done = "its runs are written again"
    except (StoreError, RequestError, SweepError, OSError) as error:
        return Finding(fault.kind, fault.run, fault.what, f"not mended: {in_a_line(error)}")
    return Finding(fault.kind, fault.run, fault.what, done, mended=True)


def unlock(uri: str, sweep: str) -> str:
    """Take a sweep, given by its id or the beginning of it, from a process of another machine; return what was done."""
    store = existing_store(uri)
    found = find_sweep(store, sweep)
    return f"sweep {found[:8]} is taken from {unlocked(store, found)}"


def shown(findings: list[Finding]) -> Iterator[dict[str, str]]:
    """Yield findings as a table has them."""
    for one in findings:
        yield {"kind": one.kind, "run": one.run[:8], "what": one.what, "done": one.done}

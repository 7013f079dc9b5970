"""Spool: what a sweep writes to a server is kept in the working folder as well, until the sweep has ended.

Should the server stay away, the sweep goes on there: a spool is laid out as what a sweep keeps beside a file of SQLite,
from which its runs can be written again. What the server lacks then is delivered when the sweep goes on with it.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from bench.store import names
from bench.store.tables import count_rows

if TYPE_CHECKING:
    from bench.store.mlflow_store import Store

PART = ".part"  # at the end of the name of a file that is being written
FILES = (names.PLAN, names.ENVIRONMENT, names.COLD_STARTS)  # that a sweep goes on with, and those of these folders:
FOLDERS = (names.SHARDS, names.TIMINGS, names.MAPS)  # samples of timings after their trainings


@dataclass(frozen=True)
class Spool:
    """The spool of one sweep: a folder of its own, with a store of its own once the sweep has gone on there."""

    run_id: str
    experiment: str
    folder: Path

    @classmethod
    def of(cls, run_id: str, experiment: str) -> Self:
        """Return the spool that a sweep has, or would have, in the working folder."""
        return cls(run_id, experiment, Path.cwd() / names.SPOOL / run_id)

    @property
    def uri(self) -> str:
        """The store that the sweep goes on in."""
        return f"{names.SQLITE}{self.folder / names.DATABASE}"

    @property
    def artifacts(self) -> Path:
        """Where the sweep's files are."""
        return self.folder / names.ARTIFACTS / self.experiment / self.run_id / "artifacts"

    def drop(self) -> None:
        """Remove it, and the folder of all spools if it was the last."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # there are others
            self.folder.parent.rmdir()

    def unkept(self, error: OSError) -> str:
        """Return in a sentence that it cannot be written."""
        return (
            f"{str(self.folder)!r} cannot be written ({error.strerror or error}): should the server stay away, the "
            "sweep will end there"
        )

    def deliver(self, store: "Store") -> int:
        """Write what the server lacks of the sweep's files; return how many trainings that were."""
        files, delivered = list(self._files()), 0
        there = _sizes(store, self.run_id) if files else {}
        for name, path in files:
            if there.get(name, -1) < path.stat().st_size:  # what is shorter there was cut off
                store.write(self.run_id, name, partial(shutil.copy, path))
                delivered += count_rows(path) if name.startswith((names.SHARDS, names.MAPS)) else 0
        return delivered

    def begin(self, store: "Store", begun: Mapping[str, Any]) -> None:
        """Keep all that the server has of the sweep, how it was ``begun``, and from now on what is written."""
        here = {name: path.stat().st_size for name, path in self._files()}
        lacking = [name for name, size in _sizes(store, self.run_id).items() if here.get(name, -1) < size]
        try:
            for top in dict.fromkeys(name.partition("/")[0] for name in lacking):
                with store.artifact(self.run_id, top) as path:
                    for name in lacking:
                        if name.partition("/")[0] == top:
                            copied = path / name.removeprefix(f"{top}/") if path.is_dir() else path
                            write_whole(self.artifacts / name, partial(shutil.copy, copied))
            text = json.dumps({"store": names.DATABASE, **begun}, indent=1)
            write_whole(self.artifacts / names.BEGUN, lambda path: path.write_text(text, encoding="utf-8"))
        except OSError as error:
            self.drop()
            store.say(self.unkept(error))
        else:
            store.spools[self.run_id] = self

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Yield the files that a sweep cannot go on without, by their names, in the order in which they are written."""
        for path in (self.artifacts / name for name in FILES):
            if path.is_file():
                yield path.name, path
        for folder in FOLDERS:
            for path in sorted((self.artifacts / folder).rglob("*.parquet")):
                yield path.relative_to(self.artifacts).as_posix(), path


def _sizes(store: "Store", run_id: str) -> dict[str, int]:
    """Return the size in bytes of each of these files that a store has."""
    found, folders = dict[str, int](), list[str | None]([None])
    while folders:
        for item in store.client.list_artifacts(run_id, folders.pop()):
            if item.is_dir and item.path.partition("/")[0] in FOLDERS:
                folders.append(item.path)
            elif item.path in FILES or item.path.startswith(FOLDERS):
                found[item.path] = item.file_size or 0
    return found


def write_whole(place: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all; folders above it are made."""
    beside = place.with_name(f".{uuid4().hex}{PART}")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(beside)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)

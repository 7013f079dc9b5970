"""Optuna's journal beside the store: what its dashboard opens.

It is written and never read for decisions: it holds the trials that were told, each once, and none that is running, so
that nothing in it can be stale after a kill.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from bench.config.search_config import Search
from bench.errors import RequestError


class Journal:
    """A file of studies; appending takes milliseconds a trial, where SQLite would take tens."""

    def __init__(self, path: Path) -> None:
        """Open the file, which is created if needed; raise RequestError for one that is no journal."""
        self.path = path
        lock = _Lock(path)
        try:
            _repair(path, lock.lock)
            self._storage = JournalStorage(JournalFileBackend(str(path), lock))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # whatever the file may hold
            problem = f"Optuna's journal {str(path)!r} cannot be read ({type(error).__name__}: {error})"
            raise RequestError(f"{problem}; move it away, and a new one is begun") from error

    def study(self, name: str, search: Search, attributes: Mapping[str, str]) -> "JournalStudy":
        """Return a study of the file, created if needed."""
        return JournalStudy(name, search, self._storage, attributes)


class JournalStudy:
    """One study of the journal."""

    def __init__(self, name: str, search: Search, storage: JournalStorage, attributes: Mapping[str, str]) -> None:
        """Take up a study by its name, or begin it."""
        self._study = optuna.create_study(
            study_name=name, storage=storage, directions=list(search.directions), load_if_exists=True
        )
        self._count = len(self._study.get_trials(deepcopy=False))
        if not self._count:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._study.set_metric_names(list(search.objectives))
            for key, value in attributes.items():
                self._study.set_user_attr(key, value)

    def add(self, trial: FrozenTrial) -> None:
        """Append a trial, unless it is there; trials are told in the order of their numbers."""
        if trial.number >= self._count:
            self._study.add_trial(trial)
            self._count += 1


class _Lock:
    """What Optuna asks of a lock, by the operating system's: after a kill, Optuna's own would be waited for."""

    def __init__(self, path: Path) -> None:
        self.lock = FileLock(f"{path}.flock")

    def acquire(self) -> bool:
        """Wait for the lock."""
        self.lock.acquire()
        return True

    def release(self) -> None:
        """Give the lock back."""
        self.lock.release()


def _repair(path: Path, lock: FileLock) -> None:
    """Drop a last line that was cut off as it was written: what is appended to it could not be read.

    Raise ValueError where the line before is none of a journal's: Optuna would notice only once there is another.
    """
    if not path.is_file():
        return
    with lock, path.open("rb+") as file:
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        if text and (b'"op_code"' not in text[:20] or (whole and "op_code" not in json.loads(whole.splitlines()[-1]))):
            raise ValueError("it has lines that are no entries of a journal")
        file.truncate(len(whole))

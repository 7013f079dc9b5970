"""Owner of the machine's timing lock: whose sweep it is that others wait for, in a file beside the lock.

Not in it: whoever tries the lock may empty it. The file is there while its sweep holds the lock; what a killed process
left says when that process began, so that it is not taken for another with the same number.
"""

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.store.owner import began, runs

LONGEST = 80  # letters of a command that are shown


@dataclass(frozen=True)
class Owner:
    """A process, when it began by the system's clock, who started it, and the command that does the same again."""

    process: int
    began: str
    user: str
    command: str

    def __str__(self) -> str:
        """Say whose sweep it is."""
        command = self.command if len(self.command) <= LONGEST else f"{self.command[: LONGEST - 1]}…"
        return f"the sweep of process {self.process} ({self.user}, {command}) that is timing on this machine"


@contextmanager
def named_owner(lock: Path, command: str) -> Iterator[None]:
    """Say beside a lock that this process holds it; where that cannot be written, nobody is told."""
    own = Owner(os.getpid(), began(os.getpid()), _user(), command)
    path = lock.with_name(f"{lock.name}.{own.process}")
    with suppress(OSError):
        path.unlink(missing_ok=True)
        with path.open("x", encoding="utf-8") as file:  # never through a link that somebody else put there
            json.dump(asdict(own), file)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def owner(lock: Path) -> Owner | None:
    """Return who says that it holds a lock, if that process still runs; None where nobody does."""
    for path in sorted(lock.parent.glob(f"{lock.name}.*")):
        with suppress(OSError, ValueError, TypeError):
            found = Owner(**json.loads(path.read_text(encoding="utf-8")))
            if path.name == f"{lock.name}.{found.process}" and runs(int(found.process), found.began):
                return Owner(found.process, found.began, _printable(found.user), _printable(found.command))
    return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def _printable(text: str) -> str:
    """Return a text of somebody else's without what a terminal would take for more than letters."""
    return "".join(letter for letter in str(text) if letter.isprintable())

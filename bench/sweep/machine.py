"""One sweep at a time measures on a machine: two on the same core would each find the other's time in its own."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout

POLL_S = 0.2
SHARED = 0o666  # whoever runs the other sweep may lock the file too


def lock_path() -> Path:
    """Return the file that whoever measures on this machine keeps locked."""
    return Path(tempfile.gettempdir()) / "bench-timing.lock"


@contextmanager
def measuring(stop: Event, say: Callable[[str], None]) -> Iterator[bool]:
    """Yield once no other sweep of anybody's measures on this machine; False if ``stop`` was set before that."""
    lock = FileLock(lock_path(), mode=SHARED)
    free = _wait(lock, stop, say)
    try:
        yield free
    finally:
        lock.release()  # nothing, if it is not held


def _wait(lock: FileLock, stop: Event, say: Callable[[str], None]) -> bool:
    waiting = False
    while not stop.is_set():
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not waiting:
                say("waiting: another sweep takes its timings on this machine")
            waiting = True
            time.sleep(POLL_S)  # not stop.wait: a signal's handler must not meet the event's lock held
        except OSError as error:  # somebody else's file that may not be opened
            say(f"timings of other sweeps on this machine cannot be waited for: {error}")
            return True
        else:
            return True
    return False

"""Owner of a sweep: the process that began it, or took it up again, named so that no other is taken for it.

A process is known by its machine, its number, and when it began by that machine's clock: numbers are given again.
"""

import os
import platform
import re
from contextlib import suppress
from enum import Enum
from pathlib import Path

OWNER = re.compile(r"process (?P<process>\d+) on (?P<machine>.*?)(?:, begun at (?P<began>\d*))?")


class Whereabouts(Enum):
    """What this machine knows of an owner; one of another machine may be there or not."""

    HERE = "this process"
    ALIVE = "another process of this machine"
    ELSEWHERE = "a process of another machine"
    GONE = "a process that has ended"


def owner() -> str:
    """Return what this process is called."""
    return f"process {os.getpid()} on {platform.node()}, begun at {began(os.getpid())}"


def whereabouts(owner: str) -> Whereabouts:
    """Return what is known here of an owner; nobody is as good as gone."""
    found = OWNER.fullmatch(owner)
    if found is None:
        return Whereabouts.GONE
    if found["machine"] != platform.node():
        return Whereabouts.ELSEWHERE
    process = int(found["process"])
    if not runs(process, found["began"]):
        return Whereabouts.GONE
    return Whereabouts.HERE if process == os.getpid() else Whereabouts.ALIVE


def is_alive(owner: str) -> bool:
    """Whether that process runs on this machine, and is not this one; of another machine nothing is known."""
    return whereabouts(owner) is Whereabouts.ALIVE


def runs(process: int, when: str | None) -> bool:
    """Whether a process that began then is there, and no other that got its number; without ``when`` any is taken."""
    with suppress(PermissionError):  # somebody else's
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return False
    return when is None or began(process) == when


def began(process: int) -> str:
    """Return when a process began, in ticks since the system did; nothing where the system does not say."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        return after_name.split()[19]
    except (OSError, IndexError):
        return ""

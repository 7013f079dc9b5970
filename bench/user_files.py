"""Files that users name: read whole or refused, written whole or not at all; and the limits of what is read.

A file that is read is a regular one, no larger than its kind may be, before anything looks at what is in it: a pipe
may never end, and a parser of five megabytes of brackets takes gigabytes.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import CONTROL, RequestError

MOST_TOML_BYTES = 1_000_000  # of an experiment: a hundred times the longest of ours
MOST_CSV_BYTES = 100_000_000  # of a table: 100,000 starts of a network with 40 weights
MOST_COLUMNS = 10_000  # of a table
MOST_ROWS = 1_000_000  # of a table
MOST_KEYS = 10_000  # of a file, and of tables
MOST_DEPTH = 16  # of tables and lists within each other; our own are within four
MOST_INCLUDED = 16  # files, each included by the one before
MOST_BITS = 63  # of a whole number, beside its sign: TOML promises no more
DOTTED = re.compile(r"""(?<![\w."' \t-])[ \t]*+(?:[\w"'-]++[ \t]*+\.[ \t]*+){500}""")  # a key, a.b.c and so on
LONGEST_NAME, LONGEST_PATH = 255, 4000  # in bytes: what file systems take, and a little less


# ------------------------------------------------------------------ read


def is_file(path: Path) -> bool:
    """Whether there is something by that name that is no folder; no name is too long to be asked for."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # too long, or with a null byte
        return False


def read_text(path: Path, most: int) -> str:
    """Return the text of a regular file in UTF-8 of at most so many bytes; raise OSError or ValueError otherwise."""
    check_readable(path, most)
    return path.read_text(encoding="utf-8-sig")


def check_readable(path: Path, most: int) -> None:
    """Raise ValueError for what is no regular file, or larger than so many bytes: nothing of it is read."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"it is {_kind(status.st_mode)}; allowed are regular files")
    if status.st_size > most:
        raise ValueError(f"it has {status.st_size:,} bytes; allowed are {most:,}")


def _kind(mode: int) -> str:
    """Return what a file is that is no regular one."""
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), "a socket")


def read_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text says; raise ValueError for what is none, and for what is beyond the limits."""
    if DOTTED.search(text):  # for which tomllib takes the square in time
        raise ValueError(_too_deep())
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    check_content(content)
    return content


def check_content(content: Mapping[str, Any]) -> None:
    """Raise ValueError for what lies too deep, for too many keys, and for whole numbers with too many digits."""
    keys, level = 0, [content]  # what is one level deep, then what is in that: no recursion, however deep it is
    for _ in range(MOST_DEPTH):
        within: list[Any] = []
        for one in level:
            keys += 1 + len(one) if isinstance(one, Mapping) else 0
            for item in one.values() if isinstance(one, Mapping) else one:
                if isinstance(item, Mapping | list | tuple):
                    within.append(item)
                elif isinstance(item, int) and item.bit_length() > MOST_BITS:
                    raise ValueError(f"a whole number has {item.bit_length():,} bits; allowed are {MOST_BITS}")
        if keys > MOST_KEYS:
            raise ValueError(f"it has more than {MOST_KEYS:,} keys and tables; allowed are no more")
        if not within:
            return
        level = within
    raise ValueError(_too_deep())


def _too_deep() -> str:
    return f"lists and tables lie too deep in each other; allowed are {MOST_DEPTH} levels"


# ------------------------------------------------------------------ written


class OutputError(RequestError):
    """A file that could not be written, though nothing spoke against it before: what was there before is still."""


def check_output(path: Path, *suffixes: str) -> None:
    """Raise RequestError for an output file that cannot be written, before any work."""
    if path.suffix not in suffixes:
        raise RequestError(f"output {str(path)!r} ends in {path.suffix!r}; allowed are {', '.join(suffixes)}")
    check_name(path, f"output {str(path)!r}")
    try:
        if path.is_symlink() and not path.exists():
            raise RequestError(f"output {str(path)!r} is a link to nothing; allowed is one to a file that exists")
        target = _target(path)
        if target.exists() and not target.is_file():
            kind = _kind(target.stat().st_mode)
            raise RequestError(f"output {str(path)!r} is {kind}; allowed are regular files, and new ones")
        if target.exists() and not os.access(target, os.W_OK):
            raise RequestError(f"output {str(path)!r} may not be written to; allowed is a file that may")
        check_folder(target.parent, f"output {str(path)!r}")
    except OSError as error:
        raise RequestError(f"output {str(path)!r} cannot be written: {_why(error)}") from error


def check_folder(folder: Path, what: str) -> None:
    """Raise RequestError unless a file can be written there, or the folder made."""
    while not folder.exists():
        if folder.is_symlink():
            raise RequestError(f"{what} cannot be written: {str(folder)!r} is a link to nothing")
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise RequestError(f"{what} cannot be written: {str(folder)!r} is not a folder that one may write to")


def check_name(path: Path, what: str) -> None:
    """Raise RequestError for a name that no file can have, or that is no text."""
    if CONTROL.search(str(path)):
        raise RequestError(f"{what} is not plain text; allowed is a name without control characters")
    longest = max((len(part.encode()) for part in path.parts), default=0)
    size = len(str(path).encode())
    if longest > LONGEST_NAME or size > LONGEST_PATH:
        given = f"{what} has a name of {longest:,} bytes, in a path of {size:,}"
        raise RequestError(f"{given}; allowed are {LONGEST_NAME}, and {LONGEST_PATH:,}")


FORMULA = re.compile(r"[=@\t\r]|[-+].*[(|!]")  # what a spreadsheet would compute, or worse


def as_text(value: Any) -> Any:
    """Return a cell of a CSV file so that no spreadsheet takes it for a formula: text only, after an apostrophe."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a path beside a file, which gets its name when it is whole: what was there before stays until then.

    Its folder is made, and a link stays a link. Raises OutputError where the file cannot be written.
    """
    try:
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{os.urandom(8).hex()}{target.suffix}")
        try:
            yield beside
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"output {str(path)!r} cannot be written: {_why(error)}") from error


def _target(path: Path) -> Path:
    """Return the file itself where a path is a link."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _why(error: OSError) -> str:
    return error.strerror or str(error)

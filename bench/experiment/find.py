"""Where experiment files are: a path, ``./experiments/``, or those that come with bench."""

import contextlib
from pathlib import Path

from bench.errors import RequestError, unknown

PACKAGE = Path(__file__).resolve().parent.parent
FOLDERS = (Path("experiments"), PACKAGE.parent / "experiments", PACKAGE / "experiments")  # last: in a wheel


def experiments() -> dict[str, Path]:
    """Return every experiment's file by name; one in the working folder hides bench's own of that name."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def find_experiment(name: str) -> Path:
    """Return the file of an experiment given by name or path; raise RequestError if there is none."""
    with contextlib.suppress(OSError):  # a name too long for any file
        if Path(name).is_file():
            return Path(name)
    known = experiments()
    if name in known:
        return known[name]
    if name.endswith(".toml") or "/" in name:
        raise RequestError(f"experiment file {name!r} does not exist; allowed are a path or one of {', '.join(known)}")
    raise RequestError(unknown("experiment", name, known))

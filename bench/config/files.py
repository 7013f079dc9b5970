"""Experiment files: where they lie, and what they are called. Nothing heavy is imported: a list of them is quick."""

from pathlib import Path

from bench.errors import RequestError, unknown
from bench.user_files import MOST_TOML_BYTES, is_file, read_text, read_toml

PACKAGE = Path(__file__).resolve().parent.parent
PAPERS = "papers"  # a folder of experiments, each about something published
FOLDERS = (Path("experiments"), PACKAGE.parent / "experiments", PACKAGE / "experiments")  # last: in a wheel


def experiments() -> dict[str, Path]:
    """Return every experiment's file by name; one in the working folder hides bench's own of that name."""
    return _files("") | {f"{PAPERS}/{name}": path for name, path in papers().items()}


def papers() -> dict[str, Path]:
    """Return the files of all experiments about papers by name."""
    return _files(PAPERS)


def _files(within: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in sorted((folder / within).glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def find_experiment(name: str) -> Path:
    """Return the file of an experiment given by name or path; raise RequestError if there is none."""
    if is_file(Path(name)):
        return Path(name)
    known = experiments()
    if name in known:
        return known[name]
    if name.endswith(".toml") or "/" in name:
        raise RequestError(f"experiment file {name!r} does not exist; allowed are a path or one of {', '.join(known)}")
    raise RequestError(unknown("experiment", name, known))


def title_of(path: Path) -> str:
    """Return the title of an experiment's file, or why there is none to be read."""
    try:
        title = read_toml(read_text(path, MOST_TOML_BYTES)).get("title", "")
    except (OSError, ValueError) as error:
        return f"(cannot be read: {path.name}: {str(error).splitlines()[0]})"
    return title if isinstance(title, str) else f"(cannot be read: {path.name}: title is {title!r})"

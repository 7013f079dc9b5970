"""Experiment files: where they are, their shape, and what is wrong with one in words."""

import contextlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.config.claims import AnyClaim, fields_of
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


# ------------------------------------------------------------------ schema


class File(BaseModel):
    """The keys of an experiment file; blocks and searches are read value by value, elsewhere."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    about: str = ""
    include: list[str] = []
    defaults: dict[str, Any] = {}
    grid: list[dict[str, Any]] = Field(default_factory=list)
    claim: list[AnyClaim] = Field(default_factory=list)
    search: dict[str, Any] | None = None


def parse(path: Path, problems: list[str]) -> File:
    """Read a file, noting what is wrong with its shape; the keys that are wrong are left out of what is returned."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:  # tomllib's and Unicode's errors are ValueErrors
        problems.append(f"{path.name}: not a TOML file: {error}")
        return File()
    return read_content(content, path.name, problems)


def read_content(content: Mapping[str, Any], name: str, problems: list[str]) -> File:
    """Check the keys of a file's content, as `parse` does; ``name`` says in messages whose content it is."""
    try:
        return File.model_validate(content)
    except ValidationError as error:
        wrong = error.errors()
        problems += [f"{name}: {_sentence(problem, content)}" for problem in wrong]
    return File.model_validate(
        {name: value for name, value in content.items() if name not in {p["loc"][0] for p in wrong}}
    )


def title_of(path: Path) -> str:
    """Return the title of an experiment file, or what is wrong with it."""
    problems: list[str] = []
    title = parse(path, problems).title
    return f"(cannot be read: {problems[0]})" if problems else title


def _sentence(problem: Any, content: Mapping[str, Any]) -> str:
    """Turn one of pydantic's problems into what, got, allowed."""
    top, *rest = problem["loc"]
    if problem["type"] == "extra_forbidden" and not rest:
        return unknown("key", top, File.model_fields)
    if top == "search":
        got = "a list, as [[search]] makes it" if isinstance(problem["input"], list) else repr(problem["input"])
        return f"search is {got}; allowed is one table, [search]"
    # pydantic names the kind of claim after its number, and dictionary keys after their values
    words = [str(part + 1) if isinstance(part, int) else part for part in rest if part != "[key]"]
    if top == "claim" and len(words) > 1:
        del words[1]
    place = " ".join([top, *words[:1]]) + (f": {'.'.join(words[1:])}" if words[1:] else "")
    if problem["type"] == "extra_forbidden":
        kind = content["claim"][rest[0]]
        return f"claim {words[0]}: {unknown('key', words[-1], fields_of(kind))}"
    if problem["type"] == "missing":
        return f"{place} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{place}: {message}"
    return f"{place} is {problem['input']!r}: {message[0].lower()}{message[1:]}"

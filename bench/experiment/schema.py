"""The shape of an experiment file, and what is wrong with one in words."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import unknown
from bench.experiment.claim import AnyClaim, fields_of


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
    try:
        return File.model_validate(content)
    except ValidationError as error:
        wrong = error.errors()
        problems += [f"{path.name}: {_sentence(problem, content)}" for problem in wrong]
    return File.model_validate(
        {name: value for name, value in content.items() if name not in {p["loc"][0] for p in wrong}}
    )


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

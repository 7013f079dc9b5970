"""The experiment file: read, overridden, and checked whole, so that all its mistakes come at once."""

import shlex
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import RequestError, unknown
from bench.experiment.claim import AnyClaim, Claim
from bench.experiment.search import Search, read_search
from bench.experiment.seeds import read_seeds
from bench.problem.gate import read_csv
from bench.problem.parameters import ParameterError, flag
from bench.problem.trial import PARAMETERS, read

DEFAULT_SEEDS = "0:20"
BLOCK_KEYS = ("seeds", "alone", "title")  # beside the trial parameters
ADHOC = "adhoc"


@dataclass(frozen=True)
class Block:
    """One ``[[grid]]``: lists of values whose cross product are trials, and the seeds each is trained with."""

    title: str
    axes: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    alone: bool


@dataclass(frozen=True)
class Experiment:
    """A question: its words, its grid and its claims, all checked."""

    name: str
    title: str
    about: str
    blocks: tuple[Block, ...]
    claims: tuple[tuple[Claim, range], ...]  # each with the places of the blocks that it speaks of: its file's own
    request: tuple[str, ...]
    claims_left_out: bool = False
    search: Search | None = None

    @property
    def command(self) -> str:
        """The command line that asks this again."""
        return shlex.join(["python", "-m", "bench", "sweep", *self.request])


class _File(BaseModel):
    """The keys of an experiment file; blocks are checked by the parameters' own readers."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    about: str = ""
    include: list[str] = []
    defaults: dict[str, Any] = {}
    grid: list[dict[str, Any]] = Field(default_factory=list)
    claim: list[AnyClaim] = Field(default_factory=list)
    search: dict[str, Any] = {}


def read_experiment(path: Path, overrides: Mapping[str, list[Any]], request: Sequence[str]) -> Experiment:
    """Read an experiment file with overrides in place; raise RequestError with every problem of the file.

    Overrides change what the file asks, so its claims, which speak of the file as written, are left out.
    """
    file = _parse(path)
    problems: list[str] = []
    blocks = _blocks(file, overrides, path.parent, problems)
    claims: list[tuple[Claim, range]] = [(claim, range(len(blocks))) for claim in file.claim]
    for name in file.include:
        included = read_experiment(_beside(path, name), overrides, request)
        start = len(blocks)
        claims += [(claim, range(start + own.start, start + own.stop)) for claim, own in included.claims]
        blocks += included.blocks
    search = read_search(file.search, file.defaults, overrides, problems)
    if not blocks and not search and not problems:
        problems.append("there is no [[grid]] and no [search]; allowed is at least one of them")
    ids = Counter(claim.id for claim, _ in claims)
    problems += [
        f"claim id {name!r} is used {count} times; allowed is once" for name, count in ids.items() if count > 1
    ]
    if problems:
        raise RequestError(*(f"{path.name}: {problem}" for problem in problems))
    return Experiment(
        name=path.stem,
        title=file.title or path.stem,
        about=file.about.strip(),
        blocks=tuple(blocks),
        claims=() if overrides else tuple(claims),
        request=tuple(request),
        claims_left_out=bool(overrides and claims),
        search=search,
    )


def adhoc(overrides: Mapping[str, list[Any]], request: Sequence[str], folder: Path) -> Experiment:
    """Return the experiment that overrides alone describe."""
    problems: list[str] = []
    blocks = _blocks(_File(grid=[{}]), overrides, folder, problems)
    if problems:
        raise RequestError(*problems)
    return Experiment(ADHOC, " ".join(request), "", tuple(blocks), (), tuple(request))


def read_overrides(words: Sequence[str]) -> dict[str, list[Any]]:
    """Read ``key=value[,value...]`` words; raise RequestError with every malformed or repeated one."""
    overrides: dict[str, list[Any]] = {}
    problems = []
    for word in words:
        key, _, text = word.partition("=")
        if key in overrides:
            problems.append(f"{key} is given twice; allowed is once, with its values separated by commas")
        elif key not in PARAMETERS and key not in BLOCK_KEYS[:2]:
            problems.append(unknown("parameter", key, [*PARAMETERS, *BLOCK_KEYS[:2]]))
        elif not all(part.strip() for part in text.split(",")):
            problems.append(f"{word!r} has an empty value; allowed is key=value[,value...]")
        overrides[key] = [text] if key == "seeds" else [_literal(part.strip()) for part in text.split(",")]
    if problems:
        raise RequestError(*problems)
    return overrides


def _literal(text: str) -> Any:
    """Read a TOML literal (0.05, 50_000, true); anything else is a string."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def _parse(path: Path) -> _File:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"{path.name}: not a TOML file: {error}") from error
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise RequestError(*(f"{path.name}: {_sentence(problem)}" for problem in error.errors())) from error


def _sentence(problem: Any) -> str:
    """Turn one of pydantic's problems into what, got, allowed."""
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in problem["loc"])
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        return unknown("key", place, _File.model_fields)
    if problem["type"] == "extra_forbidden":
        return f"{place} is not a key of this kind of claim"
    if problem["type"] == "missing":
        return f"{place} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place} is {problem['input']!r}: {message[0].lower()}{message[1:]}"


def _beside(path: Path, name: str) -> Path:
    included = path.parent / f"{name}.toml"
    if not included.is_file():
        raise RequestError(f"{path.name}: include {name!r} is not a file; allowed are names of files beside it")
    return included


def _blocks(file: _File, overrides: Mapping[str, list[Any]], folder: Path, problems: list[str]) -> list[Block]:
    """Return the grid's blocks: a block's own values over the defaults, overrides over both."""
    return [
        _block({**file.defaults, **grid, **overrides}, f"grid {place}", folder, problems)
        for place, grid in enumerate(file.grid, 1)
    ]


def _block(values: Mapping[str, Any], what: str, folder: Path, problems: list[str]) -> Block:
    axes: dict[str, list[Any]] = {}
    for name, value in values.items():
        if name in BLOCK_KEYS:
            continue
        if name not in PARAMETERS:
            problems.append(f"{what}: {unknown('parameter', name, [*PARAMETERS, *BLOCK_KEYS])}")
            continue
        listed = value if isinstance(value, list) else [value]
        if not listed:
            problems.append(f"{what}: {name} is an empty list; allowed is at least one value")
        axes[name] = [got for item in listed for got in _read(name, item, folder, what, problems)]
    return Block(
        title=str(values.get("title", "")),
        axes=axes,
        seeds=_try(lambda: read_seeds(_single(values.get("seeds", "0:20"))), range(20), what, problems),
        alone=_try(lambda: flag("alone", _single(values.get("alone", False))), False, what, problems),
    )


def _single(value: Any) -> Any:
    """Return the one value of a list of one, as overrides arrive; anything else as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _read(name: str, value: Any, folder: Path, what: str, problems: list[str]) -> list[Any]:
    """Read one value of an axis; a .csv path is looked for beside the file, then in the working folder."""
    if name == "gate" and str(value).lower().endswith(".csv"):
        path = folder / str(value)
        try:
            return [read_csv(path if path.is_file() else Path(str(value)))]
        except RequestError as error:
            problems += [f"{what}: {problem}" for problem in error.problems]
            return []
    found: list[Any] = _try(lambda: [read(PARAMETERS[name], value)], [], what, problems)
    return found


def _try(reading: Any, otherwise: Any, what: str, problems: list[str]) -> Any:
    try:
        return reading()
    except ParameterError as problem:
        problems.append(f"{what}: {problem}")
        return otherwise

"""Experiments: where their files are, their shape, and reading one whole, so that all mistakes come at once."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench import plugins
from bench.config.claims import BEST, AnyClaim, Claim, FigureClaim, TrainingClaim, fields_of
from bench.config.map_config import read_map
from bench.config.search_config import Search
from bench.config.search_parsing import read_search
from bench.config.seeds import Until
from bench.config.values import Block, Overrides, block_readers, read_table
from bench.errors import collecting, raising_all, unknown
from bench.model.consistency import without_effect
from bench.model.maps import Map
from bench.model.trial import PARAMETERS
from bench.user_files import MOST_INCLUDED, MOST_TOML_BYTES, check_content, is_file, read_text, read_toml

ADHOC = "adhoc"


@dataclass(frozen=True)
class Experiment:
    """A question: its words, its grid, its maps, its search and its claims, all checked."""

    name: str
    title: str
    about: str
    blocks: tuple[Block, ...]
    claims: tuple[tuple[Claim, range], ...]  # each with the places of the blocks that it speaks of: its file's own
    request: tuple[str, ...]
    claims_left_out: bool = False
    parameter: str = ""  # that the question is about, where the file says so
    search: Search | None = None
    maps: tuple[Map, ...] = ()
    until: Until | None = None
    verb: str = "sweep"  # the command that asks it
    script: str = (
        ""  # the line of Python that asks it, where only Python can: with --resume among its words, it resumes
    )

    @property
    def command(self) -> str:
        """The command line that asks this again."""
        if self.script:
            return shlex.join(["python", "-c", self.script])
        more = [*(self.until.request if self.until else ()), *plugins.words()]
        return shlex.join(["python", "-m", "bench", self.verb, *self.request, *more])


def python_line(content: Mapping[str, Any], words: Sequence[str], *options: str) -> str:
    """Return the line of Python that asks what no command line can: the content of a file, and words that change it."""
    arguments = [repr(dict(content)), *map(repr, words), *options, "resume='--resume' in sys.argv"]
    return f"import bench, sys; bench.sweep({', '.join(arguments)})"


def again_command(parameters: Mapping[Any, Any], words: Sequence[str], content: Mapping[str, Any]) -> str:
    """Return the command that trains one trial or map again: words alone, or words that change the content of a file.

    The latter where some of its parameters change nothing: words alone would be refused.
    """
    given = {word.partition("=")[0] for word in words}
    if given.intersection(without_effect(parameters)):
        return shlex.join(["python", "-c", python_line(content, words)])
    return shlex.join(["python", "-m", "bench", "sweep", *words, *plugins.words()])


# ------------------------------------------------------------------ files


class Asked(BaseModel):
    """What an experiment asks: what one parameter of its grid does."""

    model_config = ConfigDict(extra="forbid")

    parameter: str = ""


class File(BaseModel):
    """The keys of an experiment file; the values of its blocks and of its search are read key by key."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    about: str = ""
    question: Asked = Field(default_factory=Asked)
    include: list[str] = []
    defaults: dict[str, Any] = {}
    grid: list[dict[str, Any]] = Field(default_factory=list)
    map: list[dict[str, Any]] = Field(default_factory=list)
    claim: list[AnyClaim] = Field(default_factory=list)
    search: dict[str, Any] | None = None


def _read_file(path: Path, problems: list[str], content: Mapping[str, Any] | None = None) -> File:
    """Read a file, noting what is wrong with its shape; the keys that are wrong are left out of what is returned.

    With ``content`` it is that of the file, which need not exist.
    """
    try:
        if content is None:
            content = read_toml(read_text(path, MOST_TOML_BYTES))
        else:
            check_content(content)
    except (ValueError, OSError) as error:  # tomllib's and Unicode's errors are ValueErrors
        problems.append(f"{path.name}: not a TOML file: {error}")
        return File()
    try:
        return File.model_validate(content)
    except ValidationError as error:
        wrong = error.errors()
    problems += [f"{path.name}: {_sentence(problem, content)}" for problem in wrong]
    keys = {problem["loc"][0] for problem in wrong}
    return File.model_validate({key: value for key, value in content.items() if key not in keys})


def _brackets(top: str, given: Any) -> str:
    """Say how many brackets a table has."""
    if top == "question":
        return f'question is {given!r}; allowed is a table such as {{ parameter = "momentum" }}'
    if top == "search":
        got = "a list, as [[search]] makes it" if isinstance(given, list) else repr(given)
        return f"search is {got}; allowed is one table, [search]"
    return f"{top} is a table, [{top}]; allowed are lists of them, each written [[{top}]]"


def _sentence(problem: Any, content: Mapping[str, Any]) -> str:
    """Turn one of pydantic's problems into what, got, allowed."""
    top, *rest = problem["loc"]
    if problem["type"] == "extra_forbidden" and not rest:
        return unknown("key", top, File.model_fields)
    if top == "search" or (not rest and (top == "question" or isinstance(problem["input"], dict))):
        return _brackets(top, problem["input"])
    # pydantic names the kind of claim after its number, and dictionary keys after their values
    words = [str(part + 1) if isinstance(part, int) else part for part in rest if part != "[key]"]
    if top == "claim" and len(words) > 1:
        del words[1]
    place = " ".join([top, *words[:1]]) + (f": {'.'.join(words[1:])}" if words[1:] else "")
    if problem["type"] == "extra_forbidden":
        where, fields = (
            (f"claim {words[0]}", fields_of(content["claim"][rest[0]])) if top == "claim" else (top, Asked.model_fields)
        )
        return f"{where}: {unknown('key', words[-1], fields)}"
    if problem["type"] == "missing":
        return f"{place} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{place}: {message}"
    return f"{place} is {problem['input']!r}: {message[0].lower()}{message[1:]}"


# ------------------------------------------------------------------ reading


@dataclass
class _Collected:
    """Blocks, maps and claims of a file and of those that it includes, and all that is wrong with them."""

    overrides: Overrides
    problems: list[str]
    blocks: list[Block] = field(default_factory=list)
    claims: list[tuple[Claim, range]] = field(default_factory=list)
    maps: list[Map] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)

    def add(
        self, path: Path, content: Mapping[str, Any] | None = None, above: tuple[Path, ...] = ()
    ) -> tuple[File, Search | None]:
        """Add a file's blocks, maps and claims, and those of the files that it includes; return it, and its search."""
        problems: list[str] = []
        self.seen.add(path.resolve())
        file = _read_file(path, self.problems, content)
        readers, start = block_readers(path.parent), len(self.blocks)
        defaults = read_table(file.defaults, readers, "defaults: ", problems)
        for place, table in enumerate(file.grid, 1):
            own = read_table(table, readers, f"grid {place}: ", problems)
            values = {**defaults, **own}
            if own.get("rounds") is not None and values.get("alone", False) is False:
                problems.append(f"grid {place}: rounds is {own['rounds']}, which needs alone = true")
            given = () if self.overrides.values else own  # what is changed may leave a file's own without effect
            self.blocks.append(Block.of({**values, **self.overrides.values}, f"{path.name}: grid {place}: ", given))
        if defaults.get("rounds") is not None and not any(block.alone for block in self.blocks[start:]):
            problems.append(f"defaults: {_nothing_alone(defaults['rounds'])}")
        for place, table in enumerate(file.map, 1):
            with collecting(problems, f"map {place}: "):
                self.maps.append(read_map(table, defaults, self.overrides.of_maps, path.parent))
        span = range(start, len(self.blocks))
        for claim in file.claim:
            self.claims += [(one, span) for one in (claim.variants() if isinstance(claim, TrainingClaim) else [claim])]
        search = None
        if file.search is not None and above:
            problems.append("there is a [search]; allowed in an included file are [[grid]], [[map]] and [[claim]]")
        elif file.search is not None:
            search = read_search(file.search, defaults, self.overrides, path.parent, problems)
        for name in file.include:
            self._include(name, path, above, problems)
        self.problems += [f"{path.name}: {problem}" for problem in problems]
        return file, search

    def _include(self, name: str, path: Path, above: tuple[Path, ...], problems: list[str]) -> None:
        included = path.parent / f"{name}.toml"
        if not is_file(included):
            problems.append(f"include {name!r} is not a file; allowed are names of files beside it")
        elif len(above) >= MOST_INCLUDED:
            problems.append(f"include {name!r} is included by {len(above)} others; allowed are {MOST_INCLUDED}")
        elif included.resolve() in (path.resolve(), *above):
            problems.append(f"include {name!r} includes this file; allowed is one that does not")
        elif included.resolve() not in self.seen:
            self.add(included, above=(path.resolve(), *above))


def read_experiment(
    path: Path, overrides: Overrides, request: Sequence[str], content: Mapping[str, Any] | None = None
) -> Experiment:
    """Read an experiment file with overrides in place; raise RequestError with every problem of the file.

    Overrides change what the file asks, so its claims, which speak of the file as written, are left out. With
    ``content`` it is that of the file, which need not exist.
    """
    with raising_all() as problems:
        found = _Collected(overrides, problems)
        file, search = found.add(path, content)
        problems.extend(
            [] if problems else _misplaced_of_maps(found, search, path.name) or _misplaced(found, search, path.name)
        )
        problems.extend(_unasked(file.question.parameter, found.blocks, path.name) if not overrides else [])
        ids = Counter(claim.id for claim, _ in found.claims)
        problems.extend(
            f"{path.name}: claim id {name!r} is used {count} times; allowed is once"
            for name, count in ids.items()
            if count > 1
        )
    return Experiment(
        name=path.stem,
        title=file.title or path.stem,
        about=file.about.strip(),
        blocks=tuple(found.blocks),
        claims=() if overrides else tuple(found.claims),
        request=tuple(request),
        claims_left_out=bool(overrides and found.claims),
        parameter=file.question.parameter if _varies(file.question.parameter, found.blocks) else "",
        search=search,
        maps=tuple(found.maps),
    )


def adhoc(overrides: Overrides, request: Sequence[str]) -> Experiment:
    """Return the experiment that overrides alone describe: a grid, a map or a search where there is anything of one."""
    with raising_all() as problems:
        found = _Collected(overrides, problems)
        search = read_search({}, {}, overrides, Path(), problems) if overrides.searched else None
        if overrides.maps and not overrides.searched:
            with collecting(problems, "map: "):
                found.maps.append(read_map({}, {}, overrides.of_maps, Path()))
        elif not overrides.searched:
            found.blocks.append(Block.of(overrides.values, given=overrides.values))
        problems.extend(
            [] if problems else _misplaced_of_maps(found, search, ADHOC) or _misplaced(found, search, ADHOC)
        )
    blocks, maps = tuple(found.blocks), tuple(found.maps)
    return Experiment(ADHOC, " ".join(request), "", blocks, (), tuple(request), search=search, maps=maps)


def _varies(name: str, blocks: Sequence[Block]) -> bool:
    """Whether a parameter has several values in a grid."""
    return len({repr(value) for block in blocks for value in block.axes.get(name, ())}) > 1


def _unasked(name: str, blocks: Sequence[Block], where: str) -> list[str]:
    """Return what is said of a question about a parameter that does not vary."""
    if not name or _varies(name, blocks):
        return []
    varied = [other for other in PARAMETERS if _varies(other, blocks)]
    given = f"{where}: question: parameter is {name!r}"
    return [f"{given}; allowed are those that vary in the grid, {', '.join(varied) or 'of which there is none'}"]


def _misplaced(found: _Collected, search: Search | None, where: str) -> list[str]:
    """Return what is said of what is not there: a search, a grid, a map, or a block that is alone."""
    changed, blocks = found.overrides, found.blocks
    if not blocks and search is None and not found.maps:
        return [f"{where}: there is no [[grid]], no [[map]] and no [search]; allowed is at least one of them"]
    if search is None and changed.searched:
        given = f"{', '.join(changed.searched)}: there is no [search] in {where}"
        return [f"{given}; allowed are ranges and search.KEY with a file that has one, or with no file"]
    if not blocks and "seeds" in changed.values and "seeds" in changed.options:
        return ["seeds and search.seeds are both given; allowed is one of them: there is no grid"]
    timed = [name for name in ("alone", "rounds") if name in changed.values]
    if not blocks and timed:
        return [f"{' and '.join(timed)} cannot be given to a {'map' if found.maps else 'search'}; allowed is a grid's"]
    if "rounds" in changed.values and not any(block.alone for block in blocks):
        return [_nothing_alone(changed.values["rounds"])]
    return [  # of a search's trials nothing is known beforehand
        f"claim {claim.id!r}: there is no [[grid]] in its file; allowed are claims about trials of a [[grid]]"
        " and, with a search, about its { best = 1 }"
        for claim, own in found.claims
        if not own and not (search and BEST in claim.where) and not (isinstance(claim, FigureClaim) and claim.map)
    ]


def _misplaced_of_maps(found: _Collected, search: Search | None, where: str) -> list[str]:
    """Return what is said of options of maps where there is none, and of seeds where nothing else takes them."""
    changed = found.overrides
    if changed.maps and not found.maps:
        given = ", ".join(f"map.{name}" for name in changed.maps)
        if changed.searched:
            return [f"{given}: {', '.join(changed.searched)} makes it a search; allowed beside a map are single values"]
        return [f"{given}: there is no [[map]] in {where}; allowed with a file that has one, or with no file"]
    if found.maps and not found.blocks and search is None and "seeds" in changed.values:
        return ["seeds are given, and there is no grid; allowed for a map's origin is map.seed"]
    return []


def _nothing_alone(rounds: int) -> str:
    return f"rounds is {rounds}, which needs a block with alone = true, and there is none"

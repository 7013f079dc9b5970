"""An experiment: its file with what the command line changes, checked whole, so that all mistakes come at once."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.config.claims import Claim, OfOne
from bench.config.experiment_file import parse, read_content
from bench.config.overrides import WORDS, read_given, unknown_word
from bench.config.search_config import Search
from bench.config.search_options import read_search
from bench.config.until import Until
from bench.config.values import Block, Values, read_values
from bench.errors import RequestError

ADHOC = "adhoc"


@dataclass(frozen=True)
class Experiment:
    """A question: its words, its grid, its search and its claims, all checked."""

    name: str
    title: str
    about: str
    blocks: tuple[Block, ...]
    claims: tuple[tuple[Claim, range], ...]  # each with the places of the blocks that it speaks of: its file's own
    request: tuple[str, ...]
    claims_left_out: bool = False
    search: Search | None = None
    until: Until | None = None
    script: str = (
        ""  # the line of Python that asks it, where only Python can: with --resume among its words, it resumes
    )

    @property
    def command(self) -> str:
        """The command line that asks this again."""
        if self.script:
            return shlex.join(["python", "-c", self.script])
        more = self.until.request if self.until else []
        return shlex.join(["python", "-m", "bench", "sweep", *self.request, *more])


@dataclass
class _Gathered:
    """Blocks and claims of a file and of those that it includes, and all that is wrong with them."""

    blocks: list[Block] = field(default_factory=list)
    claims: list[tuple[Claim, range]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)


def read_experiment(
    path: Path, overrides: Values, request: Sequence[str], content: Mapping[str, Any] | None = None
) -> Experiment:
    """Read an experiment file with overrides in place; raise RequestError with every problem of the file.

    Overrides change what the file asks, so its claims, which speak of the file as written, are left out. With
    ``content`` it is that of the file, which need not exist.
    """
    gathered = _Gathered()
    title, about, search = _gather(path, overrides, gathered, (), content)
    problems = gathered.problems
    if not gathered.blocks and not search and not problems:
        problems.append(f"{path.name}: there is no [[grid]] and no [search]; allowed is at least one of them")
    if not problems:
        problems += _misplaced(overrides, gathered.blocks, search, path.name)
    if not problems:
        problems += _of_no_grid(gathered.claims)
    if overrides.rounds is not None and not problems and not any(block.alone for block in gathered.blocks):
        problems.append(_nothing_alone(overrides.rounds))
    ids = Counter(claim.id for claim, _ in gathered.claims)
    problems += [
        f"{path.name}: claim id {name!r} is used {count} times; allowed is once"
        for name, count in ids.items()
        if count > 1
    ]
    if problems:
        raise RequestError(*problems)
    return Experiment(
        name=path.stem,
        title=title or path.stem,
        about=about.strip(),
        blocks=tuple(gathered.blocks),
        claims=() if overrides else tuple(gathered.claims),
        request=tuple(request),
        claims_left_out=bool(overrides and gathered.claims),
        search=search,
    )


def _gather(
    path: Path,
    overrides: Values,
    gathered: _Gathered,
    above: tuple[Path, ...],
    content: Mapping[str, Any] | None = None,
) -> tuple[str, str, Search | None]:
    """Add a file's blocks and claims, and those of the files that it includes; return its words and its search."""
    problems: list[str] = []
    gathered.seen.add(path.resolve())
    file = parse(path, gathered.problems) if content is None else read_content(content, path.name, gathered.problems)
    defaults = read_values(file.defaults, "defaults", path.parent, problems)
    start = len(gathered.blocks)
    for place, table in enumerate(file.grid, 1):
        own = read_values(table, f"grid {place}", path.parent, problems)
        if own.rounds is not None and not own.over(defaults).alone:
            problems.append(f"grid {place}: rounds is {own.rounds}; allowed is with alone = true")
        gathered.blocks.append(overrides.over(own.over(defaults)).block(f"{path.name}: grid {place}"))
    if defaults.rounds is not None and not any(block.alone for block in gathered.blocks[start:]):
        problems.append(f"defaults: {_nothing_alone(defaults.rounds)}")
    span = range(start, len(gathered.blocks))
    gathered.claims += [
        (each, span) for claim in file.claim for each in (claim.variants() if isinstance(claim, OfOne) else [claim])
    ]
    search = None
    if file.search is not None and not above:
        search = read_search(file.search, defaults, overrides, path.parent, problems)
    elif file.search is not None:
        problems.append("there is a [search]; allowed in an included file are [[grid]] and [[claim]]")
    for name in file.include:
        included = path.parent / f"{name}.toml"
        if not included.is_file():
            problems.append(f"include {name!r} is not a file; allowed are names of files beside it")
        elif included.resolve() in (path.resolve(), *above):
            problems.append(f"include {name!r} includes this file; allowed is one that does not")
        elif included.resolve() not in gathered.seen:
            _gather(included, overrides, gathered, (path.resolve(), *above))
    gathered.problems += [f"{path.name}: {problem}" for problem in problems]
    return file.title, file.about, search


def _misplaced(overrides: Values, blocks: Sequence[Block], search: Search | None, where: str) -> list[str]:
    """Return what the command line changes where there is no such thing."""
    if search is None and overrides.searched:
        given = f"{', '.join(overrides.searched)}: there is no [search] in {where}"
        return [f"{given}; allowed are ranges and search.KEY with a file that has one, or with no file"]
    if search is None or blocks:
        return []
    if overrides.seeds is not None and "seeds" in overrides.search:
        return ["seeds and search.seeds are both given; allowed is one of them: there is no grid"]
    timed = [name for name in ("alone", "rounds") if getattr(overrides, name) is not None]
    return [f"{' and '.join(timed)} cannot be given to a search; allowed is a grid's"] if timed else []


def adhoc(overrides: Values, request: Sequence[str]) -> Experiment:
    """Return the experiment that overrides alone describe: a grid, or a search where there is anything of one."""
    title = " ".join(request)
    if overrides.searched:
        return Experiment(ADHOC, title, "", (), (), tuple(request), search=_adhoc_search(overrides))
    if overrides.rounds is not None and not overrides.alone:
        raise RequestError(_nothing_alone(overrides.rounds))
    return Experiment(ADHOC, title, "", (overrides.block(),), (), tuple(request))


def _adhoc_search(overrides: Values) -> Search:
    problems: list[str] = []
    search = read_search({}, Values(), overrides, Path(), problems)
    if search is None:
        raise RequestError(*problems)
    misplaced = _misplaced(overrides, (), search, ADHOC)
    if misplaced:
        raise RequestError(*misplaced)
    return search


def _of_no_grid(claims: Sequence[tuple[Claim, range]]) -> list[str]:
    """Return what is wrong with claims whose file has no grid: of a search's trials nothing is known beforehand."""
    return [
        f"claim {claim.id!r}: there is no [[grid]] in its file; allowed are claims about trials of a [[grid]]"
        for claim, own in claims
        if not own
    ]


def _nothing_alone(rounds: int) -> str:
    return f"rounds is {rounds}, and no block is alone; allowed is with alone = true"


def read_overrides(words: Sequence[str], folder: Path) -> Values:
    """Read ``key=value[,value...]``, ``key=low..high[:log|:step]`` and ``search.key=...`` words.

    Raises RequestError with every one that is wrong.
    """
    given: dict[str, str] = {}
    problems: list[str] = []
    for word in words:
        key, _, text = word.partition("=")
        if key in given:
            problems.append(f"{key} is given twice; allowed is once, with its values separated by commas")
        elif key not in WORDS:
            problems.append(unknown_word(key))
        elif not all(part.strip() for part in text.split(",")):
            problems.append(f"{word!r} has an empty value; allowed is key=value[,value...]")
        else:
            given[key] = text
    values = read_given(given, folder, problems)
    if problems:
        raise RequestError(*problems)
    return values

"""What the command line changes: TOML's literals, words, ranges and options of a search, as ``key=value``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.config import map_config
from bench.config.combinations import EACH
from bench.config.ranges import LINEAR, is_counted, is_range, read_bounds
from bench.config.search_parsing import OPTIONS, REFERENCE
from bench.config.search_space import Range, read_range
from bench.config.values import Overrides, block_readers, read_table
from bench.errors import RequestError, raising_all, unknown
from bench.model.trial import PARAMETERS
from bench.user_files import read_toml

SEARCH, MAP = "search.", "map."  # before the names of a search's options, and of a map's
BLOCK_KEYS = (*PARAMETERS, "seeds", "alone", "rounds")
SEARCH_KEYS = tuple(f"{SEARCH}{name}" for name in OPTIONS)
MAP_KEYS = tuple(f"{MAP}{name}" for name in map_config.OPTIONS)
TEXTS = ("map.x", "map.y", "map.title", "map.start", "map.border")  # taken as they are
DOTS = ".."
ALLOWED = "2..16, 0.01..10:log (logarithmic) and 0..0.9:0.1 (in steps)"


def read_overrides(words: Sequence[str], folder: Path) -> Overrides:
    """Read ``key=value[,value...]``, ``key=low..high[:log|:step]``, ``search.key=...`` and ``map.key=...`` words.

    Raises RequestError with every one that is wrong.
    """
    given: dict[str, str] = {}
    with raising_all() as problems:
        for word in words:
            key, _, text = word.partition("=")
            if key in given:
                problems.append(f"{key} is given twice; allowed is once, with its values separated by commas")
            elif key not in (*BLOCK_KEYS, *SEARCH_KEYS, *MAP_KEYS):
                problems.append(_unknown(key))
            elif not all(part.strip() for part in text.split(",")):
                problems.append(f"{word!r} has an empty value; allowed is key=value[,value...]")
            else:
                given[key] = text
        ranges = {name: text for name, text in given.items() if name in PARAMETERS and _is_range(name, text)}
        options = {key.removeprefix(SEARCH): _option(key, given[key]) for key in given if key in SEARCH_KEYS}
        maps = {
            key.removeprefix(MAP): given[key] if key in TEXTS else _option(key, given[key])
            for key in given
            if key in MAP_KEYS
        }
        values = {
            key: text if key == "seeds" else _listed(text)
            for key, text in given.items()
            if key in BLOCK_KEYS and key not in ranges
        }
        return Overrides(
            ranges=read_table(ranges, dict.fromkeys(PARAMETERS, _read_range), "", problems),
            values=read_table(values, block_readers(folder), "", problems),
            options=read_table(options, OPTIONS, SEARCH, problems),
            maps=read_table(maps, map_config.options(folder), MAP, problems),
        )


def _unknown(key: str) -> str:
    """Say that a word before = is no parameter and no option, with what may be meant."""
    name = key.removeprefix(SEARCH)
    if key == SEARCH.rstrip("."):
        return f"{key} is a table; allowed are its options, {SEARCH}KEY=VALUE, with KEY one of {', '.join(OPTIONS)}"
    if key == f"{SEARCH}{REFERENCE}":
        return f"{key} is a table of parameters; allowed in an experiment file"
    if key == f"{SEARCH}{EACH}":
        return f"{key} is a table of combinations; allowed in an experiment file"
    if key.startswith(SEARCH) and name in PARAMETERS:
        return f"{key} is no option of a search; allowed is {name}=..., as parameters are given: without {SEARCH}"
    for before, known in ((SEARCH, OPTIONS), (MAP, map_config.OPTIONS)):
        if key.startswith(before):
            return unknown("option", key.removeprefix(before), known, before)
    also = [f"{SEARCH}{key}"] if key in OPTIONS else [f"{MAP}{key}"] if key in map_config.OPTIONS else []
    return unknown("parameter", key, [*BLOCK_KEYS, *also])


def _option(key: str, text: str) -> Any:
    """Return an option's value, or the list of its values; seeds have commas of their own."""
    values = _listed(text)
    return text if key == f"{SEARCH}seeds" else values[0] if len(values) == 1 else values


def _listed(text: str) -> list[Any]:
    return [_literal(part.strip()) for part in text.split(",")]


def _literal(text: str) -> Any:
    """Read a TOML literal (0.05, 50_000, true); anything else is a string."""
    if "#" in text or "\n" in text:
        return text  # TOML would drop what follows
    try:
        value = read_toml(f"value = {text}")["value"]
    except (ValueError, KeyError):
        return text
    return value if isinstance(value, bool | int | float | str) else text


def _is_range(name: str, text: str) -> bool:
    """Whether a parameter's value means a range of a search: one that does not say how many values it has."""
    is_number = PARAMETERS[name].number is not None
    parts = [part for part in text.split(",") if not is_counted(part)]
    return any(is_range(part) or (is_number and DOTS in part) for part in parts)


def _read_range(name: str, text: Any) -> Range:
    """Read ``low..high``, perhaps with ``:log`` or ``:step``, as the keys of a range in a file."""
    bounds = read_bounds(name, text, f"one range, such as {ALLOWED}, or values without ranges")
    if LINEAR in bounds:
        raise RequestError(f"{name} is {text!r}; allowed are ranges such as {ALLOWED}")
    return read_range(name, bounds)

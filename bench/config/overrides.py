"""Values as the command line writes them: TOML's literals, words, ranges and options of a search."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.config.search_options import OPTIONS, REFERENCE, read_options
from bench.config.search_space import Range, read_range
from bench.config.values import Values, attempt, read_values
from bench.errors import unknown
from bench.model.parameters import ParameterError
from bench.model.trial import PARAMETERS, Trial

SEARCH = "search."  # before the names of a search's options
OVERRIDES = (*PARAMETERS, "seeds", "alone", "rounds")
SEARCH_OVERRIDES = tuple(f"{SEARCH}{name}" for name in OPTIONS)
WORDS = OVERRIDES + SEARCH_OVERRIDES
DOTS = ".."
NUMBER = r"[-+]?\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"\s*({NUMBER})\s*\.\.\s*({NUMBER})\s*((?::[^:]*)*)")
ALLOWED = "2..16, 0.01..10:log (logarithmic) and 0..0.9:0.1 (in steps)"


def unknown_word(key: str) -> str:
    """Say that a word before = is no parameter and no option, with what may be meant."""
    name = key.removeprefix(SEARCH)
    if key == SEARCH.rstrip("."):
        return f"{key} is a table; allowed are its options, {SEARCH}KEY=VALUE, with KEY one of {', '.join(OPTIONS)}"
    if key == f"{SEARCH}{REFERENCE}":
        return f"{key} is a table of parameters; allowed in an experiment file"
    if key.startswith(SEARCH) and name in PARAMETERS:
        return f"{key} is no option of a search; allowed is {name}=..., as parameters are given: without {SEARCH}"
    if key.startswith(SEARCH):
        return unknown("option", name, OPTIONS, SEARCH)
    meant = [f"{SEARCH}{key}"] if key in OPTIONS else []
    return unknown("parameter", key, [*OVERRIDES, *meant])


def read_given(given: Mapping[str, str], folder: Path, problems: list[str]) -> Values:
    """Return values, ranges and options of a search from their texts, noting what is wrong with them."""
    ranges = {name: text for name, text in given.items() if name in PARAMETERS and _is_range(name, text)}
    options = {
        name.removeprefix(SEARCH): _option(name, text) for name, text in given.items() if name in SEARCH_OVERRIDES
    }
    table = {
        name: text if name == "seeds" else _listed(text)
        for name, text in given.items()
        if name in OVERRIDES and name not in ranges
    }
    found = {name: attempt(partial(_range, name, text), "", problems) for name, text in ranges.items()}
    return replace(
        read_values(table, "", folder, problems), ranges=found, search=read_options(options, "", problems, SEARCH)
    )


def _range(name: str, text: str) -> Range:
    return read_range(name, _bounds(name, text))


def _option(name: str, text: str) -> Any:
    """Return an option's value, or the list of its values; seeds have commas of their own."""
    values = _listed(text)
    return text if name == f"{SEARCH}seeds" else values[0] if len(values) == 1 else values


def _listed(text: str) -> list[Any]:
    return [_literal(part.strip()) for part in text.split(",")]


def _literal(text: str) -> Any:
    """Read a TOML literal (0.05, 50_000, true); anything else is a string."""
    if "#" in text or "\n" in text:
        return text  # TOML would drop what follows
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError):
        return text
    return value if isinstance(value, bool | int | float | str) else text


def _is_range(name: str, text: str) -> bool:
    """Whether a parameter's value means a range: of a word, dots may be part."""
    default = Trial().parameters[name]
    numeric = name == "hidden" or not isinstance(default, bool | str)
    return any(RANGE.fullmatch(part) or (numeric and DOTS in part) for part in text.split(","))


def _bounds(name: str, text: str) -> dict[str, Any]:
    """Read ``low..high``, perhaps with ``:log`` or ``:step``, as the keys of a range in a file."""
    found = RANGE.fullmatch(text)
    if found is None:
        raise ParameterError(f"{name} is {text!r}; allowed are one range, such as {ALLOWED}, or values without ranges")
    bounds = {"low": _literal(found[1]), "high": _literal(found[2])}
    for part in found[3].split(":")[1:]:
        key, value = ("log", True) if part.strip() == "log" else ("step", _literal(part.strip()))
        if key in bounds or isinstance(value, str):
            raise ParameterError(f"{name} is {text!r}; allowed are ranges such as {ALLOWED}")
        bounds[key] = value
    return bounds

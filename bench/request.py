"""Requests: what is asked in words, in Python's values, by a file or by its content, read as one experiment."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from bench.config.experiment import ADHOC, Experiment, adhoc, python_line, read_experiment
from bench.config.files import find_experiment
from bench.config.overrides import read_overrides
from bench.config.seeds import ALLOWED, read_seeds, read_until, write_seeds
from bench.errors import RequestError, check_text

DEFAULT_EXPERIMENT = "sensitivity"
NOTHING: Mapping[str, Any] = MappingProxyType({})
SEEDS, HIDDEN, SEARCH = "seeds", "hidden", "search"
SEEDS_IN_PYTHON = "range(10), '0:10', [0, 3, 5], or one seed"
Question: TypeAlias = "str | Path | Mapping[str, Any]"


def read_request(
    asked: Sequence[Question],
    parameters: Mapping[str, Any] = NOTHING,
    until: float | str | None = None,
    max_seeds: int | None = None,
) -> Experiment:
    """Return the experiment that is asked for; raise RequestError with all that is wrong with it.

    ``asked`` has the words of a command line, among them at most one experiment: its name, its path, or the content
    of its file. ``parameters`` are further words, by their names, with values as Python has them.
    """
    for word in (str(one) for one in asked if isinstance(one, str | Path)):
        check_text("a word", word)
    words = [one for one in asked if isinstance(one, str) and "=" in one]
    named = [one for one in asked if not isinstance(one, str) or "=" not in one]
    more = _words(parameters)
    overrides = read_overrides([*words, *more], Path.cwd())
    if len(named) > 1:
        raise RequestError(f"got the experiments {', '.join(map(str, named))}; allowed is one")
    experiment = named[0] if named else DEFAULT_EXPERIMENT
    if isinstance(experiment, Mapping):
        content, said = _plain(experiment), [*words, *more]
        found = read_experiment(Path(ADHOC), overrides, said, content)
        return replace(found, until=read_until(until, max_seeds), script=_script(content, said, until, max_seeds))
    if not isinstance(experiment, str | Path):
        raise RequestError(
            f"got {experiment!r}; allowed are words such as 'gate=xor', and one experiment: its name, its path, or the "
            "content of its file as a dict"
        )
    request = [*map(str, asked), *more]
    if not named and overrides:
        return replace(adhoc(overrides, request), until=read_until(until, max_seeds))
    found = read_experiment(find_experiment(str(experiment)), overrides, request)
    return replace(found, until=read_until(until, max_seeds))


def remarks(words: Sequence[str]) -> list[str]:
    """Return what words ask for that may be meant otherwise."""
    said = []
    for word in words:
        key, _, text = word.partition("=")
        if key == SEEDS and text.isdecimal() and int(text) > 1:
            said.append(f"{word} is one seed; {int(text):,} of them are seeds=0:{int(text)}")
        layers = [int(size) for size in text.split("-")] if re.fullmatch(r"\d{1,6}-\d{1,6}", text) else []
        if key == HIDDEN and layers and layers[0] < layers[1]:
            low, high = layers
            said.append(
                f"{word} is two layers, of {low} and {high} neurons; the numbers between are hidden={low}..{high}"
            )
    return said


def _script(content: Mapping[str, Any], words: Sequence[str], until: float | str | None, max_seeds: int | None) -> str:
    """Return the line of Python that asks what no command line can."""
    options = {"until": until, "max_seeds": max_seeds}
    given = [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return python_line(content, words, *given)


# ------------------------------------------------------------------ Python's values


def _words(parameters: Mapping[str, Any]) -> list[str]:
    """Return parameters as a command line has them; raise RequestError for values that it cannot have."""
    options = parameters.get(SEARCH, NOTHING)
    if not isinstance(options, Mapping):
        raise RequestError(f"search is {options!r}; allowed is a dict of a search's options")
    given = {name: value for name, value in parameters.items() if name != SEARCH}
    given |= {f"{SEARCH}.{name}": value for name, value in options.items()}
    return [f"{name}={_text(name, value)}" for name, value in given.items()]


def _text(name: str, value: Any) -> str:
    """Return one value as a command line has it: ``2,3``, ``0:100``, ``true``."""
    value = _plain(value, name.rpartition(".")[2])
    if value is None and not name.startswith(f"{SEARCH}."):  # the word none would name an optimizer
        raise RequestError(f"{name} is None; allowed are values, and to leave it out")
    if isinstance(value, Mapping):
        raise RequestError(f"{name} is {value!r}; allowed are values, lists of them, and ranges such as '2..16'")
    if not isinstance(value, list):
        return str(value).lower() if isinstance(value, bool) or value is None else str(value)
    if not value:
        raise RequestError(f"{name} is an empty list; allowed is at least one value")
    if nested := [item for item in value if isinstance(item, list | Mapping)]:
        raise RequestError(f"{name} holds {nested[0]!r}; allowed are values, and for hidden lists of layers")
    return ",".join(_text(name, item) for item in value)


def _plain(value: Any, name: str = "") -> Any:
    """Return a value as an experiment file has it: NumPy's as Python's, every sequence as a list, paths as text.

    Seeds that follow each other are ``0:100``. A tuple of hidden layers, or a list in a list, is ``4-4``.
    """
    if isinstance(value, Mapping):
        return {str(key): _plain(item, str(key)) for key, item in value.items()}
    if name == HIDDEN and isinstance(value, tuple):
        return _layers(value)
    if name == SEEDS and isinstance(value, range) and value and value.step == 1:
        return f"{value.start}:{value.stop}"  # it may be too long to be written out
    if hasattr(value, "tolist"):
        value = value.tolist()  # a NumPy scalar's is Python's own number
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        return str(value) if isinstance(value, Path) else value
    if name == HIDDEN:
        return [_layers(item) if isinstance(item, list) else _plain(item, name) for item in value]
    items = [_plain(item) for item in value]
    return _seeds(value, items) if name == SEEDS else items


def _layers(sizes: Iterable[Any]) -> str:
    return "-".join(map(str, sizes)) or "0"


def read_seeds_in_order(given: Any) -> list[int]:
    """Return seeds as Python has them, in their order and as often as they are given; raise RequestError otherwise."""
    if isinstance(given, str | Integral):
        return list(read_seeds(str(given)))
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise RequestError(f"seeds is {given!r}; allowed are {SEEDS_IN_PYTHON}")
    each = list(given)
    return [seed for one in each for seed in read_seeds(str(one))] if each else list(read_seeds(each))


def _seeds(given: object, seeds: list[Any]) -> Any:
    if not seeds:
        raise RequestError(f"seeds is {given!r}, which holds no seed; allowed are {ALLOWED}")
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds)
    return write_seeds(sorted(set(seeds))) if whole else seeds

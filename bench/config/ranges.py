"""Numbers in words: ranges, as ``2..16``, ``0..0.9:0.1``, ``0.01..10:log:50``, and multiples of what a gate has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.errors import RequestError
from bench.model.gate import Gate
from bench.model.parameter_fields import Number
from bench.user_files import read_toml

NUMBER = r"[-+]?\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"\s*({NUMBER})\s*\.\.\s*({NUMBER})\s*((?::[^:]*)*)")
INPUTS, OBSERVATIONS = "inputs", "observations"
LINKED = re.compile(rf"\s*(?:(\d{{1,6}})\s*\*\s*)?({INPUTS}|{OBSERVATIONS})\s*(?:([+-])\s*(\d{{1,6}}))?\s*")
LOG, LINEAR, STEP, COUNT = "log", "linear", "step", "count"
MOST_VALUES = 10_000
DIGITS, EXACT = 4, 12  # significant ones: of numbers that nobody chose, and of those that are multiples
COUNTED = "0.01..10:log:50 and 0..0.9:linear:10 (so many values), 2..16 (of whole numbers, each) and 0..0.9:0.1 (steps)"


@dataclass(frozen=True)
class Linked:
    """A number that follows from the gate: so many times its inputs or observations, and more or fewer."""

    times: int
    of: str
    more: int

    def value(self, gate: Gate) -> int:
        """Return the number for a gate."""
        observations, inputs = gate.inputs.shape
        return self.times * int(inputs if self.of == INPUTS else observations) + self.more

    def __repr__(self) -> str:
        """Write it in messages as any other text that was given."""
        return repr(str(self))

    def __str__(self) -> str:
        """Write it as it is read."""
        times = "" if self.times == 1 else f"{self.times} * "
        return f"{times}{self.of}{f' {self.more:+d}'.replace('+', '+ ').replace('-', '- ') if self.more else ''}"


def read_linked(text: str) -> Linked | None:
    """Return the number that ``2 * inputs`` or ``observations - 1`` stands for; None for any other text."""
    found = LINKED.fullmatch(text)
    return found and Linked(int(found[1] or 1), found[2], int(f"{found[3]}{found[4]}") if found[3] else 0)


def is_range(text: str) -> bool:
    """Whether a text is two numbers with two dots between them."""
    return RANGE.fullmatch(text) is not None


def is_counted(text: str) -> bool:
    """Whether a text is a range that says how many values it has."""
    found = RANGE.fullmatch(text)
    return found is not None and found[3].count(":") > 1


def read_bounds(name: str, text: str, allowed: str) -> dict[str, Any]:
    """Return what a range in words says, by its keys: low and high, and log, linear, step or count."""
    found = RANGE.fullmatch(text)
    if found is None:
        raise RequestError(f"{name} is {text!r}; allowed are {allowed}")
    bounds: dict[str, Any] = {"low": _literal(found[1]), "high": _literal(found[2])}
    for part in map(str.strip, found[3].split(":")[1:]):
        on_axis = LOG in bounds or LINEAR in bounds
        key, value = (part, True) if part in (LOG, LINEAR) else (COUNT if on_axis else STEP, _literal(part))
        if key in bounds or isinstance(value, str):
            raise RequestError(f"{name} is {text!r}; allowed are ranges such as {allowed}")
        bounds[key] = value
    return bounds


def _literal(text: str) -> Any:
    try:
        return read_toml(f"value = {text}")["value"]
    except ValueError:
        return text


def read_values(name: str, text: str, number: Number) -> list[Any]:
    """Return the values that a range in words stands for, from the least; each once.

    Those on an axis have four significant digits, if so many tell them apart: they are copied from a page, and who
    writes them again asks for the same trials.
    """
    bounds = read_bounds(name, text, COUNTED)
    low, high, step = number(name, bounds["low"]), number(name, bounds["high"]), bounds.get(STEP)
    if not low < high:
        raise RequestError(f"{name} is {text!r}; allowed is a low end below the high one")
    if step is None and COUNT not in bounds and (LOG in bounds or LINEAR in bounds or not number.whole):
        raise RequestError(f"{name} is {text!r}, which does not say how many values; allowed are {COUNTED}")
    found = _on_axis(name, text, low, high, bounds) if COUNT in bounds else _in_steps(name, text, low, high, step or 1)
    return [number(name, int(value) if number.whole else float(value)) for value in found]


def _on_axis(name: str, text: str, low: float, high: float, bounds: Mapping[str, Any]) -> Any:
    count = bounds[COUNT]
    if not (isinstance(count, int) and 2 <= count <= MOST_VALUES):
        raise RequestError(f"{name} is {text!r}; allowed are 2 to {MOST_VALUES:,} values")
    if LOG in bounds and low <= 0:
        raise RequestError(f"{name} is {text!r}, a logarithmic range; allowed are ends above 0")
    exact = np.geomspace(low, high, count) if LOG in bounds else np.linspace(low, high, count)
    if isinstance(low, int):
        return np.unique(np.rint(exact))
    short = [low, *(float(f"{value:.{DIGITS}g}") for value in exact[1:-1]), high]
    return short if (np.diff(short) > 0).all() else exact


def _in_steps(name: str, text: str, low: float, high: float, step: float) -> list[float]:
    steps = (high - low) / step if isinstance(step, int | float) and step > 0 else 0.0
    if not 1 <= steps < MOST_VALUES or abs(steps - round(steps)) > 1e-9 * steps:
        raise RequestError(f"{name} is {text!r}; allowed are 1 to {MOST_VALUES:,} steps that reach its high end")
    return [float(f"{low + place * step:.{EXACT}g}") for place in range(round(steps) + 1)]

"""Gates: the truth tables that networks learn.

Shapes: N observations, I inputs.
"""

import hashlib
import itertools
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import plugins
from bench.errors import RequestError, unknown
from bench.model.csv_table import as_numbers, beside, read_cells

Floats = NDArray[np.float64]

MAX_INPUTS = 16
MAX_OUTPUTS = 16
MAX_OBSERVATIONS = 65_536
INDEX_COLUMN = "observation"
TARGET_COLUMN = "output"
TWO_INPUT_TARGETS = {  # targets of (0,0), (0,1), (1,0), (1,1)
    "or": (0, 1, 1, 1),
    "and": (0, 0, 0, 1),
    "xor": (0, 1, 1, 0),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xnor": (1, 0, 0, 1),
}
PARITY_INPUTS = range(2, 9)
BUILT_IN = (*TWO_INPUT_TARGETS, *(f"parity{inputs}" for inputs in PARITY_INPUTS))


@dataclass(frozen=True, eq=False)
class Gate:
    """A table to be learned: ``inputs [N, I]``, and ``targets [N]`` or, with several outputs, ``[N, O]``."""

    name: str
    inputs: Floats
    targets: Floats

    def __post_init__(self) -> None:
        """Freeze the arrays and refuse a table that no network of ours could learn."""
        observations, inputs = self.inputs.shape
        problems = []
        if self.targets.shape != (observations,) and self.targets.shape[:1] + self.targets.shape[2:] != (observations,):
            problems.append(f"{self.targets.shape} targets; allowed is one per observation")
        elif not 1 <= self.outputs <= MAX_OUTPUTS:
            problems.append(f"{self.outputs} outputs; allowed are 1 to {MAX_OUTPUTS}")
        if not 1 <= inputs <= MAX_INPUTS:
            problems.append(f"{inputs} inputs; allowed are 1 to {MAX_INPUTS}")
        if not 1 <= observations <= MAX_OBSERVATIONS:
            problems.append(f"{observations} observations; allowed are 1 to {MAX_OBSERVATIONS:,}")
        if not np.isfinite(self.inputs).all():
            problems.append("an input that is not finite; allowed are finite numbers")
        endless = self.targets[~np.isfinite(self.targets)]
        if endless.size:
            problems.append(f"the {TARGET_COLUMN} {endless[0]:g}; allowed are finite numbers")
        if problems:
            raise RequestError(*(f"gate {self.name!r} has {problem}" for problem in problems))
        self.inputs.setflags(write=False)
        self.targets.setflags(write=False)

    @property
    def outputs(self) -> int:
        """How many numbers there are to say of an observation, O."""
        return 1 if self.targets.ndim == 1 else self.targets.shape[1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the table, in which gates of one name and different tables differ."""
        shape = np.asarray([*self.inputs.shape, *self.targets.shape[1:]], dtype="<i8").tobytes()
        content = shape + self.inputs.astype("<f8").tobytes() + self.targets.astype("<f8").tobytes()
        return hashlib.sha256(content).hexdigest()

    def __eq__(self, other: object) -> bool:
        """Compare names and tables."""
        return isinstance(other, Gate) and (self.name, self.digest) == (other.name, other.digest)

    def __hash__(self) -> int:
        """Hash name and table."""
        return hash((self.name, self.digest))


@cache
def built_in(name: str) -> Gate:
    """Return the built-in gate of that name; ``parityN`` is 1 for an odd number of ones."""
    if name in TWO_INPUT_TARGETS:
        return Gate(name, _all_rows(2), np.array(TWO_INPUT_TARGETS[name], dtype=np.float64))
    if name in BUILT_IN:
        inputs = _all_rows(int(name.removeprefix("parity")))
        return Gate(name, inputs, inputs.sum(axis=1) % 2)
    raise RequestError(unknown("gate", name, gate_names()) + ", a plug-in's, or a path to a .csv file")


def gate_names() -> tuple[str, ...]:
    """Return the names of all gates, those of plug-ins after those that are built in."""
    return (*BUILT_IN, *plugins.names(plugins.GATE, BUILT_IN))


def read_gate(name: str, folder: Path = Path()) -> Gate:
    """Return the gate of that name, a plug-in's too, or a .csv file's: in the folder, or where its path says."""
    if not name.lower().endswith(".csv"):
        found: Gate | None = None if name in BUILT_IN else plugins.find(plugins.GATE, name)
        return built_in(name) if found is None else found
    return read_csv(beside(name, folder))


def read_csv(path: Path) -> Gate:
    """Read a gate from a CSV file with the columns ``observation,input1,...,output``; its name is the file's.

    Several outputs are the last columns, ``output1,output2,...``: then the targets are ``[N, O]``.
    """
    what = f"gate {str(path)!r}"
    columns, cells = read_cells(what, path, f"{', '.join(gate_names())}, or a .csv file")
    outputs = next((count for count in range(2, len(columns)) if columns[-count:] == _output_columns(count)), 1)
    several = outputs > 1 or columns[-1:] == [TARGET_COLUMN]
    named = columns[:1] == [INDEX_COLUMN] and several and len(columns) >= outputs + 2
    if not named or len(set(columns)) < len(columns):
        numbered = any(name.removeprefix(TARGET_COLUMN).isdecimal() for name in columns)
        last = f"{TARGET_COLUMN}1,{TARGET_COLUMN}2,... without a gap" if numbered else TARGET_COLUMN
        allowed = f"{INDEX_COLUMN},input1,...,{last}, each once"
        raise RequestError(f"{what} has the columns {','.join(columns)}; allowed is {allowed}")
    numbers = as_numbers(what, columns[1:], cells.iloc[:, 1:])
    inputs, targets = np.ascontiguousarray(numbers[:, :-outputs]), np.ascontiguousarray(numbers[:, -outputs:])
    return Gate(path.stem, inputs, targets if outputs > 1 else targets[:, 0])


def _output_columns(count: int) -> list[str]:
    return [f"{TARGET_COLUMN}{number}" for number in range(1, count + 1)]


def _all_rows(inputs: int) -> Floats:
    """Return every combination of zeros and ones, counting up in binary."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=inputs)), dtype=np.float64)

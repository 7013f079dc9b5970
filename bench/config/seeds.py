"""Seeds as users write them: ``0:200`` (end excluded), ``7``, ``0,3,5``, or a TOML list."""

from collections.abc import Sequence
from itertools import pairwise

from bench.model.initialization import MAX_SEED
from bench.model.parameters import ParameterError

DIGITS = 12  # more than any seed has
ALLOWED = f"0:200, 7 or 0,3,5 with seeds from 0 to {MAX_SEED}"


def read_seeds(value: object) -> Sequence[int]:
    """Return the distinct seeds in order, as a range where they are one; raise ParameterError for anything else."""
    parts = value if isinstance(value, list) else str(value).split(",")
    if not parts:
        raise ParameterError(f"seeds is {value!r}, which holds no seed; allowed are {ALLOWED}")
    ranges = [_read_part(value, str(part).strip()) for part in parts]
    if len(ranges) == 1:
        return ranges[0]
    return compact(sorted({seed for part in ranges for seed in part}))


def _read_part(value: object, text: str) -> range:
    start, colon, stop = text.partition(":")
    if not all(
        number.isascii() and number.isdigit() and len(number) <= DIGITS
        for number in ([start, stop] if colon else [start])
    ):
        raise ParameterError(f"seeds is {value!r}; allowed are {ALLOWED}")
    seeds = range(int(start), int(stop)) if colon else range(int(start), int(start) + 1)
    if not seeds:
        raise ParameterError(f"seeds is {value!r}, which holds no seed (the end is excluded); allowed are {ALLOWED}")
    if seeds[-1] > MAX_SEED:
        raise ParameterError(f"seeds is {value!r}; allowed are {ALLOWED}")
    return seeds


def compact(seeds: Sequence[int]) -> Sequence[int]:
    """Return sorted distinct seeds as a range where they follow each other."""
    if seeds and seeds[-1] - seeds[0] == len(seeds) - 1:
        return range(seeds[0], seeds[-1] + 1)
    return tuple(seeds)


def write_seeds(seeds: Sequence[int]) -> str:
    """Write sorted distinct seeds as users do; those that follow each other as ``start:end``."""
    seeds = compact(seeds)
    if not seeds:
        return ""
    if isinstance(seeds, range):
        return f"{seeds.start}:{seeds.stop}" if len(seeds) > 1 else str(seeds.start)
    breaks = [0, *(place for place, (a, b) in enumerate(pairwise(seeds), 1) if b - a > 1), len(seeds)]
    runs = [seeds[start:stop] for start, stop in pairwise(breaks)]
    return ",".join(f"{run[0]}:{run[-1] + 1}" if len(run) > 1 else str(run[0]) for run in runs)

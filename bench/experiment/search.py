"""The ``[search]`` of an experiment file: ranges and choices of trial parameters, and how many trials to spend."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import unknown
from bench.experiment.block import DEFAULT_SEEDS, Values, attempt, read_axis, written
from bench.experiment.objective import DIRECTIONS, RMST, Constraint
from bench.experiment.seeds import read_seeds, write_seeds
from bench.experiment.space import Choices, Dimension, Range
from bench.problem.parameters import ParameterError, Reader, choice, flag, whole
from bench.problem.trial import PARAMETERS, Trial, read

SAMPLERS = ("tpe", "random", "qmc", "gp", "cmaes", "nsga2")
PLAIN = ("trials", "batch", "sampler", "seed", "timeout_s", "validate", "best", "baseline", "repeats")
BOUNDS = ("low", "high", "log", "step")
OPTIONS: dict[str, tuple[Reader, Any]] = {  # beside the parameters: how to read each, and its default
    "trials": (whole(1, 100_000), 100),
    "batch": (whole(1, 10_000), 10),
    "sampler": (choice(*SAMPLERS), "tpe"),
    "seed": (whole(0, 2**32 - 1), 0),
    "seeds": (lambda _what, value: read_seeds(value), None),  # those of the defaults
}


@dataclass(frozen=True)
class Reference:
    """A trial that the search is compared with, and whose it is."""

    title: str
    trial: Trial


@dataclass(frozen=True)
class Search:
    """A space of trials and how it is searched.

    ``space`` lists dimensions after those that they depend on; ``fixed`` holds all other parameters, and what a
    dimension is where it is not searched. A trial is judged over ``seeds``; the best, and the references, also over
    ``held_out`` ones. ``prune`` lists numbers of seeds after which a trial may be given up. ``sampler`` proposes, and
    so does ``baseline`` beside it, each ``repeats`` times, with other sampler seeds.
    """

    space: Mapping[str, Dimension]
    fixed: Mapping[str, Any]
    seeds: Sequence[int]
    objectives: tuple[str, ...] = (RMST,)
    constraints: tuple[Constraint, ...] = ()
    trials: int = 100
    batch: int = 10
    sampler: str = "tpe"
    seed: int = 0
    timeout_s: float | None = None
    prune: tuple[int, ...] = ()
    validate: int = 1000
    best: int = 5
    baseline: str | None = None
    repeats: int = 1
    references: tuple[Reference, ...] = ()

    def trial(self, proposed: Mapping[str, Any]) -> Trial:
        """Return the trial with these values of the space: numbers of ranges, names of choices."""
        chosen = {
            name: over.values[value] if isinstance(over := self.space[name].over, Choices) else value
            for name, value in proposed.items()
        }
        return Trial(**{**self.fixed, **chosen})

    @property
    def directions(self) -> tuple[str, ...]:
        """Return the better end of each objective."""
        return tuple(DIRECTIONS[name] for name in self.objectives)

    @property
    def held_out(self) -> range:
        """Return the seeds that no trial was chosen by: those that follow."""
        start = max(self.seeds) + 1
        return range(start, start + self.validate)

    @property
    def studies(self) -> tuple[tuple[str, int], ...]:
        """Return the samplers and seeds of all searches, the first the one that is asked for."""
        samplers = [self.sampler, *([self.baseline] if self.baseline else [])]
        return tuple((sampler, self.seed + k) for sampler in samplers for k in range(self.repeats))

    @property
    def expected_trials(self) -> int:
        """Return how many trials there will be, if none is proposed twice."""
        return self.trials * len(self.studies) + len(self.references)

    @property
    def expected_trainings(self) -> int:
        """Return how many trainings there will be, if no trial is proposed twice or pruned."""
        validated = self.best + len(self.studies) - 1 + len(self.references)
        return self.trials * len(self.studies) * len(self.seeds) + validated * self.validate

    @property
    def row(self) -> dict[str, Any]:
        """Return it as a sweep keeps it, in plain values."""
        kept = {name: getattr(self, name) for name in PLAIN}
        return kept | {
            "space": {name: dimension.row for name, dimension in self.space.items()},
            "seeds": write_seeds(self.seeds),
            "held_out": write_seeds(self.held_out) if self.validate else "",
            "objectives": list(self.objectives),
            "directions": list(self.directions),
            "constraints": [str(constraint) for constraint in self.constraints],
            "prune": list(self.prune),
            "references": [{"title": one.title, "trial_id": one.trial.trial_id} for one in self.references],
        }

    @property
    def digest(self) -> str:
        """What makes two searches the same, as text."""
        return json.dumps([self.row, Trial(**self.fixed).trial_id], sort_keys=True)


def read_search(
    table: Mapping[str, Any], defaults: Values, overrides: Values, folder: Path, problems: list[str]
) -> Search | None:
    """Read a ``[search]`` table over the defaults; overrides fix parameters, or change what they may be."""
    if not table:
        return None
    before = len(problems)
    options: dict[str, Any] = {"seeds": defaults.seeds or DEFAULT_SEEDS}
    for name, (reader, default) in OPTIONS.items():
        if name in table or default is not None:
            options[name] = attempt(partial(reader, name, table.get(name, default)), "search", problems)
    own = {
        name: attempt(partial(_dimension, name, value, folder), "search", problems)
        for name, value in table.items()
        if name not in OPTIONS
    }
    if len(problems) > before:
        return None
    if options["batch"] > options["trials"]:
        problems.append(f"search: batch is {options['batch']}; allowed is at most trials, {options['trials']}")
    dimensions = {**defaults.axes, **own, **overrides.axes}
    ranges = {name: found for name, found in dimensions.items() if isinstance(found, Range)}
    choices = {
        name: {written(value): value for value in found}
        for name, found in dimensions.items()
        if name not in ranges and len(found) > 1
    }
    if not ranges and not choices:
        problems.append("search: there is nothing to search; allowed is at least one range or list of values")
    fixed = {name: found[0] for name, found in dimensions.items() if name not in ranges and len(found) == 1}
    options["seeds"] = overrides.seeds or options["seeds"]
    low, high = ranges.get("init_low"), ranges.get("init_high")
    highest = low.high if low else fixed.get("init_low", Trial().init_low)
    lowest = high.low if high else fixed.get("init_high", Trial().init_high)
    if (low or high) and highest >= lowest:
        problems.append(
            f"search: init_low may be {highest} and init_high {lowest}; allowed are ranges that do not meet"
        )
    space = {
        name: Dimension(ranges[name] if name in ranges else Choices(choices[name]))
        for name in dimensions
        if name in ranges or name in choices
    }
    return Search(space=space, fixed=fixed, **options)


def _dimension(name: str, value: Any, folder: Path) -> Any:
    """Return a range, or the list of a parameter's values."""
    if isinstance(value, Mapping) and name in PARAMETERS:
        return _range(name, value)
    if name not in PARAMETERS:
        raise ParameterError(unknown("parameter", name, [*PARAMETERS, *OPTIONS]))
    return read_axis(name, value, folder)


def _range(name: str, bounds: Mapping[str, Any]) -> Range:
    """Read ``{low, high, log, step}``; both ends must be values of the parameter."""
    _check_kinds(name, bounds)
    low, high, log, step = (bounds.get(key) for key in BOUNDS)
    assert low is not None
    assert high is not None
    for end in (low, high):
        read(PARAMETERS[name], end)
    if not low < high:
        raise ParameterError(f"{name} has low {low} and high {high}; allowed is low below high")
    if log and low <= 0:
        raise ParameterError(f"{name} has low {low} on a logarithmic range; allowed are numbers above 0")
    if log and step is not None:
        raise ParameterError(f"{name} has both log and step; allowed is one of them")
    if step is not None and (step <= 0 or (_counts(name) and step != int(step))):
        kind = "whole numbers" if _counts(name) else "numbers"
        raise ParameterError(f"{name} has the step {step}; allowed are {kind} above 0")
    return Range(low, high, bool(log), step, whole=_counts(name))


def _check_kinds(name: str, bounds: Mapping[str, Any]) -> None:
    """Refuse a range of what is no number, and ends, steps and flags of a wrong kind."""
    default = Trial().parameters[name]
    if not _counts(name) and not isinstance(default, float):
        raise ParameterError(f"{name} is {dict(bounds)}; allowed is a list of its values: it is no number")
    if not {"low", "high"} <= set(bounds):
        raise ParameterError(f"{name} is {dict(bounds)}; allowed is a range with low and high")
    for key, value in bounds.items():
        if key not in BOUNDS:
            raise ParameterError(f"{name}: {unknown('key', key, BOUNDS)}")
        if key == "log":
            flag(f"{name}: log", value)
        elif not isinstance(value, int | float) or isinstance(value, bool):
            raise ParameterError(f"{name}: {key} is {value!r}; allowed are numbers")


def _counts(name: str) -> bool:
    default = Trial().parameters[name]
    return name == "hidden" or (isinstance(default, int) and not isinstance(default, bool))

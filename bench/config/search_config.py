"""A search: a space of trials, what is looked for in it, and how many trials are spent on it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bench.config.combinations import EACH, Combination
from bench.config.search_space import Choices, Dimension, in_order
from bench.config.seeds import read_seeds, write_seeds
from bench.config.values import parse_value, write_value
from bench.metrics.objectives import OBJECTIVES, RMST, Constraint, stored_constraint
from bench.model.gate import Gate
from bench.model.trial import PARAMETERS, Trial

PLAIN = ("trials", "batch", "sampler", "seed", "timeout_s", "validate", "best", "baseline", "repeats")


@dataclass(frozen=True)
class Sampler:
    """All that is known of one of Optuna's samplers but for what makes it.

    It needs a ``package`` beside Optuna itself; it knows ``several_objectives``, ``constraints`` and ``conditions``,
    or does not; one that does not ``learn`` proposes the same whatever becomes of it.
    """

    name: str
    words: str
    package: str | None = None
    learns: bool = True
    several_objectives: bool = True
    constraints: bool = True
    conditions: bool = True


SAMPLERS: Mapping[str, Sampler] = {
    one.name: one
    for one in (
        Sampler("tpe", "Optuna's tree-structured Parzen estimator"),
        Sampler("random", "random search", learns=False),
        Sampler("qmc", "a quasi-random sequence", learns=False, conditions=False),
        Sampler("gp", "a Gaussian process", package="torch"),
        Sampler("cmaes", "CMA-ES", package="cmaes", several_objectives=False, constraints=False),
        Sampler("nsga2", "NSGA-II"),
    )
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
    so does ``baseline`` beside it, each ``repeats`` times, with other sampler seeds. With ``each`` there is a study for
    each of these combinations instead, and ``best`` is 1.
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
    each: tuple[Combination, ...] = ()

    def trial(self, proposed: Mapping[str, Any]) -> Trial:
        """Return the trial with these values of the space: numbers of ranges, names of choices."""
        chosen = {
            name: over.values[value] if isinstance(over := self.space[name].over, Choices) else value
            for name, value in proposed.items()
        }
        return Trial(**{**self.fixed, **chosen})

    def active(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return, of a value for every dimension, those that are searched together."""
        found: dict[str, Any] = {}
        for name, dimension in self.space.items():
            if dimension.is_active(found):
                found[name] = values[name]
        return found

    @property
    def first_trial(self) -> Trial:
        """Return the trial at the low end of every range, with the first of all choices: one as good as any."""
        if self.each:
            return self.parts[0].first_trial
        return self.trial(self.active({name: dimension.over.ends[0] for name, dimension in self.space.items()}))

    @cached_property
    def parts(self) -> "tuple[Search, ...]":
        """The searches of all combinations, each without the others; itself where there are none."""
        if not self.each:
            return (self,)
        return tuple(
            replace(self, fixed={**self.fixed, **one.values}, seed=self.seed + place, each=())
            for place, one in enumerate(self.each)
        )

    def default(self, name: str) -> Any:
        """Return what a parameter is where it is not searched."""
        return self.fixed.get(name, PARAMETERS[name].default)

    @property
    def gate(self) -> Gate:
        """Return the gate that all its trials learn."""
        found: Gate = self.default("gate")
        return found

    @property
    def directions(self) -> tuple[str, ...]:
        """Return the better end of each objective."""
        return tuple(OBJECTIVES[name].direction for name in self.objectives)

    @property
    def held_out(self) -> range:
        """Return the seeds that no trial was chosen by: those that follow."""
        start = max(self.seeds) + 1
        return range(start, start + self.validate)

    @property
    def studies(self) -> tuple[tuple[str, int], ...]:
        """Return the samplers and seeds of all searches, the first the one that is asked for.

        No two have a seed in common: samplers that begin at random would begin with the same trials.
        """
        if self.each:
            return tuple((part.sampler, part.seed) for part in self.parts)
        samplers = [self.sampler, *([self.baseline] if self.baseline else [])]
        named = [sampler for sampler in samplers for _ in range(self.repeats)]
        return tuple((sampler, self.seed + place) for place, sampler in enumerate(named))

    @property
    def settings(self) -> int | None:
        """Return how many different trials it may propose, at most; None if they are beyond number."""
        counts = [count for one in self.space.values() if (count := one.over.count) is not None]
        return math.prod(counts) if len(counts) == len(self.space) else None

    @property
    def expected_trials(self) -> int:
        """Return how many trials there will be, if none is proposed twice."""
        return self.trials * len(self.studies) + len(self.references)

    @property
    def expected_trainings(self) -> int:
        """Return how many trainings there will be, if no trial is proposed twice or pruned."""
        validated = min(self.best, self.trials) + len(self.studies) - 1 + len(self.references)
        return self.trials * len(self.studies) * len(self.seeds) + validated * self.validate

    @property
    def expected_iterations(self) -> int:
        """Return how many iterations these trainings have at most: where budgets are searched, all of the longest."""
        if self.each:
            return sum(part.expected_iterations for part in self.parts)
        own = sum(one.trial.iterations for one in self.references) * self.validate
        return (self.expected_trainings - len(self.references) * self.validate) * self._budget + own

    @property
    def _budget(self) -> int:
        """Return the most iterations that any of its trials is trained for."""
        fixed: int = self.default("iterations")
        searched = self.space.get("iterations")
        if searched is None:
            return fixed
        over = searched.over
        most: int = max(over.values.values()) if isinstance(over, Choices) else int(over.high)
        return max(most, fixed) if searched.only_if else most

    @property
    def row(self) -> dict[str, Any]:
        """Return it as a sweep keeps it, in plain values."""
        kept = {name: getattr(self, name) for name in PLAIN}
        kept |= {EACH: [one.row for one in self.each]} if self.each else {}  # others are named as they were before
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
    def fixed_row(self) -> dict[str, str]:
        """Return what is fixed as text: beside `row`, which names sweeps that are not finished and must not change."""
        return {name: write_value(value) for name, value in self.fixed.items()}

    @property
    def digest(self) -> str:
        """What makes two searches the same, as text."""
        return json.dumps([self.row, self.fixed_row, self.gate.digest], sort_keys=True)

    @classmethod
    def from_json(cls, row: Mapping[str, Any], trials: Mapping[str, Trial], gates: Mapping[str, Gate]) -> "Search":
        """Return a search from what a sweep keeps of it, with those of its references that are among the trials.

        Trials are given by their ids, gates by their names.
        """
        fixed = row.get("fixed", {})  # which older sweeps did not keep
        return cls(
            space=in_order({name: Dimension.from_json(name, one) for name, one in row["space"].items()}),
            fixed={name: gates[text] if name == "gate" else parse_value(name, text) for name, text in fixed.items()},
            seeds=read_seeds(row["seeds"]),
            objectives=tuple(row["objectives"]),
            constraints=tuple(map(stored_constraint, row["constraints"])),
            prune=tuple(row["prune"]),
            references=tuple(
                Reference(one["title"], trials[one["trial_id"]])
                for one in row["references"]
                if one["trial_id"] in trials
            ),
            each=tuple(Combination.from_json(one) for one in row.get(EACH, ())),
            **{name: row[name] for name in PLAIN},
        )

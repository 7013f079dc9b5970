"""What of a search does not go together: each check reads some of its options, and gives one sentence if it fails."""

import importlib.util
import itertools
import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from bench.config.search_config import Search
from bench.errors import RequestError
from bench.metrics.objectives import CENSORED, OF_SOLVED, PARAMETER_COUNT, TRAIN_SECONDS
from bench.model.initialization import MAX_SEED
from bench.model.trial import Trial

PACKAGES = {"cmaes": "cmaes", "gp": "torch"}  # that samplers need, beside Optuna itself
ONE_OBJECTIVE = ("cmaes",)  # samplers that know no more
UNCONSTRAINED, UNCONDITIONAL = ("cmaes",), ("qmc",)
KNOW_LIMITS = "gp, nsga2, tpe"
MOST_COMBINATIONS = 4096  # that are tried, of those that a space has
COMPARED = {  # parameters that must be the same in all trials, for which measures, and why
    "iterations": (CENSORED, "counts what is not solved at the budget"),
    "tolerance": (OF_SOLVED, "depends on what counts as solved"),
}


def problems_of(search: Search, unread: Collection[str]) -> list[str]:
    """Return all that is wrong with a search; what depends on options that could not be read is not checked."""
    return [f"search: {problem}" for read, check in CHECKS if not set(read) & set(unread) for problem in check(search)]


def _nothing(search: Search) -> Iterator[str]:
    if not search.space:
        yield "there is nothing to search; allowed is at least one range or list of values"


def _one_gate(search: Search) -> Iterator[str]:
    if "gate" in search.space:
        gates = search.space["gate"].over
        yield f"gate is searched among {gates}; allowed is one gate: trials of different gates cannot be compared"


def _batch(search: Search) -> Iterator[str]:
    if search.batch > search.trials:
        yield f"batch is {search.batch}; allowed is at most trials, {search.trials}"


def _pruned_by_one(search: Search) -> Iterator[str]:
    if search.prune and len(search.objectives) > 1:
        yield f"prune is given with the objectives {', '.join(search.objectives)}; allowed is with one objective"


def _proposed_for_one(search: Search) -> Iterator[str]:
    for sampler in _samplers(search):
        if sampler in ONE_OBJECTIVE and len(search.objectives) > 1:
            given = f"sampler {sampler!r} is given with the objectives {', '.join(search.objectives)}"
            yield f"{given}; allowed is with one objective"


def _constrained(search: Search) -> Iterator[str]:
    for sampler in _samplers(search):
        if sampler in UNCONSTRAINED and search.constraints:
            yield f"sampler {sampler!r} is given with constraints, which it does not know; choose from {KNOW_LIMITS}"


def _unconditional(search: Search) -> Iterator[str]:
    conditional = [name for name, dimension in search.space.items() if dimension.only_if]
    for sampler in _samplers(search):
        if sampler in UNCONDITIONAL and conditional:
            yield f"sampler {sampler!r} is given with only_if of {conditional[0]}; allowed is without conditions"


def _pruned_by_what_differs(search: Search) -> Iterator[str]:
    same = [name for name in search.objectives if name in (PARAMETER_COUNT, TRAIN_SECONDS)]
    if search.prune and same and len(search.objectives) == 1:
        yield f"prune is given with the objective {same[0]}; allowed is with one that seeds decide"


def _pruned_before_the_end(search: Search) -> Iterator[str]:
    late = [seeds for seeds in search.prune if seeds >= len(search.seeds)]
    if late:
        yield f"prune is {late[-1]}; allowed are numbers below that of the seeds, {len(search.seeds)}"


def _baseline(search: Search) -> Iterator[str]:
    if search.baseline == search.sampler:
        yield f"baseline is {search.baseline!r}, the search's own sampler; allowed is another"


def _packages(search: Search) -> Iterator[str]:
    for sampler in _samplers(search):
        package = PACKAGES.get(sampler)
        if package and importlib.util.find_spec(package) is None:
            needs = f"sampler {sampler!r} needs {package}, which is not installed"
            yield f"{needs}; install it with: pip install 'bench[search]'"


def _samplers(search: Search) -> Iterable[str]:
    return dict.fromkeys(sampler for sampler, _ in search.studies)


def _sampler_seeds(search: Search) -> Iterator[str]:
    if search.studies[-1][1] > MAX_SEED:
        most = MAX_SEED - len(search.studies) + 1
        yield f"seed is {search.seed} with {len(search.studies)} searches; allowed is at most {most}"


def _held_out(search: Search) -> Iterator[str]:
    if search.validate and search.held_out[-1] > MAX_SEED:
        most = MAX_SEED - max(search.seeds)
        yield f"validate is {search.validate} after the seed {max(search.seeds)}; allowed is at most {most}"


def _comparable(search: Search) -> Iterator[str]:
    """Ask for one budget, and one meaning of solved, where a measure needs that."""
    used = dict.fromkeys([*search.objectives, *(constraint.measure for constraint in search.constraints)])
    for name, (measures, why) in COMPARED.items():
        for measure in used:
            if name in search.space and measure in measures:
                yield f"{measure} {why}; allowed with {name} fixed"


def _references(search: Search) -> Iterator[str]:
    """Ask that references learn the same and mean the same by solved; how long they may train is said beside them."""
    own = search.fixed.get("tolerance", Trial().tolerance)
    for one in search.references:
        if "gate" not in search.space and one.trial.gate.digest != search.gate.digest:
            yield f"{one.title}: gate is {one.trial.gate.name}; allowed is the search's, {search.gate.name}"
        if "tolerance" not in search.space and one.trial.tolerance != own:
            yield f"{one.title}: tolerance is {one.trial.tolerance:g}; allowed is the search's, {own:g}"


def _refused(search: Search) -> Iterator[str]:
    """Name the first combination of ends and choices that is no trial: a search would stop where it is proposed."""
    for values in _combinations({name: dimension.over.ends for name, dimension in search.space.items()}):
        try:
            search.trial(search.active(values))
        except RequestError as error:
            yield f"{error.problems[0]}, in every combination of what is searched"
            return


def _combinations(ends: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yield all combinations, or of too many some that are spread over them: the same each time."""
    if math.prod(map(len, ends.values())) <= MOST_COMBINATIONS:
        yield from (dict(zip(ends, values, strict=True)) for values in itertools.product(*ends.values()))
        return
    drawn = random.Random(0)  # noqa: S311  # which ones are tried is no secret
    for _ in range(MOST_COMBINATIONS):
        yield {name: drawn.choice(values) for name, values in ends.items()}


CHECKS = (
    (("space",), _nothing),
    (("space",), _one_gate),
    (("trials", "batch"), _batch),
    (("objective", "prune"), _pruned_by_one),
    (("objective", "sampler", "baseline"), _proposed_for_one),
    (("constraints", "sampler", "baseline"), _constrained),
    (("space", "sampler", "baseline"), _unconditional),
    (("objective", "prune"), _pruned_by_what_differs),
    (("prune", "seeds"), _pruned_before_the_end),
    (("sampler", "baseline"), _baseline),
    (("sampler", "baseline"), _packages),
    (("seed", "repeats", "baseline"), _sampler_seeds),
    (("validate", "seeds"), _held_out),
    (("objective", "constraints", "space"), _comparable),
    (("reference", "space"), _references),
    (("space",), _refused),
)

"""A ``[search]`` table: its options, its space, what it is compared with, and what of these does not go together."""

import importlib.util
import itertools
import math
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.config.combinations import EACH, check_held, read_each
from bench.config.search_config import SAMPLERS, Reference, Search
from bench.config.search_space import (
    Dimension,
    check_conditions,
    check_countable,
    listed,
    read_dimension,
    split_fixed,
)
from bench.config.seeds import read_seeds
from bench.config.values import KEYS, Overrides, given_in_vain, read_one, read_table, read_title
from bench.errors import RequestError, collecting
from bench.metrics.objectives import OBJECTIVES, read_constraints, read_objectives
from bench.model.consistency import without_effect_in_all, written
from bench.model.gate import Gate, built_in
from bench.model.initialization import MAX_SEED
from bench.model.parameter_fields import Reader, Role, choice, number, whole
from bench.model.trial import PARAMETERS, Trial

DEFAULT_SEEDS = range(100)
DEFAULT_BATCH = 10
DEFAULT_REPEATS = 10  # of a search that is compared with another: fewer could not tell which is better
MOST_TRIALS = 100_000
REFERENCE, TITLE = "reference", "title"
NONE = "none"  # removes what was said before


def _read_prune(what: str, value: object) -> tuple[int, ...]:
    """Read one number of seeds or an increasing list of them."""
    found = tuple(whole(2, MAX_SEED)(what, item) for item in (value if isinstance(value, list) else [value]))
    if any(earlier >= later for earlier, later in pairwise(found)):
        raise RequestError(f"{what} is {', '.join(map(str, found))}; allowed are numbers of seeds that increase")
    return found


def _or_none(reader: Reader) -> Reader:
    return lambda what, value: NONE if value == NONE else reader(what, value)


OPTIONS: Mapping[str, Reader] = {
    "trials": whole(1, MOST_TRIALS),
    "batch": whole(1, MOST_TRIALS),
    "sampler": choice(*SAMPLERS),
    "seed": whole(0, MAX_SEED),
    "seeds": lambda _what, value: read_seeds(value),
    "timeout": _or_none(number(0, above=True)),
    "objective": read_objectives,
    "constraints": _or_none(read_constraints),
    "prune": _or_none(_read_prune),
    "validate": whole(0, 1_000_000),
    "best": whole(1, 100),
    "baseline": choice(*SAMPLERS, NONE),
    "repeats": whole(1, 1000),
}
FIELDS = {"timeout": "timeout_s", "objective": "objectives"}  # of Search, where they have other names


def read_search(
    table: Mapping[str, Any], defaults: Mapping[str, Any], overrides: Overrides, folder: Path, problems: list[str]
) -> Search | None:
    """Read a ``[search]`` table over the defaults with overrides in place; note every problem, and return None then."""
    found: list[str] = []
    readers: dict[str, Reader] = {**OPTIONS, **{name: partial(read_dimension, folder=folder) for name in PARAMETERS}}
    each = read_each(table[EACH], overrides, folder, found) if EACH in table else ()
    tables = (REFERENCE, EACH)
    options_first = sorted((name for name in table if name not in tables), key=lambda name: name in PARAMETERS)
    own = read_table({name: table[name] for name in options_first}, readers, "", found, also=tables)
    named = _read_references(table[REFERENCE], folder, found) if REFERENCE in table else None
    options = _options(own, defaults, overrides)
    unread = {name for name, value in options.items() if value is None}
    searched = {name: own[name] for name in own if name not in OPTIONS}
    check_held(each, list(searched), found)
    held = {name for one in each for name in one.values}
    left = {name: values for name, values in defaults.items() if name not in held}
    given = replace(overrides, values={name: some for name, some in overrides.values.items() if name not in held})
    split = _space(searched, left, given, found)
    space, fixed = split or ({}, {})
    search = Search(space=space, fixed=fixed, each=each, **_with_defaults(options, is_each=EACH in table))
    if EACH in table:
        found += _mismatched_each(search, options, has_references=REFERENCE in table)
    elif split:
        search = replace(search, references=_references(search, named, found))
        changed = [name for name in (*overrides.values, *overrides.ranges) if name in PARAMETERS]
        found += [] if found else _in_vain(search, searched if not changed else () if table else changed)
    if not split:
        unread.add(SPACE)
    found += [problem for reads, problem in _mismatches(search) if unread.isdisjoint(reads)]
    problems += [f"search: {problem}" for problem in found]
    return None if found or not split else search


def _options(own: Mapping[str, Any], defaults: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Return the options that are given, None for those that could not be read.

    A file's batch is no more than the trials that the command line asks for.
    """
    given = {**overrides.values, **overrides.options}
    found = {name: value for name, value in {**defaults, **own, **given}.items() if name in OPTIONS}
    if own.get("batch") and "trials" in overrides.options and "batch" not in overrides.options:
        found["batch"] = min(own["batch"], overrides.options["trials"])
    return found


def _with_defaults(options: Mapping[str, Any], *, is_each: bool = False) -> dict[str, Any]:
    """Return the fields of a search that its options give, and those that follow from others."""
    given = {name: value for name, value in options.items() if value not in (None, NONE)}
    follow = {
        "seeds": DEFAULT_SEEDS,
        "batch": min(DEFAULT_BATCH, given.get("trials", DEFAULT_BATCH)),
        "repeats": DEFAULT_REPEATS if "baseline" in given else 1,
        **({"best": 1} if is_each else {}),
    }
    return {FIELDS.get(name, name): value for name, value in {**follow, **given}.items()}


# ------------------------------------------------------------------ space


def _space(
    own: Mapping[str, Dimension | None], defaults: Mapping[str, Any], overrides: Overrides, problems: list[str]
) -> tuple[dict[str, Dimension], dict[str, Any]] | None:
    """Return what is searched and what is fixed, or None if anything of it is wrong, here or in the defaults."""
    found: list[str] = []
    common = _choices_of(defaults, found)
    written = {**common, **own}
    found += check_conditions(written)
    changes = {
        **_choices_of(overrides.values, found),
        **{name: Dimension(over) for name, over in overrides.ranges.items()},
    }
    problems += found
    if found or None in (*common.values(), *own.values()):
        return None
    read = {name: one for name, one in written.items() if one is not None}
    for name, one in changes.items():
        assert one is not None
        keeps = name in read and not one.is_fixed  # a range or list keeps conditions, a value has none
        read[name] = replace(one, only_if=read[name].only_if) if keeps else one
    uncountable = check_countable(read)
    problems += uncountable
    if uncountable:
        return None
    space, fixed = split_fixed(read)
    elsewhere = {
        name: values[0]
        for name, values in defaults.items()
        if name in PARAMETERS and len(values) == 1 and (name not in space or space[name].only_if)
    }
    return space, {**elsewhere, **fixed}


def _choices_of(values: Mapping[str, Any], problems: list[str]) -> dict[str, Dimension | None]:
    """Return the choices among the values of parameters; None where these could not be read."""
    found: dict[str, Dimension | None] = {name: None for name in values if name not in KEYS}
    for name in found:
        with collecting(problems):
            found[name] = values[name] and listed(name, values[name])
    return found


# ------------------------------------------------------------------ references

SETTING, AS_LONG = "the walkthrough's setting", "the walkthrough's setting, as long as it trains"
DEFAULTS = "bench's defaults"
WALKTHROUGH: Mapping[Gate, Mapping[str, Any]] = {  # its hidden layers; what is not named are Trial's defaults
    built_in("or"): {"hidden": 3, "hidden_bias": False, "output_bias": False, "init": "uniform", "iterations": 10_000},
    built_in("xor"): {"hidden": 3, "output_bias": False, "draws_before": 3, "iterations": 50_000},
}
AS_SEARCHED = Trial.names(Role.TASK, Role.BUDGET, Role.PRECISION, Role.COMPUTATION)  # what a setting has of the search
TitledParameters = tuple[str, Mapping[str, Any]]  # of a reference


def _read_references(tables: Any, folder: Path, problems: list[str]) -> list[TitledParameters]:
    """Read one table of parameters or a list of them, each with an optional title; note what is wrong."""
    readers: dict[str, Reader] = {
        **{name: partial(read_one, folder=folder) for name in PARAMETERS},
        TITLE: read_title,
    }
    found: list[TitledParameters] = []
    for place, table in enumerate(tables if isinstance(tables, list) else [tables], 1):
        what = f"reference {place}"
        if not isinstance(table, Mapping):
            problems.append(f"{what} is {table!r}; allowed is a table of parameters, perhaps with a title")
            continue
        values = read_table(table, readers, f"{what}: ", problems)
        if None not in values.values():
            found.append((values.pop(TITLE, what), values))
    return found


def _references(search: Search, named: Sequence[TitledParameters] | None, problems: list[str]) -> tuple[Reference, ...]:
    """Return what a search is compared with: what is named, else the walkthrough's setting or bench's defaults.

    What a named one does not name is as in the search where it is fixed there, else the parameter's own default. Of
    those that nobody asked for, one that is no trial beside what is fixed is left out.
    """
    fixed = {name: value for name, value in search.fixed.items() if name not in search.space}
    found: list[Reference] = []
    for title, values in _by_default(search, fixed) if named is None else named:
        with collecting([] if named is None else problems, f"{title}: "):
            found.append(Reference(title, Trial(**(values if named is None else {**fixed, **values}))))
    titles: dict[str, Reference] = {}
    trials: dict[str, Reference] = {}
    for one in found:
        if titles.setdefault(one.title, one) is not one:
            problems.append(f"two references are called {one.title!r}; allowed are different titles")
        same = trials.setdefault(one.trial.trial_id, one)
        if same is not one:
            problems.append(f"references {same.title!r} and {one.title!r} are equal; allowed are different ones")
    return tuple(found) if search.validate else ()


def _by_default(search: Search, fixed: Mapping[str, Any]) -> Iterator[TitledParameters]:
    """Yield what a search of this gate is compared with if it says nothing.

    The walkthrough's setting is trained as long as the search's trials, and as long as there if that is longer.
    """
    if search.gate not in WALKTHROUGH:
        yield DEFAULTS, fixed
        return
    own = WALKTHROUGH[search.gate]
    setting = {**{name: value for name, value in fixed.items() if name in AS_SEARCHED}, **own}
    budget = search.default("iterations")
    if "iterations" in search.space or not isinstance(budget, int):  # a number of the gate's, which is told elsewhere
        yield SETTING, setting
        return
    yield SETTING, {**setting, "iterations": budget}
    if own["iterations"] > budget:
        yield AS_LONG, setting


# ------------------------------------------------------------------ what does not go together

SPACE = "space"  # beside the options, what a check reads
MOST_COMBINATIONS = 4096  # that are tried, of those that a space has
Mismatch = tuple[tuple[str, ...], str]  # the options that it is about, any of which may not have been read; a sentence


def _mismatches(search: Search) -> Iterator[Mismatch]:
    yield from _mismatched_numbers(search)
    yield from _mismatched_samplers(search)
    yield from _mismatched_space(search)


def _mismatched_numbers(search: Search) -> Iterator[Mismatch]:
    searches, largest = len(search.studies), max(search.seeds)
    if search.batch > search.trials:
        yield ("trials", "batch"), f"batch is {search.batch}; allowed is at most trials, {search.trials}"
    if search.prune and search.prune[-1] >= len(search.seeds):
        allowed = f"numbers below that of the seeds, {len(search.seeds)}"
        yield ("prune", "seeds"), f"prune is {search.prune[-1]}; allowed are {allowed}"
    if search.prune and len(search.objectives) > 1:
        yield ("objective", "prune"), f"prune needs one objective, and there are {', '.join(search.objectives)}"
    elif search.prune and OBJECTIVES[search.objectives[0]].per_training is None:
        needs = f"prune needs an objective that seeds decide, and {search.objectives[0]} is none"
        yield ("objective", "prune"), needs
    if search.baseline == search.sampler:
        yield (
            ("sampler", "baseline"),
            f"baseline is {search.baseline!r}, the search's own sampler; allowed is another",
        )
    if search.seed + searches - 1 > MAX_SEED:
        allowed = f"at most {MAX_SEED - searches + 1}"
        yield ("seed", "repeats", "baseline"), f"seed is {search.seed} with {searches} searches; allowed is {allowed}"
    if largest + search.validate > MAX_SEED:
        allowed = f"at most {MAX_SEED - largest}"
        yield ("validate", "seeds"), f"validate is {search.validate} after the seed {largest}; allowed is {allowed}"


def _mismatched_samplers(search: Search) -> Iterator[Mismatch]:
    conditional = [name for name, dimension in search.space.items() if dimension.only_if]
    for sampler in (SAMPLERS[name] for name in dict.fromkeys(name for name, _ in search.studies)):
        what = f"sampler {sampler.name!r}"
        if len(search.objectives) > 1 and not sampler.several_objectives:
            said = f"{what} needs one objective, and there are {', '.join(search.objectives)}"
            yield ("objective", "sampler", "baseline"), said
        if search.constraints and sampler.learns and not sampler.constraints:
            knowing = sorted(one.name for one in SAMPLERS.values() if one.learns and one.constraints)
            said = f"{what} does not know constraints; choose from {', '.join(knowing)}"
            yield ("constraints", "sampler", "baseline"), said
        if conditional and not sampler.conditions:
            said = f"{what} does not know conditions, and {conditional[0]} has only_if"
            yield (SPACE, "sampler", "baseline"), said
        if sampler.package and importlib.util.find_spec(sampler.package) is None:
            said = f"{what} needs {sampler.package}, which is not installed"
            yield ("sampler", "baseline"), f"{said}; install it with: pip install 'bench[search]'"


def _mismatched_space(search: Search) -> Iterator[Mismatch]:
    if not search.space:
        yield (SPACE,), "there is nothing to search; allowed is at least one range or list of values"
    if "gate" in search.space:
        allowed = "one gate: trials of different gates cannot be compared"
        yield (SPACE,), f"gate is searched among {search.space['gate'].over}; allowed is {allowed}"
    used = dict.fromkeys([*search.objectives, *(constraint.measure for constraint in search.constraints)])
    for name, depends, why in (
        ("iterations", "censored", "counts what is not solved at the budget"),
        ("tolerance", "of_solving", "depends on what counts as solved"),
    ):
        for measure in used:
            if name in search.space and getattr(OBJECTIVES[measure], depends):
                yield ("objective", "constraints", SPACE), f"{measure} {why}, and needs {name} fixed"
    for one in search.references:
        yield from _mismatched_reference(search, one)
    if not search.each:
        problem = _no_trial(search, MOST_COMBINATIONS)
        yield from [((SPACE,), f"{problem}, in every combination of what is searched")] if problem else []


def _no_trial(search: Search, most: int) -> str:
    """Return why the first combination of ends and choices is no trial that is none: the search would stop there."""
    for values in _combinations({name: dimension.over.ends for name, dimension in search.space.items()}, most):
        try:
            search.trial(search.active(values))
        except RequestError as error:
            return error.problems[0]
    return ""


def _in_vain(search: Search, given: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each parameter that is given for a search and changes nothing of any of its trials."""
    ends = {name: dimension.over.ends for name, dimension in search.space.items()}
    trials = (search.trial(search.active(values)) for values in _combinations(ends, MOST_COMBINATIONS))
    over = {name: [str(dimension.over)] for name, dimension in search.space.items()}
    values = {**{name: [value] for name, value in search.fixed.items()}, **over}
    with suppress(RequestError):  # of what is no trial, others speak
        yield from given_in_vain(values, without_effect_in_all(trials, given))


def _mismatched_each(search: Search, options: Mapping[str, Any], *, has_references: bool) -> Iterator[str]:
    """Yield what does not go together with combinations, each of which has one search and one best."""
    alone = [name for name in ("baseline", "repeats") if options.get(name) not in (None, NONE)]
    alone += [REFERENCE] if has_references else []
    if alone:
        first = "the first variant is what others are compared with"
        yield f"{' and '.join(alone)} cannot be given beside [search.each]; allowed is one of them: {first}"
    if search.best != 1:
        yield f"best is {search.best} beside [search.each]; allowed is 1, the best of each"
    if len(search.objectives) > 1:
        yield f"[search.each] needs one objective, and there are {', '.join(search.objectives)}"
    if not search.validate:
        yield "validate is 0 beside [search.each], whose best are compared on held-out seeds; allowed is at least 1"
    wrong: dict[str, str] = {}
    names: dict[str, str] = {}
    for combination, part in zip(search.each, search.parts, strict=False):
        if combination.variant in wrong:
            continue
        if problem := _no_trial(part, max(MOST_COMBINATIONS // len(search.each), 2)):
            wrong[combination.variant] = f"each: {combination.title}: {problem}"
        elif (same := names.setdefault(part.first_trial.trial_id, combination.title)) != combination.title:
            wrong[combination.variant] = (
                f"each: {same!r} and {combination.title!r} are equal; allowed are different ones"
            )
    yield from wrong.values()


def _mismatched_reference(search: Search, one: Reference) -> Iterator[Mismatch]:
    """Ask that a reference learns the same and means the same by solved; how long it may train is said beside it."""
    if "gate" not in search.space and one.trial.gate.digest != search.gate.digest:
        allowed = f"allowed is the search's, {search.gate.name}"
        yield (REFERENCE, SPACE), f"{one.title}: gate is {one.trial.gate.name}; {allowed}"
    for name in ("tolerance", "success", "success_loss", "success_for"):
        own, its = search.default(name), getattr(one.trial, name)
        if name not in search.space and its != own:
            allowed = f"allowed is the search's, {written(own)}"
            yield (REFERENCE, SPACE), f"{one.title}: {name} is {written(its)}; {allowed}"


def _combinations(ends: Mapping[str, tuple[Any, ...]], most: int) -> Iterator[dict[str, Any]]:
    """Yield all combinations, or of too many some that are spread over them: the same each time."""
    if math.prod(map(len, ends.values())) <= most:
        yield from (dict(zip(ends, values, strict=True)) for values in itertools.product(*ends.values()))
        return
    drawn = random.Random(0)  # noqa: S311  # which ones are tried is no secret
    for _ in range(most):
        yield {name: drawn.choice(values) for name, values in ends.items()}

"""What a sweep varies and what it holds, in words: the params of its run in MLflow, and the name of an ad-hoc one."""

from collections.abc import Sequence

from bench.config.plan import Plan
from bench.config.search_space import Choices, Range
from bench.config.seeds import write_seeds
from bench.model.display_labels import DEFAULTS, LONGEST_NAME, asked, bare, name_words
from bench.model.maps import PARAMETER
from bench.model.trial import PARAMETERS, Scalar, parts_of_optimizers

MOST_LISTED = 6  # values that are listed one by one
OF_SEARCH = (  # but for what may change when a search goes on with more trials
    *("sampler", "seed", "batch", "objectives", "constraints", "held_out", "prune", "best", "baseline", "repeats"),
)
CURVE_POINTS = "curve_points"
LONGEST_VALUE = 500  # characters of a param


def swept_params(plan: Plan) -> dict[str, str]:
    """Return what a sweep varies, with its values, and what else is not the default, with gate and seeds.

    Ranges and choices of a search are written as the command line reads them, and so are the axes of maps.
    """
    found: dict[str, list[str]] = {}
    for part in (_of_grid(plan), _of_search(plan), _of_maps(plan), {"seeds": _seeds(plan)}):
        for name, value in part.items():
            found.setdefault(name, []).append(value)
    return {name: _cut("; ".join(dict.fromkeys(parts))) for name, parts in found.items() if any(parts)}


def _of_grid(plan: Plan) -> dict[str, str]:
    """Return what the trials of the grid and of maps have, but for the parameters that are a map's axes."""
    held: list[dict[str, Scalar]] = [planned.trial.parameters for planned in plan.trials]
    for one in plan.maps:
        axes = {CURVE_POINTS, *(axis.of for axis in (one.x, one.y) if axis.kind == PARAMETER)}  # none has a curve
        held.append({name: value for name, value in one.trial.parameters.items() if name not in axes})
    values = {name: list(dict.fromkeys(trial[name] for trial in held if name in trial)) for name in PARAMETERS}
    parts = parts_of_optimizers(held)
    return {
        name: _listed(name, some)
        for name, some in values.items()
        if some and (name == "gate" or (some != [DEFAULTS[name]] and not (name in parts and len(some) > 1)))
    }


def _of_search(plan: Plan) -> dict[str, str]:
    """Return a search's space, what it holds that is not the default, and how it is searched."""
    if plan.search is None:
        return {}
    first, row = plan.search.first_trial.parameters, plan.search.row
    found = {name: str(dimension.over) for name, dimension in plan.search.space.items()}
    firsts = [part.first_trial.parameters for part in plan.search.parts]
    each = dict.fromkeys(name for one in plan.search.each for name in one.values)
    found |= {name: _listed(name, list(dict.fromkeys(one[name] for one in firsts))) for name in each}
    held = [name for name in PARAMETERS if name == "gate" or first[name] != DEFAULTS[name]]
    found |= {name: bare(name, first[name]) for name in held if name not in found}
    given = {name: row[name] for name in OF_SEARCH if row[name] not in (None, "", [])}
    return found | {
        f"search.{name}": ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in given.items()
    }


def _of_maps(plan: Plan) -> dict[str, str]:
    """Return the axes of every map."""
    named = {"map" if len(plan.maps) == 1 else f"map {number}": one for number, one in enumerate(plan.maps, 1)}
    axes = {f"{name}.{side}": axis for name, one in named.items() for side, axis in (("x", one.x), ("y", one.y))}
    return {
        name: f"{axis.words}:{axis.low:g}..{axis.high:g}{':log' if axis.log else ''}" for name, axis in axes.items()
    }


def sweep_name(plan: Plan) -> str:
    """Return what an ad-hoc sweep asks, in at most 80 characters; nothing where it asks nothing."""
    parts = []
    if plan.trials:
        parts.append(asked([planned.trial.parameters for planned in plan.trials]))
    if plan.search:
        over = [f"{name_words(name)} {_span(one.over)}" for name, one in plan.search.space.items()]
        times = f" for each of {len(plan.search.each)} combinations" if plan.search.each else ""
        parts.append(f"{plan.search.gate.name}: a search over {', '.join(over)}{times}")
    parts += [f"{m.trial.gate.name}: {name_words(m.x.words)} × {name_words(m.y.words)}" for m in plan.maps]
    return _cut("; ".join(parts), LONGEST_NAME)


def _listed(name: str, values: Sequence[Scalar]) -> str:
    """Return values one by one or, of many, how many there are, and of numbers their ends."""
    if len(values) <= MOST_LISTED:
        return ", ".join(bare(name, value) for value in values)
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if len(known) == len(values):
        low, high = (bare(name, values[numbers.index(end)], 4) for end in (min(known), max(known)))
        return f"{len(values)} values, {low} to {high}"
    return f"{len(values)} values: {', '.join(bare(name, value) for value in values[:MOST_LISTED])}, …"


def _number(value: Scalar) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _span(over: Range | Choices) -> str:
    """Return the ends of a range, or choices."""
    if isinstance(over, Choices):
        return str(over).replace(",", ", ")
    return "–".join(f"{end:g}" for end in over.ends)


def _seeds(plan: Plan) -> str:
    """Return the seeds that there are at first, those of each block once."""
    found = dict.fromkeys(planned.seeds for planned in plan.trials)
    if plan.search:
        found[plan.search.seeds] = None
    more = f", and more until {plan.until}" if plan.until and found else ""
    return _cut("; ".join(map(write_seeds, found)), LONGEST_VALUE - len(more)) + more


def _cut(text: str, most: int = LONGEST_VALUE) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip(' ,;×')}…"

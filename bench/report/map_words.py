"""Words about maps: what each is called, what it says in a sentence, how to read its axes, and its command."""

from collections.abc import Iterator, Mapping

from bench.config.experiment import again_command
from bench.config.map_config import write_axis
from bench.metrics import columns as c
from bench.model.display_labels import gate_word, name_words, phrase
from bench.model.maps import DIRECTION, PARAMETER, TOWARD, WEIGHT, Axis, Map
from bench.model.outcome import Result
from bench.model.trial import Trial
from bench.report.number_format import NONE, percent, percent_interval, plural, short, written
from bench.stats.boundary_dimension import Border, Dimension
from bench.stats.map_analysis import MapAnalysis
from bench.stats.proportions import HIGH, LOW, RATE

USUAL = Trial().parameters
VAGUE = 1.0  # an interval that wide says nothing of a dimension
SAID = {
    Border.SMOOTH: "smooth: a line, however near one looks",
    Border.FOLDED: "folded: more than a line from afar, a line from near",
    Border.FRACTAL: "fractal: more than a line at every scale that was looked at",
    Border.OPEN: "open: the trainings at hand do not tell whether it is a line",
    Border.NONE: "absent: there is one fate",
}


def map_title(one: Map) -> str:
    """Return the title that was given, or what a map is of and along what; of a descent, how near it is."""
    nearer = "" if one.magnified == 1 else f", × {one.magnified:,.0f}"
    if one.title:
        return f"{one.title}{nearer}"
    parameters = one.trial.parameters
    shown = {name: parameters[name] for name in ("hidden", "activation") if name not in (one.x.of, one.y.of)}
    network = f" by {phrase(shown)}" if "hidden" in shown else ""
    return f"{gate_word(one.trial.gate.name)}{network}: {axis_words(one.x)} and {axis_words(one.y)}{nearer}"


def axis_words(axis: Axis) -> str:
    """Return what an axis is, as one speaks of it."""
    if axis.kind == TOWARD:
        return f"toward seed {axis.of}"
    if axis.kind == DIRECTION:
        return f"along direction {axis.of}"
    return name_words(str(axis.of)) if axis.kind == PARAMETER else str(axis.of)


def moved_words(row: Mapping[str, float]) -> str:
    """Return how often another fate awaits, with its interval."""
    return percent_interval(row[RATE], row[LOW], row[HIGH])


def sentences(one: MapAnalysis) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a map, each with its evidence."""
    found, figures = one.map, one.border_figures
    if not one.is_whole:
        done = int((one.points.outcome_M >= 0).sum())
        yield f"{done:,} of its {found.points:,} trainings are done.", "There are figures of a map that is whole."
        return
    if moved := one.another_fate:
        yield (
            f"Move {what_moves(found)} by 1 % of the window, and in {moved_words(moved)} of cases another fate awaits.",
            f"{plural(int(moved['pairs']), 'pair')} of points anywhere in the window, exact 95 % interval.",
        )
    if one.border_of and not one.is_of(one.border_of).any():
        yield f"No training ends at {one.border_of}.", "So there is no border of it."
    elif figures.border == Border.NONE:
        yield f"All of {plural(found.pixels, 'training')} have one fate.", "There is no border in this window."
    elif one.has_border:
        dimension = figures.pairs.whole
        known = dimension is not None and dimension.high - dimension.low < VAGUE
        value = f" Its dimension is {dimension_words(dimension)}." if dimension and known else ""
        yield f"The border {border_words(one)}is {SAID[figures.border]}.{value}", _evidence(one)


def what_moves(one: Map) -> str:
    """Return what a point of a map is: a start, or a setting where no axis is of starts."""
    return "a start" if any(axis.kind != PARAMETER for axis in (one.x, one.y)) else "a setting"


def map_row(one: MapAnalysis) -> dict[str, str]:
    """Return a map's title, how much of it is solved, what a move of 1 % does, and what its border is."""
    moved, dimension = one.another_fate, one.border_figures.pairs.whole
    return {
        "map": map_title(one.map),
        "solved": percent(one.solved) if one.is_whole else NONE,
        "another fate 1 % further": moved_words(moved) if moved else NONE,
        "border": one.border_figures.border.value if one.has_border else NONE,
        "dimension": dimension_words(dimension) if dimension and one.has_border else NONE,
    }


def border_words(one: MapAnalysis) -> str:
    """Return between what the border is that is read."""
    if one.border_of == str(Result.SOLVED):
        return "between what solves it and what does not "
    result = "of what is" if one.border_of in list(Result) else "of what ends at"
    return f"{result} {one.border_of} " if one.border_of else ""


def dimension_words(found: Dimension) -> str:
    """Return a dimension with its interval."""
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _evidence(one: MapAnalysis) -> str:
    figures = one.border_figures
    parts = []
    if figures.pairs.whole:
        whole = figures.pairs.whole
        parts.append(
            f"by pairs from {short(whole.coarsest)} to {short(whole.finest)} of the window apart, 95 % interval "
            "(Grebogi, McDonald, Ott & Yorke 1983)"
        )
    if figures.boxes.dimension is not None:
        parts.append(
            f"box counting at this one zoom, an estimate that may be far too low, gives {figures.boxes.dimension:.2f}"
        )
    return f"{'; '.join(parts)}." if parts else "No pairs were trained."


def how_to_read(one: Map) -> list[str]:
    """Return how to read a map's axes."""
    origin = "the start that was given" if one.start is not None else f"where seed {one.seed} starts"
    said = []
    for axis in (one.x, one.y):
        if axis.kind == TOWARD:
            said.append(f"{axis_words(axis)}: 0 is {origin}, 1 where seed {axis.of} starts.")
        elif axis.kind == DIRECTION:
            said.append(f"{axis_words(axis)}: how far from {origin}, along a random direction of length 1.")
        elif axis.kind == WEIGHT:
            said.append(f"{axis.of}: that weight; all others are as {origin}.")
    fixed = {name: value for name, value in one.trial.parameters.items() if value != USUAL[name]}
    fixed = {
        name: value for name, value in fixed.items() if name not in (one.x.of, one.y.of, "curve_points", "iterations")
    }
    said.append(f"{phrase({'gate': one.trial.gate.name, **fixed}, 4)}; {one.trial.iterations:,} iterations.")
    if one.is_raised:
        said.append("Trained in float64: in float32, pixels so near could not be told apart.")
    return said


def again(one: Map) -> str:
    """Return the command that trains a map again."""
    parameters = one.trial.parameters
    left_out = (one.x.of, one.y.of, c.CURVE_POINTS, *([c.ITERATIONS] if parameters[c.OPTIMIZER] == "none" else []))
    words = [
        f"{name}={written(name, value)}"
        for name, value in parameters.items()
        if name == c.GATE or (value != USUAL[name] and name not in left_out)
    ]
    start = f"map.seed={one.seed}" if one.start is None else f"map.start={','.join(map(repr, one.start))}"
    x, y = write_axis(one.x), write_axis(one.y)
    size = [f"map.size={one.width}x{one.height}", f"map.pairs={one.pairs}"]
    more = [f"map.{name}={text}" for name, text in (("title", one.title), ("border", one.border)) if text]
    words += [start, f"map.x={x}", f"map.y={y}", *size, *more]
    return again_command(parameters, words, {"map": [{"x": x, "y": y}]})

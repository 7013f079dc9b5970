"""Figures of a search: however many trials there are, and whatever became of them."""

import re
import time
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.text import Text

from bench.config.search_space import Dimension
from bench.report import parallel_coordinates
from bench.report.colours import INK, RAMP, THEME, VARIABLES
from bench.report.drawing import inline, panel, style
from bench.report.parallel_coordinates import draw_parallel
from bench.report.search_parameters import BETWEEN, draw_contour, draw_importance, draw_slice
from bench.report.search_progress import MOST_NAMED, draw_front, draw_history, draw_repeated, unbeaten
from bench.report.search_scales import Scale, spread

MIN, MAX = "minimize", "maximize"
ROWS = {
    "hidden": {"low": 1, "high": 12, "log": False, "step": None, "whole": True},
    "learning_rate": {"low": 0.001, "high": 10.0, "log": True, "step": None, "whole": False},
    "momentum": {"low": 0.0, "high": 0.9, "log": False, "step": None, "whole": False},
    "init": {"choices": ["torch", "uniform", "xavier"]},
    "init_low": {
        "low": -2.0,
        "high": 0.0,
        "log": False,
        "step": None,
        "whole": False,
        "only_if": {"init": ["uniform"]},
    },
    "hidden_bias": {"choices": ["True", "False"]},
}
SPACE = {name: Dimension.from_json(name, row) for name, row in ROWS.items()}
COLUMNS = ["number", "trial_id", "state", "seeds", "feasible", "best", *SPACE, "rmst", "solved_rate", "parameters"]

pytestmark = pytest.mark.untraced


def proposals(count, values=None, seed=0):
    """Make up what a search tried: a frame as the analysis returns it."""
    draw = np.random.default_rng(seed)
    init = draw.choice(ROWS["init"]["choices"], count)
    hidden = draw.integers(1, 13, count)
    rmst = 10 ** draw.uniform(2, 4.7, count) if values is None else np.asarray(values, dtype=float)
    frame = pd.DataFrame(
        {
            "number": np.arange(count),
            "trial_id": [f"{place:016x}" for place in range(count)],
            "state": np.where(draw.random(count) < 0.2, "pruned", "complete"),
            "seeds": 200,
            "feasible": draw.random(count) < 0.9,
            "hidden": [str(size) for size in hidden],
            "learning_rate": 10 ** draw.uniform(-3, 1, count),
            "momentum": draw.uniform(0, 0.9, count),
            "init": init,
            "init_low": np.where(init == "uniform", draw.uniform(-2, 0, count), np.nan),
            "hidden_bias": draw.random(count) < 0.5,
            "rmst": rmst,
            "solved_rate": draw.random(count),
            "parameters": 4.0 * hidden + 1,
        }
    )
    own = (frame["state"] == "complete") & frame["feasible"]
    return frame.assign(best=frame["rmst"].where(own).cummin().ffill())


def markers(axes):
    """How many marks of trials there are."""
    return sum(len(line.get_xdata()) for line in axes.lines if line.get_linestyle() == "None")


def drawn_text(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


ALL_PAIRS = tuple(combinations(SPACE, 2))
SOME_PAIRS = (*pairwise(SPACE), ("hidden", "init_low"))  # every kind of axis, either way


def every_figure(frame, pairs=SOME_PAIRS):
    """Draw all figures of a search."""
    two, three = ["rmst", "parameters"], ["rmst", "solved_rate", "parameters"]
    some = frame.iloc[:12]
    running = frame.assign(sampler="tpe", mean=frame.get("best"), low=frame.get("rmst"), high=frame.get("rmst"))
    with style():
        yield draw_history(frame, "rmst", MIN)
        yield draw_parallel(frame, list(SPACE), SPACE, "rmst")
        for name, dimension in SPACE.items():
            yield draw_slice(frame, name, dimension, "rmst")
        for first, second in pairs:
            yield draw_contour(frame, first, second, SPACE, "rmst")
        yield draw_front(frame, some, two, [MIN, MIN])
        yield draw_front(frame, some, three, [MIN, MAX, MIN])
        yield draw_repeated(running, "rmst")


def saved(figure):
    """Return its SVG, as the page holds it."""
    return inline(panel("", figure).svg, "one")


# ------------------------------------------------------------------ whatever was found

ODD = {
    "no trial": [],
    "one trial": [900.0],
    "two trials": [900.0, 30.0],
    "all infinite": [np.inf] * 9,
    "all missing": [np.nan] * 9,
    "all equal": [50_000.0] * 20,
    "all zero": [0.0] * 20,
    "some of each": [np.inf, np.nan, -np.inf, 0.0, -3.0, 1e9, 1e-9] * 4,
}
QUICK = ("no trial", "one trial", "all equal", "some of each")
CASES = [
    *(pytest.param(ODD[name], SOME_PAIRS, id=name) for name in QUICK),
    *(pytest.param(odd, ALL_PAIRS, id=f"{name}, every pair", marks=pytest.mark.slow) for name, odd in ODD.items()),
]


@pytest.mark.parametrize(("values", "pairs"), CASES)
def test_every_figure_can_be_drawn_of_whatever_a_search_found(values, pairs):
    """Without an error, and without a warning, which would be one here."""
    for figure in every_figure(proposals(len(values), values), pairs):
        assert saved(figure).startswith("<svg")


def test_frames_without_columns_can_be_drawn():
    """As of a search that was interrupted before its first trial."""
    for frame in (pd.DataFrame(), pd.DataFrame(columns=COLUMNS)):
        for figure in every_figure(frame):
            assert saved(figure).startswith("<svg")
    with style():
        saved(draw_importance(pd.DataFrame()))
        saved(draw_importance(pd.DataFrame(columns=["evaluator", "parameter", "importance"])))
        saved(draw_repeated(pd.DataFrame(), "rmst"))
        saved(draw_front(pd.DataFrame(), pd.DataFrame(), ["rmst", "parameters"], [MIN, MIN]))


@settings(max_examples=3, deadline=None)  # each draws every figure: a second
@given(
    st.lists(
        st.one_of(st.floats(-1e12, 1e12, allow_subnormal=False), st.sampled_from([np.inf, np.nan, 1.0])), max_size=30
    ),
    st.integers(0, 5),
)
def test_any_values_can_be_drawn(values, seed):
    """However great, small or close to each other."""
    for figure in every_figure(proposals(len(values), values, seed)):
        panel("", figure)


def test_points_on_a_line_or_at_one_place_have_no_surface_and_are_drawn():
    """There is no triangle among them."""
    at = np.linspace(0.1, 0.8, 20)
    for momentum, rate in ((at, 10 ** (4 * at - 3)), (at, np.ones(20)), (np.full(20, 0.3), np.ones(20))):
        frame = proposals(20).assign(momentum=momentum, learning_rate=rate)
        with style():
            figure = draw_contour(frame, "momentum", "learning_rate", SPACE, "rmst")
        saved(figure)
        assert markers(figure.axes[0]) == 20


# ------------------------------------------------------------------ what is drawn


@pytest.mark.parametrize("count", [2, 60, 1000])
def test_every_trial_has_one_mark(count):
    """In the history and in the slices, whatever became of it; in surfaces, if it searched both parameters."""
    frame = proposals(count)
    frame.loc[::7, "rmst"] = np.inf
    with style():
        assert markers(draw_history(frame, "rmst", MIN).axes[0]) == count
        for name, dimension in SPACE.items():
            assert markers(draw_slice(frame, name, dimension, "rmst").axes[0]) == frame[name].notna().sum()
        for first, second in (("momentum", "learning_rate"), ("init", "hidden"), ("init_low", "momentum")):
            marks = markers(draw_contour(frame, first, second, SPACE, "rmst").axes[0])
            assert marks == frame[[first, second]].notna().all(axis=1).sum()


def test_the_history_tells_apart_what_was_given_up_what_breaks_a_limit_and_what_is_infinite():
    """By the form of the mark, and says what the forms mean."""
    frame = proposals(4, [1.0, 2.0, np.inf, 4.0]).assign(
        state=["complete", "pruned", "complete", "complete"], feasible=[True, True, True, False]
    )
    with style():
        (axes,) = draw_history(frame, "rmst", MIN).axes
    forms = {float(line.get_xdata()[0]): line.get_marker() for line in axes.lines if line.get_linestyle() == "None"}
    assert forms == {0: "o", 1: "o", 2: "^", 3: "x"}
    assert "○ given up   △ no finite value   × breaks a limit" in [text.get_text() for text in axes.texts]


def test_the_best_so_far_is_named_with_its_last_value():
    """At the end of its steps."""
    frame = proposals(50)
    with style():
        figure = draw_history(frame, "rmst", MIN)
    assert f"best {frame['best'].iloc[-1]:,.0f}" in drawn_text(figure)
    (steps,) = (line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post")
    assert steps.get_ydata()[-1] == frame["best"].iloc[-1]


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1, 10, 101], "log"), ([1, 50, 100], "linear"), ([0, 10, 1000], "linear"), ([1, 500, np.inf], "log")],
)
def test_an_objective_is_logarithmic_where_it_spans_more_than_two_decades(values, scale):
    """And is nowhere 0."""
    with style():
        assert draw_history(proposals(3, values), "rmst", MIN).axes[0].get_yscale() == scale
        assert draw_slice(proposals(3, values), "hidden", SPACE["hidden"], "rmst").axes[0].get_yscale() == scale


def test_ticks_of_a_logarithmic_range_are_even_per_decade():
    """From its low end to its high end."""
    places = {word: place for place, word in Scale.of_parameter(SPACE["learning_rate"], pd.Series([0.1])).ticks(6)}
    assert places == pytest.approx({"0.001": 0, "0.01": 0.25, "0.1": 0.5, "1": 0.75, "10": 1})


@given(st.lists(st.text("abcdef", min_size=1, max_size=5), min_size=1, max_size=9, unique=True))
def test_names_stand_at_even_places(names):
    """And each value at its name."""
    scale = Scale(names=tuple(names))
    places = scale.places(pd.Series(names))
    assert np.allclose(np.diff(places), 1 / len(names))
    assert [place for place, _ in scale.ticks()] == pytest.approx(places)


def test_flags_and_numbers_stand_at_their_choices_however_they_are_kept():
    """True at "true", 1 at "1.0"."""
    flags = Scale(names=("true", "False"))
    assert flags.places(pd.Series([True, False, "True", None])) == pytest.approx(
        [0.25, 0.75, 0.25, np.nan], nan_ok=True
    )
    assert Scale(names=("1", "0.5", "4-4")).places(pd.Series([1.0, "0.50", "4-4"])) == pytest.approx(
        [1 / 6, 0.5, 5 / 6]
    )


@given(st.integers(1, 400))
def test_marks_are_spread_evenly(count):
    """Within half a unit of the middle, and no two at one place."""
    found = spread(count)
    assert np.abs(found).max() <= 0.5
    assert len(np.unique(found, axis=0)) == count


def test_medians_of_a_slice_fall_where_values_do():
    """A line through the parts of a range."""
    at = np.linspace(0, 0.9, 80)
    frame = proposals(80, 1 + (at - 0.4) ** 2).assign(momentum=at)
    with style():
        (axes,) = draw_slice(frame, "momentum", SPACE["momentum"], "rmst").axes
    (medians,) = (line for line in axes.lines if line.get_linestyle() == "-")
    assert medians.get_xdata()[np.argmin(medians.get_ydata())] == pytest.approx(0.4 / 0.9, abs=0.07)


# ------------------------------------------------------------------ parallel coordinates


def lines_of(figure):
    """The lines of trials: those below and those on top, without their outline."""
    below, _, top = (one for one in figure.axes[0].collections if isinstance(one, LineCollection))
    return below, top


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (300, 300), (301, 301), (1000, 400), (5000, 400)])
def test_parallel_coordinates_say_how_many_trials_they_show(count, shown):
    """All of them, up to 300; of more, an even sample and the best."""
    frame = proposals(count)
    assert parallel_coordinates.shown(len(frame)) == shown
    with style():
        below, top = lines_of(draw_parallel(frame, ["hidden", "init"], SPACE, "rmst"))
    assert len(below.get_segments()) + len(top.get_segments()) == shown


@pytest.mark.parametrize(("objective", "ascending"), [("rmst", True), ("solved_rate", False)])
def test_the_best_tenth_is_on_top_whichever_way_is_better(objective, ascending):
    """Of those that can be the best: complete, and within limits."""
    frame = proposals(1000)
    own = frame[(frame["state"] == "complete") & frame["feasible"]].sort_values(objective, ascending=ascending)
    with style():
        _, top = lines_of(draw_parallel(frame, ["momentum"], SPACE, objective))
    heights = [segment[0, 1] for segment in top.get_segments()]
    assert sorted(heights) == pytest.approx(sorted(own.head(100)["momentum"] / 0.9))


def test_axes_stand_in_the_order_that_was_asked_for_with_the_objective_last():
    """From left to right."""
    names = ["momentum", "init", "hidden"]
    with style():
        (axes,) = draw_parallel(proposals(30), names, SPACE, "rmst").axes
    above = sorted((text.xy[0], text.get_text()) for text in axes.texts if text.get_text() in {*names, "rmst"})
    assert [word for _, word in above] == [*names, "rmst"]


def test_a_line_passes_below_the_axis_of_a_parameter_that_its_trial_did_not_search():
    """Which is said there."""
    frame = proposals(40)
    with style():
        figure = draw_parallel(frame, ["init", "init_low"], SPACE, "rmst")
    segments = [one for lines in lines_of(figure) for one in lines.get_segments()]
    assert sum(segment[1, 1] < 0 for segment in segments) == frame["init_low"].isna().sum()
    assert sum(text.startswith("not") for text in drawn_text(figure)) == 1


@pytest.mark.parametrize("names", [list(SPACE), [*SPACE, "hidden", "momentum"]])
def test_a_thousand_trials_stay_small_and_quick(names):
    """Under 400 kB and a second."""
    frame = proposals(1000)
    with style():
        draw_parallel(frame, names, SPACE, "rmst")  # fonts are read once
        begun = time.perf_counter()
        drawing = panel("", draw_parallel(frame, names, SPACE, "rmst"))
    assert time.perf_counter() - begun < 1
    assert len(drawing.svg) < 400_000


# ------------------------------------------------------------------ the front and what comes after it


def front_of(frame, objectives, signs):
    """The trials that no other beats in everything, by comparing all pairs."""
    values = frame[objectives].to_numpy() * signs
    beaten = [((values <= one).all(axis=1) & (values < one).any(axis=1)).any() for one in values]
    return frame[~np.array(beaten)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30))
def test_steps_of_a_front_go_through_what_no_trial_beats(points):
    """As all pairs compared say; of equal ones, through one."""
    costs = np.array(points, dtype=float).reshape(-1, 2)
    frame = pd.DataFrame(costs, columns=["a", "b"])
    expected = front_of(frame, ["a", "b"], 1).drop_duplicates().sort_values("a") if points else frame
    assert costs[unbeaten(costs)].tolist() == expected.to_numpy().tolist()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("crowded", [False, True])
def test_points_of_a_front_are_named_apart_from_each_other(seed, crowded):
    """Up to eight, by their numbers, even where they are all but at one place."""
    size = 1e-3 if crowded else 1.0
    at = np.sort(np.random.default_rng(seed).random(8)) * size
    own = pd.DataFrame({"number": np.arange(8) * 37, "rmst": 10 + at, "parameters": 10 + size - at})
    rest = pd.DataFrame({"number": [1], "rmst": [20.0], "parameters": [30.0]})
    with style():
        figure = draw_front(pd.concat([own, rest]), own, ["rmst", "parameters"], [MIN, MIN])
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        names = [text for text in figure.axes[0].texts if text.get_text().startswith("#")]
        boxes = [Text.get_window_extent(text, canvas.get_renderer()) for text in names]  # without lines to the points
    assert {text.get_text() for text in names} == {f"#{number}" for number in own["number"]}
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_of_many_points_of_a_front_eight_are_named_its_ends_among_them():
    """The others are drawn."""
    at = np.arange(40.0)
    own = pd.DataFrame({"number": np.arange(40), "rmst": at, "parameters": 40 - at})
    with style():
        figure = draw_front(own, own, ["rmst", "parameters"], [MIN, MIN])
    names = [text for text in drawn_text(figure) if text.startswith("#")]
    assert len(names) == MOST_NAMED
    assert {"#0", "#39"} <= set(names)


def test_three_objectives_have_a_front_for_each_pair():
    """Below each other."""
    frame = proposals(60)
    objectives = ["rmst", "solved_rate", "parameters"]
    with style():
        figure = draw_front(frame, front_of(frame, objectives, [1, -1, 1]), objectives, [MIN, MAX, MIN])
    assert len(figure.axes) == 3
    heights = [axes.get_position().y0 for axes in figure.axes]
    assert heights == sorted(heights, reverse=True)


def test_importances_stand_in_the_order_of_their_means_with_both_evaluators():
    """The greatest on top."""
    table = pd.DataFrame(
        [("PED-ANOVA", "a", 0.1), ("PED-ANOVA", "b", 0.9), ("fANOVA", "b", 0.4), ("fANOVA", "c", 0.6)],
        columns=["evaluator", "parameter", "importance"],
    )
    with style():
        (axes,) = draw_importance(table).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["b", "c", "a"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [bar.get_width() for bar in axes.patches] == [0.9, 0.1, 0.4, 0.6]
    assert {"PED-ANOVA", "fANOVA"} <= {text.get_text() for text in axes.texts}


def test_each_sampler_has_a_line_and_a_name():
    """And a band, where there is one."""
    at = np.arange(1, 51)
    table = pd.concat(
        pd.DataFrame({"sampler": name, "number": at, "mean": 1000 / at, "low": low / at, "high": 1100 / at})
        for name, low in (("tpe", 900), ("random", np.nan))
    )
    with style():
        figure = draw_repeated(table, "rmst")
    assert {"tpe", "random"} <= set(drawn_text(figure))


# ------------------------------------------------------------------ colours


def test_every_colour_turns_with_the_page():
    """No figure has one that is the same by day and by night."""
    found = [saved(figure) for figure in every_figure(proposals(60))]
    assert {colour for svg in found for colour in re.findall(r"#[0-9a-f]{6}\b", svg)} == set()


def luminance(colour):
    """WCAG 2.1, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("shade", BETWEEN)
def test_numbers_in_a_tables_cells_can_be_read(which, shade):
    """At least 4.5 to 1, as WCAG asks of small text."""
    pair = next(pair for pair in RAMP.values() if pair[0] == shade)
    light, dark = sorted((luminance(pair[which]), luminance(THEME["paper"][which])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
    assert {shade, INK} <= set(VARIABLES)

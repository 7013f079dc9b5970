"""Maps in the report: their colours, their words, and the way down."""

import ast
import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.model.maps import DIRECTION, PARAMETER, TOWARD, WEIGHT, Axis, Map, MapPoints
from bench.model.outcome import NEVER, Result
from bench.report.descent import descent_words, is_descent, write_animation
from bench.report.map_picture import MOST_PIXELS, RAMP, MapPicture, ending_colours
from bench.report.map_words import again, how_to_read, map_row, map_title, sentences
from bench.report.maps import fate_at, seeds_in
from bench.request import read_request
from bench.stats.map_analysis import MapAnalysis

PLANE = Axis(TOWARD, 1, -1.0, 1.0), Axis(TOWARD, 3, -1.0, 1.0)


def striped(trial, size=32, magnified=1.0, angle=0.0):
    """A map whose left half is solved, the later the further left, and whose right half is stuck."""
    found = Map(trial(hidden=2), *PLANE, size, size, pairs=0, magnified=magnified)
    x_M, y_M = found.shares(range(found.points))
    solved_M = x_M + angle * (y_M - 0.5) < 0.5
    ends = np.where(solved_M[:, None], (0.05, 0.95, 0.95, 0.05), (0, 0.5, 1, 0.5)).astype(np.float32)
    points = MapPoints(
        np.where(solved_M, 0, 2).astype(np.int8),
        np.where(solved_M, 1 + np.rint(50 * (1 - x_M)), NEVER).astype(np.int32),
        np.where(solved_M, 1, NEVER).astype(np.int32),
        np.where(solved_M, 1e-3, 0.2).astype(np.float32),
        ends,
        {},
    )
    return MapAnalysis(found, points)


def luminance(rgb):
    return np.asarray(rgb, float) @ (0.2126, 0.7152, 0.0722)


def test_what_is_solved_is_brighter_than_all_that_is_not(trial):
    """So that maps can be read without seeing hues; the later the darker."""
    picture = MapPicture(striped(trial), ending_colours([striped(trial)]))
    bright = luminance(picture.rgb())
    assert bright[:, :16].min() > bright[:, 16:].max() + 40
    assert (np.diff(bright[0, :16]) >= 0).all()
    assert len(set(RAMP)) == len(RAMP)


def test_an_ending_has_the_same_colour_in_a_map_and_in_its_zooms(trial):
    """The first map decides."""
    one, other = striped(trial), striped(trial, magnified=8.0)
    assert ending_colours([one])["0 ½ 1 ½"] == ending_colours([one, other])["0 ½ 1 ½"]


def test_a_map_too_large_for_a_page_is_shown_in_part(trial):
    """Every second pixel; all are exported."""
    picture = MapPicture(striped(trial, MOST_PIXELS + 2), {"0 ½ 1 ½": "#000000"})
    assert picture.step == 2
    assert picture.rgb().shape == (MOST_PIXELS // 2 + 1, MOST_PIXELS // 2 + 1, 3)


def test_the_seeds_in_the_plane_are_named(trial):
    """Only those that lie in the window; a parameter has none."""
    assert [name for name, _, _ in seeds_in(Map(trial(hidden=2), *PLANE))] == ["seed 0"]
    wide = Axis(TOWARD, 1, -1.0, 2.0), Axis(TOWARD, 3, -1.0, 2.0)
    assert [name for name, _, _ in seeds_in(Map(trial(hidden=2), *wide))] == ["seed 0", "seed 1", "seed 3"]
    assert not list(seeds_in(Map(trial(hidden=2), PLANE[0], Axis(PARAMETER, "learning_rate", 1, 2))))


def test_a_map_says_how_its_axes_are_read(trial):
    """Each kind in its own words, and a title where nobody gave one."""
    own = trial(hidden=2)
    found = Map(own, Axis(WEIGHT, "output.bias", -1, 1), Axis(DIRECTION, 7, -1, 1), is_raised=True)
    said = " ".join(how_to_read(found))
    assert "output.bias: that weight; all others are as where seed 0 starts." in said
    assert "along direction 7: how far from where seed 0 starts" in said
    assert "Trained in float64" in said
    assert map_title(found) == "XOR by 2 sigmoid neurons: output.bias and along direction 7"


@pytest.mark.parametrize(
    "axes",
    [PLANE, (Axis(WEIGHT, "hidden[0].bias", -2.5, 2.5), Axis(PARAMETER, "init_scale", 0.1, 1e-7 + 30, log=True))],
    ids=["seeds", "a weight and a scale"],
)
def test_the_command_of_a_map_asks_for_the_same_trainings(trial, axes):
    """Word for word, its numbers exact."""
    found = Map(trial(hidden=2, curve_points=1, learning_rate=0.1, hidden_bias=False), *axes, 20, 30, seed=4, pairs=64)
    if axes is not PLANE:
        start = {"start": (0.1, -2.0) * 4 + (1e-9,), "border": "0 1 1 1", "title": "A map"}
        found = Map(trial(hidden=2, curve_points=1), *axes, 20, 30, pairs=64, **start)
    (asked,) = read_request(shlex.split(again(found))[4:]).maps
    assert (asked, asked.map_id) == (found, found.map_id)


def test_the_command_of_a_map_of_guesses_changes_the_content_of_a_file(trial):
    """What is only said for all of a file changes nothing of it, and words alone would be refused."""
    found = Map(trial(hidden=2, curve_points=1, optimizer="none", learning_rate=0.1), *PLANE, 20, 30, seed=4, pairs=64)
    call = ast.parse(shlex.split(again(found))[2]).body[-1].value
    (asked,) = read_request([ast.literal_eval(one) for one in call.args]).maps
    assert asked == found
    plain = Map(trial(hidden=2, curve_points=1, optimizer="none"), *PLANE, 20, 30, seed=4, pairs=64)
    assert read_request(shlex.split(again(plain))[4:]).maps == (plain,)


def test_the_way_down_is_one_sentence_and_a_moving_picture(trial, tmp_path, monkeypatch):
    """Frames from the first window to the last, which stays."""
    monkeypatch.setattr("bench.report.descent.FRAMES", 3)
    maps = [striped(trial, 64, 8.0**depth, angle=0.3) for depth in range(3)]
    assert is_descent(maps)
    assert not is_descent(maps[:1])
    assert not is_descent(maps[::-1])
    said, evidence = descent_words(maps)
    assert said == "The border between what solves it and what does not is smooth: a line, however near one looks."
    assert "× 64" in evidence
    for name in ("down.webp", "down.png"):
        write_animation(maps, tmp_path / name)
        with Image.open(tmp_path / name) as moving:
            assert moving.n_frames == 2 * 3 + 1
            assert moving.size == (512, 512)


def test_a_map_that_is_not_whole_has_no_figures(trial):
    """It says how far it is, and nothing of borders that nobody has looked at."""
    whole = striped(trial)
    outcome_M = whole.points.outcome_M.copy()
    outcome_M[100:] = -1
    part = MapAnalysis(whole.map, replace(whole.points, outcome_M=outcome_M))
    assert [said for said, _ in sentences(part)] == ["100 of its 1,024 trainings are done."]
    assert map_row(part)["border"] == map_row(part)["solved"] == "–"


def test_the_border_of_what_nothing_ends_at_is_said_to_be_none(trial):
    """And not that all have one fate."""
    one = striped(trial)
    other = MapAnalysis(replace(one.map, border="1 1 1 1"), one.points)
    assert [said for said, _ in sentences(other)] == ["No training ends at 1 1 1 1."]
    stuck = MapAnalysis(replace(one.map, border="stuck"), one.points)
    (said,) = [said for said, _ in sentences(stuck)]
    assert said.startswith("The border of what is stuck is open")


def test_a_seed_between_pixels_has_no_fate(trial):
    """Of one that is a pixel it is told."""
    one = striped(trial)
    assert fate_at(one, 0.0, 0.0) == "0 ½ 1 ½"
    assert fate_at(one, 0.01, 0.0) == ""


def test_a_map_is_shown_in_a_notebook_and_as_text(bench):
    """A row per map, with what its border is."""
    import bench as api

    found = api.sweep("hidden=2", "iterations=50", "map.x=toward:1:-1..1", "map.y=toward:2:-1..1", "map.size=8",
                      "map.pairs=0", "map.title=<b>Mine</b>", report=False, progress=False)  # fmt: skip
    assert "64 trainings" in repr(found)
    assert "<b>Mine</b>" in repr(found)
    html = found._repr_html_()
    assert "&lt;b&gt;Mine&lt;/b&gt;" in html
    assert "<b>Mine" not in html
    assert isinstance(found.maps[0].frame(), pd.DataFrame)
    assert found.maps[0].points.of(Result.SOLVED).sum() == 0

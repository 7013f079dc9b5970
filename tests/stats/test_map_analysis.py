"""What is read of a map: the fate of every point, and the border that is asked for."""

import numpy as np
import pytest

from bench.metrics import columns as c
from bench.model.maps import RESULTS, TOWARD, Axis, Map, MapPoints
from bench.model.outcome import NEVER, Result
from bench.stats.attractors import SHARE
from bench.stats.basins import FATE
from bench.stats.boundary_dimension import Border
from bench.stats.map_analysis import MapAnalysis
from bench.stats.proportions import HIGH, LOW, RATE

SIDE, PAIRS = 64, 256
ENDS = {Result.SOLVED: (0.05, 0.95, 0.95, 0.05), Result.STUCK: (0, 0.5, 1, 0.5), Result.DIVERGED: (np.nan,) * 4}


def analysis(trial, fate_of, *, pairs=PAIRS, border="", **of):
    """Return a map whose points have the results and endings that a function of their place in the window gives."""
    plane = Axis(TOWARD, 1, 0, 1), Axis(TOWARD, 2, 0, 1)
    found = Map(trial(hidden=2, **of), *plane, SIDE, SIDE, pairs=pairs, border=border)
    x_M, y_M = found.shares(range(found.points))
    fates = [fate_of(x, y) for x, y in zip(x_M, y_M, strict=True)]
    results = [fate[0] if isinstance(fate, tuple) else fate for fate in fates]
    ends = [fate[1] if isinstance(fate, tuple) else ENDS.get(fate, (0.2, 0.3, 0.4, 0.6)) for fate in fates]
    solved = np.array([result == Result.SOLVED for result in results])
    return MapAnalysis(found, MapPoints(
        outcome_M=np.array([-1 if r is None else RESULTS.index(r) for r in results], np.int8),
        solved_at_M=np.where(solved, 100, NEVER).astype(np.int32),
        correct_at_M=np.where(solved, 50, NEVER).astype(np.int32),
        final_loss_M=np.where(solved, 0.01, 0.2).astype(np.float32),
        predictions_MN=np.array(ends, np.float32),
        reasons={},
    ))  # fmt: skip


def disc(x, y):
    return Result.SOLVED if np.hypot(x - 0.5, y - 0.5) < 0.3 else Result.STUCK


def test_fates_are_named_solved_first_and_endings_by_what_they_say(trial):
    """Endings that many share are told apart, the commonest first; what diverged, and what is missing, has its own."""

    def fate_of(x, y):
        if y > 0.9:
            return None if x > 0.5 else Result.DIVERGED
        if x < 0.3:
            return Result.SOLVED
        return Result.STUCK if x < 0.8 else (Result.STUCK, (0, 1, 0.5, 0.5))

    found = analysis(trial, fate_of, pairs=0)
    assert [one.words for one in found.fates] == ["solved", "0 ½ 1 ½", "0 1 ½ ½", "diverged", "not trained"]
    shares = found.shares.set_index(FATE)[SHARE]
    assert shares["0 ½ 1 ½"] == pytest.approx(0.5 * 0.9, abs=0.02)
    assert shares.sum() == pytest.approx(1)
    assert found.metrics["share of diverged"] == shares["diverged"]


def test_endings_are_named_as_the_gate_has_its_targets_and_mlflow_takes_their_names(trial):
    """Half way between -1 and 1 is a half; many predictions in a row are counted, in signs that it has."""
    tanh = {"output": "tanh", "target_low": -1.0}
    found = analysis(trial, lambda _x, _y: (Result.STUCK, (-1, 0, 1, 0)), pairs=0, **tanh)
    assert [one.words for one in found.fates] == ["0 ½ 1 ½"]
    found = analysis(trial, lambda _x, _y: (Result.STUCK, (0.5,) * 32), pairs=0, gate="parity5")
    assert [one.words for one in found.fates] == ["½ ×32"]
    assert found.metrics["share of ½ x32"] == 1


def test_a_disc_has_its_area_and_a_smooth_border(trial):
    """By random points with an interval, and by the pixels."""
    found = analysis(trial, disc, pairs=4000)
    row = found.shares.set_index(FATE).loc["solved"]
    assert row[LOW] <= np.pi * 0.09 <= row[HIGH]
    assert found.solved == pytest.approx(np.pi * 0.09, abs=0.01)
    assert found.border_of == "solved"
    assert found.border_figures.border == Border.SMOOTH


def test_a_move_of_a_hundredth_crosses_a_straight_line_as_buffon_says(trial):
    """With a probability of 2 / 100 π for a line across the window (Buffon 1777), within its interval."""
    found = analysis(trial, lambda x, _: Result.SOLVED if x < 0.5 else Result.STUCK, pairs=4000)
    moved = found.another_fate
    assert moved[LOW] <= 0.02 / np.pi <= moved[HIGH]
    assert found.metrics["another_fate_at_1_percent"] == moved[RATE]


def test_the_border_of_one_ending_is_read_alone(trial):
    """A chessboard of endings beside it is not part of it."""

    def fate_of(x, y):
        if x < 0.5:
            return Result.SOLVED
        return Result.STUCK if (int(50 * x) + int(50 * y)) % 2 else (Result.STUCK, (0, 1, 0.5, 0.5))

    found = analysis(trial, fate_of, pairs=0)
    assert found.border_figures.pixels.value < 1.1 < found.figures.pixels.value
    other = analysis(trial, fate_of, pairs=0, border="0 1 ½ ½")
    assert other.border_of == "0 1 ½ ½"
    assert other.border_figures.pixels.value > 1.1


def test_one_fate_has_no_border(trial):
    """Nor has anything another fate further on."""
    found = analysis(trial, lambda *_: Result.SOLVED)
    assert (found.border_of, found.border_figures.border) == ("", Border.NONE)
    assert found.another_fate[RATE] == 0
    assert found.figures.pairs.whole is None


def test_rows_and_arrays_say_the_same(trial):
    """Pixels only, the lowest row first; what never happened is missing, or -1."""
    found = analysis(trial, disc)
    rows, arrays = found.frame(), found.arrays()
    assert len(rows) == SIDE**2
    np.testing.assert_array_equal(arrays["fates"][arrays[FATE]].ravel(), rows[FATE])
    np.testing.assert_array_equal(arrays[c.SOLVED_AT].ravel(), rows[c.SOLVED_AT].fillna(NEVER))
    np.testing.assert_array_equal(arrays["x"][rows["column"]], rows["x"])
    assert arrays[c.PREDICTIONS].shape == (SIDE, SIDE, 4)

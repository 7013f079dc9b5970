"""Maps as plain data: where every point starts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backends import load
from bench.model.maps import DIRECTION, PARAMETER, TOWARD, WEIGHT, Axis, Map, direction, pair_points
from bench.model.network import Network, weight_names
from bench.model.outcome import Batch
from bench.model.trial import Trial

PLANE = {"x": Axis(TOWARD, 1, -1.5, 2.5), "y": Axis(TOWARD, 3, -1.5, 2.5), "width": 64, "height": 64, "pairs": 0}


@pytest.fixture
def two(trial):
    """A trial with two neurons."""
    return trial(hidden=2, activation="tanh", curve_points=1)


@pytest.mark.parametrize("init", ["torch", "normal", "xavier"])
def test_where_a_seed_starts_the_weights_are_its_own_to_the_bit(trial, init):
    """The origin and both seeds that axes lead to are pixels of the plane through them."""
    own = trial(hidden=2, init=init, init_scale=1.7)
    found = Map(own, **PLANE)
    places = [found.place(0, 0), found.place(1, 0), found.place(0, 1)]
    np.testing.assert_array_equal(found.batch(own, places).weights_TP, own.initial_weights([0, 1, 3]))


def test_a_seeds_pixel_is_trained_as_its_row_of_a_sweep(two):
    """Whatever is trained beside it: predictions and weights are the same bits."""
    found, backend = Map(two, **PLANE), load("numba")
    places = range(found.place(-0.5, 1), found.place(-0.5, 1) + 300)
    outcome = backend.train(found.batch(two, places))
    own = backend.train(Batch.of(two, [3]))
    place = found.place(0, 1) - places.start
    np.testing.assert_array_equal(outcome.predictions_TN[place], own.predictions_TN[0])
    np.testing.assert_array_equal(outcome.weights_TP[place], own.weights_TP[0])


def test_a_scale_along_an_axis_gives_the_weights_of_that_scale(two):
    """And a learning rate and a momentum are those of each training."""
    found = Map(
        two, Axis(PARAMETER, "init_scale", 0.5, 8, log=True), Axis(PARAMETER, "learning_rate", 0, 4), 4, 4, seed=5
    )
    batch = found.batch(two, [found.place(2.0, 3.0)])
    assert found.coordinates([found.place(2.0, 3.0)]) == ([2.0], [3.0])
    scaled = Trial(**{**two.parameters, "gate": two.gate, "hidden": 2, "init_scale": 2.0})
    np.testing.assert_array_equal(batch.weights_TP, scaled.initial_weights([5]))
    assert batch.learning_rate_T == [3.0]
    assert batch.momentum_T == [0.0]


def test_a_weight_has_the_axis_value_and_all_others_the_origins(two):
    """Also where they are scaled, and where a paper prints them."""
    names, start = weight_names(two.network), tuple(float(n) for n in range(9))
    x = Axis(WEIGHT, "output.bias", -10, 10)
    found = Map(two, x, Axis(PARAMETER, "init_scale", 1, 3), 20, 2, start=start, pairs=0)
    (weights,) = found.batch(two, [found.place(-7.0, 2.0)]).weights_TP
    expected = 2.0 * np.arange(9)
    expected[names.index("output.bias")] = -7.0
    np.testing.assert_array_equal(weights, expected)


def test_along_a_direction_the_coordinate_is_the_distance_from_the_origin(two):
    """Directions of two seeds are independent, and of length 1."""
    found = Map(two, Axis(DIRECTION, 7, -1, 1), Axis(DIRECTION, 8, -1, 1), 8, 8, seed=2)
    (weights,) = found.batch(two, [found.place(0.25, 0.0)]).weights_TP
    apart = weights - two.initial_weights([2])[0]
    assert np.linalg.norm(apart) == pytest.approx(0.25)
    np.testing.assert_allclose(apart, 0.25 * direction(two.network, 7))
    assert np.linalg.norm(direction(two.network, 7)) == pytest.approx(1)


def test_a_trials_own_numbers_make_a_trial_for_each_value(two):
    """Whole ones are whole; every point is in one part, and no other."""
    found = Map(two, Axis(PARAMETER, "hidden", 1, 5), Axis(PARAMETER, "learning_rate", 0.1, 1), 4, 3, pairs=0)
    parts = dict(found.parts())
    assert [trial.hidden for trial in parts] == [(1,), (2,), (3,), (4,)]
    assert sorted(place for places in parts.values() for place in places) == list(range(12))
    for trial, places in parts.items():
        assert len(found.batch(trial, places)) == 3


def test_names_of_weights_are_in_the_order_of_the_flat_row():
    """With and without biases, and with several layers."""
    assert weight_names(Network(2, (2,), True, True)) == [
        *("hidden[0].input[0]", "hidden[1].input[0]", "hidden[0].input[1]", "hidden[1].input[1]"),
        *("hidden[0].bias", "hidden[1].bias", "output.hidden[0]", "output.hidden[1]", "output.bias"),
    ]
    assert weight_names(Network(2, (), True, False)) == ["output.input[0]", "output.input[1]"]
    deep = weight_names(Network(1, (1, 2), False, True))
    assert deep == ["hidden1[0].input[0]", "hidden2[0].hidden1[0]", "hidden2[1].hidden1[0]",
                    "output.hidden2[0]", "output.hidden2[1]", "output.bias"]  # fmt: skip


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_every_pixels_coordinates_lead_back_to_it(width, height, data):
    """Linear and logarithmic axes alike."""
    x, y = Axis(PARAMETER, "learning_rate", 0.1, 300, log=True), Axis(WEIGHT, "output.bias", -3, 7)
    found = Map(Trial(), x, y, width, height, pairs=0)
    place = data.draw(st.integers(0, found.pixels - 1))
    (across,), (up,) = found.coordinates([place])
    assert found.place(across, up) == place
    assert x.low <= across < x.high
    assert y.low <= up < y.high


def test_pairs_lie_in_the_window_as_far_apart_as_they_should(two):
    """Down to the smallest distance, and the same in every process."""
    distances = Map(two, **PLANE).distances
    first_N2, partners_KN2 = pair_points(np.random.default_rng(0), 500, distances)
    assert ((partners_KN2 >= 0) & (partners_KN2 <= 1)).all()
    apart_KN = np.hypot(*np.moveaxis(partners_KN2 - first_N2, -1, 0))
    np.testing.assert_allclose(apart_KN, np.broadcast_to(distances[:, None], apart_KN.shape), rtol=1e-7)


def test_points_beyond_the_pixels_are_the_ends_of_pairs(two):
    """Each first point, and then all partners, distance by distance."""
    found = Map(two, **{**PLANE, "pairs": 64})
    first = np.arange(found.pixels, found.pixels + 64)
    last = first + 64 * len(found.distances)
    (x0, y0), (x1, y1) = found.shares(first), found.shares(last)
    np.testing.assert_allclose(np.hypot(x1 - x0, y1 - y0), found.distances[-1])
    assert found.points == found.pixels + 64 * (1 + len(found.distances))


def test_a_map_comes_back_from_its_document(two):
    """With its id, even where it was named with other parameters."""
    found = Map(two, **PLANE, title="A plane", start=(0.5,) * 9)
    again = Map.from_json(found.to_json(), {"xor": two.gate})
    assert (again, again.map_id) == (found, found.map_id)

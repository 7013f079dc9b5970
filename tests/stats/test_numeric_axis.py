"""Numeric axes: a number with many values is a scale, and where a gate is solved along it."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label

from bench.stats.numeric_axis import Reach, as_numbers, is_log_spaced, numeric_axes, ranges_reaching, thinned


def grid(**axes):
    rows = list(product(*axes.values()))
    return {name: [row[place] for row in rows] for place, name in enumerate(axes)}


@pytest.mark.parametrize(
    ("axes", "found"),
    [
        ({"learning_rate": [1.0, 2, 3, 4, 5, 6]}, ["learning_rate"]),
        ({"learning_rate": [1.0, 2, 3, 4, 5]}, []),
        ({"hidden": [str(size) for size in range(2, 9)], "loss": ["mse", "bce"]}, ["hidden"]),
        ({"hidden": ["2", "3", "4", "5", "6", "4-4"]}, []),
        ({"momentum": [k / 10 for k in range(6)], "learning_rate": [2.0**k for k in range(9)]},
         ["learning_rate", "momentum"]),
        ({"init": list("abcdef")}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_six_numbers_make_an_axis(axes, found):
    """Words do not, nor do hidden layers of which some are two; that with the most values comes first."""
    assert numeric_axes(grid(**axes)) == found


def test_what_is_no_grid_has_no_axis():
    """Values that were drawn together are no line over either of them."""
    values = [float(k) for k in range(8)]
    assert numeric_axes({"learning_rate": values, "init_scale": values}) == []


@pytest.mark.parametrize(
    ("values", "is_log"),
    [
        (np.geomspace(0.01, 100, 25), True),
        ([1, 2, 4, 8, 16, 32], True),
        (np.linspace(0.1, 5, 12), False),
        (range(2, 17), False),
        ([0, 0.1, 1, 10, 100, 1000], False),  # no logarithm
        ([1, 10], False),
        ([0.01, 0.03, 0.1, 0.3, 1, 3], True),
    ],
)
def test_a_scale_is_logarithmic_where_its_steps_are_more_even_so(values, is_log):
    """Zero and two values have no scale but the plain one."""
    assert is_log_spaced(np.asarray(values, dtype=float)) == is_log


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_ranges_are_the_runs_of_what_reaches_the_threshold(rates, random):
    """As SciPy labels them, whatever the order that rows come in."""
    rows = [(float(place), rate) for place, rate in enumerate(rates)]
    random.shuffle(rows)
    found = ranges_reaching(pd.DataFrame(rows, columns=["learning_rate", "rate"]), "learning_rate", 0.5)
    labelled, count = label(np.asarray(rates) >= 0.5)
    runs = [np.flatnonzero(labelled == one) for one in range(1, count + 1)]
    assert found == [Reach(run[0], run[-1], len(run)) for run in runs]


def test_hidden_layers_are_numbers_by_their_size():
    """Ten comes after nine."""
    assert as_numbers("hidden", ["10", "9"]) == [10, 9]
    assert as_numbers("hidden", ["10", "4-4"]) is None


def rows(**axes):
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def test_a_short_list_has_every_row():
    """And says nothing; so does one without numbers, and the only row."""
    assert thinned(rows(learning_rate=[float(k) for k in range(25)]), ["learning_rate"]) == (list(range(25)), "")
    assert thinned(rows(init=[str(k) for k in range(60)]), ["init"]) == (list(range(60)), "")
    assert thinned([{"hidden": "2"}], []) == ([0], "")


def test_a_long_list_over_numbers_has_rows_at_even_places():
    """The first and the last among them, and says so."""
    table = rows(hidden=["2", "3"], learning_rate=[float(k) for k in range(50)])
    places, words = thinned(table, ["hidden", "learning_rate"])
    assert len(places) == 24
    kept = sorted({table[place]["learning_rate"] for place in places})
    assert kept == [0, 4, 9, 13, 18, 22, 27, 31, 36, 40, 45, 49]
    assert words == "12 of 50 values of learning rate; all 100 trials are"
    table = rows(hidden=[str(k) for k in range(10)], learning_rate=[float(k) for k in range(25)])
    places, words = thinned(table, ["hidden", "learning_rate"])
    assert len(places) == 25
    assert words == "5 of 25 values of learning rate and 5 of 10 values of hidden; all 250 trials are"

"""Numbers in words: the values of a grid that nobody wants to write out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.experiment import read_experiment
from bench.config.overrides import read_overrides
from bench.config.plan import make_plan
from bench.config.ranges import Linked, read_linked, read_values
from bench.config.values import Overrides
from bench.errors import RequestError
from bench.model.trial import PARAMETERS


def values(name, text):
    return read_values(name, text, PARAMETERS[name].number)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("hidden", "2..6", [2, 3, 4, 5, 6]),
        ("hidden", "2..10:4", [2, 6, 10]),
        ("hidden", "2..64:log:6", [2, 4, 8, 16, 32, 64]),
        ("hidden", "1..4:log:9", [1, 2, 3, 4]),
        ("momentum", "0..0.9:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ("momentum", "0..0.9:linear:4", [0, 0.3, 0.6, 0.9]),
        ("learning_rate", "0.01..10:log:4", [0.01, 0.1, 1.0, 10.0]),
        ("learning_rate", " 1e-2 .. 3 : log : 5 ", [0.01, 0.04162, 0.1732, 0.7208, 3.0]),
        ("init_low", "-2..-0.5:linear:3", [-2.0, -1.25, -0.5]),
    ],
)
def test_a_range_is_its_values(name, text, expected):
    """In order, each once; in the kind that the parameter is."""
    found = values(name, text)
    assert found == expected
    assert {type(value) for value in found} == {int if PARAMETERS[name].number.whole else float}


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e6), st.integers(2, 60), st.sampled_from(["log", "linear"]))
def test_values_on_an_axis_are_even_and_reach_both_ends(low, times, count, axis):
    """But for the digits that nobody needs."""
    high = low * times
    found = np.array(values("learning_rate", f"{low!r}..{high!r}:{axis}:{count}"))
    assert (found[0], found[-1], len(found)) == (low, high, count)
    exact = np.geomspace(low, high, count) if axis == "log" else np.linspace(low, high, count)
    np.testing.assert_allclose(found, exact, rtol=1e-3)
    assert (np.diff(found) > 0).all()


WRONG = {
    "low above high": ("hidden", "6..2", "low end below the high one"),
    "how many of numbers": ("momentum", "0..0.9", "does not say how many values; allowed are 0.01..10:log:50"),
    "how many on an axis": ("learning_rate", "0.01..10:log", "does not say how many values"),
    "a logarithm of 0": ("momentum", "0..0.9:log:5", "allowed are ends above 0"),
    "one value": ("momentum", "0..0.9:linear:1", "2 to 10,000 values"),
    "too many": ("learning_rate", "0.1..1:log:1_000_000", "2 to 10,000 values"),
    "steps past the end": ("momentum", "0..0.9:0.4", "steps that reach its high end"),
    "no step": ("momentum", "0..0.9:0", "steps that reach its high end"),
    "a value that may not be": ("momentum", "0..1:linear:3", "below 1"),
    "a word": ("learning_rate", "0.1..1:log:many", "ranges such as"),
    "too large": ("learning_rate", "1..1e999:log:3", "learning_rate is inf"),
}


@pytest.mark.parametrize(("name", "text", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_range_is_told_in_one_sentence(name, text, said):
    """What, got, allowed."""
    with pytest.raises(RequestError, match=r"\w") as caught:
        values(name, text)
    (problem,) = caught.value.problems
    assert said in problem


def test_the_command_line_takes_counted_ranges_among_values(tmp_path):
    """Without a count, a range there is a search's."""
    found = read_overrides(["learning_rate=0.1..10:log:3,5", "hidden=2..4"], tmp_path)
    assert found.values["learning_rate"] == [0.1, 1.0, 10.0, 5.0]
    assert list(found.ranges) == ["hidden"]


@pytest.mark.parametrize("text", ["inputs", "2 * inputs", "observations - 1", "3 * observations + 12"])
def test_a_number_that_follows_from_the_gate_is_written_as_it_is_read(text):
    """Spaces apart."""
    assert str(read_linked(text)) == text
    assert read_linked(text.replace(" ", "")) == read_linked(text)


@pytest.mark.parametrize("text", ["2 * outputs", "inputs * 2", "2 inputs", "4-4", "", "inputs + x"])
def test_other_texts_are_none(text):
    """They are read, or refused, as values."""
    assert read_linked(text) is None


def test_a_file_may_have_ranges_and_what_follows_from_its_gates(tmp_path):
    """Every gate has its own number of hidden neurons."""
    path = tmp_path / "p.toml"
    path.write_text(
        'title = "p"\n[[grid]]\ngate = ["xor", "parity3"]\nhidden = ["2 * inputs", "2..3"]\n'
        'learning_rate = "1..4:log:3"\nseeds = "0:2"\n'
    )
    plan = make_plan(read_experiment(path, Overrides(), ["p"]))
    found = {(one.trial.gate.name, one.trial.hidden[0], one.trial.learning_rate) for one in plan.trials}
    rates = (1.0, 2.0, 4.0)
    assert found == {(g, h, r) for g, many in (("xor", (4, 2, 3)), ("parity3", (6, 2, 3))) for h in many for r in rates}
    assert Linked(1, "observations", 0).value(plan.trials[-1].trial.gate) == 8


def test_what_follows_from_a_gate_must_be_allowed(tmp_path):
    """The number is read like any other."""
    path = tmp_path / "p.toml"
    path.write_text('title = "p"\n[[grid]]\nhidden = "inputs - 5"\n')
    with pytest.raises(RequestError, match="hidden"):
        make_plan(read_experiment(path, Overrides(), ["p"]))

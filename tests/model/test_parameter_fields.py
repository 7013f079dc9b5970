import math
from dataclasses import dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import RequestError
from bench.model.parameter_fields import Parameter, Role, choice, flag, number, parameter, whole


def problem_of(reader, value):
    """Return the sentence with which a value is refused."""
    with pytest.raises(RequestError) as caught:
        reader("it", value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["mse", "l1"])
def test_a_choice_is_read_as_its_name(name):
    """Every name that is offered is accepted."""
    assert choice("mse", "l1")("loss", name) == name


def test_a_choice_that_is_misspelt_is_told_the_nearest():
    """What, got, the near miss and all names."""
    assert problem_of(choice("tanh", "relu"), "relux") == (
        "it 'relux' is not known; did you mean 'relu'? choose from relu, tanh"
    )


@pytest.mark.parametrize("value", ["quadratic", 7, True, None, ()])
def test_a_choice_that_is_like_none_is_told_all_names(value):
    """Without a near miss, nothing is suggested."""
    assert problem_of(choice("mse", "l1"), value) == f"it {str(value)!r} is not known; choose from l1, mse"


@pytest.mark.parametrize("value", [True, False])
def test_a_flag_is_true_or_false(value):
    """The two truth values are read as they are."""
    assert flag("it", value) is value


@pytest.mark.parametrize("value", [0, 1, "true", None, 1.0])
def test_a_flag_is_nothing_that_only_resembles_a_truth_value(value):
    """Numbers and words are refused."""
    assert problem_of(flag, value) == f"it is {value!r}; allowed are true and false"


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60))
def test_every_finite_number_is_read_as_a_float(value):
    """A reader without bounds accepts every finite number."""
    found = number()("it", value)
    assert isinstance(found, float)
    assert found == float(value)


def test_negative_zero_is_read_as_zero():
    """Two ways of writing zero are one value, and so one trial."""
    assert math.copysign(1, number()("it", -0.0)) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "0.05", None, 1j])
def test_a_number_is_finite_and_no_text(value):
    """NaN, infinity, truth values and words are refused."""
    assert problem_of(number(), value) == f"it is {value!r}; allowed are finite numbers"


@pytest.mark.parametrize(
    ("reader", "inside", "outside"),
    [
        (number(0), [0, 0.5, 9], [-1e-9]),
        (number(0, above=True), [1e-300], [0, -1]),
        (number(0, 1), [0, 1], [-0.1, 1.1]),
        (number(0, 1, below=True), [0, 0.999], [1, 2]),
        (number(0, 0.5, above=True, below=True), [0.1, 0.499], [0, 0.5]),
        (number(high=2), [-5, 2], [2.5]),
    ],
)
def test_a_number_keeps_within_its_ends(reader, inside, outside):
    """The ends belong to the range unless they are excluded."""
    assert [reader("it", value) for value in inside] == inside
    for value in outside:
        problem_of(reader, value)


@pytest.mark.parametrize(
    ("reader", "allowed"),
    [
        (number(0), "finite numbers and at least 0"),
        (number(0, above=True), "finite numbers and above 0"),
        (number(high=2), "finite numbers and at most 2"),
        (number(0, 1, below=True), "at least 0 and below 1"),
        (number(0, 0.5, above=True, below=True), "above 0 and below 0.5"),
    ],
)
def test_a_refused_number_is_told_the_range(reader, allowed):
    """What, got, allowed."""
    assert problem_of(reader, "x") == f"it is 'x'; allowed are {allowed}"


@pytest.mark.parametrize(("value", "found"), [(1, 1), (10_000, 10_000), (1e4, 10_000)])
def test_a_whole_number_may_be_written_with_an_exponent(value, found):
    """1e4 is the integer ten thousand."""
    read = whole(1, 10_000)("it", value)
    assert (read, type(read)) == (found, int)


@pytest.mark.parametrize("value", [0, 10_001, 1.5, math.nan, math.inf, True, "7", None, 10**400])
def test_anything_but_a_whole_number_in_range_is_refused(value):
    """Fractions, infinities, truth values, words and numbers out of range are told the range."""
    assert problem_of(whole(1, 10_000), value) == f"it is {value!r}; allowed are whole numbers from 1 to 10,000"


@pytest.mark.parametrize(
    ("reader", "least"),
    [(number(0), 0), (number(-1, 1), -1), (number(0, above=True), None), (number(high=2), None), (whole(1, 9), 1)],
)
def test_a_parameter_knows_the_least_number_that_it_may_be(reader, least):
    """Where there is one: an end that is excluded is none."""
    known = parameter(5, reader, "doc", Role.TRAINING).metadata
    assert Parameter("rate", **known).least == least


def test_a_parameter_declares_all_that_is_known_of_it():
    """Its default, its reader and its meaning are on the field of a dataclass."""

    @dataclass
    class Settings:
        rate: float = parameter(0.5, number(0), "step size", Role.TRAINING)

    (declared,) = fields(Settings)
    known = Parameter(declared.name, **declared.metadata)
    assert (Settings().rate, known.doc, known.role) == (0.5, "step size", Role.TRAINING)
    assert known.read(2) == 2.0
    with pytest.raises(RequestError, match="rate is -1; allowed are"):
        known.read(-1)

"""Numbers in words."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.report.number_format import (
    PER_CENT,
    duration,
    from_to,
    interval,
    p_value,
    percent,
    percent_interval,
    plural,
    points,
    short,
    signed,
)

SHARES = st.floats(0, 1)


@given(SHARES, st.integers(0, 3))
def test_percent_says_0_or_100_only_where_it_is_exactly_that(share, digits):
    """A million trainings of which one is stuck are not all solved."""
    text = percent(share, digits).removesuffix(PER_CENT)
    assert (float(text.lstrip(">")) == 0) <= (share == 0)
    assert (float(text.lstrip(">")) == 100) <= (100 * share == 100)


@given(SHARES, st.integers(0, 3))
def test_percent_is_right_to_its_last_digit(share, digits):
    """Or a true bound where that would be 0 or 100."""
    text = percent(share, digits).removesuffix(PER_CENT)
    value, edge = float(text.lstrip(">")), 10.0**-digits
    if text.startswith(">"):
        assert 100 * share > value
    else:
        assert abs(value - 100 * share) <= edge / 2 + 1e-9


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0"),
        (1.0, "100"),
        (0.5, "50.0"),
        (0.0004, "0.04"),
        (0.000675, "0.068"),
        (0.9996, ">99.9"),
        (0.123, "12.3"),
        (0.9994, "99.9"),
    ],
)
def test_percent_has_one_decimal(share, text):
    """Unless it is exactly nothing or all, or so rare that it would have none that counts."""
    assert percent(share) == f"{text}{PER_CENT}"


def test_a_missing_share_is_a_dash():
    """And no "nan %"."""
    assert percent(math.nan) == "–"
    assert percent(None) == "–"


def test_an_interval_has_its_unit_once_more_at_its_end_or_not_at_all():
    """As sentences are read."""
    assert percent_interval(0.5, 0.25, 1.0) == f"50.0{PER_CENT} [25.0, 100]"


def test_points_have_signs_and_a_true_minus():
    """A hyphen is none; nothing has no sign."""
    assert points(-0.123, -0.2, 0.0) == "−12.3 points [−20.0, 0.0]"


@given(st.floats(-1e6, 1e6))
def test_a_sign_is_the_numbers_own(value):
    """And what rounds to nothing has none."""
    text = signed(value)
    assert text[0] == "+" if round(value, 1) > 0 else text[0] == "−" if round(value, 1) < 0 else text == "0.0"
    assert "-" not in text


@given(st.floats(-1e308, 1e308) | st.sampled_from([math.nan, math.inf]))
def test_a_short_number_is_right_to_three_digits(value):
    """Whatever its size."""
    assume(not math.isinf(value) or value > 0)
    text = short(value)
    if math.isnan(value):
        assert text == "–"
    elif math.isinf(value):
        assert text == "∞"
    else:
        assert float(text.replace(",", "")) == pytest.approx(value, rel=0.00501)
        assert len(text) <= len("-9,999,999,999")  # an error that grew to 1e30 is not written out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.0, "2 s"), (0.25, "250 ms"), (4.2e-5, "42 µs"), (1e-9, "0.001 µs"), (math.nan, "…"), (math.inf, "…")],
)
def test_a_duration_has_the_unit_that_suits_it(seconds, text):
    """Nobody reads 0.000042 s."""
    assert duration(seconds) == text


def test_an_interval_that_does_not_end_says_so():
    """The upper end of a median is not reached where too few have solved it."""
    assert interval(100.0, 50.0, math.nan) == "100 [50, …]"
    assert interval(100.0, math.nan, math.nan) == "100"
    assert interval(math.inf, math.inf, math.inf) == "∞ [∞, ∞]"


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "p < 0.001"), (0.0123, "p = 0.012"), (0.5, "p = 0.50"), (1.0, "p = 1.00"), (math.nan, "–")]
)
def test_a_p_value_is_written_as_a_sentence_does(p, text):
    """Never as exactly nothing."""
    assert p_value(p) == text


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_counts_run_from_the_least_to_the_greatest(counts):
    """Or are the only one."""
    low, high = min(counts), max(counts)
    expected = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    assert from_to(pd.Series(counts)) == from_to(np.asarray(counts)) == expected


def test_nouns_go_with_their_counts():
    """One training, two trainings."""
    assert [plural(count, "training") for count in (0, 1, 2000)] == ["0 trainings", "1 training", "2,000 trainings"]
    assert plural(2, "entry", "entries") == "2 entries"

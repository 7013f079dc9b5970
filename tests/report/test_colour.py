"""One meaning per colour, legible in the light and in the dark."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model.outcome import Result
from bench.model.trial import BACKENDS
from bench.report.colours import BACKEND, OUTCOMES, RAMP, STEPS, THEME, VARIABLES, css, order, rate_colours

OKABE_ITO = {  # Okabe & Ito (2008), Color Universal Design
    "bluish green": "#009e73",
    "sky blue": "#56b4e9",
    "vermilion": "#d55e00",
    "reddish purple": "#cc79a7",
    "black": "#000000",
    "grey": "#999999",
}


def luminance(colour):
    """WCAG 2.1, relative luminance, written out once more."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@given(st.floats(0, 1))
def test_text_on_a_heatmaps_cell_can_be_read_at_every_rate(rate):
    """At least 4.5 to 1, as WCAG asks of small text."""
    ((colour, ink),) = rate_colours([rate])
    assert contrast(colour, ink) >= 4.5


def test_outcomes_have_the_colours_of_okabe_and_ito():
    """Each another one."""
    assert set(OUTCOMES) == {str(result) for result in Result}
    assert sorted(OUTCOMES.values()) == sorted(OKABE_ITO.values())


def test_every_backend_has_a_colour_of_its_own():
    """And none has an outcome's."""
    assert set(BACKEND) == set(BACKENDS)
    assert len({*BACKEND.values(), *OUTCOMES.values()}) == len(BACKEND) + len(OUTCOMES)


def test_no_colour_stands_for_two_variables():
    """A drawing's colours are turned into variables by what they are."""
    names = {**THEME, **RAMP}
    assert len(VARIABLES) == len(names)


@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "dim"])
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_text_can_be_read_on_its_ground(which, ink, ground):
    """In both schemes."""
    assert contrast(THEME[ink][which], THEME[ground][which]) >= 4.5


@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
def test_lines_of_an_order_stand_out_from_the_paper(which):
    """At least 3 to 1, as WCAG asks of graphics."""
    assert all(contrast(pair[which], THEME["paper"][which]) >= 3 for pair in RAMP.values())


def test_an_order_goes_one_way():
    """From dark to light on paper; neighbours may share a colour beyond eight."""
    for size in (1, 2, 5, STEPS, 30):
        shades = [luminance(colour) for colour in order(size)]
        assert shades == sorted(shades)
        assert len(set(shades)) == min(size, STEPS)
    assert order(0) == []


def test_every_variable_is_declared_for_every_scheme():
    """By the system, by the switch, and on paper."""
    text = css()
    for name, (light, dark) in {**THEME, **RAMP}.items():
        assert text.count(f"--{name}:{light};") >= 2
        assert text.count(f"--{name}:{dark};") >= 2


def test_backends_can_be_told_apart_in_both_schemes():
    """No two are the same."""
    for which in (0, 1):
        for one, other in itertools.combinations(BACKENDS, 2):
            assert THEME[one][which] != THEME[other][which]

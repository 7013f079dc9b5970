"""Drawings: as a part of the page, and as files of their own."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.report.charts import Chart, write_picture
from bench.report.colours import EFFECT, INK, OUTCOMES, VARIABLES
from bench.report.drawing import blank, inline, log_axis, log_range, name_ends, panel, plain, plain_number, style

SVG = "{http://www.w3.org/2000/svg}"
LINKS = re.compile(r'(?:href="#|url\(#)([^")]*)')
WORDS = "loss = 0.123456789 at 0.987654321 < 1 & more"


@pytest.fixture(scope="module")
def drawn():
    """A panel with a clip path, text, a legend of numbers and the page's colours."""
    with style():
        figure, axes = blank()
        axes.plot([0, 1, 2], [1, 100, 10], "o-", color=EFFECT)
        axes.fill_between([0, 1, 2], [1, 2, 3], [2, 3, 4], color=OUTCOMES["stuck"], alpha=0.2)
        axes.text(0.1, 0.9, plain(WORDS), transform=axes.transAxes, color=INK)
        axes.set_xlabel("iterations")
        return panel("one <panel>", figure)


def ids(svg):
    return re.findall(r' id="([^"]*)"', svg)


def test_panels_on_a_page_share_no_id_and_every_reference_resolves(drawn):
    """Each to its own panel's parts."""
    parts = [inline(drawn.svg, f"chart-1-{place}") for place in range(3)]
    every = [name for part in parts for name in ids(part)]
    assert len(every) == len(set(every)) > 0
    for part in parts:
        assert set(LINKS.findall(part)) == set(ids(part))


def test_a_drawing_has_the_pages_colours(drawn):
    """So that it turns dark with the page."""
    part = inline(drawn.svg, "a")
    for colour in (EFFECT, OUTCOMES["stuck"], INK):
        assert VARIABLES[colour] in part
        assert colour not in part


def test_numbers_in_text_are_never_shortened(drawn):
    """Only coordinates are."""
    part = inline(drawn.svg, "a")
    texts = "".join(ET.fromstring(part).itertext())
    assert WORDS in texts
    assert not re.search(r'[ "]-?\d+\.\d{3,}', re.sub(r">[^<]*<", "><", part))


def test_a_drawing_is_valid_and_as_wide_as_its_place(drawn):
    """No width of its own; the shape is in its view box."""
    root = ET.fromstring(inline(drawn.svg, "a"))
    assert root.get("width") is root.get("height") is None
    assert len(root.get("viewBox").split()) == 4


def test_the_same_figure_is_the_same_drawing():
    """Nothing in it depends on when it was drawn."""

    def once():
        with style():
            figure, axes = blank()
            axes.plot([0, 1], [0, 1])
            return panel("", figure).svg

    assert once() == once()


def test_drawing_leaves_matplotlib_as_it_was():
    """The style is the page's own."""
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with style():
        blank()
    assert dict(mpl.rcParams) == before


# ------------------------------------------------------------------ files


def chart(panels, title='<b>Title</b> & "quotes"'):
    return Chart("name", title, "sub < title", "words", panels, pd.DataFrame({"a": [1]}))


@pytest.mark.untraced
@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_picture_has_all_panels_and_no_words_that_are_cut(drawn, tmp_path, count):
    """Three to a row, under its title; around everything is white."""
    path = tmp_path / "chart.png"
    write_picture(
        chart([drawn] * count, "A title of so many words that they need several lines of any picture " * 3),
        path,
        "A sweep",
    )
    with Image.open(path) as picture:
        assert picture.info["Title"].startswith("A title of so many words")
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    for edge in (pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:]):
        assert edge.min() == 255
    blue = np.abs(pixels - [int(EFFECT[place : place + 2], 16) for place in (1, 3, 5)]).max(axis=2) < 8
    rows, columns = (
        int((np.diff(np.flatnonzero(blue.any(axis=axis))) > 40).sum()) + 1 for axis in (1, 0)
    )  # of drawings, apart from each other
    assert (rows, columns) == (-(-count // 3), min(count, 3))


# ------------------------------------------------------------------ axes


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=False), max_size=8))
def test_a_logarithmic_range_holds_all_that_can_be_drawn(values):
    """Positive and finite; without any there is a range all the same."""
    low, high = log_range(values)
    good = [value for value in values if np.isfinite(value) and value > 0]
    assert 0 < low < high
    assert all(low <= value for value in good)
    assert all(value <= high or np.isinf(high) for value in good)


@given(st.floats(-12, 8), st.floats(0.01, 12))
def test_a_logarithmic_axis_has_at_least_two_ticks_and_all_within(low, span):
    """However long or short it is."""
    with style():
        _, axes = blank()
        log_axis(axes, "y", 10**low, 10 ** (low + span))
        ticks = axes.get_yticks()
    assert 2 <= len(ticks) <= 12
    assert all(10**low <= tick <= 10 ** (low + span) for tick in ticks)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1"), (5000, "5,000"), (0.01, "0.01"), (1e6, "10⁶"), (2e-7, "2·10⁻⁷"), (0.5, "0.5"), (1e-9, "10⁻⁹")],
)
def test_ticks_are_written_as_they_are_spoken(value, text):
    """Powers of ten where they are many."""
    assert plain_number(value) == text


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_names_at_the_ends_of_lines_stand_apart_and_within(heights):
    """In the lines' order, from bottom to top."""
    with style():
        _, axes = blank()
        ends = [{"name": f"line {place}", "colour": INK, "y": y} for place, y in enumerate(heights)]
        name_ends(axes, ends, 0.0, 1.0)
        places = [text.xy[1] for text in axes.texts]
    assert all(after - before >= 0.075 - 1e-9 for before, after in pairwise(places))
    assert max(places) <= 1 + 1e-9
    assert min(places) >= -1e-9 or len(heights) > 1

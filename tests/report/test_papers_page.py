"""The page of papers, in a browser: nothing is asked of anybody, and every claim is drawn where its figures are."""

import pytest

from bench.report.papers_page import Paper, intervals, papers_page
from bench.stats.claims import Verdict

from .chromium import MARKS, SCHEMES, WIDTHS, opened

NUMBERS = {"published": [0.9, 0.8, 1.0], "observed": [0.5, 0.4, float("inf")]}
SHARE = Verdict(
    "a", "A 1990", "Most learn it", "90%", "50%", "differs", None, "-40 points", True, "Luck.", NUMBERS, "figure"
)
WORDS = Verdict("b", "B 1991, abstract", "Some learn it", "“some”", "50%", "agrees", basis="reading")
PAPER = Paper(
    "a_1990", "A 1990: a claim", "About it.", "python -m bench sweep papers/a_1990", "0" * 32, 1.5, 20, [SHARE, WORDS]
)


def test_figures_lie_where_their_numbers_are():
    """Between the two ends, with room beside them; what is infinite goes to the end."""
    found = intervals(NUMBERS)
    low, high = found["at"]
    assert (found["low"], found["high"]) == ("0.4", "1")
    assert found["rows"]["observed"][1:] == pytest.approx([low, high])
    assert found["rows"]["published"] == pytest.approx([low + (high - low) * x for x in (5 / 6, 4 / 6, 1)])


def test_the_page_says_what_is_recalled_and_why_it_may_differ():
    """And how many agree, in words."""
    page = papers_page([PAPER])
    assert "0 of 1 published figures agree (1 recalled), 1 differs; 1 of 1 readings of published words agree." in page
    assert page.count("recalled: not looked up") == 1
    assert "Luck." in page
    assert "20 trainings, 1.5 s" in page
    assert page.count("<svg") == 1


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The page as a file."""
    path = tmp_path_factory.mktemp("papers") / "papers.html"
    path.write_text(papers_page([PAPER]))
    return path.as_uri()


class TestInABrowser:
    """It opens without a word, on a telephone in the light and on a desk in the dark."""

    pytestmark = MARKS

    @pytest.mark.parametrize(("width", "scheme"), list(zip(WIDTHS, SCHEMES, strict=True)))
    def test_it_fits(self, browser, page_file, width, scheme):
        """Nothing is wider than the window."""
        with opened(browser, page_file, width, scheme) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.get_by_text("differs").first.is_visible()

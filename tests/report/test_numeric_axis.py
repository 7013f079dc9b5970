"""Numeric axes on the page: where along a number a gate is solved, in words and as a figure."""

import numpy as np
import pytest
from scipy.stats import binomtest

from bench.report.numeric_axis import MOST_LINES, number_findings, rates_over_number

STUCK = [0.5, 0.5, 0.5, 0.5]

pytestmark = [pytest.mark.usefixtures("undrawn"), pytest.mark.untraced]


@pytest.fixture(scope="module")
def over(ended, trial, made_report):
    """Make up the report of a grid in which so many of a hundred starts solve XOR at each learning rate."""

    def make(*lines, rates=(0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4), size=100):
        records = []
        for counts, parameters in lines:
            for rate, solved in zip(rates, counts, strict=True):
                which, ats = trial(learning_rate=rate, **parameters), np.where(np.arange(size) < solved, 10, -1)
                ends = [list(which.gate.targets)] * solved + [STUCK] * (size - solved)
                records.append(ended(which, ends, solved_at=ats))
        return made_report(*records)

    return make


def said(report):
    (block,) = report.data.blocks
    (found,) = number_findings(block)
    return found.sentence.replace("\u00a0", " "), found.evidence.replace("\u00a0", " ")


def test_the_range_that_solves_it_is_named_with_its_best(over):
    """By the observed rates; the interval is the exact one that holds for all seven at once."""
    report = over(((0, 50, 95, 99, 96, 40, 0), {}))
    sentence, evidence = said(report)
    assert report.findings[0].sentence.replace("\u00a0", " ") == sentence
    low = binomtest(99, 100).proportion_ci(1 - 0.05 / 7, method="exact").low
    assert sentence == (
        "XOR is solved from at least 95 % of the starts at learning rates from 0.4 to 1.6 (3 of 7 values); the highest "
        f"is 99.0 % [{100 * low:.1f}, >99.9] at 0.8."
    )
    assert "By the observed rates of the 7 values from 0.1 to 6.4 that were trained, n = 100 starts each" in evidence
    assert "hold for all 7 trials at once; in 0 of them the whole interval is at 95 % or above." in evidence
    assert "At 0.4 95.0 % [86.0, 99.0] and at 1.6 96.0 % [" in evidence


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((99, 0, 99, 0, 0, 0, 0), "at learning rates 0.1 and 0.4 (2 of 7 values);"),
        ((99, 0, 98, 98, 0, 98, 98), "from 0.4 to 0.8, from 3.2 to 6.4 and 1 more (5 of 7 values);"),
        ((0, 0, 50, 90, 0, 0, 0), "at no learning rate from 0.1 to 6.4: the highest is 90.0 % ["),
        ((99, 99, 100, 100, 99, 98, 97), "at every learning rate from 0.1 to 6.4: the highest is 100 % ["),
    ],
)
def test_ranges_apart_none_and_all_are_said_so(over, counts, words):
    """Two at most are listed, those with the most values."""
    assert words in said(over((counts, {})))[0]


def test_each_combination_of_all_else_has_its_range(over):
    """And in the evidence its best."""
    sentence, evidence = said(
        over(((0, 0, 99, 99, 0, 0, 0), {"momentum": 0.0}), ((96, 96, 0, 0, 0, 0, 0), {"momentum": 0.9}))
    )
    assert "at these learning rates: from 0.4 to 0.8 with momentum 0, from 0.1 to 0.2 with momentum 0.9;" in sentence
    assert "By combination: momentum 0 2 of 7 values, at most 99.0 % [" in evidence


def test_of_many_combinations_four_are_named(over):
    """Those with the most values."""
    lines = [((99,) * k + (0,) * (7 - k), {"momentum": k / 10}) for k in range(6)]
    sentence, _ = said(over(*lines))
    assert sentence.count(" with momentum") == 5
    assert "and of the other 2 combinations none at more;" in sentence


def test_five_values_are_no_axis(over):
    """They are settings."""
    report = over(((0, 50, 95, 99, 96), {}), rates=(0.1, 0.2, 0.4, 0.8, 1.6))
    (block,) = report.data.blocks
    assert list(number_findings(block)) == []
    assert report["rates"][0]["number"] is None


@pytest.mark.parametrize(("lines", "is_map"), [(1, False), (MOST_LINES, False), (MOST_LINES + 1, True)])
def test_the_figure_that_leads_is_over_the_number(over, lines, is_map):
    """A line for each combination, up to six; then a map. The section has it too."""
    report = over(*(((0, 50, 95, 99, 96, 40, 0), {"momentum": k / 10}) for k in range(lines)))
    chart = report.first_screen["charts"][0]
    assert (chart.name, "learning rate" in chart.title) == ("settings", True)
    assert chart.subtitle.startswith(
        "Share of starts that solve it;" if is_map else "Share with its exact 95 % interval"
    )
    assert len(chart.data) == 7 * lines
    assert report["rates"][0]["number"].name == "rates-number-1"


def test_names_beside_lines_do_not_overlap(over, monkeypatch):
    """Six long ones in two lines each, and the axis is logarithmic as its values are."""
    drawn = []
    monkeypatch.setattr("bench.report.drawing.panel", lambda title, figure: drawn.append(figure))
    report = over(
        *(((0, 50, 95, 99, 96, 40, 0), {"momentum": k / 10, "loss": "bce", "hidden": 2 + h})
          for k in range(3) for h in range(2))
    )  # fmt: skip
    (block,) = report.data.blocks
    rates_over_number(block, "settings")
    (figure,) = drawn
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 6
    assert not [1 for k, one in enumerate(boxes) for other in boxes[:k] if one.overlaps(other)]
    assert max(box.x1 for box in boxes) <= figure.bbox.x1

"""Every interval is documented, with its source, and calibrated."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATS = sorted((ROOT / "bench" / "stats").glob("*.py"))
CONSTANTS = {
    "TAIL",
    "CONFIDENCE",
    "Z",
}  # without one of these, or the tail of an object, nobody computes an interval of 95 %
PLUMBING = {
    "check_claims",
    "costs",
    "failing",
    "within",
    "solved_rates",
    "times_to_solution",
    "main_effects",
    "_approximate",
    "_beyond",
    "_first_with_power",
}  # no interval
DOCUMENT = (ROOT / "docs" / "statistics.md").read_text()


def intervals() -> set[str]:
    """Return the functions of bench.stats that compute an interval of 95 %."""
    found = set()
    for path in STATS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
                has_tail = any(isinstance(one, ast.Attribute) and one.attr == "tail" for one in ast.walk(node))
                if names & CONSTANTS or has_tail:
                    found.add(node.name)
    return found - PLUMBING


def calibrated() -> list[str]:
    """Return the kinds of interval whose coverage is measured."""
    source = (ROOT / "tests" / "calibration" / "test_coverage.py").read_text()
    (kinds,) = (node.value for node in ast.parse(source).body
                if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "KINDS")  # fmt: skip
    return [key.value for key in kinds.keys]


def test_there_are_intervals():
    """The search for them finds those that everybody knows."""
    assert {"exact_interval", "jackknife_interval", "solved_mean", "paired_difference_interval"} <= intervals()


@pytest.mark.parametrize("name", sorted(intervals()))
def test_every_interval_is_documented_with_its_source(name):
    """In a row of the table of methods, or among the claims."""
    assert f"`{name}`" in DOCUMENT


@pytest.mark.parametrize("kind", calibrated())
def test_every_kind_that_is_calibrated_has_its_coverage_in_the_table(kind):
    """For 50, 200 and 1,000 seeds: on average at least 93 %, and nowhere less than 91 %."""
    rows = re.findall(rf"^\| {re.escape(kind)} \| ([\d,]+) \| ([\d.]+) % \| ([\d.]+) % \|", DOCUMENT, re.MULTILINE)
    assert [size for size, *_ in rows] == ["50", "200", "1,000"]
    assert all(float(mean) >= 93 and float(worst) >= 91 for _, mean, worst in rows)

"""What the page says of a search for each of several combinations: the table first, and what helps where."""

import re

import pytest

from bench.report.first_screen import answer
from bench.report.sides import sides

SPACE = {"learning_rate": {"low": 0.1, "high": 10.0, "log": True, "step": None, "whole": False}}
MIXED = {("plain", 2): 20, ("noisy", 2): 1, ("steady", 2): 21, ("plain", 3): 20, ("noisy", 3): 39, ("steady", 3): 22}

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def report(made_report, search_plan, proposal, trial):
    """Return the report of variants and sizes, each solved from so many of 40 held-out starts, the first ones."""

    def made(solved, as_searched=0.5, iterations=100):
        values = {"plain": {}, "noisy": {"noise": 0.5}, "steady": {"momentum": 0.5}}
        rates = {"plain": 1.0, "noisy": 9.9, "steady": 2.0}
        records = {
            (name, size): proposal(
                trial(hidden=size, learning_rate=rates[name], iterations=iterations, **values[name]),
                int(count * as_searched),
                count,
            )
            for (name, size), count in solved.items()
        }
        each = [
            {
                "variant": name,
                "setting": f"{size} neurons",
                "values": {"hidden": str(size)} | {key: str(value) for key, value in values[name].items()},
            }
            for name, size in solved
        ]
        document = search_plan(
            *[[one] for one in records.values()],
            more_winners=list(enumerate(records.values())),
            space=SPACE,
            each=each,
            best=1,
        )
        return made_report(*records.values(), plan=document)

    return made


def test_the_page_begins_with_the_table_of_changes(report, text):
    """A row for each variant, a column for each setting, coloured by sign where it is beyond chance."""
    page = report(MIXED).header_html()
    header = page[page.index("<h1>") : page.index('<ul class="findings"')]
    assert "Change in solved rate against plain, in points" in header
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', header)
    assert [name for name, _ in rows] == ["plain", "noisy", "steady"]
    kinds = [re.findall(r'<td[^>]*?class="(\w+)"', cells) for _, cells in rows]
    assert kinds == [[], ["fewer", "more"], ["alike", "alike"]]
    assert "−47.5 [" in text(rows[1][1])
    assert "2.5 % [0.063, 13.2] · 9.9↑" in text(rows[1][1])
    assert text(rows[0][1]).count("[") == 2  # its own rates, and no change


def test_the_answer_is_what_helps_somewhere_and_costs_elsewhere(report):
    """With both figures and their intervals."""
    found = report(MIXED)
    assert answer(found.data).startswith("Noisy against plain, in the share of starts that are solved: +47.5 points [")
    assert "with 3 neurons, and −47.5 points [" in answer(found.data)


@pytest.mark.parametrize(
    ("solved", "expected"),
    [
        ({("plain", 2): 20, ("noisy", 2): 39}, "Noisy solves more than plain: +47.5 points ["),
        (
            {("plain", 2): 20, ("noisy", 2): 1},
            "None of 1 variant surely solves more than plain; noisy costs most: −47.5",
        ),
        ({("plain", 2): 20, ("noisy", 2): 21}, "None of 1 variant surely solves more than plain."),
    ],
)
def test_the_answer_says_what_there_is_to_say(report, solved, expected):
    """That something helps, that nothing does, and what costs most."""
    assert answer(report(solved).data).startswith(expected)


def test_findings_name_what_helps_in_each_setting_and_what_must_be_known_of_the_tuning(report, said):
    """The mixed ones first; then each setting, values at an end of their range, and optimism."""
    found = said(report(MIXED, as_searched=0.6))
    assert found[0].startswith(
        "1 variant of 2 helps somewhere and costs elsewhere, in points: noisy (+47.5 with 3 neurons"
    )
    assert any(
        one.startswith("With 2 neurons, plain solves XOR from 50.0 % [33.8, 66.2] of the starts: none") for one in found
    )
    assert any("1 of 2 variants solves surely more (noisy +47.5 points [" in one for one in found)
    assert any("The best of 2 combinations lie at an end of the range" in one for one in found)
    assert any(one.startswith("As searched, the best of each solve +") for one in found)


def test_the_best_of_each_can_be_trained_again(report):
    """The section has the changes drawn, and a row for each combination with its command."""
    content = report(MIXED)["combinations"]
    assert [panel.title for panel in content["chart"].panels] == ["2 neurons", "3 neurons"]
    rows = {(row[0].text, row[1].text): [cell.text for cell in row] for row in content["table"].rows}
    assert len(rows) == 6
    command = rows["noisy", "3 neurons"][-1]
    assert "noise=0.5" in command
    assert "seeds=20:60" in command
    assert rows["plain", "2 neurons"][2] == "–"
    assert report(MIXED)["search"] is None


def test_two_such_sweeps_are_compared_by_the_best_of_each_on_held_out_starts(report):
    """What chose them does not count: forty pairs each, of the sixty trainings that they have."""
    longer = report({("plain", 2): 30}, iterations=200)
    content = sides(report({("plain", 2): 20}).data, longer.data)
    ((_, pairs, *_),) = content["table"].rows
    assert pairs.text == "40"


def test_the_rest_of_the_page_calls_the_best_by_their_combinations(report):
    """And has no averages over what was tuned apart."""
    found = report(MIXED)
    (block,) = [one for one in found.data.blocks if one.title == "Held-out seeds"]
    assert set(block.trials["name"]) == {f"{name}, {size} neurons" for name, size in MIXED}
    assert found["rates"] == []
    assert found["matters"] == []

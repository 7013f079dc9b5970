"""Papers as a user checks them: what was published beside what is trained, on the terminal, as JSON and as a page."""

from pathlib import Path

import pytest

from bench.config.files import papers

MINE = """
title = "Mine 2024: an example"
about = "Ten starts of a perceptron learn OR, which is what somebody has published of twenty."
[[grid]]
title = "OR"
gate = "or"
hidden = 0
learning_rate = 5.0
iterations = 300
seeds = "0:10"
[[claim]]
id = "mine-all"
source = "Mine 2024, table 1"
what = "All starts learn OR"
where = {}
published = { k = 20, of = 20 }
recalled = true
why = "Their machine was another one."
[[claim]]
id = "mine-none"
source = "Mine 2024, abstract"
what = "No start learns OR"
where = {}
event = { solved = true }
below = 0.5
published = "nobody learns it"
"""


@pytest.fixture
def paper(folder):
    """A working folder with an experiment about a paper."""
    (folder / "experiments" / "papers").mkdir(parents=True)
    (folder / "experiments" / "papers" / "mine_2024.toml").write_text(MINE)
    return folder


def test_a_paper_is_trained_once_and_told_on_one_page(bench, paper):
    """A difference is no failure; a second call reads the same sweep, and claims as the file has them by then."""
    ran = bench("papers", "mine_2024", "--json", "-o", "page.html")
    assert ran.status == 0, ran.err
    verdicts = {row["id"]: row for row in ran.json["claims"]}
    assert [row["verdict"] for row in verdicts.values()] == ["open", "differs"]
    assert verdicts["mine-all"]["recalled"]
    page = (paper / "page.html").read_text()
    for words in (
        "Mine 2024: an example",
        "20 of 20",
        "recalled",
        "Their machine was another one.",
        "nobody learns it",
    ):
        assert words in page
    assert "python -m bench sweep papers/mine_2024" in page
    (paper / "experiments" / "papers" / "mine_2024.toml").write_text(MINE.replace("below = 0.5", "above = 0.5"))
    again = bench("papers", "mine_2024", "--json")
    assert [one["sweep"] for one in again.json["papers"]] == [one["sweep"] for one in ran.json["papers"]]
    assert [row["verdict"] for row in again.json["claims"]] == ["open", "agrees"]
    said = bench("papers", "mine_2024")
    assert "0 of 1 published figures agree (1 recalled), 1 open; 1 of 1 readings of published words agree" in said.out
    assert "Page: reports/papers.html" in said.out
    assert bench("papers", "mine_2024", "--quiet").out == "reports/papers.html\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine_2025"], "paper 'mine_2025' is not known; did you mean 'mine_2024'"),
        (["mine_2024", "-o", "page.pdf"], "ends in '.pdf'; allowed are .html"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_before_any_work(bench, paper, words, said):
    """In one sentence, and with exit status 2."""
    ran = bench("papers", *words)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.slow
def test_a_sweep_of_a_paper_shows_its_claims_and_does_not_fail(bench, paper):
    """What differs from a paper is printed, with its mark, and in the report."""
    ran = bench("sweep", "papers/mine_2024", "-o", "r.html")
    assert ran.status == 0
    assert "0 of 1 readings of published words agree, 1 differs" in ran.err
    assert "≠" in ran.out
    assert "Their machine was another one." in (paper / "r.html").read_text()


def test_every_paper_is_in_the_documentation():
    """With what it says, but for those whose claims wait."""
    text = (Path(__file__).parent.parent / "docs" / "papers.md").read_text()
    quoting = [name for name, path in papers().items() if "[[claim]]" in path.read_text()]
    assert [name for name in quoting if f"| `{name}` |" not in text] == []

"""What the page says of a search: held-out figures first, optimism, what was not checked, and how to run it again."""

import re
import shlex
from dataclasses import replace

import numpy as np
import pytest

from bench.config.plan import make_plan
from bench.config.search_config import Reference
from bench.report.page import Report
from bench.request import read_request

SPACE = {
    "hidden": {"low": 2, "high": 16, "log": False, "step": None, "whole": True},
    "learning_rate": {"low": 0.1, "high": 10.0, "log": True, "step": None, "whole": False},
}
IMPORTANCE = [
    {"objective": "rmst", "evaluator": evaluator, "parameter": name, "importance": share}
    for evaluator, shares in (("PED-ANOVA", (0.7, 0.3)), ("fANOVA", (0.4, 0.6)))
    for name, share in zip(SPACE, shares, strict=True)
]
KEPT = {"importance": IMPORTANCE, "seconds": {"optuna": 1.94, "train": 3.4, "track": 8.1}}

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def found(made_report, search_plan):
    """Return the report of a search that made these proposals; ``kept`` is what it wrote when it ended."""

    def report(*studies, references=None, kept=None, **more):
        document = search_plan(*studies, references=references, space=more.pop("space", SPACE), **more)
        records = {one.trial.trial_id: one for some in (*studies, (references or {}).values()) for one in some}
        return made_report(*records.values(), plan=document, searched=kept)

    return report


@pytest.fixture(scope="module")
def five(proposal, trial):
    """Five proposals; the fourth is best: all of 20 seeds, and 30 of 40 others."""
    solved = [(2, 3), (6, 9), (4, 12), (7, 20), (5, 15)]
    return [
        proposal(trial(hidden=hidden, learning_rate=2.0), count, 30 if count == 20 else None, at=10)
        for hidden, count in solved
    ]


@pytest.fixture(scope="module")
def usual(ended, trial):
    """A reference that solves 4 of 40 held-out seeds."""
    which = trial(hidden=3)
    ends = np.where(np.arange(40)[:, None] < 4, which.gate.targets, 0.5)
    return ended(which, ends, seeds=range(20, 60), solved_at=np.where(np.arange(40) < 4, 50, -1))


@pytest.fixture(scope="module")
def brief(html):
    """Return the page of a report without the grid's sections, which take most of the time and are tested elsewhere."""

    def page(report):
        report.contents |= dict.fromkeys(("rates", "times", "curves", "attractors", "matters", "pairs"), ())
        return html(report)

    return page


def section(html):
    return html[html.index('<section id="search-1">') :].split("</section>")[0]


def test_the_first_finding_is_what_the_best_is_worth_on_held_out_seeds(found, five, usual, said):
    """With its interval, what it seemed, and the reference beside it: the exact ones of 30 and of 4 of 40."""
    first = said(found(five, winners=[five[3]], references={"the documents' configuration": usual}))[0]
    assert first.startswith(
        "On 40 held-out seeds, #3 (7 neurons · learning rate 2) solves XOR from 75.0 % [58.8, 87.3] of the starts; on "
        "the 20 seeds that it was chosen by, it was 100 %; the documents' configuration: 10.0 % [2.8, 23.7]."
    )
    assert "best of 5 trials by restricted mean time to solution: 32.5 [" in first
    assert "10 iterations on those of the search" in first


def test_the_first_screen_names_the_best_and_shows_the_reference_from_two_starts(found, five, usual):
    """Its rate is that of held-out starts."""
    references = {"the walkthrough's setting": usual}
    screen = found(five, winners=[five[3]], references=references).first_screen
    assert screen["answer"].replace("\u00a0", " ") == (
        "7 sigmoid neurons · squared error · learning rate 2, the best of 5 settings: XOR is solved from 75.0 % [58.8, "
        "87.3] of 40 held-out starts."
    )
    assert [chart.name for chart in screen["charts"]] == ["settings", "two-starts"]
    assert screen["charts"][1].title == "The walkthrough's setting, from two starts"
    assert screen["charts"][1].subtitle.startswith("seed 22 solves it after 50 iterations; seed ")


@pytest.mark.untraced
def test_optimism_beyond_chance_is_a_finding(found, five, proposal, trial, said):
    """10 iterations as searched and 32.5 on others; that of one that is as good elsewhere is not told."""
    (sentence,) = [one for one in said(found(five, winners=[five[3]])) if "too optimistic" in one]
    assert "was 10 iterations on the seeds that chose it, and is 32.5 [" in sentence
    assert "it looked better by +22.5 [" in sentence
    honest = [*five[:3], proposal(trial(hidden=7, learning_rate=2.0), 20, 40, at=10)]
    assert not any("too optimistic" in one for one in said(found(honest, winners=[honest[3]])))


def test_the_table_has_winners_and_references_with_commands_that_run_again(found, five, usual):
    """Exactly that trial, with the held-out seeds."""
    table = found(five, winners=[five[3], five[4]], references={"the usual": usual})["search"]["table"]
    assert [row[0].text for row in table.rows] == ["1", "2", "–"]
    assert [row[1].text for row in table.rows] == ["#3", "#4", "the usual"]
    (planned,) = make_plan(read_request(shlex.split(table.rows[0][-1].text)[4:])).trials
    assert planned.trial.trial_id == five[3].trial.trial_id
    assert list(planned.seeds) == list(range(20, 60))


def test_limits_are_shown_as_kept_or_broken_on_held_out_seeds(found, five, brief):
    """What was all solved as searched is 75 % elsewhere."""
    report = found(five, winners=[five[3]], constraints=["solved_rate >= 0.9", "parameters <= 40"])
    row = dict(zip(report["search"]["table"].headings, report["search"]["table"].rows[0], strict=True))
    assert row["solved_rate >= 0.9"].text == "broken"
    assert row["parameters <= 40"].text == "kept"
    assert "broken" in section(brief(report))


@pytest.mark.untraced
def test_the_page_begins_with_the_search_with_its_charts_in_order(found, five, html):
    """History, parallel coordinates, slices, contour and importance, each with its numbers."""
    page = html(found(five, winners=[five[3]], kept=KEPT))
    assert page.index('id="search-1"') < page.index('id="rates-1"') < page.index('id="ledger-1"')
    part = section(page)
    names = re.findall(r'<figure id="search-(\w+)-1-1">', part)
    assert names == ["history", "parallel", "slices", "contour", "importance"]
    assert '<a href="#search-1">Search</a>' in page


@pytest.mark.untraced
def test_disagreeing_evaluators_and_the_time_that_it_took_are_named(found, five, brief, text):
    """Both evaluators, each with its first; Optuna, training and MLflow apart."""
    words = text(section(brief(found(five, winners=[five[3]], kept=KEPT))))
    assert "disagree" in words
    assert "PED-ANOVA says hidden, fANOVA says learning_rate" in words
    assert "1.9 s in Optuna, 3.4 s in training, 8.1 s in MLflow" in words
    assert "optuna-dashboard optuna.journal" in words


@pytest.mark.untraced
def test_what_an_objective_cannot_depend_on_has_no_bar(found, five, brief, text):
    """Nor has what all trials have in common, or what depends on one parameter alone: a sentence says so."""
    report = found(five, winners=[five[3]], kept=KEPT, objectives=["rmst", "parameters"])
    words = text(section(brief(report)))
    assert "Of what was searched, the number of weights and biases depends on hidden alone." in words
    (chart,) = [chart for chart in report["search"]["more"] if chart.name == "search-importance-1"]
    assert set(chart.data["objective"]) == {"rmst"}
    alike = found(five[:1], kept={"importance": [], "seconds": {}}, objectives=["solved_rate", "train_seconds"],
                  space={"learning_rate": SPACE["learning_rate"]})  # fmt: skip
    assert alike["search"]["importance"] == [
        "The solved rate is the same for all trials: nothing is seen to matter to it.",
        "The time of a training depends on nothing that was searched.",
    ]


def test_conditional_parameters_are_said_to_be_left_out_of_fanova(found, five, brief, text):
    """It compares what every trial has."""
    space = SPACE | {"momentum": {**SPACE["learning_rate"], "low": 0.0, "log": False, "only_if": {"hidden": ["7"]}}}
    words = text(section(brief(found(five, winners=[five[3]], kept=KEPT, space=space))))
    assert "momentum is searched under a condition, and left out there" in words


@pytest.mark.untraced
def test_a_winner_at_the_edge_of_the_space_is_noted(found, five, brief, text):
    """Two is the fewest neurons that were allowed."""
    words = text(section(brief(found(five, winners=[five[0]]))))
    assert "At the lower end of its range: 2 neurons of #0. A wider range may hold better trials." in words


@pytest.mark.untraced
def test_several_objectives_have_a_front(found, five, brief, text):
    """And no best so far."""
    report = found(
        five, winners=[five[3]], objectives=["rmst", "parameters"], directions=["minimize", "minimize"],
    )  # fmt: skip
    part = section(brief(report))
    assert 'id="search-front-1-1"' in part
    assert "on the Pareto front" in text(part)


@pytest.mark.untraced
def test_where_nothing_was_solved_the_page_says_what_to_try(found, ended, trial, brief, said, text):
    """And that the search had nothing to go by."""
    listed = [ended(trial(hidden=size), [[0.5 + size / 100] * 4] * 20) for size in (2, 3)]
    report = found(listed, winners=listed[:1], held_out="", validate=0)
    first = said(report)[0]
    assert first.startswith("No training of the 2 proposed trials solves XOR, so the search had nothing to go by")
    assert "Nearest came #0 (2 neurons · learning rate 0.05)" in first
    assert "More iterations or a wider space may help" in text(section(brief(report)))


def test_where_no_trial_keeps_the_limits_the_nearest_is_named(found, five, html, said):
    """Before anything else."""
    report = found(five[:3], constraints=["solved_rate >= 0.9"])
    assert said(report)[0].startswith("None of the 3 proposed trials keeps solved_rate >= 0.9. | Nearest came #2 (")
    assert html(report)


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ended": None, "trials": 9}, "The search is not finished: 5 of 9 trials are here. Go on with: "),
        ({"ended": "timeout", "timeout_s": 60.0, "trials": 9}, "ended by its limit of 60 s, after 5 of 9 trials"),
        ({"objectives": ["train_seconds"]}, "cannot be repeated bit for bit"),
        ({"held_out": "", "validate": 0}, "validate = 0: nothing was checked on"),
    ],
)
def test_what_a_reader_must_know_of_a_search_is_in_the_warnings(found, five, brief, more, words, text):
    """Before the rest is trusted."""
    page = brief(found(five, **more))
    assert words in text(page[page.index('class="warnings"') :].split("</header>")[0])


@pytest.mark.untraced
def test_a_search_that_ended_and_was_checked_has_no_warning_of_its_own(found, five, brief, text):
    """Nothing to add."""
    header = brief(found(five, winners=[five[3]])).split("</header>")[0]
    assert "search" not in text(header.partition('class="warnings"')[2]).lower()


@pytest.mark.untraced
def test_a_search_without_held_out_seeds_shows_its_best_as_what_it_is(found, five, brief, text):
    """Chosen, and not checked."""
    words = text(section(brief(found(five, winners=[five[3]], held_out="", validate=0))))
    assert "By the 20 seeds that it was chosen by, #3" in words
    assert "it was not trained on other seeds" in words


def test_repeated_searches_are_compared_with_their_interval(found, proposal, trial, brief, said):
    """The winners of tpe solve more held-out seeds; the sentence names both, the interval and pairs won."""
    listed = [
        [
            proposal(trial(hidden=2 + 2 * place + k, learning_rate=1.0), count, count + shift)
            for k, count in enumerate(of)
        ]
        for place, (of, shift) in enumerate([((5, 20), 18), ((9, 19), 18), ((3, 10), 0), ((2, 11), 0)])
    ]
    report = found(
        *listed, winners=[listed[0][1]], more_winners=[(place, some[1]) for place, some in enumerate(listed)][1:],
        samplers=["tpe", "tpe", "random", "random"], baseline="random", repeats=2,
    )  # fmt: skip
    (sentence,) = [one for one in said(report) if "finds better trials than random" in one]
    assert "means of 2 and 2 searches of 2 trials each" in sentence
    assert "in 100 % of their pairs" in sentence
    part = section(brief(report))
    assert 'id="search-repeated-1-1"' in part
    assert "4 repeated searches" in part


@pytest.mark.parametrize("size", [0, 1])
def test_a_search_of_next_to_nothing_has_a_page(found, five, html, size, text):
    """One proposal that was judged, or none whose trainings are there."""
    report = (
        found(five[:1], ended=None, trials=5) if size else found([], ended=None, trials=5, references={"a": five[3]})
    )
    assert "is not finished" in text(html(report))


@pytest.mark.untraced
def test_a_search_whose_trainings_all_failed_has_a_page(found, failed, refused, trial, html, text):
    """Whatever came of them, nothing was solved."""
    listed = [failed(trial(hidden=2), range(20)), refused(trial(hidden=4), range(20))]
    page = html(found(listed, winners=listed[:1], references={"a": listed[1]}))
    assert "No training of the 2 proposed trials solves XOR" in text(section(page))


def test_of_a_search_that_trained_nothing_no_trial_is_ranked_or_drawn(found, refused, trial, html, said):
    """There is nothing to compare; that every backend refused is in the warnings."""
    listed = [refused(trial(hidden=2 + k), range(20)) for k in range(3)]
    report = found(listed, winners=listed[:1])
    assert said(report)[0].startswith("No training of the 3 proposed trials solves XOR: none was trained.")
    assert report["search"]["table"] is None
    assert "<figure" not in section(html(report))


def test_of_a_search_for_several_things_the_best_in_each_leads(found, proposal, trial, said):
    """With what it is on held-out seeds, and how long the front is."""
    listed = [
        proposal(trial(hidden=hidden, learning_rate=2.0), count, held, at=10)
        for hidden, count, held in ((2, 3, 4), (7, 20, 30), (8, 15, 30))
    ]
    report = found(
        listed, winners=listed[:2], objectives=["parameters", "rmst"], directions=["minimize", "minimize"],
    )  # fmt: skip
    first = said(report)[0]
    assert first.startswith("On 40 held-out seeds, the best in number of weights and biases, #0 (2 neurons ")
    assert "; the best in restricted mean time to solution, #1 (7 neurons · learning rate 2), comes to 32.5 [" in first
    assert "2 of 3 trials are on the Pareto front" in first
    assert report["search"]["table"].headings[:4] == ["rank", "trial", "weights", "solved, held out"]
    assert "its restricted mean time to solution (rmst)" in report["search"]["more"][0].subtitle


@pytest.mark.untraced
def test_an_interrupted_search_whose_references_were_not_begun_has_a_page(found, five, usual, brief, text):
    """What it will be compared with is not there yet."""
    data = found(five, ended=None, trials=9).data
    asked = replace(data.plan.search, references=(Reference("the usual", usual.trial),))
    words = text(section(brief(Report(replace(data, plan=replace(data.plan, search=asked))))))
    assert "By the 20 seeds that it was chosen by, #3" in words
    assert "the usual" not in words


def test_a_range_that_cannot_be_wider_is_no_edge(found, proposal, trial, said):
    """There are no fewer neurons than none."""
    listed = [proposal(trial(hidden=0, learning_rate=rate), 12, 20, at=10) for rate in (0.1, 1.0)]
    space = SPACE | {"hidden": {**SPACE["hidden"], "low": 0}}
    report = found(listed, winners=listed, space=space)
    edges = "At the lower end of its range: learning rate 0.1 of #0. A wider range may hold better trials."
    assert report["search"]["edges"] == edges
    (proposed,) = [words for words in said(report) if "wider range" in words]
    assert proposed.startswith("The best have learning rate 0.1, at the lower end of 0.1..")
    assert "a wider range may hold better, such as learning_rate=0.01.." in proposed


@pytest.mark.untraced
def test_a_sweep_without_a_search_has_no_such_section(made_report, five, html):
    """Nor do those of before there were searches."""
    assert '<section id="search-1">' not in html(made_report(five[0]))
    assert '<section id="search-1">' not in html(made_report(five[0], plan={"search": None}))


def test_a_search_for_speed_of_which_nothing_was_timed_has_a_page(found, failed, trial, html):
    """Its values are infinite: worse than any."""
    listed = [[failed(trial(hidden=2 + k), range(20))] * 3 for k in range(2)]
    page = html(
        found(
            *listed, winners=listed[0][:1], objectives=["train_seconds"], samplers=["tpe", "random"], baseline="random"
        )
    )
    assert "∞" in section(page)

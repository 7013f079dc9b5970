"""The first screen: an answer in a sentence, and what shows it."""

import numpy as np
import pytest

from bench.stats.claims import HOLDS, Verdict

SOLVED, STUCK = [0.0, 1.0, 1.0, 0.0], [0.5, 0.5, 0.5, 0.5]

pytestmark = [pytest.mark.usefixtures("undrawn"), pytest.mark.untraced]


@pytest.fixture(scope="module")
def some(ended, trial):
    """Make up a trial of which so many starts solve it and the rest do not."""

    def make(solved, unsolved, at=10, **parameters):
        which = trial(**parameters)
        ats = np.where(np.arange(solved + unsolved) < solved, at, -1)
        return ended(which, [list(which.gate.targets)] * solved + [STUCK] * unsolved, solved_at=ats)

    return make


def first(report):
    found = report.first_screen
    return found["answer"].replace("\u00a0", " "), [chart.name for chart in found["charts"]]


def test_where_the_start_decides_the_smallest_network_shows_it(made_report, some):
    """Of those that some starts solve and some do not, the nearest to a half; and from two starts it is drawn."""
    report = made_report(
        some(50, 50, hidden=8), some(60, 40, hidden=2), some(90, 10, hidden=2, loss="bce"), some(100, 0, hidden=3)
    )
    answer, charts = first(report)
    assert answer == (
        "In 2 of 4 XOR settings the start decides, such as 2 neurons · squared error: solved from 60.0 % [49.7, 69.7] "
        "of 100 starts."
    )
    assert charts == ["settings", "two-starts"]
    assert len(answer.split()) <= 25


def test_where_every_start_does_the_same_it_is_said_how_many_settings_are_solved(made_report, some):
    """There are no two starts to show."""
    answer, charts = first(made_report(some(200, 0, hidden=2), some(200, 0, hidden=3), some(0, 200, hidden=4)))
    assert answer.startswith("2 of 3 XOR settings solve it from nearly every start: ")
    assert charts == ["settings"]


def test_a_single_setting_has_its_rate(made_report, some):
    """With its interval and n."""
    assert (
        first(made_report(some(75, 25)))[0]
        == "XOR · 3 neurons · squared error: solved from 75.0 % [65.3, 83.1] of 100 starts."
    )


def test_over_a_number_it_is_said_from_where_to_where_half_of_the_starts_solve_it(made_report, some):
    """And which value is best; where none does, that is the answer."""
    rates = {0.1: 0, 0.5: 20, 1.0: 60, 2.0: 90, 4.0: 55, 8.0: 10}
    answer, charts = first(made_report(*(some(n, 100 - n, learning_rate=rate) for rate, n in rates.items())))
    assert answer == (
        "Half of the starts or more solve XOR with a learning rate from 1 to 4; 90.0 % [79.5, 96.3] at 2."
    )
    assert charts == ["settings", "two-starts"]
    answer, _ = first(made_report(*(some(n // 3, 100 - n // 3, learning_rate=rate) for rate, n in rates.items())))
    assert answer.startswith("No learning rate from 0.1 to 8 solves XOR from half of its starts: at most 30.0 % [")


def test_claims_about_single_trainings_are_the_answer_where_there_is_no_rate(made_report, some):
    """And else how many trainings solve it."""
    verdicts = [Verdict(name, "me", "what", "1", "2", HOLDS) for name in "ab"]
    assert first(made_report(some(1, 1), verdicts=verdicts))[0] == "2 of 2 claims hold."
    assert first(made_report(some(2, 1)))[0] == "2 of 3 trainings solve it."
    assert first(made_report(some(1, 0)))[0] == "1 of 1 training solves it."


@pytest.mark.parametrize(("rates", "charts"), [((30, 70), 2), ((0, 100), 1)])
def test_two_starts_are_shown_only_where_there_are_two_fates(made_report, some, rates, charts):
    """One that solves it, and one that does not."""
    assert len(first(made_report(some(*rates)))[1]) == charts


def test_where_all_settings_solve_it_the_faster_is_the_answer(made_report, some):
    """Which the rates do not tell."""
    cells = [some(100, 0, at=at, momentum=value) for value, at in ((0.0, 80), (0.9, 8))]
    assert first(made_report(*cells))[0] == (
        "Momentum 0 and momentum 0.9 solve the same starts, 100 pairs of trainings; a start that both solve takes in "
        "median 10 times as many iterations with momentum 0 as with momentum 0.9."
    )


def test_where_no_start_solves_it_the_answer_says_so(made_report, some):
    """Of one setting and of several."""
    assert first(made_report(some(0, 100)))[0] == "No start solves XOR, in 1 setting: 0 % [0, 3.6] of 100."
    several = made_report(some(0, 100), some(0, 100, hidden=5))
    assert first(several)[0] == "No start solves XOR, in 2 settings: 0 % [0, 3.6] of 100."


def test_a_single_setting_is_shown_over_its_iterations(made_report, some):
    """One dot on an axis would say less."""
    assert first(made_report(some(30, 70)))[1][0] == "times-0"
    assert first(made_report(some(30, 70), some(40, 60, hidden=5)))[1][0] == "settings"


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (("gate=xor", "hidden=2,3", "loss=mse,bce"), "XOR by hidden and loss"),
        (("gate=or,xor", "learning_rate=1,2"), "OR and XOR by learning rate"),
        (("gate=or",), "OR"),
        (("gate=or", "hidden=2,3", "loss=mse,l1", "momentum=0,0.5"), "OR by hidden, loss and momentum"),
    ],
)
def test_a_sweep_that_nobody_gave_a_title_is_called_what_it_swept(trained_report, words, title):
    """The command is at the end of the page."""
    assert trained_report(*words, "iterations=5", "seeds=0:2").data.title == title

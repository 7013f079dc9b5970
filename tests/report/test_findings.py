"""Findings: each sentence has its number, its interval and its n, and is absent where the data carry none."""

import re

import numpy as np
import pytest

from bench.stats.claims import HOLDS, REFUTED, UNDECIDED, Verdict

SOLVED, STUCK, WRONG = [0.0, 1.0, 1.0, 0.0], [0.5, 0.5, 0.5, 0.5], [1.0, 1.0, 1.0, 0.0]
ANCHOR = re.compile(r'<a href="#([^"]*)"><strong>')

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def some(ended, trial):
    """Make up a trial of which so many starts solve it, at these iterations, and the rest end somewhere."""

    def make(solved, unsolved, end=STUCK, at=None, **parameters):
        size, which = solved + unsolved, trial(**parameters)
        ats = np.where(np.arange(size) < solved, 10 if at is None else at, -1)
        return ended(which, [list(which.gate.targets)] * solved + [end] * unsolved, solved_at=ats)

    return make


def sentences(report):
    return [f"{one.sentence} | {one.evidence}" for one in report.findings]


def the(report, words):
    """Return the only finding that has these words."""
    (found,) = [one for one in report.findings if words in one.sentence]
    return f"{found.sentence} | {found.evidence}".replace("\u00a0", " ")


def has(report, words):
    return any(words in one.sentence for one in report.findings)


def test_how_often_it_is_solved_has_its_exact_interval_and_n(made_report, some):
    """75 of 100: 65.3 to 83.1 (Clopper & Pearson 1934)."""
    said = the(made_report(some(75, 25)), "solve XOR")
    assert said.startswith(
        "Within 100 iterations, networks with one hidden layer solve XOR from 75.0 % [65.3, 83.1] of the starts."
    )
    assert "75 of 100 trainings (1 trial, 100 seeds)" in said
    assert "exact 95 % interval" in said


def test_what_was_only_drawn_is_not_said_to_be_trained(made_report, some):
    """Guessed weights have no iterations within which they solve it."""
    said = the(made_report(some(75, 25, optimizer="none")), "solve XOR")
    assert said.startswith("As they are drawn, networks with one hidden layer solve XOR from 75.0")


def test_a_gate_that_is_never_solved_is_said_to_be_so(made_report, some):
    """Exactly none, with the interval that remains."""
    said = the(made_report(some(0, 100)), "networks with one hidden layer solve XOR from none of 100 seeds")
    assert "0 % [0, 3.6]" in said


def test_why_no_perceptron_solves_a_gate_is_said_where_it_is_known(made_report, some):
    """Of XOR; OR could be solved, and so could XOR by other networks."""
    why = "their output is monotone in a weighted sum of the inputs, and no line separates XOR's 0s from its 1s"
    assert f": {why}." in the(made_report(some(0, 100, hidden=0)), "single perceptrons cannot solve XOR")
    assert why not in the(made_report(some(0, 100, hidden=0, gate="or")), "single perceptrons solve OR")
    assert why not in the(made_report(some(0, 100)), "solve XOR from none")


def test_every_gate_has_its_rate(made_report, some):
    """In one sentence."""
    said = the(made_report(some(100, 0, gate="or"), some(50, 50)), "solve OR")
    assert "solve OR from 100 %" in said
    assert "; they solve XOR from 50.0 %" in said
    assert "OR 100 of 100 trainings (1 trial, 100 seeds), XOR 50 of 100 trainings (1 trial, 100 seeds)" in said


def test_the_highest_and_the_lowest_trial_are_named_with_their_intervals(made_report, some):
    """And how many seeds each has; for all three intervals to hold at once, each holds in 1 - 0.05 / 3."""
    said = the(made_report(some(90, 10, hidden=8), some(20, 80, hidden=2), some(50, 50, hidden=3)), "highest")
    assert said.startswith(
        "XOR: the highest observed solved rate is 90.0 % [80.6, 95.9] (8 neurons), the lowest 20.0 % [11.4, 31.2] "
        "(2 neurons)."
    )
    assert "3 trials, picked afterwards, with 95 % intervals that hold for all of them at once" in said
    assert "n = 100 seeds" in said


@pytest.mark.untraced
def test_trials_that_are_all_alike_have_no_highest_and_lowest(made_report, some):
    """Nor is there a greatest difference."""
    report = made_report(some(50, 50, hidden=8), some(50, 50, hidden=2))
    assert not has(report, "highest")
    assert not has(report, "widest range")


@pytest.mark.untraced
def test_luck_is_a_share_of_the_variance_where_the_grid_is_balanced(made_report, some):
    """All of it is the seed's own where the same half of the starts solves both trials."""
    said = the(made_report(some(50, 50, loss="mse"), some(50, 50, loss="l1")), "of the variance")
    assert said.startswith("XOR: 100 % [100, 100] of the variance in whether a training of this grid solves it lies")
    assert "; 100 % [100, 100] of all variance, part of that, is due to starts that tend to do well" in said
    assert "p ≤ 0.005 by permutation" in said
    assert "200 trainings" in said


@pytest.mark.untraced
def test_networks_of_different_shape_do_not_share_their_starts(made_report, some):
    """The same seed draws other weights for them, so that nothing is said of what it does by itself."""
    said = the(made_report(some(50, 50, hidden=8), some(50, 50, hidden=2)), "of the variance")
    assert "lies between starts of the same trial. |" in said
    assert (
        "In 2 of them the start decides: the exact 95 % interval of the solved rate lies between 5 % and 95 %." in said
    )


def test_luck_is_not_spoken_of_where_there_is_none(made_report, some):
    """Every start solves the one and none the other."""
    report = made_report(some(100, 0, hidden=8), some(0, 100, hidden=2))
    assert not has(report, "of the variance")
    assert not has(report, "the start decides")


@pytest.mark.untraced
def test_the_trial_with_the_smallest_median_has_it_with_interval_and_n(made_report, some):
    """Half of the starts after 20 iterations, whatever the rest does."""
    said = the(made_report(some(80, 20, at=20, hidden=8), some(10, 90, at=5, hidden=2)), "the only median")
    assert said.startswith(
        "XOR: the only median is that of 8 neurons: half of the starts have solved it after 20 [20, 20] iterations, "
        "and 80.0 %"
    )
    assert "In 1 of 2 trials fewer than half did within 100 iterations." in said
    assert "n = 100 seeds" in said


@pytest.mark.untraced
def test_a_median_is_the_smallest_only_where_its_interval_lies_before_the_next(made_report, some):
    """Ten iterations are fewer than twenty; of two that are the same neither is the smallest."""
    assert has(
        made_report(some(80, 20, at=10, hidden=8), some(80, 20, at=20, hidden=2)),
        "the smallest observed median is that of 8 neurons",
    )
    assert has(
        made_report(some(80, 20, at=10, hidden=8), some(80, 20, at=10, hidden=2)), "among the smallest medians is"
    )
    assert has(made_report(some(80, 20, at=10)), "XOR: half of the starts have solved it after 10 [10, 10] iterations")


def test_no_median_is_spoken_of_where_no_half_solves_it(made_report, some):
    """There is none."""
    assert not has(made_report(some(10, 90)), "half of the starts")


@pytest.mark.untraced
def test_giving_starts_up_is_told_where_it_surely_pays(made_report, some):
    """All that solve it do so at 10 of 10,000 iterations, and three quarters never do."""
    grid = some(50, 150, loss="mse", iterations=10_000), some(150, 50, loss="bce", iterations=10_000)
    said = the(made_report(*grid), "restarting after")
    assert said.startswith(
        "XOR: restarting after 19 instead of 10,000 iterations cuts what a solution takes with squared error from an "
        "expected 30,010"
    )
    assert "The largest factor of 2 trials, picked afterwards; in 2 the two intervals lie apart." in said
    assert not has(made_report(some(200, 0, at=9_000, iterations=10_000)), "restarting")


def test_trials_that_share_their_luck_are_named(made_report, some):
    """The same half of the starts solves two of three; of chance it would be half of them."""
    said = the(
        made_report(some(50, 50, loss="mse"), some(50, 50, loss="bce"), some(25, 75, loss="l1")), "the same fate"
    )
    assert said.startswith(
        ("XOR: cross-entropy and squared error have the same", "XOR: squared error and cross-entropy have the same")
    )
    assert "(50.0 % by chance)" in said
    assert "3 pairs of trials that start from the same weights" in said


def test_the_commonest_ending_has_its_share_interval_and_count(made_report, some):
    """Of all trainings of its gate that were begun."""
    said = the(made_report(some(40, 60)), "end at the predictions")
    assert "60.0 % [49.7, 69.7] of the XOR trainings" in said
    assert "60 of 100 trainings, 100 % of those unsolved" in said


def test_an_ending_that_is_another_gates_table_or_of_one_setting_only_is_told_so(made_report, some):
    """All forty that take it for OR have the one loss."""
    said = the(made_report(some(60, 40, end=[0, 1, 1, 1], loss="l1"), some(100, 0, loss="mse")), "end at the")
    assert "end at the predictions 0 1 1 1, the table of OR, the commonest failure observed" in said
    assert ", and seen only with absolute error (40 of 100)." in said


def test_there_is_no_commonest_ending_where_all_solve_it(made_report, some):
    """Nor a wrong observation."""
    report = made_report(some(100, 0))
    assert not has(report, "end at the predictions")
    assert not has(report, "comes out wrong")


def test_the_parameter_whose_values_differ_most_is_named(made_report, some):
    """With its worst and best value, their intervals and n."""
    records = [
        some(solved, 100 - solved, hidden=hidden, loss=loss)
        for hidden, loss, solved in ((2, "mse", 10), (2, "bce", 20), (8, "mse", 80), (8, "bce", 96))
    ]
    said = the(made_report(*records), "widest range")
    assert "of all that was varied, hidden spans the widest range of mean solved rates: 15.0 % [" in said
    assert "with 2 neurons, 88.0 % [" in said
    assert "with 8 neurons, by +70.0 points to +76.0 points in single settings." in said
    assert "n = 200 and 200 trainings" in said


def test_with_one_parameter_nothing_is_said_of_its_values(made_report, some):
    """Highest and lowest say it all."""
    assert not has(made_report(some(10, 90, hidden=2), some(90, 10, hidden=8)), "widest range")


@pytest.mark.untraced
def test_what_makes_it_faster_everywhere_is_told_with_its_factor(made_report, some):
    """Ten times as fast in either setting; not where it is so in one of them only, nor by little."""
    slow, fast = {"momentum": 0.0, "at": 80}, {"momentum": 0.9, "at": 8}
    cells = [some(40, 60, loss=loss, **one) for loss in ("mse", "bce") for one in (slow, fast)]
    said = the(
        made_report(*cells),
        "from starts that solve it with both within 100 iterations, momentum 0.9 takes in median 0.1 times the "
        "iterations of momentum 0, at learning rate 0.05.",
    )
    assert "Medians in 2 settings, of 40 starts each" in said
    assert "hold for all 4 ratios of this grid at once, lie between 0.1 and 0.1" in said
    cells[-1] = some(40, 60, loss="bce", momentum=0.9, at=90)
    assert not has(made_report(*cells), "times the iterations")
    little = [some(40, 60, momentum=value, at=at) for value, at in ((0.0, 80), (0.9, 70))]
    assert not has(made_report(*little, some(40, 60, momentum=0.5, at=75, loss="bce")), "from starts that solve it")


@pytest.mark.untraced
def test_pairs_from_the_same_starts_have_points_interval_and_how_often(made_report, some):
    """By another loss the same weights come to another end."""
    cells = [
        some(solved, 100 - solved, loss=loss, momentum=momentum)
        for momentum in (0.0, 0.5)
        for loss, solved in (("bce", 90), ("mse", 40))
    ]
    said = the(made_report(*cells), "from the same starts")
    assert "cross-entropy solves more than squared error: +50.0 points [" in said
    assert "200 pairs of trainings" in said
    assert "2 of 2 settings" in said
    cells[2:] = [some(40, 60, loss="bce", momentum=0.5), some(90, 10, loss="mse", momentum=0.5)]
    said = the(made_report(*cells), "from the same starts")
    assert "depends on the setting: cross-entropy in 1 of 2 settings, squared error in 1." in said
    assert "an average would hide it" in said


def test_pairs_that_chance_explains_are_no_finding(made_report, some):
    """One seed more is nothing."""
    assert not has(made_report(some(51, 49, loss="bce"), some(50, 50, loss="mse")), "from the same starts")


@pytest.mark.untraced
def test_networks_of_different_shapes_are_no_pairs(made_report, some):
    """They start from different weights."""
    assert not has(made_report(some(90, 10, hidden=8), some(40, 60, hidden=2)), "from the same starts")


def test_a_wrong_observation_that_is_always_the_same_is_not_chance(made_report, some):
    """All forty times the first."""
    said = the(made_report(some(60, 40, end=WRONG)), "comes out wrong")
    assert "not left to chance" in said
    assert "40, 0, 0, 0 times observation 1 to 4, of 40 trainings with one wrong" in said


def test_a_wrong_observation_that_may_be_any_is_no_finding(made_report, ended, trial):
    """Ten times each: that nothing could be shown does not show that there is nothing."""
    ends = [[abs(value - (place == wrong)) for place, value in enumerate(SOLVED)] for wrong in range(4)] * 10
    assert not has(made_report(ended(trial(), ends)), "comes out wrong")


def test_what_did_not_come_to_an_end_comes_first(made_report, some, refused, failed, ended, trial):
    """Diverged, failed and unsupported, each with its count."""
    lost = ended(trial(momentum=0.5), [[np.nan] * 4] * 3)
    report = made_report(
        some(5, 5), failed(trial(loss="bce"), range(4)), refused(trial(summation="fma"), range(2)), lost
    )
    assert sentences(report)[0].startswith("Of 19 planned trainings: 3 diverged, 4 failed, 2 unsupported.")


def test_a_sweep_that_came_to_its_end_says_nothing_of_the_kind(made_report, some):
    """The first sentence is the rate."""
    assert "planned" not in sentences(made_report(some(75, 25)))[0]


@pytest.mark.untraced
def test_claims_are_counted_and_those_missed_are_named(made_report, some):
    """By their ids, those that are refuted before those that nobody knows."""
    ends = {"a": HOLDS, "b": UNDECIDED, "c": REFUTED, "d": REFUTED}
    verdicts = [Verdict(name, "me", "what", "1", "2", verdict) for name, verdict in ends.items()]
    said = the(made_report(some(5, 5), verdicts=verdicts), "claims hold")
    assert said == "1 of 4 claims hold, 2 refuted, 1 undecided. | Refuted: c, d. Undecided: b."
    assert not has(made_report(some(5, 5)), "claim")


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (HOLDS, "The claim holds. | Printed numbers to their last digit"),
        (REFUTED, "The claim is refuted. | Refuted: a."),
        (UNDECIDED, "The claim is undecided. | Undecided: a."),
    ],
)
def test_a_single_claim_is_told_as_one(made_report, some, verdict, words):
    """What became of it, in words."""
    verdicts = [Verdict("a", "me", "what", "1", "2", verdict)]
    assert the(made_report(some(5, 5), verdicts=verdicts), "claim").startswith(words)


def test_claims_that_all_hold_are_told_in_one_sentence(made_report, some):
    """None is named."""
    verdicts = [Verdict(name, "me", "what", "1", "2", HOLDS) for name in "ab"]
    assert the(made_report(some(5, 5), verdicts=verdicts), "claims").startswith("All 2 claims hold. | Printed numbers")


@pytest.mark.parametrize(("solved", "words"), [(1, "The only training is solved."), (0, "The only training is stuck.")])
def test_a_single_training_is_told_as_one(made_report, some, solved, words):
    """No rate, no interval."""
    said = sentences(made_report(some(solved, 1 - solved)))
    assert said[0].startswith(words)
    assert "n = 1" in said[0]
    assert "%" not in said[0]


def test_few_trainings_are_counted_and_have_no_rate(made_report, some):
    """Three starts say little."""
    (said,) = [one for one in sentences(made_report(some(2, 1))) if "trainings" in one]
    assert said.startswith("2 of 3 trainings solve it.")
    assert "too few" in said


@pytest.fixture(scope="module")
def everything(made_report, some, failed, trial):
    """A grid that has something to say of every kind, and more blocks than are told of."""
    shape = [(2, "mse", 10), (2, "bce", 40), (8, "mse", 60), (8, "bce", 95)]
    grid = [
        some(solved, 100 - solved, WRONG if loss == "mse" else STUCK, at=30 + hidden, hidden=hidden, loss=loss)
        for hidden, loss, solved in shape
    ]
    more = [some(50, 50, momentum=k / 8) for k in range(1, 5)]
    crashed = failed(trial(dtype="float64"), range(5))
    blocks = ["The grid", "b", "c", "d", "e", "crashed"]
    verdicts = [Verdict("a", "me", "what", "1", "2", HOLDS)]
    return made_report(*grid, *more, crashed, blocks=blocks, places=[0, 0, 0, 0, 1, 2, 3, 4, 5], verdicts=verdicts)


@pytest.mark.untraced
def test_there_are_never_more_than_ten(everything):
    """A first screen has no room for more; the claims are among them all the same."""
    assert 5 <= len(everything.findings) <= 10
    assert has(everything, "The claim holds.")


def test_every_finding_leads_to_a_place_on_the_page(everything, html):
    """Where it is shown."""
    text = html(everything)
    anchors = ANCHOR.findall(text)
    assert len(anchors) == len(everything.findings)
    assert all(f'id="{anchor}"' in text for anchor in anchors)


def test_every_finding_has_its_number_and_what_it_counts(everything):
    """No sentence without evidence."""
    for one in everything.findings:
        assert one.evidence.endswith(".")
        assert one.sentence.endswith(".")
        assert re.search(r"\d", one.sentence + one.evidence) or one.anchor == "claims"

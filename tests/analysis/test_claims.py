import tomllib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.claims import NO_DATA, check_claims, measure, share, verdict_rows
from bench.experiment.claim import CLAIM
from bench.experiment.grid import PlannedClaim
from bench.problem.outcome import NEVER, Record, Result
from bench.tracking import columns as c

PRINTED = tomllib.loads((Path(__file__).parents[2] / "experiments" / "printed.toml").read_text(encoding="utf-8"))
NOTATIONS = sorted(
    {(text, claim.get("format")) for claim in PRINTED["claim"] for text in claim.get("printed", [])}, key=str
)

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
ONE_WRONG, OTHER_WRONG = [0, 1, 0, 0], [0, 0, 1, 0]
NAN = np.nan


def check(data, chosen, other=(), **claim):
    """Return the verdicts on a claim about some trials, and others that it compares them with."""
    read = CLAIM.validate_python({"id": "a", "source": "s", "what": "w", "where": {}} | claim)
    trials, others = ([one.trial_id for one in some] for some in (chosen, other))
    return check_claims([PlannedClaim(read, tuple(trials), tuple(others))], data)


def failed(trial, seeds):
    return Record(trial, tuple(seeds), result=Result.FAILED, reason="ValueError: no")


def refused(trial, seeds):
    return Record(trial, tuple(seeds), result=Result.UNSUPPORTED, reason="no such device")


# ------------------------------------------------------------------ printed numbers


@pytest.mark.parametrize(("text", "given"), NOTATIONS)
def test_a_number_is_held_to_every_printed_digit(trial, ended, table, text, given):
    """Whatever the notation, 0.4 units of the last digit make no difference and 0.6 do."""
    digits = Decimal(text) if given is None else Decimal(f"{float(text):.1e}")
    unit = Decimal(1).scaleb(digits.as_tuple().exponent)
    base = table(ended(trial(), [STUCK]))
    for shift, holds in ((0, True), (0.4, True), (0.6, False)):
        data = base.assign(**{c.FINAL_LOSS: float(digits + Decimal(str(shift)) * unit.copy_sign(digits))})
        (verdict,) = check(data, [trial()], seed=0, of="final_loss", printed=[text], format=given)
        assert (verdict.expected, verdict.holds) == (text, holds), (shift, verdict.observed)
        assert (verdict.observed == text) is holds


@pytest.mark.parametrize(
    ("value", "observed"), [(1.04, "1"), (0.9951, "1"), (0.99, "0.99"), (1.06, "1.1"), (0.07, "0.07"), (100.0, "1e+02")]
)
def test_a_format_writes_what_the_text_does_not_show(trial, ended, table, value, observed):
    """The walkthrough prints its final errors with two significant digits, and no zeros at the end."""
    data = table(ended(trial(), [STUCK])).assign(**{c.FINAL_LOSS: value})
    (verdict,) = check(data, [trial()], seed=0, of="final_loss", printed=["1"], format=".2g")
    assert (verdict.observed, verdict.holds) == (observed, observed == "1")


def test_the_loss_is_looked_up_at_its_iteration(trial, ended, table):
    """The numbers of a curve are named by their iterations."""
    data = table(ended(trial(), [STUCK], loss=[np.arange(10) / 8]))
    verdicts = check(
        data, [trial()], seed=0, of="loss", at=[0, 90, 20], printed=["0.000", "1.125", "0.251"], what="at {at}"
    )
    assert [(v.id, v.what, v.observed, v.holds) for v in verdicts] == [
        ("a-0", "at 0", "0.000", True),
        ("a-90", "at 90", "1.125", True),
        ("a-20", "at 20", "0.250", False),
    ]


@pytest.mark.parametrize(
    ("of", "printed"),
    [
        ("predictions", ["0.25", "0.75", "1.00", "0.00"]),
        ("errors", ["-0.25", "0.25", "0.00", "0.00"]),
        ("weights", ["0.5", "-2.0"]),
    ],
)
def test_the_numbers_of_a_list_are_counted_from_one(trial, ended, table, of, printed):
    """Predictions, target minus prediction, and weights are named as a table's rows are."""
    one = trial(hidden=0, output_bias=False)
    data = table(ended(one, [[0.25, 0.75, 1.0, 0.0]], weights=[0.5, -2.0]))
    verdicts = check(data, [one], seed=0, of=of, printed=printed)
    assert [v.id for v in verdicts] == [f"a-{place}" for place in range(1, len(printed) + 1)]
    assert all(v.holds for v in verdicts)


def test_initial_weights_are_those_that_the_seed_starts_from(trial, trained, table):
    """NumPy's first numbers of seed 1, which the walkthrough prints."""
    one = trial(hidden=0, init="uniform")
    verdicts = check(
        table(trained(one, [1])), [one], seed=1, of="initial_weights", printed=["0.417022", "7.20324493e-01"]
    )
    assert [v.holds for v in verdicts] == [True, True]


def test_places_of_a_list_can_be_given_in_any_order(trial, ended, table):
    """A text may print a matrix the other way round; the numbers keep their places."""
    data = table(ended(trial(), [[0.1, 0.2, 0.3, 0.4]]))
    verdicts = check(data, [trial()], seed=0, of="predictions", at=[3, 0], printed=["0.4", "0.1"])
    assert [(v.id, v.holds) for v in verdicts] == [("a-4", True), ("a-1", True)]


def test_a_single_printed_number_keeps_the_claims_own_id(trial, ended, table):
    """There is nothing to count where there is one number."""
    (verdict,) = check(table(ended(trial(), [STUCK])), [trial()], seed=0, of="final_loss", printed=["0.25"])
    assert (verdict.id, verdict.source, verdict.what, verdict.holds) == ("a", "s", "w", True)


def test_braces_in_a_sentence_stay_as_they_are(trial, ended, table):
    """A sentence may speak of sets and places."""
    what = "{0, 1} and {x} at {at}"
    (verdict,) = check(
        table(ended(trial(), [STUCK])), [trial()], seed=0, of="predictions", at=[2], printed=["0.5"], what=what
    )
    assert verdict.what == "{0, 1} and {x} at 3"


@pytest.mark.parametrize("of", ["loss", "predictions", "errors", "weights", "initial_weights", "final_loss"])
def test_a_printed_number_of_a_training_that_is_not_there_does_not_hold(trial, ended, table, of):
    """A seed that was not trained, or failed, gives no number; the other rows are checked all the same."""
    one = trial()
    data = table(ended(one, [STUCK]), failed(one, [1]))
    missing, crashed = (check(data, [one], seed=seed, of=of, at=[0], printed=["0.5"])[0] for seed in (2, 1))
    assert (missing.observed, missing.holds) == (NO_DATA, False)
    assert (crashed.observed, crashed.holds) == ("nan", False)


@pytest.mark.parametrize("of", ["loss", "weights", "initial_weights"])
def test_a_number_of_a_list_that_was_not_kept_does_not_hold(trial, ended, table, of):
    """Beyond the first seeds of a trial its lists are left out."""
    data = table(ended(trial(), [STUCK]), lists_to=-1)
    (verdict,) = check(data, [trial()], seed=0, of=of, at=[0], printed=["0.25"])
    assert (verdict.observed, verdict.holds) == ("nan", False)


@pytest.mark.parametrize(("of", "at"), [("loss", 5), ("loss", 100), ("predictions", 4), ("errors", 4)])
def test_a_number_at_a_place_that_is_not_there_does_not_hold(trial, ended, table, of, at):
    """An iteration that was not recorded, or a fifth of four observations, has no number."""
    (verdict,) = check(table(ended(trial(), [STUCK])), [trial()], seed=0, of=of, at=[at], printed=["0.25"])
    assert (verdict.observed, verdict.holds) == ("nan", False)


# ------------------------------------------------------------------ bounds


@pytest.mark.parametrize(
    ("bound", "expected", "holds"),
    [
        ({"below": 0.3}, "< 0.3", True),
        ({"below": 0.2}, "< 0.2", False),
        ({"below": 0.25}, "< 0.25", False),
        ({"above": 0.2}, "> 0.2", True),
        ({"above": 0.3}, "> 0.3", False),
        ({"above": 0.25}, "> 0.25", False),
    ],
)
def test_a_number_is_below_or_above_its_bound(trial, ended, table, bound, expected, holds):
    """A bound itself is neither below nor above it."""
    (verdict,) = check(table(ended(trial(), [STUCK])), [trial()], seed=0, of="final_mse", **bound)
    assert (verdict.expected, verdict.observed, verdict.holds) == (expected, "0.25", holds)


def test_a_bound_is_on_the_training_of_its_seed(trial, ended, table):
    """Other seeds of the trial do not matter."""
    data = table(ended(trial(), [STUCK, SOLVED]))
    assert [check(data, [trial()], seed=seed, of="wrong", below=1)[0].holds for seed in (0, 1)] == [False, True]


@pytest.mark.parametrize("bound", [{"below": 1}, {"above": 1}])
def test_a_bound_on_a_training_that_is_not_there_does_not_hold(trial, ended, table, bound):
    """Nothing is below a bound that nobody measured, and nothing above it."""
    (verdict,) = check(table(ended(trial(), [STUCK])), [trial()], seed=5, of="final_mse", **bound)
    assert (verdict.observed, verdict.holds) == (NO_DATA, False)


@pytest.mark.parametrize("of", ["final_mse", "final_loss", "max_abs_error", "solved_at", "correct_at", "halfway_at"])
def test_a_diverged_training_is_below_no_bound(trial, ended, table, of):
    """What blew up is worse than any number."""
    data = table(ended(trial(), [DIVERGED], loss=[[0.3, *[NAN] * 9]]))
    assert not check(data, [trial()], seed=0, of=of, below=1e300)[0].holds


# ------------------------------------------------------------------ shares


@pytest.mark.parametrize(
    ("bound", "expected", "holds"),
    [
        ({"above": 0.5}, "> 50%", True),
        ({"above": 0.6}, "> 60%", False),
        ({"below": 0.9}, "< 90%", True),
        ({"below": 0.8}, "< 80%", False),
        ({"never": True}, "never", False),
        ({"always": True}, "always", False),
    ],
)
def test_a_share_is_surely_above_or_below_its_bound(trial, ended, table, bound, expected, holds):
    """It is Wilson's interval, [57 %, 85 %] for 29 of 40, that must be on that side, not the share."""
    data = table(ended(trial(), [SOLVED] * 29 + [STUCK] * 11))
    (verdict,) = check(data, [trial()], event={"outcome": "solved"}, **bound)
    assert verdict.observed == "72.5% [57.2%, 83.9%], 29 of 40"
    assert (verdict.expected, verdict.holds) == (expected, holds)


@pytest.mark.parametrize(("predictions", "never", "always"), [(SOLVED, False, True), (STUCK, True, False)])
def test_never_and_always_leave_no_exception(trial, ended, table, predictions, never, always):
    """Twenty seeds of one outcome are always that, and never another."""
    data = table(ended(trial(), [predictions] * 20))
    assert check(data, [trial()], event={"solved": True}, never=True)[0].holds is never
    assert check(data, [trial()], event={"solved": True}, always=True)[0].holds is always


@pytest.mark.parametrize(
    ("event", "count"),
    [
        ({"outcome": "solved"}, 1),
        ({"outcome": ["solved", "stuck"]}, 4),
        ({"solved": False}, 4),
        ({"correct": True}, 1),
        ({"wrong": 1}, 2),
        ({"wrong": [0, 1]}, 3),
        ({"wrong_observation": 3}, 1),
        ({"wrong": 1, "wrong_observation": 2}, 1),
        ({"pattern": "½ ½ ½ ½"}, 1),
        ({"pattern": ["0 1 0 0", "0 0 1 0"]}, 2),
        ({"outcome": "failed"}, 1),
        ({"outcome": "solved", "wrong": 1}, 0),
    ],
)
def test_an_event_is_what_has_every_named_property(trial, ended, table, event, count):
    """Values in a list are alternatives, names are conditions; a failed training counts among all."""
    one = trial()
    data = table(ended(one, [SOLVED, STUCK, ONE_WRONG, OTHER_WRONG]), failed(one, [9]))
    (verdict,) = check(data, [one], event=event, below=1)
    assert verdict.observed == share(count, 5)


def test_trainings_that_were_refused_are_in_no_share(trial, ended, table):
    """A backend's refusal is no failure to learn."""
    data = table(ended(trial(), [SOLVED] * 3), refused(trial(hidden=8), range(3)))
    (verdict,) = check(data, [trial(), trial(hidden=8)], event={"solved": True}, always=True)
    assert (verdict.observed[-6:], verdict.holds) == ("3 of 3", True)


@pytest.mark.parametrize("bound", [{"never": True}, {"always": True}, {"below": 1}, {"above": 0}])
def test_a_share_of_nothing_does_not_hold(trial, table, bound):
    """Where every training was refused, nothing is always so, and nothing never."""
    (verdict,) = check(table(refused(trial(), range(3))), [trial()], event={"solved": True}, **bound)
    assert (verdict.observed, verdict.holds) == (NO_DATA, False)


def test_a_share_is_over_the_trials_of_its_claim(trial, ended, table):
    """Trainings of other trials do not matter."""
    data = table(ended(trial(), [SOLVED] * 4), ended(trial(hidden=8), [STUCK] * 4))
    assert check(data, [trial()], event={"solved": True}, always=True)[0].holds


# ------------------------------------------------------------------ what depends on the seed


def test_something_varies_if_no_value_holds_for_all_seeds(trial, ended, table):
    """Every value is listed with its share."""
    data = table(ended(trial(), [ONE_WRONG] * 3 + [OTHER_WRONG] + [SOLVED]))
    (verdict,) = check(data, [trial()], varies="wrong_observation")
    assert verdict.observed == f"observation 3: {share(3, 4)}; observation 2: {share(1, 4)}"
    assert verdict.holds


@pytest.mark.parametrize(
    ("varies", "value"), [("outcome", "stuck"), ("pattern", "0 1 0 0"), ("wrong_observation", "observation 3")]
)
def test_what_is_the_same_for_all_seeds_does_not_vary(trial, ended, table, varies, value):
    """Twenty seeds with one value are no variety."""
    (verdict,) = check(table(ended(trial(), [ONE_WRONG] * 20)), [trial()], varies=varies)
    assert (verdict.observed, verdict.holds) == (f"{value}: {share(20, 20)}", False)


def test_nothing_varies_without_a_training(trial, ended, table):
    """Where no training has a value there is none that could differ."""
    (verdict,) = check(table(ended(trial(), [SOLVED] * 3)), [trial()], varies="wrong_observation")
    assert (verdict.observed, verdict.holds) == (NO_DATA, False)


# ------------------------------------------------------------------ comparisons


@pytest.fixture(scope="session")
def sides(trial):
    """Return two trials to be compared."""
    return trial(hidden=2), trial(hidden=8)


def errors(*wanted):
    """Return predictions of XOR that have these errors in every observation."""
    return [[error, 1 - error, 1 - error, error] for error in wanted]


def compared(data, sides, **claim):
    (verdict,) = check(data, sides[:1], sides[1:], than={}, **{"measure": "final_mse", "is": "above"} | claim)
    return verdict


def test_what_is_higher_on_most_seeds_is_above(sides, ended, table):
    """Thirty of forty seeds are most of them; the other way round they are not."""
    data = table(ended(sides[0], errors(*[0.4] * 30, *[0.2] * 10)), ended(sides[1], errors(*[0.3] * 40)))
    above, below = (compared(data, sides, **{"is": which}) for which in ("above", "below"))
    assert above.expected == "above for most seeds (> 50%)"
    assert above.observed == f"{share(30, 40)} seeds; medians 0.16 and 0.09"
    assert (above.holds, below.holds) == (True, False)
    assert below.observed.startswith(share(10, 40))


def test_a_small_majority_is_not_surely_one(sides, ended, table):
    """Twenty-two of forty seeds could be chance."""
    data = table(ended(sides[0], errors(*[0.4] * 22, *[0.2] * 18)), ended(sides[1], errors(*[0.3] * 40)))
    assert not compared(data, sides).holds


def test_ties_count_half(sides, ended, table):
    """Twenty seeds won and twenty tied are thirty of forty, in either direction's favour."""
    data = table(ended(sides[0], errors(*[0.4] * 20, *[0.3] * 20)), ended(sides[1], errors(*[0.3] * 40)))
    assert compared(data, sides).observed.startswith(share(30, 40))
    assert compared(data, sides, **{"is": "below"}).observed.startswith(share(10, 40))


def test_what_is_equal_is_neither_above_nor_below(sides, ended, table):
    """A selection that is compared with its like is half above it."""
    data = table(*(ended(one, errors(*[0.3] * 40)) for one in sides))
    assert [compared(data, sides, **{"is": which}).holds for which in ("above", "below")] == [False, False]


def test_comparisons_are_seed_by_seed(sides, ended, table):
    """A small difference on every seed shows, however much the seeds differ among themselves."""
    spread = np.linspace(0.01, 0.4, 20)
    data = table(ended(sides[0], errors(*spread + 0.001)), ended(sides[1], errors(*spread)))
    assert compared(data, sides).observed.startswith(share(20, 20))


def test_only_seeds_that_both_have_are_compared(sides, ended, table):
    """A seed of one side alone is in no pair."""
    data = table(ended(sides[0], errors(*[0.4] * 10)), ended(sides[1], errors(*[0.3] * 10), seeds=range(4, 14)))
    assert compared(data, sides).observed.startswith(share(6, 6))


def test_several_trials_of_a_side_are_their_median_for_each_seed(trial, ended, table):
    """A selection of three trials counts every seed once."""
    first = [trial(hidden=size) for size in (2, 3, 4)]
    other = trial(hidden=8)
    records = [ended(one, errors(*[error] * 10)) for one, error in zip(first, (0.1, 0.3, 0.5), strict=True)]
    data = table(*records, ended(other, errors(*[0.2] * 10)))
    (verdict,) = check(data, first, [other], than={}, measure="final_mse", **{"is": "above"})
    assert verdict.observed == f"{share(10, 10)} seeds; medians 0.09 and 0.04"


@pytest.mark.parametrize("name", ["final_mse", "final_loss", "max_abs_error", "halfway_at", "solved_at"])
def test_diverged_trainings_are_the_worst_of_a_comparison(sides, ended, table, name):
    """A side that blows up on most seeds and is good on the others is worse, not better."""
    falling = np.linspace(0.5, 0.05, 10)
    broken = ended(
        sides[0],
        [DIVERGED] * 30 + errors(*[0.01] * 10),
        loss=[[0.5, *[NAN] * 9]] * 30 + [falling] * 10,
        solved_at=[NEVER] * 30 + [3] * 10,
    )
    steady = ended(sides[1], errors(*[0.05] * 40), loss=[falling] * 40, solved_at=50)
    data = table(broken, steady)
    above, below = (compared(data, sides, measure=name, **{"is": which}) for which in ("above", "below"))
    assert "of 40" in above.observed
    assert (above.holds, below.holds) == (True, False)


def test_two_sides_that_both_diverge_are_tied(sides, ended, table):
    """Nothing is worse than the worst."""
    data = table(*(ended(one, [DIVERGED] * 40) for one in sides))
    assert compared(data, sides).observed.startswith(share(20, 40))


def test_what_never_happened_took_longest(sides, ended, table):
    """A seed that never solves is above any that does."""
    data = table(ended(sides[0], [STUCK] * 20, solved_at=NEVER), ended(sides[1], [SOLVED] * 20, solved_at=99))
    verdict = compared(data, sides, measure="solved_at")
    assert verdict.observed == f"{share(20, 20)} seeds; medians inf and 99"
    assert verdict.holds


def test_failed_trainings_are_the_worst_of_a_comparison(sides, ended, table):
    """A crash is not a way to win."""
    data = table(failed(sides[0], range(20)), ended(sides[1], errors(*[0.4] * 20)))
    assert [compared(data, sides, **{"is": which}).holds for which in ("above", "below")] == [True, False]


@pytest.mark.parametrize("name", ["final_mse", "solved_at", "iteration_us", "wrong"])
def test_trainings_that_were_refused_are_not_compared(sides, ended, table, name):
    """A side that no backend trained is neither better nor worse."""
    data = table(refused(sides[0], range(20)), ended(sides[1], [STUCK] * 20))
    verdict = compared(data, sides, measure=name)
    assert (verdict.observed, verdict.holds) == (NO_DATA, False)


def test_times_can_be_compared(sides, ended, table):
    """Which of two is faster is a comparison like any other."""
    data = table(ended(sides[0], [STUCK] * 20, us=3, alone=True), ended(sides[1], [STUCK] * 20, us=2000, alone=True))
    verdict = compared(data, sides, measure="iteration_us", **{"is": "below"})
    assert verdict.observed == f"{share(20, 20)} seeds; medians 3 and 2,000"
    assert verdict.holds


def test_how_many_are_wrong_can_be_compared(sides, ended, table):
    """What is derived from the predictions is a measure too."""
    data = table(ended(sides[0], [ONE_WRONG] * 20), ended(sides[1], [SOLVED] * 20))
    assert compared(data, sides, measure="wrong").holds


def test_half_of_the_fall_is_measured_on_each_curve(trial, ended, table):
    """Three curves that fall early, late and never."""
    loss = [[1, 0.1, *[0.1] * 8], [*[1] * 8, 0.1, 0.1], [0.25] * 10]
    data = table(ended(trial(), errors(0.1, 0.1, 0.5), loss=loss))
    assert measure(data, "halfway_at").tolist() == [10, 80, np.inf]


# ------------------------------------------------------------------ all of them


@pytest.mark.parametrize(
    "claim",
    [
        {"event": {"solved": True}, "never": True},
        {"varies": "pattern"},
        {"seed": 3, "of": "final_mse", "below": 0.1},
        {"seed": 3, "of": "final_loss", "printed": ["1"]},
        {"than": {}, "measure": "halfway_at", "is": "below"},
        {"than": {}, "measure": "wrong", "is": "below"},
    ],
)
def test_no_claim_holds_without_trainings(trial, table, claim):
    """A sweep that was interrupted at once has shown nothing, and its claims can be checked."""
    (verdict,) = check(table(), [trial()], [trial()], **claim)
    assert (verdict.observed, verdict.holds) == (NO_DATA, False)


def test_claims_are_checked_in_the_order_in_which_they_are_made(trial, ended, table):
    """The table of verdicts is the file's."""
    words = {"source": "s", "what": "w", "where": {}, "event": {"solved": True}, "never": True}
    claims = [PlannedClaim(CLAIM.validate_python(words | {"id": name}), (trial().trial_id,)) for name in "bca"]
    data = table(ended(trial(), [STUCK] * 3))
    assert [verdict.id for verdict in check_claims(claims, data)] == ["b", "c", "a"]


def test_the_order_of_the_trainings_never_matters(sides, ended, table):
    """Verdicts are the same however the rows arrive."""
    data = table(ended(sides[0], errors(*np.linspace(0, 0.5, 30))), ended(sides[1], errors(*np.linspace(0.5, 0.1, 30))))
    shuffled = data.sample(frac=1, random_state=1)
    claims = [
        {"event": {"correct": True}, "above": 0.1},
        {"varies": "pattern"},
        {"seed": 3, "of": "final_mse", "below": 0.1},
        {"than": {}, "measure": "final_mse", "is": "below"},
    ]
    for claim in claims:
        assert check(shuffled, sides[:1], sides[1:], **claim) == check(data, sides[:1], sides[1:], **claim)


def test_verdicts_are_plain_rows(trial, ended, table):
    """A verdict can be written as JSON."""
    verdicts = check(table(ended(trial(), [STUCK])), [trial()], seed=0, of="final_mse", below=1)
    assert verdict_rows(verdicts) == [
        {"id": "a", "source": "s", "what": "w", "expected": "< 1", "observed": "0.25", "holds": True}
    ]

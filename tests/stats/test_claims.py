import tomllib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from bench.config.claims import CLAIM
from bench.config.plan import PlannedClaim
from bench.metrics import columns as c
from bench.stats.claims import HOLDS, NO_DATA, REFUTED, UNDECIDED, check_claims, verdict_rows

PRINTED = tomllib.loads((Path(__file__).parents[2] / "experiments" / "printed.toml").read_text(encoding="utf-8"))
NOTATIONS = sorted(
    {(text, claim.get("format")) for claim in PRINTED["claim"] for text in claim.get("printed", [])}, key=str
)

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
NAN = np.nan


# ------------------------------------------------------------------ printed numbers


@pytest.mark.untraced
@pytest.mark.parametrize(("text", "given"), NOTATIONS)
def test_a_number_is_held_to_every_printed_digit(trial, ended, table, text, given, check):
    """Whatever the notation, 0.4 units of the last digit make no difference and 0.6 do."""
    digits = Decimal(text) if given is None else Decimal(f"{float(text):.1e}")
    unit = Decimal(1).scaleb(digits.as_tuple().exponent)
    base = table(ended(trial(), [STUCK]))
    for shift, holds in ((0, True), (0.4, True), (0.6, False)):
        data = base.assign(**{c.FINAL_LOSS: float(digits + Decimal(str(shift)) * unit.copy_sign(digits))})
        (verdict,) = check(data, [trial()], seed=0, of="final_loss", printed=[text], format=given)
        assert (verdict.expected, verdict.verdict) == (text, HOLDS if holds else REFUTED), (shift, verdict.observed)
        assert (verdict.observed == text) is holds


@pytest.mark.parametrize(
    ("value", "observed"), [(1.04, "1"), (0.9951, "1"), (0.99, "0.99"), (1.06, "1.1"), (0.07, "0.07"), (100.0, "1e+02")]
)
def test_a_format_writes_what_the_text_does_not_show(trial, ended, table, value, observed, check):
    """The walkthrough prints its final errors with two significant digits, and no zeros at the end."""
    data = table(ended(trial(), [STUCK])).assign(**{c.FINAL_LOSS: value})
    (verdict,) = check(data, [trial()], seed=0, of="final_loss", printed=["1"], format=".2g")
    assert (verdict.observed, verdict.holds) == (observed, observed == "1")


def test_the_loss_is_looked_up_at_its_iteration(trial, ended, table, check):
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
def test_the_numbers_of_a_list_are_counted_from_one(trial, ended, table, of, printed, check):
    """Predictions, target minus prediction, and weights are named as a table's rows are."""
    one = trial(hidden=0, output_bias=False)
    data = table(ended(one, [[0.25, 0.75, 1.0, 0.0]], weights=[0.5, -2.0]))
    verdicts = check(data, [one], seed=0, of=of, printed=printed)
    assert [v.id for v in verdicts] == [f"a-{place}" for place in range(1, len(printed) + 1)]
    assert all(v.holds for v in verdicts)


def test_initial_weights_are_those_that_the_seed_starts_from(trial, trained, table, check):
    """NumPy's first numbers of seed 1, which the walkthrough prints."""
    one = trial(hidden=0, init="uniform")
    verdicts = check(
        table(trained(one, [1])), [one], seed=1, of="initial_weights", printed=["0.417022", "7.20324493e-01"]
    )
    assert [v.holds for v in verdicts] == [True, True]


def test_places_of_a_list_can_be_given_in_any_order(trial, ended, table, check):
    """A text may print a matrix the other way round; the numbers keep their places."""
    data = table(ended(trial(), [[0.1, 0.2, 0.3, 0.4]]))
    verdicts = check(data, [trial()], seed=0, of="predictions", at=[3, 0], printed=["0.4", "0.1"])
    assert [(v.id, v.holds) for v in verdicts] == [("a-4", True), ("a-1", True)]


def test_a_single_printed_number_keeps_the_claims_own_id(trial, ended, table, check):
    """There is nothing to count where there is one number."""
    (verdict,) = check(table(ended(trial(), [STUCK])), [trial()], seed=0, of="final_loss", printed=["0.25"])
    assert (verdict.id, verdict.source, verdict.what, verdict.holds) == ("a", "s", "w", True)


def test_braces_in_a_sentence_stay_as_they_are(trial, ended, table, check):
    """A sentence may speak of sets and places."""
    what = "{0, 1} and {x} at {at}"
    (verdict,) = check(
        table(ended(trial(), [STUCK])), [trial()], seed=0, of="predictions", at=[2], printed=["0.5"], what=what
    )
    assert verdict.what == "{0, 1} and {x} at 3"


@pytest.mark.parametrize("of", ["loss", "predictions", "errors", "weights", "initial_weights", "final_loss"])
def test_a_printed_number_of_a_training_that_is_not_there_does_not_hold(trial, ended, table, of, check, failed):
    """Of a seed that was not trained nothing is known; one that failed did not give the number."""
    one = trial()
    data = table(ended(one, [STUCK]), failed(one, [1]))
    missing, crashed = (check(data, [one], seed=seed, of=of, at=[0], printed=["0.5"])[0] for seed in (2, 1))
    assert (missing.observed, missing.verdict) == (NO_DATA, UNDECIDED)
    assert (crashed.observed, crashed.holds) == ("nan", False)


@pytest.mark.parametrize("of", ["loss", "weights", "initial_weights"])
def test_a_number_of_a_list_that_was_not_kept_does_not_hold(trial, ended, table, of, check):
    """Beyond the first seeds of a trial its lists are left out."""
    data = table(ended(trial(), [STUCK]), lists_to=-1)
    (verdict,) = check(data, [trial()], seed=0, of=of, at=[0], printed=["0.25"])
    assert (verdict.observed, verdict.holds) == ("nan", False)


@pytest.mark.parametrize(("of", "at"), [("loss", 5), ("loss", 100), ("predictions", 4), ("errors", 4)])
def test_a_number_at_a_place_that_is_not_there_does_not_hold(trial, ended, table, of, at, check):
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
def test_a_number_is_below_or_above_its_bound(trial, ended, table, bound, expected, holds, check):
    """A bound itself is neither below nor above it."""
    (verdict,) = check(table(ended(trial(), [STUCK])), [trial()], seed=0, of="final_mse", **bound)
    assert (verdict.expected, verdict.observed) == (expected, "0.25")
    assert verdict.verdict == (HOLDS if holds else REFUTED)


def test_a_bound_is_on_the_training_of_its_seed(trial, ended, table, check):
    """Other seeds of the trial do not matter."""
    data = table(ended(trial(), [STUCK, SOLVED]))
    assert [check(data, [trial()], seed=seed, of="wrong", below=1)[0].holds for seed in (0, 1)] == [False, True]


@pytest.mark.parametrize("bound", [{"below": 1}, {"above": 1}])
def test_a_bound_on_a_training_that_is_not_there_is_undecided(trial, ended, table, bound, check):
    """Nothing is below a bound that nobody measured, and nothing above it."""
    (verdict,) = check(table(ended(trial(), [STUCK])), [trial()], seed=5, of="final_mse", **bound)
    assert (verdict.observed, verdict.verdict) == (NO_DATA, UNDECIDED)


@pytest.mark.untraced
@pytest.mark.parametrize("made_up", ["failed", "refused"])
@pytest.mark.parametrize("of", ["final_mse", "solved_at", "iteration_us", "halfway_at", "wrong"])
@pytest.mark.parametrize("bound", [{"above": 0}, {"below": 1e300}])
def test_a_training_that_gave_no_number_is_beyond_no_bound(request, trial, table, check, made_up, of, bound):
    """A crash does not make a claim true."""
    data = table(request.getfixturevalue(made_up)(trial(), [0]))
    (verdict,) = check(data, [trial()], seed=0, of=of, **bound)
    assert (verdict.observed, verdict.verdict) == (NO_DATA, UNDECIDED)


@pytest.mark.parametrize("of", ["final_mse", "final_loss", "max_abs_error", "solved_at", "correct_at", "halfway_at"])
def test_a_diverged_training_is_below_no_bound(trial, ended, table, of, check):
    """What blew up is worse than any number."""
    data = table(ended(trial(), [DIVERGED], loss=[[0.3, *[NAN] * 9]]))
    assert check(data, [trial()], seed=0, of=of, below=1e300)[0].verdict == REFUTED


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
        {"than": {}, "event": {"solved": True}, "within": 0.05},
    ],
)
def test_no_claim_is_decided_without_trainings(trial, table, claim, check):
    """A sweep that was interrupted at once has shown nothing, neither that a claim is true nor that it is false."""
    (verdict,) = check(table(), [trial()], [trial()], **claim)
    assert (verdict.observed, verdict.verdict, verdict.seeds) == (NO_DATA, UNDECIDED, None)


def test_claims_are_checked_in_the_order_in_which_they_are_made(trial, ended, table):
    """The table of verdicts is the file's."""
    words = {"source": "s", "what": "w", "where": {}, "event": {"solved": True}, "never": True}
    claims = [PlannedClaim(CLAIM.validate_python(words | {"id": name}), (trial().trial_id,)) for name in "bca"]
    data = table(ended(trial(), [STUCK] * 3))
    assert [verdict.id for verdict in check_claims(claims, data)] == ["b", "c", "a"]


def test_verdicts_are_plain_rows(trial, ended, table, check):
    """A verdict can be written as JSON."""
    verdicts = check(table(ended(trial(), [STUCK])), [trial()], seed=0, of="final_mse", below=1)
    row = {"id": "a", "source": "s", "what": "w", "expected": "< 1", "observed": "0.25", "verdict": "holds"}
    rest = {"seeds": None, "difference": "", "recalled": False, "why": "", "numbers": None, "basis": ""}
    assert verdict_rows(verdicts) == [row | rest | {"holds": True}]


@pytest.mark.parametrize(
    ("dtype", "off", "holds"),
    [("float64", 0.4, True), ("float64", 0.6, False), ("float32", 10, True), ("float32", 11, False)],
)
def test_a_number_is_held_to_the_digits_that_its_precision_carries(trial, ended, table, dtype, off, holds, check):
    """Where that is asked: in float32 a hundred-thousandth of the number beside half a unit of the last digit."""
    one = trial(dtype=dtype)
    data = table(ended(one, [STUCK])).assign(**{c.FINAL_LOSS: 1.0 + off * 1e-6})
    (verdict,) = check(data, [one], seed=0, of="final_loss", printed=["1.000000"], format=None, carried=True)
    assert verdict.holds is holds
    assert verdict.expected == ("1.000000" if dtype == "float64" else "1.000000 ± 1e-05")

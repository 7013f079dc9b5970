"""Agreement of backends, on trainings that were made to agree or not."""

import numpy as np
import pandas as pd
import pytest

from bench.backends import load
from bench.metrics import columns as c
from bench.model.outcome import Batch, Record
from bench.stats.agreement import (
    AGREES,
    BEYOND,
    COMPARED,
    DIFFERENCE,
    DISAGREEING,
    FINITE,
    ONE,
    OTHER,
    PARTED_AT,
    SAME,
    TOLERANCE,
    TRIALS,
    agreement_of,
    agreements,
    pair_summary,
)

BOTH = ("numpy", "torch")
SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4


@pytest.fixture(scope="session")
def compared(trial, ended, table):
    """Compare made-up trainings of numpy and torch; ``loss`` and the rest go to either side or to both."""

    def row(one, other, *, dtype="float32", sides=({}, {}), **both):
        records = [
            ended(trial(backend=name, dtype=dtype), predictions, **both, **own)
            for name, predictions, own in zip(("numpy", "torch"), (one, other), sides, strict=True)
        ]
        (found,) = agreements(table(*records)).to_dict("records")
        return found

    return row


def parting(at, size=1):
    """Losses that differ by 0.1 from a recorded iteration on; what numpy has is a quarter throughout."""
    loss = np.full((size, 10), 0.25)
    loss[:, at:] += 0.1
    return {"loss": 0.25}, {"loss": loss}


def off_by(difference, size=1):
    return [[0.5, 0.5, 0.5 + difference, 0.5]] * size


@pytest.mark.untraced
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("share", "agrees"), [(0.0, True), (0.9, True), (1.1, False), (1000, False)])
def test_backends_agree_up_to_the_tolerance_of_their_dtype(compared, dtype, share, agrees):
    """The largest difference of any prediction decides, and is shown."""
    difference = share * TOLERANCE[dtype]
    row = compared([STUCK], off_by(difference), dtype=dtype)
    assert row[DIFFERENCE] == pytest.approx(difference, rel=1e-6)
    assert bool(row[AGREES]) is agrees


@pytest.mark.parametrize(("size", "far", "agrees"), [(99, 1, False), (100, 1, True), (100, 2, False), (200, 2, True)])
def test_one_training_in_a_hundred_may_end_on_an_edge(compared, size, far, agrees):
    """Its difference is shown all the same, and how many there are."""
    row = compared([STUCK] * size, off_by(0.4, far) + [STUCK] * (size - far), sides=parting(8, size))
    assert (row[COMPARED], row[BEYOND], bool(row[AGREES])) == (size, far, agrees)
    assert row[DIFFERENCE] == pytest.approx(0.4)


@pytest.mark.parametrize(("at", "agrees"), [(2, True), (1, False), (0, False)])
def test_a_training_that_parted_early_is_not_excused(compared, at, agrees):
    """Rounding grows late; who parts within the first tenth, its end included, calculates something else."""
    row = compared([STUCK] * 100, [*off_by(0.4), *[STUCK] * 99], sides=parting(at, 100))
    assert bool(row[AGREES]) is agrees


def test_without_a_curve_nothing_is_excused(trial, ended, table):
    """Nobody knows when it parted; nor with a single point, which is the start."""
    ends = ([STUCK] * 100, [*[STUCK] * 99, *off_by(0.4)])
    one, other = (ended(trial(backend=name), some, loss=0.25) for name, some in zip(BOTH, ends, strict=True))
    assert agreements(table(one, other))[AGREES].all()
    assert not agreements(table(one, other, lists_to=98))[AGREES].any()
    single = [trial(backend=name, curve_points=1) for name in BOTH]
    records = (ended(one, some, loss=0.25) for one, some in zip(single, ends, strict=True))
    assert not agreements(table(*records))[AGREES].any()


def test_trainings_that_all_diverged_are_not_compared(trial, ended, table):
    """There is no number that could differ; a pair of which some trial could be compared is judged by that."""
    lost = [ended(trial(backend=name), [DIVERGED] * 3) for name in BOTH]
    (row,) = agreements(table(*lost)).to_dict("records")
    assert (row[COMPARED], row[FINITE]) == (3, 0)
    assert pd.isna(row[AGREES])
    assert pair_summary(agreements(table(*lost)))[AGREES].isna().all()
    assert agreement_of(agreements(table(*lost)), *(record.trial.trial_id for record in lost)) is None
    found = [ended(trial(backend=name, hidden=4), [STUCK]) for name in BOTH]
    assert pair_summary(agreements(table(*lost, *found)))[AGREES].all()


def test_trainings_that_all_diverged_excuse_no_other(compared):
    """One in a hundred is one of those that can be compared."""
    one, other = [[DIVERGED] * 99 + end for end in ([STUCK], off_by(0.4))]
    assert not compared(one, other, sides=parting(8, 100))[AGREES]


def test_one_trial_that_disagrees_is_not_hidden_by_others(trial, ended, table):
    """Whatever share of all trainings it is: it has a row of its own, and is named in that of the pair."""
    records = [
        ended(trial(backend=name, activation=activation), off_by(shift, size))
        for name, wrong in (("numpy", 0.0), ("torch", 0.1))
        for activation, shift, size in (("sigmoid", 0.0, 300), ("relu", wrong, 2))
    ]
    found = agreements(table(*records))
    assert found[AGREES].tolist() == [True, False]
    (row,) = pair_summary(found).to_dict("records")
    assert (row[COMPARED], row[BEYOND], bool(row[AGREES])) == (302, 2, False)
    assert (row[TRIALS], row[SAME]) == (2, 1)
    assert row[DISAGREEING] == [trial(backend="numpy", activation="relu").trial_id]


def test_trainings_that_both_diverged_are_equal(compared):
    """There is no number to compare, and the same became of them."""
    row = compared([DIVERGED, STUCK], [DIVERGED, STUCK])
    assert (row[DIFFERENCE], bool(row[AGREES]), row[SAME]) == (0, True, 1)


def test_a_training_that_diverged_on_one_side_only_is_infinitely_different(compared):
    """And has another outcome."""
    row = compared([DIVERGED, STUCK], [STUCK, STUCK])
    assert (row[DIFFERENCE], bool(row[AGREES]), row[SAME]) == (np.inf, False, 0.5)


def test_the_share_with_the_same_outcome_is_of_the_compared(compared):
    """Three of four became the same."""
    assert compared([SOLVED, SOLVED, STUCK, STUCK], [SOLVED, STUCK, STUCK, STUCK])[SAME] == 0.75


def test_losses_part_at_the_first_recorded_iteration_where_any_differ(compared):
    """By more than a millionth; two curves that part at 40 and at 70 part at 40."""
    one = np.full((2, 10), 0.25)
    other = one.copy()
    other[0, 7:] += 2e-6
    other[1, 4:] -= 2e-6
    other[1, 2] += 0.5e-6
    row = compared([STUCK] * 2, [STUCK] * 2, sides=({"loss": one}, {"loss": other}))
    assert row[PARTED_AT] == 40


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_losses_that_are_no_numbers_on_both_sides_do_not_part(compared, value):
    """On one side only they do."""
    loss = np.array([[0.25] * 5 + [value] * 5])
    sides = ({"loss": loss}, {"loss": loss})
    assert pd.isna(compared([DIVERGED], [DIVERGED], sides=sides)[PARTED_AT])
    assert compared([DIVERGED], [STUCK], sides=({"loss": loss}, {"loss": 0.25}))[PARTED_AT] == 50


def test_what_a_training_that_stopped_did_not_do_is_not_compared(compared):
    """It stopped at iteration 35; its curve has nothing from there on."""
    short = np.array([[0.25] * 4 + [np.nan] * 6])
    sides = ({"loss": short, "iterations": 35}, {"loss": 0.25, "iterations": 100})
    assert pd.isna(compared([SOLVED], [SOLVED], sides=sides)[PARTED_AT])


def test_only_seeds_of_both_sides_are_compared(trial, ended, failed, refused, table):
    """Whatever failed or was refused on one side has nothing to compare."""
    one, other = trial(backend="numpy"), trial(backend="torch")
    data = table(
        ended(one, [STUCK] * 4, seeds=[0, 1, 2, 3]), ended(other, [STUCK] * 2, seeds=[2, 5]), failed(other, [1]),
        refused(other, [3]),
    )  # fmt: skip
    (row,) = agreements(data).to_dict("records")
    assert row[COMPARED] == 1


def test_trials_that_differ_in_anything_else_are_not_compared(trial, ended, table):
    """Another learning rate, or another dtype, is another training."""
    records = [
        ended(trial(backend="numpy"), [STUCK]),
        ended(trial(backend="torch", learning_rate=0.5), [SOLVED]),
        ended(trial(backend="torch", dtype="float64"), [SOLVED]),
    ]
    assert agreements(table(*records)).empty
    assert agreements(table(records[0])).empty
    assert agreements(table()).empty


def test_every_pair_has_a_row_for_each_dtype(trial, ended, table):
    """Three sides are three pairs; a summation that is not the usual one is a side of its own."""
    sides = ({"backend": "numpy"}, {"backend": "torch"}, {"backend": "torch", "summation": "fma"})
    records = [ended(trial(dtype=dtype, **side), [STUCK]) for dtype in TOLERANCE for side in reversed(sides)]
    found = agreements(table(*records))
    pairs = {("numpy", "torch"), ("numpy", "torch fma"), ("torch", "torch fma")}
    assert set(zip(found[ONE], found[OTHER], found[c.DTYPE], strict=True)) == {
        (*pair, dtype) for pair in pairs for dtype in TOLERANCE
    }


def test_the_agreement_of_two_sides_is_found_either_way_round(trial, ended, table):
    """And is none where nothing was compared."""
    trials = [trial(backend=name) for name in BOTH]
    found = agreements(table(*(ended(one, [STUCK]) for one in trials)))
    one, other = (agreement_of(found, *(side.trial_id for side in some)) for some in (trials, trials[::-1]))
    assert one is not None
    assert (one[ONE], one[COMPARED]) == (other[ONE], other[COMPARED]) == ("numpy", 1)
    assert agreement_of(found, trials[0].trial_id, trial(backend="torch", hidden=8).trial_id) is None


def test_numpy_and_torch_really_agree(trial, table):
    """From the same initial weights, to rounding."""
    trials = [trial(backend=name, learning_rate=1.0, dtype="float64") for name in ("numpy", "torch")]
    records = [Record(one, (0, 1), outcome=load(one.backend).train(Batch.of(one, (0, 1)))) for one in trials]
    (row,) = agreements(table(*records)).to_dict("records")
    assert row[AGREES]
    assert row[DIFFERENCE] < 1e-12
    assert pd.isna(row[PARTED_AT])

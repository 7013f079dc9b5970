import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.backends.torch_batched import TorchBatched
from bench.metrics import columns as c
from bench.model.outcome import Batch, Record, Result
from bench.stats.attractors import (
    CENTRE,
    ELSEWHERE,
    OF,
    OF_UNSOLVED,
    SHARE,
    TRIALS,
    UNDECIDED,
    WHICH,
    attractor_names,
    attractors,
    name_centre,
)
from bench.stats.final_patterns import PATTERN, WRONG
from bench.stats.proportions import COUNT, HIGH, LOW, clustered_interval, exact_interval

SOLVED, DIVERGED = [0, 1, 1, 0], [np.nan] * 4
PLATEAU, SIXTH, ONE_WRONG = [0.5] * 4, [1 / 3, 1, 1 / 3, 1 / 3], [0, 1, 0, 0]
UNSOLVED = st.lists(st.lists(st.sampled_from([0.0, 0.3, 0.31, 1 / 3, 0.5, 0.52, 1.0]), min_size=4, max_size=4))


def counts(data):
    """Return how many trainings of a frame each attractor has."""
    return attractor_names(data).value_counts().to_dict()


def around(centre, size, width=0.004):
    """Return predictions ``[size, 4]`` that lie closely around a centre, within [0, 1]."""
    return np.clip(np.asarray(centre) + np.random.default_rng(size).uniform(-width, width, (size, 4)), 0, 1).tolist()


def slow(data, which):
    """Return the trainings with some of them still moving."""
    return data.assign(**{c.OUTCOME: data[c.OUTCOME].where(~which, str(Result.SLOW))})


# ------------------------------------------------------------------ clusters


def test_trainings_that_end_close_to_each_other_are_an_attractor(trial, ended, table):
    """Three gatherings, and three trainings that are alone: known by how they were made."""
    made = {"½ ½ ½ ½": (PLATEAU, 60), "⅓ 1 ⅓ ⅓": (SIXTH, 20), "0 1 0 0": (ONE_WRONG, 9)}
    lone = [[0.2, 0.3, 0.9, 0.8], [0.7, 0.2, 0.1, 0.4], [0.9, 0.9, 0.1, 0.9]]
    predictions = [row for centre, size in made.values() for row in around(centre, size)] + lone + [SOLVED]
    data = table(ended(trial(), predictions))
    assert counts(data) == {name: size for name, (_, size) in made.items()} | {ELSEWHERE: 3}
    assert attractor_names(data).isna().tolist() == [False] * 92 + [True]


@pytest.mark.untraced
def test_the_hidden_layers_page_ends_in_an_attractor_at_a_sixth(trial, table):
    """XOR with four ReLU neurons: one observation right, three at ⅓, at a loss of 1/6, as the page prints it."""
    one, seeds = trial(hidden=4, activation="relu", learning_rate=0.1, iterations=10_000), range(200)
    found = attractors(table(Record(one, tuple(seeds), outcome=TorchBatched().train(Batch.of(one, seeds)))))
    for name, which in (("⅓ 1 ⅓ ⅓", (3,)), ("⅓ ⅓ 1 ⅓", (2,))):
        (row,) = found[found[PATTERN] == name].to_dict("records")
        assert row[COUNT] >= 5
        assert row[c.FINAL_MSE] == pytest.approx(1 / 6, abs=1e-3)
        assert np.sort(row[CENTRE]) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1], abs=0.03)
        assert (row[WRONG], row[WHICH], row[UNDECIDED]) == (1, which, 0)


def test_what_still_moves_makes_no_attractor(trial, ended, table):
    """Slow trainings that pass the same place are elsewhere."""
    data = table(ended(trial(), [PLATEAU] * 50))
    assert counts(slow(data, data[c.SEED] >= 0)) == {ELSEWHERE: 50}


def test_what_moves_slowly_within_an_attractor_belongs_to_it(trial, ended, table):
    """A slow training that has come to where others are stuck is one of them; one on its way is not."""
    data = table(ended(trial(), [PLATEAU] * 50 + [[0.51] * 4, [0.6] * 4]))
    assert counts(slow(data, data[c.SEED] >= 50)) == {"½ ½ ½ ½": 51, ELSEWHERE: 1}


def test_a_trail_of_few_trainings_joins_no_attractors(trial, ended, table):
    """Twenty that are scattered between two gatherings of a thousand leave them apart."""
    trail = [[x] * 4 for x in np.linspace(0.34, 0.49, 20)]
    found = counts(table(ended(trial(), [[1 / 3] * 4] * 1000 + [PLATEAU] * 1000 + trail)))
    assert set(found) == {"⅓ ⅓ ⅓ ⅓", "½ ½ ½ ½", ELSEWHERE}
    assert found[ELSEWHERE] > 5


@pytest.mark.parametrize(("size", "found"), [(4, ELSEWHERE), (5, "0 1 0 0")])
def test_an_attractor_has_at_least_five_trainings(trial, ended, table, size, found):
    """Fewer could have met by chance."""
    assert counts(table(ended(trial(), [ONE_WRONG] * size))) == {found: size}


def test_attractors_are_sought_over_all_trials_of_a_gate(trial, ended, table):
    """Two trials with three trainings each at one place have an attractor of six; another gate has its own."""
    data = table(
        ended(trial(hidden=2), [PLATEAU] * 3), ended(trial(hidden=3), [PLATEAU] * 3),
        ended(trial(gate="or"), [PLATEAU] * 3), ended(trial(gate="parity3"), [[0.5] * 8] * 6),
    )  # fmt: skip
    found = attractors(data).set_index([c.GATE, PATTERN])
    assert found[COUNT].to_dict() == {
        ("or", ELSEWHERE): 3,
        ("parity3", "½ ½ ½ ½ ½ ½ ½ ½"): 6,
        ("xor", "½ ½ ½ ½"): 6,
    }
    assert found[TRIALS].tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("centre", "name"),
    [
        ([0.02, 0.98, 0.1, 0.9], "0 1 0 1"),
        ([0.319, 0.519, 0.661, 0.235], "⅓ ½ ⅔ ¼"),
        ([0.58, 0.42, 0.11, 0.285], "0.58 0.42 0.11 0.28"),
    ],
)
def test_a_centre_is_named_by_fractions_or_two_digits(centre, name):
    """Nothing that has no short name is a dot: two attractors would become one."""
    assert name_centre(np.array(centre)) == name


# ------------------------------------------------------------------ tables


def test_a_row_says_how_many_of_the_begun_end_there(trial, ended, table, failed, refused):
    """Refused trainings were never begun; failed, diverged and solved ones were."""
    one = trial()
    data = table(
        ended(one, [ONE_WRONG] * 6 + [SOLVED] * 2 + [DIVERGED]), failed(one, [20]), refused(one, range(30, 33))
    )
    (row,) = attractors(data).to_dict("records")
    low, high = exact_interval(6, 10)
    assert [row[name] for name in (c.GATE, COUNT, OF, SHARE, LOW, HIGH)] == ["xor", 6, 10, 0.6, low, high]
    assert [row[name] for name in (c.FINAL_MSE, WRONG, WHICH, UNDECIDED)] == [0.25, 1, (3,), 0]
    assert [row[name] for name in (OF_UNSOLVED, TRIALS)] == [1.0, 1]


def test_trials_that_all_end_alike_know_an_attractors_share_no_better(trial, ended, table, refused):
    """Ten trials of twenty seeds, eight of which end there in each: as wide as of twenty, not of two hundred."""
    trials = [trial(hidden=hidden) for hidden in range(1, 11)]
    other = ended(trial(gate="or"), [PLATEAU] * 9)
    data = table(
        *(ended(one, [ONE_WRONG] * 8 + [SOLVED] * 12) for one in trials), other, refused(trials[0], range(90, 99))
    )
    found = attractors(data).set_index([c.GATE, PATTERN])
    row, alone = found.loc[("xor", "0 1 0 0")], found.loc[("or", "½ ½ ½ ½")]
    assert (row[LOW], row[HIGH]) == pytest.approx(clustered_interval([80] * 8 + [0] * 12, [80] * 20))
    assert row[HIGH] - row[LOW] > 0.35
    assert (alone[LOW], alone[HIGH]) == exact_interval(9, 9)


def test_the_attractors_of_one_trial_have_the_exact_interval(trial, ended, table):
    """Its trainings share nothing."""
    (row,) = attractors(table(ended(trial(), [ONE_WRONG] * 8 + [SOLVED] * 12))).to_dict("records")
    assert (row[LOW], row[HIGH]) == exact_interval(8, 20)


def test_an_observation_at_one_half_is_on_no_side(trial, ended, table):
    """Of a plateau no observation is wrong, and none is right: all are undecided."""
    (row,) = attractors(table(ended(trial(), [[0.499, 0.501, 0.5, 0.502]] * 9))).to_dict("records")
    assert (row[PATTERN], row[WRONG], row[WHICH], row[UNDECIDED]) == ("½ ½ ½ ½", 0, (), 4)


def test_what_is_elsewhere_has_no_centre(trial, ended, table):
    """Nothing is said of where it is, but for its losses."""
    (row,) = attractors(table(ended(trial(), [PLATEAU]))).to_dict("records")
    assert (row[PATTERN], row[COUNT], row[c.FINAL_MSE], row[CENTRE], row[WHICH]) == (ELSEWHERE, 1, 0.25, None, None)
    assert pd.isna(row[WRONG])


def test_the_most_frequent_attractor_of_a_gate_comes_first(trial, ended, table):
    """Elsewhere comes last, however much is there."""
    lone = [[x, 0.3, 0.7, 0.2] for x in np.linspace(0.1, 0.9, 20)]
    data = table(ended(trial(), [PLATEAU] * 7 + [ONE_WRONG] * 9 + lone))
    assert attractors(data)[PATTERN].tolist() == ["0 1 0 0", "½ ½ ½ ½", ELSEWHERE]


@settings(max_examples=15)
@given(UNSOLVED, UNSOLVED)
def test_counts_add_up_to_what_is_unsolved(trial, ended, table, first, second):
    """Every stuck or slow training is in one row, by gate."""
    pairs = ((trial(hidden=2), first), (trial(hidden=3), first), (trial(gate="nand"), second))
    data = table(*(ended(one, rows) for one, rows in pairs if rows))
    unsolved = data[data[c.OUTCOME].isin(["stuck", "slow"])]
    found = attractors(data).groupby(c.GATE)
    assert found[COUNT].sum().to_dict() == unsolved.groupby(c.GATE).size().to_dict()
    assert found[OF_UNSOLVED].sum().to_dict() == pytest.approx(dict.fromkeys(unsolved[c.GATE], 1.0))


@settings(max_examples=10)
@given(UNSOLVED, st.randoms())
def test_the_order_of_the_trainings_never_matters(trial, ended, table, predictions, random):
    """Nor whether words are texts or categories."""
    data = table(ended(trial(hidden=2), [*predictions, SOLVED]), ended(trial(hidden=3), [*predictions, PLATEAU]))
    shuffled = data.iloc[random.sample(range(len(data)), len(data))]
    words = [c.TRIAL_ID, c.GATE, c.LOSS, c.REDUCTION, c.OUTCOME]
    pd.testing.assert_frame_equal(attractors(shuffled), attractors(data))
    pd.testing.assert_frame_equal(attractors(data.astype(dict.fromkeys(words, "category"))), attractors(data))


@pytest.mark.parametrize("predictions", [[], [SOLVED] * 3, [DIVERGED] * 3])
def test_where_nothing_is_unsolved_there_are_no_attractors(trial, ended, table, predictions):
    """The table is empty, and has its columns."""
    data = table(*([ended(trial(), predictions)] if predictions else []))
    assert attractors(data).empty
    assert PATTERN in attractors(data)

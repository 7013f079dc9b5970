"""Studies: the trials of a block, and what there is to know of them."""

import numpy as np
import pandas as pd
import pytest

from bench.metrics import columns as c
from bench.stats.grid_analysis import NAME, GridAnalysis, grid_analyses, highest, in_order, lowest, trial_table

SOLVED, STUCK = [0.0, 1.0, 1.0, 0.0], [0.5, 0.5, 0.5, 0.5]


@pytest.fixture(scope="module")
def plan(as_plan, planned_row):
    """Return the plan of some records, each in the blocks of its places."""

    def read(*records, blocks=("",), places=()):
        its = places or [[0]] * len(records)
        return as_plan(records, blocks=list(blocks), trials=list(map(planned_row, records, its)))

    return read


@pytest.fixture(scope="module")
def study(plan, table):
    """Return the only study of some records."""

    def only(*records) -> GridAnalysis:
        (found,) = grid_analyses(plan(*records), table(*records))
        return found

    return only


@pytest.fixture(scope="module")
def some(ended, trial):
    return lambda solved, unsolved, **of: ended(trial(**of), [SOLVED] * solved + [STUCK] * unsolved)


def test_a_trial_of_two_blocks_is_in_both_with_the_seeds_of_each(plan, table, some, ended, trial):
    """Of its ten seeds, the second block has four: those of its other trial. In the first it is alone, with all."""
    one, other = some(5, 5, hidden=2), ended(trial(hidden=8), [SOLVED] * 4, seeds=range(6, 10))
    document = plan(one, other, blocks=("a", "b", "c"), places=([0, 1], [1]))
    found = list(grid_analyses(document, table(one, other)))
    assert [(each.title, len(each.trials), len(each.trainings)) for each in found] == [("a", 1, 10), ("b", 2, 8)]
    assert found[1].is_balanced


def test_trainings_alone_are_no_study(plan, table, some, ended, trial):
    """They are timings."""
    alone = ended(trial(hidden=8), [SOLVED] * 3, alone=True)
    (found,) = grid_analyses(plan(some(3, 3), alone), table(some(3, 3), alone))
    assert len(found.trials) == 1
    assert list(grid_analyses(plan(alone), table(alone))) == []


def test_a_trial_of_which_nothing_is_there_is_in_no_study(plan, table, some):
    """The ledger has it."""
    there, missing = some(3, 3), some(3, 3, hidden=8)
    (found,) = grid_analyses(plan(there, missing), table(there))
    assert list(found.trials.index) == [there.trial.trial_id]
    assert list(trial_table(plan(there, missing)).index) == [there.trial.trial_id, missing.trial.trial_id]


def test_a_sweep_without_trainings_has_no_study(plan, table, some):
    """Interrupted at once."""
    one = some(3, 3)
    assert list(grid_analyses(plan(one), table(one).head(0))) == []


def test_hidden_layers_and_losses_come_first_then_what_has_most_values(study, some):
    """Along axes and in sentences."""
    records = [
        some(1, 1, hidden=hidden, loss=loss, momentum=momentum, gate=gate)
        for hidden in (2, 3) for loss in ("mse", "bce") for momentum in (0.0, 0.1, 0.5) for gate in ("or", "xor")
    ]  # fmt: skip
    assert study(*records).names == ["hidden", "loss", "momentum", "gate"]


def test_refused_trainings_were_never_begun_and_failed_ones_never_trained(study, some, failed, refused, trial):
    """One counts nowhere, the other as not solved."""
    found = study(some(2, 2), failed(trial(hidden=8), range(3)), refused(trial(hidden=9), range(5)))
    assert (len(found.trainings), len(found.begun), len(found.trained)) == (12, 7, 4)
    assert found.rates[NAME].tolist() == ["3 neurons", "8 neurons"]
    assert found.rates["rate"].tolist() == [0.5, 0.0]


def test_tables_are_in_the_plans_order_whatever_the_rows(plan, table, some):
    """And of the same numbers."""
    records = [some(solved, 10 - solved, hidden=hidden) for solved, hidden in ((2, 8), (9, 2), (5, 4))]
    data = table(*records)
    shuffled = data.sample(frac=1, random_state=3)
    (one,), (other,) = (list(grid_analyses(plan(*records), rows)) for rows in (data, shuffled))
    assert one.rates[NAME].tolist() == ["8 neurons", "2 neurons", "4 neurons"]
    pd.testing.assert_frame_equal(one.rates, other.rates)
    pd.testing.assert_frame_equal(one.times, other.times)
    pd.testing.assert_frame_equal(one.effects, other.effects)


@pytest.mark.untraced
def test_text_columns_may_be_categories(plan, table, some):
    """As the reader has them."""
    records = [some(solved, 10 - solved, loss=loss) for solved, loss in ((2, "mse"), (9, "bce"))]
    data = table(*records)
    slim = data.astype(dict.fromkeys((c.TRIAL_ID, c.GATE, c.LOSS, c.OUTCOME, c.BACKEND), "category"))
    (one,), (other,) = (list(grid_analyses(plan(*records), rows)) for rows in (data, slim))
    for name in ("rates", "times", "pooled", "seeds"):
        left, right = getattr(one, name), getattr(other, name)
        np.testing.assert_array_equal(left.astype(str).fillna("").to_numpy(), right.astype(str).fillna("").to_numpy())


def test_a_grid_with_a_hole_is_not_balanced(study, some):
    """Its variance cannot be split; its parameters are ranked."""
    axes = [(hidden, loss) for hidden in (2, 3, 4) for loss in ("mse", "bce", "l1")]
    records = [some(5, 5, hidden=hidden, loss=loss) for hidden, loss in axes]
    assert study(*records).is_balanced
    assert not study(*records[1:]).is_balanced
    assert study(*records[1:]).shares == {}
    assert not study(some(5, 5)).is_balanced


@pytest.mark.parametrize(
    ("name", "values", "ordered"),
    [
        (c.HIDDEN, ["10", "4-4", "2", "0", "2"], ["0", "2", "4-4", "10"]),
        (c.LEARNING_RATE, [0.5, 0.05, 5.0], [0.05, 0.5, 5.0]),
        (c.LOSS, ["mse", "bce", "mse"], ["mse", "bce"]),
        ("hidden_bias", [True, False], [True, False]),
        (c.ITERATIONS, [np.int64(100), np.int64(20)], [20, 100]),
    ],
)
def test_values_have_an_order_that_makes_sense(name, values, ordered):
    """Numbers by size, words as they were given, each once."""
    assert in_order(name, values) == ordered


def test_the_highest_and_the_lowest_row_are_those_with_a_number():
    """The first of several; what is missing is neither."""
    data = pd.DataFrame({"name": list("abcde"), "value": [np.nan, 2.0, 1.0, 2.0, 1.0]})
    assert (highest(data, "value")["name"], lowest(data, "value")["name"]) == ("b", "c")

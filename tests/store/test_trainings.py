"""Trainings read back slim: the same values, each word kept once, and lists of the first seeds only."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.model.trial import BASIC, Trial
from bench.stats.agreement import agreements
from bench.stats.claims import measure
from bench.stats.mlflow_summary import trial_medians
from bench.stats.proportions import outcome_ledger, solved_rates
from bench.stats.timings import iteration_times
from bench.store import tables
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI
from bench.store.reader import read_columns, read_sweep, trainings_frame
from bench.store.shards import read_shards
from bench.store.tables import concat, frame

pytestmark = pytest.mark.untraced  # a whole sweep, for what the readers' own tests trace

REQUEST = ("hidden=2,4-4", "gate=or,xor", "backend=numpy,numba", "summation=library,fma", "iterations=20")


@pytest.fixture(scope="module")
def many(made):
    """The store and the id of a sweep half of whose trainings a backend refuses, which several tests look at."""
    folder = made("many", "sweep", *REQUEST, "seeds=0:3", "--json", "--no-report")
    return Store(f"sqlite:///{folder}/mlflow.db"), json.loads((folder / "out").read_text())["sweep"]


@pytest.fixture
def swept(bench):
    """Return the store and the id of a sweep of these words."""

    def of(*words):
        return Store(DEFAULT_URI), bench("sweep", *words, "--json", "--no-report").json["sweep"]

    return of


def plain(store, sweep):
    """Return the trainings as the shards alone have them, a word in every row, in the plan's order."""
    data = frame(concat(read_shards(store, sweep)))
    order = {one.trial.trial_id: place for place, one in enumerate(read_sweep(store, sweep).plan.trials)}
    ordered = data.sort_values([c.TRIAL_ID, c.SEED], key=lambda s: s.map(order) if s.name == c.TRIAL_ID else s)
    return ordered.reset_index(drop=True)


def same(one, other):
    """Whether two values of a row are the same, missing ones and lists included."""
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=True)
    return (pd.isna(one) and pd.isna(other)) or one == other


def by_name(found):
    """Return the values of a table, its rows ordered by their names as words."""
    return found.set_axis(found.index.astype(str)).sort_index().to_numpy(dtype=object, na_value=None)


def test_a_frame_says_what_the_shards_say(many):
    """Whatever comes from the plan, and however a column is kept, every row has its values."""
    store, sweep = many
    read, expected = read_sweep(store, sweep).trainings, plain(store, sweep)
    assert list(read.columns) == [*expected.columns, c.TARGETS]
    for name in expected:
        values = zip(read[name], expected[name], strict=True)
        assert all(same(one, other) for one, other in values), name


def test_words_are_kept_once_and_numbers_as_they_are(many):
    """A category has all values of the plan, an outcome all that there are; numbers and flags are plain."""
    store, sweep = many
    data = read_sweep(store, sweep).trainings
    words = {name for name, value in Trial().parameters.items() if isinstance(value, str) and name in BASIC}
    assert {name for name in data if isinstance(data[name].dtype, pd.CategoricalDtype)} == {
        *words,
        c.TRIAL_ID,
        c.OUTCOME,
    }
    assert list(data[c.GATE].cat.categories) == ["or", "xor"]
    assert list(data[c.OUTCOME].cat.categories) == [str(result) for result in Result]
    assert (data[c.LEARNING_RATE].dtype, data[c.ITERATIONS].dtype, data["hidden_bias"].dtype) == (float, int, bool)


def test_hidden_is_a_number_where_every_layer_is_single(swept):
    """Scripts compare hidden == 3; "4-4" makes the column text."""
    assert read_sweep(*swept("hidden=2,3", "iterations=5", "seeds=0:2")).trainings[c.HIDDEN].dtype == np.int64
    assert set(read_sweep(*swept("hidden=2,2-2", "iterations=5", "seeds=0:2")).trainings[c.HIDDEN]) == {"2", "2-2"}


@pytest.mark.parametrize("group", [4, 4096])
def test_lists_are_read_of_the_first_seeds_of_each_trial(swept, monkeypatch, group):
    """The others have none; whatever else a row says is there for all, however the file is divided."""
    monkeypatch.setattr(tables, "GROUP", group)
    store, sweep = swept("hidden=0,2,3", "iterations=20", "seeds=1,3,4,8,9,10,11,12,13,14")
    whole, some = (read_sweep(store, sweep, curves=curves).trainings for curves in (None, 3))
    kept = some[c.SEED].isin([1, 3, 4])
    for name in c.LISTS:
        assert (some[name].notna() == kept).all()
        assert all(map(np.array_equal, some.loc[kept, name], whole.loc[kept, name]))
    rest = [name for name in whole if name not in (*c.LISTS, c.PREDICTIONS, c.TARGETS)]
    pd.testing.assert_frame_equal(some[rest], whole[rest])
    assert read_sweep(store, sweep, curves=0).trainings[c.CURVE].isna().all()
    assert read_sweep(store, sweep, [c.OUTCOME], curves=3).trainings.shape == (30, 4)


def test_a_row_that_was_not_planned_is_left_out(swept):
    """And one that was written twice is there once."""
    store, sweep = swept("hidden=0,2", "iterations=20", "seeds=0:3")
    plan = read_sweep(store, sweep).plan
    shards = read_shards(store, sweep, read_columns(None, plan))
    data = trainings_frame([*shards, *shards], replace(plan, trials=plan.trials[1:]), None)
    assert data[c.SEED].tolist() == [0, 1, 2]
    assert set(data[c.HIDDEN]) == {2}


def test_what_is_found_does_not_depend_on_how_words_are_kept(many):
    """Statistics are the same of categories and of plain words."""
    store, sweep = many
    slim, words = read_sweep(store, sweep).trainings, plain(store, sweep)
    words = words.assign(**{c.TARGETS: slim[c.TARGETS].to_numpy()})
    for statistic in (
        agreements,
        outcome_ledger,
        trial_medians,
        iteration_times,
        lambda data: solved_rates(data, [c.HIDDEN, c.LOSS]),
        lambda data: measure(data, "halfway_at"),
    ):
        one, other = (by_name(statistic(data)) for data in (slim, words))
        assert one.size
        np.testing.assert_array_equal(one, other)

"""Exports with curves and weights: what was kept, what is drawn again, and what is null."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import bench as api
from bench.metrics import columns as c
from bench.model.loss import loss_value
from bench.store import export

pytestmark = pytest.mark.untraced  # whole sweeps: cheaper tests go the same way

REQUEST = ("hidden=0,2-3", "hidden_bias=true,false", "dtype=float64", "iterations=40", "curve_points=5", "seeds=0:4")
WITH = ("--with", "curves,weights")
ADDED = [c.CURVE, c.INITIAL_WEIGHTS, c.WEIGHTS]


@pytest.fixture(scope="module")
def swept(made):
    """The folder of a sweep that several tests look at."""
    return made("lists", "sweep", *REQUEST, "backend=numpy", "--no-report")


def exported(command, folder, name, *words):
    """Export into a file of the folder; return it, and what was said on stderr."""
    ran = command(folder, "export", "-o", folder / name, *words)
    assert ran.status == 0, ran.err
    return folder / name, ran.err


def trials(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return {planned.trial.trial_id: planned.trial for planned in api.load().plan.trials}


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_initial_weights_lead_to_final_weights_and_losses(command, swept, monkeypatch, form):
    """What is exported is a training: whoever trains from its beginning comes to its end, bit for bit."""
    path, said = exported(command, swept, f"oracle.{form}", *WITH)
    assert said == ""
    rows = pd.read_parquet(path) if form == "parquet" else pd.read_csv(path)
    if form == "csv":
        rows[ADDED] = rows[ADDED].map(json.loads)
    known = trials(swept, monkeypatch)
    assert len(rows) == 16
    for trial_id, own in rows.groupby(c.TRIAL_ID):
        trial = known[trial_id]
        outcome = api.train(api.Batch(trial, np.stack(own[c.INITIAL_WEIGHTS])))
        np.testing.assert_array_equal(outcome.weights_TP, np.stack(own[c.WEIGHTS]))
        recorded = np.searchsorted(trial.checkpoints, trial.recorded_iterations)
        np.testing.assert_array_equal(outcome.loss_TC[:, recorded], np.stack(own[c.CURVE]))
        final_T = loss_value(trial.loss, trial.reduction, outcome.predictions_TN, trial.gate.targets)
        np.testing.assert_array_equal(final_T, own[c.FINAL_LOSS])


def test_weights_are_layer_after_layer(command, swept, monkeypatch):
    """Each its weight row by row, then its bias, from inputs to outputs: predictions follow from them by hand."""
    path, _ = exported(command, swept, "layers.parquet", *WITH)
    rows = pd.read_parquet(path)
    row = rows[(rows[c.HIDDEN] == "2-3") & rows["hidden_bias"]].iloc[0]
    inputs = trials(swept, monkeypatch)[row[c.TRIAL_ID]].gate.inputs
    flat, at = row[c.WEIGHTS], 0
    for fan_in, fan_out in ((2, 2), (2, 3), (3, 1)):
        weight = flat[at : at + fan_in * fan_out].reshape(fan_in, fan_out)
        at += fan_in * fan_out + fan_out
        inputs = 1 / (1 + np.exp(-(inputs @ weight + flat[at - fan_out : at])))
    assert at == len(flat)
    np.testing.assert_allclose(inputs[:, 0], row[c.PREDICTIONS], rtol=1e-12)


def test_the_columns_of_every_export_stay_as_they_are(command, swept):
    """Byte for byte, with the new ones after them."""
    plain, _ = exported(command, swept, "plain.csv")
    more, _ = exported(command, swept, "more.csv", *WITH)
    lines, longer = (list(csv.reader(path.read_text().splitlines())) for path in (plain, more))
    assert [line[: len(c.EXPORT)] for line in longer] == lines
    assert longer[0] == [*c.EXPORT, *ADDED]
    plain, _ = exported(command, swept, "plain.parquet")
    more, _ = exported(command, swept, "more.parquet", *WITH)
    found, longer = pq.read_table(plain), pq.read_table(more)
    assert longer.select(c.EXPORT).cast(found.schema).equals(found)
    assert longer.column_names == [*c.EXPORT, *ADDED]


def test_one_list_alone_is_one(command, swept):
    """The curve, or the weights at both ends."""
    for words, added in (("curves", [c.CURVE]), ("weights", [c.INITIAL_WEIGHTS, c.WEIGHTS])):
        path, _ = exported(command, swept, "one.parquet", "--with", words)
        assert pq.read_schema(path).names == [*c.EXPORT, *added]


@pytest.fixture
def few_kept(bench, folder, monkeypatch):
    """A sweep of which curves and weights are kept for three seeds of each trial."""
    monkeypatch.setattr(c, "CURVES_PER_TRIAL", 3)
    bench("sweep", *REQUEST, "backend=numpy", "init=torch,normal", "--no-report")
    return folder


def test_what_was_not_kept_is_null_and_said_and_initial_weights_are_drawn_again(bench, few_kept, monkeypatch):
    """In parts of a few trainings as in one."""
    ran = bench("export", "-o", "whole.parquet", *WITH)
    assert (
        ran.err
        == "curve and weights of 8 of 32 trainings are null: they are kept for the first 3 seeds of each trial\n"
    )
    rows = pd.read_parquet("whole.parquet")
    assert (rows[c.WEIGHTS].isna() == (rows[c.SEED] == 3)).all()
    assert (rows[c.CURVE].isna() == (rows[c.SEED] == 3)).all()
    known = trials(few_kept, monkeypatch)
    for row in rows.to_dict("records"):
        (expected,) = known[row[c.TRIAL_ID]].initial_weights([row[c.SEED]])
        np.testing.assert_array_equal(row[c.INITIAL_WEIGHTS], expected)
    monkeypatch.setattr(export, "MOST_VALUES", 1)
    again = bench("export", "-o", "parts.parquet", *WITH)
    assert again.err == ran.err
    assert pq.ParquetFile("parts.parquet").num_row_groups == 32
    assert pq.read_table("parts.parquet").equals(pq.read_table("whole.parquet"))


@pytest.mark.untraced
def test_what_was_refused_has_no_curve(bench):
    """And that is said apart; where it would have started is known."""
    bench("sweep", "iterations=20", "seeds=0:2", "summation=library,fma", "--no-report")
    ran = bench("export", "-o", "x.csv", *WITH)
    assert ran.err == "curve and weights of 2 of 4 trainings are null: they failed, or their backend refused them\n"
    rows = pd.read_csv("x.csv")
    assert rows[c.CURVE].isna().tolist() == [False, False, True, True]
    assert rows[c.INITIAL_WEIGHTS].notna().all()


WRONG = {
    "an unknown list": (["--with", "curve"], "with 'curve' is not known; did you mean 'curves'? choose from"),
    "an empty one": (["--with", "curves,"], "with '' is not known; choose from curves, weights"),
    "of trials": ([*WITH, "--summary"], "allowed without --summary and of no map"),
    "of a map": ([*WITH, "--map", "1"], "allowed without --summary and of no map"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_list_is_one_clear_message(command, swept, words, said):
    """Before anything is written."""
    ran = command(swept, "export", "-o", "wrong.parquet", *words)
    assert (ran.status, ran.out, said in ran.err, "Traceback" in ran.err) == (2, "", True, False)
    assert not (swept / "wrong.parquet").exists()


def test_a_sweep_of_maps_has_no_lists(bench):
    """One sentence."""
    bench("sweep", "hidden=2", "iterations=20", "map.x=learning_rate:1..2", "map.y=momentum:0..0.5", "map.size=2",
          "--no-report")  # fmt: skip
    ran = bench("export", "-o", "x.parquet", *WITH)
    assert ran.status == 2
    assert "has maps only; allowed are sweeps with trials" in ran.err


def test_in_python_an_export_has_lists_too(swept, monkeypatch, tmp_path):
    """By the same names; who asks is told what is missing."""
    monkeypatch.chdir(swept)
    said = []
    assert api.load().export(tmp_path / "x.parquet", ["weights"], said.append) == 16
    assert said == []
    assert c.WEIGHTS in pq.read_schema(Path(tmp_path / "x.parquet")).names
    with pytest.raises(api.RequestError, match="choose from curves, weights"):
        api.load().export(tmp_path / "x.parquet", ["weight"])

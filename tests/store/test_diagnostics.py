"""Diagnostics as columns: kept of every training of trials that ask for them, and of no others."""

import numpy as np
import pandas as pd

import bench as library
from bench.metrics import columns as c
from bench.model.diagnostics import diagnostics
from bench.report.endings import diagnosed_in_words
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI
from bench.store.shards import read_shards
from bench.store.tables import TRAINING_SCHEMA, rows
from bench.store.writer import SweepWriter

BRIEF = ("gate=xor", "hidden=2", "backend=numpy", "iterations=60", "learning_rate=2", "curve_points=5", "seeds=0:6")
ASKED = (*BRIEF, "diagnostics=false,true", "--no-report", "--no-budget-check", "--executor", "serial")


def test_diagnostics_are_kept_exported_and_resumed(bench, folder, monkeypatch):
    """Columns after all others, null where nobody asked, and the same after an interrupt."""
    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "keep_runs", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        bench("sweep", *ASKED)
    resumed = bench("sweep", *ASKED, "--resume", "--json")
    assert resumed.status == 0
    bench("export", "-o", "all.csv", "--with", "weights")
    found = pd.read_csv(folder / "all.csv")
    assert tuple(found.columns[-6:]) == (*c.DIAGNOSTICS, c.INITIAL_WEIGHTS, c.WEIGHTS)
    asked = found[found["diagnostics"]]
    assert found[~found["diagnostics"]][[*c.DIAGNOSTICS]].isna().all(axis=None)
    trial = library.load(resumed.json["sweep"]).plan.trials[1].trial
    weights = np.array([[float(one) for one in text[1:-1].split(",")] for text in asked[c.WEIGHTS]])
    np.testing.assert_allclose(asked[[*c.DIAGNOSTICS]].to_numpy(), diagnostics(trial, weights), rtol=1e-9)
    kept = library.load(resumed.json["sweep"])
    assert kept.trainings[c.GRADIENT_NORM].notna().sum() == 6
    runs = {run.data.params.get("diagnostics"): run.data.metrics for run in Store(DEFAULT_URI).runs("trial")}
    assert sum("smallest_curvature_median_unsolved" in metrics for metrics in runs.values()) == 1
    reused = bench("sweep", *BRIEF[:-1], "diagnostics=true", "seeds=0:8", "--reuse", "--no-report", "--json")
    assert reused.json["reused"] == 6
    assert library.load(reused.json["sweep"]).trainings[c.LARGEST_WEIGHT].notna().all()


def test_sweeps_without_diagnostics_have_no_such_columns(bench):
    """Their shards are what they were."""
    bench("sweep", *BRIEF, "--no-report", "--no-budget-check")
    sweep = library.load()
    assert not set(c.DIAGNOSTICS) & set(sweep.trainings)
    (shard,) = read_shards(Store(DEFAULT_URI), sweep.id)
    assert shard.schema.equals(TRAINING_SCHEMA)


def test_what_diverged_has_no_diagnostics(trial, ended):
    """They are null."""
    record = ended(trial(diagnostics=True), [[np.nan] * 4, [0.5] * 4])
    object.__setattr__(record.outcome, "diagnostics_TD", np.array([[1.0, 2, 3, 4], [4, 5, -6, 7]]))
    assert rows(record, 9)[c.SMALLEST_CURVATURE].to_pylist() == [None, -6]


def test_how_many_have_a_direction_of_escape_is_said_of_stuck_trainings():
    """With an interval over seeds, and medians; nothing of trials that did not ask."""
    rows = pd.DataFrame({c.OUTCOME: ["stuck", "stuck", "slow", "diverged"], c.SEED: [0, 1, 2, 3]})
    assert diagnosed_in_words(rows) == ""
    asked = rows.assign(gradient_norm=[0.1, 0.3, 1, None], largest_weight=7.0, smallest_curvature=[-1, 1, -2, None])
    asked["newton_step"] = [2, 4, None, None]
    said = diagnosed_in_words(asked)
    assert said.startswith(
        "Of 2 stuck trainings, 1 has a direction of escape, a smallest curvature below 0: 50.0\u00a0% ["
    )
    medians = "gradient norm 0.2, largest weight 7, smallest curvature 0, step to the next stationary point 3"
    assert said.endswith(f"Medians: {medians}.")
    assert diagnosed_in_words(asked[2:]) == ""

"""Reading back what a fault may have left."""

import tempfile

from bench.store.mlflow_store import Store
from bench.store.reader import read_sweep
from bench.store.shards import read_shards


def test_a_shard_that_was_cut_off_counts_as_never_written(bench, folder):
    """And one whose columns have names that are no text; the other shards are read."""
    sweep = bench("sweep", "iterations=20", "seeds=0:3", "--json", "--no-report").json["sweep"]
    store = Store("sqlite:///mlflow.db")
    shard = next((folder / "mlruns").rglob("*.parquet"))
    shard.with_name("8-cut.parquet").write_bytes(shard.read_bytes()[:200])
    shard.with_name("9-no-text.parquet").write_bytes(shard.read_bytes().replace(b"trial_id", b"\xffrial_id"))
    assert sum(table.num_rows for table in read_shards(store, sweep)) == 3


def test_a_sweep_without_any_shard_reads_as_empty(bench, folder):
    """All that was planned is known, nothing was trained."""
    sweep = bench("sweep", "iterations=20", "seeds=0:3", "--json", "--no-report").json["sweep"]
    for shard in (folder / "mlruns").rglob("*.parquet"):
        shard.unlink()
    read = read_sweep(Store("sqlite:///mlflow.db"), sweep)
    assert read.trainings.empty
    assert read.plan.trials[0].trainings == 3


def test_reading_leaves_nothing_behind(bench, folder, monkeypatch):
    """A sweep on this machine is read where it lies, not copied first."""
    ran = bench("sweep", "iterations=20", "seeds=0:3", "--json", "--no-report")
    (folder / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    assert len(read_sweep(Store("sqlite:///mlflow.db"), ran.json["sweep"]).trainings) == 3
    assert list((folder / "temporary").iterdir()) == []


def test_only_the_columns_that_are_wanted_are_read(bench, folder):
    """Beside those that name a training, and its targets."""
    ran = bench("sweep", "iterations=20", "seeds=0:3", "--json", "--no-report")
    read = read_sweep(Store("sqlite:///mlflow.db"), ran.json["sweep"], ["outcome"])
    assert set(read.trainings) == {"trial_id", "seed", "outcome", "targets"}

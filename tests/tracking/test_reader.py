"""Reading back what a fault may have left."""

from bench.tracking.reader import read_shards, read_sweep
from bench.tracking.store import Store


def test_a_shard_that_was_cut_off_counts_as_never_written(bench, folder):
    """The other shards are read."""
    sweep = bench("sweep", "iterations=20", "seeds=0:3", "--json", "--no-report").json["sweep"]
    store = Store("sqlite:///mlflow.db")
    shard = next((folder / "mlruns").rglob("*.parquet"))
    shard.with_name("9-cut.parquet").write_bytes(shard.read_bytes()[:200])
    assert sum(table.num_rows for table in read_shards(store, sweep)) == 3


def test_a_sweep_without_any_shard_reads_as_empty(bench, folder):
    """All that was planned is known, nothing was trained."""
    sweep = bench("sweep", "iterations=20", "seeds=0:3", "--json", "--no-report").json["sweep"]
    for shard in (folder / "mlruns").rglob("*.parquet"):
        shard.unlink()
    read = read_sweep(Store("sqlite:///mlflow.db"), sweep)
    assert read.trainings.empty
    assert read.plan["trials"][0]["trainings"] == 3

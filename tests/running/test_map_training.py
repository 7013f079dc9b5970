"""Maps are trained like a grid: by whoever, interrupted or not, they are the same file."""

import contextlib
import sqlite3
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench as api
from bench.config.plan import Plan
from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.running.border_search import border_point
from bench.store import names
from bench.store.reader import map_shards

WORDS = ("hidden=2", "activation=tanh", "learning_rate=4", "iterations=800", "map.pairs=64", "map.size=48")
AXES = ("map.x=toward:1:-1.5..2.5", "map.y=toward:3:-1.5..2.5")
MAP = (*WORDS, *AXES)


@pytest.fixture(scope="module")
def plane(made):
    """The folder of a map that nothing happened to, with its report."""
    return made("plane", "sweep", *MAP, "--executor", "serial", "-o", "plane.html")


@pytest.fixture(scope="module")
def swept(plane):
    """That sweep."""
    return api.load(tracking_uri=f"sqlite:///{plane}/mlflow.db")


@pytest.fixture(scope="module")
def whole(plane, command):
    """The bytes of its exported arrays."""
    assert command(plane, "export", "-o", "whole.npz").status == 0
    return (plane / "whole.npz").read_bytes()


@pytest.fixture
def copied(plane, tmp_path):
    """A folder with a store of its own that begins with that sweep."""
    with contextlib.closing(sqlite3.connect(plane / "mlflow.db")) as connection:
        connection.execute("VACUUM INTO ?", [str(tmp_path / "mlflow.db")])
    return tmp_path


def arrays(bench):
    assert bench("export", "-o", "again.npz").status == 0
    return Path("again.npz").read_bytes()


@pytest.mark.parametrize("workers", [("--executor", "threads"), ("--executor", "processes", "--workers", "1")])
def test_a_map_is_the_same_file_whoever_trains_it(bench, whole, small_shards, workers):
    """Cut among two threads, or trained in another process."""
    assert bench("sweep", *MAP, "--no-report", *workers).status == 0
    assert arrays(bench) == whole


@pytest.mark.slow
def test_a_killed_map_is_resumed_to_the_same_file(bench, folder, start, whole):
    """After SIGKILL, --resume trains what is missing and nothing else."""
    after = "import bench.running.map_training as m, bench.running.chunks as k; m.FLUSH_S = 0; k.CHUNK_S = 0.001"
    process = start(folder, "sweep", *MAP, "--no-report", "--executor", "serial", after=after)
    for _ in range(1200):
        if len(list((folder / "mlruns").rglob("maps/*/*.parquet"))) > 2:
            break
        time.sleep(0.01)
    process.kill()
    process.communicate()
    done = len(list((folder / "mlruns").rglob("maps/*/*.parquet")))
    ran = bench("sweep", *MAP, "--no-report", "--resume")
    assert ran.status == 0, ran.err
    assert len(list((folder / "mlruns").rglob("maps/*/*.parquet"))) > done > 2
    assert arrays(bench) == whole


def test_a_seeds_pixel_equals_its_row_of_a_sweep(bench, swept):
    """Bit for bit: what became of it, when, and what it says in the end."""
    (one,) = swept.maps
    ran = bench("sweep", *WORDS[:4], "seeds=0,1,3", "--no-report", "--json")
    rows = api.load(ran.json["sweep"]).trainings.set_index(c.SEED)
    pixels = one.frame()
    for seed, x, y in ((0, 0, 0), (1, 1, 0), (3, 0, 1)):
        pixel = pixels.iloc[one.map.place(x, y)]
        assert (pixel["x"], pixel["y"]) == (x, y)
        assert pixel[c.OUTCOME] == rows[c.OUTCOME][seed]
        assert pixel[c.SOLVED_AT] is rows[c.SOLVED_AT][seed] or pixel[c.SOLVED_AT] == rows[c.SOLVED_AT][seed]
        said = pixel[[f"prediction_{n}" for n in range(4)]].to_numpy(dtype=np.float32)
        np.testing.assert_array_equal(said, np.asarray(rows[c.PREDICTIONS][seed], dtype=np.float32))


def test_a_point_takes_less_than_forty_bytes(swept):
    """On disk, pairs and all."""
    (one,) = swept.plan.maps
    with map_shards(swept._store, swept.id, one) as files:
        assert sum(path.stat().st_size for path in files) < 40 * one.points


def test_a_map_is_one_run_with_its_figures_and_its_picture(swept):
    """And the sweep keeps what was planned."""
    (run,) = swept._store.runs(names.MAP, parent=swept.id)
    (one,) = swept.maps
    assert run.info.status == "FINISHED"
    assert run.data.metrics["solved_rate"] == pytest.approx(one.solved)
    assert run.data.params["x"] == "toward:1"
    assert [file.path for file in swept._store.client.list_artifacts(run.info.run_id)] == ["map.png"]
    assert Plan.from_json(swept.plan.to_json()).maps == swept.plan.maps


def test_pixels_are_exported_as_rows_and_as_arrays(plane, command, swept):
    """With their coordinates; a sweep of maps only exports them without being asked."""
    assert command(plane, "export", "-o", "pixels.parquet").out.startswith("2,304 pixels of sweep")
    rows, (one,) = pd.read_parquet(plane / "pixels.parquet"), swept.maps
    assert list(rows.columns[:6]) == ["column", "row", "x", "y", "outcome", "fate"]
    assert (rows[c.OUTCOME] == Result.SOLVED).mean() == one.solved
    command(plane, "export", "-o", "pixels.npz")
    with np.load(plane / "pixels.npz") as kept:
        assert kept["fate"].shape == kept[c.SOLVED_AT].shape == (48, 48)
        np.testing.assert_array_equal(kept["fates"][kept["fate"]].ravel(), rows["fate"])
        np.testing.assert_array_equal(kept["x"][rows["column"]], rows["x"])
        np.testing.assert_array_equal(kept["y"][rows["row"]], rows["y"])


def test_what_a_backend_refuses_is_a_map_of_refusals(bench):
    """Every point is accounted for, with the reason."""
    ran = bench("sweep", *WORDS[:-1], *AXES, "map.size=4", "device=cuda", "--no-report")
    assert ran.status == 0, ran.err
    (one,) = api.load().maps
    assert one.points.of(Result.UNSUPPORTED).all()
    assert "backend numba has no device 'cuda'; it has cpu" in one.points.reasons
    assert one.solved == 0


def test_the_dry_run_lists_axes_and_weights_and_counts_the_work(bench):
    """And trains nothing."""
    said = bench("sweep", *MAP, "--dry-run").out
    assert "48 × 48 pixels and 64 pairs at 17 distances, 3,456 trainings" in said
    assert "x = toward:1:-1.5..2.5, y = toward:3:-1.5..2.5" in said
    assert "weights: hidden[0].input[0]" in said
    assert bench("sweep", *MAP, "--dry-run", "--json").json["maps"][0]["trainings"] == 3456
    assert bench("list", "--json").json["sweeps"] == []


# ------------------------------------------------------------------ zooms


def test_a_window_is_trained_finer(copied, command, swept):
    """Its command is in its report, and asks for the same again."""
    sweep = swept.id
    words = ("zoom", sweep, "--x", "0:0.5", "--y", "-0.25:0.25", "--size", "20", "--pairs", "0", "--json")
    ran = command(copied, *words, "-o", "zoomed.html")
    assert ran.status == 0, ran.err
    (one,) = api.load(ran.json["sweep"], f"sqlite:///{copied}/mlflow.db").plan.maps
    assert (one.x.low, one.x.high, one.y.low, one.y.high) == (0, 0.5, -0.25, 0.25)
    assert (one.width, one.height, one.pairs) == (20, 20, 0)
    again = f"python -m bench zoom {sweep[:8]} --x 0:0.5 --y -0.25:0.25 --size 20 --pairs 0"
    assert again in (copied / "zoomed.html").read_text()


def test_a_descent_follows_the_border_and_is_animated(copied, command, swept, monkeypatch):
    """Each window is in the middle of the one before, and holds several fates."""
    monkeypatch.setattr("bench.report.descent.FRAMES", 3)
    words = ("zoom", swept.id, "--depth", "3", "--size", "24", "--pairs", "64", "--json")
    ran = command(copied, *words, "--animation", "down.webp", "-o", "down.html")
    assert ran.status == 0, ran.err
    maps = api.load(ran.json["sweep"], f"sqlite:///{copied}/mlflow.db").maps
    assert [one.map.magnified for one in maps] == [1, 8, 64, 512]
    middles = [(one.map.x.low + one.map.x.high) / 2 for one in maps[1:]]
    np.testing.assert_allclose(middles, middles[-1], rtol=1e-9)
    assert all(0 < one.solved < 1 for one in maps)
    assert (copied / "down.webp").read_bytes()[8:12] == b"WEBP"
    assert "× 512" in (copied / "down.html").read_text()


def test_the_point_on_the_border_has_the_other_kind_beside_it(swept):
    """A rule of one's own: whether the network says more than ⅓ of the first observation."""
    (one,) = swept.maps
    rates = []

    def belongs(_result_T, predictions_TN):
        rates.append(len(predictions_TN))
        return np.arange(len(predictions_TN)) < 40

    x, y = border_point(one.map, (0.0, 0.0), (1.0, 0.0), belongs)
    assert 39 / 63 <= x <= 40 / 63
    assert y == 0
    assert len(rates) <= 12


WRONG = {
    ("--x", "3:1"): "x is '3:1'; allowed is a low end below the high one",
    ("--x", "a:b"): "x is 'a:b'; allowed is LOW:HIGH, such as -1.5:2.5",
    ("--at", "0,0"): "at is '0,0', which needs a depth",
    ("--depth", "1", "--at", "9,9"): "at has x = 9.0; allowed are numbers from -1.5 to 2.5",
    ("--depth", "1", "--at", "9"): "at is '9'; allowed is X,Y, a point of the map",
    ("--depth", "17", "--at", "0.3,0.4"): "depth is 17; allowed is up to 15 with factor 8: below, pixels are nearer",
    ("--depth", "1", "--factor", "1"): "factor is 1.0; allowed are finite numbers and above 1",
    ("--size", "16000"): "size is 16000 × 16000, 256,",
    ("--map", "2"): "map is 2; allowed are numbers from 1 to 1",
    ("--border", "1 2"): "border '1 2' is not known; ",
    ("--animation", "a.webp"): "animation is 'a.webp', which needs a depth",
    ("--animation", "a.gif", "--depth", "1"): "output 'a.gif' ends in '.gif'; allowed are .webp, .png",
}


@pytest.mark.parametrize(
    ("words", "expected"), WRONG.items(), ids=lambda one: " ".join(one) if isinstance(one, tuple) else ""
)
def test_a_wrong_zoom_is_one_sentence_before_any_work(plane, command, swept, words, expected):
    """What, got, allowed; exit status 2."""
    ran = command(plane, "zoom", swept.id, *words)
    assert ran.status == 2
    assert ran.err.startswith(f"bench: {expected}")
    assert ran.err.count("\n") == 1


def test_maps_are_reported_beside_a_grid(copied, command, swept):
    """Their sweeps have nothing in common to compare, and say what each is."""
    command(copied, "sweep", "iterations=20", "seeds=0:3", "--no-report")
    other = api.load(tracking_uri=f"sqlite:///{copied}/mlflow.db").id
    ran = command(copied, "report", swept.id, other, "-o", "both.html")
    assert ran.status == 0, ran.err
    assert "toward seed 1 and toward seed 3" in (copied / "both.html").read_text()


def test_a_window_cannot_leave_what_a_parameter_may_be(bench):
    """Nor lie between whole numbers."""
    for words in ("map.y=momentum:0..1", "map.y=hidden:1..4"):
        bench("sweep", "iterations=9", "map.x=toward:1:-1..1", words, "map.size=3", "map.pairs=0", "--no-report")
        ran = bench("zoom", api.load().id, "--y", "0.5:2")
        assert ran.status == 2
        assert ran.err.startswith("bench: y")
        assert ran.err.count("\n") == 1


def test_a_sweep_without_maps_has_nothing_to_zoom_into(bench):
    """And nothing to export as arrays."""
    bench("sweep", "iterations=9", "seeds=0:2", "--no-report")
    for words in (("zoom", api.load().id), ("export", "-o", "a.npz")):
        ran = bench(*words)
        assert ran.status == 2
        assert "has no map; allowed is a sweep with [[map]]" in ran.err

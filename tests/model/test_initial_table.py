"""Initial weights from a table: read from a file, checked, and kept with the sweep."""

import json

import numpy as np
import pandas as pd
import pytest

import bench as library
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.gate import Gate, built_in
from bench.model.initial_table import InitialTable, read_initial_table
from bench.model.network import weight_names
from bench.model.trial import Trial
from bench.store.writer import SweepWriter

NAMES = weight_names(Trial(hidden=2).network)
WEIGHTS = np.random.default_rng(1).normal(size=(6, len(NAMES)))
BRIEF = ("gate=xor", "hidden=2", "backend=numpy", "iterations=40", "curve_points=5", "init=table", "--no-report")


def written(path, columns=NAMES, seeds=range(6), weights=WEIGHTS):
    """Write a table with its columns backwards, the seed last."""
    data = pd.DataFrame(weights, columns=columns)[list(columns)[::-1]].assign(seed=list(seeds))
    data.to_csv(path, index=False)
    return path


def problem_of(given):
    with pytest.raises(RequestError) as caught:
        given()
    return str(caught.value)


def test_a_seed_starts_from_its_row_whatever_the_order_of_the_columns(tmp_path):
    """Weights go by their names, times the scale; the content is part of the trial's id."""
    table = read_initial_table("w.csv", written(tmp_path / "w.csv").parent)
    trial = Trial(hidden=2, init="table", init_table=table)
    np.testing.assert_array_equal(trial.initial_weights([4, 0]), WEIGHTS[[4, 0]])
    scaled = Trial(hidden=2, init="table", init_table=str(tmp_path / "w.csv"), init_scale=2.0)
    np.testing.assert_array_equal(scaled.initial_weights([1]), 2 * WEIGHTS[[1]])
    assert trial.parameters["init_table"] == "w"
    other = InitialTable("w", tuple(NAMES), np.arange(6), WEIGHTS + 1)
    assert Trial(hidden=2, init="table", init_table=other).trial_id != trial.trial_id
    same = InitialTable("w", tuple(NAMES), np.arange(6)[::-1].copy(), WEIGHTS[::-1].copy())
    assert Trial(hidden=2, init="table", init_table=same) == trial
    assert hash(same) == hash(table)


def test_a_sweep_keeps_its_table(bench, folder, monkeypatch):
    """It is resumed after an interrupt; then it is exported, reported and read back without the file."""
    written(folder / "w.csv")
    words = (*BRIEF, "init_table=w.csv", "seeds=0:4", "--no-budget-check")
    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "keep_runs", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        bench("sweep", *words)
    assert bench("sweep", *words, "--resume").status == 0
    (folder / "w.csv").unlink()
    kept = library.load()
    np.testing.assert_array_equal(kept.plan.trials[0].trial.initial_weights(range(4)), WEIGHTS[:4])
    assert bench("export", "-o", "all.csv", "--with", "weights").status == 0
    found = pd.read_csv(folder / "all.csv")
    assert set(found["init_table"]) == {"w"}
    assert [json.loads(one) for one in found[c.INITIAL_WEIGHTS]] == WEIGHTS[:4].tolist()
    assert bench("report", "-o", "r.html").status == 0


def test_what_a_table_lacks_is_said_before_any_work(bench, folder):
    """A seed, a weight, a file, or that there is one: one sentence each."""
    written(folder / "w.csv")
    wrong = {
        ("init_table=w.csv", "seeds=4:8"): "has no row of seed 6, 7; allowed are its 6 seeds, 0 to 5",
        ("init_table=none.csv",): "init_table 'none.csv' is not a file; allowed are paths of .csv files",
        ("init_table=w",): "init_table 'w' is no .csv file; allowed are",
        (): "init is table without init_table; allowed is that with init_table, the path of a .csv file",
        ("init_table=w.csv", "seeds=0:4", "--until", "0.1"): "init is table with until",
        ("init_table=w.csv", "seeds=0:4", "hidden=3"): (
            "init_table 'w' has no column hidden[2].input[0], hidden[2].input[1], hidden[2].bias, output.hidden[2]; "
            "allowed is a column for each weight, and seed"
        ),
        ("init_table=w.csv", "seeds=0:4", "output_bias=false"): "has output.bias, no weight of this network; allowed",
        ("init_table=w.csv", "seeds=0:4", "init_scale=1e39"): "init_table 'w', row 1, column 'output.bias': got 0.",
        ("init_table=w.csv", "map.x=toward:9:0..1", "map.y=toward:1:0..1"): "has no row of seed 9",
        ("init_table=w.csv", "seeds=0:4", "learning_rate=0.1..1"): "init is table in a [search]",
    }
    for words, said in wrong.items():
        given = [word for word in BRIEF if word.split("=")[0] not in {one.split("=")[0] for one in words}]
        ran = bench("sweep", *given, *words)
        assert ran.status == 2
        assert said in " ".join(ran.err.split())
    assert "init_table is w with init = torch" in problem_of(
        lambda: Trial(hidden=2, init_table=read_initial_table("w.csv", folder))
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has the columns a, b; allowed are seed, once, and each weight"),
        ("seed,a\n0,x\n", "row 1, column 'a': got 'x'; allowed are numbers"),
        ("seed,a\n0.5,1\n", "has a seed that is none"),
        ("seed,a\n-1,1\n", "has a seed that is none"),
        ("seed,a\n0,1\n0,2\n", "has a seed twice; allowed is one row a seed"),
        ("seed,a,a\n0,1,2\n", "has a column twice; allowed is each weight once"),
        ("seed,a\n0,inf\n", "has a weight that is not finite; allowed are finite numbers"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, text, said):
    """What, got, allowed."""
    (tmp_path / "w.csv").write_text(text)
    assert said in problem_of(lambda: read_initial_table("w.csv", tmp_path))


def test_two_tables_of_one_name_are_refused(tmp_path):
    """Nothing could tell their trials apart."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written(tmp_path / name / "w.csv", weights=WEIGHTS + (name == "one"))
    paths = [str(tmp_path / name / "w.csv") for name in ("one", "two")]
    said = problem_of(lambda: library.sweep(hidden=2, init="table", init_table=paths, seeds=range(3)))
    assert said == "init_table 'w' names 2 tables; allowed is one"


def test_weights_of_several_outputs_and_shortcuts_have_names_of_their_own():
    """Each is what it connects."""
    xor = built_in("xor")
    adder = Gate("adder", xor.inputs, np.stack([xor.targets, xor.inputs.prod(axis=1)], axis=1))
    names = weight_names(Trial(gate=adder, hidden=1, shortcuts=True).network)
    assert names[3:] == [
        *("output[0].hidden[0]", "output[1].hidden[0]", "output[0].input[0]", "output[1].input[0]"),
        *("output[0].input[1]", "output[1].input[1]", "output[0].bias", "output[1].bias"),
    ]

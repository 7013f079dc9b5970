"""The command line, from the request to the exit status."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from bench.metrics import columns as c

TINY = ("gate=xor", "hidden=0,3", "loss=mse,l1", "seeds=0:5", "iterations=60")


@pytest.fixture
def tiny(made):
    """The folder of a sweep that several tests look at."""
    return made("tiny", "sweep", *TINY, "backend=numpy,torch", "--json", "--no-report")


@pytest.mark.untraced
def test_a_sweep_accounts_for_every_training(tiny):
    """The JSON of a sweep counts its trials, its trainings and their outcomes."""
    found = json.loads((tiny / "out").read_text())
    assert (found["trials"], found["trainings"], sum(found["outcomes"].values())) == (8, 40, 40)
    assert found["experiment"] == "adhoc"
    assert found["report"] is None
    assert set(found) == {"sweep", "experiment", "trials", "trainings", "outcomes", "seconds", "report"}


@pytest.mark.untraced
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_an_export_has_the_contracts_columns(command, tiny, tmp_path, suffix):
    """One row per training, with every column that scripts depend on, in either format."""
    path = tmp_path / f"x.{suffix}"
    assert command(tiny, "export", "-o", path).status == 0
    data = pd.read_parquet(path) if suffix == "parquet" else pd.read_csv(path)
    assert list(data.columns) == list(c.EXPORT)
    assert len(data) == 40
    assert not data.duplicated([c.TRIAL_ID, c.SEED]).any()
    assert set(data[c.HIDDEN]) == {0, 3}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_summary_has_a_row_per_trial_with_its_intervals(command, tiny, tmp_path, suffix):
    """What became of its trainings adds up to all, and the rate has its exact interval."""
    path = tmp_path / f"x.{suffix}"
    ran = command(tiny, "export", "--summary", "-o", path)
    assert (ran.status, ran.out.split(" of ")[0]) == (0, "8 trials")
    data = pd.read_parquet(path) if suffix == "parquet" else pd.read_csv(path)
    assert not data[c.TRIAL_ID].duplicated().any()
    assert (data[["solved", "slow", "stuck", "diverged", "failed", "unsupported", "missing"]].sum(axis=1) == 5).all()
    for row in data.to_dict("records"):
        exact = binomtest(row["solved"], 5).proportion_ci(method="exact")
        assert (row["solved_rate_low"], row["solved_rate_high"]) == pytest.approx((exact.low, exact.high))
        for name in ("median_solved_at", "rmst", "ert"):
            assert not row[f"{name}_low"] > row[name] * (1 + 1e-12)
            assert not row[f"{name}_high"] < row[name] * (1 - 1e-12)


def test_numpy_and_torch_rows_agree(command, tiny, tmp_path):
    """The same configuration and seed give the same errors whichever backend trained it."""
    command(tiny, "export", "-o", tmp_path / "x.parquet")
    rows = pd.read_parquet(tmp_path / "x.parquet").set_index([c.HIDDEN, c.LOSS, c.SEED])
    ours, theirs = (rows[rows[c.BACKEND] == name].sort_index() for name in ("numpy", "torch"))
    np.testing.assert_allclose(ours[c.FINAL_MSE], theirs[c.FINAL_MSE], rtol=1e-5)
    np.testing.assert_allclose(np.stack(ours[c.PREDICTIONS]), np.stack(theirs[c.PREDICTIONS]), atol=1e-6)
    assert (ours[c.OUTCOME] == theirs[c.OUTCOME]).all()


@pytest.mark.untraced
def test_the_table_shows_rates_with_their_intervals(bench):
    """Without --json, the trials are printed with solved rate, exact interval and medians."""
    ran = bench("sweep", "gate=or", "hidden=0", "learning_rate=5", "iterations=300", "seeds=0:4", "--no-report")
    assert "or hidden=0 mse learning_rate=5 iterations=300; 4 seeds each\n" in ran.out
    assert "100\xa0% [39.8, 100]" in ran.out


@pytest.mark.untraced
def test_the_report_is_written_where_it_was_asked_for(bench, folder):
    """-o says where the report goes; its path is printed."""
    ran = bench("sweep", "iterations=20", "seeds=0:3", "-o", "here/r.html")
    assert ran.status == 0
    assert str(folder / "here" / "r.html") in ran.out
    assert "<html" in (folder / "here" / "r.html").read_text()


@pytest.mark.untraced
def test_the_report_is_kept_with_the_sweep_under_one_name(bench, folder):
    """Whatever it is called where it was asked for."""
    bench("sweep", "iterations=20", "seeds=0:3", "-o", "mine.html")
    (kept,) = (folder / "mlruns").rglob("*.html")
    assert kept.name == "report.html"
    assert kept.read_text() == (folder / "mine.html").read_text()


def test_a_dry_run_lists_trials_and_trains_nothing(bench, folder):
    """--dry-run prints every trial and the sums, and leaves no sweep behind."""
    ran = bench("sweep", *TINY, "--dry-run")
    assert ran.status == 0
    assert "4 trials, 20 trainings, 1,200 iterations" in ran.out
    assert bench("list", "--json").json["sweeps"] == []


def test_a_dry_run_in_json_lists_the_same(bench):
    """--dry-run --json is one object with a list of trials."""
    found = bench("sweep", *TINY, "--dry-run", "--json").json
    assert (found["trials"], found["trainings"], found["iterations"], len(found["list"])) == (4, 20, 1200, 4)


WRONG = {
    "an unknown parameter": (["hiden=3"], "did you mean 'hidden'?"),
    "an unknown value": (["backend=nunpy"], "did you mean 'numpy'?"),
    "no seeds": (["seeds=5:5"], "holds no seed"),
    "an empty value": (["hidden="], "empty value"),
    "a key given twice": (["hidden=2", "hidden=3"], "given twice"),
    "an unknown experiment": (["sensitivty"], "did you mean 'sensitivity'?"),
    "a file that is not there": (["nowhere/x.toml"], "does not exist"),
    "two experiments": (["printed", "documents"], "allowed is one"),
    "a gate with text in it": (["gate=text.csv"], "allowed are numbers"),
    "a gate that is not there": (["gate=nowhere.csv"], "is not a file"),
    "a server that does not answer": (["--tracking-uri", "http://127.0.0.1:9"], "does not answer"),
    "a store in no folder": (["--tracking-uri", "sqlite:////nowhere/at/all.db"], "is not a folder"),
    "a store of no kind": (["--tracking-uri", "gopher://x"], "cannot be used"),
    "an unknown executor": (["--executor", "proceses"], "did you mean 'processes'?"),
    "a report of no kind": (["-o", "report.pdf"], "allowed are .html"),
    "nothing to resume": (["--resume"], "nothing to resume"),
    "a name too long for a file": (["x" * 5000], "is not known"),
    "a gate whose name has two tables": (["gate=a/t.csv,b/t.csv"], "names 2 tables"),
    "more than could be accounted for": (["seeds=0:4294967296"], "allowed in one sweep"),
    "a store whose name a URI would change": (["--tracking-uri", "sqlite:///a%41.db"], "allowed are paths without"),
    "a store that is a folder": (["--tracking-uri", "sqlite:///"], "is no file; allowed are"),
    "a store whose name no file can have": (["--tracking-uri", f"sqlite:///{'x' * 5000}.db"], "allowed are 255"),
    "artifacts where a file is": (["--tracking-uri", "sqlite:///b/x.db"], "allowed is one for artifacts"),
    "a cluster that does not answer": (["--executor", "dask://127.0.0.1:9"], "does not answer"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_one_clear_message(bench, folder, monkeypatch, words, said):
    """What, got, allowed on stderr; exit status 2; nothing on stdout; no sweep begun."""
    monkeypatch.setattr("bench.running.dask_executor.REACH_S", 0.5)
    (folder / "text.csv").write_text("observation,input1,output\n1,0,0\n2,many,1\n")
    for place, output in (("a", 0), ("b", 1)):
        (folder / place).mkdir()
        (folder / place / "t.csv").write_text(f"observation,input1,output\n1,0,{output}\n")
    (folder / "b" / "mlruns").write_text("")
    ran = bench("sweep", "iterations=20", "seeds=0:2" if not words[0].startswith("seeds") else "curve_points=5", *words)
    assert ran.status == 2
    assert said in ran.err
    assert ran.err.startswith("bench: ")
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert bench("list", "--json").json["sweeps"] == []


def test_all_mistakes_of_a_request_are_told_at_once(bench):
    """Two wrong values give two sentences."""
    ran = bench("sweep", "loss=mce", "hidden=99")
    assert "mce" in ran.err
    assert "99" in ran.err


def test_hundreds_of_seeds_can_be_listed(bench):
    """A long word is no file name."""
    ran = bench("sweep", "seeds=" + ",".join(str(2 * seed) for seed in range(300)), "--dry-run")
    assert "1 trial, 300 trainings" in ran.out


def test_a_wrong_option_has_the_exit_status_of_a_wrong_request(bench):
    """Options are requests too."""
    assert bench("sweep", "--wrokers", 2).status == 2


PERCEPTRONS = """
title = "Perceptrons"
[[grid]]
gate = "xor"
hidden = 0
iterations = 50
seeds = "0:5"
"""
HELD, REFUTED, UNDECIDED = (
    f'[[claim]]\nid = "{name}"\nsource = "me"\nwhat = "{words}"\nwhere = {{ gate = "xor" }}\n'
    f'event = {{ outcome = "solved" }}\n{bound} = {value}\n'
    for name, words, bound, value in (
        ("a", "not most perceptrons solve XOR", "below", 0.6),
        ("b", "a perceptron solves XOR", "always", "true"),
        ("c", "no perceptron solves XOR", "never", "true"),
    )
)
CLAIMED = {
    "all hold": (HELD, 0, 0, "1 of 1 claims hold"),
    "one is refuted": (HELD + REFUTED, 1, 1, "1 of 2 claims hold, 1 refuted"),
    "one is undecided": (HELD + UNDECIDED, 3, 1, "1 of 2 claims hold, 1 undecided"),
    "one is refuted and one undecided": (REFUTED + UNDECIDED, 1, 1, "0 of 2 claims hold, 1 refuted, 1 undecided"),
}


@pytest.mark.untraced
@pytest.mark.parametrize(("claims", "status", "strict", "said"), CLAIMED.values(), ids=CLAIMED.keys())
def test_what_became_of_the_claims_is_the_exit_status(bench, folder, claims, status, strict, said):
    """1 where one is refuted, 3 where all that is left is undecided, which --strict makes 1."""
    (folder / "p.toml").write_text(PERCEPTRONS + claims)
    ran = bench("sweep", "p.toml", "--no-report")
    assert (ran.status, said in ran.err) == (status, True)
    assert bench("sweep", "p.toml", "--no-report", "--json", "--strict").status == strict


@pytest.mark.untraced
def test_claims_that_do_not_hold_are_listed_with_the_seeds_that_would_decide(bench, folder):
    """Of those that are undecided; what is refuted needs no more seeds."""
    (folder / "p.toml").write_text(PERCEPTRONS + HELD + REFUTED + UNDECIDED)
    for on, more in (("out", []), ("err", ["--json"])):
        table = getattr(bench("sweep", "p.toml", "--no-report", *more), on).splitlines()
        (refuted,), (undecided,) = ([line for line in table if f" {mark} " in line] for mark in "✗?")
        assert "0 of 5; about 180 seeds would decide" in undecided
        assert "a perceptron solves XOR" in refuted
        assert "would decide" not in refuted
        assert not any("not most perceptrons" in line for line in table)


def test_a_failed_training_is_worse_than_an_undecided_claim(bench, folder, monkeypatch):
    """The exit status is that of what went wrong."""
    from bench.backends import numpy_loop

    def crash(self, batch):
        raise RuntimeError("the floor is lava")

    monkeypatch.setattr(numpy_loop.NumpyLoop, "group", crash)
    (folder / "p.toml").write_text(PERCEPTRONS.replace("hidden = 0", 'hidden = 0\nbackend = "numpy"') + UNDECIDED)
    assert bench("sweep", "p.toml", "--no-report", "--executor", "serial").status == 1


def test_a_failed_training_gives_exit_status_one(bench, monkeypatch):
    """A training that crashed is kept with its reason, and is the exit status."""
    from bench.backends import numpy_loop

    def crash(self, batch):
        raise RuntimeError("the floor is lava")

    monkeypatch.setattr(numpy_loop.NumpyLoop, "group", crash)
    ran = bench("sweep", "backend=numpy", "iterations=20", "seeds=0:3", "--json", "--no-report", "--executor", "serial")
    assert ran.status == 1
    assert ran.json["outcomes"]["failed"] == 3


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_unsupported_trainings_are_data(bench, folder):
    """A backend's refusal is an outcome with its reason, not an error."""
    ran = bench("sweep", "iterations=20", "seeds=0:2", "summation=library,fma", "--json")
    assert ran.status == 0
    assert ran.json["outcomes"]["unsupported"] == 2
    assert "2 trainings unsupported: backend numba has no summation 'fma'; it has library" in ran.err
    bench("export", "-o", "x.parquet")
    rows = pd.read_parquet("x.parquet")
    assert rows[c.REASON].dropna().unique().tolist() == ["backend numba has no summation 'fma'; it has library"]
    assert not rows.loc[rows[c.OUTCOME] == "unsupported", c.SOLVED].any()


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_a_gate_of_ones_own_is_trained_and_named(bench, folder):
    """A CSV gate appears under its file's name, in the export and the report."""
    rows = [(a, b, d, int(a + b + d >= 2)) for a in (0, 1) for b in (0, 1) for d in (0, 1)]
    lines = [f"{i},{a},{b},{d},{t}" for i, (a, b, d, t) in enumerate(rows, 1)]
    (folder / "majority.csv").write_text("observation,input1,input2,input3,output\n" + "\n".join(lines))
    ran = bench(
        *("sweep", "gate=majority.csv", "backend=numpy", "learning_rate=5", "iterations=500", "seeds=0:4"),
        *("-o", "r.html", "--json"),
    )
    assert ran.json["outcomes"]["solved"] == 4
    assert "majority" in (folder / "r.html").read_text()
    bench("export", "-o", "x.csv")
    assert set(pd.read_csv("x.csv")[c.GATE]) == {"majority"}


def test_list_shows_experiments_and_sweeps(bench):
    """Both are listed, for people and for scripts."""
    bench("sweep", "iterations=20", "seeds=0:2", "--no-report")
    listed = bench("list", "--json").json
    assert {"documents", "printed", "sensitivity"} <= set(listed["experiments"])
    assert listed["sweeps"][0]["command"] == "python -m bench sweep iterations=20 seeds=0:2"
    shown = bench("list").out
    assert "sensitivity" in shown
    assert listed["sweeps"][0]["sweep"][:8] in shown


def test_list_does_not_create_a_store(bench, folder):
    """Looking leaves nothing behind."""
    (folder / "mlflow.db").unlink()
    assert bench("list").status == 0
    assert not (folder / "mlflow.db").exists()


@pytest.mark.parametrize("words", [["report"], ["export", "-o", "x.csv"], ["ui"]])
def test_nothing_can_be_shown_of_a_store_that_is_not_there(bench, folder, words):
    """report, export and ui say what to do first."""
    (folder / "mlflow.db").unlink()
    ran = bench(*words)
    assert ran.status == 2
    assert "python -m bench sweep" in ran.err


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_a_report_can_be_written_again_and_of_several_sweeps(bench, folder):
    """Report takes sweeps by the beginnings of their ids."""
    first = bench("sweep", "iterations=20", "seeds=0:2", "--json").json["sweep"]
    second = bench("sweep", "gate=or", "iterations=20", "seeds=0:2", "--json").json["sweep"]
    assert bench("report", first[:8], second[:8], "-o", "both.html").status == 0
    page = (folder / "both.html").read_text()
    assert first[:8] in page
    assert second[:8] in page
    assert "2 sweeps side by side" in page
    assert "They differ in gate; everything else is the same in each setting." in page


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_sweeps_of_the_same_trials_are_compared_by_their_rates(bench, folder):
    """A trial that both have has both rates, each with its own n."""
    for seeds in ("0:2", "0:4"):
        bench("sweep", "iterations=20", f"seeds={seeds}", "--no-report")
    one, other = (sweep["sweep"] for sweep in bench("list", "--json").json["sweeps"])
    bench("report", one, other, "-o", "both.html")
    page = (folder / "both.html").read_text()
    assert "Solved rates of the trials that both have" in page
    assert "n = 2" in page
    assert "n = 4" in page


def test_a_sweep_that_does_not_exist_is_said(command, tiny):
    """The message names some that do."""
    sweep = json.loads((tiny / "out").read_text())["sweep"]
    for given in ("zzzzzzzz", "ab" if not sweep.startswith("ab") else "cd"):
        ran = command(tiny, "export", given, "-o", "x.csv")
        assert ran.status == 2
        assert f"{given!r} is not in" in ran.err
        assert sweep[:8] in ran.err


def test_help_imports_nothing_heavy():
    """--help answers without torch, MLflow, pandas or matplotlib."""
    code = (
        "import sys; sys.argv = ['bench', '--help']\n"
        "import runpy\n"
        "try: runpy.run_module('bench', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'mlflow', 'pandas', 'numpy', 'matplotlib', 'optuna', 'pydantic'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "sweep" in done.stdout


def test_a_small_sweep_imports_nothing_that_it_does_not_use(folder):
    """What nobody asked for costs seconds; the count is of all that is imported, MLflow's 1,500 modules included."""
    words = ["sweep", "hidden=2,3", "seeds=0:5", "iterations=20", "--no-report", "--json"]
    code = (
        "import sys; sys.argv = ['bench', *sys.argv[1:]]\n"
        "from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'jax', 'distributed', 'optuna', 'matplotlib', 'seaborn', 'sklearn', 'scipy.stats'}\n"
        "print(sorted((heavy | {'scipy.optimize', 'scipy.cluster', 'PIL', 'numba.cuda'}) & set(sys.modules)))\n"
        "print(len(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    heavy, count = done.stdout.splitlines()[-2:]
    assert heavy == "[]"
    assert int(count) < 3_000


def test_an_interrupt_while_libraries_are_imported_is_one_line(folder):
    """Exit status 130, and the words that nothing was begun."""
    process = subprocess.Popen([sys.executable, "-m", "bench", "sweep"], stderr=subprocess.PIPE, text=True)
    libraries = Path(f"/proc/{process.pid}/maps")
    while process.poll() is None and "/numpy/" not in libraries.read_text():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err == "bench: interrupted; nothing was begun\n"
    # a shell calls both 130: Python repeats the signal if it came in code that a library made from text
    assert process.returncode in {130, -signal.SIGINT}


def test_an_interrupt_where_something_may_have_been_done_does_not_say_otherwise(bench, monkeypatch):
    """One line and exit status 130 all the same."""
    from bench.config import files

    monkeypatch.setattr(files, "experiments", lambda: signal.raise_signal(signal.SIGINT))
    ran = bench("list")
    assert (ran.status, ran.out, ran.err) == (130, "", "bench: interrupted\n")


def test_ui_serves_the_store_to_this_machine_only(bench, folder, monkeypatch):
    """The UI is MLflow's own, on the loopback address."""
    import os

    seen = []
    monkeypatch.setattr(os, "execv", lambda _, words: seen.append(words))
    bench("ui", "--port", 5123)
    assert seen[0][1:4] == ["-m", "mlflow", "ui"]
    assert seen[0][seen[0].index("--host") + 1] == "127.0.0.1"
    assert seen[0][seen[0].index("--backend-store-uri") + 1] == "sqlite:///mlflow.db"


def test_a_report_that_could_not_be_written_is_told_before_training(bench, folder):
    """Where reports/ is a file, nothing is trained."""
    (folder / "reports").write_text("")
    ran = bench("sweep", "iterations=20", "seeds=0:2")
    assert ran.status == 2
    assert "is not a folder" in ran.err
    assert bench("list", "--json").json["sweeps"] == []


def test_list_tells_of_a_file_that_it_cannot_read(bench, folder):
    """One bad file hides none of the others; titles are text."""
    (folder / "experiments").mkdir()
    (folder / "experiments" / "broken.toml").write_text("title = = 1")
    (folder / "experiments" / "odd.toml").write_text('title = "[/red] oops"\n[[grid]]\n')
    ran = bench("list")
    assert ran.status == 0
    assert "cannot be read" in ran.out
    assert "[/red] oops" in ran.out


@pytest.mark.untraced
def test_an_export_makes_its_folder(bench, folder):
    """As a report does."""
    bench("sweep", "iterations=20", "seeds=0:2", "--no-report")
    assert bench("export", "-o", "new/x.csv").status == 0
    assert (folder / "new" / "x.csv").is_file()


def test_a_store_that_fails_midway_is_one_message(bench, monkeypatch):
    """What was written is safe, and the message says how to go on; no traceback."""
    from bench.store.mlflow_store import StoreError
    from bench.store.writer import SweepWriter

    def fail(self, table):
        raise StoreError("the server is gone")

    monkeypatch.setattr(SweepWriter, "shard", fail)
    ran = bench("sweep", "iterations=20", "seeds=0:2", "--json")
    assert ran.status == 1
    assert "the server is gone" in ran.err
    assert "--resume" in ran.err
    assert ran.json["sweep"]


def test_trainings_that_cannot_be_read_back_leave_the_sweep_unfinished(bench, monkeypatch):
    """FINISHED says that all is there."""
    from bench.store.writer import SweepWriter

    monkeypatch.setattr(SweepWriter, "shard", lambda self, table: None)
    ran = bench("sweep", "iterations=20", "seeds=0:2", "--no-report", "--json")
    assert ran.status == 1
    assert "only 0 of 2" in ran.err
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seeds=100", "seeds=100 is one seed; 100 of them are seeds=0:100\n"),
        ("hidden=2-16", "hidden=2-16 is two layers, of 2 and 16 neurons; the numbers between are hidden=2..16\n"),
        ("hidden=4-4", ""),
        ("seeds=1", ""),
        ("seeds=0:100", ""),
    ],
)
def test_what_may_be_meant_otherwise_is_said_first(bench, word, said):
    """It works as it is written."""
    ran = bench("sweep", word, "--dry-run", "--json")
    assert (ran.status, ran.err) == (0, said)


def test_a_suggestion_is_near(bench):
    """The sampler that is named is not the only one with an a and an e."""
    ran = bench("sweep", "hidden=2..4", "search.sampler=bayes")
    assert ran.status == 2
    assert "choose from cmaes" in ran.err
    assert "did you mean" not in ran.err


def left_unfinished(bench, monkeypatch, shards):
    """Leave a sweep after so many of its shards."""
    from bench.store.mlflow_store import StoreError
    from bench.store.writer import SweepWriter

    write, calls = SweepWriter.shard, []

    def fail(self, table):
        calls.append(1)
        if len(calls) > shards:
            raise StoreError("gone")
        write(self, table)

    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "shard", fail)
        return bench("sweep", *UNFINISHED, "--json").json["sweep"]


UNFINISHED = ("hidden=2,3,4", "backend=numpy", "iterations=20", "seeds=0:4", "--no-report", "--workers", "1")


def test_an_unfinished_sweep_is_said_and_the_one_with_most_is_gone_on_with(bench, monkeypatch, small_shards):
    """Not the newest: whoever begins anew by mistake loses nothing."""
    monkeypatch.setattr("bench.running.chunks.CHUNK_NUMBERS", 1)
    most = left_unfinished(bench, monkeypatch, 5)
    less = left_unfinished(bench, monkeypatch, 1)
    assert most != less
    ran = bench("sweep", *UNFINISHED, "--resume", "--json")
    assert (ran.status, ran.json["sweep"]) == (0, most)
    begun = bench("sweep", *UNFINISHED, "--json")
    assert begun.status == 0
    assert f"sweep {less[:8]} of the same request is not finished: 1 of 12 trainings are there" in begun.err
    assert "--resume would go on with it; this one begins anew" in begun.err
    assert "is not finished" not in bench("sweep", "hidden=2", "iterations=20", "seeds=0:2", "--no-report").err

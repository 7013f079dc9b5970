"""The Python API: what it offers, what it takes, and that it gives what the command line gives."""

import inspect
import os
import pickle
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

import bench as api
from bench.api import Parameters
from bench.backends.numpy_loop import NumpyLoop
from bench.config.plan import make_plan
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.outcome import NEVER, Batch
from bench.model.trial import PARAMETERS, Trial
from bench.request import read_request
from bench.store.writer import SweepWriter

ROOT = Path(__file__).parent.parent
WORDS = ("gate=xor", "hidden=0,3", "loss=mse,bce", "learning_rate=2.0", "iterations=60", "backend=numpy", "seeds=0:5")
NAMED = {
    "gate": "xor",
    "hidden": [0, 3],
    "loss": ["mse", "bce"],
    "learning_rate": 2.0,
    "iterations": 60,
    "backend": "numpy",
    "seeds": range(5),
}
FEW_RUNS = {"runs": "trial"}  # none per training, which would take a tenth of a second each
CLAIMS = [
    {
        "id": "some",
        "source": "me",
        "what": "OR is solved",
        "where": {"hidden": 0},
        "event": {"outcome": "solved"},
        "above": 0.2,
    },
    {
        "id": "all",
        "source": "me",
        "what": "it never is",
        "where": {"hidden": 0},
        "event": {"outcome": "solved"},
        "never": True,
    },
]
QUESTION = {
    "title": "Is OR learnt?",
    "defaults": {"gate": "or", "iterations": 300, "learning_rate": 5.0, "backend": "numpy"},
    "grid": [{"hidden": [0, 2], "seeds": "0:6"}],
    "claim": CLAIMS,
}


@pytest.fixture(scope="module")
def done(tmp_path_factory, blank_store):
    """A sweep with claims, in a folder of its own, which stays the working folder."""
    folder = tmp_path_factory.mktemp("api")
    shutil.copy(blank_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield api.sweep(QUESTION, **FEW_RUNS)


# ------------------------------------------------------------------ what there is


def test_what_is_public_is_what_is_exported():
    """Every public name is there and documented, and nothing else is."""
    found = {name: getattr(api, name) for name in api.__all__}
    assert all(inspect.getdoc(one) for one in found.values())
    own = {name for name, value in vars(api).items() if not name.startswith("_") and inspect.ismodule(value) is False}
    assert own - {"TYPE_CHECKING"} == set(api.__all__)
    assert dir(api) == sorted(api.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'sweeps'; it has Backend, Batch"):
        _ = api.sweeps


def test_what_an_editor_sees_is_what_is_exported():
    """Type checkers are shown every public name, from where it is imported."""
    code = (ROOT / "bench" / "__init__.py").read_text()
    seen = dict(
        line.strip().removeprefix("from bench.").split(" import ")
        for line in code.splitlines()
        if " import " in line and line.startswith("    from bench")
    )
    homes = {name: home for home, names in seen.items() for name in names.split(", ")}
    assert homes == api._HOMES


@pytest.mark.parametrize("name", ["trainings", "trials", "claims", "findings", "plan", "status", "outcomes", "report"])
def test_all_of_a_sweep_is_documented(name):
    """What there is, in which unit."""
    assert inspect.getdoc(getattr(api.Sweep, name))


def test_an_editor_completes_every_parameter():
    """By their names; and each option of the command line is one of the function's."""
    assert set(Parameters.__annotations__) == {*PARAMETERS, "seeds", "alone", "rounds", "search"}
    assert [declared.name for declared in fields(Trial)] == [
        name for name in Parameters.__annotations__ if name in PARAMETERS
    ]
    asked = inspect.signature(api.sweep).parameters
    assert {"workers", "executor", "tracking_uri", "resume", "until", "max_seeds", "runs", "report"} <= set(asked)


def loaded(code):
    """Return the names of the modules that some code imports in a fresh interpreter."""
    code = f"import sys; before = set(sys.modules)\n{code}\nprint('\\n'.join(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_it_is_cheap():
    """It imports nothing but itself: whatever is asked for comes with its first use."""
    assert {name for name in loaded("import bench") if name.startswith("bench")} == {"bench"}
    assert len(loaded("import bench")) < 40  # what typing needs
    heavy = {"pandas", "mlflow", "scipy", "matplotlib", "torch", "numba", "pydantic"}
    assert not heavy & loaded("import bench; bench.Trial, bench.Batch, bench.RequestError, bench.train")


def test_training_by_itself_imports_no_store():
    """Nor what reads one."""
    found = loaded("import bench; bench.train(bench.Trial(backend='numpy', iterations=1), seeds=range(2))")
    assert "numpy" in found
    assert not {"mlflow", "matplotlib", "optuna", "torch", "numba"} & found


def test_a_grid_imports_no_optuna_and_draws_nothing():
    """They take seconds, and are for a search, and for a report."""
    assert not {"optuna", "matplotlib", "seaborn", "sklearn"} & loaded("import bench.lifecycle")


# ------------------------------------------------------------------ what it takes


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (NAMED, WORDS),
        ({"hidden": [(4, 4), 3]}, ["hidden=4-4,3"]),
        ({"hidden": [[4, 4], 3]}, ["hidden=4-4,3"]),
        ({"hidden": (2, 3)}, ["hidden=2-3"]),
        ({"hidden": np.arange(2, 5)}, ["hidden=2,3,4"]),
        ({"hidden": range(2, 5)}, ["hidden=2,3,4"]),
        ({"learning_rate": np.float64(0.1)}, ["learning_rate=0.1"]),
        ({"iterations": 1e3}, ["iterations=1000"]),
        ({"output_bias": [True, False]}, ["output_bias=true,false"]),
        ({"output_bias": np.bool_(False)}, ["output_bias=false"]),
        ({"seeds": [3, 1, 2]}, ["seeds=1:4"]),
        ({"seeds": range(0, 9, 3)}, ["seeds=0,3,6"]),
        ({"seeds": np.arange(4)}, ["seeds=0:4"]),
        ({"seeds": "0:4"}, ["seeds=0:4"]),
        ({"seeds": range(4_000_000_000)}, ["seeds=0:4000000000"]),
        ({"alone": True, "rounds": 3}, ["alone=true", "rounds=3"]),
        (
            {"hidden": "2..4", "search": {"trials": 5, "prune": None}},
            ["hidden=2..4", "search.trials=5", "search.prune=none"],
        ),
        (
            {"hidden": "2..4", "search": {"seeds": range(9), "batch": 2, "objective": ("rmst", "parameters")}},
            ["hidden=2..4", "search.seeds=0:9", "search.batch=2", "search.objective=rmst,parameters"],
        ),
    ],
)  # fmt: skip
def test_pythons_values_ask_what_the_words_ask(named, words, monkeypatch):
    """Lists, tuples of layers, ranges, NumPy's numbers."""
    monkeypatch.setattr("bench.config.plan.MOST_TRAININGS", 10**12)
    asked, said = read_request((), named), read_request(words)
    assert make_plan(asked).plan_id == make_plan(said).plan_id
    assert make_plan(read_request(shlex.split(asked.command)[4:])).plan_id == make_plan(said).plan_id


@given(
    st.lists(st.integers(0, 64), min_size=1, max_size=3),
    st.floats(1e-9, 1e9),
    st.booleans(),
    st.sets(st.integers(0, 2000), min_size=1, max_size=40),
)
def test_any_values_ask_what_their_command_asks(hidden, learning_rate, output_bias, seeds):
    """Down to the last bit of a number."""
    asked = read_request(
        (), {"hidden": hidden, "learning_rate": learning_rate, "output_bias": output_bias, "seeds": seeds}
    )
    plan = make_plan(asked)
    assert make_plan(read_request(shlex.split(asked.command)[4:])).plan_id == plan.plan_id
    trials = [Trial(hidden=h, learning_rate=learning_rate, output_bias=output_bias) for h in dict.fromkeys(hidden)]
    assert [p.trial.trial_id for p in plan.trials] == [trial.trial_id for trial in trials]
    assert all(set(p.seeds) == seeds for p in plan.trials)


def test_the_content_of_a_file_is_asked_again_by_its_command(monkeypatch):
    """It is a line of Python, and resumes where the command line does."""
    content = QUESTION | {"grid": [{"hidden": [(4, 4), 2], "seeds": range(6)}]}
    asked = read_request([content], {"loss": "bce"}, 0.1, 50)
    python, option, script = shlex.split(asked.command)
    assert (python, option) == ("python", "-c")
    seen = []
    monkeypatch.setattr(api, "sweep", lambda *question, **options: seen.append((question, options)))
    monkeypatch.setattr(sys, "argv", ["-c", "--resume"])
    exec(script, {})
    ((question, options),) = seen
    assert options.pop("resume") is True
    assert make_plan(read_request(question, {}, **options)).plan_id == make_plan(asked).plan_id
    assert asked.claims_left_out


WRONG = {
    "an unknown parameter": ((), {"hiden": 3}, "did you mean 'hidden'?"),
    "an unknown value": ((), {"backend": "nunpy"}, "did you mean 'numpy'?"),
    "a value that is no such thing": ((), {"hidden": {"low": 2}}, "allowed are values, lists of them, and ranges"),
    "an empty list": ((), {"hidden": []}, "hidden is an empty list; allowed is at least one value"),
    "no seeds": ((), {"seeds": range(0)}, "which holds no seed"),
    "seeds below zero": ((), {"seeds": range(-1, 3)}, "allowed are 0:200, 7 or 0,3,5"),
    "half a seed": ((), {"seeds": [0.5]}, "allowed are 0:200, 7 or 0,3,5"),
    "two of one": (("hidden=2",), {"hidden": 3}, "hidden is given twice"),
    "a question that is none": ((3,), {}, "got 3; allowed are words such as 'gate=xor'"),
    "a file that is not there": ((Path("nowhere/x.toml"),), {}, "does not exist"),
    "two experiments": (("printed", {"grid": []}), {}, "allowed is one"),
    "content with another key": (({"grids": []},), {}, "did you mean 'grid'?"),
    "content that is wrong": (({"grid": [{"hidden": 99}]},), {}, "adhoc: grid 1: hidden is 99"),
    "content without a grid": (({"title": "t"},), {}, "there is no [[grid]], no [[map]] and no [search]"),
    "options that are none": ((), {"search": 3}, "search is 3; allowed is a dict"),
    "no workers": ((), {"workers": 0}, "workers is 0; allowed are whole numbers from 1"),
    "an unknown executor": ((), {"executor": "proceses"}, "did you mean 'processes'?"),
    "an unknown kind of runs": ((), {"runs": "all"}, "runs 'all' is not known"),
    "a report of no kind": ((), {"report": "r.pdf"}, "allowed are .html"),
    "a width of nothing": ((), {"until": 0}, "until is 0; allowed are"),
    "a list in a list": ((), {"learning_rate": [[1, 2]]}, "learning_rate holds [1, 2]; allowed are values"),
    "a table in a list": ((), {"hidden": [{}]}, "hidden holds {}"),
    "bytes": ((), {"gate": b"xor"}, "gate \"b'xor'\" is not known"),
    "nothing, which is no optimizer": ((), {"optimizer": None}, "optimizer is None; allowed are values"),
    "nothing among values": ((), {"momentum": [0.5, None]}, "momentum is None; allowed are values"),
    "an executor of no kind": ((), {"executor": None}, "executor is None; allowed is text"),
    "a report of no type": ((), {"report": 3}, "report is 3; allowed is a path, True or False"),
    "a flag in words": ((), {"resume": "yes"}, "resume is 'yes'; allowed are true and false"),
    "a store of no type": ((), {"tracking_uri": Path("x.db")}, "allowed is text such as 'sqlite:///mlflow.db'"),
    "nothing to resume": ((), {"resume": True}, "nothing to resume"),
}


@pytest.mark.parametrize(("question", "options", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_an_error_before_any_work(folder, question, options, said):
    """What, got, allowed; and no sweep is begun."""
    with pytest.raises(api.RequestError) as wrong:
        api.sweep(*question, **options)
    assert any(said in problem for problem in wrong.value.problems), wrong.value.problems
    assert not list(folder.rglob("shards"))
    with pytest.raises(RequestError, match="there is no sweep"):
        api.load()


@pytest.mark.parametrize("seeds", [b"0:3", {1: 2}, 1.5, object(), None, True])
def test_what_are_no_seeds_is_said(seeds):
    """Bytes are numbers to Python, and a table its keys."""
    with pytest.raises(RequestError, match=r"^seeds? "):
        api.train(Trial(backend="numpy", iterations=1), seeds=seeds)


@pytest.mark.parametrize("weights", ["abc", [[1j] * 13]])
def test_weights_are_real_numbers(weights):
    """Others are refused, not cut down to their real parts."""
    with pytest.raises(RequestError, match="allowed are real numbers"):
        api.Batch(Trial(), weights)


def test_a_trial_takes_what_a_sweep_takes(folder):
    """A table of one's own, and NumPy's numbers."""
    (folder / "t.csv").write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    values = {"hidden_bias": np.True_, "iterations": np.int64(20), "learning_rate": np.float32(0.5)}
    trial = Trial(gate="t.csv", backend="numpy", **values)
    swept = api.sweep(gate="t.csv", backend="numpy", seeds=[0], **values)
    assert list(swept.trials[c.TRIAL_ID]) == [trial.trial_id]


def test_who_writes_a_number_for_seeds_is_told_that_it_is_one():
    """As in a file, and on the command line; a list of one says that one is meant."""
    trial = Trial(backend="numpy", iterations=1)
    with pytest.warns(
        UserWarning, match=r'^seeds=100 is one seed; 100 of them are seeds=range\(100\) or "0:100"'
    ) as told:
        one = api.train(trial, seeds=100)
    assert told[0].filename == __file__
    np.testing.assert_array_equal(one.weights_TP, api.train(trial, seeds=[100]).weights_TP)
    with pytest.warns(UserWarning, match="seeds=50 is one seed"):
        api.train(trial, seeds=np.int64(50))


# ------------------------------------------------------------------ what comes of it


def rows(bench, sweep):
    """Return what the command line exports of a sweep, but for its timing."""
    assert bench("export", sweep, "-o", "x.parquet").status == 0
    return pd.read_parquet("x.parquet").drop(columns=c.ITERATION_US)


@pytest.mark.untraced
def test_however_it_is_asked_the_rows_are_those_of_the_command_line(bench, folder):
    """In words, by name, as content, from a file: bit for bit."""
    ours = rows(bench, bench("sweep", *WORDS, "--no-report", "--json").json["sweep"])
    text = 'gate = "xor"\nhidden = [0, 3]\nloss = ["mse", "bce"]\nlearning_rate = 2.0\niterations = 60\n'
    (folder / "mine.toml").write_text(f'[[grid]]\n{text}backend = "numpy"\nseeds = "0:9"\n')
    asked = [
        api.sweep("hidden=0,3", **{name: value for name, value in NAMED.items() if name != "hidden"}, **FEW_RUNS),
        api.sweep(
            {"defaults": {"gate": "xor", "iterations": 60}, "grid": [NAMED]}, workers=1, executor="serial", **FEW_RUNS
        ),
        api.sweep(Path("mine.toml"), "seeds=0:5", **FEW_RUNS),
    ]
    for swept in asked:
        pd.testing.assert_frame_equal(rows(bench, swept.id), ours)
        own = swept.trainings.drop(columns=c.ITERATION_US)
        pd.testing.assert_frame_equal(own, ours, check_dtype=False)
        assert swept.status == "FINISHED"
    assert asked[0].plan.question.command == "python -m bench sweep hidden=0,3 " + " ".join(
        w for w in WORDS if "hidden" not in w
    )


@pytest.mark.untraced
def test_a_trial_has_its_counts_its_rate_and_its_times(done):
    """The counts are those of the rows, the intervals those of the formulas."""
    by_trial = done.trainings.groupby(c.TRIAL_ID, sort=False)
    trials = done.trials.set_index(c.TRIAL_ID)
    assert list(trials.index) == [name for name, _ in by_trial]
    assert list(trials[c.HIDDEN]) == [0, 2]
    assert list(trials["trainings"]) == [6, 6]
    for name, its in by_trial:
        row, solved = trials.loc[name], int((its[c.OUTCOME] == "solved").sum())
        assert {out: row[out] for out in done.outcomes} == {
            out: int((its[c.OUTCOME] == out).sum()) for out in done.outcomes
        }
        assert row["solved_rate"] == solved / 6
        low, high = proportion_confint(solved, 6, method="beta")
        assert (row["solved_rate_low"], row["solved_rate_high"]) == pytest.approx((low, high))
        times = its[c.SOLVED_AT].where(its[c.SOLVED]).fillna(300).astype(float)
        assert row["rmst"] == pytest.approx(times.mean())
        assert row["rmst_low"] < row["rmst"] < row["rmst_high"]
        if solved >= 3:
            assert row["median_solved_at"] == np.sort(times)[2]
    assert sum(done.outcomes.values()) == 12


@pytest.mark.untraced
def test_what_a_backend_refuses_has_no_rate(folder):
    """Its trainings are counted all the same."""
    swept = api.sweep(summation="fma", iterations=20, seeds=range(3))
    (row,) = swept.trials.to_dict("records")
    assert (row["trainings"], row["unsupported"]) == (3, 3)
    assert pd.isna(row["solved_rate"])
    assert pd.isna(row["median_solved_at"])
    assert "3 unsupported" in repr(swept)


@pytest.mark.untraced
def test_claims_are_rows_with_their_verdicts(done):
    """As the report has them; of a sweep without claims there are none."""
    assert list(done.claims.columns) == ["id", "source", "what", "expected", "observed", "verdict", "seeds", "holds"]
    assert list(done.claims["id"]) == ["some", "all"]
    assert done.claims["holds"].dtype == bool
    rate = done.trials.query("hidden == 0").iloc[0]
    assert list(done.claims["holds"]) == [rate["solved_rate_low"] > 0.2, rate["solved"] == 0]


@pytest.mark.untraced
def test_findings_have_a_sentence_and_its_evidence(done):
    """What became of the claims, of the parameter that varies, and from how many starts it is solved."""
    claims, question, rates = done.findings[:3]
    assert claims.sentence == "1 of 2 claims hold, 1 refuted."
    assert "solve the same starts, 6 pairs of trainings" in question.sentence
    assert "networks solve OR from 100" in rates.sentence
    assert "12 trainings" in rates.evidence


def test_its_report_goes_where_it_is_said_or_into_reports(done):
    """Its path is returned."""
    assert done.report("here/r.html") == Path("here/r.html").resolve()
    assert "Is OR learnt?" in Path("here/r.html").read_text()
    assert done.report() == Path(f"reports/adhoc-{done.id[:8]}.html").resolve()
    assert Path(f"reports/adhoc-{done.id[:8]}.html").is_file()
    with pytest.raises(RequestError, match=r"allowed are \.html"):
        done.report("r.txt")


@pytest.mark.untraced
def test_a_stored_sweep_is_loaded_by_its_id_the_beginning_of_it_or_as_the_newest(done):
    """It shows what the one that was carried out shows."""
    for given_ in (None, done.id, done.id[:6]):
        found = api.load(given_)
        assert found.id == done.id
        assert repr(found) == repr(done)
    pd.testing.assert_frame_equal(found.trials, done.trials)
    pd.testing.assert_frame_equal(found.trainings, done.trainings)
    pd.testing.assert_frame_equal(found.claims, done.claims)
    with pytest.raises(RequestError, match="is not in"):
        api.load("zzzzzzzz")


def test_it_is_pickled_by_where_it_is_stored(done):
    """Another process reads it from there."""
    found = pickle.loads(pickle.dumps(done))
    pd.testing.assert_frame_equal(found.trials, done.trials)


@pytest.mark.parametrize(
    ("given", "said"),
    [(3, "allowed is its id"), (Path("x"), "allowed is its id"), ("0", "allowed are at least 4 digits of an id")],
)
def test_what_is_no_id_is_said(done, given, said):
    """What, got, allowed."""
    with pytest.raises(RequestError, match=said):
        api.load(given)


def test_what_became_of_each_training_is_read_from_its_outcome(done):
    """A training that was solved may leave again: its last predictions decide."""
    trial = Trial(gate="or", iterations=300, learning_rate=5.0, backend="numpy", hidden=2)
    reading = api.train(trial, seeds="0:6").reading(trial)
    its = done.trainings[done.trainings[c.TRIAL_ID] == trial.trial_id]
    assert list(reading.result_T) == list(its[c.OUTCOME])


def test_loading_creates_no_store(folder):
    """Looking leaves nothing behind."""
    (folder / "mlflow.db").unlink()
    with pytest.raises(RequestError, match="there is no sweep in"):
        api.load()
    with pytest.raises(RequestError, match="there is no sweep in"):
        api.load(tracking_uri="sqlite:///other.db")
    assert not list(folder.iterdir())


def test_it_is_shown_as_its_trials(done):
    """What varies, how surely it is solved, how soon; in words and in HTML."""
    assert repr(done).startswith(f"Sweep {done.id[:8]} of adhoc, finished, 12 trainings: ")
    for shown in (repr(done), done._repr_html_()):
        assert "hidden" in shown
        assert "solved [95 % interval]" in shown
        assert "learning_rate" not in shown


@pytest.mark.untraced
def test_what_it_shows_is_text(folder):
    """A gate may be called what it likes."""
    name = "<img src=x onerror=alert(1)>"
    (folder / f"{name}.csv").write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    Path(f"{name}.toml").write_text('[[grid]]\nhidden = [0, 2]\niterations = 9\nbackend = "numpy"\nseeds = "0:2"\n')
    swept = api.sweep(Path(f"{name}.toml"), gate=[f"{name}.csv", "or"])
    html = swept._repr_html_()
    assert name in repr(swept)
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") == 3


@pytest.mark.untraced
def test_of_many_trials_it_shows_some_and_says_how_many_there_are(folder):
    """A notebook is no place for thousands of rows."""
    swept = api.sweep(hidden=list(range(1, 24)), iterations=2, backend="numpy", seeds=[0], **FEW_RUNS)
    assert len(swept.trials) == 23
    assert "20 of 23 values of hidden; all 23 trials are in .trials" in repr(swept)
    assert swept._repr_html_().count("<tr>") == 21


@pytest.mark.untraced
def test_of_trainings_that_are_not_there_yet_it_says_nothing(folder):
    """They are planned, and missing."""
    swept = api.sweep(hidden=[2, 3], iterations=2, backend="numpy", seeds=range(3), **FEW_RUNS)
    for shard in folder.rglob("shards/*.parquet"):
        shard.unlink()
    found = api.load(swept.id)
    assert list(found.trials["missing"]) == [3, 3]
    assert found.trials["solved_rate"].isna().all()
    assert repr(found).splitlines()[0] == f"Sweep {swept.id[:8]} of adhoc, finished, 6 trainings"


@pytest.mark.untraced
def test_a_search_has_its_best_on_other_seeds(folder):
    """Ranges and options by name."""
    options = {"trials": 4, "batch": 2, "seeds": range(4), "validate": 6, "best": 2}
    space = {"hidden": "2..6", "learning_rate": "0.5..20:log"}
    swept = api.sweep(gate="or", **space, iterations=100, search=options, progress=False, **FEW_RUNS)
    assert len(swept.plan.proposals.studies[0].trials) == 4
    assert len(swept.search_results.held_out) >= 2
    assert swept.seconds["optuna"] > 0


# ------------------------------------------------------------------ ends


def interrupted(monkeypatch, error):
    """Let the second shard of a sweep be its last."""
    keep, calls = SweepWriter.shard, []

    def shard(self, table):
        calls.append(1)
        if len(calls) == 2 and error is not None:
            raise error
        keep(self, table)
        if len(calls) == 1 and error is None:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(SweepWriter, "shard", shard)


LONG = {"hidden": [2, 8], "backend": "numpy", "iterations": 200, "seeds": range(12), "executor": "serial", **FEW_RUNS}


@pytest.mark.untraced
@pytest.mark.usefixtures("small_shards")
def test_an_interrupt_leaves_what_was_finished_and_says_how_to_go_on(folder, bench, monkeypatch):
    """The same call resumes it: every row as if nothing had happened."""
    with monkeypatch.context() as patch:
        interrupted(patch, None)
        with pytest.raises(
            KeyboardInterrupt, match=r"what was written is safe\. Go on with the same call and resume=True"
        ) as told:
            api.sweep(**LONG)
    assert told.value.sweep.status == "KILLED"
    assert 0 < sum(told.value.sweep.outcomes.values()) < 24
    resumed = api.sweep(**LONG, resume=True)
    assert resumed.id == told.value.sweep.id
    assert resumed.status == "FINISHED"
    pd.testing.assert_frame_equal(rows(bench, resumed.id), rows(bench, api.sweep(**LONG).id))


@pytest.mark.untraced
@pytest.mark.usefixtures("small_shards")
def test_a_store_that_fails_is_an_error_with_the_sweep(folder, monkeypatch):
    """What was written before is there."""
    from bench.store.mlflow_store import StoreError

    with monkeypatch.context() as patch:
        interrupted(patch, StoreError("the server is gone"))
        with pytest.raises(api.SweepError, match="the store failed: the server is gone") as failed:
            api.sweep(**LONG)
    assert "Go on with the same call and resume=True" in str(failed.value)
    assert 0 < sum(failed.value.sweep.outcomes.values()) < 24
    assert len(failed.value.sweep.plan.trials) == 2


def test_it_is_silent_where_nobody_looks(folder, capfd):
    """No terminal, no notebook; who asks for progress gets it."""
    request = {"iterations": 9, "backend": "numpy", "seeds": [0], "summation": ["library", "fma"]}
    api.sweep(**request)
    assert capfd.readouterr() == ("", "")
    api.sweep(**request, progress=True)
    said = capfd.readouterr()
    assert said.out == ""
    assert "2 trainings of 2 trials, serial" in said.err
    assert "1 training unsupported" in said.err


@pytest.mark.slow
def test_a_script_needs_no_guard(folder):
    """Worker processes do not run the script that started them."""
    (folder / "script.py").write_text(
        "import bench\n"
        "print('run')\n"
        "swept = bench.sweep(iterations=9, backend='numpy', seeds=range(4), executor='processes', workers=1)\n"
        "print(swept.outcomes['stuck'] + swept.outcomes['slow'])\n"
    )
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.split() == ["run", "4"], done.stderr


# ------------------------------------------------------------------ train


def test_training_a_trial_is_what_a_sweep_does_of_it(done):
    """The same seeds end in the same predictions."""
    trial = Trial(gate="or", iterations=300, learning_rate=5.0, backend="numpy", hidden=2)
    outcome = api.train(trial, seeds="0:6")
    its = done.trainings[done.trainings[c.TRIAL_ID] == trial.trial_id]
    np.testing.assert_array_equal(np.stack(its[c.PREDICTIONS]), outcome.predictions_TN)
    np.testing.assert_array_equal(its[c.SOLVED_AT].fillna(NEVER), outcome.solved_at_T)


def test_trainings_come_back_in_the_order_of_their_seeds():
    """As often as each is given."""
    trial = Trial(backend="numpy", iterations=1, learning_rate=1e-300)
    found = api.train(trial, seeds=np.array([7, 0, 7])).weights_TP
    np.testing.assert_array_equal(found, trial.initial_weights([7, 0, 7]))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_batch_of_ones_own_is_trained_from_its_weights_at_its_rates(backend):
    """As each would be by itself."""
    trial = Trial(hidden=2, iterations=200, backend=backend, dtype="float64")
    weights = trial.initial_weights([0, 1, 2]) * [[1.0], [2.0], [3.0]]
    rates, momentum = [0.5, 1.0, 2.0], [0.0, 0.5, 0.9]
    found = api.train(api.Batch(trial, weights, rates, momentum))
    for place in range(3):
        plain = Trial(
            hidden=2,
            iterations=200,
            backend="numpy",
            dtype="float64",
            learning_rate=rates[place],
            momentum=momentum[place],
        )
        alone = NumpyLoop().train(Batch(plain, weights[place]))
        np.testing.assert_allclose(found.predictions_TN[place], alone.predictions_TN[0], rtol=1e-9)
        np.testing.assert_allclose(found.loss_TC[place], alone.loss_TC[0], rtol=1e-9)


def test_a_batch_takes_its_trials_rates_and_one_rate_for_all():
    """Lists will do, and one row of weights is one training."""
    trial = Trial(hidden=0, learning_rate=0.3, momentum=0.2)
    one = Batch(trial, [0.1, 0.2, 0.3])
    assert (len(one), one.learning_rate_T.tolist(), one.momentum_T.tolist()) == (1, [0.3], [0.2])
    two = Batch(trial, [[0.1, 0.2, 0.3]] * 2, 0.7, [0.1, 0.2])
    assert (two.learning_rate_T.tolist(), two.momentum_T.tolist()) == ([0.7, 0.7], [0.1, 0.2])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Batch(Trial(hidden=0), [0.1, 0.2]), r"weights have the shape \(1, 2\); allowed is \(trainings, 3\)"),
        (lambda: Batch(Trial(hidden=0), np.zeros((1, 2, 3))), r"weights have the shape \(1, 2, 3\)"),
        (lambda: Batch(Trial(hidden=0), np.zeros((2, 3)), [1.0, 2.0, 3.0]), r"learning_rate has the shape \(3,\)"),
        (lambda: Batch(Trial(hidden=0), np.zeros((2, 3)), 1.0, [[0.0]]), r"momentum has the shape \(1, 1\)"),
        (lambda: api.train(Trial()), "seeds is missing"),
        (lambda: api.train(Trial(), seeds=range(0)), "which holds no seed"),
        (lambda: api.train(Trial(), seeds=[0.5]), "allowed are 0:200, 7 or 0,3,5"),
        (lambda: api.train(Batch.of(Trial(), [0]), seeds=[0]), "a Batch has its initial weights"),
        (lambda: api.train("xor"), "got 'xor'; allowed are a bench.Trial and a bench.Batch"),
        (lambda: api.train(Trial(summation="fma"), seeds=[0]), "backend numba has no summation 'fma'"),
    ],
)
def test_a_wrong_training_is_an_error(make, said):
    """What, got, allowed."""
    with pytest.raises(RequestError, match=said):
        make()


# ------------------------------------------------------------------ as it is shown to others


def test_the_lines_of_the_readme_work_as_they_stand(folder, capsys):
    """They are what one tries first."""
    (block,) = [part.partition("```")[0] for part in (ROOT / "README.md").read_text().split("```python\n")[1:]]
    exec(compile(block, "README.md", "exec"), {})
    assert isinstance(api.load(), api.Sweep)


@pytest.mark.untraced
@pytest.mark.slow
def test_the_notebook_runs(folder, monkeypatch):
    """From its first cell to its last, with a bar, a table, two figures and a report, and without a warning."""
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(ROOT / "examples" / "first_steps.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    html = "".join(one.data.get("text/html", "") for one in outputs if "data" in one)
    assert '<progress value="1.0000" max="1">' in html
    assert "<b>Sweep</b>" in html
    assert sum("image/png" in one.get("data", {}) for one in outputs) == 2
    assert [one.text for one in outputs if one.get("name") == "stderr"] == []
    assert (folder / "first_steps.html").is_file()

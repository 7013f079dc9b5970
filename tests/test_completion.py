"""Completion in a shell: what a word may become."""

import contextlib
import io
import os
import subprocess
import sys
import time

import pytest

from bench import completion
from bench.cli import main
from bench.config.overrides import BLOCK_KEYS, MAP_KEYS, SEARCH_KEYS, read_overrides
from bench.config.search_config import SAMPLERS
from bench.metrics.objectives import OBJECTIVES
from bench.model.network import HIDDEN_ACTIVATIONS
from bench.model.trial import BACKENDS, PARAMETERS


@pytest.fixture
def shell(folder, monkeypatch):
    """Ask as a shell does, which reads bytes; return what it is told."""

    def ask(instruction, *words):
        with monkeypatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as err:
            patch.setattr(sys, "argv", ["bench"])
            patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
            patch.setenv("_BENCH_COMPLETE", instruction)
            patch.setenv("COMP_WORDS", " ".join(["bench", *words]))
            patch.setenv("COMP_CWORD", str(len(words)))
            with contextlib.suppress(SystemExit):
                main()
            sys.stdout.flush()
            told = sys.stdout.buffer.getvalue().decode()
        assert err.getvalue() == ""
        return told

    return ask


@pytest.fixture
def complete(shell):
    """Return what the last word may become, as bash, which breaks words at ``=``, or zsh asks."""
    asked = shell

    def ask(*words, shell="zsh"):
        lines = asked(f"{shell}_complete", *words).splitlines()
        return lines[1::3] if shell == "zsh" else [line.partition(",")[2] for line in lines]

    return ask


def test_experiments_are_completed(complete, folder):
    """Those of the working folder too, and one at most is asked for."""
    (folder / "experiments").mkdir()
    (folder / "experiments" / "sensible.toml").write_text('title = "Mine"\n')
    assert complete("sweep", "sens") == ["sensible", "sensitivity"]
    assert complete("sweep", "sensible", "sens") == []
    assert complete("sweep", "gate=xor", "sens") == ["sensible", "sensitivity"]


def test_every_key_that_a_sweep_takes_is_completed(complete):
    """Parameters, seeds, options of a search and of maps; a key alone with its values, since it is no whole word."""
    for key in (*BLOCK_KEYS, *SEARCH_KEYS, *MAP_KEYS):
        assert f"{key}=" in complete("sweep", key)
    assert complete("sweep", "search.samp") == ["search.sampler=", *(f"search.sampler={name}" for name in SAMPLERS)]
    assert complete("sweep", "init_sc") == ["init_scale=", "init_scale=1.0"]


FEW = {
    "backend": BACKENDS,
    "activation": HIDDEN_ACTIVATIONS,
    "hidden_bias": ("true", "false"),
    "alone": ("true", "false"),
    "search.objective": OBJECTIVES,
    "search.baseline": (*SAMPLERS, "none"),
    "search.prune": ("none",),
}


@pytest.mark.parametrize("key", FEW)
def test_values_are_completed_where_there_are_few(complete, key):
    """With their key, or without it where the shell takes them for a word of their own."""
    assert complete("sweep", f"{key}=") == [f"{key}={value}" for value in FEW[key]]
    assert complete("sweep", key, "=", shell="bash") == list(FEW[key])
    first = next(iter(FEW[key]))
    assert first in complete("sweep", "seeds", "=", "0:2", key, "=", first[:2], shell="bash")


def test_what_follows_a_comma_is_another_value(complete, folder):
    """None comes twice, and gates are files of the working folder too."""
    assert complete("sweep", "loss=mse,l1,") == ["loss=mse,l1,bce", "loss=mse,l1,huber", "loss=mse,l1,arctanh"]
    (folder / "mine.csv").touch()
    assert complete("sweep", "gate=xor,m") == ["gate=xor,mine.csv"]


def test_every_value_that_is_offered_is_taken(complete, folder):
    """Of parameters that have many values, the default shows how one is written."""
    assert complete("sweep", "init_table=") == []  # a file, of which there is none here
    for name in PARAMETERS:
        offered = complete("sweep", f"{name}=")
        assert offered or name == "init_table"
        for word in offered:
            read_overrides([word], folder)


def test_sweeps_are_completed_by_their_ids(complete, bench, monkeypatch):
    """Of the store that is asked for, for each command that takes one."""
    sweep = bench("sweep", "iterations=20", "seeds=0:2", "--no-report", "--json").json["sweep"]
    for words in (["report"], ["show"], ["export", "-o", "x.csv"], ["note"], ["title"], ["delete"], ["zoom"]):
        assert complete(*words, sweep[:3]) == [sweep[:8]]
    assert complete("report", sweep, sweep[:10]) == [sweep[:10]]
    assert complete("report", "--tracking-uri", "sqlite:///none.db", sweep[:3]) == []


def test_completion_never_raises(complete, folder, monkeypatch):
    """What cannot be read is not completed."""
    (folder / "mlflow.db").write_text("no database")
    assert complete("report", "") == []

    def fail():
        raise RuntimeError

    monkeypatch.setattr(completion, "experiments", fail)
    assert complete("sweep", "sens") == []
    assert complete("sweep", "nothing=") == []


def test_completion_imports_nothing_heavy(folder):
    """Neither pandas nor MLflow: it answers while one types."""
    code = (
        "import sys; from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'mlflow', 'pandas', 'matplotlib', 'optuna', 'pydantic'} & set(sys.modules)))"
    )
    for words in ("sweep search.sa", "report 12"):
        asked = {"_BENCH_COMPLETE": "fish_complete", "COMP_WORDS": f"bench {words}", "COMP_CWORD": words.split()[-1]}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | asked
        )
        assert done.stdout.splitlines()[-1] == "[]"
        assert done.stderr == ""


@pytest.mark.slow
def test_completion_answers_while_one_types():
    """In less than 0.3 s, the quickest of several: others may be at work."""
    asked = {"_BENCH_COMPLETE": "zsh_complete", "COMP_WORDS": "bench sweep search.sampler=", "COMP_CWORD": "2"}
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bench"], capture_output=True, check=True, env=os.environ | asked)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.3


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(bench, shell, name):
    """The command that is installed, by click's own script; --help says how to switch it on."""
    assert f"_BENCH_COMPLETE={name}_source bench" in bench("--help").out
    told = shell(f"{name}_source")
    assert f"_BENCH_COMPLETE={name}_complete" in told
    assert " bench" in told

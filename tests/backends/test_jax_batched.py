"""What the contract suite does not ask of jax: compilation, groups, sizes, and the package that is missing.

Shapes: T trainings, N observations.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import backends
from bench.backends import jax_batched
from bench.backends.base import Unavailable
from bench.backends.jax_batched import JaxBatched
from bench.backends.numpy_loop import NumpyLoop
from bench.model.gate import Gate
from bench.model.outcome import Batch
from bench.model.trial import Trial

NAMES = ("loss_TC", "predictions_TN", "weights_TP", "solved_at_T", "correct_at_T", "iterations_T")
REFUSAL = "backend jax needs JAX; install it with: pip install 'bench[jax]'"


def train(trial, seeds, **varied):
    """Train these seeds; ``varied`` replaces what varies along T."""
    return JaxBatched().train(replace(Batch.of(trial, seeds), **varied))


def assert_same(one, other, places=slice(None)):
    """Assert that an outcome holds the same numbers as some trainings of another, to the bit."""
    for name in NAMES:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[places], err_msg=name)


@pytest.mark.untraced
def test_a_training_among_hundreds_has_the_numbers_that_it_has_alone():
    """More trainings than a program advances are cut into groups; neither that nor the place changes a number."""
    trial = Trial(hidden=3, momentum=0.5, learning_rate=0.5, iterations=50)
    together = train(trial, range(300))
    assert together.together == jax_batched.LANES
    for seeds in ([0], [299], list(range(100, 170))):
        assert_same(train(trial, seeds), together, seeds)


def test_compilation_is_paid_once_and_is_no_training_time(monkeypatch):
    """Whatever is only data shares the program: budget, curve, rates, reduction, tolerance, stop, targets."""
    monkeypatch.setattr(jax_batched, "PROGRAMS", {})
    trial = Trial(hidden=2, iterations=20)
    first = train(trial, [0])
    assert first.compile_seconds > first.seconds_TC.sum()
    varied = {"iterations": 33, "curve_points": 7, "learning_rate": 0.5, "momentum": 0.9, "reduction": "sum"}
    for values in (varied, {"tolerance": 0.2, "stop": "solved"}, {"gate": "and"}):
        assert train(replace(trial, **{"gate": "xor", **values}), [0, 1]).compile_seconds == 0
    assert len(jax_batched.PROGRAMS) == 1


@pytest.mark.untraced
def test_a_large_table_is_learned_as_by_the_plain_loop():
    """A program advances fewer trainings where each takes much memory."""
    rng = np.random.default_rng(5)
    points = rng.standard_normal((65_536, 3))
    gate = Gate("table", points, (points.sum(axis=1) > 0).astype(float))
    trial = Trial(gate=gate, hidden=32, learning_rate=0.1, iterations=2, dtype="float64")
    assert JaxBatched().group_size(trial) < 5
    found, plain = train(trial, range(2)), NumpyLoop().train(Batch.of(trial, range(2)))
    for name in NAMES:
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-9, err_msg=name)


def test_double_precision_is_no_setting_of_the_process():
    """JAX stays as its user left it."""
    import jax.numpy as jnp

    train(Trial(hidden=0, iterations=1, dtype="float64"), [0])
    assert jnp.zeros(1).dtype == np.float32


def test_loading_it_says_nothing():
    """No warning and no word, in a process of its own."""
    script = "from bench.backends import load; from bench.model.trial import Trial; load('jax').unsupported(Trial())"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")


def test_without_its_package_it_refuses_and_says_what_to_install(monkeypatch):
    """A missing package is data: the trainings become unsupported, with that reason."""
    monkeypatch.setitem(sys.modules, "jax", None)  # as Python itself marks a module that cannot be imported
    monkeypatch.delitem(sys.modules, "bench.backends.jax_batched")
    backend = backends.load("jax")
    assert backend.name == "jax"
    assert backend.unsupported(Trial(backend="jax")) == REFUSAL
    assert backend.cost_us(Trial(backend="jax")) > 0


def test_a_sweep_without_the_package_records_the_refusal(bench, monkeypatch):
    """Exit status and counts are those of trainings that a backend does not support."""
    monkeypatch.setattr("bench.backends.resolve_name", lambda _: (_ for _ in ()).throw(ModuleNotFoundError(name="jax")))
    ran = bench("sweep", "backend=jax", "seeds=0:3", "iterations=5", "--json", "--no-report", "--executor", "serial")
    assert ran.json["outcomes"]["unsupported"] == 3
    bench("export", "-o", "rows.csv")
    assert Path("rows.csv").read_text().count(REFUSAL) == 3


def test_a_package_that_is_no_option_is_missed_aloud(monkeypatch):
    """Only what may be missing is refused; anything else is a broken installation."""
    monkeypatch.setattr(
        "bench.backends.resolve_name", lambda _: (_ for _ in ()).throw(ModuleNotFoundError(name="torch"))
    )
    with pytest.raises(ModuleNotFoundError):
        backends.load("torch")


def test_what_stands_in_never_trains():
    """It was refused before: to train it anyway is a bug."""
    with pytest.raises(AssertionError, match="was asked to train what it refuses"):
        Unavailable("jax", "JAX", "jax").train(Batch.of(Trial(), [0]))


@pytest.mark.skipif(JaxBatched().has_gpu(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused_by_its_name():
    """What, got, allowed."""
    assert JaxBatched().unsupported(Trial(device="cuda")) == (
        "backend jax has no device 'cuda' on this machine; it has cpu"
    )


@pytest.mark.skipif(not JaxBatched().has_gpu(), reason="NO GPU HERE: jax on a GPU is not tested")
def test_a_gpu_trains_what_the_cpu_trains():
    """The same but for rounding."""
    trial = Trial(hidden=4, learning_rate=0.5, iterations=200, dtype="float64")
    cpu, gpu = train(trial, range(10)), train(replace(trial, device="cuda"), range(10))
    np.testing.assert_allclose(gpu.predictions_TN, cpu.predictions_TN, rtol=1e-6)

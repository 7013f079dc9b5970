"""What the contract suite does not ask of jax: compilation, groups, sizes, and the package that is missing.

Shapes: T trainings, N observations.
"""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench import backends
from bench.backends import jax_batched, jax_steps
from bench.backends.base import Unavailable
from bench.backends.jax_batched import JaxBatched
from bench.backends.numpy_loop import NumpyLoop
from bench.backends.numpy_steps import STEPS
from bench.model import threefry
from bench.model.gate import Gate
from bench.model.optimizer import OPTIMIZERS, SCHEDULES, schedule_factors
from bench.model.outcome import Batch
from bench.model.trial import Trial
from bench.testing.backend_contract import BINARY, CONSTANTS, MIXTURES, SUCCESSES

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


@pytest.mark.parametrize("mixture", ["adam", "nesterov"])
def test_a_mixture_of_parameters_is_trained_as_by_the_plain_loop(mixture):
    """And other numbers in it are only data: they share the program."""
    values = {"gate": BINARY, "hidden": 3, "iterations": 30, "dtype": "float64", "optimizer": mixture, "stop": "solved"}
    trial = Trial(**values | MIXTURES[mixture])
    other = {name: value / 2 for name, value in trial.content.items() if name in {"clip", "noise", "beta1", "epsilon"}}
    for one in (trial, replace(trial, **other, weight_decay=trial.weight_decay / 2)):
        found, plain = train(one, range(3)), NumpyLoop().train(Batch.of(one, range(3)))
        for name in NAMES:
            np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-9, atol=1e-10, err_msg=name)
    assert found.compile_seconds == 0


def test_success_is_a_loss_for_some_iterations_in_a_row():
    """Of several outputs, a step for each observation, without an optimizer that would change anything."""
    trial = Trial(**SUCCESSES["a loss, several outputs"] | {"success_loss": 0.3, "update": "online", "hidden": 2})
    trial = replace(trial, iterations=12, stop="solved", learning_rate=0.5, dtype="float64")
    found, plain = train(trial, range(6)), NumpyLoop().train(Batch.of(trial, range(6)))
    assert plain.solved_at_T.min() == 2
    for name in ("solved_at_T", "correct_at_T", "iterations_T"):
        assert getattr(found, name).tolist() == getattr(plain, name).tolist()


@pytest.mark.parametrize("optimizer", ["nesterov", "adam", "adamw", "rmsprop", "signsgd", "normalized"])
def test_optaxs_rule_is_that_of_the_plain_loop(optimizer):
    """Down the same gradients, the third of which is 0."""
    rng = np.random.default_rng(2)
    gradients = rng.standard_normal((4, 5)) * [[1], [10], [0], [0.1]]
    trial = Trial(optimizer=optimizer, dtype="float64", **CONSTANTS[optimizer])
    plain, memory = np.zeros(5), np.zeros((OPTIMIZERS[optimizer].memory, 5))
    for k, gradient in enumerate(gradients):
        STEPS[optimizer](trial, trial.momentum, k + 1, plain, gradient.copy(), memory, np.ones(5))
    with jax.enable_x64(True):
        constants = {name: jnp.asarray(value) for name, value in CONSTANTS[optimizer].items()}
        rule = jax_steps.rule(optimizer, constants, jnp.asarray(trial.momentum))
        update = jax.jit(rule.update)
        weights = jnp.zeros(5)
        kept = rule.init(weights)
        for gradient in gradients:
            direction, kept = update(jnp.asarray(gradient), kept, weights)
            weights = weights - direction
    np.testing.assert_allclose(weights, plain, rtol=1e-12)


def test_noise_is_that_of_the_plain_loop_at_any_step():
    """Also where a step's number has more than 32 bits."""

    @jax.jit
    def noise(iteration, place):
        number = jax_steps.step_number(iteration, 65_536, place)
        return jax_steps.normals(jnp.uint32(7), number, 5, "float64")

    for iteration, place in ((0, 0), (3, 1), (131_071, 65_535), (999_999_999, 65_535)):
        with jax.enable_x64(True):
            found = noise(jnp.int32(iteration), jnp.int32(place))
        expected = threefry.normals(np.array([7]), iteration * 65_536 + place, 5)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "constant"])
def test_a_schedule_is_that_of_every_backend(schedule):
    """Before its end and after it."""
    with jax.enable_x64(True):
        factor = jax.jit(partial(jax_steps.factor, schedule))
        found = factor(jnp.asarray(7.0), jnp.asarray(0.3), jnp.arange(20))
    np.testing.assert_allclose(found, schedule_factors(schedule, 7, 0.3, 0, 20), atol=1e-15)


@pytest.mark.parametrize(
    ("optimizer", "why"), [("adagrad", "Optax adds epsilon below the root"), ("rprop", "Optax is a step behind")]
)
def test_an_optimizer_that_is_another_in_optax_is_refused(optimizer, why):
    """What, and how it differs from the others'."""
    reason = JaxBatched().unsupported(Trial(optimizer=optimizer))
    assert reason == f"backend jax has no optimizer {optimizer!r} as others have it: {why}"


def test_without_optax_there_is_gradient_descent_alone(monkeypatch):
    """And the others say what to install."""
    monkeypatch.setattr(jax_steps, "optax", None)
    assert JaxBatched().unsupported(Trial(optimizer="adam")) == (
        "backend jax needs Optax for optimizer 'adam'; install it with: pip install 'bench[jax]'"
    )
    assert JaxBatched().unsupported(Trial(momentum=0.9, weight_decay=0.1, clip=1, noise=0.1)) is None
    assert JaxBatched().unsupported(Trial(optimizer="none")) is None


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

"""The page's own training, in a real browser, against Python's: the same weights to start from, the same way on.

Shapes: T trainings (one per case), N observations, P parameters of the network.
"""

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import report
from bench.backends import load
from bench.backends.numpy_loop import NumpyTraining
from bench.model.gate import Gate, built_in
from bench.model.initialization import BIAS_SCHEMES, MAX_SEED, SCHEMES
from bench.model.loss import LOSSES, REDUCTIONS
from bench.model.network import HIDDEN_ACTIVATIONS, MAX_NEURONS
from bench.model.outcome import Batch
from bench.model.trial import BASIC, PARAMETERS, Trial
from bench.stats.decision_surface import shades
from bench.stats.final_patterns import has_sides
from bench.testing.backend_contract import EXTRAS

from .chromium import MARKS, opened

ENGINE = Path(report.__file__).parent / "templates" / "engine.js"
NORMAL = ("normal", "truncated_normal", "he")  # drawn with a logarithm, whose last digit is the C library's
OTHERS = ("orthogonal",)  # that the page does not draw
EXACT = tuple(init for init in SCHEMES if init not in (*NORMAL, *OTHERS))
BOTH = (True, False)
BIASES = tuple(itertools.product(BOTH, BOTH))
XOR = built_in("xor")
BETWEEN = Gate("between", np.array([[0.3, -1.2, 0.8], [1.1, 0.4, -0.5], [-0.7, 0.9, 0.2]]), np.array([0.0, 0.45, 0.9]))
UNUSED = {"gate", "backend", "device", "curve_points"}  # who computes, and what of it is kept, changes no number
REFUSED = {  # extra parameters that the page does not train with
    *("noise", "label_flips", "dropout", "slope_offset", "frozen", "shortcuts", "growth", "kappa", "phi", "theta"),
    *("schedule", "schedule_length", "schedule_factor", "batch_size", "shuffle", "init_table"),
}
OPTIMIZED = ("sgd", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "rprop", "signsgd", "normalized", "none")
BEYOND = Gate("beyond", BETWEEN.inputs, np.array([-1.5, 0.4, 3.0]))
LONGEST = 200  # iterations
SOLVING = {"gate": XOR, "hidden": 4, "activation": "tanh", "loss": "bce", "learning_rate": 2.0, "momentum": 0.9}

pytestmark = MARKS


@pytest.fixture(scope="module")
def engine(browser):
    """Call a function of JavaScript in a page with nothing but the engine; what is not finite comes back as None."""
    with opened(browser, "about:blank") as page:
        page.add_script_tag(content=ENGINE.read_text(encoding="utf-8"))
        yield lambda function, value: json.loads(
            page.evaluate(f"text => JSON.stringify(({function})(JSON.parse(text)))", json.dumps(value))
        )


def sent(trial):
    """Return a trial and its gate's table as a plan's document has them."""
    return [trial.content, {"inputs": trial.gate.inputs.tolist(), "targets": trial.gate.targets.tolist()}]


def drawn(engine, trials, seeds):
    """Return for every trial the initial weights ``[T, P]`` of these seeds, the page's and Python's."""
    function = """([trials, seeds]) => {
        const { log } = Math;
        Math.log = (x) => log(x) * (1 + 2 ** -40); // browsers differ in its last digits: nothing may depend on them
        const draw = ([trial, gate]) => seeds.map((seed) => Array.from(Bench.initialWeights(trial, gate, seed)));
        const weights = trials.map(draw);
        Math.log = log;
        return weights;
    }"""
    found = engine(function, [[sent(trial) for trial in trials], list(seeds)])
    return [(np.array(one), trial.initial_weights(seeds)) for one, trial in zip(found, trials, strict=True)]


def trained(engine, trials, weights):
    """Return what `Bench.record` keeps of one training of every trial, at the trial's checkpoints and at the end."""
    function = """(cases) => cases.map(([trial, gate, weights, points]) => {
        const kept = Bench.record(trial, gate, weights, trial.iterations, points);
        const last = (rows) => Array.from(rows.at(-1));
        return { ...kept, predictions: last(kept.predictions), weights: last(kept.weights) };
    })"""
    cases = [
        [*sent(trial), start.tolist(), trial.checkpoints.tolist()] for trial, start in zip(trials, weights, strict=True)
    ]
    return engine(function, cases)


def randomly(rng):
    """Return a trial whose initial weights are drawn in a random way."""
    low = rng.uniform(-2, 2)
    return Trial(
        gate=[XOR, built_in("parity3"), BETWEEN, built_in("parity5")][rng.integers(4)],
        hidden=int(rng.integers(MAX_NEURONS + 1)),
        hidden_bias=bool(rng.integers(2)),
        output_bias=bool(rng.integers(2)),
        init=EXACT[rng.integers(len(EXACT))],
        init_bias=BIAS_SCHEMES[rng.integers(2)],
        init_low=low,
        init_high=low + rng.uniform(0.1, 3),
        init_scale=[1.0, 0.0, rng.uniform(0, 10)][rng.integers(3)],
        draws_before=int(rng.integers(1500)),
        dtype=["float32", "float64"][rng.integers(2)],
    )


# ------------------------------------------------------------------ initial weights


def test_a_seed_starts_from_pythons_weights_bit_for_bit(engine):
    """Every scheme whose numbers are drawn evenly, with and without biases, in both precisions."""
    trials = [
        Trial(
            hidden=hidden,
            init=init,
            init_bias=init_bias,
            hidden_bias=biases[0],
            output_bias=biases[1],
            dtype=dtype,
            draws_before=draws_before,
        )
        for hidden, init, init_bias, biases, dtype, draws_before in itertools.product(
            (0, 3), EXACT, BIAS_SCHEMES, BIASES, ("float32", "float64"), (0, 1, 620)
        )
    ]
    for found, expected in drawn(engine, trials, range(24)):
        np.testing.assert_array_equal(found, expected)


def test_any_network_and_any_seed_start_from_pythons_weights_bit_for_bit(engine):
    """Up to the largest network, range, scale, stream and seed."""
    rng = np.random.default_rng(0)
    seeds = [0, MAX_SEED, *rng.integers(MAX_SEED, size=4).tolist()]
    for found, expected in drawn(engine, [randomly(rng) for _ in range(120)], seeds):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("init", NORMAL)
def test_normal_numbers_are_numpys_but_for_a_last_digit_in_a_thousand(engine, init):
    """They need the logarithm of the C library, which rounds wrongly now and then; in float32 all are the same."""
    trials = [
        Trial(hidden=hidden, init=init, init_bias=init_bias, draws_before=draws_before, output_bias=output_bias)
        for hidden, init_bias, draws_before, output_bias in itertools.product((0, 3), BIAS_SCHEMES, (0, 1, 700), BOTH)
    ]
    pairs = [np.broadcast_arrays(*pair) for pair in drawn(engine, trials, range(60))]
    found, expected = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    np.testing.assert_array_max_ulp(found, expected, maxulp=2)
    np.testing.assert_array_equal(found.astype(np.float32), expected.astype(np.float32))
    assert np.mean(found != expected) < 0.002


@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("hidden", [0, 3])
def test_every_weight_has_the_name_of_what_it_connects(engine, hidden, biases):
    """A name says the neuron, and what it takes the weight times: an input, a hidden neuron, or nothing."""
    trial = Trial(gate=BETWEEN, hidden=hidden, hidden_bias=biases[0], output_bias=biases[1])
    names = engine("([trial, gate]) => Bench.weightNames(trial, gate)", sent(trial))
    layers = trial.network.unflatten(np.array(names))
    for depth, (weight, bias) in enumerate(layers):
        neurons = ["output"] if depth == len(layers) - 1 else [f"hidden[{j}]" for j in range(hidden)]
        source = "hidden" if depth else "input"
        assert weight.tolist() == [[f"{one}.{source}[{i}]" for one in neurons] for i in range(len(weight))]
        assert bias is None or bias.tolist() == [f"{one}.bias" for one in neurons]


# ------------------------------------------------------------------ training


def float64_trials():
    """Return every way of training in float64; tables, stops and tolerances take turns."""
    ways = itertools.product((3, 0), HIDDEN_ACTIVATIONS, LOSSES, REDUCTIONS, ("full", "online"), (0.0, 0.9))
    return [
        Trial(
            gate=(gate := (XOR, BETWEEN)[place % 7 % 2]),
            hidden=hidden,
            activation=activation,
            loss=loss,
            reduction=reduction,
            update=update,
            momentum=momentum,
            hidden_bias=biases[0],
            output_bias=biases[1],
            stop=("never", "solved")[place % 5 % 2],
            tolerance=(0.1, 0.3, 0.49)[place % 3],
            learning_rate=0.5 if update == "full" else 0.1,
            init_scale=2.0,
            # the slope of l1 jumps where a prediction passes its target, and a last digit decides in which iteration
            iterations=20 if loss == "l1" and gate is BETWEEN else LONGEST // 2,
            curve_points=20,
            dtype="float64",
            backend="numpy",
        )
        for place, (hidden, activation, loss, reduction, update, momentum) in enumerate(ways)
        for biases in BIASES[place % 3 : place % 3 + 2]
        if hidden or (activation == "sigmoid" and biases[0])  # without a hidden layer they change nothing
    ]


def trials_with_extras():
    """Return for every optimizer, and every extra parameter that the page knows, some trials that set it."""
    outputs = [
        {"output": "tanh", "target_low": -0.9, "target_high": 0.9},
        {"output": "symmetric", "target_low": -0.5, "target_high": 0.5},
        {"output": "linear", "gate": BEYOND},
        {"encoding": "bipolar", "activation": "symmetric", "loss": "arctanh"},
        {"output": "linear", "gate": BEYOND, "loss": "huber"},
        {"output": "linear", "gate": BEYOND, "loss": "arctanh"},
    ]
    successes = [
        {},
        {"success": "correct"},
        {"success": "loss", "success_loss": 0.2, "success_for": 4},
        {"success_for": 7, "tolerance": 0.4},
        {"success": "correct", "success_for": 5, "stop": "solved"},
    ]
    changes = [values for name, values in EXTRAS.items() if name not in REFUSED]
    changes += [{"optimizer": one} for one in OPTIMIZED] + [
        {"optimizer": one, "momentum": 0.8}
        for one in OPTIMIZED
        if one not in ("adam", "adamw", "adagrad", "rprop", "none")
    ]
    changes += [{"optimizer": one, "weight_decay": 0.02, "clip": 0.3} for one in OPTIMIZED[:-1]]
    cases = itertools.product(changes, (0, 1, 2))
    found = [
        {
            "hidden": 3,
            "learning_rate": 0.05,
            "iterations": 30,
            "curve_points": 10,
            "init_scale": 2.0,
            "dtype": "float64",
            "backend": "numpy",
            "update": ("full", "online")[place % 2],
            **({} if {"success", "success_for"} & set(values) else successes[place % len(successes)]),
            **values,
            **(outputs[place % len(outputs)] if turn else {}),
        }
        for place, (values, turn) in enumerate(cases)
    ]
    close = {"success": "tolerance", "tolerance": 0.49}  # where no side is right
    sided = [one | (close if (one.get("gate"), one.get("success")) == (BEYOND, "correct") else {}) for one in found]
    return [Trial(**one) for one in sided]


def test_whatever_else_a_trial_sets_trainings_are_numpys_to_the_last_digits(engine):
    """Every optimizer, outputs, targets, encodings and what counts as solved."""
    trials = trials_with_extras()
    results, _, stopped = compared(engine, trials)
    assert {name for trial in trials for name in trial.content} - set(BASIC) == set(EXTRAS) - REFUSED
    assert min(results["solved"], results["slow"], stopped) >= 5


def test_float64_trainings_are_numpys_to_the_last_digits(engine):
    """Losses on the way, where it ends, when it was first solved and correct, and what became of it."""
    results, never_solved, stopped = compared(engine, float64_trials())
    assert min(results[one] for one in ("solved", "slow", "stuck")) >= 10
    assert min(never_solved, stopped) >= 10


def compared(engine, trials):
    """Compare trainings with the plain loop's; return how many ended how, never solved it, or stopped."""
    weights = [trial.initial_weights([seed])[0] for seed, trial in enumerate(trials)]
    results, never_solved, stopped = Counter(), 0, 0
    for trial, start, found in zip(trials, weights, trained(engine, trials, weights), strict=True):
        expected = load("numpy").train(Batch(trial, start))
        done = int(expected.iterations_T[0])
        losses = dict(zip(found["iterations"], found["loss"], strict=True))
        reached = trial.checkpoints[trial.checkpoints <= done]
        near = {"rtol": 1e-9, "err_msg": str(trial.parameters)}
        assert found["iterations"][-1] == done
        np.testing.assert_allclose([losses[one] for one in reached], expected.loss_TC[0, : len(reached)], **near)
        np.testing.assert_allclose(found["predictions"], expected.predictions_TN[0], **near)
        np.testing.assert_allclose(found["weights"], expected.weights_TP[0], **near, atol=1e-12)
        assert (found["solvedAt"], found["correctAt"]) == (expected.solved_at_T[0], expected.correct_at_T[0])
        assert found["outcome"] == expected.reading(trial).result_T[0]
        results[found["outcome"]] += 1
        never_solved += found["solvedAt"] == -1
        stopped += done < trial.iterations
    return results, never_solved, stopped


@pytest.mark.parametrize(
    "values",
    [
        {"hidden": 3, "learning_rate": 2.0, "iterations": 4000},  # nearly all solve it
        {"hidden": 2, "learning_rate": 2.0, "iterations": 2000, "activation": "relu"},  # a quarter
    ],
)
def test_float32_trainings_solve_what_they_solve_in_python(engine, values):
    """Of 400 starts on XOR, at most two turn out otherwise."""
    trial = Trial(**values, curve_points=1)
    weights = trial.initial_weights(range(400))
    expected = load("numba").train(Batch(trial, weights)).reading(trial).solved_T
    found = np.array([one["outcome"] == "solved" for one in trained(engine, [trial] * 400, weights)])
    assert np.sum(found == expected) >= 398
    assert 0 < found.sum() < 400


def test_a_float32_training_stalls_where_float32_stalls(engine):
    """A step of less than half a last digit leaves a weight where it is, in float32 and not in float64."""
    trial = Trial(learning_rate=1e-8, iterations=LONGEST, backend="numpy")
    start = trial.initial_weights([1])
    for dtype, moves in (("float32", False), ("float64", True)):
        precise = replace(trial, dtype=dtype)
        (found,) = trained(engine, [precise], start)
        expected = load("numpy").train(Batch(precise, start)).weights_TP
        assert np.any(expected != start) == np.any(np.array(found["weights"]) != start) == moves


def test_what_a_float32_training_keeps_are_float32_numbers(engine):
    """Its weights, velocities and outputs, from initial weights on that have more digits."""
    trial = Trial(init="normal", **SOLVING)
    function = """([trial, gate]) => Array.from({ length: 50 }, (_, seed) => {
        const start = Bench.initialWeights(trial, gate, seed);
        const training = Bench.train(trial, gate, start);
        const first = [training.predictions, Bench.predict(trial, start, gate.inputs)].map((one) => Array.from(one));
        training.step(10);
        const { weights, velocity, predictions } = training;
        return { first, later: [weights, velocity, predictions].map((one) => Array.from(one)) };
    })"""
    for found in engine(function, sent(trial)):
        for values in [*found["first"], *found["later"]]:
            np.testing.assert_array_equal(np.float32(values), values)
        assert found["first"][0] == found["first"][1]


def test_an_output_that_float32_rounds_to_one_has_no_slope(engine):
    """Then cross-entropy does not get away from the wrong side, as it does in float64."""
    trial = Trial(hidden=0, loss="bce", learning_rate=1.0, iterations=LONGEST, backend="numpy")
    start = np.array([[0.0, 0.0, 20.0]])
    for dtype, moves in (("float32", False), ("float64", True)):
        precise = replace(trial, dtype=dtype)
        (found,) = trained(engine, [precise], start)
        expected = load("numpy").train(Batch(precise, start)).weights_TP
        assert np.any(expected != start) == np.any(np.array(found["weights"]) != start) == moves


@pytest.mark.parametrize(
    ("targets", "tolerance", "solved"),
    [
        ([0.25, 0.75], 0.25, ["float32", "float64"]),
        ([0.2, 0.8], 0.3, ["float32"]),  # in float64 0.8 is farther than 0.3 from 0.5
        ([0.4, 0.6], 0.1, ["float64"]),  # in float32 0.6 is farther than 0.1 from 0.5
    ],
)
def test_a_prediction_as_far_away_as_the_tolerance_is_within_it(engine, targets, tolerance, solved):
    """Judged in the trial's own precision."""
    gate = Gate("half", np.array([[0.0], [1.0]]), np.array(targets))
    trial = Trial(gate=gate, tolerance=tolerance, init_scale=0.0, learning_rate=1e-30, iterations=1, backend="numpy")
    for dtype in ("float32", "float64"):
        precise = replace(trial, dtype=dtype)
        start = precise.initial_weights([0])
        (found,) = trained(engine, [precise], start)
        expected = load("numpy").train(Batch(precise, start))
        assert found["solvedAt"] == expected.solved_at_T[0] == (0 if dtype in solved else -1)
        assert found["outcome"] == expected.reading(precise).result_T[0] == ("solved" if dtype in solved else "stuck")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("inputs", "target", "low"),
    [([1.0, 2.0], 1.0, 10.0), ([0.0, 1.0], 0.0, -20.0)],  # right outputs of infinite weights, and 0 times infinity
)
def test_a_training_that_starts_at_infinity_has_diverged(engine, dtype, inputs, target, low):
    """Whatever its outputs are; what is no number is on nobody's side."""
    trial = Trial(
        gate=Gate("line", np.array(inputs)[:, None], np.full(2, target)),
        hidden=0,
        init="uniform",
        init_low=low,
        init_high=low + 1,
        init_scale=1e308,
        iterations=1,
        dtype=dtype,
        backend="numpy",
    )
    function = """([trial, gate]) => {
        const { correctAt, outcome } = Bench.record(trial, gate, Bench.initialWeights(trial, gate, 0));
        return { correctAt, outcome };
    }"""
    expected = load("numpy").train(Batch.of(trial, [0]))
    assert expected.reading(trial).result_T[0] == "diverged"
    assert engine(function, sent(trial)) == {"correctAt": expected.correct_at_T[0], "outcome": "diverged"}


@pytest.mark.parametrize(("dtype", "rate"), [("float32", 3e38), ("float64", 1e308)])
def test_a_training_that_leaves_all_numbers_behind_has_diverged(engine, dtype, rate):
    """It is reported as Python reports it, and nothing is thrown."""
    trials = [
        Trial(
            gate=BETWEEN,
            hidden=8,
            activation="relu",
            loss=loss,
            update=update,
            reduction="sum",
            learning_rate=rate,
            momentum=0.9,
            iterations=20,
            dtype=dtype,
            backend="numpy",
        )
        for loss, update in itertools.product(LOSSES, ("full", "online"))
    ]
    weights = [trial.initial_weights([seed])[0] for seed, trial in enumerate(trials)]
    expected = [
        load("numpy").train(Batch(trial, start)).reading(trial).result_T[0]
        for trial, start in zip(trials, weights, strict=True)
    ]
    assert expected.count("diverged") >= len(trials) / 2
    assert [one["outcome"] for one in trained(engine, trials, weights)] == expected


def test_steps_taken_one_by_one_are_those_of_a_record(engine):
    """A training under way shows its iteration, weights, velocity, predictions and loss, and ends with its budget."""
    trial = Trial(**SOLVING, iterations=30, dtype="float64")
    function = """([trial, gate]) => {
        const start = Bench.initialWeights(trial, gate, 3);
        const training = Bench.train(trial, gate, start);
        const seen = [];
        do {
          const { iteration, weights, velocity, predictions, loss } = training;
          const copies = [weights, velocity, predictions].map((one) => Array.from(one));
          seen.push([iteration, loss, ...copies, Array.from(Bench.predict(trial, weights, gate.inputs))]);
        } while (training.step() === 1);
        const all = Bench.record(trial, gate, start, trial.iterations, seen.map(([iteration]) => iteration));
        const recorded = [all.weights, all.predictions].map((rows) => rows.map((row) => Array.from(row)));
        const many = Bench.train(trial, gate, start);
        const steps = [many.step(7), many.step(1000), many.step(1000)];
        return { seen, recorded, loss: all.loss, steps, start: Array.from(start) };
    }"""
    found = engine(function, sent(trial))
    iterations, losses, weights, velocities, predictions, predicted = zip(*found["seen"], strict=True)
    assert list(iterations) == list(range(31))
    assert [list(weights), list(predictions)] == found["recorded"]
    assert list(losses) == found["loss"]
    assert predictions == predicted
    assert found["steps"] == [7, 23, 0]
    assert weights[0] == found["start"]
    assert not any(velocities[0])
    moved = np.diff(np.array(weights), axis=0)
    np.testing.assert_allclose(moved, -trial.learning_rate * np.array(velocities[1:]), rtol=1e-9, atol=1e-12)


def test_a_training_that_stops_when_solved_has_the_weights_that_solved_it(engine):
    """Its record ends there, and what comes later is not in it."""
    trial = Trial(**SOLVING, iterations=LONGEST, stop="solved")
    function = """([trial, gate]) => {
        const { iterations, solvedAt, predictions, outcome } =
          Bench.record(trial, gate, Bench.initialWeights(trial, gate, 4));
        return { iterations, solvedAt, outcome, last: Array.from(predictions.at(-1)) };
    }"""
    found = engine(function, sent(trial))
    assert 0 < found["solvedAt"] < LONGEST
    assert found["iterations"][-1] == found["solvedAt"]
    assert found["outcome"] == "solved"
    assert np.all(np.abs(np.array(found["last"]) - XOR.targets) <= trial.tolerance)


def test_a_record_has_its_iterations_evenly_in_their_logarithm(engine):
    """From the first to the last, close together where a training begins."""
    function = """([[trial, gate], iterations, points]) =>
        Bench.record(trial, gate, Bench.initialWeights(trial, gate, 0), iterations, points).iterations"""
    for iterations, points in ((5000, 200), (10, 200), (1, 5)):
        found = engine(function, [sent(Trial()), iterations, points])
        places = np.expm1(np.linspace(0, np.log1p(iterations), points))
        np.testing.assert_array_equal(found, np.unique(np.floor(places + 0.5)))


@pytest.mark.parametrize("hidden", [0, 3])
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_outputs_are_those_of_the_network_for_any_inputs(engine, activation, hidden):
    """A surface between the observations and beyond them."""
    inputs = np.random.default_rng(1).uniform(-30, 30, size=(50, 2))
    trial = Trial(activation=activation, hidden=hidden, dtype="float64")
    weights = trial.initial_weights([5])
    surface = replace(trial, gate=Gate("surface", inputs, np.zeros(50)))
    function = "([[trial], weights, inputs]) => Array.from(Bench.predict(trial, weights, inputs))"
    found = engine(function, [sent(trial), weights[0].tolist(), inputs.tolist()])
    np.testing.assert_allclose(found, NumpyTraining(Batch(surface, weights)).predict(), rtol=1e-12)


def test_targets_and_shades_are_those_of_python(engine):
    """With targets of its own, and those of a regression."""
    trials = [Trial(), Trial(target_low=-0.5, target_high=0.9, output="tanh"), Trial(gate=BEYOND, output="linear")]
    trials.append(Trial(gate=Gate("flat", XOR.inputs, np.full(4, 2.0)), output="linear"))
    function = """(cases) => cases.map(([trial, gate]) =>
        [Bench.targetsOf(trial, gate), Bench.middleOf(trial), Bench.shadesOf(trial, gate), Bench.hasSides(gate)])"""
    for trial, found in zip(trials, engine(function, [sent(one) for one in trials]), strict=True):
        assert found[:3] == [trial.targets.tolist(), trial.middle, list(shades(trial))]
        assert found[3] == has_sides(trial.gate.targets)


# ------------------------------------------------------------------ what it can do


def supports(engine, *changed):
    """Return what the page says of default trials with these changes."""
    function = "(cases) => cases.map(([trial, gate]) => Bench.supports(trial, gate))"
    return engine(function, [[trial | values, gate] for values in changed for trial, gate in [sent(Trial())]])


def test_whatever_a_network_with_one_hidden_layer_can_be_told_is_supported(engine):
    """A choice that is added to a trial and not to the page is missed here."""
    choices = {
        "activation": HIDDEN_ACTIVATIONS,
        "loss": LOSSES,
        "reduction": REDUCTIONS,
        "init": [init for init in SCHEMES if init not in OTHERS],
        "init_bias": BIAS_SCHEMES,
        "update": ("full", "online"),
        "stop": ("never", "solved"),
        "dtype": ("float32", "float64"),
        "hidden": ("0", "1", "64"),
    }
    changed = [{name: value} for name, values in choices.items() for value in values]
    assert supports(engine, *changed) == [None] * len(changed)


def test_every_parameter_of_a_trial_is_known_to_the_page():
    """A parameter that is added to a trial and not to the page is missed here."""
    text = ENGINE.read_text(encoding="utf-8")
    named = {name for name in BASIC if f"trial.{name}" in text or f"    {name}: [" in text}
    assert set(BASIC) - named == UNUSED
    known = {name for name, one in PARAMETERS.items() if one.extra and f"\n    {name}: " in text}
    assert {name for name, one in PARAMETERS.items() if one.extra} - known == REFUSED


def test_what_is_not_known_to_the_page_is_refused(engine):
    """Each of the other parameters, by its name; with every optimizer or output that it does know, it trains."""
    trials = [Trial(**values) for values in EXTRAS.values()]
    said = engine("(cases) => cases.map(([trial, gate]) => Bench.supports(trial, gate))", [sent(one) for one in trials])
    for (name, values), sentence in zip(EXTRAS.items(), said, strict=True):
        assert (sentence is not None) == (name in REFUSED)
        assert sentence is None or any(f"{one} = " in sentence for one in values)


def test_what_cannot_be_trained_in_the_page_is_said_in_a_sentence(engine):
    """The sentence names what is wrong."""
    wrong = {
        "summation": "fma",
        "init": "orthogonal",
        "unheard": "of",
        "loss": "hinge",
        "activation": "gelu",
        "dtype": "float16",
    }
    said = supports(engine, *({name: value} for name, value in wrong.items()), {"hidden": "4-4"}, {"hidden": "65"})
    adder = Gate("adder", XOR.inputs, np.stack([XOR.targets, XOR.inputs.prod(axis=1)], axis=1))
    for gate in ("parity7", adder):
        said.append(engine("([trial, gate]) => Bench.supports(trial, gate)", sent(Trial(gate=gate))))
    for sentence, got in zip(said, [*wrong.values(), "4-4", "65", "128", "2"], strict=True):
        assert sentence.startswith("The page ")
        assert sentence.endswith(".")
        assert got in sentence

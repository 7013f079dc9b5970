import os
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import RequestError
from bench.model.gate import BUILT_IN, Gate, built_in
from bench.model.initialization import initial_weights
from bench.model.loss import LOSSES
from bench.model.network import HIDDEN_ACTIVATIONS
from bench.model.parameter_fields import Role
from bench.model.trial import BACKENDS, BASIC, PARAMETERS, Trial, recorded_iterations, shown_parameters
from bench.testing.backend_contract import EXTRAS

OTHER = {  # for every parameter, a value that is not its default
    "gate": "or",
    "hidden": 4,
    "activation": "tanh",
    "hidden_bias": False,
    "output_bias": False,
    "init": "uniform",
    "init_bias": "zeros",
    "init_low": -1,
    "init_high": 2,
    "init_scale": 0.5,
    "draws_before": 3,
    "loss": "bce",
    "reduction": "sum",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "update": "online",
    "iterations": 7,
    "stop": "solved",
    "tolerance": 0.2,
    "curve_points": 10,
    "dtype": "float64",
    "summation": "fma",
    "backend": "torch",
    "device": "cuda",
} | {name: values[name] for name, values in EXTRAS.items()}
BASIC_OTHER = {name: OTHER[name] for name in BASIC}
WRONG = {  # for every parameter, a value that is refused
    "gate": "maybe",
    "hidden": 65,
    "activation": "step",
    "hidden_bias": 1,
    "output_bias": "no",
    "init": "ones",
    "init_bias": 0,
    "init_low": float("nan"),
    "init_high": "high",
    "init_scale": -1,
    "draws_before": -1,
    "loss": "hinge",
    "reduction": "max",
    "learning_rate": 0,
    "momentum": 1,
    "update": "batch",
    "iterations": 0,
    "stop": "later",
    "tolerance": 0.5,
    "curve_points": 1001,
    "dtype": "float16",
    "summation": "exact",
    "backend": "abacus",
    "device": "tpu",
    "encoding": "unary",
    "target_low": float("inf"),
    "target_high": "one",
    "output": "relu",
    "shortcuts": 1,
    "init_table": 3,
    "optimizer": "lion",
    "beta1": 1,
    "beta2": -0.1,
    "alpha": 1.5,
    "epsilon": -1e-8,
    "eta_minus": 0,
    "eta_plus": 1,
    "step_min": -1,
    "step_max": 0,
    "growth": 0,
    "kappa": -1,
    "phi": 2,
    "theta": 1,
    "learning_rate_output": -0.1,
    "weight_decay": -1,
    "clip": -1,
    "noise": -0.1,
    "label_flips": 1.1,
    "dropout": 1,
    "slope_offset": -0.1,
    "frozen": "output bias",
    "schedule": "linear",
    "schedule_length": -1,
    "schedule_factor": 0,
    "batch_size": -1,
    "shuffle": True,
    "success": "luck",
    "success_loss": -1,
    "success_for": 0,
    "diagnostics": 1,
}
TRIALS = st.fixed_dictionaries(
    {},
    optional={
        "gate": st.sampled_from(BUILT_IN),
        "hidden": st.integers(0, 64) | st.sampled_from(["0", "4-4", "64-1-2"]),
        "activation": st.sampled_from(HIDDEN_ACTIVATIONS),
        "hidden_bias": st.booleans(),
        "output_bias": st.booleans(),
        "init_low": st.floats(-9, 0),
        "init_high": st.floats(1, 9),
        "init_scale": st.floats(0, 10),
        "loss": st.sampled_from(list(LOSSES)),
        "learning_rate": st.floats(1e-6, 100) | st.integers(1, 100),
        "momentum": st.floats(0, 0.99),
        "iterations": st.integers(1, 10**9) | st.sampled_from([1e3, 1e6]),
        "tolerance": st.floats(0.01, 0.49),
        "backend": st.sampled_from(BACKENDS),
    },
)


def problems_of(**values):
    """Return the sentences with which a trial is refused."""
    with pytest.raises(RequestError) as caught:
        Trial(**values)
    return caught.value.problems


def renamed_xor(targets):
    return Gate("xor", built_in("xor").inputs.copy(), np.array(targets, dtype=np.float64))


def test_the_order_of_keywords_is_irrelevant_to_an_id():
    """A trial is its content, however it was written down."""
    backwards = Trial(**dict(reversed(BASIC_OTHER.items())))
    assert backwards.trial_id == Trial(**BASIC_OTHER).trial_id


@pytest.mark.parametrize(
    ("name", "one", "same"),
    [
        ("hidden", 3, "3"),
        ("hidden", 0, "0"),
        ("hidden", "4-4", (4, 4)),
        ("learning_rate", 0.05, 5e-2),
        ("learning_rate", 1, 1.0),
        ("iterations", 10_000, 1e4),
        ("init_low", 0.0, -0.0),
        ("gate", "or", built_in("or")),
    ],
)
def test_two_spellings_of_a_value_are_one_trial(name, one, same):
    """Equal content gives an equal trial and an equal id."""
    assert Trial(**{name: one}) == Trial(**{name: same})
    assert Trial(**{name: one}).trial_id == Trial(**{name: same}).trial_id


def test_a_default_that_is_written_out_changes_nothing():
    """A trial's own parameters, given again, are the same trial."""
    assert Trial(**Trial().parameters).trial_id == Trial().trial_id


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_part_of_the_id(name):
    """Changing any one parameter makes another trial."""
    changed = Trial(**EXTRAS.get(name, {name: OTHER[name]}))
    assert changed != Trial()
    assert changed.trial_id != Trial().trial_id


def test_a_trial_without_extra_parameters_has_the_id_it_always_had():
    """Sweeps that were stored before there were any are found again."""
    assert Trial().trial_id == "40957255e4284feb"
    assert Trial(optimizer="adamw").content.keys() - Trial().content.keys() == {"optimizer"}


def test_tables_have_the_basic_parameters_and_those_that_some_trial_sets():
    """In the order of all parameters, whatever trial sets them."""
    assert shown_parameters([Trial(), Trial(hidden=2)]) == BASIC
    some = shown_parameters([Trial(noise=0.1), Trial(optimizer="adamw")])
    assert some == (*BASIC, "optimizer", "weight_decay", "noise")


def test_another_table_under_the_same_gate_name_is_another_trial():
    """The table's content is in the id, beside its name."""
    usual, flipped = Trial(gate="xor"), Trial(gate=renamed_xor([1, 0, 0, 1]))
    assert flipped.parameters == usual.parameters
    assert flipped.trial_id != usual.trial_id


def test_the_same_table_under_the_same_gate_name_is_the_same_trial():
    """A table read from a file that equals a built-in one is that one."""
    assert Trial(gate=renamed_xor([0, 1, 1, 0])).trial_id == Trial(gate="xor").trial_id


def test_an_id_is_the_same_in_another_process():
    """Ids name trials in stores that outlive the process: no hash of Python's own is in them."""
    program = "from bench.model.trial import Trial; print(Trial(gate='or', hidden='4-4').trial_id)"
    environment = os.environ | {"PYTHONHASHSEED": "1234"}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == Trial(gate="or", hidden="4-4").trial_id


def test_an_id_is_sixteen_hexadecimal_digits():
    """Short enough to read, long enough to be alone."""
    assert len(Trial().trial_id) == 16
    int(Trial().trial_id, 16)


@given(TRIALS)
def test_a_trial_is_restored_from_its_parameters(values):
    """Parameters as the user writes them, read again, give an equal trial of equal id."""
    trial = Trial(**values)
    again = Trial(**trial.parameters)
    assert again == trial
    assert (again.trial_id, again.parameters) == (trial.trial_id, trial.parameters)


@given(TRIALS, TRIALS)
def test_ids_are_equal_where_trials_are(one_values, other_values):
    """Equality, hash and id tell the same trials apart."""
    one, other = Trial(**one_values), Trial(**other_values)
    assert (one == other) == (one.trial_id == other.trial_id) == (one.parameters == other.parameters)
    assert (hash(one) == hash(other)) == (one == other)


def test_a_trial_survives_being_sent_to_a_worker():
    """Pickled and restored, it is equal and has the same id."""
    trial = Trial(**BASIC_OTHER)
    restored = pickle.loads(pickle.dumps(trial))
    assert (restored, restored.trial_id) == (trial, trial.trial_id)


def test_a_trial_with_one_value_replaced_is_read_anew():
    """dataclasses.replace checks and identifies as birth does."""
    assert replace(Trial(), hidden="4-4") == Trial(hidden="4-4")


def test_a_trial_cannot_be_changed():
    """Its id names its content for good."""
    trial = Trial()
    with pytest.raises(FrozenInstanceError):
        trial.loss = "l1"


def test_parameters_are_written_as_the_user_does():
    """The gate by its name, the hidden layers as text, numbers in their own type."""
    written = Trial(gate="or", hidden=(4, 4), iterations=1e3, learning_rate=1).parameters
    assert [written[name] for name in ("gate", "hidden", "iterations", "learning_rate")] == ["or", "4-4", 1000, 1.0]
    assert isinstance(written["iterations"], int)
    assert isinstance(written["learning_rate"], float)


def test_every_parameter_has_a_meaning_in_words():
    """Help texts and reports say what each parameter is."""
    assert all(known.doc for known in PARAMETERS.values())


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_wrong_value_is_refused_by_its_parameters_name(name):
    """Each parameter checks itself: what, got, allowed."""
    (problem,) = problems_of(**{name: WRONG[name]})
    assert problem.startswith(f"{name} ")
    assert repr(WRONG[name]) in problem or repr(str(WRONG[name])) in problem
    assert "allowed are" in problem or "choose from" in problem


@pytest.mark.parametrize("value", [10**400, -(10**400)])
@pytest.mark.parametrize("name", ["learning_rate", "init_low", "init_scale", "momentum"])
def test_a_whole_number_that_no_float_can_hold_is_refused(name, value):
    """It is not finite as a float, whichever parameter it is given for."""
    (problem,) = problems_of(**{name: value})
    assert problem.startswith(f"{name} is {value}; allowed are ")


def test_all_problems_of_a_trial_come_at_once():
    """A user corrects everything in one go: one sentence for each parameter, in their order."""
    assert [problem.split()[0] for problem in problems_of(**WRONG)] == list(PARAMETERS)


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("gate", "xro", "xor"),
        ("gate", "parity9", "parity"),
        ("loss", "mes", "mse"),
        ("activation", "sigmoidal", "sigmoid"),
        ("init", "truncated-normal", "truncated_normal"),
        ("backend", "pytorch", "torch"),
        ("dtype", "float", "float"),
    ],
)
def test_a_near_miss_is_suggested(name, value, near):
    """A misspelt name is told the nearest valid one."""
    (problem,) = problems_of(**{name: value})
    assert f"did you mean '{near}" in problem


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (1, 0)])
def test_uniform_ends_are_in_order(low, high):
    """A lower end that is not below the upper one is refused."""
    said = f"init_low is {low}; allowed are numbers below init_high, {high}"
    assert problems_of(init="uniform", init_low=low, init_high=high) == (said,)
    assert problems_of(init="he", init_low=low, init_high=high) == (
        f"{said}; both belong to init = uniform, and init is he",
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("success", "correct", "success is correct"), ("label_flips", 0.1, "label_flips is 0.1")],
)
def test_outputs_that_are_neither_0_nor_1_have_no_other_side(name, value, said):
    """What is stored is read all the same: it was trained when nobody asked."""
    between = {"gate": renamed_xor([0.2, 0.8, 0.7, 0.3]), name: value}
    assert problems_of(**between) == (f"{said} for gate xor; allowed is that where outputs are 0 and 1",)
    kept = Trial().parameters | {name: value}
    assert getattr(Trial.stored(kept, between["gate"]), name) == value


@pytest.mark.parametrize("name", sorted(set(PARAMETERS) - {"momentum", "epsilon", "weight_decay"}))
def test_nothing_is_no_value(name):
    """But of what an optimizer has a default of its own."""
    (problem,) = problems_of(**{name: None})
    assert problem.startswith(f"{name} ")


@pytest.mark.parametrize("gate", ["xor", "parity5"])
def test_a_network_has_the_inputs_of_its_gate(gate):
    """Layer sizes follow from the gate and the hidden layers."""
    trial = Trial(gate=gate, hidden="4-3", hidden_bias=False)
    sizes = [(layer.fan_in, layer.fan_out, layer.bias is not None) for layer in trial.network.layers]
    assert sizes == [(trial.gate.inputs.shape[1], 4, False), (4, 3, False), (3, 1, True)]


def test_a_trials_weights_are_drawn_by_all_its_parameters():
    """Every parameter of the initial weights reaches the draw."""
    ways = {"init": "uniform", "init_bias": "zeros", "init_low": -1.0, "init_high": 3.0, "init_scale": 2.0}
    trial = Trial(**ways, draws_before=3)
    expected = initial_weights(trial.network, [5, 6], **ways, draws_before=3)
    np.testing.assert_array_equal(trial.initial_weights([5, 6]), expected)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_weights_change_with_the_parameters_whose_role_that_is_and_no_others(name):
    """Trials that differ in any other parameter start from the same weights, and can be compared seed by seed."""
    other = OTHER | {"gate": "parity3", "init": "normal"}
    weights = [
        trial.initial_weights([5])
        for trial in (Trial(init="uniform"), Trial(**{"init": "uniform", name: other[name], **EXTRAS.get(name, {})}))
    ]
    assert np.array_equal(*weights) == (name not in Trial.names(Role.TASK, Role.INITIALIZATION))


def test_every_role_is_some_parameters_and_every_parameter_has_one():
    """In the order of the parameters, whatever the order of the roles."""
    assert Trial.names(*reversed(Role)) == tuple(PARAMETERS)
    assert all(Trial.names(role) for role in Role)
    assert Trial.names(Role.COMPUTATION) == ("summation", "backend", "device")


@given(iterations=st.integers(1, 10**9), points=st.integers(1, 1000))
def test_recorded_iterations_are_spread_over_the_budget(iterations, points):
    """They are the distinct k * iterations // points, from 0, in order, before the last update."""
    found = recorded_iterations(iterations, points).tolist()
    assert found == sorted({k * iterations // points for k in range(points)})
    assert len(found) == min(iterations, points)
    assert found[0] == 0


@given(iterations=st.integers(1, 10**9), points=st.integers(1, 1000))
def test_checkpoints_are_the_recorded_iterations_and_the_late_one(iterations, points):
    """The start of the last tenth is measured too, and every checkpoint lies before the budget's end."""
    trial = Trial(iterations=iterations, curve_points=points)
    found = trial.checkpoints.tolist()
    assert set(found) == {*trial.recorded_iterations.tolist(), int(iterations * 9 // 10)}
    assert found == sorted(set(found))
    assert found[-1] < iterations

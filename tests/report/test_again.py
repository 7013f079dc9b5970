"""Every trial again: its command asks for it and for nothing else."""

import ast
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.plan import make_plan
from bench.config.seeds import write_seeds
from bench.model.gate import BUILT_IN
from bench.model.initialization import MAX_SEED, SCHEMES
from bench.model.loss import LOSSES, REDUCTIONS
from bench.model.network import HIDDEN_ACTIVATIONS
from bench.model.trial import BACKENDS, Trial
from bench.report.ledger import command_of
from bench.request import read_request

POSITIVE = st.floats(1e-300, 1e300)
LAYERS = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(lambda sizes: "-".join(map(str, sizes)))
PARAMETERS = {
    "gate": st.sampled_from(sorted(BUILT_IN)),
    "hidden": st.one_of(st.integers(0, 50).map(str), LAYERS),
    "activation": st.sampled_from(sorted(HIDDEN_ACTIVATIONS)),
    "hidden_bias": st.booleans(),
    "output_bias": st.booleans(),
    "init": st.sampled_from(sorted(SCHEMES)),
    "init_bias": st.sampled_from(["same", "zeros"]),
    "init_low": st.floats(-1e3, -1e-3),
    "init_scale": st.floats(0, 1e30),
    "draws_before": st.integers(0, 1_000_000),
    "loss": st.sampled_from(sorted(LOSSES)),
    "reduction": st.sampled_from(sorted(REDUCTIONS)),
    "learning_rate": POSITIVE,
    "momentum": st.floats(0, 1, exclude_max=True),
    "update": st.sampled_from(["full", "online"]),
    "iterations": st.integers(1, 10**9),
    "stop": st.sampled_from(["never", "solved"]),
    "tolerance": st.floats(0, 0.5, exclude_min=True, exclude_max=True),
    "curve_points": st.integers(1, 1000),
    "dtype": st.sampled_from(["float32", "float64"]),
    "summation": st.sampled_from(["library", "fma"]),
    "backend": st.sampled_from(BACKENDS),
    "device": st.sampled_from(["cpu", "cuda"]),
}
SEEDS = st.one_of(
    st.builds(lambda low, size: range(low, low + size), st.integers(0, 10**6), st.integers(1, 5000)),
    st.lists(st.integers(0, MAX_SEED), min_size=1, max_size=20, unique=True).map(sorted),
)


def asked(command):
    """Return the plan that a command asks for."""
    words = shlex.split(command)
    if words[:2] == ["python", "-c"]:
        call = ast.parse(words[2]).body[-1].value
        return make_plan(read_request([ast.literal_eval(one) for one in call.args]))
    assert words[:4] == ["python", "-m", "bench", "sweep"]
    return make_plan(read_request(words[4:]))


@given(st.fixed_dictionaries({}, optional=PARAMETERS), SEEDS)
def test_a_trials_command_asks_for_exactly_that_trial_and_its_seeds(parameters, seeds):
    """Whatever its parameters are: the same trial_id, and no other."""
    trial = Trial(**parameters)
    (planned,) = asked(command_of(trial.parameters, write_seeds(seeds), None)).trials
    assert planned.trial.trial_id == trial.trial_id
    assert list(planned.seeds) == list(seeds)


@given(st.fixed_dictionaries({}, optional=PARAMETERS), st.integers(1, 9))
def test_a_timings_command_takes_as_many_rounds_alone(parameters, rounds):
    """And no training beside it."""
    trial = Trial(**parameters)
    plan = asked(command_of(trial.parameters, "0:4", rounds))
    (timing,) = plan.timings
    assert (timing.trial.trial_id, list(timing.seeds), timing.rounds) == (trial.trial_id, [0, 1, 2, 3], rounds)


@pytest.mark.parametrize(
    "parameters",
    [
        {"optimizer": "none"},
        {"optimizer": "none", "learning_rate": 2.0, "stop": "solved"},
        {"hidden": 0, "frozen": "output", "learning_rate_output": 0.1},
        {"success": "correct", "tolerance": 0.2},
        {"iterations": 5, "success_for": 9},
    ],
)
def test_a_trial_that_says_what_changes_nothing_is_asked_for_all_the_same(parameters):
    """As one of several, or by the defaults of a file, it was trained, and its words alone would be refused."""
    trial = Trial(**parameters)
    command = command_of(trial.parameters, "0:4", None)
    assert command.startswith("python -c") == (len(parameters) > 1)
    (planned,) = asked(command).trials
    assert planned.trial.trial_id == trial.trial_id


def test_a_command_says_only_what_is_not_usual():
    """It can be read."""
    command = command_of(Trial(hidden=(8,), loss="bce").parameters, "0:200", None)
    assert command == "python -m bench sweep gate=xor hidden=8 loss=bce seeds=0:200"


@pytest.mark.parametrize("name", ["majority.csv", "with space.csv", "it's; rm -rf $HOME.csv", "a=b.csv"])
def test_the_command_of_a_gate_of_ones_own_names_its_file(name, tmp_path, monkeypatch):
    """In the folder where it is; its name alone would be one that is not known."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    (tmp_path / "x.toml").write_text(f'[[grid]]\ngate = "{name}"\nseeds = "0:3"\n')
    (planned,) = make_plan(read_request(["x.toml"])).trials
    (again,) = asked(command_of(planned.trial.parameters, "0:3", None)).trials
    assert again.trial.trial_id == planned.trial.trial_id

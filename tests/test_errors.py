"""Suggestions: what is meant by a name that is not known, where one is close, and none where none is."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.files import find_experiment
from bench.config.search_config import SAMPLERS
from bench.errors import RequestError, _distance, nearest, unknown
from bench.metrics.objectives import objective_names
from bench.model.gate import BUILT_IN
from bench.model.trial import BACKENDS, PARAMETERS

SPACES = {
    "parameter": [*PARAMETERS, "seeds", "alone", "rounds"],
    "sampler": [*SAMPLERS],
    "objective": [*objective_names()],
    "backend": [*BACKENDS],
    "gate": [*BUILT_IN],
    "experiment": ["sensitivity", "printed", "consistent_xor", "tpe_against_random", "basins"],
    "activation": ["sigmoid", "tanh", "relu"],
    "update": ["full", "online"],
}
TYPOS = [
    ("parameter", "hiden", "hidden"),
    ("parameter", "Hidden", "hidden"),
    ("parameter", "learning-rate", "learning_rate"),
    ("parameter", "lerning_rat", "learning_rate"),
    ("parameter", "learningrate", "learning_rate"),
    ("parameter", "momentun", "momentum"),
    ("parameter", "momen", "momentum"),
    ("parameter", "seed", "seeds"),
    ("parameter", "iteration", "iterations"),
    ("parameter", "iters", None),
    ("parameter", "epochs", None),
    ("parameter", "lr", None),
    ("parameter", "units", None),
    ("parameter", "neurons", None),
    ("parameter", "batchsize", "batch_size"),
    ("sampler", "TPE", "tpe"),
    ("sampler", "tep", "tpe"),
    ("sampler", "tp", "tpe"),
    ("sampler", "rand", "random"),
    ("sampler", "cma", "cmaes"),
    ("sampler", "cma-es", "cmaes"),
    ("sampler", "nsga-ii", None),
    ("sampler", "nsga", "nsga2"),
    ("sampler", "bayes", None),
    ("sampler", "bayesian", None),
    ("sampler", "grid", None),
    ("sampler", "hyperband", None),
    ("objective", "solved_rates", "solved_rate"),
    ("objective", "solvedrate", "solved_rate"),
    ("objective", "RMST", "rmst"),
    ("objective", "rsmt", "rmst"),
    ("objective", "median mse", "median_mse"),
    ("objective", "accuracy", None),
    ("objective", "loss", None),
    ("objective", "time", None),
    ("backend", "nunpy", "numpy"),
    ("backend", "numbaa", "numba"),
    ("backend", "pytorch", "torch"),
    ("backend", "torch_batched", "torch-batched"),
    ("backend", "tensorflow", None),
    ("gate", "XOR", "xor"),
    ("gate", "xro", "xor"),
    ("gate", "not", "nor"),
    ("gate", "majority", None),
    ("experiment", "sensitivty", "sensitivity"),
    ("experiment", "print", "printed"),
    ("experiment", "mine", None),
    ("activation", "ReLU", "relu"),
    ("activation", "gelu", "relu"),
    ("activation", "sigmiod", "sigmoid"),
    ("activation", "softmax", None),
    ("update", "offline", "online"),
    ("update", "batch", None),
]


@pytest.mark.parametrize(("space", "typo", "meant"), TYPOS)
def test_a_typo_is_told_what_is_near_and_nothing_else(space, typo, meant):
    """A letter in three may be wrong; a word that means something like it is no typo."""
    assert nearest(typo, SPACES[space]) == meant


@pytest.mark.parametrize("typo", ["bayes", "", "x", "accuracy"])
def test_what_is_far_from_all_has_the_choices_alone(typo):
    """In their order."""
    assert unknown("sampler", typo, SAMPLERS) == (
        f"sampler {typo!r} is not known; choose from {', '.join(sorted(SAMPLERS))}"
    )


def test_an_experiment_is_suggested_whatever_its_case():
    """By the name of its file."""
    with pytest.raises(RequestError, match="did you mean 'sensitivity'"):
        find_experiment("Sensitivity")


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_distances_are_those_between_words(one, other):
    """The same both ways, none for the same, no more than the longer's letters, and no less than matching leaves."""
    distance = _distance(one, other)
    assert distance == _distance(other, one)
    assert (distance == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance <= max(len(one), len(other))
    same = sum(block.size for block in difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks())
    assert distance <= max(len(one), len(other)) + min(len(one), len(other)) - same

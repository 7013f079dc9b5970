"""What a sweep's run in MLflow says of it: its params, and the name of an ad-hoc one."""

from pathlib import Path

import pytest

from bench.config.experiment import adhoc
from bench.config.overrides import read_overrides
from bench.config.plan import make_plan
from bench.config.swept import sweep_name, swept_params


def planned(*words, **more):
    """Return the plan of what a command line asks."""
    return make_plan(adhoc(read_overrides(list(words), Path.cwd()), list(words), **more))


def test_params_are_what_varies_and_what_is_not_the_default():
    """Each value as its user writes it."""
    assert swept_params(planned("hidden=2,3,4-4", "loss=mse,bce", "iterations=3000", "seeds=0:200,300")) == {
        "gate": "xor",
        "hidden": "2, 3, 4-4",
        "loss": "mse, bce",
        "iterations": "3000",
        "seeds": "0:200,300",
    }


def test_many_values_are_counted():
    """With the ends of numbers."""
    found = swept_params(planned("learning_rate=0.01..10:log:50", "seeds=7"))
    assert found["learning_rate"] == "50 values, 0.01 to 10"


def test_a_search_shows_its_space():
    """As the command line reads it, and what was asked of the sampler."""
    found = swept_params(planned("hidden=2..16", "learning_rate=0.01..10:log", "momentum=0.9", "search.trials=5"))
    names = ("gate", "hidden", "learning_rate", "momentum", "seeds", "search.sampler", "search.objectives")
    assert [found[name] for name in names] == ["xor", "2..16", "0.01..10.0:log", "0.9", "0:100", "tpe", "rmst"]
    assert not {"search.trials", "search.prune", "search.baseline"} & set(found)  # what may change, or is nothing


def test_a_map_shows_its_axes():
    """And not as parameters that it holds."""
    found = swept_params(planned("hidden=2", "map.x=learning_rate:0.1..300:log", "map.y=init_scale:0.1..30:log"))
    assert found == {
        "gate": "xor",
        "hidden": "2",
        "map.x": "learning_rate:0.1..300:log",
        "map.y": "init_scale:0.1..30:log",
    }


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["hidden=2,3,4", "loss=mse,bce"], "xor: hidden 2–4 × loss mse, bce"),
        (["gate=or,xor", "learning_rate=0.01..10:log:50"], "or, xor × learning rate 0.01–10"),
        (["gate=or", "hidden=2", "learning_rate=5"], "or: hidden 2, learning rate 5"),
        (["seeds=0:9"], "xor: hidden 3, loss mse"),
        (["hidden=2..16", "learning_rate=0.01..10:log", "search.trials=5"],
         "xor: a search over hidden 2–16, learning rate 0.01–10"),
        (["hidden=2", "map.x=learning_rate:0.1..300:log", "map.y=init_scale:0.1..30:log"],
         "xor: learning rate × init scale"),
    ],
)  # fmt: skip
def test_a_sweep_is_called_what_it_asks(words, name):
    """In few words."""
    assert sweep_name(planned(*words)) == name


def test_no_name_is_longer_than_a_list_shows():
    """Fewer values are named, then fewer parameters."""
    words = ["loss=mse,bce,l1,huber", "activation=sigmoid,tanh,relu", "init=torch,uniform,normal", "momentum=0,0.5,0.9"]
    name = sweep_name(planned(*words, "hidden=2,3", "seeds=0"))
    assert len(name) <= 80
    assert name == "xor: hidden 2, 3 × activation sigmoid, tanh, … × init torch, uniform, … × …"

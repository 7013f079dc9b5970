"""What a search may propose: ranges, choices, and the conditions of both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.search_parsing import read_search
from bench.config.search_space import Choices, Dimension, Range
from bench.config.values import Overrides
from bench.model.gate import built_in
from bench.model.trial import Trial

XNOR = "observation,input1,input2,output\n1,0,0,1\n2,0,1,0\n3,1,0,0\n4,1,1,1\n"


# ------------------------------------------------------------------ ranges, choices, fixed values


def test_numbers_have_ranges_and_names_have_lists(search):
    """Everything else is fixed, and so is a list of one value."""
    found = search('hidden = {low = 2, high = 6}\nloss = ["mse", "bce"]\ngate = "or"\nactivation = ["tanh"]')
    assert found.space == {
        "hidden": Dimension(Range(2, 6, log=False, step=None, whole=True)),
        "loss": Dimension(Choices({"mse": "mse", "bce": "bce"})),
    }
    assert found.fixed == {"gate": built_in("or"), "activation": "tanh"}


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("momentum = {low = 0, high = 0.9, step = 0.1}", Range(0.0, 0.9, log=False, step=0.1, whole=False)),
        ("learning_rate = {low = 1e-3, high = 10, log = true}", Range(0.001, 10.0, log=True, step=None, whole=False)),
        ("hidden = {low = 1, high = 64, log = true}", Range(1, 64, log=True, step=None, whole=True)),
        ("iterations = {low = 1e3, high = 9_000, step = 2e3}", Range(1000, 9000, log=False, step=2000, whole=True)),
        ('hidden = [3, "4-4"]', Choices({"3": (3,), "4-4": (4, 4)})),
        ('hidden = {choices = [3, "4-4", "3"]}', Choices({"3": (3,), "4-4": (4, 4)})),
        ("hidden_bias = [true, false]", Choices({"True": True, "False": False})),
    ],
)
def test_every_way_of_writing_a_dimension_is_read(search, text, over):
    """Ends and steps become numbers of the parameter's kind, values keep the names that their user gave them."""
    (found,) = search(f'{text}\nobjective = "parameters"').space.values()
    assert found == Dimension(over)


def test_lists_of_the_defaults_are_searched_and_single_values_are_fixed(search):
    """A search is over the defaults, and its own words go before them."""
    found = search("hidden = {low = 2, high = 4}", defaults='loss = ["mse", "bce"]\nhidden = 3\nmomentum = 0.5')
    assert list(found.space) == ["loss", "hidden"]
    assert found.fixed == {"momentum": 0.5}


# ------------------------------------------------------------------ conditions

CHAIN = """
momentum = {low = 0.0, high = 0.9, only_if = {update = "full", hidden = [3, "4"]}}
update = {choices = ["full", "online"], only_if = {loss = "mse"}}
loss = ["mse", "bce"]
hidden = {low = 2, high = 4}
"""


def test_a_dimension_comes_after_those_that_it_depends_on(search):
    """Otherwise the order is the file's."""
    found = search(CHAIN)
    assert list(found.space) == ["loss", "update", "hidden", "momentum"]
    assert found.space["momentum"].only_if == {"update": ("full",), "hidden": ("3", "4")}


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({"loss": "mse", "update": "full", "hidden": 3}, {"loss", "update", "hidden", "momentum"}),
        ({"loss": "mse", "update": "full", "hidden": 2}, {"loss", "update", "hidden"}),
        ({"loss": "mse", "update": "online", "hidden": 3}, {"loss", "update", "hidden"}),
        ({"loss": "bce", "update": "full", "hidden": 3}, {"loss", "hidden"}),
    ],
)
def test_a_dimension_is_searched_where_all_its_conditions_hold(search, values, active):
    """Elsewhere its value is that of the defaults, and what depends on it is not searched either."""
    found = search(CHAIN, defaults="momentum = 0.25")
    proposed = found.active({"momentum": 0.5, **values})
    assert set(proposed) == active
    assert found.trial(proposed).momentum == (0.5 if "momentum" in active else 0.25)


def test_a_conditional_dimension_without_a_default_is_the_parameters_own(search):
    """Nothing is fixed that nobody fixed."""
    found = search(CHAIN, defaults="update = 'online'")
    assert found.fixed == {"update": "online"}
    assert found.trial({"loss": "bce", "hidden": 2}).momentum == Trial().momentum


def test_one_value_under_a_condition_is_not_fixed(search):
    """It holds where the condition does."""
    found = search("loss = ['mse', 'huber']\nlearning_rate = {choices = [2], only_if = {loss = 'huber'}}")
    assert found.trial({"loss": "mse"}).learning_rate == Trial().learning_rate
    assert found.trial({"loss": "huber", "learning_rate": "2.0"}).learning_rate == 2.0


CIRCLE = """
loss = {choices = ["mse", "bce"], only_if = {update = "full"}}
update = {choices = ["full", "online"], only_if = {loss = "mse"}}
hidden = [2, 3]
"""
CROSSING = """
init = ["torch", "uniform"]
init_low = {low = -1, high = 1, only_if = {init = "uniform"}}
init_high = {low = 0.5, high = 2, only_if = {init = "uniform"}}
"""
WRONG = {
    "low above high": ("momentum = {low = 0.9, high = 0.1}", ["momentum has low 0.9 and high 0.1", "low below high"]),
    "a range of one number": ("momentum = {low = 0.1, high = 0.1}", ["low below high"]),
    "a logarithm of zero": ("momentum = {low = 0, high = 0.5, log = true}", ["momentum has low 0.0", "above 0"]),
    "a logarithm of no neurons": ("hidden = {low = 0, high = 4, log = true}", ["hidden has low 0", "above 0"]),
    "an end that the parameter cannot have": ("momentum = {low = 0, high = 2}", ["momentum: high is 2", "below 1"]),
    "neurons beyond what there may be": ("hidden = {low = 1, high = 65}", ["hidden: high is 65", "from 0 to 64"]),
    "half a neuron": ("hidden = {low = 1, high = 2.5}", ["hidden: high is 2.5", "whole numbers"]),
    "a range of names": ("loss = {low = 0, high = 1}", ["loss is {'low': 0", "list of its values"]),
    "a range without an end": ("momentum = {low = 0.1}", ["low and high, or choices"]),
    "an unknown word in a range": ("momentum = {low = 0.1, high = 0.2, stpe = 1}", ["did you mean 'step'"]),
    "an end that is no number": (
        "momentum = {low = 0.1, high = '4-4'}",
        ["momentum: high is '4-4'; allowed are at least 0 and below 1"],
    ),
    "an end that is infinite": ("learning_rate = {low = 0.1, high = inf}", ["learning_rate: high is inf"]),
    "neurons without end": ("hidden = {low = 1, high = inf}", ["hidden: high is inf"]),
    "ends too far apart": ("init_low = {low = -1e308, high = 1e308}", ["init_low has low -1e+308", "difference"]),
    "a step of half a neuron": ("hidden = {low = 1, high = 5, step = 0.5}", ["step is 0.5", "whole numbers from 1"]),
    "a step of nothing": ("momentum = {low = 0.1, high = 0.2, step = 0}", ["step is 0", "above 0"]),
    "a step that is not finite": ("momentum = {low = 0.1, high = 0.2, step = inf}", ["step is inf"]),
    "a step beyond the end": ("momentum = {low = 0, high = 0.5, step = 0.6}", ["the step 0.6", "from 0.0 to 0.5"]),
    "a high that no step reaches": (
        "momentum = {low = 0, high = 0.95, step = 0.1}",
        ["momentum has high 0.95, which steps of 0.1 from 0.0 do not reach; allowed is 0.9"],
    ),
    "neurons that no step reaches": ("hidden = {low = 2, high = 9, step = 4}", ["hidden has high 9", "allowed is 6"]),
    "a logarithm that is no flag": ("momentum = {low = 0.1, high = 0.2, log = 1}", ["log is 1", "true and false"]),
    "both log and step": ("momentum = {low = 0.1, high = 0.2, log = true, step = 0.1}", ["both log and step"]),
    "an unknown parameter": ("momemtum = {low = 0.1, high = 0.2}", ["'momemtum'", "did you mean 'momentum'"]),
    "an unknown option": ("hidden = [2, 3]\ntrails = 10", ["'trails'", "did you mean 'trials'"]),
    "an unknown choice": ("loss = ['mse', 'bcee']", ["loss 'bcee'", "did you mean 'bce'"]),
    "a range beside choices": ("hidden = {choices = [2, 3], low = 1}", ["hidden: key beside choices 'low'"]),
    "no choices": ("hidden = {choices = []}", ["hidden is an empty list"]),
    "nothing to search": ("hidden = 3", ["nothing to search", "at least one range or list"]),
    "several gates": (
        "gate = ['or', 'xor']\nhidden = [2, 3]",
        ["gate is searched among or,xor", "allowed is one gate", "cannot be compared"],
    ),
    "a gate under a condition": (
        "gate = {choices = ['or'], only_if = {hidden = 3}}\nhidden = [2, 3]",
        ["gate is searched among or", "allowed is one gate"],
    ),
    "several gates, and a reference to one": (
        "gate = ['or', 'xor']\nreference = {gate = 'or'}",
        ["gate is searched among or,xor"],
    ),
    "nothing at all": ("", ["nothing to search"]),
    "one value twice": ("hidden = [3, '3']", ["nothing to search"]),
    "a condition that is no table": ("hidden = {low = 2, high = 3, only_if = 'mse'}", ["only_if is 'mse'", "a table"]),
    "a condition on what is no parameter": (
        "hidden = {low = 2, high = 3, only_if = {los = 'mse'}}",
        ["hidden: only_if", "'los'", "did you mean 'loss'"],
    ),
    "a condition on what is not searched": (
        "hidden = {low = 2, high = 3, only_if = {loss = 'mse'}}",
        ["hidden: only_if names loss, which is not searched"],
    ),
    "a condition on what is fixed": (
        "loss = 'mse'\nhidden = {low = 2, high = 3, only_if = {loss = 'mse'}}",
        ["names loss, which is fixed"],
    ),
    "a condition on a range of any numbers": (
        "momentum = {low = 0.0, high = 0.5}\nhidden = {low = 2, high = 3, only_if = {momentum = 0.5}}",
        ["names momentum, which is any number of 0.0..0.5", "choices and whole ranges"],
    ),
    "a condition that never holds": (
        "loss = ['mse', 'bce']\nhidden = {low = 2, high = 3, only_if = {loss = 'l1'}}",
        ["has loss 'l1'; allowed is one of mse,bce"],
    ),
    "a number outside its range": (
        "hidden = {low = 2, high = 8, step = 2}\nloss = {choices = ['mse', 'bce'], only_if = {hidden = [4, 5]}}",
        ["has hidden '5'; allowed is one of 2..8:2"],
    ),
    "layers in a range": (
        "hidden = {low = 2, high = 8}\nloss = {choices = ['mse', 'bce'], only_if = {hidden = '4-4'}}",
        ["has hidden '4-4'; allowed is one of 2..8"],
    ),
    "a value that nothing has": (
        "loss = ['mse', 'bce']\nhidden = {low = 2, high = 3, only_if = {loss = 'mes'}}",
        ["hidden: only_if: loss 'mes'", "did you mean 'mse'"],
    ),
    "conditions in a circle": (
        CIRCLE,
        ["only_if goes in a circle", "loss → update → loss"],
    ),
    "ends that could cross": ("init_low = {low = 0, high = 3}", ["init_low is 3; allowed are numbers below init_high"]),
    "steps of what is not trained": (
        "optimizer = 'none'\nlearning_rate = [1, 2]\ninit = ['he', 'xavier']",
        ["learning_rate is 1.0,2.0 with optimizer = none, which trains nothing"],
    ),
    "ends that could cross where both are searched": (
        CROSSING,
        ["init_low is 1; allowed are numbers below init_high, 0.5", "every combination"],
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_space_is_told_in_one_sentence(wrong, text, said):
    """What, got, allowed: once, and nothing else."""
    (problem,) = wrong(text)
    assert problem.startswith("search: ")
    assert [words for words in said if words not in problem] == []


def test_all_mistakes_of_a_space_come_at_once(wrong):
    """A range, a choice, a condition and an option, each with its sentence."""
    problems = wrong(
        "momentum = {low = 0.9, high = 0.1}\nloss = ['mse', 'bcee']\n"
        "hidden = {low = 2, high = 3, only_if = {gate = 'or'}}\n"
        "update = {choices = ['full', 'online'], only_if = {loss = 'mse'}}\ntrials = 0"
    )
    assert [problem.split()[1].strip(":") for problem in problems] == ["trials", "momentum", "loss", "hidden"]


def test_a_mistake_of_the_defaults_is_told_once(wrong):
    """What would follow from it in the search is not."""
    assert len(wrong("trials = 5", defaults="loss = ['mse', 'bcee']")) == 1


def test_several_gates_of_the_defaults_are_for_grids(search, wrong):
    """A search over them says which one it is about, in its table or on the command line."""
    defaults = "gate = ['or', 'xor']"
    assert len(wrong("hidden = [2, 3]", defaults=defaults)) == 1
    assert search("hidden = [2, 3]\ngate = 'or'", defaults=defaults).gate == built_in("or")
    assert search("hidden = [2, 3]", "gate=xor", defaults=defaults).gate == built_in("xor")


def test_two_gates_with_one_name_are_refused(wrong, tmp_path):
    """Nothing could tell their trials apart."""
    (tmp_path / "xor.csv").write_text(XNOR)
    assert wrong("gate = ['xor', 'xor.csv']") == ("search: gate 'xor' names two tables; allowed is one",)


def test_ends_of_weights_that_cannot_cross_are_searched(search):
    """Where the one is fixed, and where both have ranges."""
    found = search("init_high = {low = 3, high = 5}", defaults="gate = 'and'\ninit = 'uniform'\ninit_low = 2")
    assert (found.first_trial.init_low, found.first_trial.init_high) == (2.0, 3.0)
    assert found.references == ()  # bench's default of init_high is below it
    assert len(found.digest) > 0


def test_ends_that_could_cross_are_found_in_a_large_space(wrong):
    """Where not every combination can be tried."""
    lists = "\n".join(
        f"{name} = {[k / 100 for k in range(1, 40)]}" for name in ("momentum", "learning_rate", "init_scale")
    )
    (problem,) = wrong(f"{lists}\ninit_low = {{low = 0, high = 3}}")
    assert "init_low is 3; allowed are numbers below init_high, 1" in problem


# ------------------------------------------------------------------ how large it is


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("hidden = {low = 2, high = 6}", 5),
        ("hidden = {low = 2, high = 6, step = 2}\nloss = ['mse', 'bce']", 6),
        ("hidden = {low = 1, high = 64, log = true}", 64),
        ("momentum = {low = 0.0, high = 0.9, step = 0.1}", 10),
        ("momentum = {low = 0.0, high = 0.9}\nloss = ['mse', 'bce']", None),
        ("hidden = [2, 3]\nloss = {choices = ['mse', 'bce'], only_if = {hidden = 2}}", 4),  # three, in truth
    ],
)
def test_the_settings_of_a_space_are_counted(search, text, settings):
    """At most so many: conditions make them fewer, ranges of any numbers make them countless."""
    assert search(text).settings == settings


# ------------------------------------------------------------------ properties


@st.composite
def tables(draw):
    """Tables of a search, each dimension perhaps under a condition on one of those before it, in any order."""
    kinds = {
        "loss": {"choices": ["mse", "bce", "huber"]},
        "hidden": {"low": 1, "high": draw(st.integers(2, 64))},
        "update": {"choices": ["full", "online"]},
        "momentum": {"low": 0.0, "high": 0.9, "step": 0.1},
        "learning_rate": {"low": draw(st.floats(1e-6, 0.5)), "high": draw(st.floats(1, 1e6)), "log": True},
        "init_scale": {"low": 0.0, "high": draw(st.floats(1e-3, 1e9))},
    }
    parents = {"loss": "mse", "hidden": [1, 2], "update": "online"}
    table = {}
    for place, (name, kind) in enumerate(kinds.items()):
        earlier = [parent for parent in list(kinds)[:place] if parent in parents]
        chosen = draw(st.sampled_from([None, *earlier]))
        table[name] = kind | ({"only_if": {chosen: parents[chosen]}} if chosen else {})
    return {name: table[name] for name in draw(st.permutations(list(table)))}


def space_of(table, folder):
    problems = []
    found = read_search(table, {}, Overrides(), folder, problems)
    assert problems == []
    return found


@given(tables())
def test_every_dimension_is_in_the_space_after_its_parents(tmp_path_factory, table):
    """None is lost, and those without conditions stay in the order of the file."""
    space = space_of(table, tmp_path_factory.getbasetemp()).space
    assert space.keys() == table.keys()
    places = {name: place for place, name in enumerate(space)}
    assert all(places[parent] < places[name] for name, one in space.items() for parent in one.only_if)
    free = [name for name, one in table.items() if "only_if" not in one]
    assert [name for name in space if name in free] == free


@given(tables(), st.data())
def test_every_proposal_is_a_trial(tmp_path_factory, table, data):
    """With the proposed values where a dimension is searched, and the parameter's own elsewhere."""
    found = space_of(table, tmp_path_factory.getbasetemp())
    values = {name: data.draw(value_of(one.over), label=name) for name, one in found.space.items()}
    proposed = found.active(values)
    trial = found.trial(proposed)
    for name in found.space:
        own = {**Trial().parameters, **proposed}[name]
        assert str(trial.parameters[name]) == str(own) or trial.parameters[name] == own


def value_of(over):
    """Draw what a sampler may propose."""
    if isinstance(over, Choices):
        return st.sampled_from(list(over.values))
    return st.integers(int(over.low), int(over.high)) if over.whole else st.floats(over.low, over.high)

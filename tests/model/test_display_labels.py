import pytest

from bench.model.display_labels import labels, phrase, sortable, varying, word
from bench.model.optimizer import OPTIMIZERS
from bench.model.trial import Trial


def parameters(**values):
    return Trial(**values).parameters


def test_what_varies_is_named_in_the_parameters_order():
    """Only parameters of more than one value, in the order of the trial's fields."""
    trials = [parameters(loss="mse", hidden=3, gate="or"), parameters(loss="l1", hidden=4, gate="or")]
    assert varying(trials) == ["hidden", "loss"]


def test_nothing_varies_in_a_single_trial():
    """One trial differs from none."""
    assert varying([parameters()]) == []


def test_a_label_is_what_distinguishes_a_trial_from_the_others():
    """Values that vary appear, those in common do not."""
    trials = [parameters(loss=loss, learning_rate=rate) for loss in ("mse", "bce") for rate in (0.05, 5)]
    assert labels(trials) == [
        "mse learning_rate=0.05",
        "mse learning_rate=5",
        "bce learning_rate=0.05",
        "bce learning_rate=5",
    ]


def test_a_single_trial_is_labelled_by_the_usual_parameters():
    """Where nothing varies, gate, hidden layers and loss say what it is."""
    assert labels([parameters(gate="or", hidden="4-4", loss="l1")]) == ["or hidden=4-4 l1"]


def test_trials_of_a_group_are_told_apart_within_it():
    """What varies only between groups is said by their headings, not by every label."""
    trials = [parameters(gate=gate, hidden=hidden) for gate in ("or", "xor") for hidden in (3, 4)]
    assert labels(trials, [1, 1, 2, 2]) == ["hidden=3", "hidden=4"] * 2


def test_a_group_of_one_is_labelled_by_the_usual_parameters():
    """Nothing varies within it."""
    trials = [parameters(hidden=3), parameters(hidden=4), parameters(gate="or")]
    assert labels(trials, [1, 1, 2]) == ["hidden=3", "hidden=4", "or hidden=3 mse"]


def test_an_output_layer_without_a_rate_of_its_own_is_said_to_be_as_the_others():
    """A rate of 0 would be one that stands still."""
    each = [parameters(learning_rate_output=rate) for rate in (0.0, 0.5)]
    assert labels(each, write=phrase) == ["output layer as the others", "learning rate output 0.5"]
    assert labels(each) == ["learning_rate_output=0", "learning_rate_output=0.5"]


def test_what_an_optimizer_has_of_its_own_is_part_of_its_name():
    """Every optimizer with its own constants is a word, one without training too; constants that are asked for vary."""
    every = [parameters(optimizer=one) for one in OPTIMIZERS]
    assert labels(every) == list(OPTIMIZERS)
    asked = [parameters(optimizer=one, momentum=momentum) for one in ("sgd", "nesterov") for momentum in (0.0, 0.9)]
    assert varying(asked) == ["momentum", "optimizer"]
    assert len(set(labels(asked))) == 4
    assert labels([parameters(), parameters(optimizer="adamw", weight_decay=0.1)]) == [
        "sgd weight_decay=0",
        "adamw weight_decay=0.1",
    ]


def test_no_trials_have_no_labels():
    """An empty plan is no error."""
    assert labels([]) == []


def test_trials_that_differ_in_a_late_digit_have_different_labels():
    """A rounded value that is not the value itself would give two trials one name."""
    trials = [parameters(learning_rate=rate) for rate in (0.05, 0.05000001)]
    assert labels(trials) == ["learning_rate=0.05", "learning_rate=0.05000001"]


def test_trials_that_differ_in_one_parameter_have_different_labels():
    """A label tells trials apart whatever the parameter that varies."""
    changes = {"gate": "or", "hidden": 4, "hidden_bias": False, "init_scale": 2, "dtype": "float64", "iterations": 7}
    for name, value in changes.items():
        one, other = labels([parameters(), parameters(**{name: value})])
        assert one != other


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("gate", "xor", "xor"),
        ("loss", "mse", "mse"),
        ("hidden", "4-4", "hidden=4-4"),
        ("hidden_bias", True, "hidden_bias=true"),
        ("output_bias", False, "output_bias=false"),
        ("learning_rate", 0.05, "learning_rate=0.05"),
        ("learning_rate", 1e-7, "learning_rate=1e-07"),
        ("init_scale", 2.0, "init_scale=2"),
        ("iterations", 10_000, "iterations=10000"),
    ],
)
def test_a_value_is_written_as_the_user_would(name, value, expected):
    """Names that say what they are stand bare; others have their parameter before them."""
    assert word(name, value) == expected


@pytest.mark.parametrize(
    ("names", "values", "words"),
    [
        (("hidden", "activation", "loss"), {"hidden": 8, "activation": "relu", "loss": "bce"},
         "8 ReLU neurons · cross-entropy"),
        (("hidden", "activation"), {"hidden": 0}, "no hidden layer"),
        (("hidden",), {"hidden": 1}, "1 neuron"),
        (("hidden", "activation"), {"hidden": "4-4", "activation": "tanh"}, "4-4 tanh neurons"),
        (("gate", "loss", "learning_rate"), {"loss": "huber", "learning_rate": 0.5},
         "XOR · Huber loss · learning rate 0.5"),
        (("activation", "backend", "init_scale"), {"activation": "sigmoid", "init_scale": 2.0},
         "sigmoid · numba · init scale 2"),
    ],
)  # fmt: skip
def test_a_phrase_names_parameters_as_one_speaks_of_them(names, values, words):
    """Neurons have their activation, losses and gates their names, and numbers what they are."""
    known = parameters(**values)
    assert phrase({name: known[name] for name in names}) == words


def test_labels_may_be_phrases_with_as_many_digits_as_tell_them_apart():
    """Four, or all where four would give two trials one name."""
    trials = [parameters(learning_rate=rate) for rate in (0.123456, 0.123457)]
    assert labels(trials, write=phrase) == ["learning rate 0.123456", "learning rate 0.123457"]
    trials = [parameters(learning_rate=rate) for rate in (0.123456, 0.2)]
    assert labels(trials, write=phrase) == ["learning rate 0.1235", "learning rate 0.2"]


def test_names_sort_as_a_person_expects():
    """As they are where their text does, else by their places."""
    assert sortable(["hidden=2 mse", "hidden=4 bce"]) == ["hidden=2 mse", "hidden=4 bce"]
    assert sortable(["hidden=8", "hidden=16"]) == ["1 hidden=8", "2 hidden=16"]
    names = sortable([f"hidden={hidden}" for hidden in range(1, 13)])
    assert names == sorted(names)
    assert names[8:10] == ["09 hidden=9", "10 hidden=10"]

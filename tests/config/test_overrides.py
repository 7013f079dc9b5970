import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.experiment import adhoc
from bench.config.overrides import read_overrides
from bench.config.plan import make_plan
from bench.errors import RequestError
from bench.model.gate import built_in

XNOR = "observation,input1,input2,output\n1,0,0,1\n2,0,1,0\n3,1,0,0\n4,1,1,1\n"


def values(plan, name):
    return [planned.trial.parameters[name] for planned in plan.trials]


# ------------------------------------------------------------------ overrides


def test_an_override_replaces_the_defaults_and_every_block(plan):
    """What the command line says goes before the defaults and before what any block says."""
    text = '[defaults]\nloss = "l1"\n[[grid]]\nhidden = 2\n[[grid]]\nloss = ["mse", "bce"]\nhidden = 3\n'
    assert set(values(plan(text, "loss=huber"), "loss")) == {"huber"}


def test_an_override_with_several_values_multiplies_every_block(plan):
    """Values separated by commas are an axis of every block."""
    planned = plan("[[grid]]\nhidden = 2\n[[grid]]\nhidden = 3\n", "loss=mse,bce", "seeds=0:5")
    assert list(zip(values(planned, "hidden"), values(planned, "loss"), strict=True)) == [
        ("2", "mse"),
        ("2", "bce"),
        ("3", "mse"),
        ("3", "bce"),
    ]
    assert planned.trainings == 20


@pytest.mark.parametrize(("words", "seeds"), [("0,3,5", [0, 3, 5]), ("7", [7]), ("2:4", [2, 3])])
def test_seeds_can_be_overridden_in_every_way_of_writing_them(plan, words, seeds):
    """Commas in seeds separate seeds, not values of an axis."""
    (planned,) = plan('[[grid]]\nseeds = "0:200"\n', f"seeds={words}").trials
    assert list(planned.seeds) == seeds


def test_alone_can_be_overridden(plan):
    """A sweep can be asked to train one after the other from the command line."""
    (planned,) = plan('[[grid]]\nseeds = "0:2"\n', "alone=true").trials
    assert (planned.together, planned.alone) == ((), range(2))


def test_rounds_can_be_overridden_where_a_block_is_alone(plan):
    """They are those of the blocks that are alone, whatever others there are."""
    planned = plan('[[grid]]\nseeds = "0:2"\n[[grid]]\nhidden = 4\nalone = true\nrounds = 9\n', "rounds=2")
    assert [(one.trial.hidden, one.rounds) for one in planned.timings] == [((4,), 2)]
    assert [one.rounds for one in plan("[[grid]]\n", "alone=true", "rounds=3").timings] == [3]


@pytest.mark.parametrize("text", ["[[grid]]\n", "[[grid]]\nalone = false\n"])
def test_rounds_of_nothing_that_is_alone_are_refused(read, text):
    """Only timings are taken in rounds."""
    with pytest.raises(RequestError, match="rounds is 3, which needs a block with alone = true, and there is none"):
        read(text, "rounds=3")
    with pytest.raises(RequestError, match="rounds is 3, which needs a block with alone = true"):
        adhoc(read_overrides(["rounds=3"], Path()), ["rounds=3"])


def test_alone_can_be_turned_off_for_a_block_with_rounds(plan):
    """The file's rounds then mean nothing, which is no mistake of the one who overrides."""
    planned = plan("[[grid]]\nalone = true\nrounds = 3\n", "alone=false")
    assert (planned.timings, planned.trials[0].together) == ((), range(20))


def test_a_wrong_value_of_an_override_is_reported_once_in_words(read):
    """Overrides are checked by the same readers as the file, and belong to no file and no block of it."""
    with pytest.raises(RequestError) as caught:
        read("[[grid]]\n[[grid]]\n", "loss=mes")
    (problem,) = caught.value.problems
    assert problem.startswith("loss 'mes' is not known; did you mean 'mse'")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("hidden_bias=true", True),
        ("hidden_bias=false", False),
        ("iterations=50_000", 50_000),
        ("hidden=7", (7,)),
        ("learning_rate=0.05", 0.05),
        ("learning_rate=1e-3", 0.001),
        ("hidden=4-4", (4, 4)),
        ("gate=xor", built_in("xor")),
        ('gate="xor"', built_in("xor")),
        ("loss=mse", "mse"),
        ("init_low= 1 ", 1.0),
    ],
)
def test_the_value_of_an_override_is_a_toml_literal_or_a_word(word, value):
    """Booleans and numbers are read as TOML does; anything else is text."""
    ((read,),) = read_overrides([word], Path()).values.values()
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["2024-01-01", "12:00:00", "[1", "[1]", "{}", "3.x", "True"])
def test_what_is_no_boolean_and_no_number_is_text(text):
    """TOML has dates and tables too; no parameter takes any, and the message shows what was typed."""
    with pytest.raises(RequestError) as caught:
        read_overrides([f"hidden={text}"], Path())
    (problem,) = caught.value.problems
    assert problem.startswith(f"hidden is {text!r}; allowed are")


def test_a_gate_may_have_spaces_in_its_files_name(tmp_path):
    """A path is a word like any other."""
    (tmp_path / "my gate.csv").write_text(XNOR)
    (gate,) = read_overrides(["gate=my gate.csv"], tmp_path).values["gate"]
    assert (gate.name, gate.targets.tolist()) == ("my gate", [1, 0, 0, 1])


@given(
    st.tuples(st.just("init_low"), st.floats(allow_nan=False, allow_infinity=False))
    | st.tuples(st.just("iterations"), st.integers(1, 10**9))
    | st.tuples(st.just("hidden_bias"), st.booleans())
)
def test_numbers_on_the_command_line_keep_every_digit(override):
    """A number or boolean that is written as TOML does is read back exactly."""
    name, value = override
    word = str(value).lower() if isinstance(value, bool) else repr(value)
    ((read,),) = read_overrides([f"{name}={word}"], Path()).values.values()
    assert (read, type(read)) == (value, type(value))


def test_values_of_an_override_are_separated_by_commas():
    """Numbers, and hidden layers that look like none, can stand in one list."""
    assert read_overrides(["hidden=2, 3,4-4"], Path()).values == {"hidden": [(2,), (3,), (4, 4)]}


def test_an_override_of_seeds_or_alone_is_one_value():
    """They say how the trials are trained, not which."""
    assert read_overrides(["seeds=0:3", "alone=true"], Path()).values == {"seeds": range(3), "alone": True}


@pytest.mark.parametrize("words", [["loss=mse"], ["seeds=3"], ["alone=false"], ["rounds=1"]])
def test_overrides_say_something_but_for_none(words):
    """Whatever is overridden, the file's claims are no longer about what is trained."""
    assert read_overrides(words, Path())
    assert not read_overrides([], Path())


def test_all_malformed_overrides_are_reported_at_once():
    """Unknown names, missing values, repetitions and wrong values come in one message, with the nearest valid name."""
    words = ["hiddn=3", "loss", "momentum=", "gate=or,,xor", "dtype=float32", "dtype=float64", "title=a", "hidden=99"]
    with pytest.raises(RequestError) as caught:
        read_overrides(words, Path())
    expected = [
        "parameter 'hiddn' is not known; did you mean 'hidden'?",
        "'loss' has an empty value; allowed is key=value[,value...]",
        "'momentum=' has an empty value",
        "'gate=or,,xor' has an empty value",
        "dtype is given twice; allowed is once",
        "parameter 'title' is not known",
        "hidden is 99; allowed are 0 to 64",
    ]
    assert [problem.startswith(words) for problem, words in zip(caught.value.problems, expected, strict=True)] == (
        [True] * len(expected)
    )


# ------------------------------------------------------------------ without a file


def test_overrides_alone_describe_an_experiment():
    """The grid of the command line is the product of its values with its seeds."""
    words = ["gate=xor", "hidden=2,3,4", "loss=mse,bce", "seeds=0:1000"]
    experiment = adhoc(read_overrides(words, Path()), words)
    planned = make_plan(experiment)
    assert (experiment.name, len(planned.trials), planned.trainings) == ("adhoc", 6, 6000)


def test_all_mistakes_of_overrides_alone_are_reported_at_once():
    """An ad hoc sweep collects its mistakes as a file does."""
    with pytest.raises(RequestError) as caught:
        read_overrides(["loss=mes", "hidden=99", "seeds=x", "alone=yes", "rounds=0"], Path())
    assert [problem.split()[0] for problem in caught.value.problems] == ["loss", "hidden", "seeds", "alone", "rounds"]


def test_the_command_of_an_experiment_asks_it_again(tmp_path):
    """A command with spaces in it is quoted so that a shell gives back the same words."""
    (tmp_path / "my gate.csv").write_text(XNOR)
    words = ["gate=my gate.csv", "seeds=0:2"]
    experiment = adhoc(read_overrides(words, tmp_path), words)
    assert shlex.split(experiment.command) == ["python", "-m", "bench", "sweep", *words]

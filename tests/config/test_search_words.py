"""A search on the command line: ranges, options, and what they do to a file."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.config.experiment import adhoc
from bench.config.overrides import SEARCH_KEYS, read_overrides
from bench.config.search_parsing import OPTIONS
from bench.config.search_space import Choices, Dimension, Range
from bench.errors import RequestError
from bench.metrics.objectives import Constraint

FILE = """
hidden = {low = 2, high = 6, log = true}
loss = ["mse", "bce", "huber"]
momentum = {low = 0.0, high = 0.9, only_if = {loss = ["mse", "huber"]}}
"""


def words(*given):
    return read_overrides(given, Path())


def ad_hoc(*given):
    return adhoc(words(*given), given).search


# ------------------------------------------------------------------ ranges


@pytest.mark.parametrize(
    ("word", "over"),
    [
        ("hidden=2..16", Range(2, 16, log=False, step=None, whole=True)),
        ("hidden=2..16:2", Range(2, 16, log=False, step=2, whole=True)),
        ("hidden=1..64:log", Range(1, 64, log=True, step=None, whole=True)),
        ("learning_rate=0.01..10:log", Range(0.01, 10.0, log=True, step=None, whole=False)),
        ("learning_rate=1e-3..1E+2:log", Range(0.001, 100.0, log=True, step=None, whole=False)),
        ("momentum=0..0.9:0.1", Range(0.0, 0.9, log=False, step=0.1, whole=False)),
        ("init_low=-2..-0.5", Range(-2.0, -0.5, log=False, step=None, whole=False)),
        ("iterations= 1_000 .. 50_000 : 1_000 ", Range(1000, 50000, log=False, step=1000, whole=True)),
    ],
)
def test_a_range_is_its_ends_perhaps_with_more(word, over):
    """Two dots between them, then :log or a step."""
    assert words(word).ranges == {word.partition("=")[0]: over}


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.booleans())
def test_a_range_of_numbers_that_was_written_is_read_back_as_it_was(low, high, log):
    """Every digit of both ends, whatever their size."""
    low, high = sorted((low + 0.0, high + 0.0))
    assume(low < high)
    written = Range(low, high, log=log and low > 0, step=None, whole=False)
    assert words(f"init_low={written}").ranges["init_low"] == written


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1, 10**4))
def test_a_range_in_steps_that_was_written_is_read_back_as_it_was(low, count, step):
    """Whole numbers, and tenths of them."""
    whole = Range(low, low + count * step, log=False, step=step, whole=True)
    assert words(f"iterations={whole}").ranges["iterations"] == whole
    tenths = Range(low / 10, (low + count * step) / 10, log=False, step=step / 10, whole=False)
    assert words(f"init_scale={tenths}").ranges["init_scale"] == tenths


def test_a_path_with_dots_is_no_range(tmp_path, monkeypatch):
    """Gates lie in other folders."""
    (tmp_path / "nor.csv").write_text("observation,input1,input2,output\n1,0,0,1\n2,0,1,0\n3,1,0,0\n4,1,1,0\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    changed = words("gate=../nor.csv")
    assert (changed.ranges, changed.values["gate"][0].name) == ({}, "nor")


WRONG = {
    "a range without an end": ("hidden=2..", ["hidden is '2..'", "2..16"]),
    "dots that are none": ("momentum=0...5", ["momentum is '0...5'", "0..0.9:0.1"]),
    "a range among values": ("hidden=2..4,8", ["hidden is '2..4,8'", "values without ranges"]),
    "an unknown word after it": ("hidden=2..4:lgo", ["hidden is '2..4:lgo'", ":log"]),
    "a logarithm in steps": ("learning_rate=1..8:log:0.5", ["learning_rate is", "2 to 10,000 values"]),
    "a line that ends early": ("loss=mse # bce", ["loss 'mse # bce'"]),
    "two steps": ("hidden=2..8:2:2", ["hidden is '2..8:2:2'"]),
    "a range of names": ("loss=1..2", ["loss is", "list of its values"]),
    "low above high": ("hidden=6..2", ["hidden has low 6 and high 2"]),
    "an unknown option": ("search.trails=3", ["option 'search.trails'", "did you mean 'search.trials'"]),
    "an option like none": ("search.foo=3", ["option 'search.foo' is not known; choose from search.baseline, "]),
    "a parameter as an option": ("search.hidden=3", ["search.hidden is no option", "allowed is hidden=...", "without"]),
    "no option": ("search=1", ["search is a table", "search.KEY=VALUE", "trials, batch"]),
    "an option without search": ("trials=3", ["parameter 'trials'", "did you mean 'search.trials'"]),
    "an option that is a table": ("search.reference=3", ["search.reference is a table", "an experiment file"]),
    "an option with a wrong value": ("search.trials=0", ["search.trials is 0", "from 1 to 100,000"]),
    "an option with two values": ("search.trials=3,4", ["search.trials is [3, 4]"]),
    "an option without a value": ("search.objective=", ["empty value"]),
    "a limit that is none": ("search.constraints=rmst", ["search.constraints has 'rmst'"]),
}


@pytest.mark.parametrize(("word", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_word_is_told_in_one_sentence(word, said):
    """What, got, allowed."""
    with pytest.raises(RequestError) as caught:
        words(word)
    (problem,) = caught.value.problems
    assert [part for part in said if part not in problem] == []


def test_all_wrong_words_are_told_at_once():
    """Each of them once, and what is given twice."""
    several = ["hidden=2..", "search.trails=3", "search.trials=0", "loss=mes", "momentum=0.9..0.1", "hidden=3..4"]
    with pytest.raises(RequestError) as caught:
        words(*several)
    assert len(caught.value.problems) == len(several)
    assert any(problem.startswith("hidden is given twice") for problem in caught.value.problems)


# ------------------------------------------------------------------ options


def test_every_option_can_be_given():
    """Lists are separated by commas; seeds have commas of their own."""
    found = ad_hoc(
        "hidden=2..4",
        "search.trials=200",
        "search.objective=rmst,parameters",
        "search.constraints=solved_rate >= 0.95,parameters <= 20",
        "search.baseline=random",
        "search.timeout=60",
        "search.seeds=0:50,60",
        "search.validate=0",
        "search.batch=1",
    )
    assert (found.trials, found.batch, found.baseline, found.timeout_s, found.validate) == (200, 1, "random", 60.0, 0)
    assert found.objectives == ("rmst", "parameters")
    assert found.constraints == (Constraint("solved_rate", ">=", 0.95), Constraint("parameters", "<=", 20.0))
    assert list(found.seeds) == [*range(50), 60]


@pytest.mark.parametrize(("text", "prune"), [("16,64", (16, 64)), ("16", (16,))])
def test_pruning_is_a_number_or_several(text, prune):
    """As in a file."""
    assert ad_hoc("hidden=2..4", f"search.prune={text}").prune == prune


def test_every_option_has_its_word():
    """Whatever a file can say beside references."""
    assert {word.removeprefix("search.") for word in SEARCH_KEYS} == set(OPTIONS)


# ------------------------------------------------------------------ over a file


def test_a_range_or_list_replaces_a_dimension_and_keeps_its_conditions(search):
    """Of the range that it was nothing is left."""
    space = search(FILE, "hidden=3..5", "momentum=0.1,0.2", "activation=tanh,relu").space
    assert space == {
        "hidden": Dimension(Range(3, 5, log=False, step=None, whole=True)),
        "loss": Dimension(Choices({"mse": "mse", "bce": "bce", "huber": "huber"})),
        "momentum": Dimension(Choices({"0.1": 0.1, "0.2": 0.2}), {"loss": ("mse", "huber")}),
        "activation": Dimension(Choices({"tanh": "tanh", "relu": "relu"})),
    }


def test_a_single_value_fixes_a_dimension_everywhere(search):
    """Also where it was not searched."""
    found = search(FILE, "momentum=0.5", "hidden=3")
    assert (list(found.space), found.fixed) == (["loss"], {"momentum": 0.5, "hidden": (3,)})


@pytest.mark.parametrize(
    ("word", "only_if"),
    [
        ("loss=mse", {}),
        ("loss=bce", None),
        ("loss=bce,l1", None),
        ("loss=huber,bce", {"loss": ("huber",)}),
    ],
)
def test_a_parent_that_is_changed_makes_conditions_true_or_false(search, word, only_if):
    """What is never searched is as the defaults say."""
    found = search(FILE, word, defaults="momentum = 0.25")
    momentum = found.space.get("momentum")
    assert (momentum.only_if if momentum else None) == only_if
    assert found.fixed.get("momentum") == (None if only_if == {} else 0.25)


def test_what_depends_on_what_is_never_searched_is_not_searched(search):
    """However long the chain."""
    chained = FILE + 'update = {choices = ["full", "online"], only_if = {momentum = 0.5}}'
    chained = chained.replace("{low = 0.0, high = 0.9, only_if", "{choices = [0.5, 0.9], only_if")
    assert list(search(chained).space) == ["hidden", "loss", "momentum", "update"]
    assert list(search(chained, "loss=bce").space) == ["hidden"]


def test_a_parent_that_becomes_a_range_of_any_numbers_is_told(wrong):
    """Nobody can say where the condition holds."""
    text = 'learning_rate = [1, 2]\nloss = {choices = ["mse", "bce"], only_if = {learning_rate = 2}}'
    (problem,) = wrong(text, "learning_rate=1..2")
    assert "loss: only_if names learning_rate, which is any number of 1.0..2.0" in problem


def test_an_option_of_the_command_line_replaces_that_of_the_file(search):
    """Others stay."""
    found = search(FILE + "trials = 50\nbatch = 5\nseeds = '0:7'", "search.trials=20", "search.seeds=0:3")
    assert (found.trials, found.batch, found.seeds) == (20, 5, range(3))


@pytest.mark.parametrize(
    ("given", "batch"),
    [
        (("search.trials=5",), 5),
        (("search.trials=15",), 10),
        (("search.trials=5", "search.batch=2"), 2),
    ],
)
def test_fewer_trials_of_the_command_line_make_the_files_batch_smaller(search, given, batch):
    """Nobody has to say both."""
    assert search(FILE + "trials = 50\nbatch = 10", *given).batch == batch


def test_a_batch_that_is_too_large_where_it_is_said_is_a_mistake(wrong):
    """In the file that says how many trials there are, and on the command line."""
    for text, words_given in (("trials = 5\nbatch = 10", ()), ("batch = 10", ("search.trials=5", "search.batch=6"))):
        (problem,) = wrong(FILE + text, *words_given)
        assert "allowed is at most trials, 5" in problem


REMOVED = {"constraints": "'parameters <= 20'", "prune": "8", "timeout": "60", "baseline": "'random'"}


@pytest.mark.parametrize(("name", "said"), REMOVED.items())
def test_none_removes_what_the_file_says(search, name, said):
    """As if nothing had been said; in a file too."""
    plain = search(FILE).digest
    assert search(FILE + f"{name} = {said}").digest != plain
    assert search(FILE + f"{name} = {said}", f"search.{name}=none").digest == plain
    assert search(FILE + f"{name} = 'none'").digest == plain
    assert search(FILE + f"{name} = 'none'", f"search.{name}={said.strip(chr(39))}").digest != plain


@pytest.mark.parametrize("word", ["search.trials=20", "learning_rate=0.1..1"])
def test_a_search_that_is_changed_leaves_out_the_claims(read, claim, word):
    """They speak of the file as it is written."""
    found = read(f"{claim()}[[grid]]\n[search]\n{FILE}", word)
    assert (found.claims, found.claims_left_out) == ((), True)


def test_grids_beside_a_search_keep_what_a_range_replaces(read):
    """A grid has values."""
    found = read(f"[[grid]]\nhidden = [7, 8]\n[search]\n{FILE}", "hidden=2..3", "seeds=0:4", "search.seeds=0:5")
    assert found.blocks[0].axes["hidden"] == [(7,), (8,)]
    assert (found.blocks[0].seeds, found.search.seeds) == (range(4), range(5))


def test_a_search_may_have_nothing_but_what_the_command_line_says(read):
    """An empty table is a search."""
    assert list(read("[search]\n", "hidden=2..4").search.space) == ["hidden"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("hidden=2..16", "search.trials=3"), "hidden, search.trials: there is no [search] in question.toml"),
        (("search.objective=rmst",), "search.objective: there is no [search]"),
    ],
)
def test_a_range_or_option_for_a_file_with_grids_only_is_one_mistake(read, given, said):
    """However many there are."""
    with pytest.raises(RequestError) as caught:
        read("[[grid]]\n[[grid]]\n", *given)
    (problem,) = caught.value.problems
    assert said in problem
    assert "allowed are ranges and search.KEY with a file that has one, or with no file" in problem


@pytest.mark.parametrize("given", [("alone=true",), ("rounds=3",), ("alone=true", "rounds=3")])
def test_a_search_is_not_timed(wrong, given):
    """Only trials of a grid are alone on the machine."""
    (problem,) = wrong(FILE, *given)
    assert "cannot be given to a search; allowed is a grid's" in problem


# ------------------------------------------------------------------ without a file


def test_a_range_alone_describes_a_search():
    """Lists are choices then, single values are fixed, and there is no grid."""
    given = ("gate=or", "hidden=2..4", "loss=mse,bce", "seeds=0:30", "search.trials=7")
    experiment = adhoc(words(*given), given)
    found = experiment.search
    assert (experiment.name, experiment.blocks, experiment.request) == ("adhoc", (), given)
    assert (set(found.space), found.fixed["gate"].name) == ({"hidden", "loss"}, "or")
    assert (found.trials, found.batch, found.seeds) == (7, 7, range(30))


def test_an_option_makes_a_search_of_lists():
    """Without it they are a grid."""
    assert list(ad_hoc("loss=mse,bce", "search.trials=5").space) == ["loss"]
    assert ad_hoc("loss=mse,bce") is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("search.trials=3", "hidden=3"), ["nothing to search"]),
        (("hidden=2..4", "alone=true", "rounds=2"), ["alone and rounds cannot be given to a search"]),
        (("hidden=2..4", "seeds=0:3", "search.seeds=0:4"), ["seeds and search.seeds are both given"]),
        (("hidden=2..4", "search.trials=3", "search.batch=4"), ["batch is 4"]),
        (
            ("iterations=100..200", "search.trials=3", "search.batch=4", "search.prune=200"),
            ["batch is 4", "prune is 200", "rmst counts"],
        ),
    ],
)
def test_all_that_is_wrong_with_a_search_of_the_command_line_is_told_at_once(given, said):
    """In the words of a file."""
    with pytest.raises(RequestError) as caught:
        ad_hoc(*given)
    assert len(caught.value.problems) == len(said)
    assert [part for part in said if not any(part in problem for problem in caught.value.problems)] == []

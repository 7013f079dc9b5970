import tomllib

import pytest

from bench.config.experiment import read_experiment
from bench.config.files import title_of
from bench.config.values import Overrides
from bench.errors import RequestError

XNOR = "observation,input1,input2,output\n1,0,0,1\n2,0,1,0\n3,1,0,0\n4,1,1,1\n"


def values(plan, name):
    return [planned.trial.parameters[name] for planned in plan.trials]


# ------------------------------------------------------------------ what a file says


def test_a_file_gives_its_name_its_words_and_its_blocks(read):
    """The name is the file's; title, text and the titles of blocks are as written."""
    experiment = read('title = "Why?"\nabout = """\nBecause.\n"""\n[[grid]]\ntitle = "First"\n[[grid]]\n')
    assert (experiment.name, experiment.title, experiment.about) == ("question", "Why?", "Because.")
    assert [block.title for block in experiment.blocks] == ["First", ""]


def test_a_file_without_a_title_is_titled_by_its_name(read):
    """A report needs a heading even where the file gives none."""
    assert read("[[grid]]\n").title == "question"


def test_a_block_that_says_nothing_is_one_trial_of_all_defaults(plan):
    """An empty block trains the default trial with twenty seeds, beside others."""
    (planned,) = plan("[[grid]]\n").trials
    assert planned.trial.parameters["gate"] == "xor"
    assert (planned.together, planned.alone) == (range(20), ())


def test_defaults_hold_for_every_block_that_does_not_say_otherwise(plan):
    """A block's own value goes before the file's default."""
    text = '[defaults]\nloss = "l1"\nseeds = "0:3"\n[[grid]]\nhidden = 2\n[[grid]]\nloss = "bce"\nseeds = 7\n'
    planned = plan(text)
    assert values(planned, "loss") == ["l1", "bce"]
    assert [list(one.seeds) for one in planned.trials] == [[0, 1, 2], [7]]


def test_values_are_read_as_they_are_by_the_command_line(plan):
    """Hidden layers may be numbers or text, whole numbers may be written with an exponent."""
    planned = plan('[[grid]]\nhidden = [0, 3, "4-4"]\niterations = 1e3\nlearning_rate = 1\n')
    assert values(planned, "hidden") == ["0", "3", "4-4"]
    assert set(values(planned, "iterations")) == {1000}
    assert set(values(planned, "learning_rate")) == {1.0}


# ------------------------------------------------------------------ mistakes


def test_all_mistakes_of_a_grid_are_reported_at_once(read):
    """Every wrong name and value of every block is named, with the nearest valid name and what is allowed."""
    text = """
        [defaults]
        activation = "sigmod"
        [[grid]]
        hiddn = 3
        loss = ["mse", "hubr"]
        iterations = -1
        seeds = "5:5"
        alone = "yes"
        [[grid]]
        gate = "xorr"
        hidden = 65
        learning_rate = []
    """
    with pytest.raises(RequestError) as caught:
        read(text)
    expected = [
        ("defaults", "activation 'sigmod' is not known; did you mean 'sigmoid'?"),
        ("grid 1", "parameter 'hiddn' is not known; did you mean 'hidden'?"),
        ("grid 1", "loss 'hubr' is not known; did you mean 'huber'?"),
        ("grid 1", "iterations is -1; allowed are whole numbers from 1"),
        ("grid 1", "seeds is '5:5', which holds no seed"),
        ("grid 1", "alone is 'yes'; allowed are true and false"),
        ("grid 2", "gate 'xorr' is not known; did you mean 'xor'?"),
        ("grid 2", "hidden is 65; allowed are 0 to 64"),
        ("grid 2", "learning_rate is an empty list; allowed is at least one value"),
    ]
    problems = caught.value.problems
    found = [
        [problem for problem in problems if problem.startswith(f"question.toml: {source}: {words}")]
        for source, words in expected
    ]
    assert [len(some) for some in found] == [1] * len(expected)
    assert len(problems) == len(expected)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[grid]]\nrounds = 3\n", "grid 1: rounds is 3, which needs alone = true"),
        ("[[grid]]\nrounds = 3\nalone = false\n", "grid 1: rounds is 3, which needs alone = true"),
        ("[[grid]]\nrounds = 0\nalone = true\n", "grid 1: rounds is 0; allowed are whole numbers from 1 to 1,000"),
        ("[[grid]]\nrounds = 1.5\nalone = true\n", "grid 1: rounds is 1.5; allowed are whole numbers from 1 to"),
        (
            "[defaults]\nrounds = 3\n[[grid]]\n",
            "defaults: rounds is 3, which needs a block with alone = true, and there is none",
        ),
    ],
)
def test_rounds_are_a_whole_number_and_of_a_block_that_is_alone(read, text, problem):
    """Anything else is a mistake, told once."""
    with pytest.raises(RequestError) as caught:
        read(text)
    (found,) = caught.value.problems
    assert found.startswith(f"question.toml: {problem}")


def test_rounds_of_the_defaults_are_those_of_the_blocks_that_are_alone(read):
    """A block can have its own."""
    text = "[defaults]\nrounds = 3\n[[grid]]\n[[grid]]\nalone = true\n[[grid]]\nalone = true\nrounds = 1\n"
    assert [(block.alone, block.rounds) for block in read(text).blocks][1:] == [(True, 3), (True, 1)]


def test_a_mistake_in_the_defaults_is_reported_once(read):
    """Five blocks do not make five mistakes of one."""
    with pytest.raises(RequestError) as caught:
        read("[defaults]\nhiddn = 3\n" + "[[grid]]\n" * 5)
    (problem,) = caught.value.problems
    assert problem.startswith("question.toml: defaults: parameter 'hiddn' is not known; did you mean 'hidden'?")


def test_mistakes_at_the_top_and_in_the_grid_come_together(read):
    """A wrong key does not hide a wrong parameter."""
    with pytest.raises(RequestError) as caught:
        read('titel = "a"\n[[grid]]\nhiddn = 3\n')
    assert len(caught.value.problems) == 2


def test_every_mistake_begins_with_the_name_of_its_file(read):
    """Whoever includes files is told which of them is wrong."""
    with pytest.raises(RequestError) as caught:
        read("[[grid]]\nhiddn = 3\nlos = 1\n")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["question.toml"] * 2


def test_all_wrong_keys_and_kinds_at_the_top_are_reported_at_once(read):
    """A key that files do not have gets the nearest that they do have; a wrong kind of value is shown."""
    with pytest.raises(RequestError) as caught:
        read('titel = "a"\nabout = 3\ninclude = "printed"\ngrid = 4\n')
    text = "\n".join(caught.value.problems)
    assert "key 'titel' is not known; did you mean 'title'?" in text
    assert "about is 3: input should be a valid string" in text
    assert "include is 'printed': input should be a valid list" in text
    assert "grid is 4: input should be a valid list" in text
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("search = 3", "3"),
        ("[[search]]\nhidden = [2, 3]\n[[search]]\nhidden = [3, 4]", "a list, as [[search]] makes it"),
    ],
)
def test_a_search_is_one_table(read, text, got):
    """Not a list of them, as grids are."""
    with pytest.raises(RequestError) as caught:
        read(text)
    assert caught.value.problems == (f"question.toml: search is {got}; allowed is one table, [search]",)


def test_claims_are_about_a_grid(read, claim):
    """What a search will propose, nobody knows, but for its best; another file's grid has claims of its own."""
    for text in ("[search]\nhidden = [2, 3]\n", 'include = ["other"]\n'):
        with pytest.raises(RequestError) as caught:
            read(text + claim(), other="[[grid]]\n")
        (problem,) = caught.value.problems
        assert problem == (
            "claim 'a': there is no [[grid]] in its file; allowed are claims about trials of a [[grid]] and, with a"
            " search, about its { best = 1 }"
        )


def test_the_title_of_a_block_is_known_among_its_keys(read):
    """The names that a block is offered are the parameters and its own four keys."""
    with pytest.raises(RequestError, match=r"did you mean 'title'.*alone.*rounds.*seeds.*title"):
        read('[[grid]]\ntitl = "a"\n')


def test_a_file_that_is_no_toml_is_refused_with_the_place(read):
    """A syntax error is reported with its line."""
    with pytest.raises(RequestError, match=r"question\.toml: not a TOML file: .*line 2"):
        read('title = "a"\ngrid = = 3\n')


def test_a_file_that_is_no_text_is_refused(tmp_path):
    """Bytes that are not UTF-8 are reported like any other broken file."""
    path = tmp_path / "latin.toml"
    path.write_bytes('title = "caf\xe9"'.encode("latin-1"))
    with pytest.raises(RequestError, match=r"latin\.toml: not a TOML file"):
        read_experiment(path, Overrides(), [])


def test_a_file_without_a_grid_asks_nothing(read):
    """An experiment without a single block is a mistake."""
    with pytest.raises(RequestError, match=r"there is no \[\[grid\]\].*; allowed is at least one"):
        read('title = "a"\n')


def test_the_content_of_a_file_is_read_as_the_file_is(read, tmp_path):
    """What Python holds needs no file, and is told by the name that it is given; includes are looked for beside it."""
    text = 'title = "T"\n[defaults]\nhidden = 2\n[[grid]]\nloss = ["mse", "l1"]\n'
    content = tomllib.loads(text)
    found = read_experiment(tmp_path / "question.toml", Overrides(), (), content)
    assert found == read(text)
    with pytest.raises(RequestError, match=r"^mine: grid 1: loss 'mes' is not known"):
        read_experiment(tmp_path / "mine", Overrides(), (), {"grid": [{"loss": "mes"}]})


def test_the_title_of_a_file_is_told_or_what_is_wrong_with_it(write):
    """A list of experiments is whole, whatever is in one of them."""
    assert title_of(write('title = "T"\n')) == "T"
    assert title_of(write("title = 3\n")).startswith("(cannot be read: question.toml: title is 3")


# ------------------------------------------------------------------ include


def test_an_included_file_adds_its_blocks_and_its_claims(read, claim):
    """What a file includes is trained and checked with it."""
    experiment = read(
        'include = ["other"]\n[[grid]]\nhidden = 2\n' + claim("own"), other="[[grid]]\nhidden = 3\n" + claim("its")
    )
    assert [block.axes["hidden"] for block in experiment.blocks] == [[(2,)], [(3,)]]
    assert [one.id for one, _ in experiment.claims] == ["own", "its"]


def test_a_file_may_only_include(plan):
    """An experiment can be nothing but others put together."""
    assert plan('include = ["other"]\n', other="[[grid]]\nseeds = 3\n").trainings == 1


def test_an_included_file_keeps_its_own_defaults(plan):
    """The defaults of one file are not those of another."""
    planned = plan('include = ["other"]\n[defaults]\nhidden = 8\n[[grid]]\n', other="[[grid]]\nloss = 'l1'\n")
    assert values(planned, "hidden") == ["8", "3"]


def test_overrides_reach_included_files(plan):
    """The command line speaks to every block, wherever it is written."""
    planned = plan('include = ["other"]\n[[grid]]\nhidden = 2\n', "hidden=5", other="[[grid]]\nloss = 'l1'\n")
    assert values(planned, "hidden") == ["5", "5"]


def test_an_included_file_that_is_not_there_is_named(read):
    """Including needs a file beside this one."""
    with pytest.raises(RequestError, match=r"question\.toml: include 'nowhere' is not a file"):
        read('include = ["nowhere"]\n[[grid]]\n')


def test_a_mistake_in_an_included_file_is_reported_under_its_name(read):
    """The message leads to the file that is to be mended."""
    with pytest.raises(RequestError, match=r"other\.toml: grid 1: parameter 'hiddn' is not known"):
        read('include = ["other"]\n[[grid]]\n', other="[[grid]]\nhiddn = 3\n")


def test_files_that_include_each_other_are_refused(read):
    """A circle is a mistake, told in words."""
    with pytest.raises(RequestError, match="include 'question' includes this file; allowed is one that does not"):
        read('include = ["other"]\n[[grid]]\n', other='include = ["question"]\n[[grid]]\n')


def test_mistakes_of_a_file_and_of_what_it_includes_come_together(read):
    """Every file is checked before anything is reported."""
    with pytest.raises(RequestError) as caught:
        read('include = ["nowhere", "other"]\n[[grid]]\nhiddn = 3\n', other="[[grid]]\nlos = 3\n")
    assert len(caught.value.problems) == 3


# ------------------------------------------------------------------ claims


def test_ids_of_claims_that_are_used_twice_are_all_reported(read, claim):
    """Every verdict needs a name of its own."""
    with pytest.raises(RequestError) as caught:
        read("[[grid]]\n" + claim("a") + claim("b") + claim("a") + claim("b") + claim("c"))
    assert caught.value.problems == tuple(
        f"question.toml: claim id {name!r} is used 2 times; allowed is once" for name in "ab"
    )


def test_an_id_of_a_claim_is_used_once_across_included_files(read, claim):
    """A claim may not have the name of one that is included."""
    with pytest.raises(RequestError, match="claim id 'a' is used 2 times"):
        read('include = ["other"]\n[[grid]]\n' + claim("a"), other="[[grid]]\n" + claim("a"))


def test_claims_are_left_out_when_something_is_overridden(read, claim):
    """Claims speak of the file as written, and the experiment says that it left them out."""
    experiment = read("[[grid]]\n" + claim(), "hidden=2")
    assert (experiment.claims, experiment.claims_left_out) == ((), True)


@pytest.mark.parametrize("words", [(), ("hidden=2",)])
def test_nothing_was_left_out_where_there_are_no_claims(read, words):
    """Nobody is warned of claims that a file does not have."""
    experiment = read("[[grid]]\n", *words)
    assert (experiment.claims, experiment.claims_left_out) == ((), False)


def test_claims_stay_when_nothing_is_overridden(read, claim):
    """A file that is swept as written has its claims checked."""
    experiment = read("[[grid]]\n" + claim())
    assert (len(experiment.claims), experiment.claims_left_out) == (1, False)


def test_claims_of_included_files_are_said_to_be_left_out(read, claim):
    """A file whose claims are all included warns like any other when they are left out."""
    experiment = read('include = ["other"]\n[[grid]]\n', "hidden=2", other="[[grid]]\n" + claim())
    assert (experiment.claims, experiment.claims_left_out) == ((), True)


# ------------------------------------------------------------------ gates in CSV files


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Work in a folder that is not the experiment's."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_gate_in_a_csv_file_is_looked_for_beside_the_experiment(plan, tmp_path, elsewhere):
    """A file and its table can be moved together, whatever the working folder is."""
    (tmp_path / "own.csv").write_text(XNOR)
    (planned,) = plan('[[grid]]\ngate = "own.csv"\n').trials
    assert (planned.trial.gate.name, planned.trial.gate.targets.tolist()) == ("own", [1, 0, 0, 1])


def test_a_gate_in_a_csv_file_is_looked_for_in_the_working_folder_next(plan, elsewhere):
    """Whoever gives a table on the command line means one of the folder that he is in."""
    (elsewhere / "own.csv").write_text(XNOR)
    (planned,) = plan("[[grid]]\n", "gate=own.csv").trials
    assert planned.trial.gate.targets.tolist() == [1, 0, 0, 1]


def test_a_gate_beside_the_experiment_goes_before_one_in_the_working_folder(plan, tmp_path, elsewhere):
    """The same experiment means the same table everywhere."""
    (tmp_path / "own.csv").write_text(XNOR)
    (elsewhere / "own.csv").write_text(XNOR.replace("1,0,0,1", "1,0,0,0"))
    (planned,) = plan('[[grid]]\ngate = "own.csv"\n').trials
    assert planned.trial.gate.targets.tolist() == [1, 0, 0, 1]


def test_gates_in_csv_files_stand_beside_built_in_ones(plan, tmp_path):
    """One axis may hold both."""
    (tmp_path / "own.CSV").write_text(XNOR)
    assert values(plan('[[grid]]\ngate = ["or", "own.CSV"]\n'), "gate") == ["or", "own"]


def test_mistakes_in_csv_files_are_reported_with_the_others(read, tmp_path):
    """A table that is missing and one that is broken are two mistakes among the file's."""
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RequestError) as caught:
        read('[[grid]]\ngate = ["nowhere.csv", "broken.csv"]\nloss = "mes"\n')
    missing, broken, loss = caught.value.problems
    assert missing.startswith("question.toml: grid 1: gate 'nowhere.csv' is not a file")
    assert "broken.csv' has the columns a,b; allowed is observation,input1,...,output" in broken
    assert "loss 'mes'" in loss

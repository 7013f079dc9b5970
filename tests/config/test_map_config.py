"""Maps in files and on the command line, and every mistake in one clear sentence."""

import pytest

from bench.config.experiment import read_experiment
from bench.config.overrides import read_overrides
from bench.config.plan import Plan, make_plan
from bench.errors import RequestError
from bench.request import read_request

PLANE = {
    "gate": "xor",
    "hidden": 2,
    "x": {"toward": 1, "low": -1.5, "high": 2.5},
    "y": {"parameter": "learning_rate", "low": 0.1, "high": 100, "log": True},
    "size": [32, 16],
}


def read(tmp_path, words=(), defaults=None, **table):
    given = {name: value for name, value in {**PLANE, **table}.items() if value is not None}
    content = {"defaults": defaults or {}, "map": [given]}
    return read_experiment(tmp_path / "mine.toml", read_overrides(words, tmp_path), list(words), content)


def problems(tmp_path, words=(), **table):
    with pytest.raises(RequestError) as caught:
        read(tmp_path, words, **table)
    return caught.value.problems


def test_a_table_is_a_map_over_the_defaults(tmp_path):
    """Its own values win, and it keeps no curves."""
    (found,) = read(tmp_path, defaults={"activation": "tanh", "hidden": 3, "curve_points": 7}, title="A plane").maps
    assert (found.width, found.height, found.title) == (32, 16, "A plane")
    assert (found.trial.activation, found.trial.hidden, found.trial.curve_points) == ("tanh", (2,), 1)
    assert (found.x.kind, found.x.of, found.y.log) == ("toward", 1, True)


def test_the_command_line_changes_it(tmp_path):
    """A value of a trial's, an axis, and the size."""
    words = ["momentum=0.5", "map.x=weight:hidden[0].bias:-5..5", "map.size=20x10", "map.pairs=0", "map.seed=4"]
    (found,) = read(tmp_path, words).maps
    assert (found.trial.momentum, found.width, found.height, found.pairs, found.seed) == (0.5, 20, 10, 0, 4)
    assert (found.x.kind, found.x.of, found.x.low, found.x.high) == ("weight", "hidden[0].bias", -5, 5)


def test_words_alone_describe_a_map_as_a_file_does(tmp_path):
    """The same trainings have the same name."""
    words = ["hidden=2", "map.x=toward:1:-1.5..2.5", "map.y=learning_rate:0.1..100:log", "map.size=32x16"]
    assert read_request(words).maps[0].map_id == read(tmp_path).maps[0].map_id


def test_a_plan_with_maps_comes_back_from_its_document(tmp_path):
    """And is resumed by its own request only."""
    plan = make_plan(read(tmp_path))
    again = Plan.from_json(plan.to_json())
    assert (again.maps, again.plan_id, again.points) == (plan.maps, plan.plan_id, plan.points)
    assert make_plan(read(tmp_path, size=33)).plan_id != plan.plan_id


def test_pixels_too_near_for_float32_are_trained_in_float64(tmp_path):
    """Decided by the file alone, and said."""
    near = {"toward": 1, "low": 0.5, "high": 0.5 + 1e-6}
    (found,) = read(tmp_path, x=near).maps
    assert (found.trial.dtype, found.is_raised) == ("float64", True)
    (said,) = problems(tmp_path, x={"toward": 1, "low": 0.5, "high": 0.5 + 1e-14})
    assert said.endswith("pixels are nearer to each other than float64 can tell; allowed is a larger window")


def test_a_start_may_be_a_file_beside_it(tmp_path):
    """Of as many weights as the network has."""
    (tmp_path / "start.csv").write_text("1,2,3\n4,5,6\n7,8,9\n")
    (found,) = read(tmp_path, start="start.csv").maps
    assert found.start == (1, 2, 3, 4, 5, 6, 7, 8, 9)


def test_a_start_with_a_cell_that_no_csv_has_is_refused(tmp_path):
    """As any other file that cannot be read."""
    (tmp_path / "start.csv").write_text("1" * 200_000)
    (said,) = problems(tmp_path, start="start.csv")
    assert "which cannot be read: field larger than field limit" in said


WRONG = {
    "unknown weight": (
        {"x": {"weight": "hidden[2].bias", "low": 0, "high": 1}},
        "x: weight 'hidden[2].bias' is not known; did you mean 'hidden[1].bias'? choose from",
    ),
    "low above high": (
        {"x": {"toward": 1, "low": 2, "high": 2}},
        "x: low is 2; allowed are numbers below high, 2",
    ),
    "log through zero": (
        {"x": {"parameter": "momentum", "low": 0, "high": 0.9, "log": True}},
        "x: low is 0 on a logarithmic axis; allowed are numbers above 0",
    ),
    "no number": (
        {"x": {"parameter": "loss", "low": 0, "high": 1}},
        "x: parameter loss is no number; allowed are hidden, init_low",
    ),
    "unknown parameter": (
        {"x": {"parameter": "learning_rat", "low": 0, "high": 1}},
        "x: parameter 'learning_rat' is not known; did you mean 'learning_rate'?",
    ),
    "unknown parameter on a logarithmic axis": (
        {"x": {"parameter": "a sentence", "low": 1, "high": 2, "log": True}},
        "x: parameter 'a sentence' is not known",
    ),
    "beyond what a parameter may be": (
        {"x": {"parameter": "momentum", "low": 0, "high": 1.5}},
        "x: momentum is 1.5; allowed are at least 0 and below 1",
    ),
    "two kinds": (
        {"x": {"toward": 1, "weight": "output.bias", "low": 0, "high": 1}},
        "x has toward, weight, low, high; allowed is toward = SEED",
    ),
    "unknown key": (
        {"x": {"toward": 1, "low": 0, "hihg": 1}},
        "x: key 'hihg' is not known; did you mean 'high'?",
    ),
    "no axis": ({"x": None}, "x is missing; allowed is toward = SEED"),
    "log of a seed": (
        {"x": {"toward": 1, "low": 1, "high": 2, "log": True}},
        "x: log goes with a parameter, not with toward; allowed is log = false",
    ),
    "the same axis twice": (
        {"x": {"parameter": "learning_rate", "low": 1, "high": 2}},
        "x and y are both learning_rate; allowed are two different axes",
    ),
    "a value of an axis": ({"learning_rate": 3.0}, "y: learning_rate is given too; allowed is one of the two"),
    "two origins": ({"seed": 1, "start": [0.0] * 9}, "seed and start are both given; allowed is one origin"),
    "a start of another shape": ({"start": [0.0] * 7}, "start has 7 weights; allowed are 9: hidden[0].input[0]"),
    "a start for several networks": (
        {"start": [0.0] * 9, "hidden": None, "x": {"parameter": "hidden", "low": 2, "high": 5}},
        "start has 9 weights; allowed are",
    ),
    "size 0": ({"size": 0}, "size is 0; allowed are whole numbers from 1 to 16,384"),
    "size 10^6": ({"size": 1_000_000}, "size is 1000000; allowed are whole numbers from 1 to 16,384"),
    "too many": ({"size": 16_384}, "size is 16384 × 16384, 268,"),
    "few pairs": ({"pairs": 3}, "pairs is 3; allowed are whole numbers from 64 to 1,000,000"),
    "a border of no gate's": (
        {"border": "foo"},
        "border is 'foo'; allowed are diverged, elsewhere, failed, slow, solved",
    ),
    "toward its own origin": (
        {"x": {"toward": 0, "low": 0, "high": 1}},
        "x: toward is 0, where the origin is already; allowed is another seed",
    ),
    "curves": ({"curve_points": 10}, "curve_points is given; allowed is none, since a map keeps no curves"),
    "too far": (
        {"x": {"toward": 1, "low": 0, "high": 1e300}},
        "x: high is 1e+300; allowed are at least -1e+30 and at most 1e+30",
    ),
    "a title that is none": ({"title": [1]}, "title is [1]; allowed is text"),
    "a mistyped parameter": (
        {"x": {"weight": "lerning_rate", "low": 0, "high": 1}},
        "x: weight 'lerning_rate' is not known; did you mean 'learning_rate'?",
    ),
    "pairs of trials": (
        {"pairs": 64, "x": {"parameter": "tolerance", "low": 0.1, "high": 0.4}},
        "pairs is 64, and x is tolerance; allowed beside that parameter is 0",
    ),
    "what changes nothing": (
        {"success": "correct", "tolerance": 0.2},
        "tolerance is 0.2 with success = correct; allowed is that with success = tolerance",
    ),
    "an axis that changes nothing": (
        {"optimizer": "none"},
        "y is learning_rate with optimizer = none, which trains nothing; allowed is that with others",
    ),
    "a list": ({"hidden": [2, 3]}, "hidden has 2 values; allowed in a map is one"),
    "no such file": ({"start": "nowhere.csv"}, "start is 'nowhere.csv', which cannot be read"),
    "unknown option": ({"sise": 3}, "parameter 'sise' is not known; did you mean 'size'?"),
}


@pytest.mark.parametrize(("table", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_in_one_sentence(tmp_path, table, expected):
    """What, got, allowed; with the file and the number of the map."""
    (said,) = problems(tmp_path, **table)
    assert said.startswith(f"mine.toml: map 1: {expected}")


def test_what_is_wrong_with_the_defaults_is_said_once(tmp_path):
    """Not again by the maps that would have it."""
    with pytest.raises(RequestError) as caught:
        read(tmp_path, defaults={"hiden": 3, "momentum": 7})
    assert [said.partition(";")[0] for said in caught.value.problems] == [
        "mine.toml: defaults: parameter 'hiden' is not known",
        "mine.toml: defaults: momentum is 7",
    ]


def test_a_momentum_may_go_up_to_one(tmp_path):
    """The high end is excluded, and so is 1."""
    (found,) = read(tmp_path, x={"parameter": "momentum", "low": 0, "high": 1}).maps
    assert found.coordinates([found.width - 1])[0] < 1


def test_brackets_of_tables_and_ranges_beside_maps_are_told(tmp_path):
    """What looks nearly right has its own sentence."""
    overrides = read_overrides([], tmp_path)
    with pytest.raises(
        RequestError, match=r"map is a table, \[map\]; allowed are lists of them, each written \[\[map\]\]"
    ):
        read_experiment(tmp_path / "mine.toml", overrides, [], {"map": PLANE})
    with pytest.raises(
        RequestError, match=r"map\.size: hidden makes it a search; allowed beside a map are single values"
    ):
        read_request(["hidden=2..4", "map.size=3"])


def test_a_start_may_be_written_out_on_the_command_line(tmp_path):
    """As the report's own command does."""
    (found,) = read(tmp_path, ["map.start=1,2,3,4,5,6,7,8,9.5"]).maps
    assert found.start == (1, 2, 3, 4, 5, 6, 7, 8, 9.5)


def test_more_than_the_memory_holds_is_refused(tmp_path, monkeypatch):
    """Before any training."""
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 100_000, "SC_PAGE_SIZE": 4096}.__getitem__)
    (said,) = problems(tmp_path, size=4096)
    assert said.endswith("takes about 3 GiB of memory; allowed is what this machine has, 0 GiB")


WORDS = {
    "map.x=toward:1": "map.x is 'toward:1'; allowed are toward:1:-1.5..2.5",
    "map.sise=3": "option 'map.sise' is not known; did you mean 'map.size'?",
    "size=3": "parameter 'size' is not known; did you mean 'map.size'?",
}


@pytest.mark.parametrize(("word", "expected"), WORDS.items(), ids=WORDS.keys())
def test_a_wrong_word_is_said_in_one_sentence(tmp_path, word, expected):
    """With the form that is allowed, or the name that is near."""
    (said,) = problems(tmp_path, [word])
    assert said.startswith(expected)


def test_seeds_and_options_of_maps_need_something_that_takes_them(tmp_path):
    """A map's origin is map.seed; a grid has no map."""
    (said,) = problems(tmp_path, ["seeds=0:3"])
    assert said == "seeds are given, and there is no grid; allowed for a map's origin is map.seed"
    with pytest.raises(RequestError, match=r"map.size: there is no \[\[map\]\] in grid.toml"):
        read_experiment(tmp_path / "grid.toml", read_overrides(["map.size=3"], tmp_path), [], {"grid": [{}]})

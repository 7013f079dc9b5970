"""What commands print, and where: formats, quiet sweeps, and terminals with and without colours."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from bench.metrics import columns as c
from bench.model.trial import BASIC

TINY = ("sweep", "gate=xor", "hidden=0,2", "seeds=0:3", "iterations=30", "backend=numpy")
SEARCH = ("sweep", "hidden=2..4", "search.trials=2", "search.validate=2", "seeds=0:3", "iterations=20")
ESCAPE = "\x1b"


@pytest.fixture
def terminal(monkeypatch):
    """Whatever is printed goes to a terminal that knows colours."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(io, "StringIO", Terminal)


OBJECTIVES = "rmst,parameters,median_mse"


@pytest.fixture
def searched(made, monkeypatch):
    """The folder of a search with three objectives, which several tests look at."""
    monkeypatch.delenv("COLUMNS", raising=False)
    asked = (*SEARCH, "learning_rate=0.5..10:log", f"search.objective={OBJECTIVES}", "search.trials=4")
    return made("three-objectives", *(word for word in asked if word != "search.trials=2"), "--no-report")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_table_of_a_search_has_every_objective(command, searched, terminal, monkeypatch, columns):
    """Within the terminal; what has no room beside the others comes below, and nothing is cut."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = command(searched, "show").out
    assert max(map(len, shown.splitlines())) <= columns
    assert "…" not in shown
    table = shown.partition("•")[0]
    words = " ".join(table.split())
    for heading in (*OBJECTIVES.split(","), "solved"):
        assert f"{heading}, " in words
    assert table.count("the best, and") == {40: 5, 80: 3, 200: 1}[columns]
    assert ("neurons · learning rate " in table) is (columns > 40)  # what is varied stays whole


@pytest.mark.untraced
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_findings_wrap_at_words(command, searched, terminal, monkeypatch, columns):
    """Their words are those of a terminal without an end, and no sign stands alone at the beginning of a line."""
    sentences = [one["sentence"] for one in json.loads(command(searched, "show", "--format", "json").out)["findings"]]
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = "•" + command(searched, "show").out.partition("•")[2]
    assert not [line for line in shown.splitlines() if line.lstrip().startswith("%")]
    words = " ".join(shown.replace("\u00a0", " ").split())
    for sentence in sentences:
        assert " ".join(sentence.replace("\u00a0", " ").split()) in words


def test_of_many_values_of_a_number_some_are_rows(bench, terminal, monkeypatch):
    """As many as a screen has, within its width, and it says which; nothing is cut."""
    monkeypatch.setenv("NO_COLOR", "1")
    asked = ("hidden=2,3", "learning_rate=0.01..100:log:40", "seeds=0:2", "iterations=2", "--no-report")
    shown = bench("sweep", *asked).out.partition("•")[0].splitlines()
    assert "12 of 40 values of learning rate; all 80 trials are in the report" in shown
    assert len(shown) < 30
    assert max(map(len, shown)) <= 80
    assert not [line for line in shown if line.startswith("...")]


ONE = (
    (("sweep", "hidden=2", "seeds=0:1", "iterations=1", "--dry-run"), "1 trial, 1 training, 1 iteration\n"),
    (
        ("sweep", "hidden=2..3", "search.trials=1", "search.validate=1", "search.best=1", "seeds=0:1", "--dry-run"),
        "1 trial of a search over hidden, proposed by tpe for rmst, 1 seed each; then the best 1 with 1 held-out seed",
    ),
)


@pytest.mark.parametrize(("words", "said"), ONE)
def test_one_is_no_plural(bench, words, said):
    """Of trials, trainings, iterations and seeds."""
    assert said in bench(*words).out


def test_one_training_is_no_plural(bench):
    """Where it is trained, shown, and exported."""
    ran = bench("sweep", "hidden=2", "seeds=0:1", "iterations=20", "--no-report")
    assert "1 training of 1 trial, " in ran.err
    assert "; 1 seed each\n" in ran.out
    assert bench("export", "-o", "x.csv").out.startswith("1 training of sweep ")
    assert bench("export", "--summary", "-o", "x.csv").out.startswith("1 trial of sweep ")


@pytest.mark.untraced
def test_a_quiet_sweep_prints_the_path_of_its_report_alone(bench, folder):
    """Which exists; on stderr there is nothing at all."""
    ran = bench(*TINY, "-q", "-o", "r.html")
    assert (ran.status, ran.out, ran.err) == (0, f"{folder / 'r.html'}\n", "")
    assert (folder / "r.html").is_file()


@pytest.mark.untraced
def test_a_quiet_sweep_without_a_report_prints_nothing(bench):
    """A search too, and a dry run; in a format that is asked for, only that."""
    for words in ((*TINY, "--no-report"), (*SEARCH, "--no-report"), (*TINY, "--dry-run")):
        ran = bench(*words, "--quiet")
        assert (ran.status, ran.out, ran.err) == (0, "", "")
    ran = bench(*TINY, "--quiet", "--no-report", "--json")
    assert (ran.json["trainings"], ran.err) == (6, "")


@pytest.mark.untraced
def test_a_quiet_sweep_says_what_may_be_wrong(bench, folder):
    """Errors, refusals, what may be meant otherwise, and claims that do not hold; exit statuses are as they were."""
    ran = bench(*TINY, "hiden=3", "--quiet")
    assert (ran.status, ran.out, "did you mean 'hidden'?" in ran.err) == (2, "", True)
    ran = bench("sweep", "iterations=20", "seeds=2", "summation=library,fma", "--quiet", "--no-report")
    assert (ran.status, ran.out) == (0, "")
    first, second = ran.err.splitlines()
    assert first == "seeds=2 is one seed; 2 of them are seeds=0:2"
    assert second == "1 training unsupported: backend numba has no summation 'fma'; it has library"
    claim = (
        '[[claim]]\nid = "a"\nsource = "me"\nwhat = "all do"\nwhere = {}\nevent = { outcome = "solved" }\nalways = true'
    )
    (folder / "p.toml").write_text(f'[[grid]]\nhidden = 0\niterations = 50\nseeds = "0:3"\n{claim}\n')
    ran = bench("sweep", "p.toml", "--quiet", "--no-report")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("0 of 1 claims hold, 1 refuted\n")


def test_a_sweep_in_csv_is_what_show_prints_of_it(bench, folder):
    """A row per trial; where the report is goes to stderr."""
    ran = bench(*TINY, "--format", "csv", "-o", "r.html")
    assert ran.out == bench("show", "--format", "csv").out
    assert pd.read_csv(io.StringIO(ran.out))[c.HIDDEN].tolist() == [0, 2]
    assert f"Report: {folder / 'r.html'}\n" in ran.err


@pytest.mark.untraced
def test_json_has_two_names(bench):
    """And both are the same but for what a clock says and which sweep it is."""
    one, other = (bench(*TINY, "--no-report", *words).json for words in (["--json"], ["--format", "json"]))
    for found in (one, other):
        del found["sweep"], found["seconds"]
    assert one == other
    assert bench(*TINY, "--no-report", "--json", "--format", "json").json["trainings"] == 6


@pytest.mark.parametrize("words", [TINY, ["list"]])
def test_two_formats_at_once_are_a_wrong_request(bench, words):
    """One sentence, before any work."""
    ran = bench(*words, "--json", "--format", "csv")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "bench: format is 'csv', and --json is given; allowed is one of the two\n"


def test_a_dry_run_in_csv_has_a_row_per_trial(bench):
    """What would be trained, and how often."""
    table = pd.read_csv(io.StringIO(bench(*TINY, "--dry-run", "--format", "csv").out))
    assert list(table) == [c.TRIAL_ID, "trainings", *BASIC]
    assert table["trainings"].tolist() == [3, 3]


def test_a_list_in_csv_has_a_row_per_sweep(bench):
    """The same as in JSON."""
    bench(*TINY, "--no-report")
    (row,) = csv.DictReader(io.StringIO(bench("list", "--format", "csv").out))
    (listed,) = bench("list", "--format", "json").json["sweeps"]
    assert bench("list", "--json").json == bench("list", "--format", "json").json
    assert row == {name: str(value) for name, value in listed.items()}


PRINTING = ((*TINY, "--no-report"), (*SEARCH, "--no-report"), ("list",), ("show",), ("doctor",))


@pytest.mark.untraced
def test_on_a_terminal_there_are_colours(bench, terminal):
    """As the next test needs them to be."""
    ran = bench(*TINY, "--no-report")
    assert ESCAPE in ran.out
    assert ESCAPE in ran.err
    assert ESCAPE in bench("list").out


@pytest.mark.untraced
def test_no_color_gives_plain_text(bench, terminal, monkeypatch):
    """On stdout and stderr, though both are terminals."""
    monkeypatch.setenv("NO_COLOR", "1")
    for words in PRINTING:
        ran = bench(*words)
        assert ESCAPE not in ran.out + ran.err
        assert ran.out


@pytest.mark.untraced
def test_without_a_terminal_there_is_plain_text(bench, monkeypatch):
    """Whatever TERM says."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for words in PRINTING:
        ran = bench(*words)
        assert ESCAPE not in ran.out + ran.err
        assert ran.out


@pytest.mark.untraced
def test_a_quiet_sweep_shows_no_bar_on_a_terminal(bench, terminal, folder):
    """Nor that it imports, or writes."""
    ran = bench(*TINY, "--quiet", "-o", "r.html")
    assert (ran.out, ran.err) == (f"{Path.cwd() / 'r.html'}\n", "")


def test_what_show_prints_as_json_is_as_it_was(bench):
    """Its findings with their evidence, its trials and its claims."""
    bench(*TINY, "--no-report")
    assert set(json.loads(bench("show", "--format", "json").out)) == {"sweep", "answer", "findings", "trials", "claims"}

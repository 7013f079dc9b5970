"""Plug-ins, as a user has them: the example as a file and as an installed package, and whatever may be wrong with one.

"Installed" is a folder on the path with the metadata that pip writes: what bench reads is the same.
"""

import csv
import json
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import bench as api
from bench import plugins
from bench.backends import load
from bench.errors import RequestError
from bench.running.code_version import code_version, differences
from bench.running.environment import fingerprint
from bench.store.writer import SweepWriter

EXAMPLE = Path(__file__).parent.parent / "examples" / "plugin"
FILE = EXAMPLE / "bench_majority.py"
GIVEN = ("--plugin", str(FILE))
QUICK = ("learning_rate=5", "iterations=300", "curve_points=10", "--no-budget-check")
REQUEST = ("gate=majority3", "backend=numpy-batched", "hidden=2,3", "seeds=0:12", *QUICK)
SEARCH = ("gate=majority3", "backend=numpy-batched", "hidden=2..3", "seeds=0:6", *QUICK)
SEARCH += ("search.objective=upper_quartile", "search.trials=2", "search.validate=8")
PROCESSES = ("--executor", "processes", "--workers", "2")
HEAD = (
    "import numpy as np\nfrom bench import Backend, Gate, Objective, Section\nfrom bench.backends.base import Group\n"
)
GATE = "PLUGINS = [Gate({!r}, np.array([[0.0], [1.0]]), np.array([0.0, 1.0]))]\n"


@pytest.fixture(autouse=True)
def none_yet(monkeypatch):
    """What a test takes up is gone after it."""
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.setattr(plugins, "_LOADED", set())


@pytest.fixture(scope="module")
def swept(made):
    """The folder of a sweep with the example as a file, which two processes trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(plugins.VARIABLE, "")
        return made("plugged", "sweep", *GIVEN, *REQUEST, *PROCESSES, "-o", "r.html")


@pytest.fixture
def written(tmp_path):
    """Write a file with a plug-in, after all imports."""

    def write(content, name="mine.py", head=HEAD):
        path = tmp_path / name
        path.write_text(head + content)
        return path

    return write


def installed(folder):
    """Return the lines of a script that finds the example as pip would have installed it there."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    metadata = folder / f"bench_majority-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n")
    groups = project["entry-points"].items()
    lines = [line for group, named in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in named.items()))]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return f"import sys\nsys.path[:0] = [{str(folder)!r}, {str(EXAMPLE)!r}]\n"


def exported(command, folder):
    assert command(folder, "export", "-o", "rows.csv").status == 0
    with (folder / "rows.csv").open() as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- the example


@pytest.mark.untraced
def test_a_file_adds_a_gate_a_backend_and_a_section(swept):
    """What worker processes trained is what is trained here, and the page has the section before the claims."""
    page = (swept / "r.html").read_text()
    assert 'id="hardest-1"' in page
    assert page.index('id="hardest-1"') < page.index('id="ledger-1"')
    plugins.use(FILE)
    trial = api.Trial(gate="majority3", backend="numpy-batched", hidden=2, learning_rate=5.0, iterations=300)
    expected = api.train(trial, range(12)).solved_at_T.tolist()
    plan = json.loads(next((swept / "mlruns").rglob("plan.json")).read_text())
    assert "sweep gate=majority3" in plan["command"]
    assert f"--plugin {FILE}" in plan["command"]
    assert [row["parameters"]["backend"] for row in plan["trials"]] == ["numpy-batched"] * 2
    plugged = api.load(tracking_uri=f"sqlite:///{swept}/mlflow.db").trainings
    assert plugged[plugged["hidden"].astype(str) == "2"]["solved_at"].fillna(-1).astype(int).tolist() == expected


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_a_sweep_is_read_without_its_plugins(swept, command):
    """Its rows and its report are of what is stored; only the plug-in's own section is not there."""
    rows = exported(command, swept)
    assert {(row["gate"], row["backend"]) for row in rows} == {("majority3", "numpy-batched")}
    assert len(rows) == 24
    assert "majority3" in command(swept, "show").out
    assert command(swept, "report", "-o", "again.html").status == 0
    assert 'id="hardest-1"' not in (swept / "again.html").read_text()
    assert command(swept, "report", *GIVEN, "-o", "again.html").status == 0
    assert 'id="hardest-1"' in (swept / "again.html").read_text()


def test_what_took_part_is_kept_with_the_sweep(swept):
    """Each with its file and the hash of that; a sweep without plug-ins keeps nothing of them."""
    kept = json.loads(next((swept / "mlruns").rglob("environment.json")).read_text())[plugins.RECORDED]
    assert set(kept) == {"section hardest", "gate majority3", "backend numpy-batched"}
    assert all(value.startswith("bench_majority.py sha256 ") for value in kept.values())


@pytest.mark.slow
@pytest.mark.untraced
def test_an_installed_package_adds_an_objective(folder, child, command):
    """By its entry points: a search by it, in processes; without the package its rows are there, its report is not."""
    words = ["bench", "sweep", *SEARCH, *PROCESSES, "--runs", "trial", "-o", "r.html"]
    script = f"{installed(folder / 'site')}sys.argv = {words!r}\nfrom bench.cli import main\nmain()\n"
    process = child(script, folder)
    _, err = process.communicate(60)
    assert process.returncode == 0, err
    page = (folder / "r.html").read_text()
    assert "upper quartile" in page
    assert 'id="hardest-1"' in page
    assert {row["backend"] for row in exported(command, folder)} == {"numpy-batched"}
    ran = command(folder, "report")
    assert ran.status == 2
    assert ran.err.startswith("bench: objective upper_quartile is of bench-majority 0.1.0, which is not here; install")


@pytest.mark.slow
@pytest.mark.untraced
def test_a_sweep_that_is_killed_goes_on_with_its_plugin(bench, folder, start, swept, command):
    """With the same command and --resume; without the plug-in, that says what is not known."""
    long = ("gate=majority3", "backend=numpy-batched", "hidden=2", "seeds=0:400", "iterations=20000", "curve_points=9")
    long += (*GIVEN, "--no-report", "--no-budget-check")
    process = start(folder, "sweep", *long, "--executor", "serial", "--runs", "trial")
    for _ in range(3000):
        if list((folder / "mlruns").rglob("*.parquet")):
            break
        time.sleep(0.02)
    assert process.poll() is None
    process.kill()
    process.communicate()
    ran = bench("sweep", *[word for word in long if word not in GIVEN], "--resume")
    assert (ran.status, "gate 'majority3' is not known" in ran.err) == (2, True)
    ran = bench("sweep", *long, *PROCESSES, "--resume")
    assert ran.status == 0
    assert "more are done" in ran.err
    assert len(exported(command, folder)) == 400


@pytest.mark.slow
@pytest.mark.untraced
def test_the_examples_own_tests_pass(tmp_path):
    """As their author runs them: with what bench.testing has."""
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(EXAMPLE)]
    ran = subprocess.run(run, cwd=EXAMPLE, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


# ---------------------------------------------------------------- what may be wrong


CLASS = (
    "class A(Backend):\n    name = {!r}\n    group = Group\n    def cost_us(self, trial): return 1.0\nPLUGINS = [A]\n"
)
OBJECTIVE = "PLUGINS = [Objective(name={!r}, measures='m', heading='h', value=len)]\n"
SECTION = "PLUGINS = [Section({!r}, 'c', 'q', 'h', lambda data: None)]\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("1 / 0", r"plug-in '.*mine\.py' cannot be imported: ZeroDivisionError: division by zero"),
        ("def", r"plug-in '.*mine\.py' cannot be imported: SyntaxError: .*"),
        ("raise SystemExit(3)", r"plug-in '.*mine\.py' cannot be imported: SystemExit: 3"),
        ("", r"plug-in mine\.py has PLUGINS = None; allowed is a list of Gate, Objective and Section records, and .*"),
        ("PLUGINS = [7]", r"plug-in mine\.py lists 7; allowed are Gate, .*"),
        ("PLUGINS = [Backend]", r"plug-in mine\.py lists <class .*Backend'>; allowed are Gate, .*"),
        (GATE.format("a b"), r"mine\.py sha256 \w{16} has a gate 'a b'; allowed are letters, digits, _ and -"),
        (GATE.format("xor"), r"gate 'xor' of mine\.py sha256 \w{16} is built in; allowed is another name"),
        (CLASS.format("numba"), r"backend 'numba' of mine\.py sha256 \w{16} is built in; allowed is another name"),
        (OBJECTIVE.format("rmst"), r"objective 'rmst' of mine\.py sha256 \w{16} is built in; allowed is another name"),
        (SECTION.format("rates"), r"section 'rates' of mine\.py sha256 \w{16} is built in; allowed is another name"),
    ],
)
def test_a_wrong_file_is_one_sentence_before_any_work(bench, written, content, sentence, folder):
    """Exit status 2, and no sweep was begun, whether it asks for the plug-in or not."""
    ran = bench("sweep", "--plugin", written(content), "hidden=2", "seeds=0:2", "iterations=20", "--no-report")
    assert ran.status == 2
    (line,) = ran.err.splitlines()
    assert re.fullmatch(f"bench: {sentence}", line), line
    assert not list(folder.glob("mlruns/*"))


def test_a_file_that_is_not_there_is_named(bench):
    """And what is allowed."""
    ran = bench("show", "--plugin", "none.py")
    assert ran.status == 2
    assert ran.err.endswith("none.py' is not a file; allowed is a Python file that has PLUGINS\n")


def test_two_plugins_may_not_have_one_name(bench, written):
    """The sentence names both files."""
    first, second = written(GATE.format("same")), written(GATE.format("same") + "\n", "other.py")
    ran = bench("sweep", "--plugin", first, "--plugin", second)
    assert ran.status == 2
    assert "gate 'same' is of mine.py sha256 " in ran.err
    assert "and of other.py sha256 " in ran.err
    plugins.use(first, first)
    assert plugins.names("gate") == ("same",)


def test_what_is_not_taken_up_leaves_the_rest(written):
    """After a file that fails, those before it are there."""
    plugins.use(written(GATE.format("one")))
    with pytest.raises(RequestError, match="ZeroDivisionError"):
        plugins.use(written("1 / 0", "other.py"))
    assert [path.name for path in plugins.files()] == ["mine.py"]


ENTRIES = {
    "broken = no_such_module:A": "gate 'broken' of the plug-in p cannot be imported from no_such_module:A: Module",
    "path = os:path": "gate 'path' of the plug-in p is <module",
    "mine = entered:OTHER": "gate 'mine' of the plug-in p calls itself 'other'; allowed is its entry point's name",
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_wrong_entry_point_is_one_sentence_where_it_is_asked_for(entry, tmp_path, monkeypatch, written):
    """It is not imported before."""
    written(GATE.format("other") + "OTHER = PLUGINS[0]\n", "entered.py")
    (tmp_path / "p-1.dist-info").mkdir()
    (tmp_path / "p-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: p\nVersion: 1\n")
    (tmp_path / "p-1.dist-info/entry_points.txt").write_text(f"[bench.gates]\n{entry}\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins._all.cache_clear()
    name = entry.partition(" ")[0]
    assert plugins.names("gate") == (name,)
    with pytest.raises(RequestError) as caught:
        api.Trial(gate=name)
    assert caught.value.problems[0].startswith(ENTRIES[entry])
    monkeypatch.undo()
    plugins._all.cache_clear()


def test_a_backend_that_is_not_here_says_so():
    """Where a stored sweep is asked to train."""
    with pytest.raises(
        RequestError, match=r"^backend 'gone' is of a plug-in that is not here; install its package, or"
    ):
        load("gone")


def test_a_section_that_fails_costs_only_itself(bench, written, folder):
    """The page says what was wrong; and what a section returns may not be just anything."""
    words = ("hidden=2", "seeds=0:2", "iterations=20", "--no-budget-check", "-o", "r.html")
    content = "def wrong(data): return {'picture': 1}\nPLUGINS = [Section('mine', 'c', 'q', 'h', wrong)]\n"
    assert bench("sweep", "--plugin", written(content), *words).status == 0
    page = (folder / "r.html").read_text()
    assert "This section failed: ValueError: &#39;picture&#39; cannot be shown; allowed are heading, text," in page


def test_going_on_with_a_file_that_was_changed_says_so(bench, written, monkeypatch):
    """Rows of both may be in one sweep: whoever resumes it is told."""
    path = written(GATE.format("mine"))
    words = ("--plugin", path, "gate=mine", "hidden=2", "seeds=0:2", "iterations=20", "--no-report")
    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "keep_runs", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        assert bench("sweep", *words).status == 130
    path.write_text(path.read_text() + "# changed\n")
    plugins._all.cache_clear()  # as in another process
    ran = bench("sweep", *words, "--resume")
    assert ran.status == 0
    assert "gate mine was of mine.py sha256 " in ran.err
    assert "what is trained now may differ from what was trained before" in ran.err


def test_a_worker_without_the_plugin_of_a_backend_is_refused(written):
    """Only one that trains is asked for; another version of it is another code."""
    plugins.use(FILE)
    assert not any(name.startswith("plug-in") for name in code_version(loaded=True))
    load("numpy-batched")
    ours = code_version(loaded=True)
    key = "plug-in bench_majority.py"
    assert differences({name: found for name, found in ours.items() if name != key}, ours) == (
        f"no plug-in bench_majority.py (here {ours[key]})"
    )
    assert differences({**ours, key: "sha256 0"}, ours) == f"{key} sha256 0 (here {ours[key]})"
    assert differences({**ours, "plug-in more.py": "sha256 0"}, ours) == ""


def test_what_another_version_of_a_backend_trained_is_not_taken_over():
    """It is part of the fingerprint, where it is used."""
    facts = {"cpu": "a", "system": "Linux 6.1 x86_64"}
    without = fingerprint(facts)
    plugins.use(FILE)
    assert fingerprint(facts) == without
    load("numpy-batched")
    assert fingerprint(facts) != without

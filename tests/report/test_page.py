"""The page: what a reader must find on it, and nothing that a file's author smuggled in."""

import csv
import io
import json
import re
import shutil
import signal
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from PIL import Image

from bench.report import drawing
from bench.report.sweeps_compared import comparison
from bench.store.writer import SweepWriter


def page(bench, folder, *words):
    ran = bench("sweep", *words, "-o", "r.html")
    return ran, (folder / "r.html").read_text()


class Reader(HTMLParser):
    """The tags and attributes of a page, and its scripts' contents, as a browser takes them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.scripts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "script" and self.cdata_elem == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)


def opening(html):
    """Return the first screen: title, findings and warnings, as text."""
    header = html.split("<header>")[1].split("</header>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", header))).replace("\u00a0", " ")


def downloads(html):
    """Return the lines of every download."""
    uris = re.findall(r'href="data:text/csv;charset=utf-8,([^"]*)"', html)
    return [list(csv.reader(io.StringIO(unquote(uri)))) for uri in uris]


def test_the_ledger_accounts_for_every_training(full):
    """Planned equals the sum of outcomes, in words."""
    html = (full[0] / "r.html").read_text()
    assert "485 planned" in html
    assert "5 unsupported" in html
    assert "5 trainings unsupported: backend numba has no summation" in opening(html)


def test_the_page_needs_nothing_from_elsewhere(full, timed):
    """One file: no script, no stylesheet, no image from another place; only links lead out of it."""
    for folder in (full[0], timed):
        html = (folder / "r.html").read_text()
        assert not re.search(r'(?:src|srcset|poster|action)="', html)
        assert not re.search(r'<link[^>]*href="(?!data:)', html)
        assert "@import" not in html
        assert set(re.findall(r"url\((.)", html)) <= {"#"}
        hosts = set(re.findall(r"https?://([\w.]+)", html))
        assert hosts <= {"127.0.0.1", "www.w3.org"}  # the MLflow UI's runs; the name of SVG in the script


def test_it_says_how_to_run_it_again_and_where_it_ran(full, timed):
    """The command and the environment."""
    for folder, command in ((full[0], "full.toml"), (timed, "backend=numpy,torch hidden=3,8 alone=true rounds=6")):
        html = (folder / "r.html").read_text()
        assert f"python -m bench sweep {command}" in html
        assert "<dt>cpu</dt>" in html


def test_timings_beside_other_work_are_not_to_be_compared(full, timed):
    """Said above the figure; trainings alone carry no such warning."""
    assert "must not be compared" in (full[0] / "r.html").read_text()
    assert "must not be compared" not in (timed / "r.html").read_text()


SMUGGLED = """
title = '"<b>bold</b>" & <script>alert(2)</script>'
about = "<iframe src=x></iframe>"
[[grid]]
title = "</h3><i>block</i>"
gate = ["<img src=x onerror=alert(1)>.csv", "<script>alert(1)</script>.csv", "say \\"hi\\" onclick=x.csv"]
loss = ["mse", "bce"]
iterations = 60
seeds = "0:5"
[[grid]]
title = "<u>other</u>"
gate = "xor"
iterations = 60
seeds = "0:5"
[[claim]]
id = "<s>id</s>"
source = "<q>source</q>"
what = "</td><video>what</video>"
where = { gate = "xor" }
event = { outcome = "solved" }
never = true
"""


@pytest.fixture(scope="module")
def smuggled(tmp_path_factory, blank_store, command):
    """A page whose names, titles and claims are HTML."""
    folder = tmp_path_factory.mktemp("smuggled")
    shutil.copy(blank_store, folder / "mlflow.db")
    (folder / "<script>alert(1)<").mkdir()
    names = ("<script>alert(1)</script>.csv", "<img src=x onerror=alert(1)>.csv", 'say "hi" onclick=x.csv')
    for name in names:
        (folder / name).write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    (folder / "x.toml").write_text(SMUGGLED)
    status, _, err = command(folder, "sweep", "x.toml", "-o", "r.html")
    assert status == 3, err  # five seeds decide no claim
    return (folder / "r.html").read_text()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.untraced
def test_html_in_names_titles_and_claims_appears_as_text(smuggled):
    """A gate's file name, an experiment's title and its claims cannot inject anything."""
    found = Reader(smuggled)
    assert not {"iframe", "img", "video", "u", "q", "s"} & set(found.tags)
    assert not [name for name in found.attributes if name.startswith("on")]
    assert len(found.scripts) == 4
    text = unescape(smuggled)
    for words in ('"<b>bold</b>" & <script>alert(2)</script>', "<iframe src=x></iframe>", "</h3><i>block</i>",
                  "<u>other</u>", "<s>id</s>", "<q>source</q>", "</td><video>what</video>",
                  "<img src=x onerror=alert(1)>", 'say "hi" onclick=x'):  # fmt: skip
        assert words in text


@pytest.mark.untraced
def test_html_in_names_is_data_in_the_heatmaps_script(smuggled):
    """It ends no script, and is the name all the same."""
    _, (kind, text), *_ = Reader(smuggled).scripts
    assert kind == "application/json"
    assert "<" not in text
    assert json.loads(text)["values"]["gate"] == ["<img src=x onerror=alert(1)>", "script>", 'say "hi" onclick=x']


@pytest.mark.untraced
def test_html_in_names_is_data_in_the_explorers_script(smuggled):
    """Settings are listed by the names that they have elsewhere."""
    *_, (kind, text), _ = Reader(smuggled).scripts
    assert kind == "application/json"
    assert "<" not in text
    names = " ".join(one["name"] for one in json.loads(text)["trials"])
    assert "<img src=x onerror=alert(1)>" in names
    assert "script>" in names


@pytest.mark.untraced
def test_html_in_names_is_data_where_one_points_at_a_trial(smuggled):
    """As text of what is shown then."""
    (kind, text), *_ = Reader(smuggled).scripts
    assert kind == "application/json"
    assert "<" not in text
    assert any(said.startswith("<img src=x onerror=alert(1)>") for said, _ in json.loads(text).values())


@pytest.mark.untraced
def test_html_in_names_is_as_it_was_in_the_downloads(smuggled):
    """A table of numbers needs no escapes."""
    cells = {cell for lines in downloads(smuggled) for line in lines for cell in line}
    assert {"<img src=x onerror=alert(1)>", 'say "hi" onclick=x'} <= cells
    assert not [cell for cell in cells if "&lt;" in cell or "&#34;" in cell]


# ------------------------------------------------------------------ every kind of sweep

ALONE = ("backend=numpy", "alone=true")
BURST = ["activation=relu", "hidden=8-8-8", "init_scale=1e30", "iterations=100"]
RATES = ",".join(f"{rate / 10}" for rate in range(1, 31))
CASES = {
    "single trainings that diverged": ([*BURST, "seeds=0:2"], "Every training diverged"),
    "everything unsupported": (["summation=fma", "seeds=0:5"], "Nothing was trained: every training was refused"),
    "a single training": (["seeds=3", "iterations=60"], "The only training is stuck."),
    "one trial": (["seeds=0:6", "iterations=60"], "0 of 6 trainings (1 trial, 6 seeds)"),
    "a single iteration": (["seeds=0:6", "iterations=1"], "Within 1 iteration, networks"),
    "one timing": ([*ALONE, "rounds=1", "seeds=3", "iterations=60"], ""),
    "timings of deep networks": ([*ALONE, "rounds=2", "hidden=2-2,16,4-4", "seeds=0:2", "iterations=60"], ""),
    "timings that are refused": ([*ALONE, "rounds=2", "summation=fma", "seeds=0:2"], "every training was refused"),
    "timings that diverge": ([*ALONE, "rounds=2", *BURST, "seeds=0"], "Every training diverged"),
    "deep networks": (["hidden=2-2,4-4", "seeds=0:6", "iterations=60"], "12 trainings (2 trials, 6 seeds)"),
}  # fmt: skip


LARGE = {
    "five parameters": (
        ["gate=or,xor", "hidden=2,3", "loss=mse,bce", "momentum=0,0.5", "learning_rate=1,2,3,4", "seeds=0:4",
         "iterations=60"],
        "256 trainings (64 trials, 4 seeds)",
    ),
    "thirty values": ([f"learning_rate={RATES}", "loss=mse,bce", "iterations=60", "seeds=0:4"], "(60 trials, 4 seeds)"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("words", "said"), LARGE.values(), ids=LARGE.keys())
def test_a_sweep_of_many_trials_has_a_report(bench, folder, words, said):
    """Ten seconds of figures each."""
    has_a_report(bench, folder, words, said)


@pytest.mark.parametrize(("words", "said"), CASES.values(), ids=CASES.keys())
def test_every_kind_of_sweep_has_a_report(bench, folder, words, said):
    """Whatever came out, there is a page that says so at once, and no warning on the way."""
    has_a_report(bench, folder, words, said)


def has_a_report(bench, folder, words, said):
    ran, html = page(bench, folder, *words)
    assert ran.status == 0, ran.err
    assert "What became of every training" in html
    assert said in opening(html)
    assert "Warning" not in ran.err
    anchors = re.findall(r'href="#([^"]+)"', html)
    assert [anchor for anchor in anchors if f'id="{anchor}"' not in html] == []
    return ran, html


def test_timings_only_have_no_section_on_rates(timed):
    """Rates of few trainings say nothing; what was timed is in the section on backends."""
    html = (timed / "r.html").read_text()
    assert re.findall(r'<section id="([a-z]+)-1"', html) == ["backends", "ledger", "again"]


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_two_blocks_with_the_same_gate_are_told_apart(bench, folder):
    """By their titles."""
    (folder / "x.toml").write_text(
        """
        [defaults]
        iterations = 60
        seeds = "0:5"
        [[grid]]
        title = "Small ones"
        hidden = [2, 3]
        [[grid]]
        title = "Deep ones"
        hidden = ["2-2", "4-4"]
        """
    )
    ran, html = page(bench, folder, "x.toml")
    assert ran.status == 0
    assert "“Small ones”" in opening(html)
    assert "“Deep ones”" in opening(html)
    assert html.count(">Small ones</h3>") == html.count(">Deep ones</h3>") > 2


@pytest.mark.usefixtures("undrawn")
def test_a_search_has_a_report(bench, folder):
    """Its trials are no grid: they are ranked, and nothing is said of the variance."""
    (folder / "x.toml").write_text(
        """
        [defaults]
        iterations = 100
        [search]
        hidden = {low = 2, high = 6}
        learning_rate = {low = 0.1, high = 20.0, log = true}
        trials = 12
        batch = 4
        seeds = "0:5"
            validate = 0
        """
    )
    ran, html = page(bench, folder, "x.toml")
    assert ran.status == 0, ran.err
    assert "60 trainings of 12 trials" in opening(html)
    assert "Share of the variance" not in html
    assert "Only some combinations were trained" in html


@pytest.mark.usefixtures("undrawn", "small_shards")
def test_an_interrupted_sweep_says_what_is_missing_and_how_to_go_on(bench, folder, monkeypatch):
    """Its exit status is 130; the report counts what is there."""
    keep, left = SweepWriter.shard, [1]

    def interrupted(self, table):
        keep(self, table)
        if left.pop() if left else False:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(SweepWriter, "shard", interrupted)
    words = ("hidden=2,8", "backend=numpy", "iterations=100", "seeds=0:40", "--executor", "serial")
    assert bench("sweep", *words).status == 130
    assert bench("list", "--json").json["sweeps"][0]["status"] == "KILLED"
    assert bench("report", "-o", "r.html").status == 0
    said = opening((folder / "r.html").read_text())
    assert re.search(r"Of 80 planned trainings: (\d+) not yet trained", said)
    assert "This sweep is not finished" in said
    assert "--resume" in said


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_an_unfinished_sweep_without_anything_says_so(bench, folder):
    """The report of a sweep with no trainings counts them and says how to go on."""
    bench("sweep", "iterations=60", "seeds=0:4", "--no-report")
    for shard in (folder / "mlruns").rglob("*.parquet"):
        shard.unlink()
    assert bench("report", "-o", "r.html").status == 0
    said = opening((folder / "r.html").read_text())
    assert "0 of 4 planned trainings are here" in said
    assert "--resume" in said


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("seeds", "said"), [(range(1), "1 failed"), (range(6), "every training crashed")])
def test_failed_trainings_are_said_with_their_reason(bench, folder, monkeypatch, seeds, said):
    """Exit status 1; they count as not solved."""
    from bench.backends import numpy_loop
    from bench.model.trial import Trial

    cursed = Trial(backend="numpy", iterations=60).initial_weights(list(seeds))
    group = numpy_loop.NumpyLoop.group

    def crash(self, batch):
        if (cursed == batch.weights_TP[0]).all(axis=1).any():
            raise RuntimeError("the floor is <lava>")
        return group(batch)

    monkeypatch.setattr(numpy_loop.NumpyLoop, "group", crash)
    ran, html = page(bench, folder, "backend=numpy", "iterations=60", "seeds=0:6", "--executor", "serial")
    assert ran.status == 1
    assert said in opening(html)
    assert "the floor is <lava>" in opening(html)


@pytest.mark.untraced
def test_a_dollar_in_a_name_is_no_mathematics(bench, folder):
    """A gate's file may be called anything that a file may."""
    (folder / r"$\foo$.csv").write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    ran, html = page(bench, folder, r"gate=$\foo$.csv,or", "hidden=2,3", "iterations=60", "seeds=0:5")
    assert ran.status == 0, ran.err
    assert r"$\foo$" in html


@pytest.mark.usefixtures("undrawn")
def test_single_curves_of_different_trials_are_different_lines(trained_report):
    """Every parameter that tells two trials apart is in the label."""
    report = trained_report("learning_rate=0.01,5", "iterations=60", "seeds=0:2")
    (curves,) = report["curves"]
    assert curves["chart"].data["label"].nunique() == 4


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_a_median_over_diverged_trainings_is_not_that_of_the_others(bench, folder):
    """Where more than half diverged, the median error is infinite; what never solves takes for ever."""
    ran, html = has_a_report(bench, folder, [*BURST, "seeds=0:5", "--json"], "Every training diverged")
    assert ran.json["outcomes"]["diverged"] == 5
    assert "∞" in html
    assert set(ran.json) == {"sweep", "experiment", "trials", "trainings", "outcomes", "seconds", "report"}
    assert "•" not in ran.err  # findings are for people


@pytest.mark.usefixtures("undrawn")
def test_figures_that_are_left_out_are_said(trained_report, html):
    """More trials than a figure can show are in the table of every trial, and the page says so."""
    rates = ",".join(f"{rate / 10}" for rate in range(1, 63))
    text = html(trained_report("gate=or", f"learning_rate={rates}", "iterations=200", "seeds=0:4"))
    assert "Not every trial is drawn; the table has all of them." in text
    assert "56 more trials lie between these by their solved rates." in text
    assert len(re.findall(r"data-copy=", text)) == 62


CLAIMED = """
[[grid]]
hidden = 0
iterations = 50
seeds = "0:5"
[[claim]]
id = "a"
source = "me"
what = "no perceptron solves XOR"
where = { hidden = 0 }
event = { outcome = "solved" }
never = true
"""


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_claims_are_left_out_under_overrides_and_the_page_says_so(bench, folder):
    """Claims speak of the file as written."""
    (folder / "x.toml").write_text(CLAIMED)
    ran, html = page(bench, folder, "x.toml", "iterations=20")
    assert ran.status == 0
    assert "they were not checked" in opening(html)


def test_claims_are_listed_with_their_verdicts(full):
    """Expected beside observed, and the verdict with the seeds that would decide; those missed are named at once.

    Two trials of thirty seeds are no 183.
    """
    html = (full[0] / "r.html").read_text()
    assert "0 of 2 claims hold, 1 refuted, 1 undecided" in html
    assert "Refuted: wrong. Undecided: perceptron." in opening(html)
    assert "no perceptron solves XOR" in html
    assert "0 of 60" in html
    assert "undecided: about 180 seeds would decide" in html
    assert html.count("seeds would decide") == 1


# ------------------------------------------------------------------ beside the page


def test_the_terminal_tells_the_findings(full):
    """Each sentence of the page, with its evidence."""
    folder, out = full
    findings = re.findall(r"<strong>(.*?)</strong> <span>(.*?)</span>", (folder / "r.html").read_text())
    assert len(findings) >= 5
    for sentence, evidence in findings:
        assert unescape(sentence) in out
        assert unescape(evidence) in out


def test_the_sweep_keeps_its_report_and_its_figures(full):
    """As artifacts of the parent run: each figure a picture of its own, under a title that stands alone."""
    folder, _ = full
    (kept,) = folder.joinpath("mlruns").rglob("report.html")
    assert kept.read_text() == (folder / "r.html").read_text()
    figures = {path.stem: path for path in kept.parent.joinpath("figures").glob("*.png")}
    assert {"settings", "rates-1", "times-1", "curves-1", "variance-1", "effects-1", "pairs-1"} <= set(figures)
    for path in figures.values():
        with Image.open(path) as picture:
            assert len(picture.info["Title"].split()) > 2
            assert picture.convert("L").getextrema() < (100, 256)


# ------------------------------------------------------------------ side by side


def test_sweeps_side_by_side_show_what_differs_and_the_shared_trials_rates(trained_report, html):
    """Each with its own n; no id is there twice."""
    words = ("hidden=2,3", "iterations=60", "learning_rate=5")
    one = trained_report(*words, "seeds=0:20", key=1, sweep="a" * 32)
    other = trained_report(*words[1:], "seeds=0:40", key=2, sweep="b" * 32, environment={"cpu": "another CPU"})
    text = html(one, other)
    first = text.split('<section id="comparison">')[1].split("</section>")[0]
    assert "2 sweeps side by side" in first
    assert "a CPU" in first
    assert "another CPU" in first
    assert "Solved rates of the trials that both have" in first
    assert "n = 20" in first
    assert "n = 40" in first
    (rates,) = [lines for lines in downloads(first) if lines[0] == ["trial", "a" * 8, "b" * 8]]
    assert len(rates) == 2
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))


def compared(*reports):
    """Return how two sweeps compare by what differs."""
    with drawing.style():
        return comparison([report.data for report in reports])["sides"]


def test_sweeps_that_differ_in_one_thing_are_compared_by_it(trained_report):
    """By seed, in every setting that both have: in the rate and in time, named by what differs."""
    words = ("hidden=2,3", "iterations=400", "learning_rate=5", "seeds=0:30")
    reports = [
        trained_report(*words, f"activation={name}", key=key, sweep=name[0] * 32)
        for key, name in enumerate(("tanh", "sigmoid"), 1)
    ]
    found = compared(*reports)
    said = " ".join(found["words"])
    assert "They differ in activation; everything else is the same in each setting." in said
    assert "With tanh more starts are solved than with sigmoid: +" in said
    assert "A start that both solve takes in median" in said
    shown = [[cell.text for cell in row[:2]] for row in found["table"].rows]
    assert shown == [["2 neurons", "30"], ["3 neurons", "30"]]
    assert len(found["chart"].panels) == 2


@pytest.mark.untraced
def test_sweeps_without_a_trial_in_common_say_so(trained_report, html):
    """There is nothing to compare but what was asked: several trials of one may be meant for each of the other."""
    reports = [
        trained_report(f"hidden={hidden}", rates, "iterations=60", "seeds=0:5", key=hidden, sweep=str(hidden) * 32)
        for hidden, rates in ((2, "learning_rate=1,2"), (3, "learning_rate=3,4"))
    ]
    text = html(*reports)
    assert "They have no trial in common, and none that differ only in what differs between the sweeps." in text
    assert "python -m bench sweep hidden=2 learning_rate=1,2 iterations=60 seeds=0:5" in text


def test_sweeps_whose_starts_differ_are_compared_by_seed_and_it_is_said(trained_report):
    """Networks of other sizes have no weights in common."""
    reports = [
        trained_report(f"hidden={hidden}", "iterations=60", "seeds=0:5", key=hidden, sweep=str(hidden) * 32)
        for hidden in (2, 3)
    ]
    assert "Their starts are not the same weights: pairs are of the same seed." in compared(*reports)["words"]


@pytest.mark.untraced
def test_the_same_sweep_twice_differs_in_nothing(trained_report, html):
    """The same seeds give the same numbers."""
    words = ("hidden=2,3", "iterations=60", "seeds=0:5")
    text = html(*(trained_report(*words, key=key, sweep=name * 32) for key, name in ((1, "a"), (2, "b"))))
    assert "The same trials solve at the same rate in all of them" in text

"""The page: what a reader must find on it, and nothing that a file's author smuggled in."""

import pytest


def page(bench, folder, *words):
    ran = bench("sweep", *words, "-o", "r.html")
    return ran, (folder / "r.html").read_text()


def test_the_ledger_accounts_for_every_training(bench, folder):
    """Planned equals the sum of outcomes, in words."""
    _, html = page(bench, folder, "hidden=0,3", "iterations=60", "seeds=0:6", "summation=library,fma")
    assert "24 planned" in html
    assert "12 unsupported" in html
    assert "12 trainings unsupported: backend numba has no summation" in html


def test_the_page_needs_nothing_from_elsewhere(bench, folder):
    """One file: no script, no stylesheet, no image from another place."""
    _, html = page(bench, folder, "hidden=0,3", "iterations=60", "seeds=0:6")
    assert "http://" not in html
    assert "https://" not in html
    assert 'src="data:' in html


def test_it_says_how_to_run_it_again_and_where_it_ran(bench, folder):
    """The command and the environment."""
    _, html = page(bench, folder, "hidden=0,3", "iterations=60", "seeds=0:6")
    assert "python -m bench sweep hidden=0,3 iterations=60 seeds=0:6" in html
    assert "<dt>cpu</dt>" in html


def test_timings_beside_other_work_are_not_to_be_compared(bench, folder):
    """Said above the figure; trainings alone carry no such warning."""
    _, html = page(bench, folder, "iterations=60", "seeds=0:4")
    assert "must not be compared" in html
    _, html = page(bench, folder, "iterations=60", "seeds=0:4", "alone=true", "backend=numpy")
    assert "must not be compared" not in html


def test_html_in_names_and_titles_appears_as_text(bench, folder):
    """A gate's file name and an experiment's title cannot inject anything."""
    (folder / "<script>alert(1)<").mkdir()
    (folder / "<script>alert(1)<" / "script>.csv").write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    (folder / "<img src=x onerror=alert(1)>.csv").write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    (folder / "x.toml").write_text(
        """
        title = '"<b>bold</b>" & <script>alert(2)</script>'
        [[grid]]
        title = "<i>block</i>"
        gate = ["<img src=x onerror=alert(1)>.csv", "<script>alert(1)</script>.csv"]
        iterations = 60
        seeds = "0:5"
        """
    )
    ran, html = page(bench, folder, "x.toml")
    assert ran.status == 0
    for smuggled in ("<script", "<img src=x", "<b>bold", "<i>block"):
        assert smuggled not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


ALONE = ("backend=numpy", "alone=true")
CASES = {
    "everything diverged": ["activation=relu", "hidden=8-8-8", "init_scale=1e30", "iterations=100", "seeds=0:5"],
    "single trainings that diverged": ["activation=relu", "hidden=8-8-8", "init_scale=1e30", "seeds=0:2"],
    "everything unsupported": ["summation=fma", "seeds=0:5"],
    "a single training": ["seeds=3", "iterations=60"],
    "one trial": ["seeds=0:6", "iterations=60"],
    "a single iteration": ["seeds=0:6", "iterations=1"],
    "one timing": [*ALONE, "rounds=1", "seeds=3", "iterations=60"],
    "timings of deep networks": [*ALONE, "rounds=2", "hidden=2-2,16,4-4", "seeds=0:2", "iterations=60"],
    "timings that are refused": [*ALONE, "rounds=2", "summation=fma", "seeds=0:2"],
    "timings that diverge": [*ALONE, "rounds=2", "activation=relu", "hidden=8-8-8", "init_scale=1e30", "seeds=0"],
    "deep networks": ["hidden=2-2,4-4", "seeds=0:6", "iterations=60"],
    "many panels": ["gate=or,and,xor,nor", "hidden=2", "loss=mse,l1,bce,huber", "seeds=0:4", "iterations=30"],
    "more trials than are drawn": ["hidden=1,2,3,4,5,6,7,8", "loss=mse,l1,bce,huber", "momentum=0,0.5", "iterations=5"],
}  # fmt: skip


@pytest.mark.parametrize("words", CASES.values(), ids=CASES.keys())
def test_every_kind_of_sweep_has_a_report(bench, folder, words):
    """Whatever came out, there is a page that says so, and no warning on the way."""
    ran, html = page(bench, folder, *words)
    assert ran.status == 0, ran.err
    assert "What became of every training" in html
    assert "Warning" not in ran.err


def test_a_dollar_in_a_name_is_no_mathematics(bench, folder):
    """A gate's file may be called anything that a file may."""
    (folder / r"$\foo$.csv").write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    ran, _ = page(bench, folder, r"gate=$\foo$.csv,or", "iterations=60", "seeds=0:5")
    assert ran.status == 0, ran.err


def test_single_curves_of_different_trials_are_different_lines(bench, folder, monkeypatch):
    """Every parameter that tells two trials apart is in the label."""
    from bench.report import figures

    seen = []
    draw = figures.single_curves
    monkeypatch.setattr(figures, "single_curves", lambda curves, rest: seen.append(curves) or draw(curves, rest))
    page(bench, folder, "learning_rate=0.01,5", "iterations=60", "seeds=0:2")
    assert seen[0][figures.LABEL].nunique() == 4


def test_a_median_over_diverged_trainings_is_not_that_of_the_others(bench, folder):
    """Where more than half diverged, the median error is infinite."""
    words = ("activation=relu", "hidden=8-8-8", "init_scale=1e30", "iterations=100", "seeds=0:5", "--json")
    ran, html = page(bench, folder, *words)
    assert ran.json["outcomes"]["diverged"] == 5
    assert "∞" in html


def test_figures_that_are_left_out_are_said(bench, folder):
    """More trials than a figure can show are in the table, and the page says so."""
    rates = ",".join(f"{rate / 10}" for rate in range(1, 63))
    _, html = page(bench, folder, f"learning_rate={rates}", "iterations=5", "seeds=0:4")
    assert "62 trials are too many for legible figures" in html


def test_an_unfinished_sweep_says_so(bench, folder):
    """The report of a sweep with missing trainings counts them and says how to go on."""
    bench("sweep", "iterations=60", "seeds=0:4", "--no-report")
    for shard in (folder / "mlruns").rglob("*.parquet"):
        shard.unlink()
    assert bench("report", "-o", "r.html").status == 0
    html = (folder / "r.html").read_text()
    assert "0 of 4 planned trainings are here" in html
    assert "--resume" in html


def test_claims_are_left_out_under_overrides_and_the_page_says_so(bench, folder):
    """Claims speak of the file as written."""
    ran, html = page(bench, folder, "printed", "iterations=20")
    assert ran.status == 0
    assert "were not checked" in html


def test_claims_are_listed_with_their_verdicts(bench, folder):
    """Expected beside observed, and whether it holds."""
    (folder / "x.toml").write_text(
        """
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
    )
    _, html = page(bench, folder, "x.toml")
    assert "1 of 1 figures and statements hold" in html
    assert "no perceptron solves XOR" in html
    assert "0 of 5" in html

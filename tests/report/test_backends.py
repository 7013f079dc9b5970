"""The section on backends: agreement first, then speed where there is agreement."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bench.metrics import columns as c
from bench.model.timing import Sample, Timing
from bench.model.trial import BACKENDS, Trial
from bench.report.backends import backends, fastest, speed_answer, speed_charts, throughput
from bench.report.colours import BACKEND
from bench.report.number_format import short
from bench.stats import timings
from bench.stats.agreement import COLUMNS, pair_summary
from bench.stats.timings import timing_table
from bench.store.tables import timing_frame, timing_rows

from .conftest import made_up_starts

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(autouse=True)
def started(monkeypatch):
    """Cold starts are made up: each would be a process that imports a library."""
    monkeypatch.setattr("bench.running.timing_rounds.cold_starts", made_up_starts)


def page(bench, folder, *words):
    ran = bench("sweep", *words, "-o", "r.html")
    assert ran.status == 0, ran.err
    return (folder / "r.html").read_text()


def samples(name, us, size=1, cpu_s=1.0, **parameters):
    """Make up the samples of a backend from its microseconds per training and iteration, a round each."""
    timing_ = Timing(Trial(backend=name, **parameters), range(size), len(us))
    return [
        Sample(timing_, number, 0, 1, one * size, one, np.full(10, one * size), 0.5, 1.0, cpu_s)
        for number, one in enumerate(us, 1)
    ]


def column(table, heading):
    """Return what the cells below a heading say."""
    place = list(table.headings).index(heading)
    return [row[place].text for row in table.rows]


def kinds(table, heading):
    place = list(table.headings).index(heading)
    return [row[place].kind for row in table.rows]


def speedups(shown):
    return column(shown["timings"], "speed-up [95 %]")


def tabled(*some):
    return timing_frame([timing_rows([one for rows in some for one in rows])])


@pytest.fixture
def section():
    """Return what the template shows of samples, where numpy and torch differ by so much."""

    def shown(*some, difference=0.0, agrees=True):
        trials = dict.fromkeys(rows[0].timing.trial for rows in some)
        trainings = pd.DataFrame([{c.TRIAL_ID: trial.trial_id, **trial.parameters} for trial in trials])
        pairs = [(one, other) for one, other in permutations(trials, 2) if one.backend < other.backend]
        rows = [
            ("numpy", "torch", "float32", one.trial_id, other.trial_id, 100, 100, difference, 0, pd.NA, 1.0, agrees)
            for one, other in pairs
        ]
        agreed = pd.DataFrame(rows, columns=COLUMNS)
        trainings = trainings.assign(**{c.OUTCOME: "", c.ALONE: True})
        found = timing_table(tabled(*some), agreed)
        pairs = pair_summary(agreed)
        data = SimpleNamespace(trainings=trainings, agreed_pairs=pairs, timed=found, cold_starts=[])
        leading = {"answer": speed_answer(data), "leading": speed_charts(data)}
        return {**backends(data), "fastest": fastest(data), **leading}

    return shown


@pytest.mark.untraced
def test_a_sweep_with_timings_shows_agreement_then_speed_then_cold_starts(timed):
    """In this order, with rounds and threads."""
    html = (timed / "r.html").read_text()
    places = [html.index(text) for text in ("Do they agree?", "numpy and torch", "How fast are they?", "Cold start")]
    assert places == sorted(places)
    assert "on 1 thread, in" in html
    assert "6 rounds whose order was shuffled" in html
    assert "are kept, and never compared" in html
    assert "must not be compared" not in html


@pytest.mark.untraced
def test_backends_that_ran_beside_each_other_are_checked_for_agreement_all_the_same(bench, folder):
    """Whatever they took."""
    html = page(bench, folder, "backend=numpy,torch", "iterations=50", "seeds=0:2")
    assert html.index("Do they agree?") < html.index("must not be compared")
    assert "How fast are they?" not in html


@pytest.mark.untraced
@pytest.mark.parametrize(("alone", "shown"), [("true", True), ("false", False)])
def test_times_beside_other_work_are_not_told_as_speed(bench, folder, alone, shown):
    """Neither on the terminal nor in the report: they would look as if they could be compared."""
    ran = bench("sweep", "backend=numpy", "iterations=50", "seeds=0:2", f"alone={alone}", "-o", "r.html")
    html = (folder / "r.html").read_text()
    assert ("per iteration \n" in ran.out) is shown
    assert ("must not be compared" in html) is not shown
    assert ("How fast are they?" in html) is shown


def test_a_backend_that_agrees_has_its_speed_up_with_an_interval(section):
    """Over the numpy loop, which has none of its own: of six rounds the range of their ratios."""
    both = samples("numpy", [40.0] * 6), samples("torch", [10.0, 8.0] * 3)
    shown = section(*both, difference=1e-7)
    assert speedups(shown) == ["the loop", "4.5 × [4, 5]"]


@pytest.mark.untraced
def test_a_comparison_begins_with_whether_they_agree_and_what_is_faster(section):
    """And with a chart of the first setting and one of the last; where the core was shared, that is the answer."""
    both = samples("numpy", [40.0] * 6), samples("torch", [10.0] * 6)
    more = samples("numpy", [40.0] * 6, hidden=8), samples("torch", [20.0] * 6, hidden=8)
    shown = section(*both, *more)
    assert shown["answer"].replace("\u00a0", " ") == (
        "Numpy and torch train alike; per training, torch is up to 4 [4, 4] times as fast as the numpy loop."
    )
    assert [chart.panels[0].title or chart.title for chart in shown["leading"]] == [
        "3 neurons",
        "The same with 8 neurons",
    ]
    shown = section(*(samples(name, [40.0] * 6, cpu_s=0.5) for name in ("numpy", "torch")))
    assert shown["answer"].endswith("alike; which is faster is not answered: 2 of 2 timings shared a core.")
    assert section(*both, agrees=False)["answer"].startswith("Numpy and torch do not train alike; which ")


@pytest.mark.untraced
def test_few_rounds_have_no_interval(section):
    """From six rounds on there is one."""
    texts = [
        speedups(section(samples("numpy", [40.0] * rounds), samples("torch", [10.0] * rounds)))[1]
        for rounds in (1, 5, 6)
    ]
    assert texts == ["4 ×", "4 ×", "4 × [4, 4]"]


def test_a_core_that_was_shared_is_flagged(section):
    """Wherever it was, nothing is compared with it."""
    shown = section(samples("numpy", [40.0] * 2), samples("torch", [10.0] * 2, cpu_s=0.5))
    assert speedups(shown) == ["the loop", "core was shared"]
    shown = section(samples("numpy", [40.0] * 2, cpu_s=0.5), samples("torch", [10.0] * 2))
    assert speedups(shown) == ["core was shared", "the loop's core was shared"]


@pytest.mark.untraced
def test_a_pair_names_the_trials_in_which_it_disagrees(section):
    """How many, and the first few."""
    some = [samples(name, [1.0], hidden=hidden) for name in ("numpy", "torch") for hidden in (3, 8)]
    (said,) = column(section(*some, agrees=False)["agreements"], "agree")
    assert said.startswith("no, in 4 of 4 trials: 3 neurons")
    assert said.endswith(" …")
    assert column(section(*some)["agreements"], "agree") == ["yes"]


def test_what_a_narrow_screen_shows_first_is_how_fast(timed):
    """Throughput and speed-up come before latency and spread."""
    html = (timed / "r.html").read_text()
    headings = ("side by side<", "million / s<", "speed-up [95 %]<", "latency µs", "p99", "spread<")
    places = [html.index(heading, html.index('aria-label="Timings"')) for heading in headings]
    assert places == sorted(places)


def test_a_backend_that_disagrees_is_shown_as_such_and_not_as_faster(section):
    """In the table and at its line."""
    both = samples("numpy", [40.0] * 3), samples("torch", [10.0] * 3)
    shown = section(*both, difference=0.25, agrees=False)
    assert speedups(shown) == ["the loop", "disagrees by 0.25"]
    assert kinds(shown["timings"], "speed-up [95 %]") == ["", "fails"]
    assert kinds(shown["agreements"], "agree") == ["fails"]
    assert shown["fastest"] is None


def test_a_spread_above_a_tenth_is_flagged(section):
    """Three rounds that vary, and three that do not."""
    shown = section(samples("numpy", [10.0, 20.0, 30.0]), samples("numpy", [10.0, 10.1, 10.2], size=2))
    assert column(shown["timings"], "spread") == ["50 % noisy", "1 %"]
    assert kinds(shown["timings"], "spread") == ["fails", ""]


def test_timings_to_be_compared_stand_together(section):
    """By hidden layer, smallest first, then by trainings side by side, then by backend."""
    some = [
        samples(name, [10.0] * 2, size=size, hidden=hidden)
        for hidden in ("16", "4-4", "3") for size in (8, 1) for name in reversed(BACKENDS[:2])
    ]  # fmt: skip
    table = section(*some)["timings"]
    rows = list(zip(*(column(table, name) for name in ("trial", "side by side", "backend")), strict=True))
    assert [row[0] for row in rows] == ["3 neurons"] * 4 + ["4-4 neurons"] * 4 + ["16 neurons"] * 4
    assert rows[:4] == [("3 neurons", size, name) for size in ("1", "8") for name in BACKENDS[:2]]


def test_a_single_trial_is_named_by_what_it_is(section):
    """Nothing tells it from others."""
    assert column(section(samples("numpy", [10.0] * 2))["timings"], "trial") == ["XOR · 3 neurons · squared error"]


def test_a_backend_has_one_colour():
    """In figures and tables, and no other has it."""
    assert len({BACKEND[name] for name in BACKENDS}) == len(BACKENDS)


def test_a_line_ends_in_the_name_of_its_backend():
    """No legend is needed; a side that disagrees is marked."""
    rounds = tabled(samples("numpy", [10.0] * 2), samples("torch", [20.0] * 2))
    table = timings.timing_table(rounds, pd.DataFrame(columns=COLUMNS))
    table[timings.VERDICT] = [timings.REFERENCE, timings.DISAGREES]
    (axes,) = throughput(table, [1], (1e4, 1e6)).axes
    assert {text.get_text() for text in axes.texts} == {"numpy", "torch ≠"}
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (np.nan, "–"), (np.inf, "∞"), (0.0, "0"), (1234.5, "1,234"), (12.345, "12.3"), (4.2e-7, "4.2e-7")],
)
def test_numbers_have_three_digits(value, text):
    """Or all before the point; what is missing is a dash."""
    assert short(value) == text

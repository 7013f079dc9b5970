"""Estimates: a plan's time and memory are said before any work, and what is too much is refused with the figure."""

import pytest

from bench import estimates
from bench.config.plan import make_plan
from bench.config.seeds import MOST_LISTED, read_seeds
from bench.config.values import MOST_TRIALS
from bench.errors import RequestError
from bench.estimates import estimate, memory_here, time_words
from bench.request import read_request

MILLION = ("learning_rate=0.1..1:linear:1000", "momentum=0..0.9:linear:1000", "seeds=0:20")


def expected(*words, workers=2):
    """Return what a request is estimated to take."""
    return estimate(make_plan(read_request(words)), workers)


def test_a_million_trials_are_counted_and_refused_without_being_made(bench, monkeypatch):
    """The figure says how many there are, whether they are to be trained or only listed."""
    monkeypatch.setattr("bench.config.plan.Trial", None)  # whoever makes one fails
    for more in ([], ["--dry-run"]):
        ran = bench("sweep", *MILLION, *more)
        assert ran.status == 2
        assert "1,000,000 trials of 20,000,000 trainings are asked for" in ran.err
        assert f"allowed in one sweep are {MOST_TRIALS:,}" in ran.err


def test_seeds_are_as_good_as_counted_where_they_follow_each_other():
    """However they are written; millions with gaps between them would have to be held one by one."""
    assert read_seeds([0, "1:50000001", "7:9", 3]) == range(50_000_001)
    assert read_seeds("3,0,7:9,8") == (0, 3, 7, 8)
    with pytest.raises(RequestError, match=f"49,999,999 with gaps between; allowed are {MOST_LISTED:,}"):
        read_seeds("0,2:50000000")


def test_twice_the_work_takes_twice_the_time_and_half_of_it_with_twice_the_workers():
    """Of trainings side by side; those that are timed alone take turns, however many workers there are."""
    one, two = expected("seeds=0:100", "hidden=2"), expected("seeds=0:200", "hidden=2")
    assert two.seconds == pytest.approx(2 * one.seconds)
    assert expected("seeds=0:100", "hidden=2", workers=1).seconds == pytest.approx(2 * one.seconds)
    alone = [expected("seeds=0:10", "hidden=2", "alone=true", workers=workers).seconds for workers in (1, 2)]
    assert alone[0] == alone[1]


def test_numbers_that_are_drawn_before_count():
    """A million for each of a thousand seeds take a second, and far longer where they are drawn by rejection."""
    few, many, normal = (
        expected("hidden=2", "iterations=1", "seeds=0:1000", *more).seconds
        for more in ([], ["draws_before=1000000"], ["draws_before=1000000", "init=normal"])
    )
    assert few < 0.1 < many < normal


def test_memory_grows_with_trials_trainings_and_what_is_kept_of_them():
    """And not with seeds of which the page shows nothing."""
    least = expected("hidden=2", "seeds=0:10").memory_bytes
    assert least < expected("hidden=2", "seeds=0:10", "learning_rate=0.01..1:log:100").memory_bytes
    assert least < expected("hidden=2", "seeds=0:1000").memory_bytes
    assert expected("hidden=2", "seeds=0:500000").memory_bytes > 1e9
    assert expected("hidden=2", "seeds=0:50000000").memory_bytes < 2e9
    assert least < expected("map.x=weight:output.bias:-5..5", "map.y=weight:hidden[0].bias:-5..5").memory_bytes
    assert least < expected("hidden=2..16", "search.trials=200", "seeds=0:100").memory_bytes


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_what_does_not_fit_the_memory_is_refused_with_the_figure(bench, monkeypatch, more):
    """Before any work: there is no sweep afterwards."""
    monkeypatch.setattr(estimates, "memory_here", lambda: 2_000_000_000)
    ran = bench("sweep", "gate=parity8", "hidden=2", "seeds=0:400000", *more)
    assert ran.status == 2
    assert "this takes about 2.9 GB of memory; allowed are the 2.0 GB that there are" in ran.err
    assert bench("list", "--json").json["sweeps"] == []


def test_the_memory_that_there_is_is_no_more_than_a_limit_allows(tmp_path, monkeypatch):
    """As in a container; where nothing says how much there is, nothing is refused."""
    (tmp_path / "max").write_text("1000000\n")
    (tmp_path / "none").write_text("max\n")
    there = memory_here()
    monkeypatch.setattr(estimates, "LIMITS", (str(tmp_path / "max"), str(tmp_path / "none"), str(tmp_path / "gone")))
    assert there is None or there > 10**9
    assert memory_here() == 1_000_000


def test_a_dry_run_says_how_long_it_will_take_and_how_much_memory(bench):
    """In words, and as numbers in JSON."""
    ran = bench("sweep", "gate=parity8", "hidden=64-64-64-64", "iterations=100000", "--workers", 2, "--dry-run")
    assert "minutes of training on 2 cores, and 0.5 GB of memory" in ran.out
    listed = bench("sweep", "hidden=2", "--dry-run", "--json").json
    assert 0 < listed["seconds"] < 1
    assert listed["memory_bytes"] > 0


def test_a_long_plan_is_listed_by_its_first_trials(bench, monkeypatch):
    """All of them are in its CSV."""
    monkeypatch.setattr("bench.console.MOST_PLANNED", 3)
    request = ("hidden=2", "learning_rate=0.01..1:log:10", "--dry-run")
    assert "... and 7 more trials: --format csv lists all" in bench("sweep", *request).out
    assert len(bench("sweep", *request, "--format", "csv").out.splitlines()) == 11


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.212, "212 ms"), (100, "100 s"), (150, "2.5 minutes"), (37_702, "10.5 hours"), (10**6, "11.6 days")],
)
def test_times_are_written_as_people_say_them(seconds, words):
    """In the largest unit of which it is two."""
    assert time_words(seconds) == words


def test_a_sweep_says_that_it_will_take_long(bench, monkeypatch):
    """What takes a moment says nothing of it."""
    monkeypatch.setattr(estimates, "LONG_S", 0.0)
    assert ", about " in bench("sweep", "hidden=2", "iterations=10", "seeds=0:2", "--no-report").err
    monkeypatch.undo()

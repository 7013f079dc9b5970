"""Parts of a page that are made by several processes."""

import os
import sys
import threading

import pytest

from bench.report import page_processes
from bench.report.page_processes import OWN, made_side_by_side

LONELY = """
import os, sys
os.sched_getaffinity = lambda _: {0, 1}
from bench.report.page_processes import made_side_by_side
"""
NAMES = [*OWN, "rates", "times"]


class Said:
    """A report whose parts say what they are and who made them."""

    def __init__(self, key):
        self.key = key

    def part(self, name):
        return f"{self.key} {name} {os.getpid()}"

    def prepare(self):
        raise AssertionError("nobody else makes anything meanwhile")


@pytest.fixture
def forked(child, tmp_path):
    """Run lines in a process with one thread and two cores; return what it printed."""

    def run(lines):
        process = child(f"{LONELY}\n{lines}", tmp_path)
        out, err = process.communicate(60)
        assert process.returncode == 0, err
        return out.split("\n")[:-1]

    return run


def test_where_other_threads_run_one_process_makes_all():
    """A fork beside them might wait for ever."""
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        made = made_side_by_side([Said("a"), Said("b")], NAMES)
    finally:
        stop.set()
        other.join()
    assert made == [[f"{key} {name} {os.getpid()}" for name in NAMES] for key in "ab"]


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_parts_come_in_order_from_others_but_for_those_that_read_the_store(forked):
    """Whoever makes them."""
    said = forked("""
class Said:
    def __init__(self, key):
        self.key = key
    def part(self, name):
        return f"{self.key} {name} {os.getpid() == own}"
    def prepare(self):
        print("prepared", os.getpid() == own)
own = os.getpid()
for parts in made_side_by_side([Said("a"), Said("b")], ["attractors", "rates", "times"]):
    print(*parts, sep="\\n")
""")
    assert said == ["prepared True"] * 2 + [f"{key} {name} {name in OWN}" for key in "ab" for name in NAMES]


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_what_a_process_that_died_left_is_made_all_the_same(forked):
    """By the one that asked."""
    said = forked("""
class Dying:
    def prepare(self):
        pass
    def part(self, name):
        if os.getpid() != own and name == "times":
            os._exit(9)
        return name
own = os.getpid()
print(*made_side_by_side([Dying()], ["attractors", "rates", "times"])[0], sep="\\n")
""")
    assert said == NAMES


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_an_error_in_a_part_is_raised(forked):
    """It is one of the page, not of the process that found it."""
    said = forked("""
class Wrong:
    def prepare(self):
        pass
    def part(self, name):
        if name == "times":
            raise ValueError("no such time")
        return name
try:
    made_side_by_side([Wrong()], ["rates", "times"])
except ValueError as error:
    print(error)
""")
    assert said == ["no such time"]


def test_jax_is_not_forked(monkeypatch):
    """It would warn that it may hang."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(page_processes, "_processes", lambda: 2)
    monkeypatch.setitem(sys.modules, "jax", sys)
    assert made_side_by_side([Said("a")], ["rates"]) == [[f"a rates {os.getpid()}"]]


@pytest.mark.slow
def test_the_report_of_a_command_is_the_same_however_many_draw_it(full, start, tmp_path):
    """To the last byte."""
    folder, _ = full
    process = start(folder, "report", "-o", str(tmp_path / "r.html"))
    _, err = process.communicate(120)
    assert process.returncode == 0, err
    assert (tmp_path / "r.html").read_text() == (folder / "r.html").read_text()

"""Files that users name: only regular ones within limits are read, and what is written is whole or as it was before."""

import os
from pathlib import Path

import pytest

from bench.errors import LONGEST, MOST_PROBLEMS, RequestError, printable, shortened
from bench.model.gate import read_gate
from bench.report_files import default_report
from bench.user_files import (
    LONGEST_NAME,
    MOST_COLUMNS,
    MOST_CSV_BYTES,
    MOST_DEPTH,
    MOST_KEYS,
    MOST_TOML_BYTES,
    OutputError,
    check_output,
    is_file,
    read_text,
    read_toml,
    written_aside,
)


def refused(path: Path) -> str:
    """Return why an output may not be written."""
    with pytest.raises(RequestError) as caught:
        check_output(path, ".html")
    return str(caught.value)


@pytest.fixture
def pipe(tmp_path):
    """Return a named pipe, at whose other end nobody is: who opens it waits for ever."""
    os.mkfifo(tmp_path / "pipe.html")
    return tmp_path / "pipe.html"


def test_no_report_goes_where_no_regular_file_may_be(tmp_path, pipe):
    """A pipe would be waited for, and a device swallows what it is given."""
    device, folder = tmp_path / "device.html", tmp_path / "folder.html"
    device.symlink_to("/dev/full")
    folder.mkdir()
    assert "is a pipe" in refused(pipe)
    assert "is a device" in refused(device)
    assert "is a folder" in refused(folder)


def test_a_link_that_leads_nowhere_is_told_before_any_work(tmp_path):
    """To a file that is not there, to itself, and by way of a folder that is not there."""
    for name, to in (("dangling", "gone/x.html"), ("loop", "loop.html"), ("folder", "gone")):
        (tmp_path / f"{name}.html").symlink_to(to)
    assert "is a link to nothing" in refused(tmp_path / "dangling.html")
    assert "is a link to nothing" in refused(tmp_path / "loop.html")
    assert "is a link to nothing" in refused(tmp_path / "folder.html" / "x.html")


@pytest.mark.parametrize("name", ["x" * 5000, "x" * LONGEST_NAME, "/".join(["folder"] * 1000)])
def test_a_name_that_no_file_can_have_is_told_in_a_short_sentence(tmp_path, name):
    """Whether it is one name that is too long, or the whole path; what is said does not repeat all of it."""
    said = refused(tmp_path / f"{name}.html")
    assert f"allowed are {LONGEST_NAME}" in said
    assert len(said) <= LONGEST


@pytest.mark.parametrize("name", ["\udcff", "\x1b[31m", "a\0b"])
def test_a_name_that_a_terminal_cannot_show_is_refused(tmp_path, name):
    """Bytes that are no text, and what would colour the terminal; the message has none of it."""
    said = refused(tmp_path / f"{name}.html")
    assert "is not plain text" in said
    assert said == printable(said)


def test_a_link_to_a_file_stays_a_link(tmp_path):
    """What it leads to is written anew."""
    (tmp_path / "real.html").write_text("before")
    (tmp_path / "link.html").symlink_to("real.html")
    check_output(tmp_path / "link.html", ".html")
    with written_aside(tmp_path / "link.html") as beside:
        beside.write_text("after")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text() == "after"


def test_a_file_that_cannot_be_written_whole_leaves_what_was_there(tmp_path):
    """As on a disk that is full: half of the new file is gone, and all of the old one is there."""
    path = tmp_path / "report.html"
    path.write_text("before")

    def write():
        with written_aside(path) as new:
            new.write_text("half of i")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"report\.html' cannot be written: No space left"):
        write()
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_the_report_of_dozens_of_sweeps_has_a_name_that_a_file_may_have():
    """It is another for other sweeps, and of few sweeps it names each."""
    sweeps = [(f"experiment{number}", f"{number:032x}") for number in range(40)]
    names = [default_report(sweeps).name, default_report(sweeps[:-1]).name]
    assert len(set(names)) == 2
    assert all(len(name) <= LONGEST_NAME for name in names)
    assert default_report(sweeps[:1]).name == "experiment0-00000000.html"


def test_a_sweep_whose_report_fails_is_finished(bench, folder, monkeypatch):
    """All was trained: one sentence, exit 1, and the command that writes the report again."""
    replace = Path.replace

    def full(path, target):
        if path.suffix == ".html":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    ran = bench("sweep", "iterations=20", "seeds=0:2", "-o", "x.html", "-q")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    listed = bench("list", "--json").json["sweeps"]
    assert ran.status == 1
    assert "'x.html' cannot be written: No space left on device" in ran.err
    assert f"python -m bench report {listed[0]['sweep'][:8]}" in ran.err
    assert "nothing to resume" in bench("sweep", "iterations=20", "seeds=0:2", "--resume").err


# ------------------------------------------------------------------ what is read


def toml_problem(text: str) -> str:
    """Return what is wrong with a TOML text."""
    with pytest.raises(ValueError, match="allowed are") as caught:
        read_toml(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"a = {'[' * 20_000}{']' * 20_000}",
        f"a = {'[' * (MOST_DEPTH + 1)}{']' * (MOST_DEPTH + 1)}",
        f"{'.'.join(['a'] * 300_000)} = 1",
        f"[{'.'.join(['a'] * 400)}]",
    ],
)
def test_what_lies_too_deep_is_told_at_once(text):
    """Lists and tables, in brackets and by dots: no recursion, and no time that grows with the square."""
    assert f"allowed are {MOST_DEPTH} levels" in toml_problem(text)


def test_numbers_and_keys_beyond_all_sense_are_refused():
    """Python could not even print a number of 6,000 hexadecimal digits."""
    assert "24,000 bits" in toml_problem(f"a = 0x{'f' * 6000}")
    assert f"{MOST_KEYS:,} keys" in toml_problem("[[grid]]\n" * (MOST_KEYS + 1))
    assert read_toml(f"a = {2**63 - 1}\nb = [[[1.5, 'x']]]") == {"a": 2**63 - 1, "b": [[[1.5, "x"]]]}


def test_nothing_is_read_of_what_is_no_regular_file_or_too_large(tmp_path, pipe):
    """A pipe may never say anything, and a device never end."""
    (tmp_path / "large.toml").touch()
    os.truncate(tmp_path / "large.toml", MOST_TOML_BYTES + 1)
    for path, why in ((pipe, "a pipe"), (Path("/dev/zero"), "a device"), (tmp_path / "large.toml", "1,000,001 bytes")):
        with pytest.raises(ValueError, match=why):
            read_text(path, MOST_TOML_BYTES)


def test_no_name_is_too_strange_to_be_asked_for(tmp_path):
    """Of a file that cannot be there, it is said that it is not."""
    assert not is_file(tmp_path / ("x" * 5000))
    assert not is_file(tmp_path / "a\0b")
    assert not is_file(tmp_path)
    assert is_file(Path(__file__))


def test_a_gate_of_the_wrong_kind_or_size_is_refused_in_a_short_sentence(tmp_path, pipe):
    """Whether it is a pipe, three gigabytes of nothing, or a table of a hundred thousand columns."""
    (tmp_path / "pipe.csv").symlink_to(pipe)
    (tmp_path / "wide.csv").write_text(",".join(f"input{number}" for number in range(10 * MOST_COLUMNS)))
    (tmp_path / "nothing.csv").touch()
    os.truncate(tmp_path / "nothing.csv", 3_000_000_000)
    said = {}
    for name in ("pipe", "wide", "nothing"):
        with pytest.raises(RequestError) as caught:
            read_gate(f"{name}.csv", tmp_path)
        said[name] = str(caught.value)
    assert "it is a pipe" in said["pipe"]
    assert f"allowed are {MOST_COLUMNS:,}" in said["wide"]
    assert f"allowed are {MOST_CSV_BYTES:,}" in said["nothing"]


def test_a_table_of_too_many_rows_is_refused(tmp_path, monkeypatch):
    """No more of it is read than that."""
    monkeypatch.setattr("bench.model.csv_table.MOST_ROWS", 3)
    (tmp_path / "long.csv").write_text("observation,input1,output\n" + "1,0,1\n" * 5)
    with pytest.raises(RequestError, match="more than 3 rows"):
        read_gate("long.csv", tmp_path)


def test_a_chain_of_includes_ends(bench, folder):
    """Each file includes the next, fifteen hundred times."""
    for number in range(40):
        (folder / f"c{number}.toml").write_text(f'include = ["c{number + 1}"]')
    (folder / "c40.toml").write_text("[[grid]]")
    ran = bench("sweep", "c0.toml", "--dry-run")
    assert ran.status == 2
    assert "include 'c17' is included by 16 others; allowed are 16" in ran.err


# ------------------------------------------------------------------ what is said


def test_a_message_is_never_longer_than_a_screen():
    """What was given is cut in the middle; its end says what is allowed. Of thousands of problems some are told."""
    one = str(RequestError(f"hidden is {'9' * 10**6!r}; allowed are 0 to 64"))
    many = RequestError(*map(str, range(10_000))).problems
    assert len(one) <= LONGEST
    assert one.startswith("hidden is '999")
    assert one.endswith("999'; allowed are 0 to 64")
    assert (len(many), many[-1]) == (MOST_PROBLEMS + 1, "and 9,900 more problems")
    assert shortened("short") == "short"


def test_what_is_stored_colours_no_terminal(bench, folder):
    """Titles, notes and names with control characters are shown with these escaped, by every table and sentence."""
    bench("sweep", "iterations=20", "seeds=0:2", "--no-report", "-q")
    sweep = bench("list", "--json").json["sweeps"][0]["sweep"]
    bench("title", sweep, "red \x1b[31m and \x9b1m back\x08 \u202e turned – 0 %")
    refused = bench("note", sweep, "\udcff")
    shown = bench("list").out
    assert "red \\x1b[31m and \\x9b1m back\\x08" in shown
    assert shown == printable(shown)
    assert (refused.status, refused.err) == (2, "bench: note is '\\udcff', which is not UTF-8; allowed is text\n")
    assert "0 %" in printable("0 %")

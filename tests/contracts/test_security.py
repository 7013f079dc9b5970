"""What SECURITY.md promises: nothing that is read is run, nothing is computed by a spreadsheet, no password is kept."""

import ast
import re
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

import bench as library
from bench.errors import RequestError, printable
from bench.user_files import as_text

ROOT = Path(library.__file__).parent
RUNNING = {"eval", "exec", "compile", "__import__"}  # what would run what it is given
UNPICKLING = {("pickle", "loads"), ("pickle", "load"), ("numpy", "load"), ("np", "load"), ("torch", "load")}
OWN = {  # where a process unpickles what its own driver gave it
    ("running/cold_start.py", "loads"),
    ("running/dask_executor.py", "loads"),
}
FORMULAS = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "\t=1+1", "-SUM(A1)"]
SECRET = "s3cret-pass"


def test_nothing_that_is_read_is_unpickled_or_run():
    """Only worker processes unpickle, and what their own driver gave them."""
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) in UNPICKLING:
                    found.add((path.relative_to(ROOT).as_posix(), node.attr))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RUNNING:
                found.add((path.relative_to(ROOT).as_posix(), node.func.id))
    assert found == OWN


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text_in_a_csv_file(text):
    """After an apostrophe, which a spreadsheet does not show."""
    assert as_text(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["xor", "-1.5", "+2.4 points", "4-4", -1.5, None, "-1.76 [-5.01, +1.51]"])
def test_other_cells_are_left_as_they_are(cell):
    """Numbers have signs, too."""
    assert as_text(cell) is cell


def test_a_gate_with_a_formula_for_a_name_computes_nothing(bench, folder):
    """In an export, in what is printed as CSV, and behind the page's tables."""
    name = "=cmd|' '!A0"
    (folder / f"{name}.csv").write_text("observation,input1,output\n1,0,0\n2,1,1\n")
    assert bench("sweep", f"gate={name}.csv", "hidden=0,1", "seeds=0:3", "iterations=9", "-o", "r.html").status == 0
    bench("export", "-o", "x.csv")
    assert set(pd.read_csv("x.csv")["gate"]) == {f"'{name}"}
    bench("export", "-o", "x.parquet")
    assert set(pd.read_parquet("x.parquet")["gate"]) == {name}
    assert f"'{name}" in bench("show", "--format", "csv").out
    assert not re.search(r"(%0A|,)%22?=cmd", (folder / "r.html").read_text())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"http://me:{SECRET}@host:5000/x y", "http://***@host:5000/x y"),
        (f"postgresql+psycopg://me:{SECRET}@host/db", "postgresql+psycopg://***@host/db"),
        ("mail me@host, see http://host/a@b", "mail me@host, see http://host/a@b"),
    ],
)
def test_credentials_of_a_uri_are_not_shown(text, shown):
    """Neither in a message nor in an error."""
    assert printable(text) == shown
    assert str(RequestError(text)) == shown


@pytest.mark.parametrize("uri", ["http://me:{}@127.0.0.1:9", "postgresql://me:{}@127.0.0.1:9/db", "mysql://a:{}@b"])
def test_a_store_that_is_not_there_is_told_without_its_password(bench, uri):
    """Whoever looks over a shoulder, or reads a log, sees three stars."""
    ran = bench("sweep", "iterations=5", "seeds=0:2", "--tracking-uri", uri.format(SECRET))
    assert ran.status == 2
    assert SECRET not in ran.err + ran.out
    assert "***@" in ran.err


@pytest.mark.slow
def test_a_password_is_written_nowhere(bench, folder, server, tmp_path_factory):
    """Not into a run, an artifact, a page, a table, nor what is printed; an interrupt's advice included."""
    uri = server.replace("http://", f"http://me:{SECRET}@")
    asked = ("gate=xor", "hidden=2,3", "seeds=0:3", "iterations=20", "--tracking-uri", uri)
    said = [bench("sweep", *asked, "-o", "r.html"), bench("list", "--tracking-uri", uri)]
    said += [bench("doctor", "--tracking-uri", uri), bench("export", "-o", "x.csv", "--tracking-uri", uri)]
    said += [bench("report", "--tracking-uri", uri), bench("show", "nothing", "--tracking-uri", uri)]
    said += [bench("sweep", *asked, "--resume")]
    assert [ran.status for ran in said] == [0, 0, 0, 0, 0, 2, 2]
    assert not [ran for ran in said if SECRET in ran.out + ran.err]
    (place,) = {path.parent for path in Path(tmp_path_factory.getbasetemp()).glob("server0/mlflow.db")}
    written = [path for start in (folder, place) for path in start.rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    with sqlite3.connect(place / "mlflow.db") as database:
        assert SECRET not in "\n".join(database.iterdump())

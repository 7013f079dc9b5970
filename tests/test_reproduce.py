"""The documents' printed numbers, through the whole program."""

import json
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.untraced  # thousands of iterations in a loop, which the backends' own tests trace

PRINTED = Path(__file__).parent.parent / "experiments" / "printed.toml"


def inline(value):
    """Write a value as TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {inline(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def without_loops(document):
    """Return the experiment without what trains for minutes: numba stands in for torch, and for XOR's torch-batched."""
    slow = {"or": {"torch"}, "xor": {"torch", "torch-batched"}}
    for grid in document["grid"]:
        names = grid["backend"] if isinstance(grid["backend"], list) else [grid["backend"]]
        grid["backend"] = [name for name in names if name not in slow[grid["gate"]]]
    document["grid"] = [grid for grid in document["grid"] if grid["backend"]]
    for claim in document["claim"]:
        claim["also"] = [name for name in claim["also"] if name not in slow[claim["where"]["gate"]]]
        if claim["where"]["backend"] == "torch":
            claim["also"].remove("numba")
            claim["where"]["backend"] = "numba"
            if "printed" in claim:
                claim["carried"] = True
    return "\n".join(f"{name} = {inline(value)}" for name, value in document.items())


def test_every_printed_figure_comes_out_of_the_backends_that_take_seconds(bench, folder):
    """Each once at least, with expected and observed side by side; OR to the last digit in torch is tested with it."""
    (folder / "quick.toml").write_text(without_loops(tomllib.loads(PRINTED.read_text())))
    ran = bench("sweep", "quick.toml", "--json", "--no-report")
    assert ran.status == 0, ran.err + ran.out
    assert "200 of 200 claims hold" in ran.err


def test_reproduce_lists_every_figure(bench, folder, monkeypatch):
    """--json is a list of id, source, what, expected, observed, holds."""
    monkeypatch.setattr("bench.cli.DOCUMENTS", "few.toml")
    (folder / "few.toml").write_text(
        """
            title = "few"
            [[grid]]
            gate = "or"
            hidden = 3
            hidden_bias = false
            output_bias = false
            init = "uniform"
            iterations = 2000
            curve_points = 2
            dtype = "float64"
            seeds = 1
            [[claim]]
            id = "error"
            source = "walkthrough"
            what = "error at step {at}"
            where = { gate = "or" }
            seed = 1
            of = "loss"
            at = [0, 1000]
            printed = ["1.960156e-01", "1.651662e-01"]
        """
    )
    ran = bench("reproduce", "--json")
    assert ran.status == 0, ran.err
    assert [row["id"] for row in ran.json] == ["error-0", "error-1000"]
    assert set(ran.json[0]) == {"id", "source", "what", "expected", "observed", "holds"}
    assert ran.json[1] == {
        "id": "error-1000",
        "source": "walkthrough",
        "what": "error at step 1000",
        "expected": "1.651662e-01",
        "observed": "1.651662e-01",
        "holds": True,
    }
    shown = bench("reproduce")
    assert "2 of 2 hold" in shown.out


@pytest.mark.slow
def test_reproduce_holds_as_a_whole(bench):
    """Each of 276 printed figures, the loops' too, and every statement in words over two hundred seeds."""
    ran = bench("reproduce", "--json")
    assert ran.status == 0, ran.err
    assert len(ran.json) > 276
    assert all(row["holds"] for row in ran.json)

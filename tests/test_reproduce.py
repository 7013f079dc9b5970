"""The documents' printed numbers, through the whole program."""

import pytest


def test_every_printed_figure_comes_out_to_its_last_digit(bench):
    """At least sixty figures, each with expected and observed side by side."""
    ran = bench("sweep", "printed", "--json")
    assert ran.status == 0, ran.err + ran.out
    assert "276 of 276 claims hold" in ran.err


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
    """Every printed figure, and every statement in words over two hundred seeds."""
    ran = bench("reproduce", "--json")
    assert ran.status == 0, ran.err
    assert len(ran.json) >= 100
    assert all(row["holds"] for row in ran.json)

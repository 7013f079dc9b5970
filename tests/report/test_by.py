"""A report by one parameter: its values compared from the same starts, within a sweep or several."""

import numpy as np
import pandas as pd
import pytest

import bench as api
from bench.metrics import columns as c
from bench.report.sides import sides, values_compared
from bench.stats import paired_comparisons as paired

ASKED = ("hidden=2,3", "learning_rate=4", "iterations=600", "curve_points=5", "seeds=0:40", "--no-report")
LOSSES = "loss=mse,bce,l1"


@pytest.fixture(scope="module")
def swept(made):
    """The folder of a sweep with three losses."""
    return made("by", "sweep", LOSSES, *ASKED)


def data_of(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return api.load().page.data


@pytest.mark.untraced
def test_two_values_of_a_sweep_are_compared_as_two_sweeps_are(command, made, monkeypatch):
    """The same words, figure and table as those of a sweep of each value alone."""
    both = data_of(made("both", "sweep", "loss=mse,bce", *ASKED), monkeypatch)
    one, other = (
        data_of(made(f"only-{loss}", "sweep", f"loss={loss}", *ASKED), monkeypatch) for loss in ("mse", "bce")
    )
    (part,) = values_compared([both], "loss")
    expected = sides(one, other)
    assert part["words"][:-1] == expected["words"][:-1]
    assert part["words"][-1] == "Everything but the loss is the same in each setting."
    pd.testing.assert_frame_equal(part["chart"].data, expected["chart"].data)
    (again,) = values_compared([one, other], "loss")  # of several sweeps together
    pd.testing.assert_frame_equal(again["chart"].data, part["chart"].data)


@pytest.mark.untraced
def test_each_value_is_compared_with_the_first(swept, monkeypatch):
    """Over the same starts, counted here from the rows; p is adjusted over all comparisons together."""
    data = data_of(swept, monkeypatch)
    rows = api.load().trainings
    solved = rows.pivot_table(index=[c.HIDDEN, c.SEED], columns=c.LOSS, values=c.SOLVED, observed=True).astype(bool)
    parts = values_compared([data], "loss")
    assert len(parts) == 2
    adjusted = []
    for part, other in zip(parts, ("bce", "l1"), strict=True):
        table = part["chart"].data
        assert table["setting"].tolist() == ["2 neurons", "3 neurons"]
        for hidden, row in zip((2, 3), table.to_dict("records"), strict=True):
            own = solved.loc[hidden]
            assert row[paired.PAIRS] == 40
            assert row[paired.ONLY_ONE] == (own["mse"] & ~own[other]).sum()
            assert row[paired.DIFFERENCE] == pytest.approx(own["mse"].mean() - own[other].mean())
        adjusted += list(table[paired.P] < table[paired.P_HOLM])
    assert any(adjusted)
    assert np.all([part["chart"].name for part in parts] == ["sides-1", "sides-2"])


def test_settings_of_one_value_alone_are_counted_and_not_compared(made, monkeypatch):
    """Where a block has the one loss and another block the other, for other networks too."""
    text = "\n".join(
        f'[[grid]]\nloss = "{loss}"\nhidden = [{hidden}]\niterations = 50\nseeds = "0:6"'
        for loss, hidden in (("mse", "2, 3"), ("bce", "3, 4"), ("l1", "5"))
    )
    data = data_of(made("uneven", "sweep", "uneven.toml", "--no-report", text=text), monkeypatch)
    compared, alone = values_compared([data], "loss")
    assert compared["chart"].data["setting"].tolist() == ["3 neurons"]
    assert "2 other settings of theirs have no counterpart, or several." in compared["words"]
    assert alone["words"] == ["Squared error and absolute error: no two trials differ in nothing else."]
    assert alone["table"] is None


def test_starts_that_are_drawn_otherwise_are_told(swept, monkeypatch):
    """A seed draws other weights where there are other neurons."""
    (part,) = values_compared([data_of(swept, monkeypatch)], "hidden")
    assert "Their starts are not the same weights: pairs are of the same seed." in part["words"]


@pytest.mark.slow
@pytest.mark.untraced
def test_a_report_begins_with_the_comparison(command, swept):
    """On the command line and in Python, beside the report that it has anyway."""
    ran = command(swept, "report", "--by", "loss")
    assert ran.status == 0
    (path,) = (swept / "reports").glob("*-by-loss.html")
    assert ran.out == f"Report: {path}\n"
    page = path.read_text()
    assert page.index("Compared by loss") < page.index("absolute error") < page.index('id="ledger-1"')


WRONG = {
    "momentum": "by is momentum, which has 1 value in the sweep; allowed are parameters with 2 to 6: hidden (2), loss",
    "los": "by: parameter 'los' is not known; did you mean 'loss'?",
}


@pytest.mark.parametrize(("by", "said"), WRONG.items())
def test_a_parameter_that_was_not_varied_is_one_clear_message(command, swept, monkeypatch, by, said):
    """What, got, allowed; nothing is written."""
    ran = command(swept, "report", "--by", by, "-o", "wrong.html")
    assert (ran.status, ran.out, "Traceback" in ran.err) == (2, "", False)
    assert ran.err.startswith(f"bench: {said}")
    assert not (swept / "wrong.html").exists()
    monkeypatch.chdir(swept)
    with pytest.raises(api.RequestError):
        api.load().report("wrong.html", by=by)


@pytest.mark.untraced
def test_a_parameter_of_many_values_is_refused(bench):
    """What is allowed is said."""
    bench("sweep", "hidden=2", "learning_rate=1..2:linear:7", "iterations=20", "seeds=0:2", "--no-report")
    ran = bench("report", "--by", "learning_rate")
    said = "by is learning_rate, which has 7 values in the sweep; allowed are parameters with 2 to 6: there is none"
    assert (ran.status, ran.err) == (2, f"bench: {said}\n")

"""Reports of tables that are no gates: several outputs, regressions, and targets that are not 0 and 1."""

import json
import re

import numpy as np
import pytest

from bench.model.gate import Gate
from bench.model.trial import Trial
from bench.report import drawing
from bench.report.colours import DIM
from bench.report.surfaces import draw_surface, shades_in_words

ADDER = "observation,a,b,output1,output2\n1,0,0,0,0\n2,0,1,1,0\n3,1,0,1,0\n4,1,1,0,1\n"
LINE = "observation,a,b,output\n1,0,0,-2\n2,0,1,0.5\n3,1,0,3\n4,1,1,5.5\n"
BRIEF = ("backend=numpy", "hidden=2", "iterations=40", "curve_points=5", "seeds=0:6")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("table", "words", "said"),
    [
        (ADDER, ("success=correct",), "every prediction ends on its target"),
        (LINE, ("output=linear", "success=loss", "success_loss=0.5"), "loss ends at success_loss or below"),
    ],
)
def test_any_table_has_a_report(tmp_path, trained_report, html, table, words, said):
    """It says what solves it."""
    (tmp_path / "own.csv").write_text(table)
    page = html(trained_report(f"gate={tmp_path / 'own.csv'}", *BRIEF, *words))
    assert said in page
    assert "NaN" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    explored = json.loads(re.search(r'data-x="data">(.*?)</script>', page).group(1))
    assert len(explored["trials"]) == 1


def test_the_surface_of_a_regression_is_between_its_targets_and_has_no_line():
    """White is the least and black the greatest, and nothing is right or wrong."""
    trial = Trial(gate=Gate("line", np.array([[0.0, 0], [0, 1], [1, 0]]), np.array([-2.0, 0.5, 3])), output="linear")
    _, axes = drawing.blank(1, 1)
    draw_surface(axes, trial, trial.initial_weights([0])[0])
    assert axes.images[0].get_clim() == (-2, 3)
    assert not axes.collections
    assert [line.get_mfc() for line in axes.lines] == ["1.0", "0.5", "0.0"]
    assert {line.get_mec() for line in axes.lines} == {DIM}
    assert shades_in_words([trial]) == "black is the greatest target, white the least"
    assert shades_in_words([Trial()]) == "black is 1, white is 0"


@pytest.mark.usefixtures("undrawn")
def test_endings_are_named_as_the_gate_has_its_targets(trained_report, html):
    """A plateau half way between 0.1 and 0.9 is a half, and so is one between -1 and 1."""
    for words in (("target_low=0.1", "target_high=0.9"), ("target_low=-1", "output=tanh")):
        page = html(trained_report("gate=xor", "init_scale=0", *BRIEF, *words))
        assert "½ ½ ½ ½" in page

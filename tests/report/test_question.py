"""The question of a sweep: what one parameter does is said first, null results with their bounds; and its ledger."""

import numpy as np
import pytest

import bench as package
from bench.report.question import asked

SOLVED, STUCK = [0.0, 1.0, 1.0, 0.0], [0.5, 0.5, 0.5, 0.5]

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def cells(ended, trial):
    """Make up trials: of each so many of 100 starts solve it, at an iteration."""

    def make(*some):
        return [
            ended(trial(**own), [SOLVED] * solved + [STUCK] * (100 - solved),
                  solved_at=np.where(np.arange(100) < solved, at, -1))
            for solved, at, own in some
        ]  # fmt: skip

    return make


def test_the_only_parameter_that_varies_is_asked_about(made_report, cells):
    """Its effect on the rate and on the time is the answer, and the first finding."""
    report = made_report(*cells((60, 80, {"momentum": 0.0}), (90, 8, {"momentum": 0.9})))
    assert asked(report.data) == "momentum"
    said = report.findings[0].sentence
    assert report.answer == said
    assert said.startswith("With momentum 0 fewer starts are solved than with momentum 0.9: −30.0 points [")
    assert said.endswith("a start that both solve takes in median 10 times as many iterations with momentum 0 as with "
                         "momentum 0.9.")  # fmt: skip
    assert "100 pairs of trainings" in report.findings[0].evidence


def test_a_null_result_has_its_bound(made_report, cells):
    """Bonett and Price (2012): with a pair added to either side, 2 of 102 against 1."""
    report = made_report(*cells((61, 80, {"momentum": 0.0}), (60, 80, {"momentum": 0.9})))
    bound = 100 * (1 / 102 + 1.959964 * np.sqrt((3 / 102 - (1 / 102) ** 2) / 102))
    assert f"no difference in solved rate beyond ± {bound:.1f} points" in report.findings[0].sentence


def test_trainings_that_come_out_alike_are_said_to(made_report, cells):
    """As those of two backends do."""
    report = made_report(*cells((60, 80, {"backend": "numba"}), (60, 80, {"backend": "numpy"})))
    assert "Numba and numpy solve the same starts, 100 pairs of trainings; a start that both solve takes as many" in (
        report.findings[0].sentence
    )
    assert "beyond ± 2.7 points" in report.findings[0].evidence


def test_a_question_that_cannot_be_answered_is_not_dropped(made_report, cells):
    """Where the file asks it."""
    two = cells((0, 80, {"momentum": 0.0}), (0, 8, {"momentum": 0.9}))
    assert (
        "What the momentum does is not known" in made_report(*two, plan={"parameter": "momentum"}).findings[0].sentence
    )


def test_where_the_settings_disagree_there_is_no_average(made_report, cells):
    """Each is told where it is best."""
    report = made_report(
        *cells(
            (60, 80, {"momentum": 0.0}), (90, 8, {"momentum": 0.9}),
            (90, 80, {"momentum": 0.0, "loss": "bce"}), (50, 8, {"momentum": 0.9, "loss": "bce"}),
        ),
        plan={"parameter": "momentum"},
    )  # fmt: skip
    said = report.findings[0].sentence
    assert said.startswith(
        "Whether more starts are solved with momentum 0 or with momentum 0.9 depends on the setting: "
        "momentum 0 in 1 of 2 settings, up to +40.0 points with cross-entropy; "
        "momentum 0.9 in 1, up to +30.0 points with squared error;"
    )
    assert "on average" not in said
    assert "an average would hide it" in report.findings[0].evidence


def test_of_several_that_vary_none_is_asked_about(made_report, cells):
    """Unless the file says which."""
    two = cells((60, 80, {"momentum": 0.0}), (90, 8, {"momentum": 0.9, "loss": "bce"}))
    assert asked(made_report(*two).data) == ""
    assert asked(made_report(*two, plan={"parameter": "loss"}).data) == "loss"


def test_starts_that_are_not_the_same_weights_have_no_ratio_of_times(made_report, cells):
    """Other shapes draw others."""
    report = made_report(*cells((60, 80, {"hidden": 2}), (90, 8, {"hidden": 3})))
    assert report.findings[0].sentence.startswith(
        "With 2 neurons fewer starts are solved than with 3 neurons: −30.0 points ["
    )
    assert "as many iterations" not in report.findings[0].sentence


def test_where_nothing_is_solved_there_is_no_answer(made_report, cells):
    """Two rates of 0 differ in nothing."""
    report = made_report(*cells((0, 80, {"momentum": 0.0}), (0, 8, {"momentum": 0.9})))
    assert report.answer.startswith("No start solves XOR")


FILE = """
question = {{ {words} }}
[defaults]
seeds = "0:4"
iterations = 20
[[grid]]
momentum = [0.0, 0.9]
loss = ["mse", "bce"]
hidden = 2
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("parameter = 'hidden'", "q.toml: question: parameter is 'hidden'; allowed are those that vary in the grid"),
        ("parametr = 'loss'", "q.toml: question: key 'parametr' is not known"),
        ("parameter = 3", "q.toml: question parameter is 3: input should be a valid string"),
    ],
)
def test_a_wrong_question_is_one_clear_message(bench, folder, words, said):
    """Before any work."""
    (folder / "q.toml").write_text(FILE.format(words=words))
    ran = bench("sweep", "q.toml")
    assert ran.status == 2
    assert said in ran.err


@pytest.mark.untraced
def test_a_file_says_what_it_asks(bench, folder):
    """It is kept with the sweep, and left out where an override leaves nothing to ask."""
    (folder / "q.toml").write_text(FILE.format(words="parameter = 'loss'"))
    assert bench("sweep", "q.toml", "--no-report").status == 0
    assert package.load().plan.question.parameter == "loss"
    assert bench("sweep", "q.toml", "loss=mse", "--no-report").status == 0
    assert package.load().plan.question.parameter == ""


@pytest.mark.untraced
def test_the_ledger_says_what_was_taken_over(made_report, cells, html):
    """From earlier sweeps."""
    page = html(made_report(*cells((60, 80, {})), figures={"reused": 20}))
    assert "20 trainings were taken over from earlier sweeps" in page

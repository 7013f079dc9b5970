from pathlib import Path

import pytest

from bench.config.claims import Printed
from bench.config.experiment import read_experiment
from bench.config.overrides import read_overrides
from bench.config.plan import make_plan
from bench.config.values import Overrides

FILES = sorted((Path(__file__).parents[2] / "experiments").rglob("*.toml"))

pytestmark = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_every_experiment_can_be_planned(path):
    """Every file that comes with bench is free of mistakes, and every claim in it finds its trials."""
    plan = make_plan(read_experiment(path, Overrides(), []))
    assert plan.expected_trainings + plan.points > 0
    assert all(claim.trials or getattr(claim.claim, "map", None) for claim in plan.claims)


def test_every_experiment_says_what_it_asks(path):
    """A report needs a title and a paragraph, and a name for every part of the grid."""
    experiment = read_experiment(path, Overrides(), [])
    assert experiment.title != path.stem
    assert len(experiment.about.split()) > 10
    assert all(block.title for block in experiment.blocks)


def test_every_experiment_can_be_asked_with_other_values(path):
    """Overrides turn any file into a small sweep of the same grid, and its maps into short ones."""
    whole = read_experiment(path, Overrides(), [])
    words = ["iterations=10", *(["seeds=0:2"] if whole.blocks or whole.search else [])]
    plan = make_plan(read_experiment(path, read_overrides(words, path.parent), words))
    trained = [one.trial for one in (*plan.trials, *plan.maps) if one.trial.optimizer != "none"]
    assert {trial.iterations for trial in trained} <= {10}
    assert all(planned.seeds == range(2) for planned in plan.trials)


def test_every_list_of_printed_numbers_says_which_is_which(path):
    """The sentence of a claim with several numbers has a place for the number's."""
    claims = [claim for claim, _ in read_experiment(path, Overrides(), []).claims if isinstance(claim, Printed)]
    assert all("{at}" in claim.what for claim in claims if len(claim.printed) > 1)

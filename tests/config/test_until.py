"""How sure is asked for: part of what a request is."""

from dataclasses import replace

import pytest

from bench.config.plan import make_plan
from bench.config.seeds import Until, read_until
from bench.errors import RequestError

FILE = "[[grid]]\nhidden = [2, 3]\nseeds = '0:4'\n[[grid]]\nhidden = 5\nseeds = '2,7'\n"


def test_a_request_with_it_is_another_than_without(read):
    """And as it was without: sweeps that were begun are found again."""
    experiment = read(FILE)
    asked = [None, Until(0.02), Until(0.03), Until(0.02, 100)]
    assert len({make_plan(replace(experiment, until=until)).plan_id for until in asked}) == 4
    assert make_plan(experiment).plan_id == "f9e0f78aafcbb36f"


def test_the_command_has_it(read):
    """So that it can be asked again."""
    experiment = replace(read(FILE, "hidden=2"), until=Until(0.02, 100))
    assert experiment.command == "python -m bench sweep hidden=2 --until 0.02 --max-seeds 100"


def test_further_seeds_are_added_to_the_named_trials(plan):
    """In order after those that they have; those of the others stay as they are."""
    planned = plan(FILE)
    some = {trial.trial.trial_id for trial in planned.trials if trial.trial.hidden != (3,)}
    grown = planned.grown(some, range(8, 10), Until(0.1, rounds=1))
    assert [list(trial.seeds) for trial in grown.trials] == [[0, 1, 2, 3, 8, 9], [0, 1, 2, 3], [2, 7, 8, 9]]
    assert grown.until == Until(0.1, rounds=1)
    assert plan("[[grid]]\nseeds = '0:4'").grown(
        [plan("[[grid]]\nseeds = '0:4'").trials[0].trial.trial_id], range(4, 9), Until(0.1)
    ).trials[0].together == range(9)


def test_all_that_is_wrong_is_told_at_once():
    """Two options, two sentences."""
    with pytest.raises(RequestError) as told:
        read_until(0.7, -1)
    assert len(told.value.problems) == 2
    assert read_until(None, None) is None

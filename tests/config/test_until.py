"""Until what is known seeds are added: part of what a request is."""

from dataclasses import replace

import pytest

from bench.config.plan import Plan, make_plan
from bench.config.seeds import Until, read_until
from bench.errors import RequestError

FILE = "[[grid]]\nhidden = [2, 3]\nseeds = '0:4'\n[[grid]]\nhidden = 5\nseeds = '2,7'\n"


def test_a_request_with_it_is_another_than_without(read):
    """And as it was without: sweeps that were begun are found again."""
    experiment = read(FILE)
    asked = [None, Until(0.02), Until(0.03), Until(0.02, 100), Until(None, 100), Until(None, 200)]
    assert len({make_plan(replace(experiment, until=until)).plan_id for until in asked}) == 6
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


@pytest.mark.parametrize("until", [0.02, "0.02", "2e-2"])
def test_a_half_width_is_a_number_or_the_text_of_one(until):
    """A script and a command line ask the same."""
    assert read_until(until, None) == Until(0.02)


@pytest.mark.parametrize("until", [True, "nan", "inf", "", "0", 0.5, "Claims", "claim", [], float("nan")])
def test_neither_a_half_width_nor_the_word_claims_is_refused(until):
    """One sentence says what was got, and both that are allowed."""
    with pytest.raises(RequestError) as told:
        read_until(until, 100)
    (problem,) = told.value.problems
    assert problem.startswith(f"until is {until!r}; allowed are a half-width between 0 and 0.5, such as 0.02, and the")


@pytest.mark.parametrize("until", ["1e-300", 1e-9])
def test_a_half_width_that_no_sweep_could_reach_is_refused(until):
    """Even 10^12 trainings would not be enough."""
    with pytest.raises(RequestError, match="allowed are half-widths of 1e-06 and more"):
        read_until(until, None)


def test_claims_need_an_end():
    """What is true exactly at its bound is never decided."""
    assert read_until("claims", 100) == Until(None, 100)
    with pytest.raises(RequestError) as told:
        read_until("claims", None)
    assert told.value.problems == (
        "until is claims, some of which may never be decided; allowed is that with --max-seeds N",
    )


def test_the_command_has_the_word_claims(read):
    """It can be asked again, and a plan that was written has the same."""
    experiment = replace(read(FILE), until=read_until("claims", 100))
    assert experiment.command.endswith(" --until claims --max-seeds 100")
    planned = make_plan(experiment)
    assert Plan.from_json(planned.to_json()).until == Until(None, 100)


def test_each_round_is_another_look_at_the_claims():
    """The grid is looked at first; a half-width has its seeds added by no claim."""
    assert [Until(None, 100, rounds).look for rounds in range(4)] == [1, 2, 3, 4]
    assert [Until(0.02, None, rounds).look for rounds in range(4)] == [0, 0, 0, 0]


def test_what_was_stored_as_wide_is_read(plan):
    """Sweeps are still shown whose rates that were not yet known had another name."""
    document = plan(FILE).to_json()
    row = {"half_width": 0.02, "max_seeds": 40, "rounds": 3, "stopped_by": "max_seeds", "wide": 2}
    assert Plan.from_json(document | {"until": row}).until == Until(0.02, 40, 3, "max_seeds", 2)
    assert Plan.from_json(document).until is None

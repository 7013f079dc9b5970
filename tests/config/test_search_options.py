"""What a search is told beside its space, and what of it does not go together."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.experiment import read_experiment
from bench.config.plan import Plan, make_plan
from bench.config.values import Overrides, parse_value, write_value
from bench.errors import RequestError
from bench.metrics.objectives import Constraint, read_constraints, stored_constraint
from bench.model.gate import built_in
from bench.model.initialization import MAX_SEED
from bench.model.trial import PARAMETERS, Trial

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SETTING, AS_LONG = "the walkthrough's setting", "the walkthrough's setting, as long as it trains"
SPACE = "hidden = {low = 2, high = 6}\n"


# ------------------------------------------------------------------ defaults and what is read


def test_a_search_that_says_nothing_has_the_defaults(search):
    """A hundred trials of a hundred seeds, the best five judged again, and the walkthrough's setting beside them."""
    found = search(SPACE)
    assert (found.trials, found.batch, found.sampler, found.seed, found.seeds) == (100, 10, "tpe", 0, range(100))
    assert (found.objectives, found.constraints, found.prune, found.timeout_s) == (("rmst",), (), (), None)
    assert (found.validate, found.best, found.baseline, found.repeats) == (1000, 5, None, 1)
    assert [one.title for one in found.references] == [SETTING, AS_LONG]


def test_every_option_is_read(search):
    """Numbers may be written as floats, and what may be a list may be one value."""
    found = search(
        SPACE + "trials = 1e2\nbatch = 20\nsampler = 'qmc'\nseed = 7\nseeds = '3:30'\ntimeout = 90\nbest = 2\n"
        "objective = ['solved_rate', 'parameters']\nconstraints = ['median_mse <= 1e-3', 'solved_rate>=.5']\n"
        "validate = 50\nbaseline = 'random'\nrepeats = 3"
    )
    assert (found.trials, found.batch, found.sampler, found.seed, found.seeds) == (100, 20, "qmc", 7, range(3, 30))
    assert (found.timeout_s, found.best, found.validate, found.repeats) == (90.0, 2, 50, 3)
    assert found.directions == ("maximize", "minimize")
    assert found.constraints == (Constraint("median_mse", "<=", 0.001), Constraint("solved_rate", ">=", 0.5))
    assert found.held_out == range(30, 80)
    assert found.studies == (("qmc", 7), ("qmc", 8), ("qmc", 9), ("random", 10), ("random", 11), ("random", 12))


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("trials = 3", "batch", 3),
        ("baseline = 'random'", "repeats", 10),
        ("prune = 16", "prune", (16,)),
        ("prune = [16, 64]", "prune", (16, 64)),
        ("constraints = 'parameters <= 20'", "constraints", (Constraint("parameters", "<=", 20.0),)),
        ("timeout = 0.5", "timeout_s", 0.5),
    ],
)
def test_what_is_not_said_follows_from_what_is(search, text, name, value):
    """A batch has no more than all trials; a comparison is repeated."""
    assert getattr(search(SPACE + text), name) == value


def test_seeds_are_its_own_or_those_of_the_defaults(search):
    """And those of the command line before both."""
    assert search(SPACE, defaults="seeds = '0:7'").seeds == range(7)
    assert search(SPACE + "seeds = '0:9'", defaults="seeds = '0:7'").seeds == range(9)
    assert search(SPACE + "seeds = '0:9'", "seeds=0:5", defaults="seeds = '0:7'").seeds == range(5)


@pytest.mark.parametrize(
    "text", ["solved_rate >= 0.95", "median_mse <= 1e-07", "parameters <= 20", "rmst <= 123456789"]
)
def test_a_constraint_is_written_as_it_is_read(text):
    """With every digit: the text is part of what the search is."""
    (found,) = read_constraints("constraints", text)
    assert str(found) == text


def test_a_stored_constraint_that_is_none_is_refused():
    """A plan's document may have been changed by hand."""
    with pytest.raises(RequestError, match="a limit is 'nothing'; allowed are limits such as"):
        stored_constraint("nothing")


# ------------------------------------------------------------------ mistakes

WRONG: Mapping[str, tuple[str, list[str]]] = {
    "iterations that follow from the gate": (
        "iterations = '2*inputs'",
        ["iterations is '2 * inputs'", "whole numbers"],
    ),
    "no trials": ("trials = 0", ["trials is 0", "from 1 to 100,000"]),
    "more in a batch than trials": ("trials = 5\nbatch = 6", ["batch is 6", "at most trials, 5"]),
    "an unknown sampler": ("sampler = 'tpee'", ["sampler 'tpee'", "did you mean 'tpe'"]),
    "no seeds": ("seeds = '3:3'", ["holds no seed"]),
    "no time": ("timeout = 0", ["timeout is 0", "above 0"]),
    "a time that is no number": ("timeout = '1h'", ["timeout is '1h'"]),
    "an unknown objective": ("objective = 'rmts'", ["objective 'rmts'", "did you mean 'rmst'"]),
    "no objective": ("objective = []", ["objective is an empty list", "at least one"]),
    "an objective twice": ("objective = ['rmst', 'rmst']", ["objective is rmst, rmst", "once"]),
    "a constraint on nothing": ("constraints = ''", ["constraints has ''", "'solved_rate >= 0.95'"]),
    "a constraint on what is not measured": (
        "constraints = 'solvd_rate >= 0.9'",
        ["constraints: measure 'solvd_rate'", "did you mean 'solved_rate'"],
    ),
    "a constraint without a number": ("constraints = 'rmst <= few'", ["constraints has 'rmst <= few'"]),
    "a constraint without an end": ("constraints = 'rmst <= 1e999'", ["constraints has 'rmst <= 1e999'"]),
    "a constraint on half a number": ("constraints = 'rmst <= 1e-'", ["constraints has 'rmst <= 1e-'"]),
    "a constraint that is a number": ("constraints = 3", ["constraints has 3"]),
    "pruning after one seed": ("prune = 1", ["prune is 1", "from 2"]),
    "pruning that goes back": ("prune = [16, 8]", ["prune is 16, 8", "increase"]),
    "pruning at the end": ("prune = [8, 100]", ["prune is 100", "below that of the seeds, 100"]),
    "pruning of several objectives": (
        "prune = 8\nobjective = ['rmst', 'parameters']",
        ["prune needs one objective, and there are rmst, parameters"],
    ),
    "one sampler with several objectives": (
        "sampler = 'cmaes'\nobjective = ['rmst', 'parameters']",
        ["sampler 'cmaes' needs one objective, and there are rmst, parameters"],
    ),
    "a baseline with several objectives": (
        "baseline = 'cmaes'\nobjective = ['rmst', 'parameters']",
        ["sampler 'cmaes' needs one objective"],
    ),
    "more held-out seeds than there may be": ("validate = 1_000_001", ["validate is 1000001", "1,000,000"]),
    "held-out seeds beyond the largest": (
        f"seeds = {MAX_SEED - 5}",
        [f"validate is 1000 after the seed {MAX_SEED - 5}; allowed is at most 5"],
    ),
    "none of the best": ("best = 0", ["best is 0", "from 1 to 100"]),
    "itself as baseline": ("baseline = 'tpe'", ["baseline is 'tpe', the search's own", "another"]),
    "no repeats": ("repeats = 0", ["repeats is 0"]),
    "samplers' seeds beyond the largest": (
        f"seed = {MAX_SEED}\nrepeats = 2",
        [f"seed is {MAX_SEED} with 2 searches; allowed is at most {MAX_SEED - 1}"],
    ),
    "budgets that differ": (
        "iterations = [100, 200]",
        ["rmst counts what is not solved at the budget, and needs iterations fixed"],
    ),
    "budgets that differ, and a constraint": (
        "iterations = [100, 200]\nobjective = 'solved_rate'\nconstraints = 'median_solved_at <= 50'",
        ["median_solved_at counts what is not solved", "iterations fixed"],
    ),
    "tolerances that differ": (
        "tolerance = [0.1, 0.2]\nobjective = 'solved_rate'",
        ["solved_rate depends on what counts as solved, and needs tolerance fixed"],
    ),
    "tolerances that differ, and a constraint": (
        "tolerance = [0.1, 0.2]\nobjective = 'median_mse'\nconstraints = 'rmst <= 5e3'",
        ["rmst depends on", "tolerance fixed"],
    ),
    "a reference that is no table": ("reference = 3", ["reference 1 is 3", "a table of parameters"]),
    "a reference of what is no parameter": ("reference = {hiddn = 3}", ["reference 1: parameter 'hiddn'", "'hidden'"]),
    "a reference with a wrong value": ("reference = {loss = 'mes'}", ["reference 1: loss 'mes'", "'mse'"]),
    "a reference with two values": ("reference = {hidden = [2, 3]}", ["reference 1: hidden has 2 values", "one"]),
    "a reference with a number for a title": ("reference = {title = 3}", ["reference 1: title is 3", "text"]),
    "a reference that is no trial": (
        "reference = {title = 'mine', init_low = 2}",
        ["mine: init_low is 2; allowed are numbers below init_high, 1"],
    ),
    "a reference of another gate": ("reference = {gate = 'or'}", ["reference 1: gate is or", "the search's, xor"]),
    "constraints that the sampler does not know": (
        "sampler = 'cmaes'\nconstraints = 'solved_rate >= 0.5'",
        ["sampler 'cmaes' does not know constraints", "choose from gp, nsga2, tpe"],
    ),
    "a sampler that knows no conditions": (
        "sampler = 'qmc'\nmomentum = {low = 0.0, high = 0.9, only_if = {hidden = 3}}",
        ["sampler 'qmc' does not know conditions, and momentum has only_if"],
    ),
    "pruning by what all seeds share": (
        "prune = 8\nobjective = 'parameters'",
        ["prune needs an objective that seeds decide, and parameters is none"],
    ),
    "a reference that calls something else solved": (
        "reference = {tolerance = 0.2}",
        ["reference 1: tolerance is 0.2; allowed is the search's, 0.1"],
    ),
    "a reference of which other things are asked": (
        "reference = {success = 'correct'}",
        ["reference 1: success is correct; allowed is the search's, tolerance"],
    ),
    "a reference twice": (
        "reference = [{hidden = 2}, {title = 'mine', hidden = '2'}]",
        ["references 'reference 1' and 'mine' are equal"],
    ),
    "two references of one name": (
        "reference = [{title = 'a', hidden = 2}, {title = 'a', hidden = 3}]",
        ["two references are called 'a'"],
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_option_is_told_in_one_sentence(wrong, text, said):
    """What, got, allowed: once, and nothing else."""
    (problem,) = wrong(SPACE + text)
    assert problem.startswith("search: ")
    assert [words for words in said if words not in problem] == []


def test_all_mistakes_of_a_search_come_at_once(wrong):
    """Options that are wrong by themselves, options that do not go together, references and the space."""
    problems = wrong(
        "hidden = {low = 6, high = 2}\nlearning_rate = [1, 2]\nsampler = 'cma'\ntimeout = 0\ntrials = 5\nbatch = 6\n"
        "objective = ['rmst', 'parameters']\nprune = 200\nreference = {loss = 'mes'}\nmomemtum = 0.5"
    )
    for words in ("hidden has low 6", "'cma'", "timeout is 0", "batch is 6", "prune needs", "prune is 200", "'mes'"):
        assert len([problem for problem in problems if words in problem]) == 1, words
    assert len(problems) == 8


def test_what_follows_from_an_option_that_cannot_be_read_is_not_told(wrong):
    """A batch of 200 is no mistake if there may be as many trials."""
    assert len(wrong(SPACE + "trials = 'many'\nbatch = 200\nseeds = 'all'\nprune = 500")) == 2


@pytest.mark.parametrize(
    ("limit", "allowed"),
    [
        ("solved_rate >= 1.5", "allowed are above 0 and at most 1"),
        ("solved_rate >= 0", "allowed are above 0 and at most 1"),
        ("solved_rate >= 95", "allowed are above 0 and at most 1"),
        ("solved_rate <= -0.1", "allowed are at least 0 and below 1"),
        ("solved_rate <= 1", "allowed are at least 0 and below 1"),
        ("parameters <= 0", "at least 1"),
        ("parameters >= 1", "above 1"),
        ("rmst <= -1", "at least 0"),
        ("median_solved_at >= -1", "above 0"),
        ("median_mse <= -1e-9", "at least 0"),
        ("train_seconds >= 0", "above 0"),
    ],
)
def test_a_limit_that_all_trials_keep_or_none_is_refused(wrong, limit, allowed):
    """With the numbers that a measure can have."""
    (problem,) = wrong(SPACE + f"constraints = {limit!r}")
    assert problem.startswith(f"search: constraints: limit of {limit!r} is")
    assert problem.endswith(allowed)


@pytest.mark.parametrize(
    "limit", ["solved_rate >= 1", "solved_rate <= 0", "parameters <= 1", "rmst <= 0", "median_mse >= 1e-9"]
)
def test_a_limit_at_the_end_of_what_can_be_is_allowed(search, limit):
    """It asks for the best, or the worst, that there is."""
    assert [str(one).replace("1e-09", "1e-9") for one in search(SPACE + f"constraints = {limit!r}").constraints] == [
        limit
    ]


def test_what_differs_among_trials_may_be_searched_where_nothing_depends_on_it(search):
    """Budgets for a share that is solved, tolerances for an error."""
    assert "iterations" in search(SPACE + "iterations = [100, 200]\nobjective = 'solved_rate'").space
    assert "tolerance" in search(SPACE + "tolerance = [0.1, 0.2]\nobjective = ['median_mse', 'parameters']").space


def test_a_sampler_whose_package_is_missing_says_how_to_get_it(wrong, monkeypatch):
    """As the sampler, and as the baseline."""
    monkeypatch.setitem(sys.modules, "cmaes", None)  # as where it is not installed
    for text in ("sampler = 'cmaes'", "baseline = 'cmaes'"):
        (problem,) = wrong(SPACE + text)
        assert problem.endswith("needs cmaes, which is not installed; install it with: pip install 'bench[search]'")


# ------------------------------------------------------------------ references


def titled(found):
    return {one.title: one.trial for one in found.references}


def test_a_search_of_xor_is_compared_with_the_walkthroughs_setting(search):
    """Within the search's budget and within its own, whatever else the search fixes."""
    found = search(SPACE + "loss = 'bce'\nmomentum = [0.5, 0.9]", defaults="iterations = 300\nlearning_rate = 1")
    setting = Trial(hidden=(3,), output_bias=False, draws_before=3)
    assert titled(found) == {SETTING: replace(setting, iterations=300), AS_LONG: replace(setting, iterations=50_000)}


def test_a_search_of_or_is_compared_with_the_walkthroughs_setting(search):
    """Another network from other weights, and ten thousand iterations."""
    setting = Trial(
        gate=built_in("or"), hidden=(3,), hidden_bias=False, output_bias=False, init="uniform", iterations=10_000
    )
    assert titled(search(SPACE, defaults="gate = 'or'")) == {SETTING: setting}
    assert titled(search(SPACE, "iterations=300", defaults="gate = 'or'")) == {
        SETTING: replace(setting, iterations=300),
        AS_LONG: setting,
    }


@pytest.mark.parametrize(
    ("text", "budgets"),
    [
        ("iterations = 49_999", {SETTING: 49_999, AS_LONG: 50_000}),
        ("iterations = 50_000", {SETTING: 50_000}),
        ("iterations = 60_000", {SETTING: 60_000}),
        ("iterations = [100, 60_000]\nobjective = 'solved_rate'", {SETTING: 50_000}),
        (
            "iterations = {choices = [7], only_if = {hidden = 2}}\nobjective = 'solved_rate'",
            {SETTING: 50_000},
        ),
    ],
)
def test_the_walkthroughs_setting_has_the_budget_of_the_search_and_its_own_if_that_is_longer(search, text, budgets):
    """And its own alone where budgets are searched."""
    assert {title: trial.iterations for title, trial in titled(search(SPACE + text)).items()} == budgets


def test_the_walkthroughs_setting_is_computed_as_the_search_is(search):
    """And what counts as solved is the same."""
    shared = {"backend": "numpy", "dtype": "float64", "tolerance": 0.2, "stop": "solved", "curve_points": 10}
    found = search(SPACE + "\n".join(f"{name} = {value!r}" for name, value in shared.items()))
    for trial in titled(found).values():
        assert {name: trial.parameters[name] for name in shared} == shared


def test_a_search_of_another_gate_is_compared_with_the_defaults_of_bench(search, tmp_path):
    """With what is fixed; and a table is told by what it says, not by its name."""
    found = search(SPACE + "loss = 'bce'\nmomentum = [0.5, 0.9]", defaults="gate = 'and'\niterations = 300")
    assert titled(found) == {"bench's defaults": Trial(gate=built_in("and"), loss="bce", iterations=300)}
    (tmp_path / "xor.csv").write_text("observation,input1,input2,output\n1,0,0,1\n2,0,1,0\n3,1,0,0\n4,1,1,1\n")
    assert list(titled(search(SPACE + "gate = 'xor.csv'"))) == ["bench's defaults"]


def test_the_walkthroughs_setting_is_what_the_documents_train(search):
    """The same trials as in the experiment that checks their figures."""
    documents = make_plan(read_experiment(EXPERIMENTS / "documents.toml", Overrides(), []))
    trained = {planned.trial.trial_id for planned in documents.trials}
    for gate in ("or", "xor"):
        own = list(titled(search(SPACE, "iterations=300", defaults=f"gate = {gate!r}")).values())[-1]
        assert own.trial_id in trained


def test_references_are_trials_with_the_parameters_that_they_name(search):
    """Others are as fixed, or the parameters' own defaults where they are searched."""
    found = search(SPACE + "loss = 'bce'\nreference = [{hidden = '4-4'}, {title = 'mine', loss = 'mse'}]")
    assert [(one.title, one.trial) for one in found.references] == [
        ("reference 1", Trial(hidden=(4, 4), loss="bce")),
        ("mine", Trial(loss="mse")),
    ]


def test_one_reference_may_be_a_table(search):
    """Or there may be none."""
    assert [one.title for one in search(SPACE + "[search.reference]\ntitle = 'mine'\nhidden = 4").references] == [
        "mine"
    ]
    assert search(SPACE + "reference = []").references == ()


@pytest.mark.parametrize("text", ["", "reference = {hidden = 4}"])
def test_without_held_out_seeds_there_are_no_references(search, text):
    """There is nothing to compare them on."""
    assert search(SPACE + "validate = 0\n" + text).references == ()


# ------------------------------------------------------------------ how much it is, and what it is


def test_a_plan_counts_what_a_search_will_train(plan):
    """Every proposal on the seeds; the best three, one of each other search, and both references on held-out ones."""
    planned = plan("[search]\nhidden = [2, 3]\ntrials = 20\nseeds = '0:10'\nvalidate = 7\nbest = 3\nbaseline = 'qmc'")
    assert planned.expected_trials == 20 * 2 * 10 + 2
    assert planned.expected_trainings == 20 * 2 * 10 * 10 + (3 + 19 + 2) * 7


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("iterations = 300", 300),
        ("", Trial().iterations),
        ("iterations = [300, 200]", 300),
        ("iterations = {low = 100, high = 400}", 400),
        ("iterations = {choices = [100, 200], only_if = {hidden = 2}}", Trial().iterations),
    ],
)
def test_a_plan_counts_the_iterations_of_a_search(plan, text, budget):
    """Every training of the grid and of the search's longest trials, and of references in budgets of their own."""
    planned = plan(
        "[[grid]]\niterations = 20\nseeds = '0:3'\n[search]\nhidden = [2, 3]\ntrials = 20\nseeds = '0:10'\n"
        f"validate = 7\nbest = 3\nobjective = 'solved_rate'\n{text}\n"
        "reference = [{iterations = 500}, {iterations = 1_000}]"
    )
    assert planned.iterations == 20 * 3
    assert planned.expected_iterations == 20 * 3 + (20 * 10 + 3 * 7) * budget + 7 * 1_500


def test_more_trainings_than_one_sweep_may_have_are_refused(read):
    """As of a grid, before anything is begun."""
    experiment = read("[search]\nhidden = [2, 3]\ntrials = 100_000\nseeds = '0:2000'")
    with pytest.raises(RequestError, match=r"trainings are asked for; allowed in one sweep are 100,000,000"):
        make_plan(experiment)


def test_a_gate_of_the_grid_and_another_of_the_search_need_two_names(read, tmp_path):
    """Nothing could tell their trials apart."""
    (tmp_path / "xor.csv").write_text("observation,input1,input2,output\n1,0,0,1\n2,0,1,0\n3,1,0,0\n4,1,1,1\n")
    experiment = read("[[grid]]\n[search]\nhidden = [2, 3]\ngate = 'xor.csv'")
    with pytest.raises(RequestError, match="gate 'xor' names 2 tables"):
        make_plan(experiment)


def test_searches_differ_where_anything_of_them_does(search):
    """So that a sweep is not taken for another's."""
    texts = ["", "trials = 99", "loss = 'bce'", "constraints = 'rmst <= 1.00000001'", "constraints = 'rmst <= 1'"]
    assert len({search(SPACE + text).digest for text in texts}) == len(texts)
    assert search(SPACE).digest == search("hidden = {high = 6, low = 2, log = false}").digest


def test_a_search_comes_back_from_the_document_that_a_sweep_keeps_of_it(plan, tmp_path):
    """With values of every kind, what is fixed, and the same id: its references are there once they are planned."""
    (tmp_path / "own.csv").write_text("observation,input1,input2,output\n1,0,0,1\n2,0,1,0\n3,1,0,0\n4,1,1,0\n")
    planned = plan(
        "[defaults]\ngate = 'own.csv'\niterations = 300\noutput_bias = false\n[search]\nhidden = [3, '4-4', 0]\n"
        "hidden_bias = [true, false]\nlearning_rate = {choices = [0.5, 1e-7], only_if = {hidden_bias = true}}\n"
        "momentum = {low = 0.0, high = 0.9}\ncurve_points = [10, 20]\nloss = ['mse', 'bce']"
    )
    document = json.loads(json.dumps(planned.to_json()))
    read = Plan.from_json(document)
    assert read.search == replace(planned.search, references=())
    assert list(read.search.space) == list(planned.search.space)
    assert read.search.first_trial == planned.search.first_trial
    del document["search"]["fixed"]  # as sweeps of earlier versions have it
    assert Plan.from_json(document).search == replace(planned.search, references=(), fixed={})


@given(st.sampled_from(list(PARAMETERS)), st.data())
def test_a_value_that_was_written_is_parsed_as_it_was(name, data):
    """The names of choices are their values, to the last digit."""
    default = PARAMETERS[name].default
    values = {
        bool: st.booleans(),
        int: st.integers(1, 1000),
        float: st.floats(*((1, 2) if name == "eta_plus" else (0, 0.5)), exclude_min=True, exclude_max=True),
        tuple: st.lists(st.integers(1, 64), max_size=3).map(tuple),
    }
    value = data.draw(values.get(type(default), st.just(default)))
    assert parse_value(name, write_value(value)) == value

"""A search for each of several combinations: what is read, how much work it is, and what does not go together."""

import json

import pytest

from bench.config.plan import Plan
from bench.config.swept import sweep_name
from bench.errors import RequestError

SPACE = 'learning_rate = {low = 0.1, high = 10.0, log = true}\ntrials = 6\nseeds = "0:20"\nvalidate = 50\n'
EACH = """
[search.each]
hidden = [2, 3]
activation = ["sigmoid", "relu"]
[[search.each.variant]]
title = "plain"
[[search.each.variant]]
optimizer = "adam"
noise = 0.01
"""


def test_every_variant_is_searched_in_every_setting(search):
    """Named as one speaks of them; each holds its own values and asks for its own trials."""
    found = search(SPACE + EACH)
    settings = ["2 sigmoid neurons", "2 ReLU neurons", "3 sigmoid neurons", "3 ReLU neurons"]
    assert [one.setting for one in found.each] == 2 * settings
    assert list(dict.fromkeys(one.variant for one in found.each)) == ["plain", "adam · noise 0.01"]
    trial = found.parts[5].trial({"learning_rate": 2.0})
    assert (trial.optimizer, trial.noise, trial.hidden, trial.activation) == ("adam", 0.01, (2,), "relu")
    assert (trial.learning_rate, found.parts[0].first_trial.optimizer) == (2.0, "sgd")


def test_combinations_have_the_same_budget_each_and_a_sampler_seed_of_their_own(search):
    """As many trials, trainings and iterations as that many searches with one best each, and without references."""
    found = search(SPACE + EACH, defaults="iterations = 100")
    assert found.studies == tuple(("tpe", seed) for seed in range(8))
    assert (found.best, found.references) == (1, ())
    assert found.expected_trials == 8 * 6
    assert found.expected_trainings == 8 * (6 * 20 + 50)
    assert found.expected_iterations == 100 * found.expected_trainings


def test_the_first_list_is_the_variants_where_there_are_no_others(search):
    """Optimizers down, networks across."""
    found = search(SPACE + '[search.each]\noptimizer = ["sgd", "adam"]\nhidden = [2, 3]\n')
    assert [(one.variant, one.setting) for one in found.each] == [
        ("sgd", "2 neurons"),
        ("sgd", "3 neurons"),
        ("adam", "2 neurons"),
        ("adam", "3 neurons"),
    ]


def test_the_command_line_takes_other_values_for_a_list(search):
    """And other defaults for all combinations."""
    found = search(SPACE + EACH, "hidden=5", "iterations=77")
    assert {part.first_trial.hidden for part in found.parts} == {(5,)}
    assert {part.first_trial.iterations for part in found.parts} == {77}


def test_combinations_are_kept_with_the_plan(plan):
    """Read back, they are the same; a search without them is kept as it was before there were any."""
    written = plan(f"[search]\n{SPACE}{EACH}")
    read = Plan.from_json(json.loads(json.dumps(written.to_json()))).search
    assert read == written.search
    assert read.parts[7].first_trial.trial_id == written.search.parts[7].first_trial.trial_id
    assert "each" not in plan(f"[search]\n{SPACE}").to_json()["search"]


@pytest.mark.parametrize(
    ("text", "words", "problem"),
    [
        ("each = 3", (), "each is 3; allowed is one table, [search.each]"),
        ("[search.each]", (), "each is empty; allowed are lists of values, and [[search.each.variant]]s"),
        ("[search.each]\nvariant = 'adam'", (), "each: variant is a table; allowed are lists of them"),
        ("[search.each]\nhiden = [2]", (), "each: parameter 'hiden' is not known; did you mean 'hidden'"),
        ("[search.each]\ngate = ['or', 'xor']", (), "each: parameter 'gate' is not known"),
        ("[search.each]\nlearning_rate = [1.0]", (), "learning_rate is searched, and in [search.each]"),
        (
            "[search.each]\nnoise = [0.1]\n[[search.each.variant]]\nnoise = 0.2",
            (),
            "each: noise is a list, and a variant's; allowed is one of them",
        ),
        (
            "[[search.each.variant]]\n[[search.each.variant]]\ntitle = 'the defaults'\nnoise = 0.2",
            (),
            "each: 2 variants are called 'the defaults'; allowed are different titles",
        ),
        (
            "[[search.each.variant]]\ntitle = 'a'\n[[search.each.variant]]\ntitle = 'b'",
            (),
            "each: 'a' and 'b' are equal; allowed are different ones",
        ),
        ("[[search.each.variant]]\ntitle = 3", (), "each: variant 1: title is 3; allowed is text"),
        ("[[search.each.variant]]\nhidden = [2, 3]", (), "each: variant 1: hidden has 2 values; allowed in a variant"),
        ("[[search.each.variant]]\ntitle = 'b'\nbeta1 = 0.8", (), "each: b: beta1 is 0.8"),
        ("best = 3\n[search.each]\nhidden = [2]", (), "best is 3 beside [search.each]; allowed is 1"),
        ("baseline = 'random'\n[search.each]\nhidden = [2]", (), "baseline cannot be given beside [search.each]"),
        ("reference = {hidden = 3}\n[search.each]\nhidden = [2]", (), "reference cannot be given beside [search.each]"),
        ("objective = ['rmst', 'parameters']\n[search.each]\nhidden = [2]", (), "[search.each] needs one objective"),
        ("[search.each]\nhidden = [2]", ("search.validate=0",), "validate is 0 beside [search.each]"),
        (
            "[search.each]\nhidden = [2]",
            ("hidden=2..8",),
            "hidden is given as a range, and [search.each] holds it fixed",
        ),
        ("[[search.each.variant]]\nhidden = 2", ("hidden=3",), "hidden is given, and variants of [search.each] set it"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(wrong, text, words, problem):
    """Before any work, with what is allowed."""
    (said,) = wrong(SPACE.replace("validate = 50\n", "") + text, *words)
    assert said.removeprefix("search: ").startswith(problem)


def test_a_sweep_is_named_by_its_space_and_how_many_combinations_there_are(plan):
    """Where nobody gave it a name."""
    assert sweep_name(plan(f"[search]\n{SPACE}{EACH}")) == (
        "xor: a search over learning rate 0.1–10 for each of 8 combinations"
    )


def test_no_claim_is_about_the_best_of_several_combinations(plan, claim):
    """There is one for each of them."""
    text = f"[search]\n{SPACE}{EACH}" + claim("a", "{ best = 1 }", "event = { solved = true }\nabove = 0.5\n")
    with pytest.raises(RequestError, match=r"of the search; allowed is that without \[search.each\]"):
        plan(text)


def test_combinations_belong_into_a_file(read):
    """On the command line an option that is a table is refused, and so is a search that nobody reads."""
    with pytest.raises(RequestError, match=r"search.each is a table of combinations; allowed in an experiment file"):
        read(f"[search]\n{SPACE}", "search.each=3")


def test_a_search_for_each_is_extended_only_by_more_of_the_same(plan):
    """More trials of each are the same question, other combinations are another."""
    text = f"[search]\nbatch = 3\n{SPACE}{EACH}"
    short, long = plan(text), plan(text, "search.trials=9")
    assert long.extends(short.search, short.plan_id)
    assert not plan(text, "hidden=2", "search.trials=9").extends(short.search, short.plan_id)


def test_a_variant_is_a_table(search):
    """A number in their list is told like any other mistake."""
    with pytest.raises(RequestError, match="each: variant 1: got 3; allowed is a table"):
        search(SPACE + "[search.each]\nhidden = [2]\nvariant = [3]\n")

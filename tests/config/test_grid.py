import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.experiment import Experiment, adhoc, read_experiment
from bench.config.overrides import read_overrides
from bench.config.plan import Plan, make_plan
from bench.config.values import Block, Overrides
from bench.errors import RequestError

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

HIDDEN = st.lists(st.sampled_from([(), (2,), (3,), (4, 4)]), min_size=1, max_size=5)
LOSS = st.lists(st.sampled_from(["mse", "l1", "bce"]), min_size=1, max_size=4)
SEEDS = st.sets(st.integers(0, 12), min_size=1).map(sorted)
BLOCK = st.builds(
    lambda hidden, loss, seeds, alone, rounds: Block("", {"hidden": hidden, "loss": loss}, seeds, alone, rounds),
    HIDDEN,
    LOSS,
    SEEDS,
    st.booleans(),
    st.integers(1, 3),
)
BLOCKS = st.lists(BLOCK, min_size=1, max_size=4)


def planned(blocks):
    return make_plan(Experiment("e", "e", "", tuple(blocks), (), ()))


def named(blocks):
    """Return every training that is named, as often as it is, with whether it is named alone."""
    return [
        ((hidden, loss, seed), block.alone)
        for block in blocks
        for hidden, loss in itertools.product(block.axes["hidden"], block.axes["loss"])
        for seed in block.seeds
    ]


def trained(plan, kinds=("together", "alone")):
    return [
        (one.trial.hidden, one.trial.loss, seed) for one in plan.trials for kind in kinds for seed in getattr(one, kind)
    ]


def timed(plan):
    return {(one.trial.trial_id, tuple(one.seeds), one.rounds) for one in plan.timings}


# ------------------------------------------------------------------ the product


@given(BLOCKS)
def test_every_training_that_is_named_is_planned_once(blocks):
    """The product of every block is there whole, and what several name is there once."""
    assert sorted(trained(planned(blocks))) == sorted({training for training, _ in named(blocks)})


@given(BLOCKS)
def test_what_is_planned_and_what_is_named_twice_add_up(blocks):
    """Trainings and duplicates together are all that was asked for, within a block and across blocks."""
    plan = planned(blocks)
    assert plan.trainings + plan.duplicates == len(named(blocks))


@given(BLOCKS)
def test_a_training_is_alone_if_any_block_wants_it_alone(blocks):
    """Whoever else names it, a training of an alone block is trained alone."""
    alone = {training for training, is_alone in named(blocks) if is_alone}
    assert set(trained(planned(blocks), ["alone"])) == alone


@given(BLOCKS, st.randoms())
def test_the_plan_id_does_not_depend_on_the_order_of_the_request(blocks, random):
    """Blocks, and the values of their axes, can be written in any order."""
    shuffled = [
        replace(block, axes={name: random.sample(axis, len(axis)) for name, axis in block.axes.items()})
        for block in random.sample(blocks, len(blocks))
    ]
    assert planned(shuffled).plan_id == planned(blocks).plan_id


@given(BLOCKS, BLOCKS)
def test_plans_of_the_same_trainings_and_only_those_have_the_same_id(some, others):
    """Two requests share an id exactly when they train the same, alone and together, and take the same timings."""
    first, second = planned(some), planned(others)
    same = all(set(trained(first, [kind])) == set(trained(second, [kind])) for kind in ("together", "alone"))
    assert (first.plan_id == second.plan_id) == (same and timed(first) == timed(second))


@pytest.mark.untraced
def test_a_large_grid_is_never_truncated(plan):
    """Two thousand trials are two thousand trials."""
    sizes = ", ".join(map(str, range(1, 51)))
    rates = ", ".join(f"{rate / 100}" for rate in range(1, 41))
    planned = plan(f'[[grid]]\nhidden = [{sizes}]\nlearning_rate = [{rates}]\nseeds = "0:1000"\n')
    assert len({one.trial.trial_id for one in planned.trials}) == 2_000
    assert (planned.trainings, planned.duplicates) == (2_000_000, 0)


@pytest.mark.parametrize(
    "block",
    ['gate = ["xor", "xor"]', 'hidden = [3, "3"]', "iterations = [1000, 1e3]", "momentum = [0, 0.0, -0.0]"],
)
def test_values_that_mean_the_same_are_one_trial(plan, block):
    """A value is the same however it is written, and its repetition is counted."""
    planned = plan(f'[[grid]]\n{block}\nseeds = "0:5"\n')
    assert len(planned.trials) == 1
    assert planned.duplicates == 5 * (block.count(","))


def test_seeds_that_two_blocks_share_are_trained_once(plan):
    """Overlapping seeds of one trial are joined, and the overlap is counted."""
    planned = plan('[[grid]]\nseeds = "0:10"\n[[grid]]\nhidden = 3\nseeds = "5:15"\n')
    assert [one.seeds for one in planned.trials] == [range(15)]
    assert planned.duplicates == 5


def test_a_training_named_by_an_alone_block_is_trained_alone(plan):
    """The other seeds of the trial are trained together."""
    planned = plan('[[grid]]\nseeds = "0:10"\n[[grid]]\nseeds = "0:3"\nalone = true\n')
    (one,) = planned.trials
    assert (one.together, one.alone, one.seeds) == (range(3, 10), range(3), range(10))
    assert planned.duplicates == 3


def test_trials_come_in_the_order_in_which_they_are_named(plan):
    """A report lists trials as the file does."""
    planned = plan('[[grid]]\nloss = "l1"\nhidden = [4, 2]\n[[grid]]\nloss = "bce"\n')
    assert [(one.trial.loss, one.trial.hidden) for one in planned.trials] == [
        ("l1", (4,)),
        ("l1", (2,)),
        ("bce", (3,)),
    ]


def test_a_trial_knows_the_blocks_that_name_it(plan):
    """The report shows a trial under the blocks that asked for it."""
    planned = plan("[[grid]]\nhidden = [2, 3]\n[[grid]]\nhidden = [3, 4]\n")
    assert [one.blocks for one in planned.trials] == [(0,), (0, 1), (1,)]


def test_planned_iterations_are_those_of_every_training(plan):
    """The work of a plan is its trials' iterations times their seeds."""
    planned = plan('[[grid]]\niterations = [10, 300]\nseeds = "0:4"\n')
    assert planned.iterations == 4 * 310


def test_the_plan_id_does_not_depend_on_how_values_and_seeds_are_written(plan):
    """Seeds in two blocks are those seeds; a default that is written out changes nothing."""
    one = plan('[[grid]]\nhidden = [2, 3]\nseeds = "0:10"\n')
    other = plan(
        '[[grid]]\nhidden = ["3", 2]\nloss = "mse"\nseeds = [4, 3, 2, 1, 0]\n'
        '[[grid]]\nhidden = 2\nseeds = "5:10"\n[[grid]]\nhidden = 3\niterations = 1e4\nseeds = "5:10"\n'
    )
    assert one.plan_id == other.plan_id


def test_the_plan_id_tells_what_is_trained_alone(plan):
    """The same trainings under other conditions are another plan."""
    ids = {plan(f'[[grid]]\nseeds = "0:3"\nalone = {alone}\n').plan_id for alone in ("true", "false")}
    assert len(ids) == 2


def test_a_trial_named_twice_by_a_block_has_that_block_once(plan):
    """The blocks of a trial are distinct."""
    (planned,) = plan('[[grid]]\ngate = ["xor", "xor"]\n').trials
    assert planned.blocks == (0,)


def test_combinations_that_no_trial_allows_are_reported_at_once_with_their_blocks(read):
    """Values that do not go together are mistakes like any other."""
    with pytest.raises(RequestError) as caught:
        make_plan(read("[[grid]]\ninit_low = 2\n[[grid]]\ninit_low = 3\n"))
    first, second = caught.value.problems
    assert "grid 1: init_low is 2; allowed are numbers below init_high, 1" in first
    assert "grid 2: init_low is 3; allowed are numbers below init_high, 1" in second


# ------------------------------------------------------------------ timings


@given(BLOCKS)
def test_every_trial_of_an_alone_block_is_timed_with_the_blocks_seeds(blocks):
    """Each is one timing, in as many rounds as the most of the blocks that name it ask for."""
    most = {}
    for block in blocks:
        for hidden, loss in itertools.product(block.axes["hidden"], block.axes["loss"]) if block.alone else ():
            name = (hidden, loss, tuple(block.seeds))
            most[name] = max(most.get(name, 0), block.rounds)
    found = {(one.trial.hidden, one.trial.loss, tuple(one.seeds)): one.rounds for one in planned(blocks).timings}
    assert found == most


def test_four_blocks_with_more_and_more_seeds_are_four_batch_sizes(plan):
    """The number of seeds is how many trainings run side by side; each training is planned once all the same."""
    found = plan("".join(f'[[grid]]\nalone = true\nseeds = "0:{size}"\n' for size in (1, 64, 1024, 8192)))
    assert [(len(one.seeds), one.rounds) for one in found.timings] == [(1, 9), (64, 9), (1024, 9), (8192, 9)]
    assert found.trainings == 8192


def test_planned_iterations_include_every_round(plan):
    """The work of a timing is done as often as it is taken."""
    text = '[[grid]]\niterations = 10\nseeds = "0:4"\n[[grid]]\niterations = 20\nseeds = "0:3"\n'
    assert plan(text + "alone = true\nrounds = 7\n").iterations == 4 * 10 + 7 * 3 * 20


# ------------------------------------------------------------------ claims find their trials


def chosen(plan):
    """Return by claim which hidden layers it is about."""
    hidden = {one.trial.trial_id: one.trial.parameters["hidden"] for one in plan.trials}
    return {one.claim.id: [hidden[trial] for trial in one.trials] for one in plan.claims}


@pytest.mark.parametrize(
    ("where", "hidden"),
    [
        ("{ hidden = 2 }", ["2"]),
        ('{ hidden = "2" }', ["2"]),
        ('{ hidden = [2, "4-4"] }', ["2", "4-4"]),
        ("{}", ["2", "3", "4-4"]),
        ('{ gate = "xor", hidden = 3, iterations = 1e4 }', ["3"]),
    ],
)
def test_a_claim_is_about_the_trials_that_have_its_parameters(plan, claim, where, hidden):
    """A selection takes a value or a list of them, written in any way that the grid could be."""
    text = '[[grid]]\nhidden = [2, 3, "4-4"]\n' + claim(where=where, body="event = { solved = true }\nnever = true")
    assert chosen(plan(text)) == {"a": hidden}


def test_a_comparison_is_between_two_selections(plan, claim):
    """Both sides of a comparison find their trials."""
    body = 'than = { hidden = 4 }\nmeasure = "final_mse"\nis = "below"'
    planned = plan("[[grid]]\nhidden = [2, 4]\n" + claim(where="{ hidden = 2 }", body=body))
    first, second = (one.trial.trial_id for one in planned.trials)
    (one,) = planned.claims
    assert (one.trials, one.than) == ((first,), (second,))


def test_a_claim_is_bound_to_the_blocks_of_its_own_file(plan, claim):
    """A claim says nothing of trials that another file names, though they match its selection."""
    rate = "event = { solved = true }\nnever = true"
    planned = plan(
        'include = ["other"]\n[[grid]]\nhidden = 2\n' + claim("own", body=rate),
        other="[[grid]]\nhidden = 4\n" + claim("its", body=rate),
    )
    assert chosen(planned) == {"own": ["2"], "its": ["4"]}


def test_a_claim_of_an_included_file_finds_a_trial_that_both_files_name(plan, claim):
    """Who else names a trial does not matter to a claim of the file that does."""
    planned = plan('include = ["other"]\n[[grid]]\nhidden = [2, 4]\n', other="[[grid]]\nhidden = 4\n" + claim("its"))
    assert chosen(planned)["its"] == ["4"]


def test_a_claim_finds_its_seed_among_those_that_are_trained_alone(plan, claim):
    """A seed that is trained alone is planned like any other."""
    text = '[[grid]]\nseeds = "1:10"\n[[grid]]\nseeds = "0:3"\nalone = true\n'
    assert chosen(plan(text + claim())) == {"a": ["3"]}


def test_all_claims_that_cannot_be_checked_are_reported_at_once(plan, claim):
    """A selection of nothing, of several with a seed, by an unknown name or value, and an unplanned seed."""
    text = (
        '[[grid]]\nhidden = [2, 3]\nseeds = "0:5"\n'
        + claim("nothing", "{ hidden = 9 }")
        + claim("several", "{}")
        + claim("typo", "{ hiddn = 2 }")
        + claim("value", '{ loss = "mes" }')
        + claim("seed", "{ hidden = 2 }", 'seed = 5\nof = "final_mse"\nbelow = 1')
        + claim("fine", "{ hidden = 2 }")
        + claim("than", "{ hidden = 2 }", 'than = { hidden = 8 }\nmeasure = "final_mse"\nis = "above"')
    )
    with pytest.raises(RequestError) as caught:
        plan(text)
    expected = [
        ("nothing", "selects no trial with {'hidden': 9}"),
        ("several", "selects 2 trials with {}; allowed with a seed is one"),
        ("typo", "parameter 'hiddn' is not known; did you mean 'hidden'?"),
        ("value", "loss 'mes' is not known; did you mean 'mse'?"),
        ("seed", "has the seed 5; allowed is one of 0:5"),
        ("than", "selects no trial with {'hidden': 8}"),
    ]
    assert len(caught.value.problems) == len(expected)
    for problem, (name, words) in zip(caught.value.problems, expected, strict=True):
        assert f"claim {name!r}" in problem
        assert words in problem


def test_all_wrong_values_of_a_selection_are_reported_at_once(plan, claim):
    """A selection with three mistakes is answered with three sentences."""
    with pytest.raises(RequestError) as caught:
        plan("[[grid]]\n" + claim(where='{ loss = "mes", activation = "sigmod", hiddn = 3 }'))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_plan_comes_back_from_the_document_that_a_sweep_keeps_of_it(path):
    """A plan survives JSON: claims of every kind, each with its trials, trainings alone and together, timings."""
    plan = make_plan(read_experiment(path, Overrides(), []))
    read = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert read.claims == plan.claims
    assert (read.trials, read.timings, read.question) == (plan.trials, plan.timings, plan.question)


IN_VAIN = {
    "optimizer=none learning_rate=1,2": "learning_rate is 1, 2 with optimizer = none, which trains nothing; allowed is",
    "optimizer=none iterations=7": "iterations is 7 with optimizer = none, which trains nothing; allowed is",
    "optimizer=none stop=solved": "stop is solved with optimizer = none, which trains nothing; allowed is",
    "optimizer=none success_for=2": "success_for is 2 with optimizer = none, which looks once; allowed are whole",
    "iterations=9 success_for=10": "success_for is 10 with iterations = 9; allowed are whole numbers from 1 to 9",
    "hidden=0 learning_rate_output=0.1": "learning_rate_output is 0.1 with hidden = 0; allowed is that with hidden lay",
    "hidden=0 frozen=output,hidden": "frozen is output, hidden with hidden = 0; allowed are hidden layers, and biases",
    "target_low=0.4 target_high=0.5": "tolerance is 0.1 with targets of 0.4 and 0.5; allowed are numbers below 0.05",
    "success=correct tolerance=0.2,0.3": "tolerance is 0.2, 0.3 with success = correct; allowed is that with success",
    "success=loss success_loss=0.1 tolerance=0.2": "tolerance is 0.2 with success = loss; allowed is that with succes",
    "schedule=cosine schedule_length=0": "schedule is cosine and schedule_length is 0; allowed is that with schedule",
}


@pytest.mark.parametrize(("words", "said"), IN_VAIN.items())
def test_what_is_given_and_changes_nothing_is_refused(tmp_path, words, said):
    """One sentence: what, got, allowed."""
    with pytest.raises(RequestError) as caught:
        make_plan(adhoc(read_overrides(words.split(), tmp_path), []))
    (problem,) = caught.value.problems
    assert problem.startswith(said)


@pytest.mark.parametrize(
    "words",
    [
        "optimizer=sgd,none learning_rate=2",
        "hidden=0,2 frozen=output",
        "hidden=0 frozen=biases",
        "hidden=0 frozen=nothing",
    ],
)
def test_what_changes_some_trial_or_is_only_written_out_is_taken(tmp_path, words):
    """A grid multiplies out, and a default says what it is."""
    make_plan(adhoc(read_overrides(words.split(), tmp_path), []))


def test_a_grid_is_refused_what_is_said_for_it_and_not_what_is_said_for_all(tmp_path):
    """Defaults are for whom they concern; what a command line changes may leave a file's own without effect."""
    guessed = {"optimizer": "none", "hidden": 2}
    content = {"defaults": {"iterations": 50, "learning_rate": 2.0}, "grid": [guessed, {"hidden": 3}]}

    def read(*words):
        make_plan(read_experiment(Path("m.toml"), read_overrides(words, tmp_path), [], content))

    read()
    read("learning_rate=3", "iterations=9")
    guessed["iterations"] = 70
    read("learning_rate=3")
    with pytest.raises(RequestError, match=r"^m.toml: grid 1: iterations is 70 with optimizer = none, which trains"):
        read()


def test_gates_with_one_table_keep_their_names_in_a_document(tmp_path):
    """XOR and parity2 are one table by two names."""
    plan = make_plan(adhoc(read_overrides(["gate=xor,parity2", "seeds=0:2"], tmp_path), []))
    read = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert [one.trial.gate.name for one in read.trials] == ["xor", "parity2"]
    assert read.trials == plan.trials

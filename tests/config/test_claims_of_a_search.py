"""Claims about what a search finds: its best on held-out seeds, alone and beside a reference."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binomtest

from bench.config.plan import Plan
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.stats.claims import HOLDS, REFUTED, UNDECIDED, check_claims
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI
from bench.store.reader import find_sweep, read_plan

SEARCH = """
[defaults]
gate = "xor"
iterations = 300
curve_points = 5
learning_rate = 5.0
[search]
hidden = { low = 3, high = 6 }
trials = 6
batch = 6
seeds = "0:6"
validate = 40
best = 2
reference = { title = "a perceptron", hidden = 0 }
"""
BEST, SECOND, REFERENCE = "{ best = 1 }", "{ best = 2 }", 'than = { reference = "a perceptron" }\n'
RATE = "event = { solved = true }\n"
FOUND = "above = 0.2\n"


# ------------------------------------------------------------------ what may be asked


def test_a_claim_about_the_best_is_planned_before_it_is_known(plan, claim):
    """It has the held-out seeds, and its trials when the search has found them; a reference is known at once."""
    planned = plan(SEARCH + claim("a", BEST, RATE + FOUND) + claim("b", SECOND, REFERENCE + RATE + "within = 0.1\n"))
    one, other = planned.claims_now
    (reference,) = planned.search.references
    assert [(found.trials, list(found.seeds)) for found in (one, other)] == [((), list(range(6, 46)))] * 2
    assert (one.than, other.than) == ((), (reference.trial.trial_id,))


def test_nothing_is_known_of_the_best_before_the_search(plan, claim, table):
    """An interrupted sweep has undecided claims."""
    planned = plan(SEARCH + claim("a", BEST, RATE + FOUND))
    (verdict,) = check_claims(planned.claims_now, table())
    assert verdict.verdict == UNDECIDED


def test_a_plan_keeps_what_is_claimed_of_the_best(plan, claim):
    """Read back, it has the same claims."""
    planned = plan(SEARCH + claim("a", BEST, REFERENCE + RATE + "within = 0.1\n"))
    document = planned.to_json()
    assert Plan.from_json(document).to_json()["claims"] == document["claims"]
    (read,) = Plan.from_json(document).claims_now
    assert (read.trials, list(read.seeds)) == ((), list(range(6, 46)))


GRID = '[[grid]]\nhidden = 3\nseeds = "0:4"\n'
ONE_TRAINING = 'seed = 6\nof = "final_mse"\nbelow = 1\n'
WRONG = {
    "a rank that is not validated": (
        SEARCH,
        ("{ best = 3 }", RATE + FOUND),
        "selects {'best': 3} of the search; allowed is { best = 1 } to { best = 2 }",
    ),
    "no rank at all": (SEARCH, ("{ best = 0 }", RATE + FOUND), "selects {'best': 0} of the search; allowed is"),
    "a rank that is no number": (SEARCH, ("{ best = true }", RATE + FOUND), "selects {'best': True} of the search"),
    "a rank and a parameter": (
        SEARCH,
        ("{ best = 1, hidden = 3 }", RATE + FOUND),
        "selects {'best': 1, 'hidden': 3} of the search; allowed is { best = 1 } to { best = 2 }",
    ),
    "an unknown reference": (
        SEARCH,
        (BEST, 'than = { reference = "nobody" }\n' + RATE + "within = 0.1\n"),
        "compares with {'reference': 'nobody'}; allowed beside { best = … } is { reference = 'a perceptron' }",
    ),
    "a parameter in a reference's place": (
        SEARCH,
        (BEST, 'than = { hidden = 0 }\nmeasure = "final_mse"\nis = "below"\n'),
        "compares with {'hidden': 0}; allowed beside { best = … } is { reference = 'a perceptron' }",
    ),
    "no references": (
        SEARCH.replace('{ title = "a perceptron", hidden = 0 }', "[]"),
        (BEST, REFERENCE + RATE + "within = 0.1\n"),
        "allowed beside { best = … } is that with a [[search.reference]]",
    ),
    "no held-out seeds": (
        SEARCH.replace("validate = 40", "validate = 0"),
        (BEST, RATE + FOUND),
        "selects {'best': 1} of the search; allowed is that with held-out seeds and one objective",
    ),
    "two objectives": (
        SEARCH + 'objective = ["rmst", "parameters"]\n',
        (BEST, RATE + FOUND),
        "selects {'best': 1} of the search; allowed is that with held-out seeds and one objective",
    ),
    "one training of the best": (SEARCH, (BEST, ONE_TRAINING), "is about one training of the search's best; allowed"),
    "no search": (GRID, (BEST, RATE + FOUND), "selects {'best': 1} of the search; allowed is that with held-out seeds"),
    "a reference without the best": (
        SEARCH + GRID,
        ("{ hidden = 3 }", REFERENCE + RATE + "within = 0.1\n"),
        "reference",
    ),
}


@pytest.mark.parametrize(("text", "claimed", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_selected_of_a_search_is_one_clear_message(plan, claim, text, claimed, words):
    """What, got, allowed."""
    with pytest.raises(RequestError) as caught:
        plan(text + claim("a", *claimed))
    (problem,) = caught.value.problems
    assert "claim 'a'" in problem
    assert words in problem


def test_times_of_the_best_are_not_compared(plan, claim):
    """A search's trials are trained beside others: no seed of them could ever be in a pair."""
    with pytest.raises(RequestError, match="compares iteration_us"):
        plan(SEARCH + claim("a", BEST, REFERENCE + 'measure = "iteration_us"\nis = "below"\n'))


@pytest.mark.parametrize("name", ["a rank that is not validated", "an unknown reference", "no search"])
def test_a_wrong_claim_ends_a_sweep_before_it_begins(bench, folder, claim, name):
    """Exit status 2, one line on stderr, and no sweep."""
    text, claimed, words = WRONG[name]
    (folder / "wrong.toml").write_text(text + claim("a", *claimed))
    for more in ([], ["--dry-run"]):
        ran = bench("sweep", "wrong.toml", "--no-report", *more)
        assert ran.status == 2
        assert (ran.out, len(ran.err.splitlines())) == ("", 1)
        assert words in ran.err
    assert bench("list", "--json").json["sweeps"] == []


# ------------------------------------------------------------------ what came of it

CLAIMED = {
    "found": (BEST, RATE + FOUND, HOLDS),
    "never": (BEST, RATE + "never = true\n", REFUTED),
    "second": (SECOND, RATE + FOUND, HOLDS),
    "another": (BEST, REFERENCE + RATE + "within = 0.05\n", REFUTED),
    "better": (BEST, REFERENCE + 'measure = "final_mse"\nis = "below"\n', HOLDS),
    "worse": (BEST, REFERENCE + 'measure = "final_mse"\nis = "above"\n', REFUTED),
    "varies": (SECOND, 'varies = "pattern"\n', HOLDS),
}
TEXT = SEARCH + "".join(
    f'[[claim]]\nid = "{name}"\nsource = "s"\nwhat = "w"\nwhere = {where}\n{body}'
    for name, (where, body, _) in CLAIMED.items()
)


@pytest.fixture
def searched(made, command, monkeypatch):
    """A search of whose best much is claimed: its claims, its plan, and its rows."""
    folder = made("claimed", "sweep", "claimed.toml", "--no-report", text=TEXT, expected=1)
    monkeypatch.chdir(folder)
    assert partial(command, folder)("export", "-o", "rows.parquet").status == 0
    (kept,) = Path("mlruns").rglob("claims.json")
    store = Store(DEFAULT_URI)
    return (
        pd.read_json(kept).set_index("id"),
        read_plan(store, find_sweep(store, None)),
        pd.read_parquet("rows.parquet"),
    )


@pytest.mark.untraced
def test_what_is_claimed_of_the_best_is_checked_on_held_out_seeds(searched):
    """The trial of rank 1, and no seed that it was chosen by; the reference on the same seeds."""
    claims, plan, rows = searched
    winners = {one.rank: one.trial_id for one in plan.proposals.winners if one.study == 0}
    held_out = rows[rows[c.SEED] >= 6]
    for name, rank in (("found", 1), ("second", 2)):
        own = held_out[held_out[c.TRIAL_ID] == winners[rank]]
        solved = int(own[c.SOLVED].sum())
        low, high = binomtest(solved, 40).proportion_ci(method="exact")
        assert claims.observed[name] == f"{solved / 40:.1%} [{low:.1%}, {high:.1%}], {solved} of 40"
    assert claims.observed["another"].endswith("40 seeds")
    assert " of 40 seeds" in claims.observed["better"]


def test_claims_about_the_best_hold_or_are_refuted(searched):
    """As those about a grid; a perceptron cannot solve XOR, so what the search finds is better."""
    claims, _, _ = searched
    assert claims.verdict.to_dict() == {name: verdict for name, (_, _, verdict) in CLAIMED.items()}

"""Seeds are added until solved rates are known, or claims decided: the rules, and sweeps that follow them."""

import json
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from bench.config.plan import PlannedTrial
from bench.config.seeds import CLAIMS, INTERVAL, MAX_SEEDS, Until
from bench.lifecycle import STATISTICS
from bench.metrics import columns as c
from bench.model.trial import Trial
from bench.running import recorder
from bench.running.adaptive_seeds import next_look, next_round
from bench.stats.proportions import exact_interval, half_width, seeds_for_half_width
from bench.store import names
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI
from bench.store.reader import read_sweep
from bench.store.writer import SweepWriter

QUICK = ("gate=xor", "hidden=2,3", "iterations=300", "learning_rate=5", "seeds=0:8", "--no-report")
TIMING = [c.ITERATION_US]

# ------------------------------------------------------------------ the rule

COUNTS = st.integers(1, 300).flatmap(
    lambda size: st.lists(st.tuples(st.just(size), st.integers(0, size)), min_size=1, max_size=5)
)


def trial(size, solved, start=0):
    return PlannedTrial(Trial(), (0,), range(start, start + size), ()), solved


@given(COUNTS, st.floats(0.01, 0.4), st.one_of(st.none(), st.integers(300, 1000)))
def test_seeds_are_added_while_an_interval_is_too_wide(counts, width, most):
    """They follow the greatest there is, at most double their number, and never exceed what is allowed."""
    size = counts[0][0]
    until, seeds = next_round([trial(*one) for one in counts], Until(width, most), STATISTICS)
    wide = sum(half_width(solved, size) > width for size, solved in counts)
    assert until.open == wide
    if not wide or size == most:
        assert (until.stopped_by, until.rounds, len(seeds)) == (MAX_SEEDS if wide else INTERVAL, 0, 0)
    else:
        assert (until.stopped_by, until.rounds, seeds.start) == (None, 1, size)
        assert size < seeds.stop <= min(2 * size, most or 2 * size)


def test_no_more_seeds_are_added_than_the_widest_interval_takes():
    """A rate of one half that 2,000 seeds have takes 449 more to be known to ± 0.02."""
    _, seeds = next_round([trial(2000, 1000), trial(2000, 1990)], Until(0.02), STATISTICS)
    assert seeds == range(2000, 2449)
    last, before = (np.ptp(proportion_confint(size / 2, size, method="beta")) / 2 for size in (2449, 2448))
    assert last <= 0.02 < before


def test_trials_with_other_seeds_get_the_same_further_ones():
    """A grid's blocks may have different seeds; what is added is the same for all."""
    _, seeds = next_round([trial(10, 5), trial(40, 20, start=100)], Until(0.02), STATISTICS)
    assert seeds == range(140, 180)


def test_where_nothing_can_grow_it_is_over():
    """All trials may be refused by their backends."""
    until, seeds = next_round([], Until(0.02), STATISTICS)
    assert (until.stopped_by, until.open, len(seeds)) == (INTERVAL, 0, 0)


@pytest.mark.untraced
@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99])
def test_the_interval_still_holds_the_truth_in_95_of_100_sweeps(rate):
    """Looking at the data to decide when to stop could spoil the interval; a width as the rule hardly does."""
    look = cache(lambda size, solved, until: next_round([trial(size, solved)], until, STATISTICS))
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        until, size, solved = Until(0.05), 20, rng.binomial(20, rate)
        while True:
            until, seeds = look(size, solved, until)
            if until.stopped_by:
                break
            size, solved = size + len(seeds), solved + rng.binomial(len(seeds), rate)
        low, high = exact_interval(solved, size)
        held += low <= rate <= high
    assert held > 925


# ------------------------------------------------------------------ sweeps


def rows(bench, sweep):
    bench("export", sweep, "-o", f"{sweep}.parquet")
    return pd.read_parquet(f"{sweep}.parquet")


def plan_of(sweep):
    return read_sweep(Store(DEFAULT_URI), sweep).plan.to_json()


def test_seeds_are_added_until_every_rate_is_known(bench, folder):
    """All trials have the same seeds, every interval is narrow enough, and every training is accounted for."""
    ran = bench("sweep", *QUICK, "--until", "0.1", "--json")
    assert ran.status == 0, ran.err
    data, plan = rows(bench, ran.json["sweep"]), plan_of(ran.json["sweep"])
    solved = data.groupby(c.TRIAL_ID)[c.SOLVED].agg(["sum", "size"])
    assert (half_width(solved["sum"], solved["size"]) <= 0.1).all()
    seeds = [sorted(some) for _, some in data.groupby(c.TRIAL_ID)[c.SEED]]
    assert seeds[0] == seeds[1] == list(range(len(data) // 2))
    assert ran.json["trainings"] == len(data) == sum(ran.json["outcomes"].values())
    assert plan["until"] | {"rounds": 0} == {
        "half_width": 0.1,
        "max_seeds": None,
        "rounds": 0,
        "stopped_by": "interval",
        "open": 0,
    }
    told = [line for line in ran.err.splitlines() if line.startswith("round")]
    assert len(told) == plan["until"]["rounds"] > 1
    assert plan["command"] == f"python -m bench sweep {' '.join(QUICK[:-1])} --until 0.1"


@pytest.mark.untraced
def test_seeds_are_added_until_there_are_enough(bench, folder):
    """--max-seeds ends it, and what is still open is counted."""
    ran = bench("sweep", *QUICK, "--until", "0.01", "--max-seeds", 20, "--json")
    assert ran.json["trainings"] == 40
    until = plan_of(ran.json["sweep"])["until"]
    assert (until["stopped_by"], until["max_seeds"], until["open"], until["rounds"]) == ("max_seeds", 20, 2, 2)
    assert "2 of 2 solved rates are known less well than ± 0.01" in ran.err


@pytest.mark.untraced
def test_without_it_nothing_is_added_and_nothing_kept(bench, folder):
    """The plan says so."""
    assert plan_of(bench("sweep", *QUICK, "--json").json["sweep"])["until"] is None


def figures(sweep):
    """Return what each trial's one run shows, but for times."""
    runs = list(Store(DEFAULT_URI).runs(names.TRIAL, parent=sweep))
    found = {
        run.data.tags[names.TRIAL_TAG]: {
            name: value for name, value in run.data.metrics.items() if c.ITERATION_US not in name
        }
        | {"seeds": run.data.params["seeds"], "status": run.info.status}
        for run in runs
    }
    assert len(found) == len(runs)
    return found


@pytest.mark.untraced
@pytest.mark.parametrize("curves", [40, *(pytest.param(most, marks=pytest.mark.slow) for most in (1, 100_000))])
def test_trials_runs_are_those_of_a_sweep_that_asked_for_all_seeds_at_once(bench, folder, monkeypatch, curves):
    """Each trial has one run, of all of its seeds, however many of 60 curves may be in memory at a time."""
    monkeypatch.setattr(recorder, "MOST_CURVES", curves)
    trials = ("gate=xor", "hidden=2,3,4", *QUICK[2:])
    grown = bench("sweep", *trials, "--until", "0.01", "--max-seeds", 20, "--json").json["sweep"]
    asked = bench("sweep", *trials[:-2], "seeds=0:20", "--runs", "trial", "--no-report", "--json").json["sweep"]
    assert figures(grown) == figures(asked)
    assert len(figures(grown)) == 3
    pd.testing.assert_frame_equal(rows(bench, grown).drop(columns=TIMING), rows(bench, asked).drop(columns=TIMING))


MIXED = """
[defaults]
iterations = 60
seeds = "0:6"
backend = "numpy"
[[grid]]
hidden = [2, 3]
summation = ["library", "fma"]
[[grid]]
hidden = 3
seeds = "0:2"
alone = true
rounds = 1
[[grid]]
hidden = 4
alone = true
rounds = 1
[search]
learning_rate = { low = 1.0, high = 9.0 }
trials = 2
batch = 1
validate = 0
"""


@pytest.mark.untraced
def test_only_trials_of_the_grid_that_are_trained_together_grow(bench, folder):
    """What is alone, what is refused and what a search proposes keeps its seeds; a trial that is both gets more."""
    (folder / "mixed.toml").write_text(MIXED)
    ran = bench("sweep", "mixed.toml", "--until", "0.01", "--max-seeds", 10, "--json", "--no-report")
    assert ran.status == 0, ran.err
    data = rows(bench, ran.json["sweep"])
    sizes = data.groupby([c.HIDDEN, c.SUMMATION, c.LEARNING_RATE]).size()
    assert sizes[2, "library", 0.05] == sizes[3, "library", 0.05] == 10
    assert sizes[4, "library", 0.05] == sizes[2, "fma", 0.05] == sizes[3, "fma", 0.05] == 6
    assert (sizes.drop(0.05, level=c.LEARNING_RATE) == 6).all()
    assert data[data[c.ALONE]].groupby(c.HIDDEN)[c.SEED].apply(list).to_dict() == {3: [0, 1], 4: [0, 1, 2, 3, 4, 5]}
    assert len(figures(ran.json["sweep"])) == len(sizes)


FAULTY = (*QUICK, "--until", "0.01", "--max-seeds", "24", "--executor", "serial")
FAULTS = [
    ("shard", 1),
    ("shard", 2),
    ("plan", 2),
    ("plan", 3),
    ("plan", 4),
    ("trials", 1),
    ("keep_runs", 1),
]
QUICK_FAULTS = (("shard", 2, False), ("plan", 3, False), ("trials", 1, False), ("keep_runs", 1, True))


def campaign(faults, quick):
    """Return all faults before and after a write, as parameters; all but these are slow."""
    every = [(*fault, after) for after in (False, True) for fault in faults]
    return [pytest.param(*one, marks=() if one in quick else pytest.mark.slow) for one in every]


@pytest.mark.untraced
@pytest.mark.parametrize(("what", "times", "after"), campaign(FAULTS, QUICK_FAULTS))
def test_a_sweep_that_fails_in_any_round_goes_on_where_it_was(bench, folder, monkeypatch, whole, what, times, after):
    """Resumed, it ends with the rows, the plan and the runs of one that nothing happened to."""
    fails_at(monkeypatch, what, times, after=after, run=lambda: bench("sweep", *FAULTY))
    resumed_is_whole(bench, FAULTY, whole)


def left(bench, sweep):
    """Return what a sweep left: its rows but for their timing, its plan, and what its runs show."""
    return rows(bench, sweep).drop(columns=TIMING), plan_of(sweep), figures(sweep)


@pytest.fixture(scope="module")
def whole(made, command):
    """What a sweep left that nothing happened to."""
    folder = made("grown", "sweep", *FAULTY, "--json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return left(partial(command, folder), json.loads(Path("out").read_text())["sweep"])


def fails_at(monkeypatch, what, times, *, after, run):
    """Let the power go before, or ``after``, something is written for the so many-th time."""
    write, calls = getattr(SweepWriter, what), []

    def fail(self, *given):
        calls.append(what)
        if len(calls) == times and not after:
            raise RuntimeError("the power went")
        write(self, *given)
        if len(calls) == times:
            raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, what, fail)
        with pytest.raises(RuntimeError, match="the power went"):
            run()


def resumed_is_whole(bench, request, whole):
    (begun,) = (info["sweep"] for info in bench("list", "--json").json["sweeps"] if info["status"] != "FINISHED")
    resumed = bench("sweep", *request, "--resume", "--json")
    assert resumed.status == 0, resumed.err
    assert resumed.json["sweep"] == begun
    for one, other in zip(left(bench, begun), whole, strict=True):
        if isinstance(one, pd.DataFrame):
            assert resumed.json["trainings"] == len(other)
            pd.testing.assert_frame_equal(one, other)
        else:
            assert one == other
    assert set(read_sweep(Store(DEFAULT_URI), begun).runs) == {row[c.TRIAL_ID] for row in plan_of(begun)["trials"]}


@pytest.mark.untraced
def test_a_plan_that_was_cut_off_while_it_was_written_is_made_again(bench, folder, monkeypatch, whole):
    """When the second round was planned, the power went."""
    fails_at(monkeypatch, "plan", 3, after=True, run=lambda: bench("sweep", *FAULTY))
    cut_off_in_the_second_round(folder)
    resumed_is_whole(bench, FAULTY, whole)


def cut_off_in_the_second_round(folder):
    (plan,) = (folder / "mlruns").rglob("plan.json")
    assert json.loads(plan.read_text())["until"]["rounds"] == 2
    plan.write_text(plan.read_text()[:100])


@pytest.mark.slow
def test_a_sweep_that_is_killed_in_the_second_round_goes_on_where_it_was(bench, folder, start):
    """SIGKILL leaves no time to tidy up, and may cut off the plan while it is written.

    Slow: a process of its own, and what it leaves is what a failure leaves, above.
    """
    slow = ("gate=xor", "hidden=2", "backend=numpy", "iterations=4000", "seeds=0:8")
    request = (*slow, "--no-report", "--until", "0.01", "--max-seeds", "40", "--executor", "serial")
    process = start(folder, "sweep", *request)
    for _ in range(1200):
        plans = list((folder / "mlruns").rglob("plan.json"))
        if plans and '"rounds": 2' in plans[0].read_text():
            break
        time.sleep(0.02)
    assert process.poll() is None
    process.kill()
    process.communicate()
    cut_off_in_the_second_round(folder)
    resumed_is_whole(bench, request, left(bench, bench("sweep", *request, "--json").json["sweep"]))


@pytest.mark.untraced
def test_interrupted_it_says_how_to_go_on(bench, folder, monkeypatch):
    """The command has the option; another width is another request."""
    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "keep_runs", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        ran = bench("sweep", *QUICK, "--until", "0.01", "--max-seeds", 20)
    assert "--until 0.01 --max-seeds 20 --resume" in ran.err
    ran = bench("sweep", *QUICK, "--until", "0.02", "--max-seeds", 20, "--resume")
    assert ran.status == 2
    assert "nothing to resume" in ran.err
    assert "--until 0.01 --max-seeds 20" in ran.err


def test_a_dry_run_says_that_seeds_will_be_added(bench):
    """For people and for scripts."""
    ran = bench("sweep", *QUICK, "--until", "0.02", "--max-seeds", 5000, "--dry-run")
    assert "until every trial's solved rate is known to ± 0.02, or there are 5,000 of each" in ran.out
    found = bench("sweep", *QUICK, "--until", "0.02", "--dry-run", "--json").json
    assert (found["until"]["half_width"], found["until"]["max_seeds"], found["trainings"]) == (0.02, None, 16)
    assert bench("sweep", *QUICK, "--dry-run", "--json").json["until"] is None


ALLOWED = "allowed are a half-width between 0 and 0.5, such as 0.02, and the word claims"
WRONG = {
    "no width": (["--until", "0"], f"until is '0'; {ALLOWED}"),
    "a width of everything": (["--until", "0.5"], f"until is '0.5'; {ALLOWED}"),
    "a width that is no number": (["--until", "nan"], f"until is 'nan'; {ALLOWED}"),
    "a word that is none": (["--until", "claim"], f"until is 'claim'; {ALLOWED}"),
    "claims that nobody makes": (["--until", "claims", "--max-seeds", "50"], "there is none; allowed is that with an"),
    "claims without an end": (["--until", "claims"], "until is claims, some of which may never be decided; allowed is"),
    "seeds without an interval": (["--max-seeds", "50"], "max-seeds is 50, which needs --until"),
    "fewer seeds than there are": (["--until", "0.1", "--max-seeds", "7"], "allowed is at least 8"),
    "no seeds at all": (["--until", "0.1", "--max-seeds", "0"], "max-seeds is 0"),
    "nothing that could get more": (["--until", "0.1", "alone=true"], "no trial is trained together"),
    "more than could be accounted for": (["--until", "1e-5"], "which may take 19,207,494,098 trainings"),
    "more seeds than there can be": (
        ["--until", "0.1", "seeds=4294967290:4294967295"],
        "allowed are seeds to 4294967295",
    ),
}


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_one_clear_message(bench, folder, words, said, dry):
    """What, got, allowed on stderr; exit status 2; no sweep begun."""
    request = [word for word in QUICK if not any("seeds=" in w for w in words) or not word.startswith("seeds")]
    ran = bench("sweep", *request, *words, *(["--dry-run"] if dry else []))
    assert ran.status == 2
    assert ran.err.startswith("bench: ")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert bench("list", "--json").json["sweeps"] == []


def test_a_search_alone_gets_no_more_seeds(bench, folder):
    """Its trials must be compared while it goes on."""
    (folder / "s.toml").write_text("[search]\nhidden = { low = 2, high = 4 }\ntrials = 2\nbatch = 1\n")
    ran = bench("sweep", "s.toml", "--until", "0.1")
    assert ran.status == 2
    assert "there is only a search, whose trials keep their seeds; allowed with a grid" in ran.err


def test_the_seeds_that_a_half_width_takes_are_the_fewest():
    """At the rate of one half: so many, and not one fewer."""
    for width in (0.3, 0.1, 0.02, 0.005):
        size = seeds_for_half_width(0.5, width)
        assert half_width(size / 2, size) <= width < half_width((size - 1) / 2, size - 1)


# ------------------------------------------------------------------ until claims are decided

LOOK = st.tuples(st.lists(st.integers(1, 50), min_size=1, max_size=4), st.integers(50, 200), st.integers(0, 3))


@given(LOOK)
def test_seeds_are_doubled_while_a_claim_is_undecided(drawn):
    """The most that a trial has, whatever was seen of any, up to what is allowed; decided, there are no more."""
    sizes, most, undecided = drawn
    trials = [trial(size, 0)[0] for size in sizes]
    until, seeds = next_look(trials, Until(None, most), undecided)
    assert until.open == undecided
    if not undecided or max(sizes) == most:
        assert (until.stopped_by, until.rounds, len(seeds)) == (MAX_SEEDS if undecided else CLAIMS, 0, 0)
    else:
        assert (until.stopped_by, until.rounds) == (None, 1)
        assert seeds == range(max(sizes), min(2 * max(sizes), most))


CLAIM_FILE = """
[[grid]]
gate = "xor"
hidden = 0
iterations = 20
backend = "numpy"
seeds = "0:8"
"""
CLAIMED = '[[claim]]\nid = "{}"\nsource = "s"\nwhat = "w"\nwhere = {{}}\nevent = {{ solved = true }}\n{}\n'
FIFTH, HALF, HOPELESS, FALSE = (
    CLAIMED.format(name, bound)
    for name, bound in (("a", "below = 0.2"), ("b", "below = 0.5"), ("c", "above = 0.0"), ("d", "above = 0.5"))
)
ASKED = ("decided.toml", "--no-report", "--until", "claims", "--max-seeds", "100", "--executor", "serial")


def seeds_that_show(bound, sizes):
    """Return the first number of seeds that show a share of none to be below a bound, looked at one after the other."""
    return next(n for look, n in enumerate(sizes, 1) if (1 - bound) ** n < 0.025 / (look * (look + 1)))


def claims_of(folder):
    (kept,) = (folder / "mlruns").rglob("claims.json")
    return {row["id"]: row for row in json.loads(kept.read_text())}


def test_seeds_are_added_until_every_claim_is_decided(bench, folder):
    """As many as the claim that takes most needs; each round says how many claims are left."""
    (folder / "decided.toml").write_text(CLAIM_FILE + FIFTH + HALF)
    ran = bench("sweep", *ASKED, "--json")
    assert ran.status == 0, ran.err
    assert (seeds_that_show(0.5, [8, 16, 32, 64]), seeds_that_show(0.2, [8, 16, 32, 64])) == (8, 32)
    assert sorted(rows(bench, ran.json["sweep"])[c.SEED]) == list(range(32))
    plan = plan_of(ran.json["sweep"])
    ended = {"half_width": None, "max_seeds": 100, "rounds": 2, "stopped_by": "claims", "open": 0}
    assert plan["until"] == ended
    assert plan["command"] == "python -m bench sweep decided.toml --until claims --max-seeds 100"
    told = [line for line in ran.err.splitlines() if "round" in line]
    assert told == [
        "round 1: 1 of 2 claims about the grid are undecided; 8 more seeds for each trial, from 8",
        "round 2: 1 of 2 claims about the grid are undecided; 16 more seeds for each trial, from 16",
        "after 2 rounds of more seeds, all 2 claims about the grid are decided",
    ]
    low, high = proportion_confint(0, 32, 0.05 / 12, method="beta")
    assert claims_of(folder)["a"]["observed"] == f"0.0% [{low:.1%}, {high:.1%}], 0 of 32"


@pytest.mark.untraced
def test_a_claim_that_is_refuted_is_decided_too(bench, folder):
    """Nothing is added for what is known to be false."""
    (folder / "decided.toml").write_text(CLAIM_FILE + FALSE)
    ran = bench("sweep", *ASKED, "--json")
    assert (ran.status, ran.json["trainings"]) == (1, 8)
    assert "after 0 rounds of more seeds, the 1 claim about the grid is decided" in ran.err


@pytest.mark.untraced
def test_claims_that_no_seeds_decide_end_with_the_most_that_are_allowed(bench, folder):
    """That a share is above none is never refuted; exit status 3, or 1 where that is a failure."""
    (folder / "decided.toml").write_text(CLAIM_FILE + HOPELESS + HALF)
    ran = bench("sweep", *ASKED[:-3], "20", "--json")
    assert (ran.status, ran.json["trainings"]) == (3, 20)
    until = plan_of(ran.json["sweep"])["until"]
    assert (until["stopped_by"], until["rounds"], until["open"]) == ("max_seeds", 2, 1)
    assert (
        "after 2 rounds of more seeds, no more than 20 being allowed, 1 of 2 claims about the grid are undecided"
        in ran.err
    )
    assert bench("sweep", *ASKED[:-3], "8", "--strict").status == 1


@pytest.mark.untraced
def test_a_verdict_is_that_of_its_last_look(bench, folder):
    """What is kept and shown has the bound that the look had: wider than that of a sweep that asked for its seeds."""
    (folder / "decided.toml").write_text(CLAIM_FILE + FIFTH)
    assert bench("sweep", *ASKED[:-3], "16").status == 3
    low, high = proportion_confint(0, 16, 0.05 / 6, method="beta")
    assert claims_of(folder)["a"]["observed"] == f"0.0% [{low:.1%}, {high:.1%}], 0 of 16"
    assert 0.8**16 > 0.025 / 6


def test_claims_of_which_nothing_can_be_trained_are_undecided(bench, folder):
    """What a backend refuses cannot get more seeds: the sweep ends, and says so."""
    (folder / "decided.toml").write_text(CLAIM_FILE.replace('"numpy"', '"numba"\nsummation = "fma"') + HALF)
    ran = bench("sweep", *ASKED, "--json")
    assert ran.status == 3
    assert (ran.json["trainings"], ran.json["outcomes"]["unsupported"]) == (8, 8)


@pytest.mark.untraced
def test_a_claim_about_a_searchs_best_is_not_said_to_be_decided_by_more_seeds_of_the_grid(bench, folder):
    """It is checked after the search; what the grid's rounds say is of the grid's claims."""
    search = '[search]\nhidden = [2, 3]\ntrials = 2\nbatch = 2\nvalidate = 5\nbest = 1\nreference = []\nseeds = "0:2"\n'
    best = HOPELESS.replace("where = {}", "where = { best = 1 }").replace("above = 0.0", "never = true")
    (folder / "decided.toml").write_text(CLAIM_FILE + search + FIFTH + best)
    ran = bench("sweep", *ASKED, "--json")
    assert ran.status == 3
    assert "round 1: " in ran.err
    assert "of more seeds, every claim is decided" not in ran.err


CLAIM_FAULTS = [("shard", 2), ("plan", 3), ("trials", 1), ("keep_runs", 1)]


@pytest.fixture(scope="module")
def whole_claims(made, command):
    """What a sweep left whose claims were decided and that nothing happened to."""
    folder = made("decided", "sweep", *ASKED, "--json", text=CLAIM_FILE + FIFTH + HALF)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return left(partial(command, folder), json.loads(Path("out").read_text())["sweep"])


@pytest.mark.untraced
@pytest.mark.parametrize(("what", "times", "after"), campaign(CLAIM_FAULTS, QUICK_FAULTS[:2]))
def test_claims_are_decided_alike_where_a_sweep_fails_in_any_round(
    bench, folder, monkeypatch, whole_claims, what, times, after
):
    """Resumed, each look sees the seeds that it had, though more of them are stored by then."""
    (folder / "decided.toml").write_text(CLAIM_FILE + FIFTH + HALF)
    fails_at(monkeypatch, what, times, after=after, run=lambda: bench("sweep", *ASKED))
    resumed_is_whole(bench, ASKED, whole_claims)


@pytest.mark.untraced
def test_claims_of_a_plan_that_was_cut_off_are_decided_alike(bench, folder, monkeypatch, whole_claims):
    """When the second round was planned, the power went, and left half of the plan."""
    (folder / "decided.toml").write_text(CLAIM_FILE + FIFTH + HALF)
    fails_at(monkeypatch, "plan", 3, after=True, run=lambda: bench("sweep", *ASKED))
    cut_off_in_the_second_round(folder)
    resumed_is_whole(bench, ASKED, whole_claims)


@pytest.mark.untraced
def test_a_sweep_is_not_resumed_with_other_claims(bench, folder, monkeypatch):
    """They would be looked at with seeds that were added for others."""
    (folder / "decided.toml").write_text(CLAIM_FILE + FIFTH)
    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "keep_runs", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        assert bench("sweep", *ASKED).status == 130
    (folder / "decided.toml").write_text(CLAIM_FILE + HALF)
    ran = bench("sweep", *ASKED, "--resume")
    assert ran.status == 2
    assert "nothing to resume" in ran.err

"""Published figures beside what is observed: against SciPy, simulations and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import fisher_exact, t

from bench.config.claims import CLAIM, Published
from bench.config.plan import PlannedClaim
from bench.stats.claims import Verdict, check_claims, counted_verdicts
from bench.stats.published import AGREES, DIFFERS, OPEN, Estimate, published_estimate

SOLVED, STUCK = [0, 1, 1, 0], [0.5] * 4
WORDS = {"id": "a", "source": "s", "what": "w", "where": {}}


@pytest.fixture
def judge(trial, ended, table):
    """The verdict on a published figure where so many of 200 trainings solve, each of them at these iterations."""

    def verdict(solved, published, solved_at=100, size=200, also=(), **claim):
        one = trial(hidden=2, iterations=1000)
        data = table(ended(one, [SOLVED] * solved + [STUCK] * (size - solved), solved_at=solved_at))
        read = CLAIM.validate_python(WORDS | claim | {"published": published})
        others = [PlannedClaim(read.model_copy(update={"id": f"{n}"}), ()) for n in also]
        return check_claims([PlannedClaim(read, (one.trial_id,)), *others], data)[0]

    return verdict


@pytest.mark.parametrize("k", [80, 100, 106, 116, 120, 140])
def test_two_shares_differ_about_where_fishers_exact_test_says_so(judge, k):
    """Where its p is beyond any doubt: both are exact, and neither is the other."""
    p = fisher_exact([[100, 100], [k, 200 - k]]).pvalue
    found = judge(100, {"k": k, "of": 200})
    assert (found.verdict == DIFFERS) <= (p < 0.07)
    assert (found.verdict == AGREES) <= (p > 0.03)
    assert found.expected.startswith(f"{k / 200:.1%}")
    assert found.difference.startswith(f"{100 * (100 - k) / 200:+.1f} points")


def test_the_same_difference_of_larger_samples_is_one(judge):
    """Both samples count: 10 points of two hundreds agree, and are a difference of thousands."""
    assert judge(10, {"k": 12, "of": 20}, size=20).verdict == OPEN
    assert judge(1000, {"k": 1200, "of": 2000}, size=2000).verdict == DIFFERS


def test_what_would_differ_by_itself_and_does_not_among_many_is_open(judge):
    """More claims make none agree."""
    said = {"k": 1070, "of": 2000}
    assert judge(1000, said, size=2000).verdict == DIFFERS
    assert judge(1000, said, size=2000, also=range(30)).verdict == OPEN
    assert judge(1000, {"k": 1010, "of": 2000}, size=2000, also=range(30)).verdict == AGREES


def test_a_published_mean_has_students_interval():
    """Of a standard deviation and n; a 95 % interval that was printed is taken as it is, and one without n as exact."""
    found = published_estimate(Published(estimate=24.0, sd=16.0, n=100))
    assert (found.low, found.high) == pytest.approx(t.interval(0.95, 99, 24.0, 1.6))
    printed = published_estimate(Published(estimate=2.0, low=1.0, high=4.0))
    assert (printed.low, printed.high) == pytest.approx((1.0, 4.0))
    assert published_estimate(Published(estimate=2.0)) == Estimate(2.0, 2.0, 2.0)


def test_the_difference_of_two_estimates_covers_what_it_says():
    """MOVER of Student's intervals, of two normal samples, in 95 % of 500 draws."""
    rng = np.random.default_rng(0)
    one_RN, other_RN = rng.normal(3, 1, (500, 20)), rng.normal(1, 3, (500, 30))
    covered = 0
    for one_N, other_N in zip(one_RN, other_RN, strict=True):
        ends = [
            Estimate(some.mean(), *t.interval(0.95, len(some) - 1, some.mean(), some.std(ddof=1) / len(some) ** 0.5))
            for some in (one_N, other_N)
        ]
        difference = ends[0].less(ends[1])
        covered += difference.low < 2 < difference.high
    assert 0.93 < covered / 500 < 0.98


def test_a_ratio_is_a_difference_of_logarithms():
    """It is symmetric: what is twice as much is half of the other."""
    one, other = Estimate(4.0, 3.0, 5.0), Estimate(2.0, 1.8, 2.2)
    up, down = one.over(other), other.over(one)
    assert (up.value, 1 / up.low, 1 / up.high) == pytest.approx((2.0, down.high, down.low))


@pytest.mark.parametrize(
    ("published", "verdict", "words"),
    [
        ({"estimate": 100.0}, AGREES, "100, without its uncertainty"),
        ({"estimate": 150.0}, OPEN, "150, without its uncertainty"),
        ({"estimate": 150.0, "sd": 200.0, "n": 10}, OPEN, "150 [6.93, 293], n = 10"),
        ({"low": 50.0, "high": 90.0}, DIFFERS, "50 to 90"),
        ({"low": 90.0, "high": 200.0}, AGREES, "90 to 200"),
        ({"words": "so", "below": 200.0}, AGREES, "“so”; read here as: < 200"),
        ({"words": "so", "above": 200.0}, DIFFERS, "“so”; read here as: > 200"),
    ],
)
def test_a_time_is_compared_with_what_was_published(judge, published, verdict, words):
    """Two hundred trainings that all are solved at iteration 100, but for one in fifty as far as one can know."""
    found = judge(200, published, figure="ert")
    assert (found.verdict, found.expected) == (verdict, words)
    assert found.observed.startswith("100 [")


def test_nothing_that_was_trained_leaves_it_open(judge, trial, ended, table):
    """Nor does a figure that is infinite."""
    claim = PlannedClaim(CLAIM.validate_python(WORDS | {"published": {"k": 1, "of": 2}}), ())
    assert check_claims([claim], table(ended(trial(), [SOLVED])))[0].verdict == OPEN
    assert judge(0, {"estimate": 100.0}, figure="ert").verdict == OPEN


@pytest.mark.parametrize(
    ("shares", "shape", "verdict"),
    [
        ([0.1, 0.3, 0.6, 0.9], "rises", AGREES),
        ([0.1, 0.3, 0.29, 0.9], "rises", AGREES),
        ([0.1, 0.9, 0.3, 0.95], "rises", DIFFERS),
        ([0.5, 0.5, 0.5, 0.5], "rises", OPEN),
        ([0.9, 0.6, 0.3, 0.1], "falls", AGREES),
        ([0.4, 0.1, 0.5, 0.9], "minimum inside", AGREES),
        ([0.1, 0.4, 0.5, 0.9], "minimum inside", DIFFERS),
        ([0.1, 0.11, 0.5, 0.9], "minimum inside", OPEN),
    ],
)
def test_the_shape_of_a_share_along_a_parameter(trial, ended, table, shares, shape, verdict):
    """Beyond chance, seed by seed, all pairs of values at once."""
    trials = [trial(hidden=2, learning_rate=float(place)) for place in range(1, 5)]
    rows = [
        ended(one, [SOLVED] * round(200 * share) + [STUCK] * (200 - round(200 * share)))
        for one, share in zip(trials, shares, strict=True)
    ]
    claim = CLAIM.validate_python(WORDS | {"along": "learning_rate", "published": {"words": "so", "shape": shape}})
    planned = PlannedClaim(claim, tuple(one.trial_id for one in trials), along=(1.0, 2.0, 3.0, 4.0))
    (found,) = check_claims([planned], table(*rows))
    assert found.verdict == verdict
    assert found.observed.startswith(f"learning_rate 1: {shares[0]:.1%}, 2: ")


@pytest.mark.parametrize(("times", "verdict"), [((10, 40, 160, 640), AGREES), ((10, 20, 40, 80), DIFFERS)])
def test_times_grow_by_a_factor(trial, ended, table, times, verdict):
    """The slope of their logarithms, exactly where they lie on a line."""
    trials = [trial(hidden=2, learning_rate=float(place), iterations=1000) for place in range(1, 5)]
    rows = [ended(one, [SOLVED] * 300, solved_at=time) for one, time in zip(trials, times, strict=True)]
    words = {"figure": "median", "along": "learning_rate", "published": {"estimate": 4.0, "low": 3.9, "high": 4.1}}
    planned = PlannedClaim(
        CLAIM.validate_python(WORDS | words), tuple(one.trial_id for one in trials), along=(1.0, 2.0, 3.0, 4.0)
    )
    (found,) = check_claims([planned], table(*rows))
    assert (found.verdict, found.observed.split()[0]) == (verdict, f"{times[1] / times[0]:g}")


def test_seeds_that_are_good_everywhere_are_more_than_chance(trial, ended, table):
    """Half of the seeds solve each of two trials: the same half, or one that has nothing to do with it."""
    trials = [trial(hidden=2), trial(hidden=3)]
    claim = CLAIM.validate_python(
        WORDS | {"figure": "everywhere", "published": {"words": "so", "shape": "beyond chance"}}
    )
    planned = PlannedClaim(claim, tuple(one.trial_id for one in trials))
    half, other = [SOLVED, STUCK] * 50, [SOLVED, SOLVED, STUCK, STUCK] * 25
    same, apart = (
        check_claims([planned], table(ended(trials[0], half), ended(trials[1], some)))[0] for some in (half, other)
    )
    assert (same.verdict, apart.verdict) == (AGREES, OPEN)
    assert same.observed.endswith("50 of 100; by chance 25")


def test_a_seed_is_ranked_by_how_much_it_solves(trial, ended, table):
    """Seed 0 solves one of two trials, and half of the seeds solve both."""
    trials = [trial(hidden=2), trial(hidden=3)]
    words = {"figure": "better", "seed": 0, "published": {"words": "so", "below": 0.05}}
    planned = PlannedClaim(CLAIM.validate_python(WORDS | words), tuple(one.trial_id for one in trials))
    rows = [ended(trials[0], [SOLVED] * 100), ended(trials[1], [STUCK, SOLVED] * 50)]
    (found,) = check_claims([planned], table(*rows))
    assert (found.verdict, found.observed.split()[0]) == (DIFFERS, "50.0%")
    (found,) = check_claims([replace(planned, claim=planned.claim.model_copy(update={"seed": 100}))], table(*rows))
    assert (found.verdict, found.observed) == (OPEN, "seed 100 is not among those that were trained")


def test_the_seed_has_a_part_in_the_variance(trial, ended, table):
    """All of it where both trials do the same from each start, none where the trial alone decides."""
    trials = [trial(hidden=2, learning_rate=rate, iterations=1000) for rate in (1.0, 2.0)]
    words = {"figure": "seed variance", "published": {"words": "so", "above": 0.5}}
    planned = PlannedClaim(CLAIM.validate_python(WORDS | words), tuple(one.trial_id for one in trials))
    half = [SOLVED, STUCK] * 30
    for others, verdict in ((half, AGREES), ([STUCK] * 60, DIFFERS)):
        first = half if verdict == AGREES else [SOLVED] * 60
        rows = [ended(one, some, solved_at=100) for one, some in zip(trials, (first, others), strict=True)]
        assert check_claims([planned], table(*rows))[0].verdict == verdict
    assert check_claims([planned], table(*(ended(one, [STUCK] * 9) for one in trials)))[0].verdict == OPEN


def test_words_that_were_published_agree_or_differ(judge):
    """A claim of any kind may quote: what is refuted then differs, which is no failure."""
    quoted = {"event": {"solved": True}, "recalled": True, "why": "luck"}
    found = judge(150, "most learn it", above=0.5, **quoted)
    assert (found.verdict, found.holds, found.recalled, found.why) == (AGREES, True, True, "luck")
    assert found.expected == "most learn it; read here as: > 50%"
    found = judge(50, "most learn it", above=0.5, **quoted | {"recalled": False})
    assert (found.verdict, found.expected) == (DIFFERS, "“most learn it”; read here as: > 50%")


def test_rare_shares_are_one_in_so_many(judge):
    """And never 0.0 %."""
    found = judge(1, {"estimate": 0.0007}, size=2000)
    assert found.observed.startswith("1 in 2,000 [")
    assert found.observed.endswith(", 1 of 2,000")


def test_figures_readings_of_words_and_claims_of_ones_own_are_counted_apart():
    """What differs is a finding, and what is recalled is told."""
    said = Verdict("a", "s", "w", "e", "o", "holds")
    assert counted_verdicts([said, replace(said, verdict="refuted")]) == "1 of 2 claims hold, 1 refuted"
    figures = [replace(said, verdict=verdict, basis="figure", recalled=True) for verdict in (AGREES, DIFFERS, DIFFERS)]
    assert counted_verdicts(figures) == "1 of 3 published figures agree (3 recalled), 2 differ"
    words = replace(said, verdict=OPEN, basis="reading")
    expected = "0 of 1 readings of published words agree, 1 open; 1 of 1 other claims hold"
    assert counted_verdicts([said, words]) == expected
    assert counted_verdicts([]) == "0 of 0 claims hold"


def test_what_a_claim_is_judged_by_is_known(judge):
    """A figure, or words as they are read here."""
    event = {"event": {"solved": True}}
    assert judge(100, {"k": 1, "of": 2}).basis == "figure"
    assert (
        judge(100, {"words": "most", "above": 0.5}).basis == judge(100, "most", above=0.5, **event).basis == "reading"
    )
    assert judge(100, None, above=0.5, **event).basis == ""


def test_a_share_may_be_of_some_trainings_only(judge):
    """Of those that are not solved none is solved, and diagnostics that nobody asked for are of none."""
    words = {"among": {"solved": False}, "published": {"words": "so", "below": 0.1}}
    found = judge(100, words.pop("published"), event={"solved": True}, **words)
    assert (found.verdict, found.observed) == (AGREES, "0.0% [0.0%, 3.6%], 0 of 100")
    curved = {"smallest_curvature": {"above": 0.0}}
    assert judge(100, {"words": "so", "below": 0.1}, event=curved, **words).observed.endswith("0 of 100")

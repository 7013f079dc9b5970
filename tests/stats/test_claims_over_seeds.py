import numpy as np
import pytest
from scipy.stats import binomtest

from bench.metrics import columns as c
from bench.model.outcome import NEVER
from bench.stats.claims import HOLDS, NO_DATA, REFUTED, UNDECIDED, measure

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
ONE_WRONG, OTHER_WRONG = [0, 1, 0, 0], [0, 0, 1, 0]
NAN = np.nan


def share(count, size):
    """Return a share in words with the exact interval that SciPy has."""
    low, high = binomtest(count, size).proportion_ci(method="exact")
    return f"{count / size:.1%} [{low:.1%}, {high:.1%}], {count:,} of {size:,}"


def won(wins, losses, ties=0):
    """Return in words how many of the seeds that differ were won."""
    return f"{share(wins, wins + losses)} seeds{f' ({ties:,} more tie)' if ties else ''};"


# ------------------------------------------------------------------ shares


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("bound", "expected", "verdict"),
    [
        ({"above": 0.56}, "> 56%", HOLDS),
        ({"above": 0.57}, "> 57%", UNDECIDED),
        ({"above": 0.85}, "> 85%", UNDECIDED),
        ({"above": 0.86}, "> 86%", REFUTED),
        ({"below": 0.86}, "< 86%", HOLDS),
        ({"below": 0.85}, "< 85%", UNDECIDED),
        ({"below": 0.57}, "< 57%", UNDECIDED),
        ({"below": 0.56}, "< 56%", REFUTED),
        ({"between": [0.56, 0.86]}, "56% to 86%", HOLDS),
        ({"between": [0.57, 0.86]}, "57% to 86%", UNDECIDED),
        ({"between": [0.56, 0.85]}, "56% to 85%", UNDECIDED),
        ({"between": [0.1, 0.56]}, "10% to 56%", REFUTED),
        ({"between": [0.86, 1]}, "86% to 100%", REFUTED),
        ({"between": [0, 0.86]}, "0% to 86%", HOLDS),
        ({"between": [0.56, 1]}, "56% to 100%", HOLDS),
        ({"never": True}, "never (< 2%)", REFUTED),
        ({"always": True}, "always (> 98%)", REFUTED),
    ],
)
def test_a_share_is_surely_on_one_side_of_a_bound_or_undecided(trial, ended, table, bound, expected, verdict, check):
    """It is the exact interval, [56.1 %, 85.4 %] for 29 of 40, that must be there as a whole, not the share."""
    assert binomtest(29, 40).proportion_ci(method="exact") == pytest.approx((0.5611, 0.8540), abs=5e-5)
    data = table(ended(trial(), [SOLVED] * 29 + [STUCK] * 11))
    (found,) = check(data, [trial()], event={"outcome": "solved"}, **bound)
    assert found.observed == share(29, 40)
    assert (found.expected, found.verdict) == (expected, verdict)


@pytest.mark.parametrize(("size", "verdict"), [(20, UNDECIDED), (182, UNDECIDED), (183, HOLDS)])
def test_never_and_always_take_183_seeds_without_an_exception(trial, ended, table, size, verdict, check):
    """Of an event in 2 of 100 so many seeds show none in fewer than 2.5 of 100 sweeps; one seed fewer in more."""
    assert 0.98**183 < 0.025 < 0.98**182
    for predictions, word in ((STUCK, "never"), (SOLVED, "always")):
        (found,) = check(table(ended(trial(), [predictions] * size)), [trial()], event={"solved": True}, **{word: True})
        assert (found.verdict, found.seeds) == (verdict, 183 if verdict == UNDECIDED else None)


@pytest.mark.parametrize("size", [2, 20, 400])
def test_one_exception_refutes_never_and_always(trial, ended, table, size, check):
    """However few or many seeds there are."""
    for first, rest, word in ((SOLVED, STUCK, "never"), (STUCK, SOLVED, "always")):
        data = table(ended(trial(), [first] + [rest] * (size - 1)))
        assert check(data, [trial()], event={"solved": True}, **{word: True})[0].verdict == REFUTED


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("event", "count"),
    [
        ({"outcome": "solved"}, 1),
        ({"outcome": ["solved", "stuck"]}, 4),
        ({"solved": False}, 4),
        ({"correct": True}, 1),
        ({"wrong": 1}, 2),
        ({"wrong": [0, 1]}, 3),
        ({"wrong_observation": 3}, 1),
        ({"wrong": 1, "wrong_observation": 2}, 1),
        ({"pattern": "½ ½ ½ ½"}, 1),
        ({"pattern": ["0 1 0 0", "0 0 1 0"]}, 2),
        ({"outcome": "failed"}, 1),
        ({"outcome": "solved", "wrong": 1}, 0),
    ],
)
def test_an_event_is_what_has_every_named_property(trial, ended, table, event, count, check, failed):
    """Values in a list are alternatives, names are conditions; a failed training counts among all."""
    one = trial()
    data = table(ended(one, [SOLVED, STUCK, ONE_WRONG, OTHER_WRONG]), failed(one, [9]))
    (verdict,) = check(data, [one], event=event, below=1)
    assert verdict.observed == share(count, 5)


@pytest.mark.parametrize(
    ("event", "count"),
    [
        ({"final_mse": {"below": 0.2}}, 1),
        ({"final_mse": {"above": 0.2}}, 4),
        ({"max_abs_error": {"above": 0.99}}, 3),
        ({"solved_at": {"below": 50}}, 1),
        ({"solved_at": {"above": 50}, "outcome": "stuck"}, 3),
    ],
)
def test_an_event_may_be_a_number_beyond_a_bound(trial, ended, table, event, count, check, failed):
    """What failed has the worst of every measure, and what never happened took for ever."""
    one = trial()
    solved_at = [20, NEVER, NEVER, NEVER]
    data = table(ended(one, [SOLVED, STUCK, ONE_WRONG, OTHER_WRONG], solved_at=solved_at), failed(one, [9]))
    (verdict,) = check(data, [one], event=event, below=1)
    assert verdict.observed == share(count, 5)


def test_a_share_of_nothing_is_between_no_bounds(trial, table, check, refused):
    """Where every training was refused nothing is known of the share."""
    (verdict,) = check(table(refused(trial(), range(3))), [trial()], event={"solved": True}, between=[0, 1])
    assert (verdict.observed, verdict.verdict) == (NO_DATA, UNDECIDED)


def test_trainings_that_were_refused_are_in_no_share(trial, ended, table, check, refused):
    """A backend's refusal is no failure to learn."""
    data = table(ended(trial(), [SOLVED] * 183), refused(trial(hidden=8), range(183)))
    (verdict,) = check(data, [trial(), trial(hidden=8)], event={"solved": True}, always=True)
    assert (verdict.observed, verdict.verdict) == (share(183, 183), HOLDS)


@pytest.mark.parametrize("bound", [{"never": True}, {"always": True}, {"below": 1}, {"above": 0}])
def test_a_share_of_nothing_is_undecided(trial, table, bound, check, refused):
    """Where every training was refused, nothing is always so, and nothing never."""
    (verdict,) = check(table(refused(trial(), range(3))), [trial()], event={"solved": True}, **bound)
    assert (verdict.observed, verdict.verdict) == (NO_DATA, UNDECIDED)


def test_a_share_is_over_the_trials_of_its_claim(trial, ended, table, check):
    """Trainings of other trials do not matter."""
    data = table(ended(trial(), [SOLVED] * 183), ended(trial(hidden=8), [STUCK] * 183))
    assert check(data, [trial()], event={"solved": True}, always=True)[0].holds


@pytest.mark.parametrize("size", [3, 40, 100, 200])
def test_what_never_happened_is_not_above_zero(trial, ended, table, check, size):
    """A claim that some seeds do it needs one that does; that none ever will, no number of seeds can show."""
    (verdict,) = check(table(ended(trial(), [STUCK] * size)), [trial()], event={"solved": True}, above=0.0)
    assert (verdict.verdict, verdict.seeds) == (UNDECIDED, None)


@pytest.mark.parametrize("size", [3, 40, 100, 200])
def test_what_always_happened_is_not_below_one(trial, ended, table, check, size):
    """A claim that some seeds do not needs one that does not; that all always will, no number of seeds can show."""
    (verdict,) = check(table(ended(trial(), [SOLVED] * size)), [trial()], event={"solved": True}, below=1.0)
    assert (verdict.verdict, verdict.seeds) == (UNDECIDED, None)


@pytest.mark.parametrize(
    ("bound", "expected"), [({"above": 0.005}, "> 0.5%"), ({"below": 0.005}, "< 0.5%"), ({"above": 0.29}, "> 29%")]
)
def test_a_bound_below_one_percent_is_written_as_it_is(trial, ended, table, check, bound, expected):
    """0.5 % is not 0 %."""
    (verdict,) = check(table(ended(trial(), [STUCK])), [trial()], event={"solved": True}, **bound)
    assert verdict.expected == expected


# ------------------------------------------------------------------ what depends on the seed


def test_something_varies_where_two_values_were_seen(trial, ended, table, check):
    """Every value is listed with its share; one seed that ends otherwise is enough."""
    data = table(ended(trial(), [ONE_WRONG] * 3 + [OTHER_WRONG] + [SOLVED]))
    (verdict,) = check(data, [trial()], varies="wrong_observation")
    assert verdict.observed == f"observation 3: {share(3, 4)}; observation 2: {share(1, 4)}"
    assert verdict.verdict == HOLDS
    (verdict,) = check(table(ended(trial(), [STUCK] * 399 + [SOLVED])), [trial()], varies="outcome")
    assert verdict.verdict == HOLDS


@pytest.mark.parametrize(
    ("varies", "value"), [("outcome", "stuck"), ("pattern", "0 1 0 0"), ("wrong_observation", "observation 3")]
)
def test_what_is_the_same_for_all_seeds_does_not_vary(trial, ended, table, varies, value, check):
    """After 182 seeds with one value another may still come in 2 of 100, after 183 not; that is no variety."""
    for size, decided in ((182, UNDECIDED), (183, REFUTED)):
        (verdict,) = check(table(ended(trial(), [ONE_WRONG] * size)), [trial()], varies=varies)
        assert (verdict.observed, verdict.verdict) == (f"{value}: {share(size, size)}", decided)


def test_nothing_varies_without_a_training(trial, ended, table, check):
    """Where no training has a value there is none that could differ."""
    (verdict,) = check(table(ended(trial(), [SOLVED] * 3)), [trial()], varies="wrong_observation")
    assert (verdict.observed, verdict.verdict) == (NO_DATA, UNDECIDED)


@pytest.mark.parametrize("size", [1, 10, 13, 25, 100])
def test_one_value_for_any_number_of_seeds_does_not_vary(trial, ended, table, check, size):
    """However many seeds there are, rounding makes no variety of them."""
    assert check(table(ended(trial(), [STUCK] * size)), [trial()], varies="outcome")[0].verdict == UNDECIDED


def test_refused_trainings_are_no_variety(trial, ended, table, check, refused):
    """A backend's refusal does not depend on the seed."""
    one, other = trial(), trial(hidden=8)
    (verdict,) = check(table(ended(one, [STUCK] * 5), refused(other, (0, 1))), [one, other], varies="outcome")
    assert (verdict.observed, verdict.verdict) == (f"stuck: {share(5, 5)}", UNDECIDED)


# ------------------------------------------------------------------ comparisons


def errors(*wanted):
    """Return predictions of XOR that have these errors in every observation."""
    return [[error, 1 - error, 1 - error, error] for error in wanted]


def test_what_is_higher_on_most_seeds_is_above(sides, ended, table, compared):
    """Thirty of forty seeds are most of them; the other way round that is refuted."""
    data = table(ended(sides[0], errors(*[0.4] * 30, *[0.2] * 10)), ended(sides[1], errors(*[0.3] * 40)))
    above, below = (compared(data, **{"is": which}) for which in ("above", "below"))
    assert above.expected == "above for most seeds (> 50%)"
    assert above.observed == f"{won(30, 10)} medians 0.16 and 0.09"
    assert below.observed == f"{won(10, 30)} medians 0.16 and 0.09"
    assert (above.verdict, below.verdict) == (HOLDS, REFUTED)


def test_a_small_majority_is_not_surely_one(sides, ended, table, compared):
    """Twenty-two of forty seeds could be chance, in either direction."""
    data = table(ended(sides[0], errors(*[0.4] * 22, *[0.2] * 18)), ended(sides[1], errors(*[0.3] * 40)))
    assert [compared(data, **{"is": which}).verdict for which in ("above", "below")] == [UNDECIDED] * 2


@pytest.mark.untraced
def test_most_seeds_are_what_the_sign_test_says(sides, ended, table, compared):
    """It holds, or is refuted, exactly where SciPy's binomial test of one half has a one-sided p below 2.5 %."""
    for differing in (5, 6, 9, 12):
        for wins in range(differing + 1):
            ends = errors(*[0.4] * wins, *[0.2] * (differing - wins))
            found = compared(table(ended(sides[0], ends), ended(sides[1], errors(*[0.3] * differing))))
            p_more, p_less = (binomtest(wins, differing, alternative=side).pvalue for side in ("greater", "less"))
            assert found.verdict == (HOLDS if p_more < 0.025 else REFUTED if p_less < 0.025 else UNDECIDED)


def test_ties_speak_for_neither_side(sides, ended, table, compared):
    """Of twenty seeds won and twenty tied all that differ were won; the ties are told."""
    data = table(ended(sides[0], errors(*[0.4] * 20, *[0.3] * 20)), ended(sides[1], errors(*[0.3] * 40)))
    above, below = (compared(data, **{"is": which}) for which in ("above", "below"))
    assert above.observed.startswith(won(20, 0, 20))
    assert below.observed.startswith(won(0, 20, 20))
    assert (above.verdict, below.verdict) == (HOLDS, REFUTED)


def test_a_win_among_ties_is_no_majority(sides, ended, table, compared):
    """One seed that differs may be either; by hand, its exact interval begins at 2.5 %."""
    data = table(ended(sides[0], errors(0.4, *[0.3] * 39)), ended(sides[1], errors(*[0.3] * 40)))
    assert compared(data).observed.startswith("100.0% [2.5%, 100.0%], 1 of 1 seeds (39 more tie);")
    assert compared(data).verdict == UNDECIDED


def test_what_is_equal_is_neither_above_nor_below(sides, ended, table, compared):
    """A selection that is compared with its like differs from it on no seed; more would not help."""
    data = table(*(ended(one, errors(*[0.3] * 40)) for one in sides))
    for which in ("above", "below"):
        found = compared(data, **{"is": which})
        assert found.observed.startswith("none, 0 of 0 seeds (40 more tie);")
        assert (found.verdict, found.seeds) == (UNDECIDED, None)


def test_comparisons_are_seed_by_seed(sides, ended, table, compared):
    """A small difference on every seed shows, however much the seeds differ among themselves."""
    spread = np.linspace(0.01, 0.4, 20)
    data = table(ended(sides[0], errors(*spread + 0.001)), ended(sides[1], errors(*spread)))
    assert compared(data).observed.startswith(won(20, 0))


def test_only_seeds_that_both_have_are_compared(sides, ended, table, compared):
    """A seed of one side alone is in no pair."""
    data = table(ended(sides[0], errors(*[0.4] * 10)), ended(sides[1], errors(*[0.3] * 10), seeds=range(4, 14)))
    assert compared(data).observed.startswith(won(6, 0))


def test_several_trials_of_a_side_are_their_median_for_each_seed(trial, ended, table, check):
    """A selection of three trials counts every seed once."""
    first = [trial(hidden=size) for size in (2, 3, 4)]
    other = trial(hidden=8)
    records = [ended(one, errors(*[error] * 10)) for one, error in zip(first, (0.1, 0.3, 0.5), strict=True)]
    data = table(*records, ended(other, errors(*[0.2] * 10)))
    (verdict,) = check(data, first, [other], than={}, measure="final_mse", **{"is": "above"})
    assert verdict.observed == f"{won(10, 0)} medians 0.09 and 0.04"


@pytest.mark.parametrize("name", ["final_mse", "final_loss", "max_abs_error", "halfway_at", "solved_at"])
def test_diverged_trainings_are_the_worst_of_a_comparison(sides, ended, table, name, compared):
    """A side that blows up on most seeds and is good on the others is worse, not better."""
    falling = np.linspace(0.5, 0.05, 10)
    broken = ended(
        sides[0],
        [DIVERGED] * 30 + errors(*[0.01] * 10),
        loss=[[0.5, *[NAN] * 9]] * 30 + [falling] * 10,
        solved_at=[NEVER] * 30 + [3] * 10,
    )
    steady = ended(sides[1], errors(*[0.05] * 40), loss=[falling] * 40, solved_at=50)
    data = table(broken, steady)
    above, below = (compared(data, measure=name, **{"is": which}) for which in ("above", "below"))
    assert above.observed.startswith(won(30, 0, 10) if name == "halfway_at" else won(30, 10))
    assert (above.verdict, below.verdict) == (HOLDS, REFUTED)


def test_two_sides_that_both_diverge_are_tied(sides, ended, table, compared):
    """Nothing is worse than the worst."""
    data = table(*(ended(one, [DIVERGED] * 40) for one in sides))
    assert compared(data).observed.startswith("none, 0 of 0 seeds (40 more tie); medians inf and inf")


def test_what_never_happened_took_longest(sides, ended, table, compared):
    """A seed that never solves is above any that does."""
    data = table(ended(sides[0], [STUCK] * 20, solved_at=NEVER), ended(sides[1], [SOLVED] * 20, solved_at=99))
    verdict = compared(data, measure="solved_at")
    assert verdict.observed == f"{won(20, 0)} medians inf and 99"
    assert verdict.holds


def test_what_was_solved_once_and_left_again_took_longest(sides, ended, table, check, compared):
    """However early it was there it is no solution; what the last update solved took all of the budget."""
    left = ended(sides[0], [STUCK] * 20, solved_at=5)
    data = table(left, ended(sides[1], [SOLVED] * 20, solved_at=[99] * 19 + [NEVER]))
    verdict = compared(data, measure="solved_at")
    assert (verdict.observed, verdict.holds) == (f"{won(20, 0)} medians inf and 99", True)
    assert measure(data, "solved_at").tolist() == [np.inf] * 20 + [99] * 19 + [100]
    (below,) = check(data, sides[:1], seed=0, of="solved_at", below=50)
    assert (below.observed, below.holds) == ("inf", False)


def test_failed_trainings_are_the_worst_of_a_comparison(sides, ended, table, compared, failed):
    """A crash is not a way to win."""
    data = table(failed(sides[0], range(20)), ended(sides[1], errors(*[0.4] * 20)))
    assert [compared(data, **{"is": which}).verdict for which in ("above", "below")] == [HOLDS, REFUTED]


@pytest.mark.parametrize("name", ["final_mse", "solved_at", "iteration_us", "wrong"])
def test_trainings_that_were_refused_are_not_compared(sides, ended, table, name, compared, refused):
    """A side that no backend trained is neither better nor worse."""
    data = table(refused(sides[0], range(20)), ended(sides[1], [STUCK] * 20))
    verdict = compared(data, measure=name)
    assert (verdict.observed, verdict.verdict) == (NO_DATA, UNDECIDED)


def test_times_can_be_compared(sides, ended, table, compared):
    """Which of two is faster is a comparison like any other."""
    data = table(ended(sides[0], [STUCK] * 20, us=3, alone=True), ended(sides[1], [STUCK] * 20, us=2000, alone=True))
    verdict = compared(data, measure="iteration_us", **{"is": "below"})
    assert verdict.observed == f"{won(20, 0)} medians 3 and 2,000"
    assert verdict.holds


def test_how_many_are_wrong_can_be_compared(sides, ended, table, compared):
    """What is derived from the predictions is a measure too."""
    data = table(ended(sides[0], [ONE_WRONG] * 20), ended(sides[1], [SOLVED] * 20))
    assert compared(data, measure="wrong").holds


@pytest.mark.parametrize("name", ["wrong", "final_mse", "max_abs_error"])
def test_trainings_whose_weights_overflowed_are_the_worst_of_a_comparison(sides, ended, table, compared, name):
    """Infinite weights can still predict finite numbers; the training diverged all the same."""
    data = table(ended(sides[0], [[0.0] * 4] * 20, weights=np.inf), ended(sides[1], [[1.0] * 4] * 20))
    assert set(data[c.OUTCOME][:20]) == {"diverged"}
    assert compared(data, measure=name).holds


def test_a_broken_training_is_the_worst_by_its_wrong_observations(sides, ended, table, failed, compared):
    """Whether it failed or diverged, it is worse than one that gets everything wrong."""
    other = ended(sides[1], [[1, 0, 0, 1]] * 20)
    for broken in (failed(sides[0], range(20)), ended(sides[0], [DIVERGED] * 20)):
        assert compared(table(broken, other), measure="wrong").holds


def test_times_taken_beside_other_work_are_not_compared(sides, ended, table, compared):
    """Only seeds that were trained alone on both sides are in a pair."""
    data = table(
        ended(sides[0], [STUCK] * 20, us=1, alone=True),
        ended(sides[1], [STUCK] * 5, us=2, alone=True),
        ended(sides[1], [STUCK] * 15, us=0.5, seeds=range(5, 20)),
    )
    verdict = compared(data, measure="iteration_us", **{"is": "below"})
    assert verdict.observed == f"{won(5, 0)} medians 1 and 2"


def test_half_of_the_fall_of_a_curve_that_was_not_kept_is_unknown(sides, ended, table, compared):
    """Beyond the first seeds of a trial there is no curve; the comparison is over those that have one."""
    loss = [np.linspace(1, 0, 10)] * 3
    data = table(*(ended(one, [SOLVED] * 3, loss=loss) for one in sides), lists_to=1)
    found = compared(data, measure="halfway_at", **{"is": "below"})
    assert found.observed.startswith("none, 0 of 0 seeds (2 more tie);")


def test_a_stopped_training_is_halfway_no_later_than_it_stopped(trial, ended, table):
    """A fall that no recorded iteration shows was done where the training ended."""
    loss = [[0.3, *[NAN] * 9]]
    data = table(ended(trial(stop="solved"), [SOLVED], loss=loss, iterations=5, solved_at=5))
    assert measure(data, "halfway_at").tolist() == [5]


def test_half_of_the_fall_is_measured_on_each_curve(trial, ended, table):
    """Three curves that fall early, late and never."""
    loss = [[1, 0.1, *[0.1] * 8], [*[1] * 8, 0.1, 0.1], [0.25] * 10]
    data = table(ended(trial(), errors(0.1, 0.1, 0.5), loss=loss))
    assert measure(data, "halfway_at").tolist() == [10, 80, np.inf]


def test_the_order_of_the_trainings_never_matters(sides, ended, table, check):
    """Verdicts are the same however the rows arrive."""
    data = table(ended(sides[0], errors(*np.linspace(0, 0.5, 30))), ended(sides[1], errors(*np.linspace(0.5, 0.1, 30))))
    shuffled = data.sample(frac=1, random_state=1)
    claims = [
        {"event": {"correct": True}, "above": 0.1},
        {"varies": "pattern"},
        {"seed": 3, "of": "final_mse", "below": 0.1},
        {"than": {}, "measure": "final_mse", "is": "below"},
        {"than": {}, "event": {"correct": True}, "within": 0.05},
    ]
    for claim in claims:
        assert check(shuffled, sides[:1], sides[1:], **claim) == check(data, sides[:1], sides[1:], **claim)

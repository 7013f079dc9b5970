import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t
from statsmodels.formula.api import mixedlm, ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.proportion import proportion_confint

from bench.metrics import columns as c
from bench.metrics.measures import LOG_MSE, SOLVED_SHARE, measured
from bench.model.outcome import Result
from bench.stats.sensitivity import (
    FEWEST,
    HIGH,
    IMPORTANCE,
    LOW,
    MEAN,
    MEASURE,
    PARAMETER,
    R2,
    SEED_ALONE,
    SEED_LUCK,
    SHARE,
    TERM,
    TOTAL,
    TOTAL_HIGH,
    TOTAL_LOW,
    VALUE,
    P,
    is_balanced,
    main_effects,
    permutation_importances,
    variance_shares,
)

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
LOSSES, HIDDENS, RATES = ("bce", "l1", "mse"), (2, 4), (0.1, 1.0)
ACTIVATIONS = ("relu", "tanh")


def made(values, **levels):
    """Return the trainings of a full grid whose log10 of the error is given, ``[*levels, seeds]``."""
    cells = np.asarray(values, dtype=np.float64)
    cells = cells.reshape(-1, cells.shape[-1])
    trials = pd.DataFrame(list(itertools.product(*levels.values())), columns=list(levels))
    trials.insert(0, c.TRIAL_ID, [f"t{place}" for place in range(len(trials))])
    data = trials.loc[trials.index.repeat(cells.shape[1])].reset_index(drop=True)
    data = data.assign(**{c.SEED: np.tile(np.arange(cells.shape[1]), len(cells)), "y": cells.ravel()})
    solved = data["y"] < -4
    return data.assign(
        **{
            c.GATE: "xor",
            c.FINAL_MSE: 10.0 ** data["y"],
            c.SOLVED: solved,
            c.OUTCOME: np.where(solved, "solved", "stuck"),
            c.SOLVED_AT: pd.array(np.where(solved, 50, 0), dtype="Int64"),
            c.ITERATIONS: 100,
        }
    )


def shares_of(data, names, measure=LOG_MSE):
    return variance_shares(data, names, measure).set_index(TERM)


ERRORS = st.lists(st.floats(-11, -1), min_size=24, max_size=24).map(lambda some: np.reshape(some, (3, 2, 4)))


# ------------------------------------------------------------------ shares


def test_shares_of_a_table_of_two_by_two_worked_by_hand():
    """Losses part by 2, hidden by 1, and seeds by 1: squares 1, 1/4 and 1/4 of 3/2, and nothing is left."""
    values = np.array([[[-1, -2], [-2, -3]], [[-3, -4], [-4, -5]]])
    shares = shares_of(made(values, loss=("l1", "mse"), hidden=(2, 4)), ["loss", "hidden"])[SHARE]
    assert shares.to_dict() == pytest.approx(
        {"loss": 1 / 1.5, "hidden": 0.25 / 1.5, "loss × hidden": 0, SEED_ALONE: 0.25 / 1.5, SEED_LUCK: 0}, abs=1e-12
    )


def test_shares_are_those_of_statsmodels():
    """On balanced data its sums of squares of type I divide the total in the same way, but for the seed."""
    rng = np.random.default_rng(3)
    data = made(-5 + rng.normal(size=(3, 2, 2, 5)), loss=LOSSES, activation=ACTIVATIONS, learning_rate=RATES)
    squares = anova_lm(ols("y ~ C(loss) * C(activation) * C(learning_rate) + C(seed)", data).fit(), typ=1)["sum_sq"]
    shares = shares_of(data, ["loss", "activation", "learning_rate"])[SHARE] * squares.sum()
    expected = {
        "loss": squares["C(loss)"],
        "activation": squares["C(activation)"],
        "loss × activation": squares["C(loss):C(activation)"],
        "activation × learning_rate": squares["C(activation):C(learning_rate)"],
        "higher interactions": squares["C(loss):C(activation):C(learning_rate)"],
    }
    assert shares[list(expected)].to_dict() == pytest.approx(expected)
    assert shares[[SEED_ALONE, SEED_LUCK]].sum() == pytest.approx(squares["C(seed)"] + squares["Residual"])


def test_total_shares_are_what_is_left_when_all_else_is_known():
    """Sobol's total index: one less the variance of the means over a factor, for every setting of all others."""
    rng = np.random.default_rng(4)
    names = ["loss", "activation", "learning_rate"]
    data = made(-5 + rng.normal(size=(3, 2, 2, 5)), loss=LOSSES, activation=ACTIVATIONS, learning_rate=RATES)
    found = shares_of(data, names)
    for name in (*names, c.SEED):
        others = [other for other in (*names, c.SEED) if other != name]
        means = data.groupby(others)["y"].mean()
        assert found.loc[name, TOTAL] == pytest.approx(1 - means.var(ddof=0) / data["y"].var(ddof=0))
        assert found.loc[name, TOTAL_LOW] <= found.loc[name, TOTAL] <= found.loc[name, TOTAL_HIGH]
    assert found.drop(index=[*names, SEED_ALONE])[TOTAL].isna().all()


@pytest.mark.untraced
def test_the_seeds_own_share_is_the_variance_component_of_statsmodels():
    """Its mixed model with a random intercept by seed, fitted by REML, estimates the same where it is not 0."""
    rng = np.random.default_rng(3)
    seed = rng.normal(size=30)
    data = made(-5 + seed + 0.7 * rng.normal(size=(3, 2, 30)), loss=LOSSES, activation=ACTIVATIONS)
    fitted = mixedlm("y ~ C(loss) * C(activation)", data, groups=data[c.SEED]).fit(reml=True)
    own, luck = (shares_of(data, ["loss", "activation"]).loc[name, SHARE] for name in (SEED_ALONE, SEED_LUCK))
    assert own / luck == pytest.approx(fitted.cov_re.iloc[0, 0] / fitted.scale, rel=1e-3)
    assert shares_of(data, ["loss", "activation"]).loc[SEED_ALONE, P] == 1 / 200  # beyond all 199 shuffles


@pytest.mark.untraced
@pytest.mark.slow
def test_luck_that_trials_do_not_share_is_not_the_seeds_own():
    """The mean over 100 sweeps is near 0, and few are beyond chance."""
    rng = np.random.default_rng(5)
    found = [
        shares_of(made(-5 + rng.normal(size=(3, 2, 12)), loss=LOSSES, activation=ACTIVATIONS), ["loss", "activation"])
        for _ in range(100)
    ]
    assert np.mean([one.loc[SEED_ALONE, SHARE] for one in found]) < 0.04  # uncorrected it is a sixth
    assert np.mean([one.loc[SEED_ALONE, P] <= 0.05 for one in found]) <= 0.12


def test_where_no_two_trials_share_their_starts_the_seed_has_no_share_of_its_own():
    """The same seed draws other weights for another number of neurons."""
    shares = shares_of(made([[-1.0, -9, -3], [-2, -8, -3]], hidden=HIDDENS), ["hidden"])
    assert shares.loc[SEED_ALONE, [SHARE, LOW, HIGH, P]].isna().all()
    assert shares.loc[SEED_LUCK, SHARE] + shares.loc["hidden", SHARE] == pytest.approx(1)


@given(ERRORS)
def test_shares_add_up_and_none_is_negative(values):
    """Every training's spread is somewhere, and every interval is within 0 and 1 and holds its share."""
    data = made(values, loss=LOSSES, hidden=HIDDENS)
    for measure in (LOG_MSE, c.SOLVED):
        shares = shares_of(data, ["loss", "hidden"], measure)
        if len(shares):
            assert shares[SHARE].sum() == pytest.approx(1, abs=1e-12)
        assert ((shares[LOW] >= 0) & (shares[LOW] <= shares[SHARE])).all()
        assert ((shares[HIGH] <= 1) & (shares[HIGH] >= shares[SHARE])).all()


@given(ERRORS, st.randoms())
def test_the_order_of_the_trainings_never_matters_to_what_matters(values, random):
    """Trainings arrive in any order from their workers, intervals included; text may be categorical."""
    data = made(values, loss=LOSSES, hidden=HIDDENS)
    shuffled = data.iloc[random.sample(range(len(data)), len(data))]
    shuffled = shuffled.astype(dict.fromkeys([c.TRIAL_ID, "loss", c.OUTCOME], "category"))
    pd.testing.assert_frame_equal(shares_of(data, ["loss", "hidden"]), shares_of(shuffled, ["loss", "hidden"]))
    effects = [main_effects(some, ["loss"]) for some in (data, shuffled)]
    pd.testing.assert_frame_equal(*effects)


def test_where_all_trainings_are_the_same_nothing_has_a_share():
    """No spread, no shares of it; and no warning."""
    assert shares_of(made(np.full((3, 2, 4), -1.3), loss=LOSSES, hidden=HIDDENS), ["loss", "hidden"]).empty


def test_one_seed_has_no_interval():
    """A grid with one seed still divides among its parameters."""
    shares = shares_of(made(np.arange(-6, 0).reshape(3, 2, 1), loss=LOSSES, hidden=HIDDENS), ["loss", "hidden"])
    assert shares[SHARE].sum() == pytest.approx(1)
    assert shares[[LOW, HIGH]].isna().all(axis=None)


def test_what_diverged_or_failed_has_the_worst_error(trial, ended, failed, table):
    """A squared error of 1 is the worst that outputs between 0 and 1 can have; errors of none count as 1e-12."""
    data = table(ended(trial(), [DIVERGED, STUCK, SOLVED]), failed(trial(), [3]))
    assert measured(data, LOG_MSE) == pytest.approx([0, np.log10(0.25), -12, 0])


def test_a_grid_with_a_gap_is_not_balanced(trial, ended, refused, table):
    """Nor one with a seed too few, one refused in part, or one whose trials the named parameters do not tell apart."""
    grid = [ended(trial(hidden=hidden, loss=loss), [SOLVED, STUCK]) for hidden in (2, 3) for loss in ("mse", "l1")]
    names = [c.HIDDEN, c.LOSS]
    assert is_balanced(table(*grid), names)
    assert not is_balanced(table(*grid[:3]), names)
    assert not is_balanced(table(*grid[:3], ended(trial(hidden=3, loss="l1"), [STUCK])), names)
    assert not is_balanced(table(*grid[:3], refused(trial(hidden=3, loss="l1"), [0, 1])), names)
    assert not is_balanced(table(*grid), [c.HIDDEN])
    assert not is_balanced(table(), names)
    with pytest.raises(ValueError, match="no full grid of hidden, loss"):
        variance_shares(table(*grid[:3]), names, LOG_MSE)
    assert variance_shares(table(), names, LOG_MSE).empty


def test_an_unknown_measure_is_refused_with_the_known_ones(trial, ended, table):
    """What, got, allowed."""
    with pytest.raises(ValueError, match="'mse' is not known; choose from log10 final_mse, solved"):
        measured(table(ended(trial(), [SOLVED])), "mse")


# ------------------------------------------------------------------ means


def test_a_main_effect_is_the_solved_rate_over_everything_else():
    """Values stand in order, hidden layers by how many and how large.

    Of one trial each, intervals are exact; for all three to hold at once, each holds in 1 - 0.05 / 3.
    """
    values = np.array([[-6, -6, -6, -2], [-6, -2, -6, -2], [-2, -2, -2, -2]])
    effects = main_effects(made(values, hidden=("10", "4-4", "9")), ["hidden"])
    assert effects[VALUE].to_list() == ["9", "10", "4-4"]
    assert effects[MEAN].to_list() == [0, 0.75, 0.5]
    assert effects[["trainings", "trials"]].to_numpy().tolist() == [[4, 1]] * 3
    exact = [binomtest(count, 4).proportion_ci(1 - 0.05 / 3, method="exact") for count in (0, 3, 2)]
    assert effects[LOW].to_list() == pytest.approx([ends.low for ends in exact])
    assert effects[HIGH].to_list() == pytest.approx([ends.high for ends in exact])


@pytest.mark.parametrize(("names", "values"), [(["loss"], 2), (["loss", "hidden"], 8)])
def test_the_interval_of_a_main_effect_is_over_the_seeds_that_trials_share(names, values):
    """Twenty seeds; of the first loss's six trials half of the seeds solve three and half none: a quarter of 120.

    They are worth 0.1875 / (20 2.25 20/19 / 120²) = 57 trainings, times (z / t)² of 19 degrees of freedom. The other's
    six trials all do the same, and are worth one. Each interval errs in 5 %, divided by how many values there are.
    """
    first = np.full((6, 20), -2.0)
    first[:3, :10] = -6
    other = np.tile(np.where(np.arange(20) < 5, -6.0, -2.0), (6, 1))
    data = made(np.stack([first, other]), loss=("l1", "mse"), hidden=(2, 3, 4, 5, 6, 7))
    effects = main_effects(data, names).head(2)
    assert effects[[VALUE, MEAN, "trainings", "trials"]].to_numpy().tolist() == [
        ["l1", 0.25, 120, 6],
        ["mse", 0.25, 120, 6],
    ]
    tail = 1 - 0.025 / values
    worth = 0.1875 / (20 * 2.25 * 20 / 19 / 120**2) * (norm.ppf(tail) / t.ppf(tail, 19)) ** 2
    for place, size in enumerate((worth, 20)):
        expected = proportion_confint(0.25 * size, size, alpha=0.05 / values, method="beta")
        assert effects[[LOW, HIGH]].to_numpy()[place] == pytest.approx(expected)


def test_means_of_an_unbalanced_sweep_are_over_the_trainings_there_are(trial, ended, refused, table):
    """Refused trainings count nowhere; one seed that solved has the exact interval; nothing at all gives no rows."""
    data = table(
        ended(trial(loss="l1"), [SOLVED, STUCK, STUCK]), ended(trial(), [SOLVED]), refused(trial(loss="bce"), [0])
    )
    effects = main_effects(data, [c.LOSS])
    assert effects[[VALUE, MEAN]].to_numpy().tolist() == [["l1", 1 / 3], ["mse", 1.0]]
    assert effects[[LOW, HIGH]].to_numpy()[1] == pytest.approx(
        [0.025 / 2, 1]
    )  # Clopper & Pearson, 1 of 1, one of two values
    assert main_effects(table(), [c.LOSS]).empty


# ------------------------------------------------------------------ what a forest needs


def searched(count, rng):
    """Return a sweep whose trials have parameters at random, of which the learning rate alone matters."""
    rates = rng.uniform(0.1, 1, count)
    data = made(-9 * rates[:, None] + rng.normal(0, 0.2, (count, 3)), learning_rate=rates)
    first = data.groupby(c.TRIAL_ID, sort=False).ngroup().to_numpy()
    return data.assign(loss=rng.choice(LOSSES, count)[first], hidden=rng.choice(["2", "4-4", "8"], count)[first])


@pytest.mark.untraced
@pytest.mark.parametrize("count", [40, 500])
def test_the_forest_finds_the_parameter_that_matters(count):
    """The learning rate explains nearly all, loss and layers nothing; unsolved trainings count at the budget."""
    data = searched(count, np.random.default_rng(0))
    table = permutation_importances(data, ["hidden", "learning_rate", "loss"], 0).set_index([MEASURE, PARAMETER])
    for measure in (LOG_MSE, SOLVED_SHARE):
        found = table.loc[measure]
        assert found[R2].iloc[0] > 0.8
        assert found.loc["learning_rate", LOW] > 0.5
        assert (found.loc[["hidden", "loss"], IMPORTANCE].abs() < 0.05).all()


@pytest.mark.untraced
def test_a_forest_that_explains_nothing_says_so():
    """Of noise nothing can be predicted out of bag."""
    rng = np.random.default_rng(1)
    data = searched(100, rng)
    data[c.FINAL_MSE] = 10 ** rng.uniform(-6, -1, len(data))
    assert (
        permutation_importances(data, ["hidden", "learning_rate"], 0).set_index(MEASURE).loc[LOG_MSE, R2] < 0.1
    ).all()


@pytest.mark.untraced
def test_the_order_of_the_trainings_never_matters_to_importances():
    """The same forest grows from the same trials."""
    data = searched(20, np.random.default_rng(2))
    names = ["hidden", "learning_rate", "loss"]
    pd.testing.assert_frame_equal(
        permutation_importances(data, names, 5), permutation_importances(data.sample(frac=1, random_state=1), names, 5)
    )


def test_few_trials_have_no_importances():
    """Nor do trials that all came out the same."""
    names = ["learning_rate"]
    assert permutation_importances(searched(FEWEST - 1, np.random.default_rng(0)), names, 0).empty
    same = searched(20, np.random.default_rng(0)).assign(**{c.OUTCOME: str(Result.DIVERGED), c.SOLVED: False})
    assert permutation_importances(same, names, 0).empty
    assert permutation_importances(same.iloc[:0], names, 0).empty


# ------------------------------------------------------------------ coverage

REPEATED = 1_000


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [60, 200])
def test_intervals_of_shares_cover_the_truth(seeds):
    """Over 1,000 sweeps with known effects, of seeds and of luck: in 93 to 97 %.

    With 30 seeds the seed's own share is at the lower end: 93.3 % of 4,000 sweeps, too near for a thousand to tell.
    """
    rng = np.random.default_rng(4)
    loss, hidden, seed_sd, luck_sd = np.array([-1.0, 0.0, 1.0]), np.array([-0.3, 0.3]), 0.5, 1.0
    truth = {"loss": (loss**2).mean(), "hidden": (hidden**2).mean()}
    truth |= {SEED_ALONE: seed_sd**2, SEED_LUCK: luck_sd**2}
    total, hits = sum(truth.values()), dict.fromkeys(truth, 0)
    for _ in range(REPEATED):
        values = -6 + loss[:, None, None] + hidden[:, None] + rng.normal(0, seed_sd, seeds)
        data = made(values + rng.normal(0, luck_sd, (3, 2, seeds)), loss=LOSSES, hidden=HIDDENS)
        shares = variance_shares(data, ["loss", "hidden"], LOG_MSE).set_index(TERM)
        for name, part in truth.items():
            hits[name] += shares.loc[name, LOW] <= part / total <= shares.loc[name, HIGH]
    covered = {name: count / REPEATED for name, count in hits.items()}
    assert all(0.93 <= share <= 0.97 for share in covered.values()), covered

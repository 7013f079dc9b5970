import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.metrics import columns as c
from bench.model.outcome import Record, Result
from bench.stats.curves import (
    ITERATION,
    QUANTILES,
    curve_matrix,
    curve_quantiles,
    halfway_iterations,
    inverted_cdf,
    recorded,
)

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
NAN, INF = np.nan, np.inf
CURVES = st.integers(1, 30).flatmap(lambda size: arrays(np.float64, (size, 10), elements=st.floats(0, 100)))


# ------------------------------------------------------------------ quantiles


@given(arrays(np.float64, (20, 10), elements=st.floats(0, 100)))
def test_quantiles_are_losses_of_single_trainings(trial, ended, table, curves):
    """Of twenty seeds they are the 1st, 5th, 10th, 15th and 19th, at every recorded iteration."""
    quantiles = curve_quantiles(table(ended(trial(), [STUCK] * 20, loss=curves)))
    assert quantiles[list(QUANTILES)].to_numpy().T.tolist() == np.sort(curves, axis=0)[[0, 4, 9, 14, 18]].tolist()


@given(CURVES)
def test_quantiles_lie_where_numpy_says(trial, ended, table, curves):
    """Each is one of the losses, between the two that are nearest to NumPy's interpolated quantile."""
    quantiles = curve_quantiles(table(ended(trial(), [STUCK] * len(curves), loss=curves)))
    found = quantiles[list(QUANTILES)].to_numpy().T
    assert all(np.isin(found[:, place], curves[:, place]).all() for place in range(10))
    assert (found >= np.quantile(curves, QUANTILES, axis=0, method="lower")).all()
    assert (found <= np.quantile(curves, QUANTILES, axis=0, method="higher")).all()


@pytest.mark.parametrize("size", [1, 3, 5, 9, 21])
def test_the_median_of_an_odd_number_of_curves_is_the_middle_one(trial, ended, table, size):
    """As many seeds are below it as above."""
    loss = np.repeat(np.arange(size)[:, None], 10, axis=1)
    assert (curve_quantiles(table(ended(trial(), [STUCK] * size, loss=loss)))[0.5] == size // 2).all()


@given(CURVES, st.randoms())
def test_the_order_of_the_trainings_never_matters(trial, ended, table, curves, random):
    """Quantiles are over the seeds, whatever order they come in."""
    data = table(ended(trial(), [STUCK] * len(curves), loss=curves))
    shuffled = data.iloc[random.sample(range(len(data)), len(data))]
    assert curve_quantiles(shuffled).equals(curve_quantiles(data))


def test_quantiles_have_a_row_for_every_recorded_iteration(trial, ended, table):
    """The rows are the iterations before whose update the loss was measured."""
    quantiles = curve_quantiles(table(ended(trial(), [STUCK] * 3)))
    assert quantiles[ITERATION].tolist() == list(range(0, 100, 10))
    assert list(quantiles.columns) == [ITERATION, 0.05, 0.25, 0.5, 0.75, 0.95]


def test_a_single_training_is_all_of_its_quantiles(trial, trained, table):
    """With one seed there is no spread."""
    data = table(trained(trial(), [3]))
    quantiles = curve_quantiles(data)
    for quantile in QUANTILES:
        assert quantiles[quantile].tolist() == data[c.CURVE][0].tolist()


def test_a_diverged_training_is_infinitely_bad_from_where_it_diverged(trial, ended, table):
    """Two of three seeds that blow up take the median with them, and only from then on."""
    loss = [[3, 3, NAN, *[NAN] * 7], [2, 2, 2, NAN, *[NAN] * 6], [1] * 10]
    quantiles = curve_quantiles(table(ended(trial(), [DIVERGED, DIVERGED, STUCK], loss=loss)))
    assert quantiles[0.5].tolist() == [2, 2, 2, *[INF] * 7]
    assert quantiles[0.95].tolist() == [3, 3, *[INF] * 8]
    assert quantiles[0.05].tolist() == [1] * 10


def test_a_training_that_really_diverges_does_not_make_its_trial_look_better(trial, trained, table):
    """Weights so large that they overflow leave no finite quantile behind."""
    data = table(trained(trial(hidden="4-4", activation="relu", init_scale=1e25), range(5)))
    assert set(data[c.OUTCOME]) == {"diverged"}
    assert np.isposinf(curve_quantiles(data)[0.05].iloc[1:]).all()


def test_a_training_that_stopped_early_keeps_its_last_loss(trial, ended, table):
    """The solved do not vanish from the quantiles: those that go on would look like all."""
    loss = [[0.3, *[NAN] * 9], [0.2, 0.2, *[NAN] * 8], [0.4] * 10]
    data = table(ended(trial(stop="solved"), [SOLVED, SOLVED, STUCK], loss=loss, iterations=[5, 15, 100]))
    quantiles = curve_quantiles(data)
    last = data[c.FINAL_LOSS].min()
    assert last < 0.2
    assert quantiles[0.05].tolist() == [0.2, *[last] * 9]
    assert quantiles[0.95].tolist() == [0.4] * 10


def test_a_stopped_training_takes_no_time_from_where_it_stopped(trial, ended, table):
    """The time of an iteration that was never done is missing, not nothing."""
    one = trial(stop="solved")
    data = table(ended(one, [SOLVED, SOLVED, STUCK], iterations=[5, 5, 100], us=7))
    times = curve_quantiles(data, c.CURVE_US)
    assert (times[0.05] > 0).all()
    assert times[0.5].iloc[1:].tolist() == data[c.CURVE_US][2][1:].tolist()


def test_where_every_training_has_stopped_their_last_losses_are_left(trial, trained, table):
    """A gate that all seeds learn at once stays learned, and gives no warning."""
    data = table(trained(trial(gate="or", hidden=0, learning_rate=20, stop="solved", curve_points=2), range(4)))
    assert set(data[c.OUTCOME]) == {"solved"}
    assert curve_quantiles(data)[0.05].iloc[1] == data[c.FINAL_LOSS].min()


@pytest.mark.parametrize("result", [Result.FAILED, Result.UNSUPPORTED])
def test_trainings_without_a_curve_have_no_quantiles(trial, table, result):
    """Where nothing was trained the table is empty, and has its columns."""
    quantiles = curve_quantiles(table(Record(trial(), (0, 1), result=result, reason="no")))
    assert quantiles.empty
    assert list(quantiles.columns) == [ITERATION, *QUANTILES]


def test_a_sweep_without_trainings_has_no_quantiles(table):
    """A sweep that was interrupted at once has an empty table."""
    assert curve_quantiles(table()).empty
    assert list(curve_quantiles(table()).columns) == [ITERATION, *QUANTILES]


def test_trainings_without_a_curve_leave_the_others_quantiles_alone(trial, ended, table):
    """A failed training, or one whose curve was not kept, is no point of a curve."""
    one = trial()
    loss = [[4.0] * 10, [1.0] * 10]
    data = table(ended(one, [STUCK] * 2, loss=loss), Record(one, (2,), result=Result.FAILED, reason="no"), lists_to=0)
    assert data[c.CURVE].notna().tolist() == [True, False, False]
    assert curve_quantiles(data)[0.5].tolist() == [4.0] * 10


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 60), st.integers(1, 4)),
        elements=st.floats(allow_nan=True, allow_infinity=True),
    ),
    st.lists(st.floats(0, 1), min_size=1, max_size=6),
)
@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")  # NumPy's own, of columns without values
def test_quantiles_are_numpys_to_the_last_bit(values, quantiles):
    """The oracle is the inverted distribution function of nanquantile, with missing and infinite values."""
    oracle = np.nanquantile(values, quantiles, axis=0, method="inverted_cdf")
    assert np.array_equal(inverted_cdf(values, quantiles), oracle, equal_nan=True)


# ------------------------------------------------------------------ curves


def test_curves_are_stacked_by_training(trial, ended, table):
    """A row is a training, a column a recorded iteration."""
    loss = np.arange(20.0).reshape(2, 10)
    assert curve_matrix(table(ended(trial(), [STUCK] * 2, loss=loss))).tolist() == loss.tolist()


@pytest.mark.parametrize(("iterations", "points"), [(100, 10), (7, 3), (5, 100), (1, 1)])
def test_recorded_iterations_are_those_of_the_trial(trial, ended, table, iterations, points):
    """Analysis finds from the columns where the backend measured."""
    one = trial(iterations=iterations, curve_points=points)
    assert recorded(table(ended(one, [STUCK]))).tolist() == one.recorded_iterations.tolist()


# ------------------------------------------------------------------ half of the fall


@pytest.mark.parametrize(
    ("curve", "final", "halfway"),
    [
        ([1.0, 0.9, 0.4, 0.2], 0.0, 20),
        ([1.0, 0.5, 0.4, 0.2], 0.0, 10),
        ([1.0, 0.9, 0.8, 0.7], 0.6, 20),
        ([1.0, 0.4, 0.9, 0.2], 0.0, 10),
        ([1.0, 1.0, 1.0, 1.0], 0.0, 35),
        ([1.0, 0.9, NAN, NAN], 0.0, 35),
        ([1.0, 1.0, 1.0, 1.0], 1.0, INF),
        ([1.0, 0.9, 0.8, 0.7], 2.0, INF),
        ([1.0, 0.9, NAN, NAN], NAN, INF),
        ([1.0, 0.9, 0.8, 0.7], INF, INF),
        ([], 0.0, INF),
    ],
)
def test_half_of_the_fall_is_where_the_curve_first_gets_there(curve, final, halfway):
    """It is the first recorded iteration at or below the middle of start and end, or else where the training ended."""
    found = halfway_iterations(np.array([curve]), np.array([0, 10, 20, 30]), np.array([final]), 35)
    assert found.tolist() == [halfway]

"""The best of `consistent_xor` on its held-out seeds, against 100,000 further seeds of each.

``python -m pytest tests/calibration/test_winner.py -m slow -s`` runs the search, trains them, and prints both.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bench
from bench.metrics import columns as c
from bench.stats.proportions import HIGH, LOW, RATE, solved_rates
from bench.stats.survival import RMST, RMST_HIGH, RMST_LOW, times_to_solution
from tests.calibration.population import population_of, sampled

pytestmark = pytest.mark.slow

FIRST, SEEDS = 1_000_000, 100_000  # that no search saw
DRAWS, HELD_OUT = 500, 1_000


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The search as it is shipped."""
    store = tmp_path_factory.mktemp("search") / "mlflow.db"
    return bench.sweep("consistent_xor", tracking_uri=f"sqlite:///{store}", budget_check=False)


@pytest.fixture(scope="module")
def winners(swept):
    """Of each of its best: the trial, its held-out trainings, and when each of its population is solved."""
    trials = {planned.trial.trial_id: planned.trial for planned in swept.plan.trials}
    chosen = [trials[winner.trial_id] for winner in swept.plan.proposals.winners]
    with ThreadPoolExecutor() as pool:
        times = list(pool.map(lambda trial: population_of(trial, range(FIRST, FIRST + SEEDS)), chosen))
    rows = swept.trainings[swept.trainings[c.SEED].isin(swept.plan.search.held_out)]
    return [
        (trial, rows[rows[c.TRIAL_ID] == trial.trial_id], time_S) for trial, time_S in zip(chosen, times, strict=True)
    ]


def test_the_intervals_on_held_out_seeds_hold_the_truth_of_the_winner_and_of_all_five(winners):
    """Of the mean time and of the solved rate, in the search as it is shipped."""
    assert len(winners) == 5
    held = []
    for rank, (trial, rows, time_S) in enumerate(winners, 1):
        spent, rate = float(np.minimum(time_S, trial.iterations).mean()), float(np.isfinite(time_S).mean())
        row = {**times_to_solution(rows).iloc[0], **solved_rates(rows, [c.TRIAL_ID]).iloc[0]}
        print(
            f"\n| {rank} | {row[RMST]:.1f} [{row[RMST_LOW]:.1f}, {row[RMST_HIGH]:.1f}] | {spent:.1f} "
            f"| {row[RATE]:.2%} [{row[LOW]:.2%}, {row[HIGH]:.2%}] | {rate:.2%} |"
        )
        held += [row[RMST_LOW] <= spent <= row[RMST_HIGH], row[LOW] <= rate <= row[HIGH]]
    assert all(held)


def test_so_they_would_with_other_held_out_seeds(winners):
    """In 93 % of samples of a thousand or more, of each."""
    for rank, (trial, _, time_S) in enumerate(winners, 1):
        seeds_RN = np.random.default_rng(rank).integers(SEEDS, size=(DRAWS, HELD_OUT))
        table = times_to_solution(sampled(time_S[seeds_RN], trial))
        spent = np.minimum(time_S, trial.iterations).mean()
        covered = ((table[RMST_LOW] <= spent) & (spent <= table[RMST_HIGH])).mean()
        print(f"\n| {rank} | {covered:.1%} |")
        assert covered >= 0.93

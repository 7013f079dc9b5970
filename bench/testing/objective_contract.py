"""What every objective of a search must be: defined for whatever became of trainings, whose order means nothing."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.metrics import columns as c
from bench.metrics.objectives import MAXIMIZE, MINIMIZE, Objective
from bench.plugins import NAME, OBJECTIVE, kind_of

BUDGET = 100
SOME = [[10], [0], [None], [10, 30, None], [*range(1, 12), None, None], [5] * 20]  # when each was solved


def trainings(solved_at, outcome=None, iteration_us=2.0):
    """Make up a trial's trainings, with the columns that an objective may use; None was never solved."""
    size = len(solved_at)
    solved = [at is not None for at in solved_at]
    return pd.DataFrame(
        {
            c.TRIAL_ID: "a",
            c.SEED: range(size),
            c.ITERATIONS: BUDGET,
            c.OUTCOME: outcome or ["solved" if one else "stuck" for one in solved],
            c.SOLVED: solved,
            c.SOLVED_AT: pd.array(solved_at, dtype="Int64"),
            c.FINAL_MSE: [0.001 if one else 0.2 + place / 1000 for place, one in enumerate(solved)],
            c.ITERATION_US: iteration_us,
            c.ITERATIONS_DONE: pd.array([BUDGET] * size, dtype="Int64"),
            c.WEIGHTS_COUNT: 13,
        }
    )


def lost(outcome, size=3):
    """Make up trainings that came to nothing."""
    return trainings([None] * size, [outcome] * size, math.nan).assign(**{c.FINAL_MSE: math.nan})


class ObjectiveContract:
    """Tests of an objective. A subclass whose name begins with ``Test`` says which: ``objective = QUARTILE``."""

    objective: Objective

    def worse(self, value, other):
        """Whether a value is worse than another."""
        return value < other if self.objective.direction == MAXIMIZE else value > other

    def test_an_objective_is_a_record_with_a_name_of_one_word(self):
        """The command line asks for it as search.objective=NAME, and it is better at one end."""
        assert kind_of(self.objective) == OBJECTIVE
        assert NAME.fullmatch(self.objective.name)
        assert self.objective.direction in {MAXIMIZE, MINIMIZE}

    def test_it_can_be_spoken_of(self):
        """The report has words for it."""
        assert self.objective.measures
        assert self.objective.heading

    @pytest.mark.parametrize("solved_at", SOME, ids=str)
    def test_its_value_is_a_number_between_its_ends(self, solved_at):
        """Whoever solves it, all or none."""
        low, high = self.objective.ends
        value = self.objective.value(trainings(solved_at))
        assert isinstance(value, float)
        assert low <= value <= high

    @pytest.mark.parametrize("outcome", ["diverged", "failed", "unsupported"])
    def test_what_came_to_nothing_is_never_missing_and_never_better(self, outcome):
        """A number too, or infinite, and no better than that of trainings which solve it at once."""
        value = self.objective.value(lost(outcome))
        assert not math.isnan(value)
        assert not self.worse(self.objective.value(trainings([1, 1, 1])), value)

    @pytest.mark.parametrize("solved_at", SOME, ids=str)
    def test_it_does_not_depend_on_the_order_of_rows(self, solved_at):
        """Bit for bit: a search must not depend on which worker was first."""
        rows = trainings(solved_at, iteration_us=[1 / (place + 3) for place in range(len(solved_at))])
        assert self.objective.value(rows) == self.objective.value(rows.iloc[::-1])

    @pytest.mark.parametrize("solved_at", SOME, ids=str)
    def test_it_changes_no_rows(self, solved_at):
        """Others read them too."""
        rows = trainings(solved_at)
        before = rows.copy(deep=True)
        self.objective.value(rows)
        pd.testing.assert_frame_equal(rows, before)

    @pytest.mark.parametrize("solved_at", SOME, ids=str)
    def test_each_trainings_part_is_a_number(self, solved_at):
        """Where trials may be given up by it: one for each training, the higher the worse."""
        if self.objective.per_training is None:
            pytest.skip("an objective that no training decides")
        each = np.asarray(self.objective.per_training(trainings(solved_at)))
        assert each.shape == (len(solved_at),)
        assert np.isfinite(each).all()
        solved, unsolved = (self.objective.per_training(trainings([at]))[0] for at in (1, None))
        assert solved <= unsolved

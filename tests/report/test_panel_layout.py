"""Layout: every trial has one place, and no panel is crowded."""

import math

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from bench.config.plan import Plan, PlannedTrial
from bench.metrics import columns as c
from bench.model.trial import Trial
from bench.report.panel_layout import MOST_LINES, is_grid, layout, shown_trials, sort_by
from bench.stats.grid_analysis import NAME, GridAnalysis, trial_table

VALUES = {
    "gate": st.lists(st.sampled_from(["or", "and", "xor", "nor"]), min_size=1, unique=True),
    "hidden": st.lists(st.sampled_from(["0", "2", "3", "10", "4-4", "2-2-2"]), min_size=1, unique=True),
    "loss": st.lists(st.sampled_from(["mse", "bce", "l1"]), min_size=1, unique=True),
    "momentum": st.lists(st.sampled_from([k / 32 for k in range(30)]), min_size=1, max_size=12, unique=True),
    "hidden_bias": st.lists(st.booleans(), min_size=1, unique=True),
}
GRIDS = st.fixed_dictionaries(VALUES).filter(lambda axes: math.prod(map(len, axes.values())) <= 300)


def grid(axes):
    table = pd.MultiIndex.from_product(axes.values(), names=list(axes)).to_frame(index=False)
    return [Trial(**row) for row in table.to_dict("records")]


def block(trials):
    planned = tuple(PlannedTrial(one, (0,), range(5), ()) for one in trials)
    return GridAnalysis("", trial_table(Plan(planned, duplicates=0)), pd.DataFrame())


@given(GRIDS, st.randoms(use_true_random=False))
def test_every_trial_of_a_grid_is_one_line_of_one_panel(axes, random):
    """Whatever the order that trials come in; no two have the same place, and no panel more lines than can be told."""
    trials = grid(axes)
    random.shuffle(trials)
    found = block(trials)
    plan = layout(found)
    panels = plan.panels(found.trials.reset_index())
    ids = [name for _, rows in panels for name in rows[c.TRIAL_ID]]
    assert sorted(ids) == sorted(trial.trial_id for trial in trials)
    titles = [title for title, _ in panels]
    assert len(titles) == len(set(titles))
    for _, rows in panels:
        assert rows[plan.lines].nunique() == len(rows)
        if plan.lines != NAME:
            assert len(rows) <= MOST_LINES
            assert {plan.label(value) for value in rows[plan.lines]} <= set(plan.labels(found.trials))


@given(GRIDS, st.integers(1, 40))
def test_a_grid_is_one_while_half_of_it_is_there(axes, missing):
    """Fewer are a list of trials."""
    trials = grid(axes)
    assert is_grid(block(trials))
    kept = trials[: max(len(trials) - missing, 1)]
    found = block(kept)
    size = math.prod(found.trials[name].nunique() for name in found.names)
    assert is_grid(found) == (len(kept) >= size / 2)


def test_hidden_layers_stand_in_the_order_of_their_sizes():
    """10 comes after 2, and "4-4" between."""
    found = block(grid({"hidden": ["10", "4-4", "2", "0"], "loss": ["mse", "bce"]}))
    assert [str(hidden) for hidden in sort_by(found.trials, ["hidden"])["hidden"]] == [
        *("0", "0", "2", "2", "4-4", "4-4", "10", "10")
    ]


def test_values_that_are_too_many_for_lines_are_panels():
    """Thirty lines cannot be told apart."""
    found = block(grid({"momentum": [k / 32 for k in range(30)], "loss": ["mse", "bce"]}))
    assert layout(found).lines == "loss"
    assert len(layout(found).panels(found.trials)) == 30


def test_of_many_trials_some_from_the_best_to_the_worst_are_shown(made_report, trial, ended):
    """At even places by their solved rates, in the plan's order: what lies between is the story."""
    trials = [trial(learning_rate=float(rate)) for rate in range(1, 31)]
    records = [ended(one, [[0, 1, 1, 0]] * count + [[0.5] * 4] * (30 - count)) for count, one in enumerate(trials, 1)]
    (found,) = made_report(*records).data.blocks
    assert shown_trials(found, 8) == [trials[place].trial_id for place in (0, 4, 8, 12, 17, 21, 25, 29)]
    assert shown_trials(found, 30) == [one.trial_id for one in trials]

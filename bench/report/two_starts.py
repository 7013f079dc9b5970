"""One network from two starts, of which one solves its gate and one does not: their losses, and what they end at."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from bench.metrics import columns as c
from bench.metrics.measures import time_to_solution
from bench.model.trial import Trial
from bench.report import drawing
from bench.report.charts import Chart
from bench.report.colours import fate_colour
from bench.report.drawing import Floats, panel
from bench.report.number_format import sentence
from bench.report.surfaces import draw_surface, shades_in_words
from bench.report.sweep_data import SweepData
from bench.stats.decision_surface import has_plane
from bench.stats.final_patterns import has_sides
from bench.stats.grid_analysis import NAME, GridAnalysis


@dataclass(frozen=True, eq=False)
class Start:
    """A training of the example: its seed, what became of it, its loss and its final weights, if they are kept."""

    seed: int
    solved: bool
    words: str
    curve: Floats
    weights: Floats | None


def two_starts(data: SweepData, block: GridAnalysis, shown: str, title: str = "") -> Iterator[Chart]:
    """Yield the chart of two trainings of one network, called so, of which one solves its gate and one does not."""
    rows = block.begun[(block.begun[c.TRIAL_ID] == shown) & block.begun[c.CURVE].notna()]
    trial = next(one.trial for one in data.plan.trials if one.trial.trial_id == shown)
    chosen = [some.iloc[len(some) // 2] for some in _by_fate(rows) if len(some)]
    if len(chosen) < 2:
        return
    weights = data.weights([(shown, int(row[c.SEED])) for row in chosen])
    starts = [_start(row, weights.get((shown, int(row[c.SEED])))) for row in chosen]
    name = title or block.trial(shown)[NAME]
    yield Chart(
        name="two-starts",
        title=f"{sentence(title or 'the same network')}, from two starts",
        subtitle=f"{'' if title else f'{name}: '}seed {starts[0].seed} {starts[0].words}; seed {starts[1].seed} "
        f"{starts[1].words}. Left: the loss. {_right(trial)}",
        alt=f"Two losses that part, and the decision surfaces they end at, of {name}.",
        note="All else is the same: only the initial weights differ.",
        panels=[panel("", losses_and_surfaces(trial, starts))],
        data=pd.DataFrame(
            {"iteration": trial.recorded_iterations, **{f"seed {one.seed}": one.curve for one in starts}}
        ),
    )


def _right(trial: Trial) -> str:
    """Return what the right half is, where there is one."""
    if not has_plane(trial):
        return ""
    said = f"Right: what the network says in the end, {shades_in_words([trial])}"
    if not has_sides(trial.gate.targets):
        return f"{said}. Rings: the observations."
    return f"{said}, with the line at ½. Rings: the observations, black where 1 is right, green where the network is."


def _by_fate(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield those that solved it, in the order of their times, and those that did not, in that of their errors."""
    times = pd.Series(time_to_solution(rows), index=rows.index)
    yield rows.loc[times[np.isfinite(times)].sort_values(kind="stable").index]
    unsolved = rows[~np.isfinite(times)]
    yield unsolved.sort_values(c.FINAL_MSE, kind="stable")


def _start(row: "pd.Series[Any]", weights: Floats | None) -> Start:
    solved = bool(row[c.SOLVED])
    words = f"solves it after {int(row[c.SOLVED_AT]):,} iterations" if solved else f"is {row[c.OUTCOME]} in the end"
    return Start(int(row[c.SEED]), solved, words, np.asarray(row[c.CURVE], dtype=np.float64), weights)


def losses_and_surfaces(trial: Trial, starts: list[Start]) -> Figure:
    """Draw the two losses, and the decision surfaces that they end at, where there are weights and two inputs."""
    surfaces = all(one.weights is not None for one in starts) and has_plane(trial)
    figure, axes = drawing.blank(4.95 if surfaces else 4.2, 2.1, right=2.3 if surfaces else 0.8, left=0.5)
    finite = [one.curve[np.isfinite(one.curve) & (one.curve > 0)] for one in starts]
    drawing.log_axis(axes, "y", *drawing.log_range(*finite))
    drawing.log_axis(axes, "x", 1, max(trial.iterations, 2))
    for one in starts:
        loss = np.where(one.curve > 0, one.curve, np.nan)
        sns.lineplot(
            x=np.add(trial.recorded_iterations, 1), y=loss, ax=axes, color=fate_colour(solved=one.solved), linewidth=1.8
        )
    axes.set(xlabel="iteration", ylabel="")
    for place, one in enumerate(starts if surfaces else ()):
        _surface(figure, (2.75 + 1.1 * place, 0.62, 1.04, 1.04), trial, one)
    return figure


def _surface(figure: Figure, inches: tuple[float, float, float, float], trial: Trial, start: Start) -> None:
    width, height = figure.get_size_inches()
    left, bottom, wide, high = inches
    axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
    colour = fate_colour(solved=start.solved)
    assert start.weights is not None
    draw_surface(axes, trial, start.weights)
    axes.set_title(f"seed {start.seed}", fontsize=7.5, color=colour, fontweight="bold", pad=3)

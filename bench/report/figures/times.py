"""How fast: the share of trainings that have solved, against iterations or seconds."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from bench.analysis.solved import HIGH, LOW
from bench.analysis.survival import AT, SHARE
from bench.report.colour import DIM
from bench.report.drawing import (
    WIDTH,
    area,
    blank,
    end_margin,
    folded,
    line,
    log_axis,
    name_ends,
    percent_axis,
    plain,
    stepped,
)

BAND = 0.16
LEAST = 2.4  # inches that axes take


def solution_shares(
    steps: pd.DataFrame,
    label: str,
    colours: Mapping[str, str],
    *,
    ends: tuple[float, float],
    budget: float,
    xlabel: str,
) -> Figure:
    """Draw a step line with its band for each label, up to the budget; ``ends`` are those of the logarithmic axis."""
    right = end_margin(steps[label])
    figure, axes = blank(max(WIDTH, right + LEAST), left=0.47, right=right)
    log_axis(axes, "x", *ends)
    percent_axis(axes, "y")
    named = []
    for name, rows in steps.groupby(label, sort=False, observed=True):
        colour = colours[str(name)]
        at = rows[AT].clip(lower=ends[0])
        x, low, high, share = stepped(at, rows[LOW], rows[HIGH], rows[SHARE])
        area(axes, x, low, high, colour, BAND)
        line(axes, x, share, colour)
        named.append({"name": plain(folded(str(name))), "colour": colour, "y": float(rows[SHARE].iloc[-1])})
    if ends[0] < budget < ends[1]:
        axes.axvline(budget, color=DIM, linewidth=0.8, dashes=(3, 2))
        axes.annotate(
            "budget", (budget, 1.0), xycoords=("data", "axes fraction"), xytext=(-2, 2), textcoords="offset points",
            ha="right", fontsize=6.5, color=DIM,
        )  # fmt: skip
    name_ends(axes, named, -0.03, 1.03)
    axes.set(xlabel=xlabel)
    return figure

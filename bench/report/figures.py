"""Figures: frame in, figure out. No figure reads a file or changes a global style."""

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis.curves import ITERATION
from bench.analysis.solved import HIGH, LOW, RATE
from bench.problem.label import word
from bench.tracking import columns as c

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")  # Okabe and Ito
OUTCOME_COLOURS = {
    "solved": "#009E73",
    "slow": "#56B4E9",
    "stuck": "#D55E00",
    "diverged": "#CC79A7",
    "failed": "#000000",
    "unsupported": "#999999",
}
MOST_MARKS = 5000  # beyond this an SVG is slow to open
PANEL = (3.6, 2.9)  # inches
PANELS_PER_ROW = 3
LABEL = "label"


@contextmanager
def style() -> Iterator[None]:
    """Draw in the page's style, and leave matplotlib as it was."""
    theme = sns.axes_style("whitegrid") | sns.plotting_context("notebook", font_scale=0.8)
    with mpl.rc_context({**theme, "svg.hashsalt": "bench", "svg.fonttype": "path", "axes.titleweight": "bold"}):
        yield


def data_uri(figure: Figure, *, raster: bool = False) -> str:
    """Return a figure as a data URI: SVG, or PNG where there are too many marks."""
    kind = "png" if raster else "svg"
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, bbox_inches="tight", dpi=150, metadata=None if raster else {"Date": None})
    mime = "image/png" if raster else "image/svg+xml"
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def solved_rates(rates: pd.DataFrame, rest: Sequence[str]) -> Figure:
    """Draw the solved rate by hidden layer, a line of points per loss with Wilson's intervals, a panel for the rest."""
    order = hidden_order(rates[c.HIDDEN])
    losses = sorted(rates[c.LOSS].unique())
    figure, panels = in_panels(rates, rest)
    for axes, panel in panels:
        for place, loss in enumerate(losses):
            rows = panel[panel[c.LOSS] == loss]
            if rows.empty:
                continue
            x = rows[c.HIDDEN].map(order.index) + (place - (len(losses) - 1) / 2) * 0.18
            errors = np.clip([rows[RATE] - rows[LOW], rows[HIGH] - rows[RATE]], 0, None)
            axes.errorbar(x, rows[RATE], yerr=errors, fmt="o", color=PALETTE[place % 8], capsize=3, label=loss)
        axes.set(xticks=range(len(order)), xticklabels=order, ylim=(-0.04, 1.04), xlabel="hidden neurons")
        axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
        axes.set_xlim(-0.5, len(order) - 0.5)
    panels[0][0].set_ylabel("solved")
    return finished(figure, panels, "loss")


def curve_bands(curves: pd.DataFrame, rest: Sequence[str]) -> Figure:
    """Draw the median loss over the seeds with a band from 5 % to 95 %, a colour per hidden layer, log axis.

    ``curves`` has a row per trial and recorded iteration: its parameters, the iteration and the quantiles.
    """
    order = hidden_order(curves[c.HIDDEN])
    figure, panels = in_panels(curves, rest)
    for axes, panel in panels:
        for hidden, rows in panel.groupby(c.HIDDEN, sort=False):
            colour = PALETTE[order.index(hidden) % 8]
            axes.plot(rows[ITERATION], rows[0.5], color=colour, label=hidden)
            axes.fill_between(rows[ITERATION], rows[0.05], rows[0.95], color=colour, alpha=0.15, linewidth=0)
        axes.set(yscale="log", xlabel="iteration")
        axes.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    panels[0][0].set_ylabel("loss")
    return finished(figure, panels, "hidden neurons")


def single_curves(curves: pd.DataFrame, rest: Sequence[str]) -> Figure:
    """Draw every training's own loss curve, log axis, a panel for the rest; ``label`` names the lines."""
    figure, panels = in_panels(curves, rest, width=1.5, share_x=False)
    for axes, panel in panels:
        for place, (label, rows) in enumerate(panel.groupby(LABEL, sort=False)):
            dashes = "-" if place < len(PALETTE) else "--"
            axes.plot(
                rows[ITERATION], rows[c.CURVE], dashes, color=PALETTE[place % 8], label=plain(str(label)), linewidth=1.4
            )
        axes.set(yscale="log", xlabel="iteration")
        axes.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
        axes.legend(fontsize="x-small", loc="lower left", framealpha=0.9)
    panels[0][0].set_ylabel("loss")
    return finished(figure, panels, None)


def final_errors(trainings: pd.DataFrame, rest: Sequence[str]) -> tuple[Figure, bool]:
    """Draw every training's final mean squared error, log axis, coloured by outcome; say whether to raster it."""
    order = hidden_order(trainings[c.HIDDEN])
    shown = trainings.assign(**{c.HIDDEN: pd.Categorical(trainings[c.HIDDEN], order)})
    figure, panels = in_panels(shown, rest)
    outcomes = [name for name in OUTCOME_COLOURS if (shown[c.OUTCOME] == name).any()]
    for axes, panel in panels:
        sns.stripplot(
            panel, x=c.FINAL_MSE, y=c.HIDDEN, hue=c.OUTCOME, hue_order=outcomes, palette=OUTCOME_COLOURS,
            order=order, size=3, alpha=0.6, jitter=0.3, ax=axes, legend=False, orient="h",
        )  # fmt: skip
        for name in outcomes:
            axes.plot([], [], "o", color=OUTCOME_COLOURS[name], label=name)
        axes.set(xscale="log", xlabel="final mean squared error", ylabel="")
    panels[0][0].set_ylabel("hidden neurons")
    return finished(figure, panels, "outcome"), len(shown) > MOST_MARKS


def in_panels(
    data: pd.DataFrame, rest: Sequence[str], *, width: float = 1.0, share_x: bool = True
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Return a figure with one panel for each combination of the remaining parameters, all on the same axes."""
    groups: list[tuple[Any, pd.DataFrame]] = (
        [("", data)] if not rest else list(data.groupby(list(rest), sort=False, observed=True))
    )
    columns = 2 if len(groups) == 4 else min(len(groups), PANELS_PER_ROW)
    lines = -(-len(groups) // columns)
    size = (PANEL[0] * width * columns + 0.8, PANEL[1] * lines + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(lines, columns, sharex=share_x, sharey=True, squeeze=False).ravel()
    for axes in grid[len(groups) :]:
        axes.set_visible(False)
    for place, (axes, (values, _)) in enumerate(zip(grid, groups, strict=False)):
        axes.tick_params(labelbottom=place + columns >= len(groups))
        axes.set_title(plain(" ".join(word(n, v) for n, v in zip(rest, values, strict=True))) if rest else "")
    return figure, [(axes, panel) for axes, (_, panel) in zip(grid, groups, strict=False)]


def finished(figure: Figure, panels: list[tuple[Axes, pd.DataFrame]], legend: str | None) -> Figure:
    """Return the figure with the legend of all panels, if one is wanted, and without what each panel repeats."""
    if legend is not None:
        entries: dict[str, Any] = {}
        for axes, _ in panels:
            handles, names = axes.get_legend_handles_labels()
            entries |= dict(zip(map(str, names), handles, strict=True))
        figure.legend(entries.values(), entries.keys(), title=legend, loc="outside right upper", frameon=False)
    for axes, _ in panels:
        if not axes.xaxis.get_tick_params()["labelbottom"]:
            axes.set_xlabel("")
    sns.despine(figure)
    return figure


def from_to(counts: pd.Series) -> str:
    """Return the only count, or the least and the greatest."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def plain(text: str) -> str:
    """Return text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")


def hidden_order(hidden: pd.Series) -> list[Any]:
    """Return hidden layers by their sizes: 0, 2, 16, 4-4."""
    return sorted(hidden.unique(), key=lambda name: [int(size) for size in str(name).split("-")])

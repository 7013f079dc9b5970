"""Loss curves: single trainings, or the quantiles of those that solve it and of those that do not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from bench.metrics import columns as c
from bench.metrics.measures import time_to_solution
from bench.report import drawing
from bench.report.charts import Chart, Content, four_digits
from bench.report.colours import OUTCOMES, fate_colour, outcome_legend
from bench.report.drawing import Floats, panel
from bench.report.number_format import from_to, plural, short
from bench.report.panel_layout import is_single, shown_trials
from bench.stats.curves import CURVES, ITERATION, curve_matrix, curve_quantiles, recorded
from bench.stats.grid_analysis import NAME, GridAnalysis, highest, in_words

LABEL, PANEL = "label", "panel"
MOST_PANELS = 6
MOST_CURVES = 16  # single trainings in one panel
HAIRLINES = 60  # trainings drawn one by one, behind the quantiles
BAND = (0.25, 0.75)
SHOWN = (BAND[0], 0.5, BAND[1])
ENOUGH = 20  # solved trainings, to tell early from late ones


def curves(block: GridAnalysis, key: str) -> Content | None:
    """Return the chart of single curves, or of quantiles by what became of the trainings."""
    curved = block.trained[block.trained[c.CURVE].notna()]
    if curved.empty:
        return None
    return _singles(block, curved, key) if is_single(block) else _by_fate(block, curved, key)


def loss_axes(axes: Axes, ends: tuple[float, float], iterations: int) -> None:
    """Let axes show a loss between two ends, logarithmic, over so many iterations."""
    drawing.log_axis(axes, "y", *ends)
    axes.set_xlim(0, max(iterations, 1))
    ticks = np.array([0, 0.5, 1]) * iterations
    axes.set_xticks(ticks, [drawing.plain_number(tick) if tick < 1e6 else f"{tick / 1e6:g} M" for tick in ticks])
    axes.set_xlabel("iteration")


# ------------------------------------------------------------------ single trainings


def _singles(block: GridAnalysis, curved: pd.DataFrame, key: str) -> Content | None:
    lines = _lines(block, curved)
    if lines.empty:
        return None
    ends = drawing.log_range(lines[c.CURVE])
    shown = lines[LABEL].nunique()
    chart = Chart(
        name=f"curves-{key}",
        title=_singles_title(curved),
        subtitle=f"Loss before each iteration, logarithmic; each line is one training, {shown:,} in all.",
        note="" if shown == len(curved) else f" The first {shown:,} of {len(curved):,} trainings.",
        alt=f"Loss of {plural(shown, 'single training')} against iterations.",
        panels=[panel("", single_curves(some, ends), wide=True) for _, some in lines.groupby(PANEL, sort=False)],
        data=lines[[LABEL, c.OUTCOME, ITERATION, c.CURVE]].rename(columns={c.CURVE: c.LOSS}),
        legend=outcome_legend(lines[c.OUTCOME]),
    )
    return {"chart": chart, "single": True}


def _singles_title(curved: pd.DataFrame) -> str:
    outcomes = curved.groupby(c.TRIAL_ID, sort=False, observed=True)[c.OUTCOME].nunique()
    if (outcomes > 1).any():
        return "The same network, another start, another outcome"
    return "Training by training" if len(curved) > 1 else "One training"


def _lines(block: GridAnalysis, curved: pd.DataFrame) -> pd.DataFrame:
    """Return the drawable curves, a row per training and recorded iteration, named by what tells them apart."""
    several = (curved[c.SEED] != curved[c.SEED].iloc[0]).any()
    parts = []
    for place, (_, row) in enumerate(curved.head(MOST_CURVES * 2).iterrows()):
        seed = f"seed {row[c.SEED]}" if several or not block.names else ""
        words = f"{in_words(block.trial(row[c.TRIAL_ID]), block.names)} {seed}".strip()
        loss = np.asarray(row[c.CURVE], dtype=np.float64)
        if (np.isfinite(loss) & (loss > 0)).any():
            own = pd.DataFrame({ITERATION: recorded(row.to_frame().T), c.CURVE: loss})
            facts = {LABEL: words, c.OUTCOME: str(row[c.OUTCOME]), c.ITERATIONS: row[c.ITERATIONS]}
            parts.append(own.assign(**facts, **{PANEL: place // MOST_CURVES}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def single_curves(lines: pd.DataFrame, ends: tuple[float, float]) -> Figure:
    """Draw each training's own loss, in the colour of its outcome, named at its end; ``label`` tells lines apart."""
    right = drawing.end_margin(lines[LABEL].unique())
    figure, axes = drawing.blank(max(4.3, right + 2.6), 2.8, right=right, left=0.5)
    loss_axes(axes, ends, int(lines[c.ITERATIONS].iloc[0]))
    named = []
    for place, (label, rows) in enumerate(lines.groupby(LABEL, sort=False)):
        colour = OUTCOMES[str(rows[c.OUTCOME].iloc[0])]
        kept = rows[np.isfinite(rows[c.CURVE])]
        axes.plot(kept[ITERATION], kept[c.CURVE], ("-", "--", ":", "-.")[place % 4], color=colour, linewidth=1.4)
        last = np.log(max(kept[c.CURVE].iloc[-1], ends[0]))
        named.append({"name": drawing.plain(drawing.folded(str(label))), "colour": colour, "y": last})
    drawing.name_ends(axes, named, np.log(ends[0]), np.log(ends[1]), gap=0.058)
    return figure


# ------------------------------------------------------------------ by fate


def _by_fate(block: GridAnalysis, curved: pd.DataFrame, key: str) -> Content | None:
    chosen = shown_trials(block, MOST_PANELS)
    rows = curved[curved[c.TRIAL_ID].isin(chosen)]
    known = {str(trial_id): list(_fates(some)) for trial_id, some in rows.groupby(c.TRIAL_ID, observed=True)}
    drawn = [(trial_id, known[trial_id]) for trial_id in chosen if trial_id in known]
    values: dict[str, list[Floats]] = {loss: [] for loss in block.trials[c.LOSS].unique()}
    for trial_id, fates in drawn:
        values[block.trial(trial_id)[c.LOSS]] += [fate.quantiles[list(SHOWN)].to_numpy() for fate in fates]
    ends = {loss: drawing.log_range(*found) for loss, found in values.items() if found}
    if not any((some > 0).any() for found in values.values() for some in found):
        return None
    panels = []
    for trial_id, fates in drawn:
        trial = block.trial(trial_id)
        drawn_by_fate = by_fate(fates, ends[trial[c.LOSS]], int(trial[c.ITERATIONS]))
        panels.append(panel(str(trial[NAME]), drawn_by_fate, trial=trial_id))
    tables = [
        fate.quantiles.assign(**{NAME: block.trial(trial_id)[NAME], c.SOLVED: fate.solved, CURVES: fate.trainings})
        for trial_id, fates in drawn
        for fate in fates
    ]
    left_out = len(block.trials) - len(drawn)
    chart = Chart(
        name=f"curves-{key}",
        title=_title(block),
        subtitle="Loss before each iteration, both axes logarithmic; the median and the middle half of those that "
        f"solve it, and of those that do not, the denser the more they are; n = {from_to(block.seeds)} seeds.",
        note=f" {left_out:,} more trials lie between these by their solved rates." if left_out > 0 else "",
        alt=f"Losses of {plural(len(drawn), 'trial')}, those that solve it apart from those that do not.",
        panels=panels,
        data=four_digits(pd.concat(tables), list(SHOWN))[[NAME, c.SOLVED, CURVES, ITERATION, *SHOWN]],
        legend=[("solve it", fate_colour(solved=True)), ("do not", fate_colour(solved=False))],
    )
    return {"chart": chart, "single": False}


@dataclass(frozen=True, eq=False)
class Fate:
    """The curves of a trial's trainings that solved it, or of those that did not: their quantiles, and some of them."""

    solved: bool
    trainings: int
    share: float
    quantiles: pd.DataFrame
    curves_TK: Floats

    @property
    def colour(self) -> str:
        """That of the outcome."""
        return fate_colour(solved=self.solved)


def _fates(rows: pd.DataFrame) -> Iterator[Fate]:
    for solved, some in rows.groupby(c.SOLVED):
        curves_TK = curve_matrix(some.head(max(HAIRLINES * len(some) // len(rows), 1)))
        yield Fate(bool(solved), len(some), len(some) / len(rows), curve_quantiles(some, quantiles=SHOWN), curves_TK)


def _title(block: GridAnalysis) -> str:
    """Say how far apart the first and the last to solve it are, in the trial where that is furthest."""
    times = pd.Series(time_to_solution(block.begun), index=block.begun[c.TRIAL_ID].astype(str))
    at = times[np.isfinite(times)].groupby(level=0)
    spans = pd.DataFrame({"early": at.quantile(0.05), "late": at.quantile(0.95)})[at.size() >= ENOUGH]
    if spans.empty:
        return "How the loss falls"
    widest = highest(spans.assign(span=spans["late"] - spans["early"]).reset_index(), "span")
    return (
        f"Same network, other start: with {block.trial(widest[c.TRIAL_ID])[NAME]}, the earliest 5 % of those that "
        f"solve it need up to {short(widest['early'])} iterations, the latest 5 % {short(widest['late'])} or more"
    )


def by_fate(fates: Sequence[Fate], ends: tuple[float, float], iterations: int) -> Figure:
    """Draw the median and the middle half of the losses of each fate, over some single trainings."""
    figure, axes = drawing.blank(3.1, 2.1, left=0.47, right=0.26)
    drawing.log_axis(axes, "y", *ends)
    drawing.log_axis(axes, "x", 1, max(iterations, 2), most=5)
    axes.set_xlabel("iteration")
    singles, colours = _hairlines(fates)
    axes.add_collection(
        LineCollection(singles, colors=colours, linewidths=0.4, alpha=0.35, rasterized=True), autolim=False
    )
    for fate in fates:
        at = fate.quantiles[ITERATION].to_numpy() + 1
        shown = fate.quantiles[list(SHOWN)].replace([np.inf, 0], np.nan)
        known = (shown[BAND[0]].notna() & shown[BAND[1]].notna()).to_numpy()
        drawing.area(axes, at[known], shown[BAND[0]][known], shown[BAND[1]][known], fate.colour, 0.1 + 0.3 * fate.share)
        sns.lineplot(x=at, y=shown[0.5], ax=axes, color=fate.colour, linewidth=1 + 1.2 * fate.share, legend=False)
    axes.set(xlabel="iteration", ylabel="")
    return figure


def _hairlines(fates: Sequence[Fate]) -> tuple[list[Floats], list[str]]:
    """Return some single trainings of each fate as lines, with their colours: as one picture they take little room."""
    lines, colours = [], []
    for fate in fates:
        at = fate.quantiles[ITERATION].to_numpy() + 1
        for row in fate.curves_TK:
            lines.append(np.column_stack([at, np.where(np.isfinite(row) & (row > 0), row, np.nan)]))
            colours.append(fate.colour)
    return lines, colours

"""Pictures: what of a sweep is worth a figure, with its title, how to read it, and words for who cannot see it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis.curves import ITERATION, QUANTILES, curve_quantiles, recorded
from bench.analysis.solved import solved_rates
from bench.problem.label import varying, word
from bench.problem.outcome import Result
from bench.report import figures
from bench.tracking import columns as c

FEW_SEEDS = 3  # up to here a trial's curves are drawn one by one, and no rate is drawn
MANY_CURVES = 24  # single curves in one figure
MANY_PANELS = 16
MANY_TRIALS = 60  # beyond this a block's figures would be unreadable: the table has them all
PLACES = (c.GATE, c.HIDDEN, c.LOSS)


@dataclass(frozen=True)
class Picture:
    """A figure on the page: its title, how to read it, the words for those who cannot see it, and itself."""

    title: str
    caption: str
    alt: str
    uri: str


def block_pictures(block: pd.DataFrame) -> tuple[list[Picture], str]:
    """Return the figures of one block of the grid, and why there are none where there are too many trials for any."""
    trained = block[~block[c.OUTCOME].isin([Result.FAILED, Result.UNSUPPORTED])]
    trials = trained.drop_duplicates(c.TRIAL_ID)
    if trained.empty or trained.groupby(c.TRIAL_ID, observed=True).size().max() <= FEW_SEEDS or trained[c.ALONE].all():
        return [], ""
    rest = [name for name in varying(_parameters(trials)) if name not in PLACES[1:]]
    if len(trials) > MANY_TRIALS or (rest and len(trials.drop_duplicates(rest)) > MANY_PANELS):
        return [], f"{len(trials)} trials are too many for legible figures. The table above has them all."
    found = [_rates(block, rest), _bands(trained, rest), _errors(trained, rest)]
    return [picture for picture in found if picture is not None], ""


def _drawable(values: pd.DataFrame | pd.Series) -> bool:
    """Whether a logarithmic axis can show any of these numbers."""
    numbers = values.to_numpy(dtype=np.float64)
    return bool((np.isfinite(numbers) & (numbers > 0)).any())


def single_pictures(data: pd.DataFrame) -> list[Picture]:
    """Return the curves of all trials that have so few seeds that each can be drawn by itself."""
    curved = data.dropna(subset=[c.CURVE])
    sizes = curved.groupby(c.TRIAL_ID, observed=True)[c.SEED].transform("size")
    few = curved[(sizes <= FEW_SEEDS) & ~curved[c.ALONE].astype(bool)]
    drawable = [_drawable(pd.Series(curve)) for curve in few[c.CURVE]]
    return [_single_curves(few[drawable])] if any(drawable) and len(few) <= MANY_CURVES else []


def _parameters(trials: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(c.PARAMETERS, row, strict=True)) for row in trials[list(c.PARAMETERS)].itertuples(index=False)]


def _rates(block: pd.DataFrame, rest: list[str]) -> Picture:
    rates = solved_rates(block, [*PLACES, *(name for name in rest if name not in PLACES)])
    return Picture(
        "How surely does it learn?",
        "Share of seeds whose every prediction ends within the tolerance of its target, with Wilson's 95 % interval. "
        f"Seeds per point: {figures.from_to(rates['trainings'])}.",
        f"Solved rate by hidden neurons and loss; the highest is {rates['rate'].max():.0%}.",
        figures.data_uri(figures.solved_rates(rates, rest)),
    )


def _bands(trained: pd.DataFrame, rest: list[str]) -> Picture | None:
    parts = []
    for _, rows in trained.groupby(c.TRIAL_ID, sort=False, observed=True):
        table = curve_quantiles(rows)
        first = rows.iloc[0]
        parts.append(table.assign(**{name: first[name] for name in c.PARAMETERS}))
    panels = _with_loss(trained, rest)
    curves = pd.concat(parts).replace(np.inf, np.nan)
    if not _drawable(curves[list(QUANTILES)]):
        return None
    return Picture(
        "How does the loss fall?",
        "Median over the seeds of the loss before each iteration, with a band from the 5 % to the 95 % quantile; "
        "logarithmic axis. Different losses have different units: compare within a panel.",
        "Training curves: loss against iteration, a colour for each hidden layer.",
        figures.data_uri(figures.curve_bands(curves, panels)),
    )


def _errors(trained: pd.DataFrame, rest: list[str]) -> Picture | None:
    finite = trained[np.isfinite(trained[c.FINAL_MSE])]
    panels = _with_loss(trained, rest)
    if not _drawable(finite[c.FINAL_MSE]):
        return None
    figure, raster = figures.final_errors(finite, panels)
    return Picture(
        "Where do they end up?",
        f"Every training's mean squared error after its last iteration, one mark each (n = {len(finite):,}); "
        "logarithmic axis. Clumps are attractors: solutions, and the plateaus that trainings stay on.",
        "Distribution of final errors by hidden neurons, coloured by outcome.",
        figures.data_uri(figure, raster=raster),
    )


def _with_loss(trained: pd.DataFrame, rest: list[str]) -> list[str]:
    """Return the parameters that a figure needs a panel for: losses have different units."""
    return list(dict.fromkeys([*rest, *([c.LOSS] if len(trained[c.LOSS].unique()) > 1 else [])]))


def _single_curves(trained: pd.DataFrame) -> Picture:
    parts = []
    for _, panel in trained.groupby(c.GATE, sort=False, observed=True):
        names = _telling(panel.drop_duplicates(c.TRIAL_ID))
        for _, row in panel.iterrows():
            words = " ".join(word(name, row[name]) for name in names)
            curve = pd.DataFrame({ITERATION: recorded(row.to_frame().T), c.CURVE: row[c.CURVE]})
            parts.append(curve.assign(**{figures.LABEL: f"{words} seed {row[c.SEED]}".strip(), c.GATE: row[c.GATE]}))
    return Picture(
        "How does the loss fall?",
        "The loss of each training before each iteration, on a logarithmic axis; one line is one seed.",
        "Training curves of single trainings: loss against iteration.",
        figures.data_uri(figures.single_curves(pd.concat(parts), [c.GATE])),
    )


def _telling(trials: pd.DataFrame) -> list[str]:
    """Return the parameters that tell trials apart: the usual ones if they do, else all that vary."""
    varied = varying(_parameters(trials))
    usual = [name for name in (c.HIDDEN, c.LOSS, c.BACKEND) if name in varied]
    return usual if usual and not trials.duplicated(usual).any() else varied

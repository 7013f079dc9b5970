"""Decision surfaces, drawn: what a network says over the plane of its inputs."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bench.model.trial import Trial
from bench.report import drawing
from bench.report.colours import DIM, SEED, fate_colour
from bench.stats.decision_surface import decision_surface, plane, predictions, shades
from bench.stats.final_patterns import has_sides

PLACES = 72


def surface(trial: Trial, weights_P: ArrayLike) -> Figure:
    """Draw the decision surface of a network as a small figure."""
    figure, axes = drawing.blank(1.5, 1.5, left=0.04, right=0.04, top=0.04, bottom=0.04)
    draw_surface(axes, trial, weights_P)
    return figure


def shades_in_words(trials: Iterable[Trial]) -> str:
    """Return what is black, and what white, in the surfaces of some trials."""
    one_to_zero = all(has_sides(trial.gate.targets) for trial in trials)
    return "black is 1, white is 0" if one_to_zero else "black is the greatest target, white the least"


def draw_surface(axes: Axes, trial: Trial, weights_P: ArrayLike) -> None:
    """Draw what a network says over the plane of its inputs, with its observations, and with the line at ½.

    Where there are no sides (`has_sides`), as in a regression, there is no line, and nothing is right or wrong.
    """
    first, second = plane(trial, PLACES)
    low, high = shades(trial)
    values = decision_surface(trial, weights_P, PLACES)
    extent = (first[0], first[-1], second[0], second[-1])
    axes.imshow(
        values, cmap="Greys", vmin=low, vmax=high, origin="lower", extent=extent, aspect="auto", interpolation="nearest"
    )
    sides = has_sides(trial.gate.targets)
    if sides and values.min() < trial.middle < values.max():
        axes.contour(first, second, values, levels=[trial.middle], colors=[SEED], linewidths=1.2)
    right = (predictions(trial, weights_P, trial.gate.inputs) > trial.middle) == (trial.targets > trial.middle)
    for (x, y), target, is_right in zip(trial.gate.inputs, trial.targets, right, strict=True):
        edge = fate_colour(solved=bool(is_right)) if sides else DIM
        axes.plot([x], [y], "o", mfc=str((high - target) / (high - low)), mec=edge, mew=1.8, markersize=6)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(DIM)

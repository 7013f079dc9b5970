"""Decision surfaces, drawn: what a network says over the plane of its inputs."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bench.model.trial import Trial
from bench.report import drawing
from bench.report.colours import DIM, SEED, fate_colour
from bench.stats.decision_surface import decision_surface, plane, predictions

PLACES = 72


def surface(trial: Trial, weights_P: ArrayLike) -> Figure:
    """Draw the decision surface of a network as a small figure."""
    figure, axes = drawing.blank(1.5, 1.5, left=0.04, right=0.04, top=0.04, bottom=0.04)
    draw_surface(axes, trial, weights_P)
    return figure


def draw_surface(axes: Axes, trial: Trial, weights_P: ArrayLike) -> None:
    """Draw what a network says over the plane of its inputs, with the line at ½ and its observations."""
    first, second = plane(trial, PLACES)
    low, high = trial.target_low, trial.target_high
    values = (decision_surface(trial, weights_P, PLACES) - low) / (high - low)
    extent = (first[0], first[-1], second[0], second[-1])
    axes.imshow(
        values, cmap="Greys", vmin=0, vmax=1, origin="lower", extent=extent, aspect="auto", interpolation="nearest"
    )
    if values.min() < 0.5 < values.max():
        axes.contour(first, second, values, levels=[0.5], colors=[SEED], linewidths=1.2)
    right = (predictions(trial, weights_P, trial.gate.inputs) > trial.middle) == (trial.targets > trial.middle)
    for (x, y), target, is_right in zip(trial.gate.inputs, trial.gate.targets, right, strict=True):
        edge = fate_colour(solved=bool(is_right))
        axes.plot([x], [y], "o", mfc=str(1 - target), mec=edge, mew=1.8, markersize=6)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(DIM)

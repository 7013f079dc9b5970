"""One meaning per colour through the whole page, in the light and in the dark.

Outcomes have the colours of Okabe and Ito (2008), which the colour-blind can tell apart; orders and rates go along
Matplotlib's cividis (Nuñez, Anderton & Renslow 2018), which is perceptually even.
"""

from collections.abc import Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.colors import to_hex

from bench.model.outcome import Result
from bench.model.trial import BACKENDS

# name: in the light, in the dark. Figures are drawn in the light ones; on the page each is a CSS variable
THEME = {
    "ink": ("#1a1a1a", "#ededed"),
    "dim": ("#595959", "#b0b0b0"),
    "line": ("#d9d9d6", "#3d3d3d"),
    "paper": ("#fffffe", "#151515"),
    "card": ("#f5f5f2", "#202020"),
    Result.SOLVED: ("#009e73", "#1fbf92"),
    Result.SLOW: ("#56b4e9", "#56b4e9"),
    Result.STUCK: ("#d55e00", "#e8752a"),
    Result.DIVERGED: ("#cc79a7", "#d98fb8"),
    Result.FAILED: ("#000000", "#ffffff"),
    Result.UNSUPPORTED: ("#999999", "#8c8c8c"),
    "numba": ("#0072b2", "#4aa3dc"),
    "numpy": ("#882255", "#d0689b"),
    "torch": ("#8a8a23", "#b9b94a"),
    "torch-batched": ("#b8860b", "#e0a930"),
    "jax": ("#6a51c4", "#a08cf0"),
    "effect": ("#0072b3", "#4aa3dd"),
    "seed": ("#a35a00", "#e69f00"),
}
OUTCOMES = {str(result): THEME[result][0] for result in Result}
BACKEND = {name: THEME[name][0] for name in BACKENDS}
INK, DIM, LINE, PAPER, EFFECT, SEED = (THEME[name][0] for name in ("ink", "dim", "line", "paper", "effect", "seed"))
STEPS = 8
EVEN = "cividis"


def _ramps() -> dict[str, tuple[str, str]]:
    """Return the steps of an order: dark to light on paper, light to dark on black, neither end too faint."""
    colours = mpl.colormaps[EVEN]
    light = [to_hex(colours(0.62 * step / (STEPS - 1))) for step in range(STEPS)]
    dark = [to_hex(colours(0.45 + 0.55 * step / (STEPS - 1))) for step in range(STEPS)]
    return {f"order-{step}": pair for step, pair in enumerate(zip(light, dark, strict=True))}


RAMP = _ramps()
VARIABLES = {light: f"var(--{name})" for name, (light, _) in {**THEME, **RAMP}.items()}


def order(size: int) -> list[str]:
    """Return a colour for each of some ordered values; beyond eight, neighbours share one."""
    return [RAMP[f"order-{round(place * (STEPS - 1) / max(size - 1, 1))}"][0] for place in range(size)]


def backend_colour(name: str) -> str:
    """Return the colour of a backend; those of plug-ins share one."""
    return BACKEND.get(name, DIM)


def fate_colour(*, solved: bool) -> str:
    """Return the colour of what solved its gate, or of what did not."""
    return OUTCOMES[Result.SOLVED if solved else Result.STUCK]


SHADES = order(STEPS)
QUALITY = (("worst", SHADES[0]), ("best", SHADES[-1]))  # a legend


def rate_colours(rates: Sequence[float]) -> list[tuple[str, str]]:
    """Return for each rate from 0 to 1 its colour, and that of text upon it."""
    found = [mpl.colormaps[EVEN](rate) for rate in rates]
    return [(to_hex(colour), "#000000" if _luminance(colour) > 0.18 else "#ffffff") for colour in found]


def outcome_legend(outcomes: "pd.Series[str]") -> list[tuple[str, str]]:
    """Return the outcomes that occur, in their order, each with its colour."""
    return [(name, colour) for name, colour in OUTCOMES.items() if (outcomes == name).any()]


def _luminance(colour: Sequence[float]) -> float:
    """Return the relative luminance of WCAG 2.1; above 0.18 black text has more contrast than white."""
    red, green, blue = ((v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in colour[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def css() -> str:
    """Return the declarations of all colours: by the reader's scheme, which the page's own switch may overrule."""
    light, dark = ("".join(f"--{name}:{pair[which]};" for name, pair in {**THEME, **RAMP}.items()) for which in (0, 1))
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
        f"@media print{{:root,:root:not([data-theme=light]),:root[data-theme=dark]{{color-scheme:light;{light}}}}}"
    )


def scale() -> str:
    """Return the stylesheet's gradient of rates from 0 to 1."""
    colours = (to_hex(mpl.colormaps[EVEN](step / 10)) for step in range(11))
    return f"linear-gradient(90deg,{','.join(colours)})"

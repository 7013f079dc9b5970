"""Short names for trials: what distinguishes each from the others."""

from collections.abc import Mapping, Sequence

from bench.problem.trial import PARAMETERS, Scalar

BARE = ("gate", "loss", "activation", "backend", "dtype", "reduction", "init", "update")  # the value says what it is
USUAL = ("gate", "hidden", "loss")


def varying(trials: Sequence[Mapping[str, Scalar]]) -> list[str]:
    """Return the parameters that have more than one value among these trials, in the parameters' order."""
    return [name for name in PARAMETERS if len({trial[name] for trial in trials}) > 1]


def labels(trials: Sequence[Mapping[str, Scalar]], groups: Sequence[int] | None = None) -> list[str]:
    """Return a label for each trial: the values that vary within its group, or the usual ones if none does."""
    groups = groups or [0] * len(trials)
    names = {
        group: varying([trial for trial, its in zip(trials, groups, strict=True) if its == group]) or USUAL
        for group in set(groups)
    }
    return [
        " ".join(word(name, trial[name]) for name in names[group]) for trial, group in zip(trials, groups, strict=True)
    ]


def word(name: str, value: Scalar) -> str:
    """Return one parameter's value in words: bare where the value says what it is, else with its name."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, float):
        text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return text if name in BARE else f"{name}={text}"

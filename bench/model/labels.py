"""Short names for trials, made of the parameters that distinguish each from the others."""

from collections.abc import Mapping, Sequence

from bench.model.trial import PARAMETERS, PROMINENT, Scalar

BARE = frozenset(name for name, known in PARAMETERS.items() if known.bare)
USUAL = PROMINENT[:3]  # gate, hidden layers and loss


def varying(trials: Sequence[Mapping[str, Scalar]]) -> list[str]:
    """Return the parameters that have more than one value among these trials, in the parameters' order."""
    return [name for name in PARAMETERS if len({trial[name] for trial in trials}) > 1]


def labels(trials: Sequence[Mapping[str, Scalar]], groups: Sequence[int] | None = None) -> list[str]:
    """Return a label for each trial: the values that vary within its group, or the usual ones if none does.

    Numbers have four significant digits, unless those would give two trials of a group one label.
    """
    groups = groups or [0] * len(trials)
    found = [""] * len(trials)
    for group in set(groups):
        members = [index for index, its_group in enumerate(groups) if its_group == group]
        names = varying([trials[index] for index in members]) or USUAL
        short, exact = (
            [" ".join(word(name, trials[index][name], digits) for name in names) for index in members]
            for digits in (4, None)
        )
        for index, label in zip(members, short if len(set(short)) == len(set(exact)) else exact, strict=True):
            found[index] = label
    return found


def word(name: str, value: Scalar, digits: int | None = None) -> str:
    """Return one parameter's value as a label has it: bare where the value says what it is, else with its name.

    A number is exact unless only so many significant ``digits`` are wanted.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, float):
        text = f"{value:g}" if float(f"{value:g}") == value else repr(float(value))
        text = text if digits is None else min(text, f"{value:.{digits}g}", key=len)
    return text if name in BARE else f"{name}={text}"


def bare(name: str, value: Scalar, digits: int | None = None) -> str:
    """Return a value as it is written where the parameter's name is known."""
    return word(name, value, digits).removeprefix(f"{name}=")

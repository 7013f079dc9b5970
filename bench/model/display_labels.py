"""Short names for trials, made of the parameters that distinguish each from the others."""

import re
from collections.abc import Callable, Mapping, Sequence

from bench.model.gate import BUILT_IN
from bench.model.trial import PARAMETERS, PROMINENT, Scalar, Trial, parts_of_optimizers

BARE = frozenset(name for name, known in PARAMETERS.items() if known.bare)
DEFAULTS = Trial().parameters
MOST_ASKED, FEWER_ASKED = 5, 2  # words of a parameter in a name
LONGEST_NAME = 80
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[-+]\d+)?)")
USUAL = PROMINENT[:3]  # gate, hidden layers and loss
SPOKEN = {  # values that have a name of their own
    ("loss", "mse"): "squared error",
    ("loss", "l1"): "absolute error",
    ("loss", "bce"): "cross-entropy",
    ("loss", "huber"): "Huber loss",
    ("activation", "relu"): "ReLU",
    ("hidden", "0"): "no hidden layer",
    ("learning_rate_output", "0.0"): "output layer as the others",
}


def varying(trials: Sequence[Mapping[str, Scalar]]) -> list[str]:
    """Return the parameters that have more than one value among these trials, in the parameters' order.

    What an optimizer has of its own is a part of it, and no parameter that varies beside it.
    """
    several = [name for name in PARAMETERS if len({trial.get(name, DEFAULTS[name]) for trial in trials}) > 1]
    parts = parts_of_optimizers(trials) if "optimizer" in several else ()
    return [name for name in several if name not in parts]


def asked(trials: Sequence[Mapping[str, Scalar]]) -> str:
    """Return what is varied among trials, and how far, in at most 80 characters: xor: hidden 2–8 × loss mse, bce.

    Where nothing is, what they have that is not the default. What is too long has fewer values, then fewer parameters.
    """
    if not trials:
        return ""
    first = trials[0]
    gate = f"{first['gate']}: " if len({trial["gate"] for trial in trials}) == 1 else ""
    names, sign = varying(trials), " × "
    if not names:
        others = [name for name in PARAMETERS if name != "gate" and first.get(name, DEFAULTS[name]) != DEFAULTS[name]]
        names, sign = others or list(USUAL[1:]), ", "
    values = {name: list(dict.fromkeys(trial[name] for trial in trials)) for name in names}
    named = gate
    for most, count in ((MOST_ASKED, len(names)), *((FEWER_ASKED, count) for count in range(len(names), 0, -1))):
        parts = [_spanned(name, values[name], most) for name in names[:count]] + ["…"] * (count < len(names))
        named = gate + sign.join(parts)
        if len(named) <= LONGEST_NAME:
            return named
    return f"{named[: LONGEST_NAME - 1]}…"


def _spanned(name: str, values: Sequence[Scalar], most: int) -> str:
    """Return a parameter's values: of more than two numbers the least and the greatest, of many words some."""
    words = [bare(name, value, 4) for value in values]
    if len(words) > 2 and all(word.lstrip("-")[:1].isdigit() and "-" not in word[1:] for word in words):
        said = f"{min(words, key=float)}–{max(words, key=float)}"
    else:
        said = ", ".join(words[:most] + ["…"] * (len(words) > most))
    return said if name == "gate" else f"{name_words(name)} {said}"


def short(values: Mapping[str, Scalar], digits: int | None = None) -> str:
    """Return parameters as a command line has them: hidden=2 relu bce."""
    return " ".join(word(name, value, digits) for name, value in values.items())


def phrase(values: Mapping[str, Scalar], digits: int | None = None) -> str:
    """Return parameters as one speaks of them: 2 ReLU neurons · cross-entropy · learning rate 0.5."""
    kind = values.get("activation", "") if values.get("hidden", "0") not in (0, "0") else ""
    parts = []
    for name, value in values.items():
        said = spoken(name, value, digits)
        if name == "hidden" and said[0].isdigit():
            neurons = "neuron" if said == "1" else "neurons"
            parts.append(" ".join(filter(None, [said, spoken("activation", kind), neurons])))
        elif name == "activation" and "hidden" in values:
            continue  # that of the neurons
        elif name in BARE or (name, str(value)) in SPOKEN:
            parts.append(said)
        else:
            parts.append(f"{name_words(name)} {said}")
    return " · ".join(parts)


def name_words(name: str) -> str:
    """Return the name of a parameter as one speaks of it."""
    return name.replace("_", " ")


def gate_word(gate: str) -> str:
    """Return a built-in gate in capitals, which no reader takes for a word; the file of another as it is."""
    return gate.upper() if gate in BUILT_IN else gate


def spoken(name: str, value: Scalar, digits: int | None = None) -> str:
    """Return a value as one speaks of it where the parameter is known."""
    if name == "gate":
        return gate_word(str(value))
    return SPOKEN.get((name, str(value)), bare(name, value, digits))


def labels(
    trials: Sequence[Mapping[str, Scalar]],
    groups: Sequence[int] | None = None,
    write: Callable[[Mapping[str, Scalar], int | None], str] = short,
) -> list[str]:
    """Return a label for each trial: the values that vary within its group, or the usual ones if none does.

    Numbers have four significant digits, unless those would give two trials of a group one label.
    """
    groups = groups or [0] * len(trials)
    found = [""] * len(trials)
    for group in set(groups):
        members = [index for index, its_group in enumerate(groups) if its_group == group]
        names = varying([trials[index] for index in members]) or USUAL
        rounded, exact = (
            [write({name: trials[index][name] for name in names}, digits) for index in members] for digits in (4, None)
        )
        for index, label in zip(members, rounded if len(set(rounded)) == len(set(exact)) else exact, strict=True):
            found[index] = label
    return found


def sortable(names: Sequence[str]) -> list[str]:
    """Return names that a list sorts by their text as a person would: 10 after 9.

    Where their numbers are not in order as text, each name has its place before it, with leading zeros: 07 hidden=8.
    """
    if sorted(names) == sorted(names, key=_by_numbers):
        return list(names)
    width = len(str(len(names)))
    return [f"{place:0{width}} {name}" for place, name in enumerate(names, 1)]


def _by_numbers(name: str) -> list[tuple[int, float, str]]:
    """Return what sorts a name by its words, and those that are numbers by their size."""
    parts = NUMBER.split(name)
    return [(0, float(part), "") if place % 2 else (1, 0.0, part) for place, part in enumerate(parts)]


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

"""Short names for trials, made of the parameters that distinguish each from the others."""

from collections.abc import Callable, Mapping, Sequence

from bench.model.gate import BUILT_IN
from bench.model.trial import PARAMETERS, PROMINENT, Scalar

BARE = frozenset(name for name, known in PARAMETERS.items() if known.bare)
MOST_ASKED = 5  # parameters, and words of one, in a name
USUAL = PROMINENT[:3]  # gate, hidden layers and loss
SPOKEN = {  # values that have a name of their own
    ("loss", "mse"): "squared error",
    ("loss", "l1"): "absolute error",
    ("loss", "bce"): "cross-entropy",
    ("loss", "huber"): "Huber loss",
    ("activation", "relu"): "ReLU",
    ("hidden", "0"): "no hidden layer",
}


def varying(trials: Sequence[Mapping[str, Scalar]]) -> list[str]:
    """Return the parameters that have more than one value among these trials, in the parameters' order."""
    return [name for name in PARAMETERS if len({trial[name] for trial in trials}) > 1]


def asked(trials: Sequence[Mapping[str, Scalar]]) -> str:
    """Return what is varied among trials, and how far, in one line: xor: hidden 2–8 × mse, bce."""
    if not trials:
        return ""
    parts = [_spanned(name, list(dict.fromkeys(trial[name] for trial in trials))) for name in varying(trials)]
    gate = f"{trials[0]['gate']}: " if len({trial["gate"] for trial in trials}) == 1 else ""
    return gate + (" × ".join(parts[:MOST_ASKED] + ["…"] * (len(parts) > MOST_ASKED)) or short(dict(trials[0]), 4))


def _spanned(name: str, values: Sequence[Scalar]) -> str:
    """Return a parameter's values: of more than two numbers the least and the greatest, of many words some."""
    words = [bare(name, value, 4) for value in values]
    if len(words) > 2 and all(word.lstrip("-")[:1].isdigit() and "-" not in word[1:] for word in words):
        low, high = (min(words, key=float), max(words, key=float))
        said = f"{low}–{high}"
    else:
        said = ", ".join(words[:MOST_ASKED] + ["…"] * (len(words) > MOST_ASKED))
    return said if name in BARE or name == "gate" else f"{name_words(name)} {said}"


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

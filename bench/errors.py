"""What is wrong with a request, in words that tell what was given and what is allowed."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

LONGEST = 2000  # characters of one problem
MOST_PROBLEMS = 100  # that are told one by one
LONGEST_WORD = 100  # letters, in which a name may be meant that somebody mistyped
CREDENTIALS = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)  # of a URI: nobody is shown them
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class RequestError(ValueError):
    """A request that cannot be carried out; every problem is one sentence: what, got, allowed.

    Of hundreds, the first are told; what a user gave and is too long is cut in the middle.
    """

    def __init__(self, *problems: str) -> None:
        told = [printable(shortened(problem)) for problem in problems[:MOST_PROBLEMS]]
        told += [f"and {len(problems) - MOST_PROBLEMS:,} more problems"] * (len(problems) > MOST_PROBLEMS)
        super().__init__("\n".join(told))
        self.problems = tuple(told)

    def __reduce__(self) -> tuple[type["RequestError"], tuple[str, ...]]:
        """Pickle with all problems, so that a worker process can raise it."""
        return type(self), self.problems


def printable(text: str) -> str:
    """Return a text as a terminal may show it: what would move, colour or turn it is escaped, and what is no text.

    Line ends and tabs stay, and whatever people write with. What a URI has before its @ is replaced by ``***``.
    """
    hidden = CREDENTIALS.sub(r"\1***@", text)
    return CONTROL.sub(lambda found: repr(found[0])[1:-1] if found[0] > "\x9f" else f"\\x{ord(found[0]):02x}", hidden)


def check_text(what: str, text: str) -> None:
    """Raise RequestError for bytes that are no UTF-8, as the command line hands them on: they cannot be stored."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RequestError(f"{what} is {text!r}, which is not UTF-8; allowed is text")


def shortened(text: str, most: int = LONGEST) -> str:
    """Return a text of at most so many characters: its beginning and its end, which says what is allowed."""
    if len(text) <= most:
        return text
    begun, ended = (most - 3) // 2, (most - 2) // 2
    return f"{text[:begun]} … {text[-ended:]}"


def unknown(what: str, got: object, allowed: Iterable[str], before: str = "") -> str:
    """Say that ``got`` is not one of ``allowed``, with the nearest valid name if there is one.

    ``before`` is written before all names, and says nothing of how near they are.
    """
    names = sorted(allowed)
    near = nearest(str(got), names)
    hint = f"did you mean {before + near!r}? " if near else ""
    choices = ", ".join(f"{before}{name}" for name in names)
    return f"{what} {before + str(got)!r} is not known; {hint}choose from {choices}"


def nearest(got: str, names: Iterable[str]) -> str | None:
    """Return the name that was meant by another if one is close: a letter wrong in three, or cut off after three.

    Letters are left out, added, replaced or swapped with their neighbour (restricted Damerau-Levenshtein distance, as
    in Boytsov 2011), whatever their case, and - and a blank are an underscore. A name may have a part before its last
    point that is left out.
    """
    if len(got) > LONGEST_WORD:
        return None
    asked = _plain(got)
    found = []
    for place, name in enumerate(names):
        for part in dict.fromkeys((_plain(name), _plain(name).rpartition(".")[2])):
            if 3 * abs(len(asked) - len(part)) > max(len(asked), len(part)) and not part.startswith(asked):
                continue  # so many letters are wrong at least
            wrong = _distance(asked, part)
            if 3 * wrong <= max(len(asked), len(part)):
                found.append((wrong, -place, name))
            elif len(asked) >= 3 and part.startswith(asked):
                found.append((len(part), place, name))
    return min(found)[2] if found else None


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")


def _distance(one: str, other: str) -> int:
    """Return how many letters are left out, added, replaced or swapped between two words."""
    before, last = list[int](), list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        this = [row]
        for column, its in enumerate(other, 1):
            least = min(last[column] + 1, this[-1] + 1, last[column - 1] + (letter != its))
            if row > 1 < column and letter == other[column - 2] and one[row - 2] == its:
                least = min(least, before[column - 2] + 1)
            this.append(least)
        before, last = last, this
    return last[-1]


@contextmanager
def collecting(problems: list[str], where: str = "") -> Iterator[None]:
    """Add what is wrong with a request to the problems, each after ``where``, instead of raising it."""
    try:
        yield
    except RequestError as error:
        problems += [f"{where}{problem}" for problem in error.problems]


@contextmanager
def raising_all() -> Iterator[list[str]]:
    """Give a list for the problems of a request, and raise them together in the end, each once, if there are any."""
    problems: list[str] = []
    yield problems
    if problems:
        raise RequestError(*dict.fromkeys(problems))


@contextmanager
def before_any_work() -> Iterator[None]:
    """Let an interrupt during imports and the reading of a request say that it left nothing."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was begun") from None

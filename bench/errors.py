"""What is wrong with a request, in words that tell what was given and what is allowed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class RequestError(ValueError):
    """A request that cannot be carried out; every problem is one sentence: what, got, allowed."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type["RequestError"], tuple[str, ...]]:
        """Pickle with all problems, so that a worker process can raise it."""
        return type(self), self.problems


def unknown(what: str, got: object, allowed: Iterable[str], before: str = "") -> str:
    """Say that ``got`` is not one of ``allowed``, with the nearest valid name if there is one.

    ``before`` is written before all names, and says nothing of how near they are.
    """
    import difflib  # here: the command line imports this file for --help

    names = sorted(allowed)
    near = difflib.get_close_matches(str(got), names, n=1, cutoff=0.62)  # bayes is no cmaes
    hint = f"did you mean {before + near[0]!r}? " if near else ""
    choices = ", ".join(f"{before}{name}" for name in names)
    return f"{what} {before + str(got)!r} is not known; {hint}choose from {choices}"


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

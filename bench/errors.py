"""What is wrong with a request, in words that tell what was given and what is allowed."""

import difflib
from collections.abc import Iterable


class RequestError(ValueError):
    """A request that cannot be carried out; every problem is one sentence: what, got, allowed."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type["RequestError"], tuple[str, ...]]:
        """Pickle with all problems, so that a worker process can raise it."""
        return type(self), self.problems


def unknown(what: str, got: object, allowed: Iterable[str]) -> str:
    """Say that ``got`` is not one of ``allowed``, with the nearest valid name if there is one."""
    names = sorted(allowed)
    near = difflib.get_close_matches(str(got), names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{what} {str(got)!r} is not known; {hint}choose from {', '.join(names)}"

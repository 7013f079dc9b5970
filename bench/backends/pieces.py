"""Trainings in pieces: between two of them it is seen whether anybody still wants them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Protocol, TypeVar

A = TypeVar("A")

PIECE_S = 0.1  # how long trainings go on without a look at whether they are wanted any more


class Flag(Protocol):
    """An event of threads or of processes."""

    def is_set(self) -> bool:
        """Whether it has come."""


class StoppedError(Exception):
    """Trainings were left before their end, because nobody wants them any more."""


_STOP: ContextVar[Flag | None] = ContextVar("stop", default=None)


@contextmanager
def heeding(stop: Flag | None) -> Iterator[None]:
    """Have what is trained meanwhile, in this thread, raise StoppedError soon after ``stop`` is set."""
    token = _STOP.set(stop)
    try:
        yield
    finally:
        _STOP.reset(token)


def first_piece(iteration_us: float) -> int:
    """Return how many iterations the first piece has, where one takes about so many microseconds."""
    return max(int(PIECE_S * 1e6 / iteration_us), 1)


def in_pieces(
    advance: Callable[[int, int], A], is_over: Callable[[], bool], start: int, end: int, piece: int
) -> tuple[A, int]:
    """Do the iterations from start to end, ``piece`` at a time, unless all ``is_over``.

    Return what the first piece gives, and the next piece. A piece takes PIECE_S or so, as those before it took. Between
    two of them Ctrl-C is heeded, whoever calls; raises StoppedError where nobody wants the rest any more.
    """
    stop, given = _STOP.get(), None
    while start < end:
        if stop is not None and stop.is_set():
            raise StoppedError
        began, last = perf_counter(), min(start + piece, end)
        found = advance(start, last)
        given = found if given is None else given
        taken_s = max(perf_counter() - began, 1e-9)
        if last < end or taken_s > PIECE_S:
            piece = max(int(piece * min(max(PIECE_S / taken_s, 0.25), 4.0)), 1)
            if is_over():
                break
        start = last
    assert given is not None
    return given, piece

"""Progress on stderr, and interrupts: the first asks the sweep to end cleanly, the second ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from bench.backends.base import compiled_kernels, compiling
from bench.running.work import TimeLeft, Work


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or a TERM signal sets; a second signal raises KeyboardInterrupt."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals only ever reach the main thread
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ------------------------------------------------------------------ progress


class _Activity(ProgressColumn):
    """What is being done: what is compiled, or else what the task says.

    Of how many ``kernels`` there are to compile since ``begun`` were, if that is known.
    """

    kernels = begun = 0

    def render(self, task: Task) -> Text:
        number = compiling() - self.begun
        of = f" of {self.kernels:,}" if self.kernels >= number else ""
        return Text(f"compiling kernel {number:,}{of}" if number > 0 else task.description)


UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


class SweepProgress:
    """A progress bar over iterations; none where there is no terminal, or NO_COLOR asks for plain text."""

    def __init__(self, total: Work, already: float = 0.0, workers: int = 1, *, quiet: bool = False) -> None:
        """Prepare the bar; ``already`` is the share that was done before. A ``quiet`` one shows and says nothing."""
        console = Console(stderr=True, quiet=quiet)
        self.total, self.done, self.before = total, Work(), already
        self._left = TimeLeft(workers)
        self._bar = Progress(
            SpinnerColumn(),
            activity := _Activity(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[words]}", style="progress.download"),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal or console.no_color,
        )
        self._activity = activity
        self._task = self._bar.add_task("training", total=1.0, words=self.words)
        self._bar.update(self._task, completed=self.share)

    @property
    def share(self) -> float:
        """How much of all work is done."""
        costs = (sum(self.done.cost_s.values()), sum(self.total.cost_s.values()))
        return min(self.before + costs[0] / costs[1], 1.0) if costs[1] else 1.0

    @property
    def words(self) -> str:
        """How many iterations are done, and how long the others will take."""
        done = self.done.iterations + round(self.before * self.total.iterations)
        left_s = self._left.seconds(self.total, self._all_done)
        left = "" if left_s is None else f", {timedelta(seconds=round(left_s))} left"
        return f"{units(done)} of {units(max(self.total.iterations, done))} iterations{left}"

    @property
    def _all_done(self) -> Work:
        """What is done, that before this process included, of which nothing was measured."""
        return self.done + Work(0, {kind: self.before * cost for kind, cost in self.total.cost_s.items()})

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()

    def update(self, activity: str, total: Work | None = None) -> None:
        """Show what is being done, and how much there will be in all if that has changed."""
        self.total = total or self.total
        self._bar.update(self._task, description=activity)
        self.advance(Work())

    def compiles(self, kernels: int) -> None:
        """Note how many kernels will be compiled in this process from now on."""
        self._activity.kernels, self._activity.begun = kernels, compiled_kernels()

    def advance(self, more: Work) -> None:
        """Show that more work is done."""
        self.done += more
        self._bar.update(self._task, completed=self.share, words=self.words)

    def print(self, line: str) -> None:
        """Print a line above the bar, or where there is none."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


def units(count: float) -> str:
    """Write a count in three digits: 950, 1.25 M, 40 G."""
    size, unit = next(((size, unit) for size, unit in UNITS if count >= size), UNITS[-1])
    return f"{count / size:.3g}{' ' * bool(unit)}{unit}"

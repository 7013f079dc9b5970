"""Progress on stderr, and interrupts: the first asks the sweep to end cleanly, the second ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


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


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} trainings/s", style="dim")


class SweepProgress:
    """A progress bar over trainings; silent where there is no terminal."""

    def __init__(self, trainings: int, already: int = 0, *, quiet: bool = False) -> None:
        """Prepare the bar; ``already`` trainings were done before. A ``quiet`` one shows nothing, and says nothing."""
        console = Console(stderr=True, quiet=quiet)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=trainings, completed=already)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()

    def update(self, activity: str, trainings: int | None = None) -> None:
        """Show what is being done, and how many trainings there will be in all if that has changed."""
        self._bar.update(self._task, description=activity, total=trainings)

    def advance(self, trainings: int) -> None:
        """Show that so many more trainings are finished."""
        self._bar.advance(self._task, trainings)

    def print(self, line: str) -> None:
        """Print a line above the bar, or where there is none."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

"""Lists on the terminal, and how tables are printed. Nothing heavy is imported: `list` answers at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.errors import printable
from bench.store.listing import SweepInfo

WIDE = 200


@contextmanager
def phase(words: str) -> Iterator[None]:
    """Show on a terminal what is being done meanwhile; elsewhere nothing."""
    console = Console(stderr=True)
    with console.status(words) if console.is_terminal and not console.no_color else nullcontext():
        yield


def experiments_table(titles: Mapping[str, str]) -> None:
    """Print experiments by name."""
    table = Table("experiment", "title", box=None, header_style="bold")
    for name, title in titles.items():
        table.add_row(escape(name), escape(title))
    print_table(table)


def sweeps_table(found: Sequence[SweepInfo]) -> None:
    """Print the sweeps of a store: what came of each, or how to go on with one that has not ended."""
    table = Table(box=None, header_style="bold")
    table.add_column("sweep", no_wrap=True)
    table.add_column("what")
    table.add_column("started (UTC)", no_wrap=True)
    table.add_column("trainings", no_wrap=True, justify="right")
    table.add_column("what came of it")
    for info in found:
        came = "running" if info.running else info.answer or info.command
        said = f"not finished; go on with: {info.resuming}" if info.resuming else came
        words = (info.sweep[:8], escape(info.name), f"{info.started:%Y-%m-%d %H:%M}", f"{info.trainings:,}")
        table.add_row(*words, escape(said), style="yellow" if info.resuming else None)
    print_table(table)


def print_table(table: Table, *, on_stderr: bool = False) -> None:
    """Print a table, unbroken where there is no terminal to fit it to."""
    output(Console(stderr=on_stderr)).print(table)


class _Plain(Console):
    """Console on which no text that is stored, or that a user gave, moves or colours anything."""

    def render_str(self, text: str, **style: Any) -> Text:
        """Return a text to be shown: all of tables and sentences comes this way."""
        return super().render_str(printable(text), **style)


def output(console: Console) -> Console:
    """Return a console: a wide one where it is no terminal, and one without any style where NO_COLOR is set."""
    if not console.is_terminal:
        return _Plain(stderr=console.stderr, width=WIDE)
    return _Plain(stderr=console.stderr, color_system=None if console.no_color else "auto")

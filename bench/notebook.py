"""What a notebook shows: a sweep as a table, and how far one has come."""

import time
from html import escape
from typing import Any

import pandas as pd

from bench.running.progress import SweepProgress
from bench.running.work import Work

EVERY_S = 0.2


def sweep_html(headline: str, rows: pd.DataFrame, more: str) -> str:
    """Return a table as HTML under its headline; whatever it holds is text."""
    heads = "".join(f"<th>{escape(str(name))}</th>" for name in rows)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in row)}</tr>"
        for row in rows.itertuples(index=False, name=None)
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div><p><b>Sweep</b> {escape(headline)}</p>{table}{f'<p>{escape(more)}</p>' if more else ''}</div>"


class NotebookProgress(SweepProgress):
    """A progress bar below the cell, in plain HTML: it needs no widgets, and the last one stays."""

    def __init__(self, total: Work, already: float = 0.0, workers: int = 1) -> None:
        """Show the bar; ``already`` is the share that was done before."""
        from IPython.display import HTML, display

        super().__init__(total, already, workers)
        self._html, self._shown_at = HTML, 0.0
        self._display: Any = display(HTML(self._words()), display_id=True)

    def advance(self, more: Work) -> None:
        """Note finished work."""
        super().advance(more)
        if time.monotonic() - self._shown_at > EVERY_S:
            self._show()

    def __exit__(self, *error: object) -> None:
        """Leave the bar as it stands."""
        self._show()

    def print(self, line: str) -> None:
        """Print a line below the cell."""
        print(line)  # noqa: T201 - this is what it is for

    def _show(self) -> None:
        self._shown_at = time.monotonic()
        self._display.update(self._html(self._words()))

    def _words(self) -> str:
        return f'<progress value="{self.share:.4f}" max="1"></progress> {self.words}'

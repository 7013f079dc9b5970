"""What a notebook shows: a sweep as a table, and how far one has come."""

import time
from html import escape
from typing import Any

import pandas as pd

from bench.running.progress import SweepProgress

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

    def __init__(self, trainings: int, already: int = 0) -> None:
        """Show the bar; ``already`` trainings were done before."""
        from IPython.display import HTML, display

        super().__init__(trainings, already)
        self._html, self._shown_at = HTML, 0.0
        self._display: Any = display(HTML(self._words()), display_id=True)

    def advance(self, trainings: int) -> None:
        """Note finished trainings."""
        super().advance(trainings)
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
        task = self._bar.tasks[0]
        done, total = int(task.completed), int(task.total or 0)
        speed = f", {task.speed:,.0f} trainings/s" if task.speed else ""
        return f'<progress value="{done}" max="{total}"></progress> {done:,} of {total:,} trainings{speed}'

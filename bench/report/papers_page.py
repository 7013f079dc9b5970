"""Page of papers: what each of them published, what is trained here, whether the two agree, and why they may not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report import colours
from bench.report.charts import Cell, Column, Table, tabulate, text
from bench.report.ledger import KINDS
from bench.report.number_format import duration, short
from bench.report.page import templates
from bench.stats.claims import Verdict, counted_verdicts

MARGIN = 0.08  # of the picture's width, on either side
RECALLED = "recalled: not looked up in the paper's text"


@dataclass(frozen=True)
class Paper:
    """One experiment about a paper with the verdicts on its claims.

    ``seconds`` is what it took when it was trained, and ``sweep`` the id of the sweep.
    """

    name: str
    title: str
    about: str
    command: str
    sweep: str
    seconds: float
    trainings: int
    verdicts: Sequence[Verdict]
    failed: bool = False  # a training failed, or a claim that nobody published is refuted

    @property
    def words(self) -> str:
        """What it took, in words."""
        return f"{self.trainings:,} trainings, {duration(self.seconds)}"


def papers_page(papers: Sequence[Paper]) -> str:
    """Return one HTML page, which needs no network, with a table of all claims and a section for each paper."""
    texts, jinja = templates()
    return jinja.get_template("papers.html").render(
        title="Published claims, trained again",
        papers=papers,
        summary=_summary(papers),
        counted=counted_verdicts([one for paper in papers for one in paper.verdicts]),
        kinds=KINDS,
        intervals=intervals,
        recalled=RECALLED,
        colours=colours.css(),
        css=texts["page.css"],
        js=texts["page.js"],
    )


def intervals(numbers: Mapping[str, Sequence[float]]) -> Mapping[str, Any]:
    """Return where both figures and their intervals lie in a picture, in percent of its width, and its two ends."""
    finite = [value for values in numbers.values() for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    room = MARGIN * ((high - low) or abs(high) or 1.0)
    start, width = low - room, high - low + 2 * room
    rows = {
        name: [100 * (min(max(value, low), high) - start) / width for value in values]
        for name, values in numbers.items()
    }
    return {"rows": rows, "low": short(low), "high": short(high)} | {
        "at": [100 * (end - start) / width for end in (low, high)]
    }


def _summary(papers: Sequence[Paper]) -> Table:
    rows = [{**vars(one), "paper": paper.name} for paper in papers for one in paper.verdicts]
    verdict = Column(
        "verdict", lambda row: Cell(f"{row['verdict']}{'*' if row['recalled'] else ''}", kind=KINDS[row["verdict"]])
    )
    columns = [text("paper", "paper", href=lambda row: f"#{row['paper']}"), text("claim", "what"), verdict]
    columns += [text("published", "expected"), text("observed", "observed"), text("difference", "difference")]
    return tabulate("papers", "Published claims", rows, columns)

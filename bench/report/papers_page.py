"""Page of papers: what each of them published, what is trained here, whether the two agree, and why they may not."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import colours
from bench.report.charts import Cell, Column, Table, tabulate, text
from bench.report.ledger import KINDS
from bench.report.number_format import NONE, duration
from bench.report.page import templates
from bench.stats.claims import Verdict, counted_verdicts

NAMED = {True: "recalled: not looked up in the paper's text", False: ""}


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
        papers=papers,
        summary=_summary(papers),
        counted=counted_verdicts([one.verdict for paper in papers for one in paper.verdicts]),
        kinds=KINDS,
        none=NONE,
        named=NAMED,
        colours=colours.css(),
        css=texts["page.css"],
        js=texts["page.js"],
    )


def _summary(papers: Sequence[Paper]) -> Table:
    rows = [{**vars(one), "paper": paper.name} for paper in papers for one in paper.verdicts]
    verdict = Column(
        "verdict", lambda row: Cell(f"{row['verdict']}{'*' if row['recalled'] else ''}", kind=KINDS[row["verdict"]])
    )
    columns = [text("paper", "paper", href=lambda row: f"#{row['paper']}"), text("claim", "what"), verdict]
    columns += [text("published", "expected"), text("observed", "observed"), text("difference", "difference")]
    return tabulate("papers", "Published claims", rows, columns)

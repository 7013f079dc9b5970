"""The page: what a sweep asked, what became of every training, and what that shows, in one HTML file."""

from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from bench.report import (
    attractors, backends, colours, drawing, effects, final_errors, ledger, loss_curves, paired_differences, search,
    solved_rates, time_to_solution,
)  # fmt: skip
from bench.report.charts import Chart, Finding
from bench.report.comparison import comparison
from bench.report.findings import caveats, findings
from bench.report.number_format import OBJECTIVES, plural, whole
from bench.report.sections import Content, SweepData
from bench.stats.search_results import SearchResults

SECTIONS = {
    section.name: section
    for section in (
        ledger.SECTION,
        search.SECTION,
        solved_rates.SECTION,
        time_to_solution.SECTION,
        loss_curves.SECTION,
        final_errors.SECTION,
        attractors.SECTION,
        effects.SECTION,
        paired_differences.SECTION,
        backends.SECTION,
        ledger.CLAIMS,
        ledger.COMMANDS,
    )
}


class Report:
    """One sweep's sections, each computed once and only when it is asked for."""

    def __init__(self, data: SweepData, key: int = 1) -> None:
        """Take up a sweep; ``key`` tells its names on the page from those of other sweeps."""
        self.data = data
        self.key = key
        self.contents: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return the content of a section."""
        if name not in self.contents:
            self.contents[name] = SECTIONS[name].content(self.data)
        return self.contents[name]

    @cached_property
    def findings(self) -> list[Finding]:
        """The sentences of the first screen."""
        return findings(self.data, self["ledger"], self["backends"])

    @property
    def search_results(self) -> SearchResults | None:
        """All that is known of its search; None where it has none."""
        return self.data.search_results

    def charts(self) -> list[Chart]:
        """Return the main figures, for those who want them apart from the page: each section's, of its first block."""
        shown = [self[name] for name in SECTIONS if self[name]]
        first: list[Content] = [content[0] if isinstance(content, list) else content for content in shown]
        found = [chart for part in first for chart in (part.get("chart"), *part.get("charts", ()))]
        return [chart for chart in found if chart is not None and chart.panels]

    def context(self) -> dict[str, Any]:
        """Return all that the template shows of this sweep."""
        return {
            "data": self.data,
            "plan": self.data.plan,
            "question": self.data.plan.question,
            "k": self.key,
            "ledger": self["ledger"],
            "findings": self.findings,
            "caveats": caveats(self.data, self["ledger"], self["rates"], self["backends"]),
            "search_results": self.search_results,
            "sections": [(section, self[name]) for name, section in SECTIONS.items()],
        }


def render(reports: Sequence[Report]) -> str:
    """Return the HTML of one sweep's report, or of several one after the other."""
    folder = files("bench.report").joinpath("templates")
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    jinja = Environment(
        loader=DictLoader(texts),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"whole": whole, "plural": plural}
    # names given as globals are those that macros see too
    jinja.globals |= {"variables": colours.VARIABLES, "scale": colours.scale(), "objectives": OBJECTIVES}
    with drawing.style():
        sweeps = [report.context() for report in reports]
        return jinja.get_template("report.html").render(
            title=" · ".join(report.data.plan.question.title for report in reports),
            colours=colours.css(),
            css=texts["page.css"],
            js=texts["page.js"],
            sweeps=sweeps,
            comparison=comparison([report.data for report in reports]),
        )

"""The page: what a sweep asked, what became of every training, and what that shows, in one HTML file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from bench.config.plan import Plan
from bench.model.labels import bare, varying
from bench.report import colours, drawing
from bench.report.attractors import attractors
from bench.report.backends import backends_section
from bench.report.caveats import until_words, warnings
from bench.report.charts import Chart, Finding
from bench.report.comparison import comparison
from bench.report.effects import matters
from bench.report.final_errors import errors
from bench.report.findings import findings
from bench.report.ledger import again, claims, ledger
from bench.report.loss_curves import curves, is_single
from bench.report.paired_differences import pairs
from bench.report.search import search
from bench.report.solved_rates import rates
from bench.report.time_to_solution import times
from bench.stats.block_analysis import DIGITS, NAME, BlockAnalysis, block_analyses, in_order, trial_table
from bench.stats.claims import Verdict
from bench.stats.search_results import SearchResults, search_results

MOST_VALUES = 12
TITLES = {
    "ledger": "Every training",
    "search": "Search",
    "rates": "How surely",
    "times": "How fast",
    "curves": "Training curves",
    "errors": "Where they end",
    "attractors": "Where they get stuck",
    "matters": "What matters",
    "pairs": "Compared by seed",
    "backends": "Backends",
    "claims": "Claims",
    "again": "Again",
}


@dataclass(frozen=True, eq=False)
class SweepData:
    """Everything that the page shows of one sweep, as plain data.

    ``runs`` has the address of each trial's run in the MLflow UI, and ``mlflow`` says when it answers. ``searched`` is
    what a search kept when it ended: importances, and where the time went.
    """

    sweep: str
    status: str
    started: datetime
    plan: Plan
    environment: dict[str, Any]
    figures: dict[str, float]
    trainings: pd.DataFrame
    timings: pd.DataFrame
    cold_starts: Sequence[dict[str, Any]]
    verdicts: Sequence[Verdict]
    runs: Mapping[str, str] = field(default_factory=dict)
    mlflow: str = ""
    searched: Mapping[str, Any] | None = None
    curves: int | None = None  # the most seeds of a trial whose curves are in trainings; None for all that were kept


class Report:
    """One sweep's sections, each computed once and only when it is asked for."""

    def __init__(self, swept: SweepData, key: int = 1) -> None:
        """Take up a sweep; ``key`` tells its names on the page from those of other sweeps."""
        self.swept = swept
        self.k = key
        self.plan = swept.plan

    @cached_property
    def _table(self) -> pd.DataFrame:
        return trial_table(self.plan)

    @cached_property
    def _studies(self) -> list[BlockAnalysis]:
        return list(block_analyses(self.plan, self.swept.trainings))

    @cached_property
    def ledger(self) -> dict[str, Any]:
        """What became of every training."""
        return ledger(self._table, self.plan.blocks, self.swept.trainings)

    @cached_property
    def findings(self) -> list[Finding]:
        """The sentences of the first screen."""
        return findings(self._studies, self.ledger, self.backends, self.swept.verdicts, self.searched)

    @cached_property
    def searched(self) -> SearchResults | None:
        """All that is known of its search; None where it has none."""
        return search_results(self.plan, self.swept.trainings, self.swept.searched)

    @cached_property
    def search(self) -> dict[str, Any] | None:
        """What a search found."""
        return search(self.searched, "1") if self.searched else None

    @cached_property
    def backends(self) -> dict[str, Any] | None:
        """Whether backends agree, and how fast they are."""
        names = dict(zip(self._table.index, self._table[NAME], strict=True))
        return backends_section(self.swept.trainings, self.swept.timings, self.swept.cold_starts, names)

    def charts(self) -> list[Chart]:
        """Return the main figures, for those who want them apart from the page: each section's first."""
        first = [part[0] for part in self._sections.values() if part]
        found = [one.get("chart") for one in first] + (self.search["charts"][:1] if self.search else [])
        found += [chart for one in first for chart in one.get("charts", ())]
        found += [self.backends["chart"]] if self.backends else []
        return [chart for chart in found if chart is not None and chart.panels]

    @cached_property
    def _sections(self) -> dict[str, list[dict[str, Any]]]:
        """Return the sections that have a part for each study."""
        many = [study for study in self._studies if not is_single(study)]
        trained = [study for study in many if len(study.trained)]
        singles = [study for study in self._studies if is_single(study)]
        until = self.plan.until
        asked: dict[str, tuple[list[BlockAnalysis], Callable[[BlockAnalysis, str], dict[str, Any] | None]]] = {
            "rates": ([study for study in many if len(study.begun)], lambda study, key: rates(study, until, key)),
            "times": (trained, times),
            "curves": ([*singles, *trained], lambda study, key: _if_drawn(curves(study, key))),
            "errors": (trained, lambda study, key: _if_drawn({"chart": errors(study, key)})),
            "attractors": (trained, attractors),
            "matters": (trained, matters),
            "pairs": (trained, pairs),
        }
        return {name: self._part(*parts) for name, parts in asked.items()}

    def _part(
        self, found: Sequence[BlockAnalysis], make: Callable[[BlockAnalysis, str], dict[str, Any] | None]
    ) -> list[dict[str, Any]]:
        numbered = [(study, make(study, str(self._studies.index(study) + 1))) for study in found]
        several = len(self._studies) > 1
        return [
            {"heading": (study.title or "The grid") if several else "", "picked": study.picked, **part}
            for study, part in numbered
            if part is not None
        ]

    def context(self) -> dict[str, Any]:
        """Return all that the template shows of this sweep."""
        trials = [planned.trial.parameters for planned in self.plan.trials]
        found: dict[str, Any] = {
            "swept": self.swept,
            "plan": self.plan,
            "question": self.plan.question,
            "k": self.k,
            "ledger": self.ledger,
            "findings": self.findings,
            "search": self.search,
            "warnings": warnings(self.swept, self.ledger, self._sections["rates"], self.backends, self.searched),
            "until": until_words(self.plan.until),
            "varying": _varying(trials),
            "fixed": _fixed(trials),
            "backends": self.backends,
            "claims": claims(self.swept.verdicts) if self.swept.verdicts else None,
            "mlflow": self.swept.mlflow,
            "trials": again(self._table, self.plan.blocks, _rounds(self.plan), self.swept.runs),
            **self._sections,
        }
        found["headings"] = _headings(self)
        found["contents"] = [(name, words) for name, words in TITLES.items() if found.get(name) or name == "again"]
        return found


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
    # names given as globals are those that macros see too
    jinja.globals |= {"variables": colours.VARIABLES, "scale": colours.scale()}
    with drawing.style():
        sections = [report.context() for report in reports]
        return jinja.get_template("report.html").render(
            title=" · ".join(report.plan.question.title for report in reports),
            colours=colours.css(),
            css=texts["page.css"],
            js=texts["page.js"],
            sections=sections,
            comparison=comparison([report.swept for report in reports]),
        )


def _if_drawn(part: dict[str, Any]) -> dict[str, Any] | None:
    return part if part["chart"] is not None else None


def _headings(report: Report) -> dict[str, str]:
    """Return the headings of the sections: what each is about."""
    held = sum(verdict.holds for verdict in report.swept.verdicts)
    return {
        "search": "What the search found",
        "rates": "From how many starts it is solved",
        "times": "How long it takes until it is solved",
        "curves": "The loss on its way",
        "errors": "Final errors",
        "attractors": "Endings that many share",
        "matters": "What one chooses, and what one does not",
        "pairs": "Trials compared seed by seed",
        "backends": "Whether they train alike, and how fast",
        "claims": f"{held:,} of {len(report.swept.verdicts):,} claims hold",
    }


def _rounds(plan: Plan) -> dict[str, int]:
    return {timing.trial.trial_id: timing.rounds for timing in plan.timings}


def _varying(parameters: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {name: _listed(name, [values[name] for values in parameters]) for name in varying(parameters)}


def _listed(name: str, values: Sequence[Any]) -> str:
    """Return the values of a parameter, or how many there are and their ends."""
    distinct = in_order(name, values)
    words = [bare(name, value, DIGITS) for value in distinct]
    return ", ".join(words) if len(words) <= MOST_VALUES else f"{len(words):,} values from {words[0]} to {words[-1]}"


def _fixed(parameters: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    varied = varying(parameters)
    return {name: str(value) for name, value in parameters[0].items() if name not in varied} if parameters else {}

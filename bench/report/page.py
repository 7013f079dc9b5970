"""The page: what a sweep asked, what became of every training, and what that shows, in one HTML file."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from bench.metrics import columns as c
from bench.metrics.objectives import OBJECTIVES
from bench.model.display_labels import name_words
from bench.report import colours, drawing
from bench.report.backends import backends
from bench.report.caveats import caveats
from bench.report.charts import Content, Finding, row_percent, write_picture
from bench.report.combinations import combinations
from bench.report.effects import effects
from bench.report.endings import attractors
from bench.report.explorer import explorer
from bench.report.findings import block_findings, findings
from bench.report.first_screen import answer, example, first_screen
from bench.report.ledger import claims, commands, ledger
from bench.report.loss_curves import curves
from bench.report.maps import maps
from bench.report.number_format import plural, short, whole
from bench.report.page_processes import made_side_by_side
from bench.report.pairs import pairs
from bench.report.panel_layout import is_single
from bench.report.restarts import restarts
from bench.report.search import search
from bench.report.section import ADDED, TEMPLATES, Section, added_sections, filled
from bench.report.shared_luck import shared_luck
from bench.report.sides import values_compared
from bench.report.solved_rates import rates
from bench.report.sweep_data import SweepData, heading
from bench.report.sweeps_compared import comparison
from bench.report.time_to_solution import times
from bench.stats.grid_analysis import NAME, GridAnalysis, most_undecided
from bench.stats.proportions import COUNT
from bench.stats.search_results import SearchResults
from bench.stats.survival import MEDIAN


def _by_block(
    make: Callable[[GridAnalysis, str], Content | None], data: SweepData, blocks: Sequence[GridAnalysis] | None = None
) -> list[Content]:
    """Return the content of each of these blocks that has some; of all that have distributions to show."""
    chosen = _trained(data) if blocks is None else blocks
    parts = [(block, make(block, str(data.blocks.index(block) + 1))) for block in chosen]
    return [
        {"heading": heading(data, block), "picked": block.proposed, **part} for block, part in parts if part is not None
    ]


def _trained(data: SweepData) -> list[GridAnalysis]:
    return [block for block in data.blocks if not is_single(block) and len(block.trained)]


def _rates(data: SweepData) -> list[Content]:
    return _by_block(partial(rates, until=data.plan.until), data, _uncombined(data, data.rated))


def _uncombined(data: SweepData, blocks: Sequence[GridAnalysis]) -> list[GridAnalysis]:
    """Return blocks without the best of several combinations: their rates come first, and they are no sample of any."""
    return [block for block in blocks if not (block.proposed and data.combinations)]


def _matters(data: SweepData) -> list[Content]:
    return _by_block(effects, data, _uncombined(data, _trained(data)))


def _explorer(data: SweepData) -> Content | None:
    grids = [block for block in data.blocks if not block.proposed and len(block.begun)]
    return explorer(data, example(most_undecided(grids)) if grids else "")


def _attractors(data: SweepData) -> list[Content]:
    return _by_block(partial(attractors, data), data)


def _curves(data: SweepData) -> list[Content]:
    most = max((planned.trainings for planned in data.plan.trials), default=0)
    kept = min(c.CURVES_PER_TRIAL, most if data.curves is None else data.curves)
    parts = _by_block(curves, data, [*(block for block in data.blocks if is_single(block)), *_trained(data)])
    return [{**part, "first": kept if kept < most else 0} for part in parts]


SECTIONS = (
    Section("maps", "Maps", "Where do starts learn?", "Every pixel a training", maps),
    Section("search", "Search", "Is the best really that good?", "What the search found", search),
    Section("combinations", "What helps", "What helps where?", "The best of each, against the first", combinations),
    Section("rates", "How surely", "Does it learn, and how surely?", "From how many starts it is solved", _rates),
    Section("explorer", "Pick a start", "What does it look like?", "Pick a start, and watch it learn, or not",
            _explorer),
    Section("times", "How fast", "How fast?", "How long it takes until it is solved", partial(_by_block, times)),
    Section("restarts", "Restarts", "How many starts?", "What it takes if one begins anew",
            partial(_by_block, restarts)),
    Section("curves", "Training curves", "What does learning look like?", "The loss on its way", _curves),
    Section("attractors", "How it fails", "How does it fail?", "Endings that many share", _attractors),
    Section("luck", "Who shares luck", "Who shares luck?", "The same starts in different settings",
            partial(_by_block, shared_luck)),
    Section("matters", "What matters", "What matters?", "What one chooses, and what one does not",
            _matters),
    Section("pairs", "Compared by seed", "Same start, one thing changed", "Trials compared seed by seed",
            partial(_by_block, pairs)),
    Section("backends", "Backends", "Which backend?", "Whether they train alike, and how fast", backends),
    Section("claims", "Claims", "What was expected?", "", claims),
    Section("ledger", "Every training", "Is everything here?", "What became of every training", ledger),
    Section("again", "Again", "Can I check it?", "The same again, and where this ran", commands),
)  # fmt: skip
LAST = 3  # of them that come after those of plug-ins: claims, and how everything can be checked


def sections() -> tuple[Section, ...]:
    """Return all sections, those of plug-ins among them; raise RequestError where one has a name that is taken."""
    added = (replace(one, content=_added(one)) for one in added_sections())
    return (*SECTIONS[:-LAST], *added, *SECTIONS[-LAST:])


def _added(section: Section) -> Callable[[SweepData], Any]:
    """Return what makes the content of a plug-in's section: where that fails, the page says so."""

    def content(data: SweepData) -> Any:
        try:
            return filled(section.content(data))
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises must cost one section, not the page
            return filled({"text": [f"This section failed: {type(error).__name__}: {error}"]})

    return content


def _named(name: str) -> Section:
    (found,) = (section for section in sections() if section.name == name)
    return found


SCRIPTS = ("engine.js", "stages.js", "explorer.js")  # that each page has, before those of what it shows


class Report:
    """One sweep's sections, each computed once and only when it is asked for.

    Where there is a folder for ``pictures``, its main figures are written there too.
    """

    def __init__(self, data: SweepData, key: int = 1) -> None:
        """Take up a sweep; ``key`` tells its names on the page from those of other sweeps."""
        self.data = data
        self.key = key
        self.pictures: Path | None = None
        self.contents: dict[str, Any] = {}
        self.block_findings: dict[str, list[tuple[int, Finding]]] = {}  # by section

    def __getitem__(self, name: str) -> Any:
        """Return the content of a section."""
        if name not in self.contents:
            self.contents[name] = _named(name).content(self.data)
        return self.contents[name]

    @cached_property
    def findings(self) -> list[Finding]:
        """The sentences of the first screen."""
        known = self.block_findings
        parts = [known[one.name] if one.name in known else block_findings(self.data, one.name) for one in sections()]
        return findings(self.data, self["ledger"], [finding for part in parts for finding in part])

    @property
    def answer(self) -> str:
        """What came of the sweep in a sentence, as the first screen has it."""
        return answer(self.data)

    @cached_property
    def first_screen(self) -> Content:
        """The answer and its figures."""
        return first_screen(self.data)

    @property
    def search_results(self) -> SearchResults | None:
        """All that is known of its search; None where it has none."""
        return self.data.search_results

    def header(self) -> dict[str, Any]:
        """Return what the template of the first screen shows."""
        return {
            **_shown(self.data),
            "ledger": self["ledger"],
            "first": self.first_screen,
            "findings": self.findings,
            "caveats": caveats(self.data, self["ledger"]),
            "search_results": self.search_results,
            "told": _told(self.data),
        }

    def part(self, name: str) -> tuple[str, list[tuple[int, Finding]]]:
        """Return the HTML of a section, and what it has to say on the first screen."""
        return self.html(name), block_findings(self.data, name)

    def prepare(self) -> None:
        """Draw the first screen, which needs the store."""
        with drawing.style():
            self.first_screen  # noqa: B018  # it is kept

    def html(self, name: str) -> str:
        """Return the HTML of a section; nothing where it has nothing to show."""
        section = _named(name)
        with drawing.style():
            content = self[name]
            if not content:
                return ""
            self._write_pictures(content)
            template = f"{name}.html" if section in SECTIONS else ADDED
            return _section_html(section, template, content, self.data, self.key)

    def header_html(self) -> str:
        """Return the HTML of the first screen."""
        _, jinja = templates()
        with drawing.style():
            self._write_pictures(self.first_screen)
            return jinja.get_template("header.html").render(s=self.header(), k=self.key)

    def _write_pictures(self, content: Any) -> None:
        """Write the figures of a part, those of its first block, each as a PNG file that stands alone."""
        if self.pictures is None:
            return
        part = content[0] if isinstance(content, list) else content
        source = f"{self.data.title} · sweep {self.data.sweep[:8]}"
        for chart in (part.get("chart"), *part.get("charts", ())):
            if chart is not None and chart.panels:
                write_picture(chart, self.pictures / f"{chart.name}.png", source)


def added_html(section: Section, data: SweepData) -> str:
    """Return the HTML of a plug-in's section, "" where it has nothing to show; raise whatever it raises."""
    with drawing.style():
        content = filled(section.content(data))
        return _section_html(section, ADDED, content, data, 1) if content else ""


def _section_html(section: Section, template: str, content: Any, data: SweepData, key: int) -> str:
    _, jinja = templates()
    whole_section = jinja.get_template("section.html")
    return whole_section.render(section=section, template=template, content=content, s=_shown(data), k=key)


def _shown(data: SweepData) -> dict[str, Any]:
    """Return what every template may show."""
    return {"data": data, "plan": data.plan, "question": data.plan.question}


def render(reports: Sequence[Report], by: str | None = None) -> str:
    """Return the HTML of one sweep's report, or of several one after the other; its parts are made side by side.

    It begins with what differs between sweeps, and with the values compared of the parameter that it is ``by``.
    """
    texts, jinja = templates()
    all_sections = sections()
    names = [section.name for section in all_sections]
    sweeps = []
    for report, parts in zip(reports, made_side_by_side(reports, names), strict=True):
        report.block_findings |= {name: said for name, (_, said) in zip(names, parts, strict=True)}
        shown = [(section, html) for section, (html, _) in zip(all_sections, parts, strict=True)]
        header = report.header_html()
        sweeps.append({"k": report.key, "data": report.data, "header": header, "sections": shown})
    of_maps = ["maps.js"] if any(report.data.maps for report in reports) else []
    with drawing.style():
        data = [report.data for report in reports]
        compared = comparison(data)
        values = {"name": name_words(by), "parts": values_compared(data, by)} if by else None
    return jinja.get_template("report.html").render(
        title=" · ".join(report.data.title for report in reports),
        colours=colours.css(),
        css=texts["page.css"],
        js="\n".join(texts[name] for name in (*SCRIPTS, *of_maps, "page.js")),
        sweeps=sweeps,
        comparison=compared,
        by=values,
    )


def _told(data: SweepData) -> dict[str, tuple[str, str]]:
    """Return by trial what is said of it where one points at it, and the block that shows it."""
    told: dict[str, tuple[str, str]] = {}
    for block in data.blocks:
        medians = block.times.set_index(c.TRIAL_ID)[MEDIAN]
        for row in block.rates.to_dict("records"):
            median = medians[row[c.TRIAL_ID]]
            half = f"; half of all starts within {short(median)} iterations" if pd.notna(median) else ""
            what = f"{row[NAME]}: {row[c.SOLVED]:,} of {plural(row[COUNT], 'start')} solve it, {row_percent(row)}{half}"
            told.setdefault(drawing.short_id(row[c.TRIAL_ID]), (what, block.title))
    return told


def _source_hash(script: str) -> str:
    """Return what a Content-Security-Policy calls a script: a browser then runs that one, and no other."""
    return f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


@cache
def templates() -> tuple[dict[str, str], Environment]:
    """Return the templates' texts by name, and what compiles each of them once for all reports of a process."""
    texts = {file.name: file.read_text(encoding="utf-8") for file in TEMPLATES.iterdir()}
    jinja = Environment(
        loader=DictLoader(texts),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"whole": whole, "plural": plural, "sha256": _source_hash}
    # names given as globals are those that macros see too
    jinja.globals |= {"variables": colours.VARIABLES, "scale": colours.scale(), "objectives": OBJECTIVES}
    return texts, jinja

"""What every section of the report must be: there or not, whatever the sweep, and HTML that says what it should."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from bench.backends import load
from bench.config.plan import Plan, PlannedTrial, Question
from bench.model.gate import Gate
from bench.model.initialization import MAX_SEED
from bench.model.outcome import Batch, Record, Result
from bench.model.trial import Trial
from bench.plugins import NAME, SECTION, kind_of
from bench.report.page import added_html
from bench.report.section import Section
from bench.report.sweep_data import SweepData
from bench.store.reader import read_columns, trainings_frame
from bench.store.tables import rows, timing_frame

EVIL = '<i data-evil="1">&amp;\'</i>'
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
QUICK = {"backend": "numpy", "iterations": 60, "learning_rate": 5.0, "gate": "or", "curve_points": 10}
SWEEPS = {  # of trials, and what becomes of each: trained, refused, or not there yet
    "nothing yet": ([QUICK], None),
    "one trial": ([QUICK], Result.SOLVED),
    "several trials": ([QUICK, {**QUICK, "hidden": 0}, {**QUICK, "gate": "xor"}], Result.SOLVED),
    "nothing solved": ([{**QUICK, "gate": "xor", "learning_rate": 1e-6}], Result.STUCK),
    "all refused": ([QUICK, {**QUICK, "hidden": 2}], Result.UNSUPPORTED),
    "all failed": ([QUICK], Result.FAILED),
}


def swept(trials, fate, seeds=range(4)):
    """Return what a page is made from: some trials, trained here where they are."""
    planned = [PlannedTrial(Trial(**values), (0,), seeds, ()) for values in trials]
    plan = Plan(tuple(planned), 0, question=Question("made-up", EVIL, EVIL, "python -m bench sweep"))
    records = [_record(one.trial, seeds, fate) for one in planned] if fate else []
    found = trainings_frame([rows(one, MAX_SEED).select(read_columns(None, plan)) for one in records], plan, None)
    return SweepData(
        sweep="0123456789abcdef",
        status="FINISHED",
        started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        plan=plan,
        environment={},
        figures={},
        trainings=found,
        timings=timing_frame([]),
        cold_starts=[],
        verdicts=[],
    )


def _record(trial, seeds, fate):
    if fate in {Result.UNSUPPORTED, Result.FAILED}:
        return Record(trial, tuple(seeds), result=fate, reason="no such device")
    return Record(trial, tuple(seeds), outcome=load("numpy").train(Batch.of(trial, seeds)))


class Reader(HTMLParser):
    """A reader of HTML that notes tags which do not match, anchors, and what scripts or styles it has."""

    def __init__(self, html):
        super().__init__()
        self.open, self.problems, self.ids, self.tags = [], [], [], set()
        self.feed(html)
        self.problems += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.problems += [f"<{tag}> has {name}" for name, _ in attrs if name == "data-evil" or name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if self.open[-1:] == [tag]:
            self.open.pop()
        else:
            self.problems.append(f"</{tag}> after {self.open[-1:]}")


class SectionContract:
    """Tests of a section. A subclass whose name begins with ``Test`` says which: ``section = HARDEST``."""

    section: Section

    def test_a_section_is_a_record_with_a_name_of_one_word(self):
        """Its anchor in the page; and it has words for the contents and above itself."""
        assert kind_of(self.section) == SECTION
        assert NAME.fullmatch(self.section.name)
        assert all((self.section.contents, self.section.question, self.section.heading))

    @pytest.mark.parametrize("sweep", SWEEPS)
    def test_it_is_well_formed_html_or_nothing(self, sweep):
        """Whatever became of the trainings: every tag is closed, no anchor is there twice, nothing is fetched."""
        html = added_html(self.section, swept(*SWEEPS[sweep]))
        found = Reader(html)
        assert found.problems == []
        assert len(set(found.ids)) == len(found.ids)
        assert not html or f"{self.section.name}-1" in found.ids
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html)

    def test_it_shows_something_of_a_usual_sweep(self):
        """Else nobody would ever see it."""
        assert added_html(self.section, swept(*SWEEPS["several trials"]))

    def test_what_users_wrote_is_escaped(self):
        """A gate's name is its file's, and may be anything."""
        gate = Gate(EVIL, np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 1]))
        trials = [{**QUICK, "gate": gate}, {**QUICK, "gate": gate, "hidden": 0}]
        html = added_html(self.section, swept(trials, Result.SOLVED))
        assert EVIL not in html
        assert Reader(html).problems == []

    def test_it_is_the_same_every_time(self):
        """A page that is written again does not change."""
        data = swept(*SWEEPS["several trials"])
        assert added_html(self.section, data) == added_html(self.section, data)

    def test_it_leaves_the_trainings_as_they_are(self):
        """Other sections read them too."""
        data = swept(*SWEEPS["several trials"])
        before = data.trainings.copy(deep=True)
        added_html(self.section, data)
        assert data.trainings.equals(before)

"""Papers: experiments about published claims carried out, or read again where they have been, and told on one page."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.config.experiment import read_experiment
from bench.config.files import PAPERS, papers
from bench.config.plan import Plan
from bench.config.values import Overrides
from bench.errors import raising_all, unknown
from bench.lifecycle import Options, carry_out, checked_plan, finished
from bench.report.papers_page import Paper, papers_page
from bench.report_files import REPORTS
from bench.results import Sweep
from bench.stats.claims import REFUTED
from bench.user_files import check_output, written_aside

PAGE = REPORTS / "papers.html"
FINISHED_SECONDS = "total_seconds"


def check_papers(names: Sequence[str], output: Path | None = None) -> dict[str, Path]:
    """Return the files of these papers by name, of all if there are none; raise RequestError for what cannot be."""
    known = papers()
    with raising_all() as problems:
        problems += [unknown("paper", name, known) for name in names if name not in known]
        check_output(output or PAGE, ".html")
    return {name: known[name] for name in names or known}


def judged_papers(files: dict[str, Path], options: Options) -> Iterator[Paper]:
    """Yield each paper with the verdicts on its claims; its experiment is carried out unless the store has it finished.

    Its claims are those that its file has now: they may have been changed since it was trained.
    """
    for name, path in files.items():
        word = f"{PAPERS}/{name}"
        experiment = read_experiment(path, Overrides(), [word])
        plan = checked_plan(experiment)
        swept = finished(experiment, plan, options) if options.reuse else None
        if swept is None:
            options.say(f"{word}: {experiment.title}")
            swept = carry_out(experiment, replace(options, started=time.monotonic()))
        yield _paper(name, swept, plan)


def _paper(name: str, swept: Sweep, plan: Plan) -> Paper:
    question = plan.question
    swept = swept.with_plan(replace(swept.plan, claims=plan.claims, question=question))
    return Paper(
        name,
        question.title,
        question.about,
        question.command,
        swept.id,
        swept.figures.get(FINISHED_SECONDS, 0.0),
        plan.trainings + plan.points,
        swept.verdicts,
        bool(swept.outcomes["failed"]) or any(one.verdict == REFUTED for one in swept.verdicts),
    )


def write_papers(found: Sequence[Paper], output: Path | None = None) -> Path:
    """Write the page, and return where it is."""
    path = output or PAGE
    with written_aside(path) as beside:
        beside.write_text(papers_page(found), encoding="utf-8")
    return path

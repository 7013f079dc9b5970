"""Sections of the page: what each is called, what it asks, and what it shows."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from bench import plugins

if TYPE_CHECKING:  # a worker that loads a plug-in needs none of it
    from bench.report.sweep_data import SweepData

ADDED = "added.html"  # the template of sections that plug-ins add
PARTS: dict[str, Any] = {"heading": "", "text": (), "charts": (), "tables": (), "how": ""}  # what it shows
TEMPLATES = files("bench.report").joinpath("templates")


@dataclass(frozen=True)
class Section:
    """A section of the page: its anchor, its name in the contents, its question, its heading, and what it shows.

    There is no section where its content is empty. That of a section which is built in is shown by the template of its
    name; a heading that depends on it is part of it. A plug-in's has, where there is any, ``text`` (sentences),
    ``charts`` (`bench.report.charts.Chart`), ``tables`` (`bench.report.charts.Table`) and ``how`` (how it is to be
    read); several are a list of such, each with its ``heading``.
    """

    name: str
    contents: str
    question: str
    heading: str
    content: "Callable[[SweepData], Any]"


def added_sections() -> tuple[Section, ...]:
    """Return the sections of plug-ins; raise RequestError for one that is none, or that has a template's name."""
    taken = [one.name.removesuffix(".html") for one in TEMPLATES.iterdir() if one.name.endswith(".html")]
    return tuple(plugins.find(plugins.SECTION, name) for name in plugins.names(plugins.SECTION, taken))


def filled(content: Any) -> Any:
    """Return a plug-in's content with all its parts; raise ValueError for one that there is not."""
    if isinstance(content, list | tuple):
        return [filled(one) for one in content]
    if other := set(content or ()) - set(PARTS):
        raise ValueError(f"{', '.join(map(repr, sorted(other)))} cannot be shown; allowed are {', '.join(PARTS)}")
    return {**PARTS, **content} if content else None

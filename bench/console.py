"""What the terminal shows: results on stdout, everything else on stderr."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.config.map_config import write_axis
from bench.config.plan import Plan, PlannedTrial
from bench.config.search_config import Search
from bench.config.seeds import write_seeds
from bench.errors import printable
from bench.listings import output, print_table
from bench.metrics import columns as c
from bench.metrics.objectives import SOLVED_RATE
from bench.model.display_labels import USUAL, bare, labels, name_words, short, varying
from bench.model.maps import Map
from bench.model.network import weight_names
from bench.model.trial import PARAMETERS, Trial
from bench.report.map_words import map_row
from bench.report.number_format import NONE, PER_CENT, about, bare_value, percent_interval, plural
from bench.stats.claims import HOLDS, OF_PUBLISHED, REFUTED, UNDECIDED, counted_verdicts
from bench.stats.grid_analysis import DIGITS
from bench.stats.holdout import HELD_OUT, KIND, SEARCH, TITLE, WINNER, column, interval_of
from bench.stats.mlflow_summary import trial_medians
from bench.stats.numeric_axis import thinned
from bench.stats.proportions import HIGH, LOW, RATE, counted_rates

if TYPE_CHECKING:
    from bench.report.charts import Finding
    from bench.results import Sweep
    from bench.stats.combinations import CombinationResults
    from bench.stats.map_analysis import MapAnalysis
    from bench.stats.search_results import SearchResults

MOST_ROWS = 50
MOST_PLANNED = 500  # rows of a plan
SOLVED_AT = ",.0f"  # infinite where fewer than half have solved
SOLVED_HEADING = "solved [95 %]"
FIGURES = (SOLVED_HEADING, "median iterations", "median mse", "µs per iteration")  # the last is left out first
USUAL_VALUES = Trial().parameters


def say(message: str) -> None:
    """Tell the user something that is not the result."""
    click.echo(printable(message), err=True)


def plan_table(plan: Plan, estimated: str) -> None:
    """Print the trials of a plan, of many the first, and the size of its work, as it is ``estimated``."""
    table = Table("trial", "configuration", "seeds", box=None, header_style="bold")
    listed = plan.trials[:MOST_PLANNED]
    names = labels([p.trial.parameters for p in listed], [p.blocks[0] for p in listed])
    for planned, name in zip(listed, names, strict=True):
        alone = f" (alone: {write_seeds(planned.alone)})" if planned.alone else ""
        table.add_row(planned.trial.trial_id, escape(name), write_seeds(planned.seeds) + alone)
    if plan.trials:
        print_table(table)
    if len(listed) < len(plan.trials):
        click.echo(f"... and {plural(len(plan.trials) - len(listed), 'more trial')}: --format csv lists all")
    twice = f"; {plan.duplicates:,} named more than once and planned once" if plan.duplicates else ""
    if plan.search:
        click.echo(printable(_search_words(plan.search)))
        for words in repeats_words(plan.search):
            click.echo(printable(words))
    if plan.until:
        click.echo(f"and more seeds for those not alone, in rounds, until {plan.until}")
    for one in plan.maps:
        for words in map_words(one):
            click.echo(printable(words))
    some = "at most " if plan.search else ""
    trials = f"{plural(plan.expected_trials, 'trial')}, " if plan.expected_trials or not plan.maps else ""
    trainings = plural(plan.expected_trainings + plan.points, "training")
    work = f"{trainings}, {plural(plan.expected_iterations, 'iteration')}"
    click.echo(f"{some}{trials}{work}{twice}")
    click.echo(estimated)


def map_words(one: Map) -> Iterator[str]:
    """Yield lines on a map: what it is, its axes, and the names of the weights that axes may be."""
    size = f"{one.width:,} × {one.height:,} pixels"
    pairs = f" and {plural(one.pairs, 'pair')} at {plural(len(one.distances), 'distance')}" if one.pairs else ""
    yield f"map {one.map_id}{f' {one.title!r}' if one.title else ''}: {size}{pairs}, {plural(one.points, 'training')}"
    yield f"  x = {write_axis(one.x)}, y = {write_axis(one.y)}"
    if one.is_raised:
        yield "  in float64: in float32, pixels so near could not be told apart"
    if len({trial.network for trial in one.corners()}) == 1:
        yield f"  weights: {', '.join(weight_names(one.trial.network))}"


def maps_table(maps: "Sequence[MapAnalysis]") -> None:
    """Print per map what its pixels come to, and what its border is."""
    if not maps:
        return
    rows = [map_row(one) for one in maps]
    table = Table(box=None, header_style="bold")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "map" else "right", no_wrap=name != "map")
    for row in rows:
        table.add_row(*map(escape, row.values()))
    print_table(table)


def _search_words(search: Search) -> str:
    """Return what a search will do: its trials cannot be listed before they are proposed."""
    repeated = f", {len(search.studies):,} times" if len(search.studies) > 1 else ""
    if search.each:
        variants = {one.variant: None for one in search.each}
        repeated = f", for each of {len(search.each):,} combinations: {', '.join(variants)}"
    best = "best of each" if search.each else f"best {search.best:,}"
    held_out = f"; then the {best} with {plural(search.validate, 'held-out seed')}" if search.validate else ""
    limits = f" with {' and '.join(map(str, search.constraints))}" if search.constraints else ""
    return (
        f"{plural(search.trials, 'trial')} of a search over {', '.join(search.space)}, proposed by {search.sampler} "
        f"for {' and '.join(search.objectives)}{limits}, {plural(len(search.seeds), 'seed')} each{repeated}{held_out}"
    )


def repeats_words(search: Search) -> list[str]:
    """Return, where the space is smaller than the search, that trials will be proposed again."""
    if search.settings is None or search.settings >= search.trials:
        return []
    return [
        f"the space has only {plural(search.settings, 'setting')}: trials will repeat them, and are not trained again"
    ]


def trials_table(plan: Plan, counts: pd.DataFrame, sample: pd.DataFrame) -> None:
    """Print a table per block of a grid: what is the same for all its trials above, and in their rows what varies.

    Solved rates have exact intervals and are those of all trainings, by their ``counts``; medians over the seeds are
    those of a ``sample``, or of all.
    """
    rates, medians = counted_rates(counts), trial_medians(sample)
    left = MOST_ROWS
    for place, title in enumerate(plan.question.blocks):
        listed = [planned for planned in plan.trials if planned.blocks[0] == place]
        if not listed:
            continue
        if title:
            _say_dim(title, "bold")
        parameters = [planned.trial.parameters for planned in listed]
        known = [one for one in listed if one.trial.trial_id in rates.index]
        best = max(known, key=lambda one: rates[RATE][one.trial.trial_id]).trial.parameters if known else None
        places, words = thinned(parameters, varying(parameters), best=best)
        shown = [listed[place] for place in places]
        _print_block(shown[:left], rates, medians, f"{words} in the report" if words else "")
        if len(shown) > left:
            click.echo(f"... and {plural(len(listed) - left, 'more trial')} in the report")
        left = max(left - len(shown), 0)


def _print_block(listed: Sequence[PlannedTrial], rates: pd.DataFrame, medians: pd.DataFrame, words: str = "") -> None:
    """Print trials of one block, the less the narrower the terminal is: never is cut what tells them apart.

    Above them stand what they have in common, and some ``words``.
    """
    if not listed:
        return
    parameters = [planned.trial.parameters for planned in listed]
    varied = varying(parameters)
    same = {
        name: value
        for name, value in parameters[0].items()
        if value != USUAL_VALUES[name] and all(one[name] == value for one in parameters)
    }
    same |= {name: parameters[0][name] for name in USUAL if name not in varied}
    seeds = dict.fromkeys(plural(planned.trainings, "seed") for planned in listed)
    _say_dim(f"{short({name: same[name] for name in PARAMETERS if name in same}, DIGITS)}; {' or '.join(seeds)} each")
    if words:
        _say_dim(words)
    columns = {name_words(name): [bare(name, row[name], DIGITS) for row in parameters] for name in varied}
    found = [_figures(rates, medians, planned.trial.trial_id) for planned in listed]
    figures = {name: list(values) for name, values in zip(FIGURES, zip(*found, strict=True), strict=True)}
    figures = {name: values for name, values in figures.items() if set(values) != {NONE} or name == SOLVED_HEADING}
    width = output(Console()).width
    while _width(columns | figures) > width and len(figures) > 1:
        figures.popitem()
    if _width(columns | figures) > width:
        columns = {"trial": labels(parameters)}
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for name, values in (columns | figures).items():
        are_words = name == "trial" or not all(value.lstrip("-")[:1].isdigit() for value in values)
        is_left = name in columns and are_words
        heading = Text("\n".join(name.split()) if name in columns else "\n".join(name.split(maxsplit=1)))
        table.add_column(heading, justify="left" if is_left else "right", no_wrap=name != "trial", overflow="fold")
    for row in zip(*(columns | figures).values(), strict=True):
        table.add_row(*map(escape, row))
    print_table(table)


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    """Return how wide a table of these columns is."""
    return sum(max(map(len, (*name.split(), *values))) + 2 for name, values in columns.items())


def _say_dim(words: str, style: str = "dim") -> None:
    output(Console()).print(words, style=style, markup=False, highlight=False)


def best_table(found: "SearchResults") -> None:
    """Print the best trials of a search and its references: what they seemed, and what they are on held-out seeds.

    There is a column for every objective; those that the terminal has no room for come in a table of their own.
    """
    if found.held_out.empty:
        return
    rows = found.held_out.to_dict("records")
    titles = [str(row[TITLE]) for row in rows]
    figures, width, of_titles = _best_figures(found, rows), output(Console()).width, max(map(len, titles))
    room = _room(figures)
    if of_titles + 2 + sum(room.values()) > width:  # references are sentences, and what is varied stays whole
        figures = {name.replace(", ", ",\n"): values for name, values in figures.items()}
        room = _room(figures)
        varied = [len(title) for title, row in zip(titles, rows, strict=True) if row[KIND] == WINNER]
        of_titles = max(min(max(varied, default=of_titles), width - 2 - max(room.values())), 1)
    for names in _side_by_side(room, width - of_titles - 2):
        table = Table(box=None, header_style="bold")
        table.add_column("the best, and references", width=of_titles)
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for place, title in enumerate(titles):
            table.add_row(escape(title), *(figures[name][place] for name in names))
        print_table(table)


def combinations_table(found: "CombinationResults") -> None:
    """Print the solved rate of the first variant in each setting, and by how many points the others differ from it.

    On held-out seeds; settings that the terminal has no room for come in a table of their own.
    """
    from bench.report.combinations import change_cell  # Matplotlib takes a second
    from bench.stats.combinations import SETTING, VARIANT

    rows = {(row[VARIANT], row[SETTING]): row for row in found.table.to_dict("records")}
    columns = {
        setting: [
            change_cell(found, rows[name, setting]) if (name, setting) in rows else NONE for name in found.variants
        ]
        for setting in found.settings
    }
    width = max(map(len, (*found.variants, "")))
    for names in _side_by_side(_room(columns), output(Console()).width - width - 2):
        table = Table(box=None, header_style="bold")
        table.add_column("points", width=width)
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for place, variant in enumerate(found.variants):
            table.add_row(escape(variant), *(columns[name][place] for name in names))
        print_table(table)


def _best_figures(found: "SearchResults", rows: Sequence[Mapping[Any, Any]]) -> dict[str, list[str]]:
    """Return the columns of the best: the first objective as searched and held out, all others held out if they are."""
    validated = found.search.validate > 0
    sides = [(SEARCH, found.primary), *((HELD_OUT if validated else SEARCH, name) for name in found.objectives)]
    sides += [(HELD_OUT if validated else SEARCH, SOLVED_RATE)]
    said = {SEARCH: "as searched", HELD_OUT: "held out"}
    figures = {}
    for side, name in dict.fromkeys(sides):
        words = [bare_value(name, row[column(side, name)], *interval_of(row, side, name)) for row in rows]
        if side == SEARCH:  # by which they were chosen: no interval holds
            words = [one.partition(" [")[0] for one in words]
        figures[f"{'solved' if name == SOLVED_RATE else name}, {said[side]}"] = words
    return figures


def _room(figures: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return how wide each column is, with what is left free beside it."""
    return {name: max(map(len, (*name.split("\n"), *values))) + 2 for name, values in figures.items()}


def _side_by_side(room: Mapping[str, int], width: int) -> Iterator[list[str]]:
    """Yield the names of columns that fit beside each other, by the room that each takes; at least one at a time."""
    names: list[str] = []
    left = width
    for name, taken in room.items():
        if names and taken > left:
            yield names
            names, left = [], width
        names.append(name)
        left -= taken
    yield names


def findings_list(found: "Sequence[Finding]") -> None:
    """Print the findings, each with its evidence below, in lines that end between words."""
    console = output(Console())
    for finding in found:
        _paragraph(console, "• ", finding.sentence)
        _paragraph(console, "  ", finding.evidence, "dim")


def tell(sentences: Sequence[str]) -> None:
    """Print sentences on stderr, in lines that end between words."""
    for words in sentences:
        _paragraph(output(Console(stderr=True)), "• ", words)


def _paragraph(console: Console, first: str, words: str, style: str = "") -> None:
    lines = textwrap.wrap(
        words.replace(" %", PER_CENT),
        console.width,
        initial_indent=first,
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    text = "\n".join(lines) if console.is_terminal else f"{first}{words}"
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _figures(rates: pd.DataFrame, medians: pd.DataFrame, trial_id: str) -> list[str]:
    rate = rates.loc[trial_id] if trial_id in rates.index else None
    row = medians.loc[trial_id] if trial_id in medians.index else dict.fromkeys(medians.columns)
    return [
        NONE if rate is None else percent_interval(*map(float, rate[[RATE, LOW, HIGH]])),
        _number(row[c.SOLVED_AT], SOLVED_AT),
        _number(row[c.FINAL_MSE], ".3g"),
        _number(row[c.ITERATION_US], ".3g"),
    ]


MARKS = {HOLDS: "[green]✓[/]", REFUTED: "[red]✗[/]", UNDECIDED: "[yellow]?[/]"}
MARKS |= {
    OF_PUBLISHED[own]: mark for own, mark in ((HOLDS, "[green]=[/]"), (REFUTED, "[yellow]≠[/]"), (UNDECIDED, "?"))
}


def claims_table(claims: pd.DataFrame, *, on_stderr: bool = False) -> None:
    """Print claims, expected beside observed."""
    if claims.empty:
        return
    table = Table("", "source", "what", "expected", "observed", box=None, header_style="bold")
    for row in claims.to_dict("records"):
        recalled = " (recalled)" if row.get("recalled") else ""
        observed = f"{row['observed']}{_more_seeds(row['seeds'])}"
        words = (row["source"], row["what"], f"{row['expected']}{recalled}", observed)
        table.add_row(MARKS[row["verdict"]], *map(escape, words))
    print_table(table, on_stderr=on_stderr)


def papers_table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print what papers have published beside what was observed; a star marks what is recalled."""
    table = Table("", "paper", "claim", "published", "observed", "difference", box=None, header_style="bold")
    for row in rows:
        star = "*" if row["recalled"] else ""
        words = (row["paper"], row["what"], f"{row['expected']}{star}", row["observed"], row["difference"])
        table.add_row(f"{MARKS[row['verdict']]} {row['verdict']}", *map(escape, words))
    print_table(table)


def _more_seeds(seeds: float | None) -> str:
    return "" if seeds is None else f"; about {about(seeds)} seeds would decide"


def print_results(swept: "Sweep") -> None:
    """Print what came of a sweep's trainings, which needs no report: its trials, its search and its maps."""
    trials_table(swept.plan, swept.account.counts, swept.sample)
    if swept.search_results is not None:
        best_table(swept.search_results)
    if swept.combinations is not None:
        combinations_table(swept.combinations)
    maps_table(swept.maps)


def print_conclusions(swept: "Sweep", *, on_stderr: bool = False) -> None:
    """Print a sweep's findings, claims that do not hold and all published ones; ``on_stderr`` claims only, there."""
    if not on_stderr:
        findings_list(swept.findings)
    claims = swept.claims
    if len(claims):
        say(counted_verdicts(swept.verdicts))
        claims_table(claims[~claims["verdict"].isin([HOLDS])], on_stderr=on_stderr)


def fields_table(fields: Mapping[str, Any]) -> None:
    """Print names and values, one of several values as a list."""
    table = Table(box=None, show_header=False)
    for name, value in fields.items():
        shown = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, Mapping) else value
        table.add_row(name, escape(str(shown)))
    print_table(table)


def rows_table(rows: Sequence[Mapping[str, float | str]], columns: Sequence[str]) -> None:
    """Print rows of text and seconds."""
    table = Table(box=None, header_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        table.add_row(*(escape(value) if isinstance(value, str) else f"{value:.2f}" for value in map(row.get, columns)))
    print_table(table)


def _number(value: Any, form: str) -> str:
    missing = pd.isna(value) or (form == SOLVED_AT and value == float("inf"))
    return "–" if missing else format(float(value), form)

"""The charts of a search: what was proposed and when, over which parameters, and what mattered."""

from collections.abc import Iterator
from itertools import islice

from bench.config.search_space import Choices
from bench.metrics import columns as c
from bench.metrics.objectives import DIRECTIONS, MEDIAN_MSE, PARAMETER_COUNT
from bench.report import parallel_coordinates, search_progress, search_slices
from bench.report.charts import Chart
from bench.report.drawing import panel
from bench.report.number_format import MEASURES, plural
from bench.stats.search_results import BEST, IMPORTANCE, OBJECTIVE, PARAMETER, SearchResults, label
from bench.stats.trial_scores import FEASIBLE, NUMBER, PRUNED, STATE

FEWEST = 2  # trials, below which there is nothing to see
NARROW = 3  # parameters, whose axes have room beside each other on a small screen


def charts(found: SearchResults, key: str) -> list[Chart]:
    """Return the charts that there is something to draw in, in the order in which they are read."""
    makers = (_history, _parallel, _slices, _contour, _front, _importance, _repeated)
    if len(found.history) < FEWEST:
        return []
    return [chart for make in makers for chart in make(found, key)]


def charted(found: SearchResults) -> str:
    """Return the measure that charts over parameters show: the first objective that takes training to know.

    Where all trials are alike in it, the median error, which tells what came nearest.
    """
    named = [name for name in found.judged.objectives if name != PARAMETER_COUNT]
    name = named[0] if named else found.judged.first
    return MEDIAN_MSE if _is_flat(found, name) else name


def _is_flat(found: SearchResults, name: str) -> bool:
    return bool(found.history[name].nunique(dropna=False) == 1)


def _measured(found: SearchResults, name: str) -> str:
    """Return what is drawn, and over how many seeds."""
    words = _named(name)
    return f"{words[0].upper()}{words[1:]} over {plural(len(found.judged.seeds), 'seed')}"


def _named(name: str) -> str:
    """Return what a measure is called, with the name that its axis has if that is another."""
    words = MEASURES[name]
    return words if name == words.replace(" ", "_") else f"{words} ({name})"


def _hollow(found: SearchResults) -> str:
    return " Hollow: given up early, by its first seeds." if (found.history[STATE] == PRUNED).any() else ""


def _history(found: SearchResults, key: str) -> Iterator[Chart]:
    history, objectives = found.history, found.judged.objectives
    flat = all(_is_flat(found, name) for name in objectives)
    shown = {charted(found): DIRECTIONS[charted(found)]} if flat else objectives
    data = history.drop(columns=BEST, errors="ignore") if flat else history
    drawn = [panel(MEASURES[name].capitalize() if len(shown) > 1 else "", search_progress.history(data, name, end))
             for name, end in shown.items()]  # fmt: skip
    pruned = int((history[STATE] == PRUNED).sum())
    what = "Each objective" if len(shown) > 1 else _measured(found, next(iter(shown)))
    yield Chart(
        name=f"search-history-{key}",
        title=_history_title(found),
        subtitle=f"{what}, by the number of the trial; n = {len(history):,} proposals"
        + (f", {pruned:,} of them given up early." if pruned else "."),
        caption=_history_caption(found, is_running=BEST in data and bool(data[BEST].notna().any())),
        alt=f"{plural(len(history), 'proposal')} by number. {_history_title(found)}.",
        panels=drawn,
        data=history,
    )


def _history_caption(found: SearchResults, *, is_running: bool) -> str:
    """Return what the marks are, of those that there are."""
    history = found.history
    marks = [
        *(["hollow if it was given up after its first seeds"] if (history[STATE] == PRUNED).any() else []),
        *(["a cross if it breaks a limit"] if not history[FEASIBLE].all() else []),
    ]
    of = {0: "", 1: ", of those that do not", 2: ", of those that do neither"}[len(marks)]
    line = f" The line is the best so far{of}, by the seeds of the search." if is_running else ""
    return f"A point is a proposal{': ' if marks else ''}{', '.join(marks)}.{line}"


def _history_title(found: SearchResults) -> str:
    history, objectives = found.history, found.judged.objectives
    if all(_is_flat(found, name) for name in objectives):
        return f"All trials are alike in {' and '.join(MEASURES[name] for name in objectives)}"
    if BEST not in history:
        return f"{plural(len(found.front), 'trial is', 'trials are')} on the Pareto front"
    known = history[history[BEST].notna()]
    if known.empty:
        return "No trial can be the best: each was given up or breaks a limit"
    last = known[known[BEST] == known[BEST].iloc[-1]].iloc[0]
    if last[NUMBER] == history[NUMBER].iloc[-1]:
        return f"The last trial, {label(last[NUMBER])}, is the best so far"
    return f"The best of {plural(history[c.TRIAL_ID].nunique(), 'trial')} is {label(last[NUMBER])}"


def _parallel(found: SearchResults, key: str) -> Iterator[Chart]:
    name, names = charted(found), list(found.space)
    if _is_flat(found, name):
        return
    drawn = parallel_coordinates.drawn(found.history)
    some = f"; {drawn:,} of them are drawn, the best among them" if drawn < len(found.history) else ""
    figure = parallel_coordinates.parallel(found.history, names, found.space, name)
    conditional = any(over.only_if for over in found.space.values())
    passed = " A line below an axis did not search that parameter." if conditional else ""
    yield Chart(
        name=f"search-parallel-{key}",
        title="Which values the best trials share",
        subtitle=f"A line per proposal through {plural(len(names), 'parameter')} to its {_named(name)}; "
        f"n = {len(found.history):,}{some}.",
        caption="Where the strongest lines, of the best tenth, come together, the best trials agree; where they fan "
        f"out, that parameter matters little.{passed}",
        alt=f"Parallel coordinates of {', '.join(names)} and {MEASURES[name]}.",
        panels=[panel("", figure, wide=len(names) > NARROW)],
        data=found.history[[NUMBER, c.TRIAL_ID, *names, name]],
        legend=parallel_coordinates.VALUES,
    )


def _slices(found: SearchResults, key: str) -> Iterator[Chart]:
    name = charted(found)
    if _is_flat(found, name):
        return
    drawn = [panel("", search_slices.slice_(found.history, one, over, name)) for one, over in found.space.items()]
    yield Chart(
        name=f"search-slices-{key}",
        title="One parameter at a time",
        subtitle=f"{_measured(found, name)}, over each parameter; n = {len(found.history):,} proposals.",
        caption="The other parameters differ from point to point; lines are medians. A sampler looks more often where "
        f"it was good: shades show early and late proposals.{_hollow(found)}",
        alt=f"{MEASURES[name].capitalize()} over {', '.join(found.space)}.",
        panels=drawn,
        data=found.history[[NUMBER, c.TRIAL_ID, *found.space, name]],
        legend=search_slices.AGES,
    )


def _contour(found: SearchResults, key: str) -> Iterator[Chart]:
    name, pair = charted(found), _foremost(found)
    if len(pair) < 2 or _is_flat(found, name):
        return
    first, second = pair
    choices = any(isinstance(found.space[one].over, Choices) for one in pair)
    yield Chart(
        name=f"search-contour-{key}",
        title=f"{first} and {second} together",
        subtitle=f"{_measured(found, name)}, over both parameters; n = {len(found.history):,} proposals.",
        caption=(
            "A number is the median of its cell" if choices else "Between the points it is a guess from those around"
        )
        + ", whatever the other parameters were.",
        alt=f"{MEASURES[name].capitalize()} over {first} and {second}.",
        panels=[panel("", search_slices.contour(found.history, first, second, found.space, name))],
        data=found.history[[NUMBER, c.TRIAL_ID, first, second, name]],
        legend=parallel_coordinates.VALUES,
    )


def _foremost(found: SearchResults) -> list[str]:
    """Return the two parameters that matter most to what is charted, or the first two of the space."""
    own = found.importances[found.importances[OBJECTIVE] == charted(found)]
    means = own.groupby(PARAMETER, sort=False)[IMPORTANCE].mean().sort_values(ascending=False, kind="stable")
    ranked = [str(name) for name in means.index]
    return list(islice(dict.fromkeys([*ranked, *found.space]), 2))


def _front(found: SearchResults, key: str) -> Iterator[Chart]:
    objectives = found.judged.objectives
    if len(objectives) < 2:
        return
    words = " and ".join(MEASURES[name] for name in objectives)
    yield Chart(
        name=f"search-front-{key}",
        title=f"What one gives up for the other: {words}",
        subtitle=f"{len(found.front):,} of {plural(found.history[c.TRIAL_ID].nunique(), 'trial')} on the front: no "
        "other is better in one objective and at least as good in all (Pareto).",
        caption="Along the front, to get better in one is to get worse in another. All values are by the seeds that "
        "trials were chosen by, and tend to look better than they are.",
        alt=f"Pareto front of {words}: {', '.join(label(number) for number in found.front[NUMBER])}.",
        panels=[panel("", search_progress.front(found.history, found.front, [*objectives], [*objectives.values()]))],
        data=found.front,
    )


def _importance(found: SearchResults, key: str) -> Iterator[Chart]:
    table = found.importances
    if table.empty:
        return
    groups = table.groupby(OBJECTIVE, sort=False)
    yield Chart(
        name=f"search-importance-{key}",
        title=_importance_title(found),
        subtitle="Share of what matters to an objective, by each of Optuna's evaluators; complete trials only.",
        caption="PED-ANOVA asks what the best tenth of the trials has in common (Watanabe, Bansal & Hutter 2023), "
        "fANOVA what the variance over all of the space comes from (Hutter, Hoos & Leyton-Brown 2014).",
        alt="Bars of the importance of each parameter.",
        panels=[panel(MEASURES[str(name)].capitalize(), search_slices.importance(rows)) for name, rows in groups],
        data=table,
    )


def _importance_title(found: SearchResults) -> str:
    """Return what matters most, and to whom where evaluators do not agree."""
    own = found.importances[found.importances[OBJECTIVE] == charted(found)]
    name = str((own if len(own) else found.importances)[OBJECTIVE].iloc[0])
    if name in found.disagreement:
        tops = found.disagreement[name]
        return f"What matters most: {', '.join(f'{first} by {evaluator}' for evaluator, first in tops.items())}"
    rows = found.importances[found.importances[OBJECTIVE] == name]
    top = rows.sort_values(IMPORTANCE, ascending=False, kind="stable")[PARAMETER].iloc[0]
    return f"{top} matters most{f' to the {MEASURES[name]}' if len(found.judged.objectives) > 1 else ''}"


def _repeated(found: SearchResults, key: str) -> Iterator[Chart]:
    if len(found.studies) < 2 or found.running.empty:
        return
    name, samplers = found.judged.first, list(dict.fromkeys(found.studies["sampler"]))
    repeats = found.search.repeats
    mean = f"Mean over {repeats:,} searches by each sampler of the" if repeats > 1 else "The"
    band = ", with its 95 % bootstrap band" if repeats > 1 else ""
    compared = "; the table compares held-out seeds" if len(found.judged.held_out) else ""
    yield Chart(
        name=f"search-repeated-{key}",
        title=f"How soon {' and '.join(samplers)} {'get' if len(samplers) > 1 else 'gets'} there",
        subtitle=f"{mean} best {_named(name)} so far{band}; by the number of the trial.",
        caption="All train from the same seeds and propose as many trials; no two have a sampler seed in common. The "
        f"best so far is by the seeds of the search and tends to look better than it is{compared}.",
        alt=f"Best {MEASURES[name]} so far by number of trials of {' and '.join(samplers)}.",
        panels=[panel("", search_progress.repeated(found.running, name))],
        data=found.running,
    )

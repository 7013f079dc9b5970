"""The charts of a search: what was proposed and when, over which parameters, and what mattered."""

from collections.abc import Iterator
from itertools import islice

from bench.analysis.judged import NUMBER, PRUNED, STATE
from bench.analysis.searched import BEST, EVALUATOR, IMPORTANCE, OBJECTIVE, PARAMETER, Searched, label
from bench.report.chart import Chart
from bench.report.drawing import panel
from bench.report.figures import search as figures
from bench.report.searched import MEASURES
from bench.report.words import plural
from bench.tracking import columns as c

FEWEST = 2  # trials, below which there is nothing to see


def charts(found: Searched, key: str) -> list[Chart]:
    """Return the charts that there is something to draw in, in the order in which they are read."""
    makers = (_history, _parallel, _slices, _contour, _front, _importance, _repeated)
    if len(found.history) < FEWEST:
        return []
    return [chart for make in makers for chart in make(found, key)]


def _measured(found: Searched) -> str:
    name = found.judged.first
    return f"{MEASURES[name].capitalize()} over {plural(len(found.judged.seeds), 'seed')}"


def _history(found: Searched, key: str) -> Iterator[Chart]:
    history, objectives = found.history, found.judged.objectives
    pruned = int((history[STATE] == PRUNED).sum())
    drawn = [panel(MEASURES[name].capitalize() if len(objectives) > 1 else "", figures.history(history, name, end))
             for name, end in objectives.items()]  # fmt: skip
    yield Chart(
        name=f"search-history-{key}",
        title=_history_title(found),
        subtitle=f"{_measured(found)}, by the number of the trial; n = {len(history):,} proposals"
        + (f", {pruned:,} of them given up early." if pruned else "."),
        caption="A point is a proposal: hollow if it was given up after its first seeds, a cross if it breaks a limit."
        + (" The line is the best so far of those that do neither." if BEST in history else ""),
        alt=f"{plural(len(history), 'proposal')} by number. {_history_title(found)}.",
        panels=drawn,
        data=history,
    )


def _history_title(found: Searched) -> str:
    history = found.history
    if BEST not in history:
        return f"{plural(len(found.front), 'trial is', 'trials are')} on the Pareto front"
    known = history[history[BEST].notna()]
    if known.empty:
        return "No trial can be the best: each was given up or breaks a limit"
    last = known[known[BEST] == known[BEST].iloc[-1]].iloc[0]
    return f"Nothing better was found after {label(last[NUMBER])}"


def _parallel(found: Searched, key: str) -> Iterator[Chart]:
    name, names = found.judged.first, list(found.space)
    drawn = figures.drawn(found.history)
    some = f"; {drawn:,} of them are drawn, the best among them" if drawn < len(found.history) else ""
    figure = figures.parallel(found.history, names, found.space, name)
    yield Chart(
        name=f"search-parallel-{key}",
        title="Which values the best trials share",
        subtitle=f"A line per proposal through {plural(len(names), 'parameter')} to its {MEASURES[name]}; "
        f"n = {len(found.history):,}{some}.",
        caption="Where the strongest lines come together, the best trials agree; where they fan out, that parameter "
        "matters little. A line below an axis did not search that parameter.",
        alt=f"Parallel coordinates of {', '.join(names)} and {MEASURES[name]}.",
        panels=[panel("", figure, wide=True)],
        data=found.history[[NUMBER, c.TRIAL_ID, *names, name]],
        legend=figures.VALUES,
    )


def _slices(found: Searched, key: str) -> Iterator[Chart]:
    name = found.judged.first
    drawn = [panel(one, figures.slice_(found.history, one, over, name)) for one, over in found.space.items()]
    yield Chart(
        name=f"search-slices-{key}",
        title="One parameter at a time",
        subtitle=f"{_measured(found)}, over each parameter; n = {len(found.history):,} proposals.",
        caption="The other parameters differ from point to point. A sampler looks more often where it was good: shades "
        "show early and late proposals.",
        alt=f"{MEASURES[name].capitalize()} over {', '.join(found.space)}.",
        panels=drawn,
        data=found.history[[NUMBER, c.TRIAL_ID, *found.space, name]],
        legend=figures.AGES,
    )


def _contour(found: Searched, key: str) -> Iterator[Chart]:
    name, pair = found.judged.first, _foremost(found)
    if len(pair) < 2:
        return
    first, second = pair
    yield Chart(
        name=f"search-contour-{key}",
        title=f"{first} and {second} together",
        subtitle=f"{_measured(found)}, over both parameters; n = {len(found.history):,} proposals.",
        caption="Between the points it is a guess from those around, whatever the other parameters were.",
        alt=f"{MEASURES[name].capitalize()} over {first} and {second}.",
        panels=[panel("", figures.contour(found.history, first, second, found.space, name))],
        data=found.history[[NUMBER, c.TRIAL_ID, first, second, name]],
        legend=figures.VALUES,
    )


def _foremost(found: Searched) -> list[str]:
    """Return the two parameters that matter most to the first objective, or the first two of the space."""
    own = found.importances[found.importances[OBJECTIVE] == found.judged.first]
    means = own.groupby(PARAMETER, sort=False)[IMPORTANCE].mean().sort_values(ascending=False, kind="stable")
    ranked = [str(name) for name in means.index]
    return list(islice(dict.fromkeys([*ranked, *found.space]), 2))


def _front(found: Searched, key: str) -> Iterator[Chart]:
    objectives = found.judged.objectives
    if len(objectives) < 2:
        return
    words = " and ".join(MEASURES[name] for name in objectives)
    yield Chart(
        name=f"search-front-{key}",
        title=f"What one gives up for the other: {words}",
        subtitle=f"{plural(len(found.front), 'trial')} of {found.history[c.TRIAL_ID].nunique():,} that no other is "
        "better than in one objective and as good in all (Pareto).",
        caption="Along the front, to get better in one is to get worse in another. All values are by the seeds that "
        "trials were chosen by, and look better than they are.",
        alt=f"Pareto front of {words}: {', '.join(label(number) for number in found.front[NUMBER])}.",
        panels=[panel("", figures.front(found.history, found.front, list(objectives), list(objectives.values())))],
        data=found.front,
    )


def _importance(found: Searched, key: str) -> Iterator[Chart]:
    table = found.importances
    if table.empty:
        return
    groups = table.groupby(OBJECTIVE, sort=False)
    first = table[table[OBJECTIVE] == found.judged.first]
    top = (first if len(first) else table).sort_values(IMPORTANCE, ascending=False, kind="stable").iloc[0]
    yield Chart(
        name=f"search-importance-{key}",
        title=f"{top[PARAMETER]} matters most, after {top[EVALUATOR]}",
        subtitle="Share of what matters to an objective, by each of Optuna's evaluators; complete trials only.",
        caption="PED-ANOVA asks what the best tenth of the trials has in common (Watanabe, Bansal & Hutter 2023), "
        "fANOVA what the variance over all of the space comes from (Hutter, Hoos & Leyton-Brown 2014).",
        alt="Bars of the importance of each parameter.",
        panels=[panel(MEASURES[str(name)].capitalize(), figures.importance(rows)) for name, rows in groups],
        data=table,
    )


def _repeated(found: Searched, key: str) -> Iterator[Chart]:
    if len(found.studies) < 2 or found.running.empty:
        return
    name, samplers = found.judged.first, list(dict.fromkeys(found.studies["sampler"]))
    yield Chart(
        name=f"search-repeated-{key}",
        title=f"How soon {' and '.join(samplers)} {'get' if len(samplers) > 1 else 'gets'} there",
        subtitle=f"Mean over {plural(found.search['repeats'], 'repeated search', 'repeated searches')} of each sampler "
        f"of the best {MEASURES[name]} so far, with its 95 % bootstrap band; by number of trials.",
        caption="With other sampler seeds each, the same seeds of trainings and the same number of trials. The best so "
        "far is by the seeds of the search and looks better than it is; the table compares held-out seeds.",
        alt=f"Best {MEASURES[name]} so far by number of trials of {' and '.join(samplers)}.",
        panels=[panel("", figures.repeated(found.running, name))],
        data=found.running,
    )

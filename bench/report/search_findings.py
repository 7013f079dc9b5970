"""What there is to say of a search: what its best is worth on other seeds first, each with its interval and its n."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from bench.config.search_space import Choices, Range
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.metrics.measures import never_trained
from bench.metrics.objectives import MAXIMIZE, MEDIAN_MSE, OBJECTIVES, PARAMETER_COUNT, SOLVED_RATE
from bench.model.display_labels import bare, gate_word, name_words
from bench.model.trial import PARAMETERS
from bench.report.charts import Finding, Row
from bench.report.number_format import (
    axis_words,
    change_words,
    percent,
    percent_interval,
    plural,
    sentence,
    short,
    value_words,
)  # fmt: skip
from bench.stats.grid_analysis import DIGITS
from bench.stats.holdout import HELD_OUT, KIND, NUMBER, OPTIMISM, REFERENCE, SEARCH, TITLE, WINNER, column, interval_of
from bench.stats.proportions import COUNT, HIGH, LOW, RATE
from bench.stats.search_results import END, ENDED, PARAMETER, TRIAL, VALUE, Difference, SearchResults, label

ANCHOR = "search"
ENDS = {"low": "lower", "high": "upper"}
MOST_REFERENCES = 2  # that a sentence has room for
WORTHLESS = "the search had nothing to go by: its trials are all alike in"


def search_findings(found: SearchResults) -> Iterator[Finding]:
    """Yield what the first screen says of a search; of its baseline only what has an interval."""
    yield from best_findings(found)
    if found.difference is not None and pd.notna(found.difference.low):
        yield against_baseline(found, found.difference)


def best_findings(found: SearchResults) -> list[Finding]:
    """Return what was found, the held-out figures first; by the seeds of the search where there are no others."""
    parts = [*_nothing_found(found), *_best(found), *_optimism(found), *_at_the_edge(found)]
    return parts or list(_best_so_far(found))


def front_words(found: SearchResults) -> str:
    """Return how many trials are on the front."""
    on = len(found.front)
    return f"{on:,} of {_trials(found)} {'is' if on == 1 else 'are'} on the Pareto front."


def charted(found: SearchResults) -> str:
    """Return the objective that charts over parameters show: the first that takes training to know.

    Where all trials are alike in it, the median error, which tells what came nearest.
    """
    named = [name for name in found.objectives if name != PARAMETER_COUNT]
    name = named[0] if named else found.primary
    return MEDIAN_MSE if is_flat(found, name) else name


def is_flat(found: SearchResults, name: str) -> bool:
    """Whether all trials are alike in an objective."""
    return len(found.history[name].unique()) == 1


def measured_words(found: SearchResults, name: str) -> str:
    """Return what a chart shows, and over how many seeds."""
    words = axis_words(name)
    return f"{sentence(words)} over {_seeds(found)}"


def is_untrained(found: SearchResults) -> bool:
    """Whether something was proposed, and none of it was ever trained."""
    return len(found.trainings) > 0 and bool(never_trained(found.trainings).all())


# ------------------------------------------------------------------ words


def _trials(found: SearchResults, what: str = "trial") -> str:
    return plural(found.history[c.TRIAL_ID].nunique(), what)


def _seeds(found: SearchResults, what: str = "seed") -> str:
    return plural(len(found.search.seeds), what)


def _number(row: Row) -> str:
    """Return the number of a held-out trial, as its title begins."""
    return str(row[TITLE]).partition(" ")[0]


def _name(row: Row) -> str:
    number, _, words = str(row[TITLE]).partition(" ")
    return f"{number} ({words})" if words else number


def _rate(row: Row) -> str:
    return percent_interval(*(row[column(HELD_OUT, name)] for name in (RATE, LOW, HIGH)))


def _value(row: Row, name: str) -> str:
    return value_words(name, row[column(HELD_OUT, name)], *interval_of(row, HELD_OUT, name))


def _gate(found: SearchResults, row: Row) -> str:
    gate = str(found.parameters[str(row[c.TRIAL_ID])][c.GATE])
    return gate_word(gate)


def _of_kind(rows: pd.DataFrame, kind: str) -> list[dict[Any, Any]]:
    return rows[rows[KIND] == kind].to_dict("records")


def _better(found: SearchResults, name: str) -> Callable[..., Any]:
    """Return what chooses the better of some values of an objective."""
    return max if found.objectives[name] == MAXIMIZE else min


# ------------------------------------------------------------------ the best


def _best(found: SearchResults) -> Iterator[Finding]:
    """Yield what the best trial comes to on held-out seeds, beside what it seemed and the references.

    Of several objectives, the best trial in each.
    """
    rows = found.held_out[found.held_out[column(HELD_OUT, RATE)].notna()]
    winners = _of_kind(rows, WINNER)
    if not winners or found.is_unsolved:
        return
    others = _of_kind(rows, REFERENCE)[:MOST_REFERENCES]
    beside = "".join(f"; {row[TITLE]}: {_rate(row)}" for row in others)
    shares = "of shares exact." + (" References are trained on the same held-out seeds." if others else "")
    seeds = plural(int(winners[0][column(HELD_OUT, COUNT)]), "held-out seed")
    # as searched, of equal ones the first
    best = {name: _better(found, name)(winners, key=lambda row, name=name: row[column(SEARCH, name)])
            for name in found.objectives}  # fmt: skip
    if len({row[TITLE] for row in best.values()}) > 1:
        parts = []
        for name, row in best.items():
            rate = "" if name == SOLVED_RATE else f" and solves {_gate(found, row)} from {_rate(row)} of the starts"
            parts.append(f"the best in {OBJECTIVES[name].measures}, {_name(row)}, comes to {_value(row, name)}{rate}")
        sentence = f"On {seeds}, {'; '.join(parts)}{beside}."
        chosen = f"{front_words(found)} They were chosen by {_seeds(found, 'other seed')}. 95 % intervals;"
    else:
        first = winners[0]
        sentence = (
            f"On {seeds}, {_name(first)} solves {_gate(found, first)} from {_rate(first)} of the starts; on the "
            f"{_seeds(found)} that it was chosen by, it was {percent(first[column(SEARCH, RATE)])}{beside}."
        )
        chosen = f"{_chosen_by(found, first)} 95 % intervals;"
    yield Finding(sentence, f"{chosen} {shares}", ANCHOR)


def _chosen_by(found: SearchResults, row: Row) -> str:
    """Return by what a trial is the best, and its value on both sides, if these can differ."""
    name, trials = found.primary, found.history[c.TRIAL_ID].nunique()
    by = " and ".join(OBJECTIVES[one].measures for one in found.objectives)
    what = "The best" if found.nearest is None else "The nearest to the limits"
    first = f"{what} of {trials:,} trials by {by}" if trials > 1 else f"The only trial, judged by {by}"
    if name == SOLVED_RATE:
        return f"{first}.{_overtaken(found, row)}"
    seemed = value_words(name, row[column(SEARCH, name)])
    both = "" if name == PARAMETER_COUNT else f" on held-out seeds, {seemed} on those of the search"
    if len(found.objectives) > 1:
        return f"{first}; {OBJECTIVES[name].measures}: {_value(row, name)}{both}."
    return f"{first}: {_value(row, name)}{both}.{_overtaken(found, row)}"


def _overtaken(found: SearchResults, best: Row) -> str:
    """Return which of the other winners does better than the best on held-out seeds, if any: chance chose it too."""
    name = found.primary
    where, winners = column(HELD_OUT, name), _of_kind(found.held_out, WINNER)
    top = _better(found, name)(winners, key=lambda row: row[where])
    if top[where] == best[where] or name == PARAMETER_COUNT:
        return ""
    value = value_words(name, top[where])
    return f" Of the best {len(winners):,}, {_number(top)} did best on held-out seeds, which chose it too: {value}."


def _best_so_far(found: SearchResults) -> Iterator[Finding]:
    """Yield which trial is best by the seeds of the search alone, where it was not trained on others."""
    name = found.primary
    if found.front.empty:
        return
    ascending = found.objectives[name] != MAXIMIZE
    row = found.front.sort_values(name, ascending=ascending, kind="stable").iloc[0]
    trials = found.history[c.TRIAL_ID].nunique()
    what = f"the best of {trials:,} trials" if trials > 1 else "the only trial"
    where = f"{front_words(found)} " if len(found.objectives) > 1 else ""
    yield Finding(
        f"By the {_seeds(found)} that it was chosen by, {label(row[NUMBER])} "
        f"({found.named(row[c.TRIAL_ID])}) is {what}: {OBJECTIVES[name].measures} {value_words(name, row[name])}.",
        f"{where}The best of many tends to look better than it is, and it was not trained on other seeds.",
        ANCHOR,
    )


def _optimism(found: SearchResults) -> Iterator[Finding]:
    """Yield by how much the best trial looked better than it is, where that is beyond chance."""
    name = found.primary
    for row in _of_kind(found.held_out, WINNER)[:1]:
        if row[OPTIMISM[1]] > 0:
            yield Finding(
                f"The search was too optimistic: the {OBJECTIVES[name].measures} of {_number(row)} was "
                f"{value_words(name, row[column(SEARCH, name)])} on the seeds that chose it, and is "
                f"{_value(row, name)} on others.",
                f"n = {len(found.search.seeds):,} and {len(found.search.held_out):,} seeds; it looked better by "
                f"{change_words(name, *(row[part] for part in OPTIMISM))}, with the 95 % interval of the difference: "
                "the best of many trials is in part the luckiest.",
                ANCHOR,
            )


def _at_the_edge(found: SearchResults) -> Iterator[Finding]:
    """Yield that the best trials lie at an end of a range beyond which a parameter may go, and a wider range."""
    for (name, end), rows in found.edges.groupby([PARAMETER, END], sort=False):
        wider = _wider(str(name), found.space[str(name)].over, str(end))
        if wider is None or found.is_unsolved:
            continue
        ends = dict.fromkeys(bare(str(name), value, DIGITS) for value in (rows[VALUE].min(), rows[VALUE].max()))
        yield Finding(
            f"The best have {name_words(str(name))} {' to '.join(ends)}, at the {ENDS[str(end)]} end of "
            f"{found.space[str(name)].over}: a wider range may hold better, such as {name}={wider}.",
            f"{', '.join(rows[TRIAL])}, of the best {len(found.best):,}, are within 2 % of that end, on its scale.",
            ANCHOR,
        )


def _wider(name: str, over: Range | Choices, end: str) -> Range | None:
    """Return a range that goes on as far again, by a factor of ten on a logarithmic scale; None where none may be."""
    if not isinstance(over, Range):
        return None
    span = over.high - over.low
    low, high = (over.low / 10, over.high * 10) if over.log else (over.low - span, over.high + span)
    wide = replace(over, low=low) if end == "low" else replace(over, high=high)
    wide = replace(wide, low=int(wide.low), high=int(wide.high)) if over.whole else wide
    try:
        for value in (wide.low, wide.high):
            PARAMETERS[name].read(value)
    except RequestError:
        return None
    return None if over.log and wide.low <= 0 else wide


# ------------------------------------------------------------------ nothing found


def _nothing_found(found: SearchResults) -> Iterator[Finding]:
    """Yield that nothing was solved, or that no trial keeps the limits, and what came nearest."""
    near = found.nearest
    if near is None:
        return
    trials = _trials(found, "proposed trial")
    who = f"Nearest came {label(near[NUMBER])} ({found.named(near[c.TRIAL_ID])})"
    if is_untrained(found):
        yield Finding(
            f"No training of the {trials} solves {_gate(found, near)}: none was trained.",
            "Every training was refused by its backend, or crashed; there is no best trial.",
            ANCHOR,
        )
    elif found.is_unsolved:
        asked = [OBJECTIVES[name] for name in found.objectives]
        flat = [one.measures for one in asked if one.censored or one.name == SOLVED_RATE]
        blind = f", so {WORTHLESS} {' and '.join(flat)}" if flat else ""
        yield Finding(
            f"No training of the {trials} solves {_gate(found, near)}{blind}.",
            f"{who}, with a median error of {short(near[MEDIAN_MSE])}. More iterations or a wider space may help.",
            ANCHOR,
        )
    else:
        limits = found.search.constraints
        values = [f"{OBJECTIVES[one.measure].measures} {value_words(one.measure, near[one.measure])}" for one in limits]
        yield Finding(
            f"None of the {trials} keeps {' and '.join(map(str, limits))}.",
            f"{who}: {', '.join(values)} on the {_seeds(found)} of the search.",
            ANCHOR,
        )


# ------------------------------------------------------------------ repeated searches


def against_baseline(found: SearchResults, compared: Difference) -> Finding:
    """Return how the winners of a sampler and of its baseline compare, and from what that is known."""
    name = found.primary
    by = change_words(name, compared.mean, compared.low, compared.high)
    where = "on held-out seeds" if compared.side == HELD_OUT else "on the seeds that chose them"
    sides = (compared.sampler, compared.baseline)
    better = (compared.mean > 0) == (found.objectives[name] == MAXIMIZE)
    first, second = sides if better else sides[::-1]
    verdict = f"{sides[0]} and {sides[1]} cannot be told apart"
    if compared.low > 0 or compared.high < 0:
        verdict = f"{first} finds better trials than {second}"
    interval = "Welch's 95 % interval; " if pd.notna(compared.low) else "too few for an interval; "
    left = int((~found.studies[ENDED].astype(bool)).sum())
    left_out = f" {_searches(left)} of {len(found.studies):,} did not end and do not count." if left else ""
    return Finding(
        f"{verdict}: the {OBJECTIVES[name].measures} of their best differs by {by} {where}.",
        f"{sides[0]} less {sides[1]}, means of {compared.repeats:,} and {_searches(compared.baseline_repeats)} of "
        f"{plural(found.search.trials, 'trial')} each; {interval}the best of {sides[0]} is better than that of "
        f"{sides[1]} in {percent(compared.superiority, 0)} of their pairs (Mann–Whitney, ties count half).{left_out}",
        ANCHOR,
    )


def _searches(count: int) -> str:
    return plural(count, "search", "searches")

"""What there is to say of a search: what its best is worth on other seeds first, each with its interval and its n."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bench.metrics import columns as c
from bench.metrics.objectives import CENSORED, MAXIMIZE, MEDIAN_MSE, PARAMETER_COUNT, SOLVED_RATE
from bench.model.gate import BUILT_IN
from bench.report.charts import Finding
from bench.report.number_format import MEASURES, change_words, percent, percent_interval, plural, short, value_words
from bench.stats.block_analysis import NEVER_TRAINED
from bench.stats.holdout import (
    BEST,
    ENDED,
    HELD_OUT,
    KIND,
    OPTIMISM,
    REFERENCE,
    SEARCH,
    TITLE,
    Difference,
    column,
    interval_of,
)
from bench.stats.proportions import COUNT, HIGH, LOW, RATE
from bench.stats.search_results import SearchResults, label
from bench.stats.trial_scores import NUMBER

ANCHOR = "search"
MOST_REFERENCES = 2  # that a sentence has room for
WORTHLESS = "the search had nothing to go by: its trials are all alike in"


def search_findings(found: SearchResults) -> Iterator[Finding]:
    """Yield what the first screen says of a search."""
    yield from [*best_findings(found), *(said for said in [baseline(found)] if said is not None)]


def best_findings(found: SearchResults) -> list[Finding]:
    """Return what was found, the held-out figures first; by the seeds of the search where there are no others."""
    parts = nothing_found(found), lead(found), optimism(found)
    said = [part for part in parts if part is not None]
    return said or [part for part in [best_so_far(found)] if part is not None]


# ------------------------------------------------------------------ the best


def lead(found: SearchResults) -> Finding | None:
    """Return what the best trial comes to on held-out seeds, beside what it seemed and the references; or nothing.

    Of several objectives, the best trial in each.
    """
    rows = found.held_out[found.held_out[column(HELD_OUT, RATE)].notna()].to_dict("records")
    winners = [row for row in rows if row[KIND] == BEST]
    if not winners or found.is_unsolved:
        return None
    others = [row for row in rows if row[KIND] == REFERENCE][:MOST_REFERENCES]
    beside = "".join(f"; {row[TITLE]}: {_rate(row)}" for row in others)
    same = " References are trained on the same held-out seeds." if others else ""
    best = dict.fromkeys(_best_of(found, winners, name)[TITLE] for name in found.judged.objectives)
    if len(best) > 1:
        return _lead_of_many(found, winners, beside, same)
    sentence = (
        f"On {plural(int(winners[0][column(HELD_OUT, COUNT)]), 'held-out seed')}, {_called(winners[0])} solves "
        f"{_gate(found, winners[0])} from {_rate(winners[0])} of the starts; on the "
        f"{plural(len(found.judged.seeds), 'seed')} that it was chosen by, it was "
        f"{percent(winners[0][column(SEARCH, RATE)])}{beside}."
    )
    return Finding(sentence, f"{_judged(found, winners[0])} 95 % intervals; of shares Wilson's.{same}", ANCHOR)


def _lead_of_many(found: SearchResults, winners: list[dict[Any, Any]], beside: str, same: str) -> Finding:
    """Return which trials are the best in each of several objectives, and what these are worth on held-out seeds."""
    parts = []
    for name in found.judged.objectives:
        row = _best_of(found, winners, name)
        value = value_words(name, row[column(HELD_OUT, name)], *interval_of(row, HELD_OUT, name))
        rate = "" if name == SOLVED_RATE else f" and solves {_gate(found, row)} from {_rate(row)} of the starts"
        parts.append(f"the best in {MEASURES[name]}, {_called(row)}, comes to {value}{rate}")
    seeds = int(winners[0][column(HELD_OUT, COUNT)])
    evidence = (
        f"{_front_words(found)} They were chosen by {plural(len(found.judged.seeds), 'other seed')}. 95 % intervals; "
        f"of shares Wilson's.{same}"
    )
    return Finding(f"On {plural(seeds, 'held-out seed')}, {'; '.join(parts)}{beside}.", evidence, ANCHOR)


def _best_of(found: SearchResults, rows: list[dict[Any, Any]], name: str) -> dict[Any, Any]:
    """Return the row that is best in an objective as searched, of equal ones the first."""
    values = [row[column(SEARCH, name)] for row in rows]
    choose = max if found.judged.objectives[name] == MAXIMIZE else min
    return rows[values.index(choose(values))]


def _judged(found: SearchResults, row: Mapping[Any, Any]) -> str:
    """Return by what a trial is the best, and its value on both sides, if these can differ."""
    name, trials = found.judged.first, found.history[c.TRIAL_ID].nunique()
    judged = value_words(name, row[column(HELD_OUT, name)], *interval_of(row, HELD_OUT, name))
    seemed = value_words(name, row[column(SEARCH, name)])
    both = judged if name == PARAMETER_COUNT else f"{judged} on held-out seeds, {seemed} on those of the search"
    many = len(found.judged.objectives) > 1
    by = " and ".join(MEASURES[one] for one in found.judged.objectives)
    what = "The best" if found.nearest is None else "The nearest to the limits"
    first = f"{what} of {trials:,} trials by {by}" if trials > 1 else f"The only trial, judged by {by}"
    if name == SOLVED_RATE:
        return f"{first}.{_overtaken(found, row)}"
    return f"{first}; {MEASURES[name]}: {both}." if many else f"{first}: {both}.{_overtaken(found, row)}"


def _overtaken(found: SearchResults, best: Mapping[str, Any]) -> str:
    """Return which of the other winners does better than the best on held-out seeds, if any: chance chose it too."""
    name = found.judged.first
    where = column(HELD_OUT, name)
    rows = found.held_out[found.held_out[KIND] == BEST].to_dict("records")
    choose = max if found.judged.objectives[name] == MAXIMIZE else min
    top = choose(rows, key=lambda row: row[where])
    if top[where] == best[where] or name == PARAMETER_COUNT:
        return ""
    value = value_words(name, top[where], *interval_of(top, HELD_OUT, name))
    number = str(top[TITLE]).partition(" ")[0]
    return f" Of the best {len(rows):,}, {number} does best on held-out seeds: {value}."


def _front_words(found: SearchResults) -> str:
    """Return how many trials are on the front."""
    on = len(found.front)
    of = plural(found.history[c.TRIAL_ID].nunique(), "trial")
    return f"{on:,} of {of} {'is' if on == 1 else 'are'} on the Pareto front."


def best_so_far(found: SearchResults) -> Finding | None:
    """Return which trial is best by the seeds of the search alone, where it was not trained on others; or nothing."""
    front, name = found.front, found.judged.first
    if front.empty:
        return None
    row = front.sort_values(name, ascending=found.judged.objectives[name] != MAXIMIZE, kind="stable").iloc[0]
    trials = found.history[c.TRIAL_ID].nunique()
    what = f"the best of {trials:,} trials" if trials > 1 else "the only trial"
    where = _front_words(found) if len(found.judged.objectives) > 1 else ""
    return Finding(
        f"By the {plural(len(found.judged.seeds), 'seed')} that it was chosen by, {label(row[NUMBER])} "
        f"({found.named(row[c.TRIAL_ID])}) is {what}: {MEASURES[name]} {value_words(name, row[name])}.",
        f"{where} The best of many tends to look better than it is, and it was not trained on other seeds.".strip(),
        ANCHOR,
    )


def _called(row: Mapping[Any, Any]) -> str:
    number, _, words = str(row[TITLE]).partition(" ")
    return f"{number} ({words})" if words else number


def _rate(row: Mapping[Any, Any]) -> str:
    return percent_interval(*(row[column(HELD_OUT, name)] for name in (RATE, LOW, HIGH)))


def _gate(found: SearchResults, row: Mapping[Any, Any]) -> str:
    gate = str(found.parameters[str(row[c.TRIAL_ID])][c.GATE])
    return gate.upper() if gate in BUILT_IN else gate


def optimism(found: SearchResults) -> Finding | None:
    """Return by how much the best trial looked better than it is, where that is beyond chance; or nothing."""
    best = found.held_out[found.held_out[KIND] == BEST].to_dict("records")[:1]
    name = found.judged.first
    if not best or not best[0][OPTIMISM[1]] > 0:
        return None
    row = best[0]
    seemed, ends = row[column(SEARCH, name)], interval_of(row, HELD_OUT, name)
    return Finding(
        f"The search was too optimistic: the {MEASURES[name]} of {str(row[TITLE]).partition(' ')[0]} was "
        f"{value_words(name, seemed)} on the seeds that chose it, and is "
        f"{value_words(name, row[column(HELD_OUT, name)], *ends)} on others.",
        f"n = {len(found.judged.seeds):,} and {len(found.judged.held_out):,} seeds; it looked better by "
        f"{change_words(name, *(row[part] for part in OPTIMISM))}, with the 95 % interval of the difference: the best "
        "of many trials is in part the luckiest.",
        ANCHOR,
    )


# ------------------------------------------------------------------ nothing found


def nothing_found(found: SearchResults) -> Finding | None:
    """Return that nothing was solved, or that no trial keeps the limits, and what came nearest; or nothing."""
    near = found.nearest
    if near is None:
        return None
    trials = plural(found.history[c.TRIAL_ID].nunique(), "proposed trial")
    who = f"{label(near[NUMBER])} ({found.named(near[c.TRIAL_ID])})"
    if is_untrained(found):
        return Finding(
            f"No training of the {trials} solves {_gate(found, near)}: none was trained.",
            "Every training was refused by its backend, or crashed; there is no best trial.",
            ANCHOR,
        )
    if found.is_unsolved:
        flat = [MEASURES[name] for name in found.judged.objectives if name in (*CENSORED, SOLVED_RATE)]
        blind = f", so {WORTHLESS} {' and '.join(flat)}" if flat else ""
        return Finding(
            f"No training of the {trials} solves {_gate(found, near)}{blind}.",
            f"Nearest came {who}, with a median error of {short(near[MEDIAN_MSE])}. More iterations or a wider space "
            "may help.",
            ANCHOR,
        )
    limits = " and ".join(str(one) for one in found.judged.constraints)
    values = ", ".join(
        f"{MEASURES[one.measure]} {value_words(one.measure, near[one.measure])}" for one in found.judged.constraints
    )
    return Finding(
        f"None of the {trials} keeps {limits}.",
        f"Nearest came {who}: {values} on the {plural(len(found.judged.seeds), 'seed')} of the search.",
        ANCHOR,
    )


def is_untrained(found: SearchResults) -> bool:
    """Whether something was proposed, and none of it was ever trained."""
    return len(found.trainings) > 0 and bool(found.trainings[c.OUTCOME].isin(NEVER_TRAINED).all())


# ------------------------------------------------------------------ repeated searches


def baseline(found: SearchResults) -> Finding | None:
    """Return whether the sampler finds better trials than the baseline; nothing without an interval."""
    compared = found.difference
    if compared is None or pd.isna(compared.low):
        return None
    return compared_words(found, compared)


def compared_words(found: SearchResults, compared: Difference) -> Finding:
    """Return how the winners of a sampler and of its baseline compare, and from what that is known."""
    name, budget = found.judged.first, found.search.trials
    by = change_words(name, compared.mean, compared.low, compared.high)
    where = "on held-out seeds" if compared.side == HELD_OUT else "on the seeds that chose them"
    sides = (compared.sampler, compared.baseline)
    surely = compared.low > 0 or compared.high < 0
    better = (compared.mean > 0) == (found.judged.objectives[name] == MAXIMIZE)
    first, second = sides if better else sides[::-1]
    verdict = (
        f"{first} finds better trials than {second}" if surely else f"{sides[0]} and {sides[1]} cannot be told apart"
    )
    interval = "Welch's 95 % interval; " if pd.notna(compared.low) else "too few for an interval; "
    return Finding(
        f"{verdict}: the {MEASURES[name]} of their best differs by {by} {where}.",
        f"{sides[0]} less {sides[1]}, means of {compared.repeats:,} and "
        f"{plural(compared.baseline_repeats, 'search', 'searches')} of {plural(budget, 'trial')} each; {interval}"
        f"the best of {sides[0]} is better than that of {sides[1]} in {percent(compared.superiority, 0)} of their "
        f"pairs (Mann–Whitney, ties count half).{_left_out(found)}",
        ANCHOR,
    )


def _left_out(found: SearchResults) -> str:
    left = int((~found.studies[ENDED].astype(bool)).sum())
    return (
        f" {plural(left, 'search', 'searches')} of {len(found.studies):,} did not end and do not count." if left else ""
    )

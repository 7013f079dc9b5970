"""Sayings: what there is to be said of one study, each in a sentence with its number, its interval and its n."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from bench.analysis import attractors, compare, measures, sensitivity, survival, uniformity
from bench.analysis.endings import PATTERN
from bench.analysis.solved import COUNT, HIGH, LOW, RATE
from bench.analysis.study import NAME, Study, highest, lowest
from bench.problem.label import word
from bench.report.layout import is_grid
from bench.report.sections.matters import greatest_effect, seed_share
from bench.report.sections.pairs import better, greatest
from bench.report.words import interval, p_value, percent, percent_interval, plural, short
from bench.tracking import columns as c

VAGUE = 0.5  # an interval that wide says nothing
TELLING = 0.05  # a share of the variance, or of the unsolved, that is worth a sentence
ONLY_PART = (0.05, 0.95)  # a solved rate whose interval lies between: the start decides


@dataclass(frozen=True)
class Finding:
    """A sentence with its number, the evidence for it, and the section that shows it."""

    sentence: str
    evidence: str
    anchor: str


def _extremes(study: Study) -> Iterator[Finding]:
    rates = study.rates
    if len(rates) < 2 or rates[RATE].nunique() < 2:
        return
    best, worst = highest(rates, RATE), lowest(rates, RATE)
    ends = [percent_interval(one[RATE], one[LOW], one[HIGH]) for one in (best, worst)]
    equal = [int((rates[RATE] == one[RATE]).sum()) for one in (best, worst)]
    high = f"{best[NAME]} solves" if equal[0] == 1 else f"{equal[0]:,} of {len(rates):,} trials solve"
    low = worst[NAME] if equal[1] == 1 else f"{equal[1]:,} others"
    yield Finding(
        f"{high} it from {ends[0]} of the starts, {low} from {ends[1]}.",
        f"Highest and lowest of {plural(len(rates), 'trial')}, picked afterwards; n = {best[COUNT]:,} and "
        f"{worst[COUNT]:,} seeds, Wilson's 95 % interval of a trial.",
        "rates",
    )


def _luck(study: Study) -> Iterator[Finding]:
    rates = study.rates
    low, high = ONLY_PART
    part = int(((rates[LOW] > low) & (rates[HIGH] < high)).sum())
    table = study.shares.get(measures.SOLVED)
    if table is not None and table[sensitivity.SHARE].notna().any() and seed_share(table) > TELLING:
        by_term = {row[sensitivity.TERM]: row for row in table.to_dict("records")}
        own, luck = (by_term[term] for term in (sensitivity.SEED_ALONE, sensitivity.SEED_LUCK))
        if not luck[HIGH] - luck[LOW] < VAGUE:
            return
        shares = [percent_interval(one[sensitivity.SHARE], one[LOW], one[HIGH]) for one in (luck, own)]
        yield Finding(
            f"Luck is {shares[0]} of the variance in whether a training solves it: the start, in its interplay with "
            "the setting.",
            f"Starts that are good or bad in every setting are {shares[1]} more; "
            f"{plural(len(study.begun), 'training')}, 95 % jackknife intervals over the seeds.",
            "matters",
        )
    elif part:
        where = f"In {part:,} of {len(rates):,} trials the start decides" if len(rates) > 1 else "The start decides"
        yield Finding(
            f"{where}: some seeds solve it, others do not.",
            f"Wilson's 95 % intervals lie within {percent(low, 0)} and {percent(high, 0)}.",
            "rates",
        )


def _effects(study: Study) -> Iterator[Finding]:
    effects = study.effects
    if effects.empty or not is_grid(study):
        return
    found = greatest_effect(effects)
    if found is None:
        return
    name, low, high, parameters = found
    if parameters < 2 or high[sensitivity.MEAN] - low[sensitivity.MEAN] < TELLING or low[HIGH] >= high[LOW]:
        return
    words = [
        f"{percent_interval(one[sensitivity.MEAN], one[LOW], one[HIGH])} with {word(name, one[sensitivity.VALUE])}"
        for one in (low, high)
    ]
    yield Finding(
        f"Of all that was varied, {name} makes the greatest difference: {words[0]}, {words[1]}.",
        f"Averages over everything else, 95 % intervals over the seeds; n = {low[COUNT]:,} and {high[COUNT]:,} "
        "trainings.",
        "matters",
    )


def _times(study: Study) -> Iterator[Finding]:
    reached = study.times[study.times[survival.MEDIAN].notna()].sort_values(survival.MEDIAN, kind="stable")
    if reached.empty:
        return
    best = lowest(reached, survival.MEDIAN)
    never = len(study.times) - len(reached)
    half = interval(best[survival.MEDIAN], best[survival.MEDIAN_LOW], best[survival.MEDIAN_HIGH])
    rest = f"; {never:,} of {len(study.times):,} trials never get that far" if never else ""
    first = f"{best[NAME]} is {_fastest(reached)}: half of its" if len(study.times) > 1 else "Half of the"
    yield Finding(
        f"{first} starts have solved it after {half} iterations{rest}.",
        f"n = {best[COUNT]:,} seeds; Kaplan–Meier median with its 95 % interval, those that never solve it included.",
        "times",
    )


def _fastest(reached: pd.DataFrame) -> str:
    """Return "fastest" where the second's interval lies beyond the first's."""
    if len(reached) == 1:
        return "the only one to get there"
    ends = reached[survival.MEDIAN_HIGH].iloc[0], reached[survival.MEDIAN_LOW].iloc[1:].min()
    return "fastest" if ends[0] < ends[1] else "among the fastest"


def _endings(study: Study) -> Iterator[Finding]:
    table = study.attractors
    named = table[table[PATTERN] != attractors.ELSEWHERE] if len(table) else table
    if named.empty:
        return
    first = highest(named, COUNT)
    if first[attractors.OF_UNSOLVED] < TELLING:
        return
    share = percent_interval(first[attractors.SHARE], first[LOW], first[HIGH])
    yield Finding(
        f"{share} of the {first[c.GATE]} trainings end at the predictions {first[PATTERN]}, the commonest failure.",
        f"{first[COUNT]:,} of {plural(int(first[attractors.OF]), 'training')}, "
        f"{percent(first[attractors.OF_UNSOLVED])} of those unsolved; 95 % interval over the seeds; median error "
        f"{short(first[c.FINAL_MSE])}.",
        "attractors",
    )


def _pairs(study: Study) -> Iterator[Finding]:
    compared = study.comparisons
    if compared.empty or not is_grid(study) or not (compared[compare.P_HOLM] <= compare.SIGNIFICANT).any():
        return
    first = greatest(study.pooled)
    surely = max(first[compare.BETTER], first[compare.WORSE])
    yield Finding(
        f"{better(first)}.",
        f"{plural(int(first[compare.PAIRS]), 'pair')} of trainings, 95 % interval over seeds; beyond chance in "
        f"{surely:,} of {plural(int(first[compare.CONTEXTS]), 'setting')} (McNemar, Holm).",
        "pairs",
    )


def _wrong(study: Study) -> Iterator[Finding]:
    """Say where some observations are wrong more often than others; that none could be shown to be is no finding."""
    tested = study.wrong
    if tested.empty:
        return
    row = uniformity.wrong_observation_summary(tested).sort_values(uniformity.P_HOLM, kind="stable").iloc[0]
    if row[uniformity.P_HOLM] > compare.SIGNIFICANT:
        return
    counts = [int(count) for count in row[uniformity.COUNTS]]
    yield Finding(
        f"Which observation of {row[c.GATE]} comes out wrong is not left to chance alone.",
        f"{', '.join(f'{count:,}' for count in counts)} times observation 1 to {len(counts)}, of "
        f"{plural(int(row[uniformity.N]), 'training')} with one wrong; χ² by trial, the smallest "
        f"{p_value(row[uniformity.P_HOLM])} (Holm).",
        "attractors",
    )


SAYINGS: tuple[Callable[[Study], Iterator[Finding]], ...] = (
    _extremes, _luck, _times, _endings, _effects, _pairs, _wrong,
)  # fmt: skip

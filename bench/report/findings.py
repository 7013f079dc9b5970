"""Findings: what a newspaper could print of a sweep, each sentence with its number, its interval and its n.

There is no sentence where the data carry none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.metrics import columns as c
from bench.metrics import measures
from bench.model.gate import BUILT_IN
from bench.model.labels import word
from bench.report.charts import Finding
from bench.report.effects import greatest_effect, seed_share
from bench.report.layout import is_grid
from bench.report.loss_curves import is_single
from bench.report.number_format import interval, p_value, percent, percent_interval, plural, short
from bench.report.paired_differences import better, greatest
from bench.report.search_findings import search_findings
from bench.stats import attractors, final_patterns, sensitivity, survival, timings
from bench.stats import paired_comparisons as paired
from bench.stats.block_analysis import NAME, BlockAnalysis, highest, lowest
from bench.stats.claims import Verdict
from bench.stats.final_patterns import PATTERN
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, clustered_rate
from bench.stats.search_results import SearchResults

VAGUE = 0.5  # an interval that wide says nothing
TELLING = 0.05  # a share of the variance, or of the unsolved, that is worth a sentence
ONLY_PART = (0.05, 0.95)  # a solved rate whose interval lies between: the start decides


def _extremes(study: BlockAnalysis) -> Iterator[Finding]:
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


def _luck(study: BlockAnalysis) -> Iterator[Finding]:
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


def _effects(study: BlockAnalysis) -> Iterator[Finding]:
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


def _times(study: BlockAnalysis) -> Iterator[Finding]:
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


def _endings(study: BlockAnalysis) -> Iterator[Finding]:
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


def _pairs(study: BlockAnalysis) -> Iterator[Finding]:
    compared = study.comparisons
    if compared.empty or not is_grid(study) or not (compared[paired.P_HOLM] <= paired.SIGNIFICANT).any():
        return
    first = greatest(study.pooled)
    surely = max(first[paired.BETTER], first[paired.WORSE])
    yield Finding(
        f"{better(first)}.",
        f"{plural(int(first[paired.PAIRS]), 'pair')} of trainings, 95 % interval over seeds; beyond chance in "
        f"{surely:,} of {plural(int(first[paired.CONTEXTS]), 'setting')} (McNemar, Holm).",
        "pairs",
    )


def _wrong(study: BlockAnalysis) -> Iterator[Finding]:
    """Say where some observations are wrong more often than others; that none could be shown to be is no finding."""
    tested = study.wrong
    if tested.empty:
        return
    row = final_patterns.wrong_observation_summary(tested).sort_values(final_patterns.P_HOLM, kind="stable").iloc[0]
    if row[final_patterns.P_HOLM] > paired.SIGNIFICANT:
        return
    counts = [int(count) for count in row[final_patterns.COUNTS]]
    yield Finding(
        f"Which observation of {row[c.GATE]} comes out wrong is not left to chance alone.",
        f"{', '.join(f'{count:,}' for count in counts)} times observation 1 to {len(counts)}, of "
        f"{plural(int(row[final_patterns.N]), 'training')} with one wrong; χ² by trial, the smallest "
        f"{p_value(row[final_patterns.P_HOLM])} (Holm).",
        "attractors",
    )


FINDING_RULES: tuple[Callable[[BlockAnalysis], Iterator[Finding]], ...] = (
    _extremes, _luck, _times, _endings, _effects, _pairs, _wrong,
)  # fmt: skip


# ------------------------------------------------------------------ findings


MOST = 10
MOST_RATES = 3


def findings(
    found: Sequence[BlockAnalysis],
    ledger: Mapping[str, Any],
    backends: Mapping[str, Any] | None,
    verdicts: Sequence[Verdict],
    searched: SearchResults | None = None,
) -> list[Finding]:
    """Return five to ten findings of a sweep, those of its search first; fewer where there are not so many."""
    studies = [study for study in found if not is_single(study)]
    leading = search_findings(searched) if searched else ()
    first = [*leading, *_missing(ledger), *(_rates(studies) if studies else _few(found))]
    last = [*_backends(backends), *_claims(verdicts)]
    main = max(studies, key=_undecided, default=None)
    middle: list[Finding] = []
    for say in FINDING_RULES if main is not None else ():
        assert main is not None
        middle += list(say(main))[: max(MOST - len(first) - len(middle) - len(last), 0)]
    return [*first, *middle, *last][:MOST]


def _undecided(study: BlockAnalysis) -> float:
    """Return how much is undecided in a study: the sum of its trials' variances of solved or not."""
    return float((study.rates[RATE] * (1 - study.rates[RATE])).sum())


def _missing(ledger: Mapping[str, Any]) -> Iterator[Finding]:
    """Say first what did not come to an end."""
    counts = {name: count for name, count, _ in ledger["outcomes"]}
    bad = [f"{counts[name]:,} {name}" for name in ("diverged", "failed", "unsupported") if counts[name]]
    if ledger["missing"]:
        bad.append(f"{ledger['missing']:,} not yet trained")
    if bad:
        yield Finding(
            f"Of {plural(ledger['planned'], 'planned training')}: {', '.join(bad)}.",
            "Diverged and failed trainings count as not solved; what a backend refused was never begun.",
            "ledger",
        )


def _rates(studies: Sequence[BlockAnalysis]) -> Iterator[Finding]:
    """Say of each grid from how many starts its gates are solved; an average of what a search proposed says nothing."""
    laid_out = [one for one in studies if len(one.begun) and not one.proposed]
    even = [one for one in laid_out if is_grid(one) and one.seeds.min() == one.seeds.max()]
    for study in even[:MOST_RATES]:
        rows = study.begun
        trials = rows[c.TRIAL_ID].nunique()
        parts = [_rate(str(gate), some) for gate, some in rows.groupby(c.GATE, sort=False, observed=True)]
        title = f"“{study.title}”: " if study.title and len(studies) > 1 else ""
        how = "Wilson's 95 % interval" if trials == 1 else "95 % interval over the seeds, which trials share"
        solved = f"{int(rows[c.SOLVED].sum()):,} of {plural(len(rows), 'training')} in {plural(trials, 'trial')}"
        sentence = "; ".join(parts)
        yield Finding(f"{sentence[0].upper()}{sentence[1:]}.", f"{title}{solved}; {how}.", "rates")


def _few(found: Sequence[BlockAnalysis]) -> Iterator[Finding]:
    """Say what came of so few trainings that there is no rate to be had."""
    rows = pd.concat([study.begun for study in found]) if found else pd.DataFrame()
    if len(rows) == 1:
        outcome, error = rows[c.OUTCOME].iloc[0], short(rows[c.FINAL_MSE].iloc[0])
        yield Finding(f"The only training is {outcome}.", f"Final mean squared error {error}; n = 1.", "ledger")
    elif len(rows):
        solved = int(rows[c.SOLVED].sum())
        most = int(max(study.seeds.max() for study in found))
        yield Finding(
            f"{solved:,} of {plural(len(rows), 'training')} {'solves' if solved == 1 else 'solve'} it.",
            f"At most {plural(most, 'start')} of a trial: too few to say how surely.",
            "ledger",
        )


def _rate(gate: str, rows: pd.DataFrame) -> str:
    rate, low, high = clustered_rate(rows)
    what = gate.upper() if gate in BUILT_IN else gate
    if rate == 0:
        budgets = rows[c.ITERATIONS].unique()
        within = f" within {budgets[0]:,} iterations" if len(budgets) == 1 else ""
        return f"none of {plural(len(rows), 'training')} solves {what}{within}: {percent_interval(rate, low, high)}"
    one = bool((rows[c.TRIAL_ID] == rows[c.TRIAL_ID].iloc[0]).all())
    average = "" if one or rate == 1 else ", on average over the trials"
    return f"{what} is solved from {percent_interval(rate, low, high)} of the starts{average}"


def _backends(backends: Mapping[str, Any] | None) -> Iterator[Finding]:
    best = backends and backends["fastest"]
    if best and best[timings.SPEEDUP] > 1 and not pd.isna(best[timings.SPEEDUP_LOW]):
        together = plural(int(best[c.TOGETHER]), "training")
        times = interval(best[timings.SPEEDUP], best[timings.SPEEDUP_LOW], best[timings.SPEEDUP_HIGH])
        rounds = plural(int(best[timings.PAIRED]), "round")
        kind = "with a 95 % bootstrap interval" if best[timings.PAIRED] >= timings.FEWEST else "with their range"
        yield Finding(
            f"{best[timings.SIDE]} trains up to {times} times as fast as the numpy loop.",
            f"The greatest of all sizes: {best['trial']}, {together} side by side against one after the other, alone "
            f"on the machine; median of {rounds} {kind}, where both train alike.",
            "backends",
        )


def _claims(verdicts: Sequence[Verdict]) -> Iterator[Finding]:
    held = sum(verdict.holds for verdict in verdicts)
    if verdicts:
        missed = ", ".join(verdict.id for verdict in verdicts if not verdict.holds)
        yield Finding(
            f"{'All' if held == len(verdicts) else f'{held:,}'} of {plural(len(verdicts), 'claim')} hold."
            if held < len(verdicts) or len(verdicts) > 1
            else "The claim holds.",
            f"Not: {missed}." if missed else "Printed numbers to their last digit, shares with all of their interval.",
            "claims",
        )

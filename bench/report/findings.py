"""Findings: what a newspaper could print of a sweep, each sentence with its number, its interval and its n.

There is no sentence where the data carry none.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.metrics import measures
from bench.model.display_labels import gate_word, phrase
from bench.model.gate import TWO_INPUT_TARGETS
from bench.model.maps import ELSEWHERE
from bench.model.network import read_hidden
from bench.report.backends import fastest
from bench.report.charts import Content, Finding, Row, row_interval, row_percent
from bench.report.combination_findings import combination_findings
from bench.report.effects import differences_by_setting, greatest_effect
from bench.report.endings import TELLING, check_words, telling_checks
from bench.report.maps import map_findings
from bench.report.number_format import (
    gate_words,
    headed,
    p_value,
    percent,
    percent_interval,
    plural,
    points,
    sentence,
    short,
)
from bench.report.numeric_axis import number_findings
from bench.report.pairs import better, faster, greatest
from bench.report.panel_layout import is_grid, is_single
from bench.report.question import question_findings
from bench.report.restarts import restart_findings
from bench.report.search_findings import search_findings
from bench.report.shared_luck import luck_findings
from bench.report.sweep_data import SweepData
from bench.stats import attractors, sensitivity, survival, timings
from bench.stats import paired_comparisons as paired
from bench.stats.claims import OF_PUBLISHED, REFUTED, UNDECIDED, Verdict, counted_verdicts
from bench.stats.decision_surface import is_linearly_separable
from bench.stats.final_patterns import COUNTS, P_HOLM, PATTERN, N, wrong_observation_summary
from bench.stats.grid_analysis import BUDGET, DECIDES, NAME, GridAnalysis, highest, lowest, most_undecided
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, clustered_rate

MOST = 10
MOST_RATES = 3
VAGUE = 0.5  # an interval that wide says nothing
NEARLY_ALL = 0.95  # of an ending, with one value of a parameter


def block_findings(data: SweepData, section: str) -> list[tuple[int, Finding]]:
    """Return what a section has to say of the block in which most is undecided, each with its rank.

    An average over what a search proposed says nothing of it.
    """
    main = _main(data)
    if main is None or main.proposed:
        return []
    rules = [(rank, rule) for rank, (name, rule) in enumerate(BLOCK_RULES) if name == section]
    return [(rank, _of(main, finding)) for rank, rule in rules for finding in rule(main)]


def findings(data: SweepData, ledger: Content, of_block: Sequence[tuple[int, Finding]]) -> list[Finding]:
    """Return five to ten findings of a sweep; fewer where there are not so many.

    First what was claimed and what was asked, then what its search found.

    ``of_block`` has those of all sections, in any order.
    """
    blocks, main = _several(data), _main(data)
    leading = list(search_findings(data.search_results) if data.search_results else ())
    leading += combination_findings(data.combinations) if data.combinations else ()
    rates = _rates(blocks, data) if blocks else _few(data.blocks)
    asks = [*_claims(data.verdicts), *question_findings(data)]
    over = [finding for block in blocks for finding in number_findings(block)][:MOST_RATES]
    first = [*asks, *leading, *map_findings(data), *_missing(ledger), *over, *rates]
    last = [*_fastest_backend(data)]
    if main and c.BACKEND in main.names:
        first, last = last + first, []
    said = {finding.anchor for finding in asks}
    ranked = sorted(of_block, key=lambda one: one[0])
    middle = [finding for _, finding in ranked if not (finding.anchor == "pairs" and "pairs" in said)]
    return [*first, *middle[: max(MOST - len(first) - len(last), 0)], *last][:MOST]


def _several(data: SweepData) -> list[GridAnalysis]:
    return [block for block in data.blocks if not is_single(block)]


def _main(data: SweepData) -> GridAnalysis | None:
    blocks = _several(data)
    return most_undecided(blocks) if blocks else None


# ------------------------------------------------------------------ of the whole sweep


def _missing(ledger: Content) -> Iterator[Finding]:
    """Say first what did not come to an end."""
    counts = {name: count for name, count, _ in ledger["outcomes"]}
    bad = [f"{counts[name]:,} {name}" for name in ("diverged", "failed", "unsupported") if counts[name]]
    bad += [f"{ledger['missing']:,} not yet trained"] if ledger["missing"] else []
    if bad:
        yield Finding(
            f"Of {plural(ledger['planned'], 'planned training')}: {', '.join(bad)}.",
            "Diverged and failed trainings count as not solved; what a backend refused was never begun.",
            "ledger",
        )


def _rates(blocks: Sequence[GridAnalysis], data: SweepData) -> Iterator[Finding]:
    """Say of each grid from how many starts its gates are solved; an average of what a search proposed says nothing."""
    grids = [one for one in blocks if len(one.begun) and not one.proposed and is_grid(one)]
    even = [one for one in grids if one.seeds.min() == one.seeds.max()]
    for block in even[:MOST_RATES]:
        rows = block.begun
        gates = [(str(gate), some) for gate, some in rows.groupby(c.GATE, sort=False, observed=True)]
        parts = [_rate(block, data, gate, some) for gate, some in gates]
        only = len(block.rates) == 1
        how = "exact 95 % interval" if only else "95 % interval over the seeds, which trials share"
        solved = ", ".join((f"{gate_word(gate)} " if len(gates) > 1 else "") + _counted(some) for gate, some in gates)
        slow = "".join(f" {words}" for words in telling_checks(block))
        title = f"“{block.title}”: " if block.title and len(blocks) > 1 else ""
        said = f"{_within(block)}, {_networks(block)} {'; they '.join(parts)}."
        yield Finding(said, f"{title}{solved}; {how}.{slow}", "rates")


def _rate(block: GridAnalysis, data: SweepData, gate: str, rows: pd.DataFrame) -> str:
    rate, low, high = clustered_rate(rows)
    what, words = gate_word(gate), percent_interval(rate, low, high)
    if rate == 0:
        why = _why_none(data, gate, rows)
        seeds = plural(rows[c.SEED].nunique(), "seed")
        return f"cannot solve {what}: {why}" if why else f"solve {what} from none of {seeds}: {words}"
    own = block.rates[block.rates[c.TRIAL_ID].isin(rows[c.TRIAL_ID].unique())][RATE]
    if len(own) == 1 or rate == 1:
        return f"solve {what} from {words} of the starts"
    spread = f", observed {percent(own.min())} to {percent(own.max())} by trial" if own.min() < own.max() else ""
    return f"solve {what} from {words} of the starts, on average over {plural(len(own), 'trial')}{spread}"


def _counted(rows: pd.DataFrame) -> str:
    """Return how many trainings solve it of how many, in how many trials with how many seeds."""
    of = f"{plural(rows[c.TRIAL_ID].nunique(), 'trial')}, {plural(rows[c.SEED].nunique(), 'seed')}"
    return f"{int(rows[c.SOLVED].sum()):,} of {plural(len(rows), 'training')} ({of})"


def _why_none(data: SweepData, gate: str, rows: pd.DataFrame) -> str:
    """Return why no perceptron can solve a gate, if so it is: every activation is monotone."""
    gates = {planned.trial.gate.name: planned.trial.gate for planned in data.plan.trials}
    if (rows[c.HIDDEN].astype(object).map(read_hidden).str.len() > 0).any():
        return ""
    table = gates[gate]
    if table.outputs > 1 or not np.isin(table.targets, (0, 1)).all() or is_linearly_separable(table):
        return ""
    what = "line" if table.inputs.shape[1] == 2 else "plane"
    name = gate_word(gate)
    return f"their output is monotone in a weighted sum of the inputs, and no {what} separates {name}'s 0s from its 1s"


def _within(block: GridAnalysis) -> str:
    """Return how long networks were trained, or that nothing but their weights was drawn."""
    guessed = c.OPTIMIZER in block.trials and (block.trials[c.OPTIMIZER] == "none").all()
    return "As they are drawn" if guessed else f"Within {_budget(block)}"


def _budget(block: GridAnalysis) -> str:
    budgets = block.begun[c.ITERATIONS].unique()
    return plural(int(budgets[0]), "iteration") if len(budgets) == 1 else "their iterations"


def _networks(block: GridAnalysis) -> str:
    """Return in words what was trained."""
    layers = {len(read_hidden(hidden)) for hidden in block.trials[c.HIDDEN].unique()}
    names = {0: "single perceptrons", 1: "networks with one hidden layer"}
    return names.get(layers.pop(), "networks") if len(layers) == 1 else "networks"


def _of(block: GridAnalysis, finding: Finding) -> Finding:
    """Begin a finding with what it is about: the title of the block, or its only gate."""
    title = block.title or gate_words(block.trials[c.GATE])
    return replace(finding, sentence=headed(title, finding.sentence))


def _few(blocks: Sequence[GridAnalysis]) -> Iterator[Finding]:
    """Say what came of so few trainings that there is no rate to be had."""
    rows = pd.concat([block.begun for block in blocks]) if blocks else pd.DataFrame()
    if len(rows) == 1:
        outcome, error = rows[c.OUTCOME].iloc[0], short(rows[c.FINAL_MSE].iloc[0])
        yield Finding(f"The only training is {outcome}.", f"Final mean squared error {error}; n = 1.", "ledger")
    elif len(rows):
        solved = int(rows[c.SOLVED].sum())
        most = int(max(block.seeds.max() for block in blocks))
        yield Finding(
            f"{solved:,} of {plural(len(rows), 'training')} {'solves' if solved == 1 else 'solve'} it.",
            f"At most {plural(most, 'start')} of a trial: too few to say how surely.",
            "ledger",
        )


def _fastest_backend(data: SweepData) -> Iterator[Finding]:
    best, cpu = fastest(data), data.environment.get("cpu")
    if best and best[timings.SPEEDUP] > 1 and not pd.isna(best[timings.SPEEDUP_LOW]):
        sizes, threads = int(best["sizes"]), best["threads"]
        yield Finding(
            f"Per training, {best[timings.SIDE]} with {int(best[c.TOGETHER]):,} side by side is "
            f"{best['times']} times as fast as the numpy loop, one after the other "
            f"({best['trial']}{f', {cpu}' if cpu else ''}).",
            f"{'The only comparison' if sizes == 1 else f'The greatest of {sizes:,}, picked afterwards,'} where the "
            "core was shared with nothing and both end at the same predictions, but for rounding; compiled "
            f"before, on {threads} thread{'' if threads == '1' else 's'}. Median of "
            f"{plural(int(best[timings.PAIRED]), 'round')} with its exact 95 % interval, "
            f"{f'which holds for all {sizes:,} at once' if best['at_once'] else 'by itself'}.",
            "backends",
        )


def _claims(verdicts: Sequence[Verdict]) -> Iterator[Finding]:
    if not verdicts:
        return
    words = [
        f"{name}: {', '.join(ids)}."
        for name in (REFUTED, UNDECIDED, OF_PUBLISHED[REFUTED], OF_PUBLISHED[UNDECIDED])
        if (ids := [one.id for one in verdicts if one.verdict == name])
    ]
    if len(verdicts) == 1:
        said = _of_one(verdicts[0])
    else:
        counted = counted_verdicts(verdicts)
        said = (
            f"{counted}."
            if words or any(one.is_published for one in verdicts)
            else f"All {len(verdicts):,} claims hold."
        )
    evidence = " ".join(map(sentence, words))
    yield Finding(
        said,
        evidence or "Printed numbers to their last digit, shares beyond an exact bound that errs in 2.5 % of sweeps.",
        "claims",
    )


def _of_one(verdict: Verdict) -> str:
    if verdict.is_published:
        return f"What was published {'is open' if verdict.verdict == OF_PUBLISHED[UNDECIDED] else verdict.verdict}."
    return "The claim holds." if verdict.holds else f"The claim is {verdict.verdict}."


# ------------------------------------------------------------------ of the block in which most is undecided


def _extremes(block: GridAnalysis) -> Iterator[Finding]:
    rates = block.rates_at_once
    if len(rates) < 2 or rates[RATE].nunique() < 2:
        return
    best, worst = highest(rates, RATE), lowest(rates, RATE)
    counts = [f"{one[COUNT]:,}" for one in (best, worst)]
    equal = [int((rates[RATE] == one[RATE]).sum()) for one in (best, worst)]
    which = [
        one[NAME] if count == 1 else plural(count, "trial") for one, count in zip((best, worst), equal, strict=True)
    ]
    yield Finding(
        f"the highest observed solved rate is {row_percent(best)} ({which[0]}), the lowest "
        f"{row_percent(worst)} ({which[1]}).",
        f"Highest and lowest of {plural(len(rates), 'trial')}, picked afterwards, with 95 % intervals that hold for "
        f"all of them at once; n = {' and '.join(dict.fromkeys(counts))} seeds.",
        "rates",
    )


def _luck(block: GridAnalysis) -> Iterator[Finding]:
    rates, part = block.rates, len(block.undecided)
    table = block.shares.get(measures.SOLVED)
    if table is not None and table[sensitivity.SHARE].notna().any():
        (own,) = table[table[sensitivity.TERM] == sensitivity.SEED_ALONE].to_dict("records")
        ends = own[sensitivity.TOTAL], own[sensitivity.TOTAL_LOW], own[sensitivity.TOTAL_HIGH]
        if ends[0] > TELLING and ends[2] - ends[1] < VAGUE:
            yield Finding(
                f"{percent_interval(*ends)} of the variance in whether a training of this grid solves "
                f"it lies between starts of the same trial{_good_starts(own)}.",
                f"{plural(len(block.begun), 'training')} of these {plural(len(rates), 'trial')}; 95 % jackknife "
                f"intervals over the seeds{_permuted(own)}. In {part:,} of them the start decides: {_deciding()}.",
                "matters",
            )
    elif part:
        where = f"In {part:,} of {len(rates):,} trials the start decides" if len(rates) > 1 else "The start decides"
        yield Finding(
            f"{where}: some seeds solve it, others do not.",
            f"{sentence(_deciding())}.",
            "rates",
        )


def _deciding() -> str:
    """Return when the start is said to decide."""
    low, high = (percent(end, 0) for end in DECIDES)
    return f"the exact 95 % interval of the solved rate lies between {low} and {high}"


def _good_starts(own: Row) -> str:
    """Return what part of that is of starts that are good or bad in all trials that share them, where that is known."""
    width = own[HIGH] - own[LOW]
    if pd.isna(own[sensitivity.SHARE]) or width > VAGUE:
        return ""
    if own[sensitivity.P] > paired.SIGNIFICANT:
        return ", of which none is shown to be shared by trials that begin with the same weights"
    return (
        f"; {row_percent(own, sensitivity.SHARE)} of all variance, part of that, is due to starts that tend to do "
        "well, or badly, across the trials that begin with the same weights"
    )


def _permuted(own: Row) -> str:
    known = bool(not pd.isna(own[sensitivity.SHARE]) and own[sensitivity.P] <= paired.SIGNIFICANT)
    return f"; shared by trials, {p_value(own[sensitivity.P]).replace('=', '≤')} by permutation" if known else ""


def _times(block: GridAnalysis) -> Iterator[Finding]:
    times = block.times_at_once
    reached = times[times[survival.MEDIAN].notna()].sort_values(survival.MEDIAN, kind="stable")
    if reached.empty:
        return
    best = lowest(reached, survival.MEDIAN)
    (rate,) = block.rates_at_once[block.rates_at_once[c.TRIAL_ID] == best[c.TRIAL_ID]].to_dict("records")
    fewer = len(times) - len(reached)
    rest = f" In {fewer:,} of {len(times):,} trials fewer than half did within {_budget(block)}." if fewer else ""
    which = "" if len(times) == 1 else f"{_smallest(reached)} that of {best[NAME]}: "
    yield Finding(
        f"{which}half of the starts have solved it after {row_interval(best, survival.MEDIAN)} "
        f"iterations, and {row_percent(rate)} at the end.{rest}",
        f"n = {best[COUNT]:,} seeds, those unsolved within the budget included; 95 % intervals"
        f"{' that hold for all trials at once' if len(times) > 1 else ''}.",
        "times",
    )


def _smallest(reached: pd.DataFrame) -> str:
    """Return "the smallest" only where the second's interval lies beyond the first's."""
    if len(reached) == 1:
        return "the only median is"
    ends = reached[survival.MEDIAN_HIGH].iloc[0], reached[survival.MEDIAN_LOW].iloc[1:].min()
    return "the smallest observed median is" if ends[0] < ends[1] else "among the smallest medians is"


def _endings(block: GridAnalysis) -> Iterator[Finding]:
    table = block.attractors
    named = table[table[PATTERN] != ELSEWHERE] if len(table) else table
    first = highest(named, COUNT) if len(named) else None
    if first is None or first[attractors.OF_UNSOLVED] < TELLING:
        return
    gate = gate_word(first[c.GATE])
    checks = block.budget_checks_of(first[c.GATE], first[PATTERN]).to_dict("records")
    slow = "".join(f" {check_words(row, first[PATTERN])}" for row in checks)
    yield Finding(
        f"{row_percent(first, attractors.SHARE)} of the {gate} trainings end at the predictions "
        f"{first[PATTERN]}{_also(first[c.GATE], first[PATTERN])}, the commonest failure observed"
        f"{_only_with(block, first)}.",
        f"{first[COUNT]:,} of {plural(int(first[attractors.OF]), 'training')}, "
        f"{percent(first[attractors.OF_UNSOLVED])} of those unsolved; picked afterwards, with its 95 % interval over "
        f"the seeds, by itself; median of their mean squared errors {short(first[c.FINAL_MSE])}.{slow}",
        "attractors",
    )


def _also(gate: str, pattern: str) -> str:
    """Return of which other gate a pattern is the table, if it is one's."""
    known = {" ".join(map(str, targets)): name for name, targets in TWO_INPUT_TARGETS.items()}
    return f", the table of {known[pattern].upper()}" if gate in TWO_INPUT_TARGETS and pattern in known else ""


def _only_with(block: GridAnalysis, row: Row) -> str:
    """Return the value of a parameter that nearly all trainings of an ending have, if there is one."""
    rows = block.ending_at(row[c.GATE], row[PATTERN])
    for name in block.names:
        if name not in (c.GATE, *BUDGET):
            shares = rows[name].value_counts(normalize=True)
            if shares.iloc[0] >= NEARLY_ALL:
                words, every = phrase({name: shares.index[0]}), block.begun
                of = ((every[name] == shares.index[0]) & (every[c.GATE] == row[c.GATE])).sum()
                if shares.iloc[0] == 1:
                    return f", and seen only with {words} ({len(rows):,} of {of:,})"
                return f", {percent(float(shares.iloc[0]), 0)} of it with {words}"
    return ""


def _effects(block: GridAnalysis) -> Iterator[Finding]:
    found = greatest_effect(block.effects) if len(block.effects) and is_grid(block) else None
    if found is None:
        return
    name, low, high, parameters = found
    if parameters < 2 or high[sensitivity.MEAN] - low[sensitivity.MEAN] < TELLING or low[HIGH] >= high[LOW]:
        return
    ends = [
        f"{row_percent(one, sensitivity.MEAN)} with {phrase({name: one[sensitivity.VALUE]})}" for one in (low, high)
    ]
    changed = differences_by_setting(block, name, low[sensitivity.VALUE], high[sensitivity.VALUE])
    if len(changed) > 1 and _interacts(block, name):
        values = " to ".join(phrase({name: one[sensitivity.VALUE]}) for one in (low, high))
        yield Finding(
            f"what {name} does depends on what it is combined with: from {values} the solved rate changes by "
            f"{points(changed.min())} to {points(changed.max())}, by setting.",
            "Its interactions account for more of the variance than the parameter itself; an average would hide them.",
            "matters",
        )
        return
    single = f", by {points(changed.min())} to {points(changed.max())} in single settings" if len(changed) > 1 else ""
    yield Finding(
        f"of all that was varied, {name} spans the widest range of mean solved rates: {ends[0]}, {ends[1]}{single}.",
        f"Averages over everything else, with 95 % intervals over the seeds that hold for all values at once; n = "
        f"{low[COUNT]:,} and {high[COUNT]:,} trainings.",
        "matters",
    )


def _interacts(block: GridAnalysis, name: str) -> bool:
    """Whether the solved rate depends more on what a parameter is combined with than on the parameter itself."""
    table = block.shares.get(measures.SOLVED)
    if table is None or not table[sensitivity.SHARE].notna().any():
        return False
    part_of = np.array([name in of for of in table[sensitivity.OF]])
    with_others = (table[sensitivity.KIND] == sensitivity.INTERACTION) & part_of
    own = table[table[sensitivity.TERM] == name][sensitivity.SHARE].sum()
    return bool(table[with_others][sensitivity.SHARE].sum() > own)


def _pairs(block: GridAnalysis) -> Iterator[Finding]:
    compared = block.comparisons
    if compared.empty or not is_grid(block) or not (compared[paired.P_HOLM] <= paired.SIGNIFICANT).any():
        return
    first = greatest(block.pooled)
    one, other = (phrase({first[paired.PARAMETER]: first[side]}) for side in (paired.ONE, paired.OTHER))
    if first[paired.BETTER] and first[paired.WORSE]:
        yield Finding(
            f"from the same starts, whether {one} or {other} solves more depends on the setting: {one} in "
            f"{first[paired.BETTER]:,} of {plural(int(first[paired.CONTEXTS]), 'setting')}, {other} in "
            f"{first[paired.WORSE]:,}.",
            "Beyond chance in each of them (McNemar, Holm over all pairs of trials); an average would hide it.",
            "pairs",
        )
        return
    yield Finding(
        f"{better(first)}.",
        f"The greatest of {plural(len(block.pooled), 'difference')}, whose 95 % intervals over seeds hold all at once; "
        f"{plural(int(first[paired.PAIRS]), 'pair')} of trainings. Beyond chance {one} is better in "
        f"{first[paired.BETTER]:,} of {plural(int(first[paired.CONTEXTS]), 'setting')} and {other} in "
        f"{first[paired.WORSE]:,} (McNemar, Holm over all pairs of trials).",
        "pairs",
    )


def _speed(block: GridAnalysis) -> Iterator[Finding]:
    """Say which value makes a solution faster everywhere."""
    found = faster(block) if is_grid(block) else None
    if found is not None:
        rate = block.trials[c.LEARNING_RATE].unique()
        fixed = f", at {phrase({c.LEARNING_RATE: rate[0]})}" if len(rate) == 1 else ""
        words = f"from starts that solve it with both within {_budget(block)}, {found[0]}{fixed}"
        yield Finding(f"{words}.", found[1], "pairs")


def _wrong(block: GridAnalysis) -> Iterator[Finding]:
    """Say where some observations are wrong more often than others; that none could be shown to be is no finding."""
    if block.wrong.empty:
        return
    row = wrong_observation_summary(block.wrong).sort_values(P_HOLM, kind="stable").iloc[0]
    if row[P_HOLM] > paired.SIGNIFICANT:
        return
    counts = [f"{int(count):,}" for count in row[COUNTS]]
    yield Finding(
        f"which observation of {gate_word(row[c.GATE])} comes out wrong is not left to chance alone.",
        f"{', '.join(counts)} times observation 1 to {len(counts)}, of {plural(int(row[N]), 'training')} with one "
        f"wrong; χ² by trial, the smallest {p_value(row[P_HOLM])} (Holm).",
        "attractors",
    )


# each with the section that computes what it needs, and shows it; the most telling first
BLOCK_RULES: tuple[tuple[str, Callable[[GridAnalysis], Iterator[Finding]]], ...] = (
    ("rates", _extremes),
    ("matters", _luck),
    ("times", _times),
    ("pairs", _speed),
    ("restarts", restart_findings),
    ("attractors", _endings),
    ("matters", _effects),
    ("pairs", _pairs),
    ("luck", luck_findings),
    ("attractors", _wrong),
)

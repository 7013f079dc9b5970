"""Findings: what a newspaper could print of a sweep, each sentence with its number, its interval and its n.

There is no sentence where the data carry none.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis import timing
from bench.analysis.claims import Verdict
from bench.analysis.searched import Searched
from bench.analysis.solved import RATE, clustered_rate
from bench.analysis.study import Study
from bench.problem.gate import BUILT_IN
from bench.report.layout import is_grid
from bench.report.sayings import SAYINGS, Finding
from bench.report.searched import search_findings
from bench.report.sections.curves import is_single
from bench.report.words import interval, percent_interval, plural, short
from bench.tracking import columns as c

MOST = 10
MOST_RATES = 3


def findings(
    found: Sequence[Study],
    ledger: Mapping[str, Any],
    backends: Mapping[str, Any] | None,
    verdicts: Sequence[Verdict],
    searched: Searched | None = None,
) -> list[Finding]:
    """Return five to ten findings of a sweep, those of its search first; fewer where there are not so many."""
    studies = [study for study in found if not is_single(study)]
    leading = search_findings(searched) if searched else ()
    first = [*leading, *_missing(ledger), *(_rates(studies) if studies else _few(found))]
    last = [*_backends(backends), *_claims(verdicts)]
    main = max(studies, key=_undecided, default=None)
    middle: list[Finding] = []
    for say in SAYINGS if main is not None else ():
        assert main is not None
        middle += list(say(main))[: max(MOST - len(first) - len(middle) - len(last), 0)]
    return [*first, *middle, *last][:MOST]


def _undecided(study: Study) -> float:
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


def _rates(studies: Sequence[Study]) -> Iterator[Finding]:
    """Say of each grid from how many starts its gates are solved; an average of what a search proposed says nothing."""
    laid_out = [one for one in studies if len(one.begun) and not one.picked]
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


def _few(found: Sequence[Study]) -> Iterator[Finding]:
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
    if best and best[timing.SPEEDUP] > 1 and not pd.isna(best[timing.SPEEDUP_LOW]):
        together = plural(int(best[c.TOGETHER]), "training")
        times = interval(best[timing.SPEEDUP], best[timing.SPEEDUP_LOW], best[timing.SPEEDUP_HIGH])
        rounds = plural(int(best[timing.PAIRED]), "round")
        kind = "with a 95 % bootstrap interval" if best[timing.PAIRED] >= timing.FEWEST else "with their range"
        yield Finding(
            f"{best[timing.SIDE]} trains up to {times} times as fast as the numpy loop.",
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

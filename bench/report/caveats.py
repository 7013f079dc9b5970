"""Warnings: whatever a reader must know before trusting the rest, all in one place."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.config.search_state import BY_TIMEOUT
from bench.config.until import INTERVAL, MAX_SEEDS, Until
from bench.metrics import columns as c
from bench.metrics.objectives import TRAIN_SECONDS
from bench.model.outcome import Result
from bench.report.number_format import plural
from bench.stats import agreement, timings
from bench.stats.search_results import SearchResults

if TYPE_CHECKING:
    from bench.report.page import SweepData

MOST_REASONS = 8
APPROXIMATE = "After such a rule intervals are approximate (Chow and Robbins 1965)."


def warnings(
    swept: "SweepData",
    ledger: Mapping[str, Any],
    rates: Sequence[Mapping[str, Any]],
    backends: Mapping[str, Any] | None,
    searched: SearchResults | None = None,
) -> list[str]:
    """Return in plain words what is missing, what failed, what is not sure, and what is shown of a part only."""
    data, plan = swept.trainings, swept.plan
    found = []
    if ledger["missing"]:
        found.append(
            f"This sweep is not finished: {ledger['done']:,} of {ledger['planned']:,} planned trainings are here. "
            f"Go on with: {plan.question.command} --resume"
        )
    found += _search(searched, plan.question.command) if searched else []
    found += _reasons(data)
    found += _all_of_a_kind(ledger)
    found += _left_again(data)
    found += [] if ledger["missing"] else _wide(rates)
    found += _timings(backends) if backends else []
    found += _curves(swept)
    if plan.question.claims_left_out:
        found.append(
            "The experiment's claims speak of the file as written; with other values given they were not checked."
        )
    return found


def _search(found: SearchResults, command: str) -> list[str]:
    """Say what a search has not done, and what cannot be had again bit for bit."""
    asked, ended = found.search, found.proposals.ended
    so_far = f"{len(found.history):,} of {plural(asked.trials, 'trial')}"
    said = []
    if ended is None:
        said.append(f"The search is not finished: {so_far} are here. Go on with: {command} --resume")
    elif ended == BY_TIMEOUT:
        said.append(f"The search ended by its limit of {asked.timeout_s:g} s, after {so_far}.")
    if TRAIN_SECONDS in found.judged.measures:
        said.append("The search goes by measured seconds: it cannot be repeated bit for bit.")
    if not asked.validate:
        said.append("validate = 0: nothing was checked on seeds that the search did not choose by.")
    return said


def _reasons(data: pd.DataFrame) -> list[str]:
    lost = data[data[c.REASON].notna() & data[c.OUTCOME].isin([Result.FAILED, Result.UNSUPPORTED])]
    if lost.empty:
        return []
    words = {c.OUTCOME: lost[c.OUTCOME].astype(str), c.REASON: lost[c.REASON].astype(str)}
    counts = pd.DataFrame(words).value_counts(sort=False).reset_index(name="n").to_dict("records")
    found = [f"{plural(row['n'], 'training')} {row[c.OUTCOME]}: {row[c.REASON]}" for row in counts[:MOST_REASONS]]
    more = len(counts) - MOST_REASONS
    return [*found, f"And {plural(more, 'more reason')}, in the export."] if more > 0 else found


def _all_of_a_kind(ledger: Mapping[str, Any]) -> list[str]:
    """Say where one outcome is all that there is."""
    sentences = {
        Result.DIVERGED: "Every training diverged: weights or predictions were no longer finite. A smaller learning "
        "rate or smaller initial weights may help.",
        Result.UNSUPPORTED: "Nothing was trained: every training was refused by its backend.",
        Result.FAILED: "Nothing was trained: every training crashed.",
    }
    return [words for name, count, _ in ledger["outcomes"] for kind, words in sentences.items()
            if name == kind and count and count == ledger["done"]]  # fmt: skip


def _left_again(data: pd.DataFrame) -> list[str]:
    """Say how many solved it once and ended unsolved: they are not counted as solved."""
    left = int((data[c.SOLVED_AT].notna() & ~data[c.SOLVED].astype(bool)).sum())
    if not left:
        return []
    return [f"{plural(left, 'training')} had solved it and left the solution again; what counts is the end."]


def _wide(rates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of which studies trials have too few seeds; of what a search proposed, its best are trained on more."""
    wide = [one for one in rates if one["wide"] and not one["picked"]]
    return [f"{one['heading']}: {one['wide']}" if one["heading"] else one["wide"] for one in wide]


def _timings(backends: Mapping[str, Any]) -> list[str]:
    """Say which backends disagree, and how many timings are not to be trusted."""
    summed, table = backends["summed"], backends["table"]
    wrong = summed[(~summed[agreement.AGREES].astype("boolean")).fillna(value=False)] if len(summed) else summed
    pairs = zip(wrong[agreement.ONE], wrong[agreement.OTHER], strict=True) if len(wrong) else ()
    found = [f"{one} and {other} do not train alike: their speeds are not compared." for one, other in pairs]
    noisy = int(table[timings.NOISY].sum()) if len(table) else 0
    shared = int(table[timings.SHARED].sum()) if len(table) else 0
    if noisy:
        found.append(f"{plural(noisy, 'timing')} of {len(table):,} spread over 10 % of the median between rounds.")
    if shared:
        found.append(f"{plural(shared, 'timing')} of {len(table):,} shared the core with something else.")
    return found


def _curves(swept: "SweepData") -> list[str]:
    most = max((planned.trainings for planned in swept.plan.trials), default=0)
    kept = min(c.CURVES_PER_TRIAL, swept.curves if swept.curves is not None else most)
    if most <= kept:
        return []
    return [f"Curves are shown of the first {kept:,} seeds of a trial; rates and times count all seeds."]


def until_words(until: Until | None) -> str:
    """Say which rule ended the adding of seeds."""
    if not until:
        return ""
    goal = f"until every solved rate was known to within {100 * until.half_width:g} points"
    rounds = plural(int(until.rounds), "round")
    if until.stopped_by == INTERVAL:
        return f"Seeds were added in {rounds} {goal}. {APPROXIMATE}"
    if until.stopped_by == MAX_SEEDS:
        return (
            f"Seeds were to be added {goal}; the limit of {until.max_seeds:,} seeds ended that after {rounds}, with "
            f"{plural(int(until.wide), 'trial')} still wider. {APPROXIMATE}"
        )
    return f"Seeds were being added {goal} when the sweep ended, in {rounds} so far."

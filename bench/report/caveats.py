"""Warnings: whatever a reader must know before trusting the rest, all in one place."""

from collections.abc import Sequence

import pandas as pd

from bench.config.search_state import BY_TIMEOUT
from bench.config.seeds import INTERVAL, MAX_SEEDS, Until
from bench.metrics import columns as c
from bench.metrics.objectives import TRAIN_SECONDS
from bench.model.outcome import Result
from bench.report.number_format import plural
from bench.report.sections import Content, SweepData
from bench.stats import agreement, timings
from bench.stats.search_results import SearchResults

MOST_REASONS = 8
APPROXIMATE = "After such a rule intervals are approximate (Chow and Robbins 1965)."
ALL_OF_A_KIND = {
    Result.DIVERGED: "Every training diverged: weights or predictions were no longer finite. A smaller learning "
    "rate or smaller initial weights may help.",
    Result.UNSUPPORTED: "Nothing was trained: every training was refused by its backend.",
    Result.FAILED: "Nothing was trained: every training crashed.",
}


def warnings(data: SweepData, ledger: Content, rates: Sequence[Content], backends: Content | None) -> list[str]:
    """Return in plain words what is missing, what failed, what is not sure, and what is shown of a part only."""
    trainings, command = data.trainings, data.plan.question.command
    found = []
    if ledger["missing"]:
        found.append(
            f"This sweep is not finished: {ledger['done']:,} of {ledger['planned']:,} planned trainings are here. "
            f"Go on with: {command} --resume"
        )
    found += _search(data.search_results, command) if data.search_results else []
    found += _reasons(trainings)
    found += [ALL_OF_A_KIND[name] for name, count, _ in ledger["outcomes"]
              if name in ALL_OF_A_KIND and 0 < count == ledger["done"]]  # fmt: skip
    left = int((trainings[c.SOLVED_AT].notna() & ~trainings[c.SOLVED].astype(bool)).sum())
    if left:
        found.append(f"{plural(left, 'training')} had solved it and left the solution again; what counts is the end.")
    found += [] if ledger["missing"] else _wide(rates)
    found += _timings(backends["summed"], backends["table"]) if backends else []
    found += _curves(data)
    if data.plan.question.claims_left_out:
        found.append(
            "The experiment's claims speak of the file as written; with other values given they were not checked."
        )
    return found


def _search(found: SearchResults, command: str) -> list[str]:
    """Say what a search has not done, and what cannot be had again bit for bit."""
    search, ended = found.search, found.proposals.ended
    so_far = f"{len(found.history):,} of {plural(search.trials, 'trial')}"
    warned = []
    if ended is None:
        warned.append(f"The search is not finished: {so_far} are here. Go on with: {command} --resume")
    elif ended == BY_TIMEOUT:
        warned.append(f"The search ended by its limit of {search.timeout_s:g} s, after {so_far}.")
    if TRAIN_SECONDS in found.measures:
        warned.append("The search goes by measured seconds: it cannot be repeated bit for bit.")
    if not search.validate:
        warned.append("validate = 0: nothing was checked on seeds that the search did not choose by.")
    return warned


def _reasons(trainings: pd.DataFrame) -> list[str]:
    """Say why trainings failed or were refused, each reason once."""
    lost = trainings[trainings[c.REASON].notna() & trainings[c.OUTCOME].isin([Result.FAILED, Result.UNSUPPORTED])]
    if lost.empty:
        return []
    counts = lost[[c.OUTCOME, c.REASON]].astype(str).value_counts(sort=False).reset_index(name="n").to_dict("records")
    found = [f"{plural(row['n'], 'training')} {row[c.OUTCOME]}: {row[c.REASON]}" for row in counts[:MOST_REASONS]]
    more = len(counts) - MOST_REASONS
    return [*found, f"And {plural(more, 'more reason')}, in the export."] if more > 0 else found


def _wide(rates: Sequence[Content]) -> list[str]:
    """Say of which blocks trials have too few seeds; of what a search proposed, its best are trained on more."""
    wide = [one for one in rates if one["wide"] and not one["picked"]]
    return [f"{one['heading']}: {one['wide']}" if one["heading"] else one["wide"] for one in wide]


def _timings(summed: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Say which backends disagree, and how many timings are not to be trusted."""
    found = [
        f"{row[agreement.ONE]} and {row[agreement.OTHER]} do not train alike: their speeds are not compared."
        for row in summed.to_dict("records")
        if not pd.isna(row[agreement.AGREES]) and not row[agreement.AGREES]
    ]
    noisy, shared = (int(table[name].sum()) if len(table) else 0 for name in (timings.NOISY, timings.SHARED))
    if noisy:
        found.append(f"{plural(noisy, 'timing')} of {len(table):,} spread over 10 % of the median between rounds.")
    if shared:
        found.append(f"{plural(shared, 'timing')} of {len(table):,} shared the core with something else.")
    return found


def _curves(data: SweepData) -> list[str]:
    most = max((planned.trainings for planned in data.plan.trials), default=0)
    kept = min(c.CURVES_PER_TRIAL, most if data.curves is None else data.curves)
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

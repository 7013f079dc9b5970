"""The question that was asked of one parameter, answered: what it does to the solved rate, and to the time."""

from collections.abc import Iterator
from typing import Any

from bench.config.claims import Comparison
from bench.metrics import columns as c
from bench.model.display_labels import name_words, varying
from bench.report.charts import Finding
from bench.report.number_format import plural
from bench.report.sides import OTHER_WEIGHTS, Value, compare_values, rate_words, time_words, two_values
from bench.report.sweep_data import SweepData
from bench.stats import paired_comparisons as paired
from bench.stats.factor_levels import DRAWN_BY

MOST_VALUES = 4  # that are compared with the first; of more, what is known is a curve
INTERVALS = "95 % interval over the seeds, which settings share."
SEEDS = f"95 % interval over the seeds. {OTHER_WEIGHTS}"


def asked(data: SweepData) -> str:
    """Return the parameter that a sweep asks about; nothing where it asks about none, or several.

    The one that its file names; else the only one in which what a claim compares differs; else the only one that
    varies beside the gate, or that varies and leaves the weights that trainings begin with alone.
    """
    if data.plan.question.parameter or data.plan.search:
        return data.plan.question.parameter
    trials = {planned.trial.trial_id: planned.trial.parameters for planned in data.plan.trials}
    sides = [
        varying([trials[name] for name in (*planned.trials, *planned.than) if name in trials])
        for planned in data.plan.claims
        if isinstance(planned.claim, Comparison)
    ]
    claimed = {names[0] for names in sides if len(names) == 1}
    varied = _varied(data)
    chosen = [name for name in varied if name not in DRAWN_BY]
    found = claimed or set(varied if len(varied) == 1 else chosen)
    return found.pop() if len(found) == 1 else ""


def question_findings(data: SweepData) -> Iterator[Finding]:
    """Yield what each value of the parameter that is asked about does, beside the first: null results as well.

    Where the file asks and there is nothing to compare, that is said.
    """
    name = asked(data)
    values = _values(data, name)
    found = []
    if 1 < len(values) <= MOST_VALUES + 1 and any(block.rates[c.SOLVED].any() for block in data.rated):
        found = [_compared(one, name) for one in compare_values([data], name) if one.pooled is not None]
    yield from found
    if data.plan.question.parameter and not found and len(values) <= MOST_VALUES + 1:
        yield Finding(
            f"What the {name_words(name)} does is not known: no start is solved, or none was trained with two values.",
            f"{plural(len(data.trainings), 'training')} with {plural(len(values), 'value')} of it.",
            "ledger",
        )


def _varied(data: SweepData) -> list[str]:
    """Return what varies beside the gate."""
    return [name for name in varying([planned.trial.parameters for planned in data.plan.trials]) if name != c.GATE]


def _values(data: SweepData, name: str) -> set[Any]:
    return {planned.trial.parameters[name] for planned in data.plan.trials} if name else set()


def _compared(one: Value, name: str) -> Finding:
    """Return what a value does beside the first."""
    names, same_weights = two_values(one, name), name not in DRAWN_BY
    said, evidence = rate_words(one.pooled or {}, one.rows, names)
    evidence = f"{evidence} {INTERVALS if same_weights else SEEDS}"
    if same_weights and one.rows[paired.RATIO_LEAST].notna().any():
        times, of_times = time_words(one.rows, names)
        said, evidence = f"{said}; {times[0].lower()}{times[1:]}", f"{evidence} {of_times}"
    return Finding(f"{said}.", evidence, "pairs" if same_weights else "rates")


def question_answer(data: SweepData) -> str:
    """Return the answer where the file asks, or the only parameter that varies has two values; nothing otherwise."""
    name = asked(data)
    if not (data.plan.question.parameter or (_varied(data) == [name] and len(_values(data, name)) == 2)):
        return ""
    return next((finding.sentence for finding in question_findings(data) if finding.anchor != "ledger"), "")

"""The question that was asked of one parameter, answered: what it does to the solved rate, and to the time."""

from collections.abc import Iterator

from bench.config.claims import Comparison
from bench.metrics import columns as c
from bench.model.display_labels import varying
from bench.report.charts import Finding
from bench.report.sides import compare_values, rate_words, time_words, two_values
from bench.report.sweep_data import SweepData
from bench.stats import paired_comparisons as paired
from bench.stats.factor_levels import DRAWN_BY

MOST_VALUES = 4  # that are compared with the first; of more, what is known is a curve
INTERVALS = "95 % interval over the seeds, which settings share."


def asked(data: SweepData) -> str:
    """Return the parameter that a sweep asks about; nothing where it asks about none, or several.

    The one that its file names; else the only one in which what a claim compares differs; else the only one that
    varies beside the gate.
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
    varied = [name for name in varying(list(trials.values())) if name != c.GATE]
    found = claimed or set(varied)
    return found.pop() if len(found) == 1 else ""


def question_findings(data: SweepData) -> Iterator[Finding]:
    """Yield what each value of the parameter that is asked about does, beside the first: null results as well."""
    name = asked(data)
    values = {planned.trial.parameters[name] for planned in data.plan.trials} if name else ()
    any_solved = any(block.rates[c.SOLVED].any() for block in data.rated)
    if not 1 < len(values) <= MOST_VALUES + 1 or not any_solved:
        return
    for one in compare_values([data], name):
        if one.pooled is not None:
            names, same_weights = two_values(one, name), name not in DRAWN_BY
            said, evidence = rate_words(one.pooled, one.rows, names)
            evidence = f"{evidence} {INTERVALS}"
            if same_weights and one.rows[paired.RATIO_LEAST].notna().any():
                times, of_times = time_words(one.rows, names)
                said, evidence = f"{said}; {times[0].lower()}{times[1:]}", f"{evidence} {of_times}"
            yield Finding(f"{said}.", evidence, "pairs" if same_weights else "rates")


def question_answer(data: SweepData) -> str:
    """Return the answer where two values of a parameter are asked about, or one is named; nothing otherwise."""
    name = asked(data)
    values = {planned.trial.parameters[name] for planned in data.plan.trials} if name else ()
    if not (data.plan.question.parameter or len(values) == 2):
        return ""
    return next((finding.sentence for finding in question_findings(data)), "")

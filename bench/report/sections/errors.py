"""Where they end: every training's final error."""

import numpy as np
import pandas as pd

from bench.analysis.study import NAME, Study
from bench.problem.outcome import Result
from bench.report.chart import Chart
from bench.report.colour import OUTCOMES
from bench.report.drawing import panel
from bench.report.figures.errors import final_errors
from bench.report.layout import MOST_FOLDED, MOST_PANELS, layout, shown_trials, sort_by
from bench.report.words import counted, percent
from bench.tracking import columns as c

LOWEST = 1e-9  # errors below are drawn here: they are solved to more digits than matter
MOST_ROWS = 12


def errors(study: Study, key: str) -> Chart | None:
    """Return the ridges of final errors by trial, or None where no error is finite and above zero."""
    finite = study.trained[np.isfinite(study.trained[c.FINAL_MSE])]
    if finite.empty:
        return None
    finite = finite.assign(**{c.TRIAL_ID: finite[c.TRIAL_ID].astype(str)})
    by_trial = dict(iter(finite.groupby(c.TRIAL_ID, sort=False)))
    positive = finite[c.FINAL_MSE][finite[c.FINAL_MSE] > 0]
    low = max(float(positive.min()), LOWEST) if len(positive) else LOWEST
    ends = (10 ** np.floor(np.log10(low)), 1.0)
    outcomes = [name for name in OUTCOMES if (finite[c.OUTCOME] == name).any()]
    plan = layout(study)
    trials = study.trials.reset_index()
    if plan.lines == NAME and not plan.facets:
        trials = trials[trials[c.TRIAL_ID].isin(shown_trials(study, MOST_ROWS)[0])]
    drawn = []
    for title, rows in plan.panels(trials)[: MOST_PANELS + MOST_FOLDED]:
        ordered = sort_by(rows, [plan.lines]) if plan.lines != NAME else rows
        own = [(plan.called(row[plan.lines]), by_trial.get(row[c.TRIAL_ID])) for row in ordered.to_dict("records")]
        kept = [(name, trainings) for name, trainings in own if trainings is not None]
        if kept:
            drawn.append(panel(title, final_errors(kept, ends)))
    return Chart(
        name=f"errors-{key}",
        title=_title(finite),
        subtitle=f"Mean squared error after the last iteration, logarithmic; {counted(finite)}.",
        caption="A row is a trial; its height is how many of its trainings end there, in the colour of their outcome "
        "(few are drawn one by one). Separate heaps are different endings: solutions on the left, plateaus on the "
        "right. Errors below 10⁻⁹ stand at the left edge.",
        alt=f"Distribution of final errors by trial: {', '.join(outcomes)}.",
        panels=drawn[:MOST_PANELS],
        more=drawn[MOST_PANELS:],
        data=_histogram(study, finite),
        legend=[(name, OUTCOMES[name]) for name in outcomes],
    )


def _title(finite: pd.DataFrame) -> str:
    """Say what became of the trainings whose errors these are."""
    shares = {name: float((finite[c.OUTCOME] == name).mean()) for name in (Result.SOLVED, Result.STUCK, Result.SLOW)}
    if 1.0 in shares.values():
        whole = next(name for name, share in shares.items() if share == 1)
        return {
            Result.SOLVED: "All trainings end at a solution",
            Result.STUCK: "All trainings end stuck on a plateau",
            Result.SLOW: "All trainings were still on their way when the budget ended",
        }[whole]
    ends = (" end at a solution", " stuck on a plateau", " were still on their way")
    parts = [f"{percent(share)}{end}" for share, end in zip(shares.values(), ends, strict=True) if share]
    return ", ".join(parts)


def _histogram(study: Study, finite: pd.DataFrame) -> pd.DataFrame:
    """Return how many trainings of each trial and outcome end in each tenth of a decade."""
    values = finite[c.FINAL_MSE].to_numpy(dtype=np.float64).clip(LOWEST, None)
    decade = np.floor(np.log10(values) * 10) / 10
    table = pd.DataFrame(
        {c.TRIAL_ID: finite[c.TRIAL_ID], c.OUTCOME: finite[c.OUTCOME].astype(str), "log10_mse_from": decade}
    )
    counts = table.groupby([c.TRIAL_ID, c.OUTCOME, "log10_mse_from"], sort=False).size().reset_index(name="trainings")
    return counts.assign(**{NAME: counts[c.TRIAL_ID].map(study.trials[NAME])})

"""Caveats: what must be known before the rest is trusted."""

from collections.abc import Sequence

import pandas as pd

from bench.metrics import columns as c
from bench.metrics import measures
from bench.report.charts import Content
from bench.report.endings import telling_checks
from bench.report.sweep_data import SweepData
from bench.stats import agreement, timings

MOST_REASONS = 8


def caveats(data: SweepData, ledger: Content, rates: Sequence[Content], backends: Content | None) -> Content:
    """Return what failed, what is not sure, and what is shown of a part only."""
    trainings = data.trainings
    timed, summed = (backends[name] if backends else pd.DataFrame() for name in ("table", "summed"))
    reasons = _reasons(trainings)
    most = max((planned.trainings for planned in data.plan.trials), default=0)
    kept = min(c.CURVES_PER_TRIAL, most if data.curves is None else data.curves)
    return {
        "reasons": reasons[:MOST_REASONS],
        "more_reasons": len(reasons) - MOST_REASONS,
        "only": next((name for name, count, _ in ledger["outcomes"] if 0 < count == ledger["done"]), None),
        "checks": [words for block in data.blocks for words in telling_checks(block)],
        "left": int(measures.left_solution(trainings).sum()),
        # of what a search proposed, the best are trained on more seeds
        "wide": [part for part in rates if part["wide"] and not part["picked"] and not ledger["missing"]],
        "disagreeing": [
            (row[agreement.ONE], row[agreement.OTHER])
            for row in summed.to_dict("records")
            if not pd.isna(row[agreement.AGREES]) and not row[agreement.AGREES]
        ],
        "noisy": int(timed[timings.NOISY].sum()) if len(timed) else 0,
        "shared": int(timed[timings.SHARED].sum()) if len(timed) else 0,
        "timings": len(timed),
        "curves": kept if most > kept else None,
    }


def _reasons(trainings: pd.DataFrame) -> list[tuple[int, str, str]]:
    """Return why trainings failed or were refused, each reason once: how many, their outcome, and the reason."""
    lost = trainings[trainings[c.REASON].notna() & measures.never_trained(trainings)]
    counts = lost[[c.OUTCOME, c.REASON]].astype(str).value_counts(sort=False).reset_index(name="n")
    return list(zip(counts["n"], counts[c.OUTCOME], counts[c.REASON], strict=True))

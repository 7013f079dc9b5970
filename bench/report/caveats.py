"""Caveats: what must be known before the rest is trusted."""

import pandas as pd

from bench.metrics import columns as c
from bench.metrics import measures
from bench.report.charts import Content
from bench.report.endings import telling_checks
from bench.report.number_format import headed
from bench.report.solved_rates import too_few_seeds
from bench.report.sweep_data import SweepData, heading
from bench.stats import agreement, timings

MOST_REASONS = 8


def caveats(data: SweepData, ledger: Content) -> Content:
    """Return what failed, what is not sure, and what is shown of a part only."""
    trainings, timed = data.trainings, data.timed
    reasons = _reasons(trainings)
    return {
        "reasons": reasons[:MOST_REASONS],
        "more_reasons": len(reasons) - MOST_REASONS,
        "only": next((name for name, count, _ in ledger["outcomes"] if 0 < count == ledger["done"]), None),
        "checks": [words for block in data.blocks for words in telling_checks(block)],
        "left": int(measures.left_solution(trainings).sum()),
        "wide": [] if ledger["missing"] else _wide(data),
        "disagreeing": [
            (row[agreement.ONE], row[agreement.OTHER])
            for row in data.agreed_pairs.to_dict("records")
            if not pd.isna(row[agreement.AGREES]) and not row[agreement.AGREES]
        ],
        "noisy": int(timed[timings.NOISY].sum()) if len(timed) else 0,
        "shared": int(timed[timings.SHARED].sum()) if len(timed) else 0,
        "timings": len(timed),
    }


def _wide(data: SweepData) -> list[str]:
    """Say of which blocks the rates are not known well; of what a search proposed, the best have more seeds."""
    blocks = [block for block in data.rated if not block.proposed]
    said = [(heading(data, block), too_few_seeds(block, data.plan.until)) for block in blocks]
    return [headed(title, words) for title, words in said if words]


def _reasons(trainings: pd.DataFrame) -> list[tuple[int, str, str]]:
    """Return why trainings failed or were refused, each reason once: how many, their outcome, and the reason."""
    lost = trainings[trainings[c.REASON].notna() & measures.never_trained(trainings)]
    counts = lost[[c.OUTCOME, c.REASON]].astype(str).value_counts(sort=False).reset_index(name="n")
    return list(zip(counts["n"], counts[c.OUTCOME], counts[c.REASON], strict=True))

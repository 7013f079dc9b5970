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
from bench.stats.proportions import COUNT

MOST_REASONS = 8


def caveats(data: SweepData, ledger: Content) -> Content:
    """Return what failed, what is not sure, and what is shown of a part only."""
    trainings, timed = data.trainings, data.timed
    reasons = data.account.reasons[[COUNT, c.OUTCOME, c.REASON]].to_numpy().tolist()
    return {
        "reasons": reasons[:MOST_REASONS],
        "more_reasons": len(reasons) - MOST_REASONS,
        "only": next((name for name, count, _ in ledger["outcomes"] if 0 < count == ledger["done"]), None),
        "checks": [words for block in data.blocks for words in telling_checks(block)],
        "read": (data.first, len(trainings), data.account.trainings) if data.first else None,
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

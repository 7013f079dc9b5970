"""Effects: how much of the variance each parameter, their interplay and the seed account for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.metrics import measures
from bench.model.labels import bare, word
from bench.report.charts import Chart, Content
from bench.report.colours import DIM, EFFECT, SEED
from bench.report.drawing import interval_rows, named_rows, panel, percent_axis, write
from bench.report.layout import is_grid
from bench.report.number_format import from_to, percent, plural, row_percent
from bench.stats import permutation_importance as importance
from bench.stats import variance_decomposition as variance
from bench.stats.block_analysis import BUDGET, NAME, BlockAnalysis, highest, lowest
from bench.stats.proportions import COUNT, HIGH, LOW, RATE

MEASURES = {
    measures.SOLVED: "whether it solves",
    measures.LOG_MSE: "the order of the final error",
    measures.SOLVED_SHARE: "the time to solution",
}
UNEVEN = "Only some combinations were trained, or not with the same seeds"
LEAST = 0.0005  # interactions below are summed up: nobody reads twenty zeros
MOST_TERMS = 14
MOST_VALUES = 24  # of a parameter
NARROW = 0.5  # an axis that is shorter has a tick every tenth


def effects(block: BlockAnalysis, key: str) -> Content | None:
    """Return the charts of shares and of means by value, or of importances; None where nothing was varied."""
    if not block.names or len(block.trials) < 2:
        return None
    decomposed = {name: table for name, table in block.shares.items() if table[variance.SHARE].notna().any()}
    charts = [_variance(block, decomposed, key)] if decomposed else []
    note = ""
    if not block.is_balanced:
        ranked = block.importances
        charts += [_importances(ranked, len(block.trials), key)] if len(ranked) else []
        note = (
            f"{UNEVEN}: variance cannot be split exactly. A random forest ranks the parameters instead, with failures "
            "counted as worst."
            if len(ranked)
            else f"{UNEVEN}, and trials are too few to rank parameters."
        )
    means = block.effects
    if len(means) and is_grid(block) and means.groupby(variance.PARAMETER).size().max() <= MOST_VALUES:
        charts.append(_means(means, key))
    return {"charts": charts, "note": note} if charts or note else None


def bars(
    table: pd.DataFrame, label: str, value: str, *, xlabel: str, most: float, colours: Sequence[str] | str = EFFECT
) -> Figure:
    """Draw a bar with its interval for each row, on an axis that ends at ``most``."""
    figure, axes = named_rows(table[label], xlabel, room=0.05)
    places, end = np.arange(len(table)), min(most, 1.0)
    axes.barh(places, table[value], height=0.62, color=colours)
    for place, (share, high) in enumerate(zip(table[value], table[HIGH], strict=True)):
        write(axes, percent(share), (min(np.fmax(share, high), end), place), (3, 0), xycoords="data", va="center",
              fontsize=6.5)  # fmt: skip
    known = table[LOW].notna() & table[HIGH].notna()
    axes.hlines(places[known], table[LOW][known], table[HIGH][known], color=DIM, linewidth=1.2)
    percent_axis(axes, "x", room=0)
    axes.set_xlim(0, end * 1.04)
    if most < NARROW:
        ticks = [tick for tick in (0, 0.1, 0.2, 0.3, 0.4) if tick <= most]
        axes.set_xticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks])
    return figure


# ------------------------------------------------------------------ shares of the variance


def _variance(block: BlockAnalysis, decomposed: dict[str, pd.DataFrame], key: str) -> Chart:
    shown = {words: _terms(decomposed[measure]) for measure, words in MEASURES.items() if measure in decomposed}
    most = max(float(np.nanmax(table[[variance.SHARE, HIGH]].to_numpy())) for table in shown.values())
    listed = [
        ", ".join(
            f"{term} {percent(share)}" for term, share in zip(table[variance.TERM], table[variance.SHARE], strict=True)
        )
        for table in shown.values()
    ]
    return Chart(
        name=f"variance-{key}",
        title=_variance_title(decomposed),
        subtitle=f"Share of the variance over all {len(block.begun):,} trainings, {len(block.trials):,} trials × "
        f"{from_to(block.seeds)} seeds, with 95 % jackknife intervals over the seeds.",
        alt=f"Bars of variance shares: {'; '.join(listed)}",
        panels=[panel(f"Variance of {words}", _share_bars(table, most)) for words, table in shown.items()],
        data=pd.concat([table.assign(measure=measure) for measure, table in decomposed.items()]).drop(
            columns=[variance.OF]
        ),
    )


def _share_bars(terms: pd.DataFrame, most: float) -> Figure:
    colours = [SEED if kind == variance.SEED_KIND else EFFECT for kind in terms[variance.KIND]]
    return bars(terms, variance.TERM, variance.SHARE, xlabel="share of the variance", most=most, colours=colours)


def seed_share(table: pd.DataFrame) -> float:
    """Return the share of everything that the seed has a part in."""
    return float(table[table[variance.KIND] == variance.SEED_KIND][variance.SHARE].sum())


def _variance_title(decomposed: dict[str, pd.DataFrame]) -> str:
    measure = measures.SOLVED if measures.SOLVED in decomposed else next(iter(decomposed))
    table = decomposed[measure]
    first = highest(table[table[variance.KIND] != variance.SEED_KIND], variance.SHARE)
    return (
        f"The seed has a part in {percent(seed_share(table), 0)} of the variance of {MEASURES[measure]}; "
        f"of what one chose, {first[variance.TERM]} has the most: {percent(first[variance.SHARE], 0)}"
    )


def _terms(table: pd.DataFrame) -> pd.DataFrame:
    """Return terms to draw, the greatest first and the seed's last; small interactions in one row."""
    is_seed = table[variance.KIND] == variance.SEED_KIND
    small = (table[variance.KIND] == variance.INTERACTION) & (table[variance.SHARE] < LEAST)
    chosen = table[~is_seed & ~small].sort_values(variance.SHARE, ascending=False, kind="stable")
    rest = pd.concat([chosen.iloc[MOST_TERMS:], table[small]])
    total = {variance.TERM: plural(len(rest), "smaller one"), variance.SHARE: rest[variance.SHARE].sum()}
    summed = [pd.DataFrame([total])] if len(rest) else []
    return pd.concat([chosen.head(MOST_TERMS), *summed, table[is_seed]], ignore_index=True)


# ------------------------------------------------------------------ grids that are not balanced


def _importances(ranked: pd.DataFrame, trials: int, key: str) -> Chart:
    panels = []
    for measure, rows in ranked.groupby(importance.MEASURE, sort=False):
        shares = [importance.IMPORTANCE, LOW, HIGH]
        table = _best_first(rows).assign(**rows[shares].clip(lower=0))
        r2 = max(float(rows[importance.R2].iloc[0]), 0.0)
        most = max(float(table[HIGH].max()), 0.05)
        figure = bars(table, importance.PARAMETER, importance.IMPORTANCE, xlabel="fall of R² when shuffled", most=most)
        panels.append(panel(f"{MEASURES[str(measure)].capitalize()}; the forest explains {percent(r2, 0)}", figure))
    return Chart(
        name=f"importance-{key}",
        title=_importances_title(ranked),
        subtitle=f"Permutation importance in a random forest over {plural(trials, 'trial')}: how much worse it "
        "predicts when a parameter is shuffled; lines: 95 % of the shuffles.",
        alt="Bars of the importance of each parameter.",
        panels=panels,
        data=ranked,
    )


def _best_first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(importance.IMPORTANCE, ascending=False, kind="stable")


def _importances_title(ranked: pd.DataFrame) -> str:
    """Name the parameter that matters most, where its shuffles lie beyond those of the next."""
    if ranked[importance.R2].max() <= 0:
        return "No parameter tells good trials from bad ones"
    own = _best_first(ranked[ranked[importance.MEASURE] == highest(ranked, importance.R2)[importance.MEASURE]])
    first, rest = own.iloc[0], own.iloc[1:]
    best = rest.empty or first[LOW] > rest[HIGH].max()
    return f"{first[importance.PARAMETER]} tells good trials from bad ones {'best' if best else 'best, by a hair'}"


# ------------------------------------------------------------------ means by value


def _means(means: pd.DataFrame, key: str) -> Chart:
    panels = []
    for name, rows in means.groupby(variance.PARAMETER, sort=False):
        values = [bare(str(name), value) for value in rows[variance.VALUE]]
        table = rows.rename(columns={variance.MEAN: RATE}).assign(**{NAME: values})
        panels.append(panel(str(name), interval_rows(table, NAME, xlabel="solved", width=3.2)))
    return Chart(
        name=f"effects-{key}",
        title=_means_title(means),
        subtitle="Share of seeds that solve it by each value of each parameter, over everything else that was varied, "
        f"with 95 % bootstrap intervals over the seeds; n = {from_to(means[COUNT])} trainings per value.",
        alt="Solved rate by value of each parameter.",
        panels=panels,
        data=means.assign(**{variance.VALUE: means[variance.VALUE].astype(str)}),
    )


def _means_title(means: pd.DataFrame) -> str:
    """Name the parameter with the greatest difference, where there are others and its ends are beyond chance."""
    found = greatest_effect(means)
    if found is None:
        return "The solved rate by each value"
    name, low, high, parameters = found
    if not low[HIGH] < high[LOW]:
        return "No parameter is shown to make a difference by itself"
    ends = [f"{word(name, one[variance.VALUE])} {row_percent(one, variance.MEAN)}" for one in (low, high)]
    most = "makes the greatest difference by itself" if parameters > 1 else "makes a difference"
    return f"{name} {most}: {ends[0]}, {ends[1]}"


def greatest_effect(means: pd.DataFrame) -> tuple[str, dict[str, Any], dict[str, Any], int] | None:
    """Return the parameter whose values differ most, its lowest and highest, and of how many parameters."""
    causes = means[~means[variance.PARAMETER].isin(BUDGET)]
    spans = causes.groupby(variance.PARAMETER, sort=False)[variance.MEAN].agg(lambda mean: mean.max() - mean.min())
    if spans.empty:
        return None
    name = str(spans.idxmax())
    own = causes[causes[variance.PARAMETER] == name]
    return name, lowest(own, variance.MEAN), highest(own, variance.MEAN), len(spans)

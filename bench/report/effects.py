"""Effects: what share of the variance parameters and the seed account for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.metrics import measures
from bench.model.display_labels import phrase, spoken
from bench.report.charts import Chart, Content, row_percent
from bench.report.colours import DIM, EFFECT, SEED
from bench.report.drawing import interval_rows, named_rows, panel, percent_axis, write
from bench.report.number_format import from_to, percent, plural, sentence
from bench.report.numeric_axis import means_over_number
from bench.report.panel_layout import is_grid
from bench.stats import sensitivity
from bench.stats.grid_analysis import BUDGET, NAME, GridAnalysis, highest, lowest
from bench.stats.numeric_axis import MANY, as_numbers
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


def effects(block: GridAnalysis, key: str) -> Content | None:
    """Return the charts of shares and of means by value, or of importances; None where nothing was varied."""
    if not block.names or len(block.trials) < 2:
        return None
    decomposed = {name: table for name, table in block.shares.items() if table[sensitivity.SHARE].notna().any()}
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
    if len(means) and is_grid(block) and _most_names(means) <= MOST_VALUES:
        charts.append(_means(means, key))
    return {"charts": charts, "note": note} if charts or note else None


def bars(
    table: pd.DataFrame,
    label: str,
    value: str,
    *,
    xlabel: str,
    most: float,
    colours: Sequence[str] | str = EFFECT,
    total: str = "",
) -> Figure:
    """Draw a bar with its interval for each row, within the frame of a ``total``; on an axis that ends at ``most``."""
    figure, axes = named_rows(table[label], xlabel, room=0.05)
    places, end = np.arange(len(table)), min(most, 1.0)
    axes.barh(places, table[value], height=0.62, color=colours)
    if total in table:
        axes.barh(places, table[total], height=0.62, facecolor="none", edgecolor=EFFECT, linewidth=0.8)
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


def _variance(block: GridAnalysis, decomposed: dict[str, pd.DataFrame], key: str) -> Chart:
    shown = {words: _terms(decomposed[measure]) for measure, words in MEASURES.items() if measure in decomposed}
    ends = [sensitivity.SHARE, HIGH, sensitivity.TOTAL]
    most = max(float(np.nanmax(table[ends].to_numpy())) for table in shown.values())
    listed = [
        ", ".join(
            f"{term} {percent(share)}"
            for term, share in zip(table[sensitivity.TERM], table[sensitivity.SHARE], strict=True)
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
            columns=[sensitivity.OF]
        ),
    )


def _share_bars(terms: pd.DataFrame, most: float) -> Figure:
    colours = [SEED if kind == sensitivity.SEED_KIND else EFFECT for kind in terms[sensitivity.KIND]]
    return bars(terms, sensitivity.TERM, sensitivity.SHARE, xlabel="share of the variance", most=most, colours=colours,
                total=sensitivity.TOTAL)  # fmt: skip


def _variance_title(decomposed: dict[str, pd.DataFrame]) -> str:
    measure = measures.SOLVED if measures.SOLVED in decomposed else next(iter(decomposed))
    table = decomposed[measure]
    parts = table[table[sensitivity.TOTAL].notna()].sort_values(sensitivity.TOTAL, ascending=False, kind="stable")
    (first, share), *rest = zip(parts[sensitivity.TERM], parts[sensitivity.TOTAL], strict=True)
    most = f"{sentence(first)} has a part in {percent(share, 0)} of the variance of {MEASURES[measure]}"
    return ", ".join([most, *(f"{term} in {percent(share, 0)}" for term, share in rest)])


def _terms(table: pd.DataFrame) -> pd.DataFrame:
    """Return terms to draw, the greatest first and the seed's last; small interactions in one row."""
    table = table[table[sensitivity.SHARE].notna()]
    is_seed = table[sensitivity.KIND] == sensitivity.SEED_KIND
    small = (table[sensitivity.KIND] == sensitivity.INTERACTION) & (table[sensitivity.SHARE] < LEAST)
    chosen = table[~is_seed & ~small].sort_values(sensitivity.SHARE, ascending=False, kind="stable")
    rest = pd.concat([chosen.iloc[MOST_TERMS:], table[small]])
    total = {sensitivity.TERM: plural(len(rest), "smaller one"), sensitivity.SHARE: rest[sensitivity.SHARE].sum()}
    summed = [pd.DataFrame([total])] if len(rest) else []
    return pd.concat([chosen.head(MOST_TERMS), *summed, table[is_seed]], ignore_index=True)


# ------------------------------------------------------------------ grids that are not balanced


def _importances(ranked: pd.DataFrame, trials: int, key: str) -> Chart:
    panels = []
    for measure, rows in ranked.groupby(sensitivity.MEASURE, sort=False):
        shares = [sensitivity.IMPORTANCE, LOW, HIGH]
        table = _best_first(rows).assign(**rows[shares].clip(lower=0))
        r2 = max(float(rows[sensitivity.R2].iloc[0]), 0.0)
        most = max(float(table[HIGH].max()), 0.05)
        figure = bars(
            table, sensitivity.PARAMETER, sensitivity.IMPORTANCE, xlabel="fall of R² when shuffled", most=most
        )
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
    return rows.sort_values(sensitivity.IMPORTANCE, ascending=False, kind="stable")


def _importances_title(ranked: pd.DataFrame) -> str:
    """Name the parameter that matters most, where its shuffles lie beyond those of the next."""
    if ranked[sensitivity.R2].max() <= 0:
        return "No parameter tells good trials from bad ones"
    own = _best_first(ranked[ranked[sensitivity.MEASURE] == highest(ranked, sensitivity.R2)[sensitivity.MEASURE]])
    first, rest = own.iloc[0], own.iloc[1:]
    best = rest.empty or first[LOW] > rest[HIGH].max()
    return f"{first[sensitivity.PARAMETER]} tells good trials from bad ones {'best' if best else 'best, by a hair'}"


# ------------------------------------------------------------------ means by value


def _means(means: pd.DataFrame, key: str) -> Chart:
    panels = []
    for name, rows in means.groupby(sensitivity.PARAMETER, sort=False):
        numbers = as_numbers(str(name), rows[sensitivity.VALUE].tolist()) if len(rows) >= MANY else None
        if numbers:
            panels.append(panel(str(name), means_over_number(rows.assign(**{sensitivity.VALUE: numbers}), str(name))))
            continue
        values = [spoken(str(name), value) for value in rows[sensitivity.VALUE]]
        table = rows.rename(columns={sensitivity.MEAN: RATE}).assign(**{NAME: values})
        panels.append(panel(str(name), interval_rows(table, NAME, xlabel="solved", width=3.2)))
    return Chart(
        name=f"effects-{key}",
        title=_means_title(means),
        subtitle="Share of seeds that solve it by each value of each parameter, over everything else that was varied, "
        f"with 95 % intervals over the seeds that hold at once; n = {from_to(means[COUNT])} trainings per value.",
        alt="Solved rate by value of each parameter.",
        panels=panels,
        data=means.assign(**{sensitivity.VALUE: means[sensitivity.VALUE].astype(str)}),
    )


def _most_names(means: pd.DataFrame) -> int:
    """Return how many values the parameter has that has the most, of those that are no numeric axis."""
    groups = [(str(name), rows[sensitivity.VALUE].tolist()) for name, rows in means.groupby(sensitivity.PARAMETER)]
    return max((len(some) for name, some in groups if len(some) < MANY or not as_numbers(name, some)), default=0)


def _means_title(means: pd.DataFrame) -> str:
    """Name the parameter with the greatest difference, where there are others and its ends are beyond chance."""
    found = greatest_effect(means)
    if found is None:
        return "The solved rate by each value"
    name, low, high, parameters = found
    if not low[HIGH] < high[LOW]:
        return "No parameter is shown to make a difference by itself"
    ends = [f"{phrase({name: one[sensitivity.VALUE]})} {row_percent(one, sensitivity.MEAN)}" for one in (low, high)]
    most = "spans the widest range of mean solved rates" if parameters > 1 else "makes a difference"
    return f"{sentence(name)} {most}: {ends[0]}, {ends[1]}"


def greatest_effect(means: pd.DataFrame) -> tuple[str, dict[str, Any], dict[str, Any], int] | None:
    """Return the parameter whose values differ most, its lowest and highest, and of how many parameters."""
    causes = means[~means[sensitivity.PARAMETER].isin(BUDGET)]
    spans = causes.groupby(sensitivity.PARAMETER, sort=False)[sensitivity.MEAN].agg(
        lambda mean: mean.max() - mean.min()
    )
    if spans.empty:
        return None
    name = str(spans.idxmax())
    own = causes[causes[sensitivity.PARAMETER] == name]
    return name, lowest(own, sensitivity.MEAN), highest(own, sensitivity.MEAN), len(spans)


def differences_by_setting(block: GridAnalysis, name: str, low: Any, high: Any) -> "pd.Series[float]":
    """Return by how much the solved rate changes from one value of a parameter to another, in each setting."""
    others = [other for other in block.names if other != name]
    values = block.rates[name].astype(str)
    ends = [block.rates[values == str(value)].set_index(others or [name])[RATE] for value in (low, high)]
    return (ends[1] - ends[0]).dropna() if others else pd.Series(dtype=float)

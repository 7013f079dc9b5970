"""Effects: how much of the variance each parameter, their interplay and the seed account for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.metrics import measures
from bench.model.labels import bare, word
from bench.report.charts import Chart
from bench.report.colours import DIM, EFFECT, SEED
from bench.report.drawing import blank, folded, panel, percent_axis, plain
from bench.report.layout import is_grid
from bench.report.number_format import from_to, percent, percent_interval, plural
from bench.report.solved_rates import interval_rows, row_height, row_margin
from bench.stats import proportions, sensitivity
from bench.stats.block_analysis import BUDGET, BlockAnalysis, highest, lowest

LABEL, VALUE, LOW, HIGH, MARKED = "label", "value", "low", "high", "marked"


def shares(table: pd.DataFrame, xlabel: str, *, most: float) -> Figure:
    """Draw a bar with its interval for each row: the seed's in one colour (``marked``), the others in another."""
    names = [folded(str(name)) for name in table[LABEL]]
    figure, axes = blank(
        4.2, 0.55 + row_height(names) * len(table), left=row_margin(names), right=0.5, top=0.06, bottom=0.44
    )
    places = np.arange(len(table))
    colours = [SEED if marked else EFFECT for marked in table[MARKED]]
    axes.barh(places, table[VALUE], height=0.62, color=colours)
    ends = table[[VALUE, HIGH]].max(axis=1).clip(upper=min(most, 1.0))
    for place, (value, end) in enumerate(zip(table[VALUE], ends, strict=True)):
        axes.annotate(
            percent(value), (end, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5,
            color=DIM, annotation_clip=False,
        )  # fmt: skip
    known = table[LOW].notna() & table[HIGH].notna()
    axes.hlines(places[known], table[LOW][known], table[HIGH][known], color=DIM, linewidth=1.2)
    axes.set_yticks(places, [plain(name) for name in names])
    axes.set_ylim(len(table) - 0.4, -0.6)
    percent_axis(axes, "x", room=0)
    axes.set_xlim(0, min(most, 1.0) * 1.04)
    if most < 0.5:
        ticks = [t for t in (0, 0.1, 0.2, 0.3, 0.4) if t <= most]
        axes.set_xticks(ticks, [f"{100 * t:.0f} %" for t in ticks])
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel)
    return figure


def differences(table: pd.DataFrame, xlabel: str, sides: Sequence[str], most: float) -> Figure:
    """Draw a dot with its interval for each row around zero; filled where it is ``marked`` as significant.

    ``sides`` are the words for what is left and right of zero.
    """
    names = [folded(str(name)) for name in table[LABEL]]
    figure, axes = blank(
        4.2, 0.72 + row_height(names) * len(table), left=row_margin(names), right=0.15, top=0.24, bottom=0.44
    )
    places = np.arange(len(table))
    axes.axvline(0, color=DIM, linewidth=0.9)
    axes.hlines(places, table[LOW], table[HIGH], color=EFFECT, linewidth=2, alpha=0.5)
    marked = table[MARKED].to_numpy(dtype=bool)
    axes.plot(table[VALUE][marked], places[marked], "o", color=EFFECT, markersize=4.5)
    axes.plot(table[VALUE][~marked], places[~marked], "o", color=EFFECT, markersize=4.5, mfc="none")
    axes.set_yticks(places, [plain(name) for name in names])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(-most, most)
    ticks = np.array([-1, -0.5, 0, 0.5, 1]) * most
    axes.set_xticks(ticks, [f"{100 * tick:+.3g}" if tick else "0" for tick in ticks])
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel)
    for place, (side, align) in enumerate(zip(sides, ("left", "right"), strict=True)):
        axes.annotate(plain(side), (place, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points",
                      ha=align, fontsize=7, color=DIM)  # fmt: skip
    return figure


# ------------------------------------------------------------------ matters


IN_WORDS = {
    measures.SOLVED: "whether it solves",
    measures.LOG_MSE: "the order of the final error",
    measures.SOLVED_SHARE: "the time to solution",
}
UNEVEN = "Only some combinations were trained, or not with the same seeds"
LEAST = 0.0005  # interactions below are summed up: nobody reads twenty zeros
MOST_TERMS = 14


def matters(study: BlockAnalysis, key: str) -> dict[str, Any] | None:
    """Return the charts of shares and of means by value, or of importances; None where nothing was varied."""
    if not study.names or len(study.trials) < 2:
        return None
    decomposed = {name: table for name, table in study.shares.items() if table[sensitivity.SHARE].notna().any()}
    charts = [_shares(study, decomposed, key)] if decomposed else []
    note = ""
    if not study.is_balanced:
        ranked = study.importances
        charts += [_importances(ranked, len(study.trials), key)] if len(ranked) else []
        note = (
            f"{UNEVEN}: variance cannot be split exactly. A random forest ranks the parameters instead, with failures "
            "counted as worst."
            if len(ranked)
            else f"{UNEVEN}, and trials are too few to rank parameters."
        )
    effects = study.effects
    if len(effects) and is_grid(study) and _is_readable(effects):
        charts.append(_effects(effects, key))
    return {"charts": charts, "note": note} if charts or note else None


# ------------------------------------------------------------------ shares of the variance


def _shares(study: BlockAnalysis, decomposed: dict[str, pd.DataFrame], key: str) -> Chart:
    shown = {measure: _shown(decomposed[measure]) for measure in IN_WORDS if measure in decomposed}
    most = max(float(np.nanmax(table[[VALUE, HIGH]].to_numpy())) for table in shown.values())
    panels = [
        panel(f"Variance of {IN_WORDS[measure]}", shares(table, "share of the variance", most=most))
        for measure, table in shown.items()
    ]
    return Chart(
        name=f"variance-{key}",
        title=_shares_title(decomposed),
        subtitle=f"Share of the variance over all {len(study.begun):,} trainings, {len(study.trials):,} trials × "
        f"{from_to(study.seeds)} seeds, with 95 % jackknife intervals over the seeds.",
        caption="An exact decomposition of the balanced grid: the shares of a panel sum to 1. Blue: what one chose, by "
        "itself and in its interplay (×). Brown: what one did not choose: the seed by itself is good or bad luck in "
        "every trial, seed × parameters is luck that depends on the trial. Diverged and failed trainings count as the "
        "worst error there is, errors below 10⁻¹² as 10⁻¹².",
        alt="Bars of variance shares: " + "; ".join(_listed(table) for table in shown.values()),
        panels=panels,
        data=pd.concat([table.assign(measure=measure) for measure, table in decomposed.items()]).drop(
            columns=[sensitivity.OF]
        ),
    )


def seed_share(table: pd.DataFrame) -> float:
    """Return the share of everything that the seed has a part in."""
    return float(table[table[sensitivity.KIND] == sensitivity.SEED_KIND][sensitivity.SHARE].sum())


def _shares_title(decomposed: dict[str, pd.DataFrame]) -> str:
    measure = measures.SOLVED if measures.SOLVED in decomposed else next(iter(decomposed))
    table = decomposed[measure]
    chosen = table[table[sensitivity.KIND] != sensitivity.SEED_KIND]
    first = highest(chosen, sensitivity.SHARE)
    return (
        f"The seed has a part in {percent(seed_share(table), 0)} of the variance of {IN_WORDS[measure]}; "
        f"of what one chose, {first[sensitivity.TERM]} has the most: {percent(first[sensitivity.SHARE], 0)}"
    )


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return terms to draw, the greatest first and the seed's last; small interactions in one row."""
    is_seed = table[sensitivity.KIND] == sensitivity.SEED_KIND
    small = (table[sensitivity.KIND] == sensitivity.INTERACTION) & (table[sensitivity.SHARE] < LEAST)
    chosen = table[~is_seed & ~small].sort_values(sensitivity.SHARE, ascending=False, kind="stable")
    rest = pd.concat([chosen.iloc[MOST_TERMS:], table[small]])
    rows = [_row(row, row[sensitivity.TERM]) for row in chosen.head(MOST_TERMS).to_dict("records")]
    if len(rest):
        total = float(rest[sensitivity.SHARE].sum())
        rows.append({LABEL: plural(len(rest), "smaller one"), VALUE: total, LOW: np.nan, HIGH: np.nan, MARKED: False})
    rows += [_row(row, row[sensitivity.TERM], marked=True) for row in table[is_seed].to_dict("records")]
    return pd.DataFrame(rows)


def _row(row: dict[Any, Any], label: str, *, marked: bool = False) -> dict[str, Any]:
    values = {LABEL: label, VALUE: row[sensitivity.SHARE], LOW: row[proportions.LOW], HIGH: row[proportions.HIGH]}
    return {**values, MARKED: marked}


def _listed(table: pd.DataFrame) -> str:
    rows = zip(table[LABEL], table[VALUE], strict=True)
    return ", ".join(f"{label} {percent(value)}" for label, value in rows)


# ------------------------------------------------------------------ grids that are not balanced


def _importances(ranked: pd.DataFrame, trials: int, key: str) -> Chart:
    panels = []
    for measure, rows in ranked.groupby(sensitivity.MEASURE, sort=False):
        best_first = rows.sort_values(sensitivity.IMPORTANCE, ascending=False, kind="stable")
        table = pd.DataFrame(
            {
                LABEL: best_first[sensitivity.PARAMETER].tolist(),
                VALUE: best_first[sensitivity.IMPORTANCE].clip(lower=0).tolist(),
                LOW: best_first[proportions.LOW].clip(lower=0).tolist(),
                HIGH: best_first[proportions.HIGH].clip(lower=0).tolist(),
                MARKED: False,
            }
        )
        r2 = float(rows[sensitivity.R2].iloc[0])
        title = f"{IN_WORDS[str(measure)].capitalize()}; the forest explains {percent(max(r2, 0.0), 0)}"
        panels.append(panel(title, shares(table, "fall of R² when shuffled", most=max(float(table[HIGH].max()), 0.05))))
    return Chart(
        name=f"importance-{key}",
        title=_importances_title(ranked),
        subtitle=f"Permutation importance in a random forest over {plural(trials, 'trial')}: how much worse it "
        "predicts when a parameter is shuffled; lines: 95 % of the shuffles.",
        caption="Failures count as worst: an error of 1 where it diverged, the whole budget where it never solved. "
        "The forest is asked only about trials that it was not shown; where it explains nothing, its ranking means "
        "nothing.",
        alt="Bars of the importance of each parameter.",
        panels=panels,
        data=ranked,
    )


def _importances_title(ranked: pd.DataFrame) -> str:
    """Name the parameter that matters most, where its shuffles lie beyond those of the next."""
    if ranked[sensitivity.R2].max() <= 0:
        return "No parameter tells good trials from bad ones"
    own = ranked[ranked[sensitivity.MEASURE] == highest(ranked, sensitivity.R2)[sensitivity.MEASURE]]
    ordered = own.sort_values(sensitivity.IMPORTANCE, ascending=False, kind="stable")
    first, rest = ordered.iloc[0], ordered.iloc[1:]
    best = rest.empty or first[proportions.LOW] > rest[proportions.HIGH].max()
    return f"{first[sensitivity.PARAMETER]} tells good trials from bad ones {'best' if best else 'best, by a hair'}"


# ------------------------------------------------------------------ means by value


def _is_readable(effects: pd.DataFrame) -> bool:
    return bool(effects.groupby(sensitivity.PARAMETER).size().max() <= 24)


def _effects(effects: pd.DataFrame, key: str) -> Chart:
    panels = []
    for name, rows in effects.groupby(sensitivity.PARAMETER, sort=False):
        words = [bare(str(name), value) for value in rows[sensitivity.VALUE]]
        table = pd.DataFrame({LABEL: words, "rate": rows[sensitivity.MEAN].to_numpy()}).assign(
            low=rows[proportions.LOW].to_numpy(), high=rows[proportions.HIGH].to_numpy()
        )
        panels.append(panel(str(name), interval_rows(table, LABEL, xlabel="solved", width=3.2)))
    return Chart(
        name=f"effects-{key}",
        title=_effects_title(effects),
        subtitle="Share of seeds that solve it by each value of each parameter, over everything else that was varied, "
        f"with 95 % bootstrap intervals over the seeds; n = {from_to(effects[proportions.COUNT])} trainings per value.",
        caption="A mean over settings: where parameters interact, the solved rates of the trials tell more.",
        alt="Solved rate by value of each parameter.",
        panels=panels,
        data=effects.assign(**{sensitivity.VALUE: effects[sensitivity.VALUE].astype(str)}),
    )


def _effects_title(effects: pd.DataFrame) -> str:
    """Name the parameter with the greatest difference, where there are others and its ends are beyond chance."""
    found = greatest_effect(effects)
    if found is None:
        return "The solved rate by each value"
    name, low, high, parameters = found
    if not low[proportions.HIGH] < high[proportions.LOW]:
        return "No parameter is shown to make a difference by itself"
    ends = [f"{word(name, one[sensitivity.VALUE])} {_interval(one)}" for one in (low, high)]
    most = "makes the greatest difference by itself" if parameters > 1 else "makes a difference"
    return f"{name} {most}: {ends[0]}, {ends[1]}"


def greatest_effect(effects: pd.DataFrame) -> tuple[str, dict[str, Any], dict[str, Any], int] | None:
    """Return the parameter whose values differ most, its lowest and highest, and of how many parameters."""
    causes = effects[~effects[sensitivity.PARAMETER].isin(BUDGET)]
    spans = causes.groupby(sensitivity.PARAMETER, sort=False)[sensitivity.MEAN].agg(lambda m: m.max() - m.min())
    if spans.empty:
        return None
    name = str(spans.idxmax())
    own = causes[causes[sensitivity.PARAMETER] == name]
    return name, lowest(own, sensitivity.MEAN), highest(own, sensitivity.MEAN), len(spans)


def _interval(row: Any) -> str:
    if pd.isna(row[proportions.LOW]):
        return percent(row[sensitivity.MEAN])
    return percent_interval(row[sensitivity.MEAN], row[proportions.LOW], row[proportions.HIGH])

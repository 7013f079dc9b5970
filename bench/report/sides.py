"""Two sweeps, or two values of a parameter, compared by what differs: the same starts, and all else the same."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.model.display_labels import name_words, phrase
from bench.report.charts import Cell, Chart, Column, Content, Row, Table, number, tabulate, text
from bench.report.colours import EFFECT
from bench.report.drawing import log_axis, named_rows, panel, plain_number
from bench.report.number_format import NONE, from_to, interval, listed, p_value, plural, points, sentence, short, signed
from bench.report.sweep_data import SweepData
from bench.stats import paired_comparisons as paired
from bench.stats.factor_levels import DRAWN_BY
from bench.stats.grid_analysis import DIGITS
from bench.stats.holdout import KIND, WINNER

SETTING = "setting"
MOST_DRAWN = 40
ROOM = 1.08  # of an axis, so that what lies at its end is seen
NO_PAIR = "no two trials differ in nothing else."
NOTHING = "They have no trial in common, and none that differ only in what differs between the sweeps."
OTHERWISE = "No others differ only in what differs between the sweeps."
OTHER_WEIGHTS = "Their starts are not the same weights: pairs are of the same seed."


def sides(first: SweepData, second: SweepData) -> Content:
    """Return how the first sweep's trials compare with the second's, from the same starts.

    Only words if none of them can be compared.
    """
    words, rows, names = _two_sweeps(first, second)
    return {"words": words, **_drawn(rows, names)}


def _two_sweeps(first: SweepData, second: SweepData) -> tuple[list[str], pd.DataFrame, tuple[str, str]]:
    """Return what there is to say of two sweeps, their comparisons by setting, and what the sides are called."""
    found = _matched(_compared_trainings(first), _compared_trainings(second))
    rows = _named(paired.compared(found.matched))
    names, shared = _names(found, (first.sweep[:8], second.sweep[:8])), _shared(first, second)
    if rows.empty:
        return [*shared, OTHERWISE] if shared else [NOTHING], rows, names
    (pooled,) = paired.pooled_over(found.matched, rows).to_dict("records")
    return [*_words(pooled, rows, names), *_notes(found, first, second), *shared], rows, names


def _matched(one: pd.DataFrame, other: pd.DataFrame) -> paired.Sides:
    """Return the trials of two sweeps matched by all that does not differ, or else by all but one of what does."""
    found = paired.match_sides(one, other)
    if found.matched or len(found.differing) < 2:
        return found
    return max((paired.match_sides(one, other, name) for name in found.differing), key=lambda some: len(some.matched))


def _shared(first: SweepData, second: SweepData) -> list[str]:
    """Say how many trials both sweeps have, and whether from other seeds."""
    seeds = [{planned.trial.trial_id: planned.seeds for planned in one.plan.trials} for one in (first, second)]
    both = [name for name in seeds[0] if name in seeds[1]]
    if not both:
        return []
    others = sum(write_seeds(seeds[0][name]) != write_seeds(seeds[1][name]) for name in both)
    of = f"not all from the same seeds ({others:,} of them)" if others else "from the same seeds"
    said = f"{plural(len(both), 'trial')} {'is' if len(both) == 1 else 'are'} in both, {of}"
    return [f"{said}: a seed that both have gave the same training."]


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """Return comparisons with what their settings are called."""
    return rows.assign(**{SETTING: [phrase(context, DIGITS) or "all else equal" for context in rows[paired.CONTEXT]]})


class Value(NamedTuple):
    """A value of a parameter beside the first one: ``rows`` by setting, and ``pooled`` over all, which may be none."""

    first: Any
    value: Any
    found: paired.Sides
    rows: pd.DataFrame
    pooled: Row | None


def compare_values(sweeps: Sequence[SweepData], by: str) -> Iterator[Value]:
    """Yield how the first value of a parameter compares with each other one, all else and the starts the same.

    What holds of several of them holds at once: p is adjusted, and intervals are widened, for all together.
    """
    trainings = pd.concat([one.trainings for one in sweeps]).drop_duplicates([c.TRIAL_ID, c.SEED])
    trials = {planned.trial.trial_id: planned.trial for one in sweeps for planned in one.plan.trials}
    value_of = {trial_id: trial.parameters[by] for trial_id, trial in trials.items()}
    values = list(dict.fromkeys(value_of.values()))
    value_T = trainings[c.TRIAL_ID].astype(str).map(value_of)
    first, *others = (trainings[value_T == value] for value in values)
    found = [paired.match_sides(first, other, by) for other in others]
    matched = [
        [replace(one, levels=[0, place]) for one in some.matched] for place, some in enumerate(found, 1)
    ]  # so that what is known of each is told apart
    every = [one for some in matched for one in some]
    rows = paired.compared(every)
    pooled = {row[paired.OTHER]: row for row in paired.pooled_over(every, rows).to_dict("records")}
    for place, (value, some) in enumerate(zip(values[1:], found, strict=True), 1):
        own = _named(rows[rows[paired.OTHER] == place].reset_index(drop=True))
        yield Value(values[0], value, some, own, pooled.get(place))


def values_compared(sweeps: Sequence[SweepData], by: str) -> list[Content]:
    """Return the content of `compare_values`; only words of a value if no trial has a counterpart with it."""
    return [
        {"words": _value_words(one, by), **_drawn(one.rows, two_values(one, by), f"sides-{place}")}
        for place, one in enumerate(compare_values(sweeps, by), 1)
    ]


def _value_words(one: Value, by: str) -> list[str]:
    """Return what there is to say of a value beside the first."""
    names = two_values(one, by)
    if one.pooled is None:
        return [f"{sentence(names[0])} and {names[1]}: {NO_PAIR}"]
    everything = f"Everything but the {name_words(by)} is the same in each setting."
    return [*_words(one.pooled, one.rows, names), everything, *_notes_on_pairs(one.found)]


def compared_words(sweeps: Sequence[SweepData], by: str | None = None) -> list[str]:
    """Return what differs between the values of a parameter, or between two sweeps, in sentences; none of more."""
    if by:
        return [words for one in compare_values(sweeps, by) for words in _value_words(one, by)]
    return _two_sweeps(*sweeps)[0] if len(sweeps) == 2 else []


def two_values(one: Value, by: str) -> tuple[str, str]:
    """Return in words the two values that are compared."""
    first, other = (phrase({by: side}, DIGITS) for side in (one.first, one.value))
    return first, other


def _drawn(rows: pd.DataFrame, names: tuple[str, str], key: str = "sides") -> Content:
    """Return the figure and the table of comparisons, if there are any; ``key`` tells them from others on the page."""
    if rows.empty:
        return {"chart": None, "table": None}
    return {"chart": _chart(rows, names, key), "table": _table(rows, names, key)}


def _compared_trainings(data: SweepData) -> pd.DataFrame:
    """Return a sweep's trainings; of a search those of its best on held-out seeds."""
    found = data.search_results
    if data.combinations is not None:
        of_best = data.trainings[c.TRIAL_ID].astype(str).isin(data.combinations.table[c.TRIAL_ID])
        return data.trainings[of_best & data.trainings[c.SEED].isin(data.combinations.search.held_out)]
    if found is None or found.held_out.empty:
        return data.trainings
    best = found.held_out[found.held_out[KIND] == WINNER]
    own = data.trainings[data.trainings[c.TRIAL_ID].astype(str).isin(best[c.TRIAL_ID].astype(str).iloc[:1])]
    return own[own[c.SEED].isin(found.search.held_out)]


def _names(found: paired.Sides, sweeps: tuple[str, str]) -> tuple[str, str]:
    """Return what the sides are called: the values that tell them apart, or their sweeps."""
    said = [phrase(own, DIGITS) for own in found.fixed]
    one, other = said if all(said) and said[0] != said[1] else [f"sweep {name}" for name in sweeps]
    return one, other


# ------------------------------------------------------------------ in words


def _words(pooled: Row, rows: pd.DataFrame, names: tuple[str, str]) -> list[str]:
    """Say by how much the first side solves more, and how much sooner, with intervals."""
    said, evidence = rate_words(pooled, rows, names)
    times, of_times = time_words(rows, names)
    return [f"{said}. {evidence}", f"{times}. {of_times}".strip()]


def rate_words(pooled: Row, rows: pd.DataFrame, names: tuple[str, str]) -> tuple[str, str]:
    """Say by how much the first side solves more, or that there is no difference beyond a bound, and the evidence.

    There is no average over settings of which some speak for one side and others for the other, beyond chance.
    """
    one, other = names
    ends = (pooled[paired.DIFFERENCE], pooled[paired.DIFFERENCE_LOW], pooled[paired.DIFFERENCE_HIGH])
    better, worse, settings = pooled[paired.BETTER], pooled[paired.WORSE], plural(len(rows), "setting")
    single = rows[paired.DIFFERENCE].to_numpy(dtype=np.float64)
    size = f"{plural(len(rows), 'setting')}, {pooled[paired.PAIRS]:,} pairs of trainings"
    how = "McNemar, Holm over all settings" if len(rows) > 1 else f"McNemar's {p_value(rows[paired.P_HOLM].iloc[0])}"
    if not rows[[paired.ONLY_ONE, paired.ONLY_OTHER]].to_numpy().any():
        said = f"{sentence(one)} and {other} solve the same starts, {pooled[paired.PAIRS]:,} pairs of trainings"
        return said, f"No difference in solved rate beyond ± {points(max(abs(ends[1]), abs(ends[2]))).lstrip('+')}."
    if better and worse:
        most, least = (f"up to {points(abs(single[at]))} with {rows[SETTING].iloc[at]}" for at in _ends(single))
        said = (
            f"whether more starts are solved with {one} or with {other} depends on the setting: "
            f"{one} in {better:,} of {settings}, {most}; {other} in {worse:,}, {least}"
        )
        return sentence(said), f"Beyond chance in each of them ({how}); an average would hide it. {size}."
    if ends[1] <= 0 <= ends[2]:
        bound = max(abs(ends[1]), abs(ends[2]))
        said = f"{sentence(one)} and {other}: no difference in solved rate beyond ± {points(bound).lstrip('+')}"
    else:
        more = "more" if ends[0] > 0 else "fewer"
        average = " on average" if len(rows) > 1 else ""
        said = f"With {one} {more} starts are solved than with {other}: {points(*ends)}{average}"
    if len(rows) > 1:
        least, most = (f"{points(single[at])} with {rows[SETTING].iloc[at]}" for at in _ends(single)[::-1])
        said += f", from {least} to {most}"
        counted = (
            f"Beyond chance {one} solves more in {better:,} and {other} in {worse:,} of {settings} ({how}). {size}"
        )
    else:
        counted = f"{pooled[paired.PAIRS]:,} pairs of trainings; {how}"
    return said, f"{counted}."


def _ends(differences: NDArray[np.float64]) -> tuple[int, int]:
    """Return the places of the greatest and of the smallest difference."""
    return int(differences.argmax()), int(differences.argmin())


def time_words(rows: pd.DataFrame, names: tuple[str, str]) -> tuple[str, str]:
    """Say how many times the iterations the first side takes, from what both solve, and the evidence."""
    known = rows[rows[paired.RATIO_LEAST].notna()]
    if known.empty:
        return f"Too few starts are solved by both {names[0]} and {names[1]} to compare their times", ""
    ratios = np.sort(known[paired.RATIO].to_numpy(dtype=np.float64))
    low, high = known[paired.RATIO_LEAST].min(), known[paired.RATIO_MOST].max()
    span = short(ratios[0]) if len(ratios) == 1 else f"{short(ratios[0])} to {short(ratios[-1])}"
    if low == high == 1:
        return f"A start that both solve takes as many iterations with {names[0]} as with {names[1]}", ""
    said = f"A start that both solve takes in median {span} times as many iterations with {names[0]} as with {names[1]}"
    if len(ratios) == 1:
        return (
            said,
            f"Its exact 95 % interval is {short(low)} to {short(high)}; {int(known[paired.BOTH].iloc[0]):,} starts.",
        )
    evidence = (
        f"In {len(known):,} of {plural(len(rows), 'setting')}, those with enough such starts; exact 95 % intervals "
        f"that hold for all of them at once lie between {short(low)} and {short(high)}."
    )
    return said, evidence


def _notes(found: paired.Sides, first: SweepData, second: SweepData) -> list[str]:
    said = [f"They differ in {listed(found.differing)}; everything else is the same in each setting."]
    said += _notes_on_pairs(found)
    if any(one.search_results is not None or one.combinations is not None for one in (first, second)):
        said.append("Of a search, its best is compared, on held-out seeds.")
    return said


def _notes_on_pairs(found: paired.Sides) -> list[str]:
    """Return what must be known of how trials were matched."""
    said = []
    if set(found.differing) & set(DRAWN_BY):
        said.append(OTHER_WEIGHTS)
    if found.unmatched:
        has = "has" if found.unmatched == 1 else "have"
        said.append(f"{plural(found.unmatched, 'other setting')} of theirs {has} no counterpart, or several.")
    return said


# ------------------------------------------------------------------ figure and table


def _chart(rows: pd.DataFrame, names: tuple[str, str], key: str) -> Chart:
    """Return a panel of differences in solved rate and one of ratios of times, a row per setting in both."""
    shown = rows.reindex(rows[paired.DIFFERENCE].abs().sort_values(ascending=False, kind="stable").index)
    shown = shown.head(MOST_DRAWN).reset_index(drop=True)
    panels = [panel("difference in solved rate", differences(shown))]
    if shown[paired.RATIO].notna().any():
        panels.append(panel("ratio of iterations to solution", ratios(shown)))
    return Chart(
        name=key,
        title=f"{sentence(names[0])} against {names[1]}, seed by seed",
        subtitle=f"A row per setting, n = {from_to(rows[paired.PAIRS])} pairs each; lines: 95 % intervals (Bonett & "
        "Price 2012; of medians of ratios exact).",
        note=f"The {len(shown)} of {plural(len(rows), 'setting')} that differ most." if len(shown) < len(rows) else "",
        alt=f"Paired differences in {plural(len(rows), 'setting')}.",
        panels=panels,
        data=_plain(rows),
    )


def differences(rows: pd.DataFrame) -> Figure:
    """Draw the difference of solved rates with its interval for each setting."""
    figure, axes = named_rows(rows[SETTING], "points more are solved by the first", least=2.1, right=0.24)
    _intervals(axes, rows, paired.DIFFERENCE, paired.DIFFERENCE_LOW, paired.DIFFERENCE_HIGH)
    axes.axvline(0, color="0.5", linewidth=0.8)
    reach = float(np.clip(rows[[paired.DIFFERENCE_LOW, paired.DIFFERENCE_HIGH]].abs().to_numpy().max(), 0.02, 1))
    axes.set_xlim(-ROOM * reach, ROOM * reach)
    axes.xaxis.set_major_locator(MaxNLocator(5, symmetric=True))
    axes.xaxis.set_major_formatter(lambda value, _: signed(100 * value).removesuffix(".0"))
    return figure


def ratios(rows: pd.DataFrame) -> Figure:
    """Draw the median ratio of times with its interval for each setting that has one."""
    figure, axes = named_rows(rows[SETTING], "times the iterations of the second", least=2.1, right=0.24)
    _intervals(axes, rows, paired.RATIO, paired.RATIO_LOW, paired.RATIO_HIGH)
    axes.axvline(1, color="0.5", linewidth=0.8)
    ends = rows[[paired.RATIO, paired.RATIO_LOW, paired.RATIO_HIGH]].to_numpy(dtype=np.float64)
    low, high = min(float(np.nanmin(ends)), 0.8), max(float(np.nanmax(ends)), 1.25)
    log_axis(axes, "x", low / ROOM, high * ROOM)
    axes.xaxis.set_major_formatter(lambda value, _: plain_number(value))
    return figure


def _intervals(axes: Any, rows: pd.DataFrame, middle: str, low: str, high: str) -> None:
    places = np.arange(len(rows))
    axes.hlines(places, rows[low], rows[high], color=EFFECT, linewidth=2, alpha=0.55)
    axes.plot(rows[middle], places, "o", color=EFFECT, markersize=4, clip_on=False)


def _table(rows: pd.DataFrame, names: tuple[str, str], key: str) -> Table:
    def counted(title: str, name: str) -> Column:
        return Column(title, lambda row: number(f"{row[name]:,}", row[name]), is_number=True)

    columns = [
        text("setting", SETTING),
        counted("pairs", paired.PAIRS),
        Column("difference [95 %]", _difference, is_number=True),
        Column("ratio of iterations [95 %]", _ratio, is_number=True),
        Column("p (Holm)", lambda row: number(p_value(row[paired.P_HOLM]), row[paired.P_HOLM]), is_number=True),
        counted(f"{names[0]} only", paired.ONLY_ONE),
        counted(f"{names[1]} only", paired.ONLY_OTHER),
    ]
    return tabulate(key, "The same starts, setting by setting", rows.to_dict("records"), columns)


def _difference(row: Row) -> Cell:
    ends = (row[paired.DIFFERENCE], row[paired.DIFFERENCE_LOW], row[paired.DIFFERENCE_HIGH])
    return number(points(*ends), row[paired.DIFFERENCE])


def _ratio(row: Row) -> Cell:
    if pd.isna(row[paired.RATIO]):
        return number(NONE, None)
    return number(interval(row[paired.RATIO], row[paired.RATIO_LOW], row[paired.RATIO_HIGH]), row[paired.RATIO])


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns=[paired.CONTEXT, paired.PARAMETER, paired.ONE, paired.OTHER])

"""What there is to say of a search for each of several combinations: what helps where, and what costs elsewhere."""

from collections.abc import Iterator

import pandas as pd

from bench.model.display_labels import gate_word, phrase
from bench.report.charts import Finding, Row, row_percent
from bench.report.number_format import listed, percent, plural, points, sentence
from bench.stats.combinations import (
    AS_SEARCHED,
    AT_THE_EDGE,
    DIFFERENCE,
    DIFFERENCE_HIGH,
    DIFFERENCE_LOW,
    PAIRS,
    SETTING,
    VARIANT,
    CombinationResults,
)  # fmt: skip
from bench.stats.grid_analysis import highest, lowest
from bench.stats.holdout import OPTIMISM
from bench.stats.proportions import RATE

ANCHOR = "combinations"
DIGITS = 3
MOST_NAMED = 3  # in a sentence


def answer(found: CombinationResults) -> str:
    """Return what came of all combinations in a sentence: what helps one setting and costs another, or helps most."""
    compared, first = found.compared, found.variants[0]
    if compared.empty:
        return f"Of {plural(len(found.search.each), 'combination')} none is known yet: the search is not finished."
    better, worse = surely_more(compared), surely_fewer(compared)
    both = [name for name in found.variants if (better[VARIANT] == name).any() and (worse[VARIANT] == name).any()]
    if both:
        pairs = [(_most(better[better[VARIANT] == name], 1), _most(worse[worse[VARIANT] == name], -1)) for name in both]
        up, down = max(pairs, key=lambda pair: min(pair[0][DIFFERENCE], -pair[1][DIFFERENCE]))
        what = f"{sentence(up[VARIANT])} against {first}, in the share of starts that are solved"
        return f"{what}: {_points(up)}{_with(up)}, and {_points(down)}{_with(down)}."
    if len(better):
        up = _most(better, 1)
        return f"{sentence(up[VARIANT])} solves more than {first}: {_points(up)}{_with(up)}."
    what = f"None of {plural(compared[VARIANT].nunique(), 'variant')} surely solves more than {first}"
    down = _most(compared, -1)
    return (
        f"{what}; {down[VARIANT]} costs most: {_points(down)}{_with(down)}."
        if down[DIFFERENCE_HIGH] < 0
        else f"{what}."
    )


def combination_findings(found: CombinationResults) -> Iterator[Finding]:
    """Yield what helps somewhere and costs elsewhere, what helps in each setting, and what is known of the tuning."""
    compared = found.compared
    if compared.empty:
        return
    yield from _mixed(found, compared)
    for setting in found.settings:
        yield from _in_setting(found, compared[compared[SETTING] == setting])
    yield from _at_the_edge(found)
    yield from _optimism(found)


def surely_more(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what solves more than the first variant, beyond chance."""
    return rows[rows[DIFFERENCE_LOW] > 0]


def surely_fewer(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what solves fewer than the first variant, beyond chance."""
    return rows[rows[DIFFERENCE_HIGH] < 0]


def tuned_words(found: CombinationResults, row: Row) -> str:
    """Return in words what was found for the parameters that were searched."""
    values = {name: row[name] for name in found.search.space if row[name] is not None and not pd.isna(row[name])}
    return phrase(values, DIGITS)


def _most(rows: pd.DataFrame, sign: int) -> Row:
    return (highest if sign > 0 else lowest)(rows, DIFFERENCE)


def _with(row: Row) -> str:
    return f" with {row[SETTING]}" if row[SETTING] else ""


def _points(row: Row) -> str:
    return points(row[DIFFERENCE], row[DIFFERENCE_LOW], row[DIFFERENCE_HIGH])


def _evidence(found: CombinationResults, rows: pd.DataFrame) -> str:
    return (
        f"n = {int(rows[PAIRS].min()):,} held-out starts, compared one by one; 95 % intervals that hold for all "
        f"{plural(len(found.compared), 'comparison')} at once. Each has its own "
        f"{' and '.join(name.replace('_', ' ') for name in found.search.space)}, the best of "
        f"{plural(found.search.trials, 'trial')}."
    )


def _mixed(found: CombinationResults, compared: pd.DataFrame) -> Iterator[Finding]:
    """Yield which variants solve surely more in one setting and surely fewer in another."""
    better, worse = surely_more(compared), surely_fewer(compared)
    both = [name for name in found.variants if (better[VARIANT] == name).any() and (worse[VARIANT] == name).any()]
    if not both:
        return
    parts = []
    for name in sorted(both, key=lambda one: -better[DIFFERENCE][better[VARIANT] == one].max())[:MOST_NAMED]:
        up, down = _most(better[better[VARIANT] == name], 1), _most(worse[worse[VARIANT] == name], -1)
        parts.append(
            f"{name} ({points(up[DIFFERENCE], unit='')}{_with(up)}, {points(down[DIFFERENCE], unit='')}{_with(down)})"
        )
    more = f", and {len(both) - len(parts)} more" if len(both) > len(parts) else ""
    verb = "helps somewhere and costs elsewhere" if len(both) == 1 else "help somewhere and cost elsewhere"
    yield Finding(
        f"{sentence(plural(len(both), 'variant'))} of {compared[VARIANT].nunique()} {verb}, in points: "
        f"{'; '.join(parts)}{more}.",
        _evidence(found, compared),
        ANCHOR,
    )


def _in_setting(found: CombinationResults, rows: pd.DataFrame) -> Iterator[Finding]:
    """Yield how many variants solve surely more, or fewer, than the first one in a setting, and which most."""
    if rows.empty:
        return
    setting = str(rows[SETTING].iloc[0])
    first = found.table[(found.table[VARIANT] == found.variants[0]) & (found.table[SETTING] == setting)]
    better, worse = surely_more(rows), surely_fewer(rows)
    above = f"{len(better)} of {plural(len(rows), 'variant')} solve{'s' if len(better) == 1 else ''} surely more"
    best = better.sort_values(DIFFERENCE, ascending=False, kind="stable").head(MOST_NAMED).to_dict("records")
    named = [f"{row[VARIANT]} {_points(row)}" for row in best]
    above = f"{above} ({', '.join(named)})" if named else f"none of {plural(len(rows), 'variant')} solves surely more"
    below = f"{len(worse)} surely fewer"
    if len(worse):
        down = _most(worse, -1)
        below += f", at worst {down[VARIANT]} {_points(down)}"
    gate = gate_word(found.search.gate.name)
    rate = f"{found.variants[0]} solves {gate} from {row_percent(first.iloc[0])} of the starts"
    where = f"With {setting}, {rate}" if setting else sentence(rate)
    yield Finding(f"{where}: {above}, {below}.", _evidence(found, rows), ANCHOR)


def _at_the_edge(found: CombinationResults) -> Iterator[Finding]:
    """Yield whose best lies at an end of a range: it may be better beyond, and was not tuned as far as the others."""
    rows = found.table[found.table[AT_THE_EDGE].map(bool)]
    if rows.empty:
        return
    named = [
        f"{row[VARIANT]}{_with(row)} ({tuned_words(found, row)})"
        for row in rows.head(2 * MOST_NAMED).to_dict("records")
    ]
    more = f", and {len(rows) - len(named)} more" if len(rows) > len(named) else ""
    many = len(rows) > 1
    yield Finding(
        f"The best of {plural(len(rows), 'combination')} lie{'' if many else 's'} at an end of the range that was "
        f"searched, and may be better beyond it: {listed(named) if not more else ', '.join(named)}{more}.",
        "Within 2 % of an end of a range, on its own scale.",
        ANCHOR,
    )


def _optimism(found: CombinationResults) -> Iterator[Finding]:
    """Yield by how much the best of each looked better than it is, on average and at most."""
    rows = found.table[found.table[OPTIMISM[0]].notna()]
    if rows.empty or rows[OPTIMISM[0]].mean() <= 0:
        return
    most = highest(rows, OPTIMISM[0])
    yield Finding(
        f"As searched, the best of each solve {points(rows[OPTIMISM[0]].mean())} more than on held-out starts, on "
        f"average: the best of {plural(found.search.trials, 'trial')} is in part the luckiest.",
        f"At most {points(most[OPTIMISM[0]])}, {most[VARIANT]}{_with(most)}: {percent(most[AS_SEARCHED])} as searched "
        f"from {plural(len(found.search.seeds), 'start')}, {percent(most[RATE])} held out. The table compares "
        "held-out starts only.",
        ANCHOR,
    )

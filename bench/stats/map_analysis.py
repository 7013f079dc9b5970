"""Analysis of a map: the fate of every point, and the figures of its basins and of the border between them.

Shapes: M points of a map, F fates, H rows and W columns of pixels, N pairs, K distances.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.maps import ELSEWHERE, PERCENT, Map, MapPoints
from bench.model.outcome import NEVER, Result
from bench.stats.attractors import SHARE, cluster_names
from bench.stats.basins import FATE, BasinFigures, basin_figures
from bench.stats.boundary_dimension import DISTANCE
from bench.stats.proportions import HIGH, LOW, RATE

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]

MOST_ENDINGS = 8  # that are told apart: more colours nobody tells apart
COLUMN, ROW, X, Y = "column", "row", "x", "y"


@dataclass(frozen=True)
class Fate:
    """A fate of a map's points: its result, and what the predictions of those that are stuck or slow end at."""

    result: Result | None  # None: not trained yet
    ending: str = ""

    @property
    def words(self) -> str:
        """What it is called: ``solved``, ``0 ½ 1 ½``, ``elsewhere``, ``diverged``."""
        return self.ending or (str(self.result) if self.result else "not trained")


@dataclass(frozen=True, eq=False, repr=False)
class MapAnalysis:
    """A map with what became of its points."""

    map: Map
    points: MapPoints

    def __repr__(self) -> str:
        """Show its size, its axes, and how much of it is solved."""
        size = f"{self.map.width} × {self.map.height} pixels of {self.map.x.words} and {self.map.y.words}"
        return f"MapAnalysis({self.map.title!r}, {size}, {self.solved:.1%} solved)"

    @cached_property
    def _fates(self) -> tuple[list[Fate], Codes]:
        """Return the fates that occur, solved first and endings by how many come to them, and each point's place."""
        points, found = self.points, self.map
        code_M = np.zeros(found.points, np.uint8)
        fates: list[Fate] = []

        def add(fate: Fate, which_M: Any) -> None:
            if which_M.any():
                code_M[which_M] = len(fates)
                fates.append(fate)

        add(Fate(Result.SOLVED), points.of(Result.SOLVED))
        stuck_M, slow_M = points.of(Result.STUCK), points.of(Result.SLOW)
        unsolved = np.flatnonzero(stuck_M | slow_M)
        if unsolved.size:
            predictions = found.trial.as_gate_has_it(points.predictions_MN[unsolved].astype(np.float64))
            number_U, names = cluster_names(predictions, stuck_M[unsolved])
            size_F = np.bincount(number_U, minlength=len(names))
            shared = [name for name in np.argsort(-size_F, kind="stable") if size_F[name] and names[name] != ELSEWHERE]
            for name in shared[:MOST_ENDINGS]:
                which_M = np.zeros(found.points, bool)
                which_M[unsolved[number_U == name]] = True
                add(Fate(Result.STUCK, names[name]), which_M)
            rest_M = np.zeros(found.points, bool)
            rest_M[unsolved[~np.isin(number_U, shared[:MOST_ENDINGS])]] = True
            add(Fate(Result.STUCK, ELSEWHERE), rest_M & stuck_M)
            add(Fate(Result.SLOW), rest_M & slow_M)
        for result in (Result.DIVERGED, Result.FAILED, Result.UNSUPPORTED):
            add(Fate(result), points.of(result))
        add(Fate(None), points.outcome_M < 0)
        return fates, code_M

    @property
    def fates(self) -> Sequence[Fate]:
        """The fates that occur ``[F]``."""
        return self._fates[0]

    @property
    def codes(self) -> Codes:
        """The place of each point's fate among these ``[M]``."""
        return self._fates[1]

    @property
    def pixel_codes(self) -> Codes:
        """The fates of the pixels, the lowest row first."""
        return self.codes[: self.map.pixels].reshape(self.map.height, self.map.width)

    def pixels(self, values_M: NDArray[Any]) -> NDArray[Any]:
        """Return what the pixels have of values of all points ``[H, W]``."""
        return values_M[: self.map.pixels].reshape(self.map.height, self.map.width)

    @property
    def is_whole(self) -> bool:
        """Whether every point was trained, or refused."""
        return bool((self.points.outcome_M >= 0).all())

    @cached_property
    def figures(self) -> BasinFigures:
        """The figures of its basins, and of the border between them."""
        return self._figures_of(self.codes)

    @property
    def border_of(self) -> str:
        """The fate whose border is read: the one that the map asks for, else solved, where that is one of several."""
        words = [fate.words for fate in self.fates]
        if self.map.border:
            return self.map.border
        return str(Result.SOLVED) if str(Result.SOLVED) in words and len(words) > 1 else ""

    def is_of(self, fate: str) -> NDArray[np.bool_]:
        """Return which points have a fate of this name ``[M]``."""
        own = [place for place, one in enumerate(self.fates) if fate in (one.words, one.result)]
        return np.isin(self.codes, own)

    @property
    def has_border(self) -> bool:
        """Whether there is a border to read: all is trained, and there is something between any two pixels."""
        return self.is_whole and not (self.map.x.is_whole or self.map.y.is_whole)

    @cached_property
    def border_figures(self) -> BasinFigures:
        """The figures of the border of that fate alone, and of all borders where none is chosen."""
        return self._figures_of(self.is_of(self.border_of)) if self.border_of else self.figures

    def _figures_of(self, code_M: NDArray[Any]) -> BasinFigures:
        pairs, pixels, distances = self.map.pairs, self.map.pixels, self.map.distances
        if not pairs:
            return basin_figures(self.pixels(code_M))
        own = code_M[pixels:]
        return basin_figures(self.pixels(code_M), own[:pairs], own[pairs:].reshape(len(distances), pairs), distances)

    @property
    def solved(self) -> float:
        """The share of its pixels that solve the gate."""
        return float(self.points.of(Result.SOLVED)[: self.map.pixels].mean())

    @cached_property
    def shares(self) -> pd.DataFrame:
        """A row for each fate: its share of the pixels, and its rate among random points with an exact interval."""
        table = self.figures.shares
        return table.assign(**{FATE: [self.fates[code].words for code in table[FATE]]})

    @property
    def another_fate(self) -> dict[str, float] | None:
        """How often a move by 1 % of the window meets another fate, with its exact interval; None without pairs."""
        table = self.figures.pairs.table
        row = table[table[DISTANCE] == PERCENT]
        return (
            None
            if row.empty or not self.map.pairs or not self.is_whole
            else {str(n): float(v) for n, v in row.iloc[0].items()}
        )

    @property
    def metrics(self) -> dict[str, float]:
        """What MLflow is told of it: shares of the pixels, and what there is of the border's figures."""
        found = self.figures
        metrics = {f"share of {row[FATE]}": row[SHARE] for row in self.shares.to_dict("records")}
        metrics |= {"solved_rate": self.solved}
        if self.another_fate:
            ends = zip(("", "_low", "_high"), (RATE, LOW, HIGH), strict=True)
            metrics |= {f"another_fate_at_1_percent{end}": self.another_fate[name] for end, name in ends}
        for name, value in (
            ("basin_entropy", found.entropy.entropy),
            ("boundary_basin_entropy", found.entropy.boundary_entropy),
        ):
            metrics |= {} if value is None else {name: value}
        border = self.border_figures
        if self.has_border and border.boxes.dimension is not None:
            metrics["box_counting_dimension"] = border.boxes.dimension
        if self.has_border and (dimension := border.pairs.whole):
            metrics |= {"dimension": dimension.value, "dimension_low": dimension.low, "dimension_high": dimension.high}
        return metrics

    def frame(self) -> pd.DataFrame:
        """Return a row for each pixel: where it is, what became of it, and what it says in the end."""
        found, points, size = self.map, self.points, self.map.pixels
        place_M = np.arange(size)
        x_M, y_M = found.coordinates(place_M)
        words = np.array([fate.words for fate in self.fates], dtype=object)
        results = np.array([*Result, ""], dtype=object)  # the last of what is not trained yet
        return pd.DataFrame(
            {
                COLUMN: place_M % found.width,
                ROW: place_M // found.width,
                X: x_M,
                Y: y_M,
                c.OUTCOME: results[points.outcome_M[:size].astype(np.int64)].astype(str),
                FATE: words[self.codes[:size]],
                c.SOLVED_AT: _iterations(points.solved_at_M[:size]),
                c.CORRECT_AT: _iterations(points.correct_at_M[:size]),
                c.FINAL_LOSS: points.final_loss_M[:size],
                **{f"prediction_{n}": values_M[:size] for n, values_M in enumerate(points.predictions_MN.T)},
            }
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the pixels as arrays ``[H, W]``, the lowest row first, with the coordinates of columns and rows."""
        found, points = self.map, self.points
        x_W, _ = found.coordinates(range(found.width))
        _, y_H = found.coordinates(range(0, found.pixels, found.width))
        numbers = {
            c.SOLVED_AT: points.solved_at_M,
            c.CORRECT_AT: points.correct_at_M,
            c.FINAL_LOSS: points.final_loss_M,
        }
        return {
            X: x_W,
            Y: y_H,
            FATE: self.pixel_codes,
            "fates": np.array([fate.words for fate in self.fates]),
            **{name: self.pixels(values_M) for name, values_M in numbers.items()},
            c.PREDICTIONS: points.predictions_MN[: found.pixels].reshape(found.height, found.width, -1),
        }


def _iterations(at_M: NDArray[np.int32]) -> Any:
    return pd.arrays.IntegerArray(at_M.astype(np.int64), at_M == NEVER)

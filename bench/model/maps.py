"""Maps: two axes through the starts and the parameters of one trial, of which every point is a training.

Shapes: T points of a map, or M, all of them; N observations, P weights and biases; W and H pixels from left to right
and from bottom to top. A place is the number of a point: of pixels row by row, and after them those of the pairs.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.model.network import Network, weight_names
from bench.model.outcome import Batch, Result
from bench.model.trial import PARAMETERS, Trial

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOWARD, WEIGHT, DIRECTION, PARAMETER = KINDS = ("toward", "weight", "direction", "parameter")
OF_TRAININGS = ("learning_rate", "momentum", "learning_rate_output")  # parameters that a batch has for each training
SCALE = "init_scale"  # multiplies what the seeds give
FINEST = {"float32": 17, "float64": 29}  # powers of a half of a window: nearer, no starts can be told apart
STEPS_APART = {"float32": 2.0**-20, "float64": 2.0**-49}  # eight times the gap between neighbouring numbers
ELSEWHERE = "elsewhere"  # the fate of what ends where few others do
PERCENT = 0.01  # the distance that is told in words


@dataclass(frozen=True)
class Axis:
    """One axis of a map, from ``low`` up to, and without, ``high``, like a range of seeds.

    ``toward`` a seed: 0 is the origin, and 1 where that seed starts. A ``weight`` has its value. Along a ``direction``,
    drawn with a seed, the coordinate is the distance from the origin in the space of all weights. A ``parameter`` is
    any of a trial's numbers; it may be ``log``.
    """

    kind: str
    of: int | str
    low: float
    high: float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it has whole numbers only, each as wide as the next."""
        return self.kind == PARAMETER and bool(getattr(PARAMETERS[str(self.of)].number, "whole", False))

    @property
    def is_of_trial(self) -> bool:
        """Whether its values are those of different trials, and not of trainings of one."""
        return self.kind == PARAMETER and self.of not in (*OF_TRAININGS, SCALE)

    def values(self, share_T: Floats) -> Floats:
        """Return the coordinates at these shares of its length ``[T]``, from 0 to below 1."""
        if self.log:
            return np.asarray(self.low * (self.high / self.low) ** share_T)
        found: Floats = self.low + share_T * (self.high - self.low)
        return np.floor(found) if self.is_whole else found

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last value that it may have: whole numbers where it has no others."""
        if self.is_whole and float(self.low).is_integer():
            return int(self.low), math.ceil(self.high) - 1
        return self.low, float(np.nextafter(self.high, self.low))

    def share(self, value: float) -> float:
        """Return where on its length a coordinate is: 0 at the low end, 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    @property
    def words(self) -> str:
        """What it is, as the command line has it: ``toward:1``, ``hidden[0].bias``, ``learning_rate``."""
        return str(self.of) if self.kind in (WEIGHT, PARAMETER) else f"{self.kind}:{self.of}"


@dataclass(frozen=True)
class Map:
    """One trial, an origin and two axes: every pixel is a training, and so is either end of every pair.

    The origin is where ``seed`` starts, or ``start``. Pairs are what the uncertainty exponent is read from: points
    anywhere in the window, each with one partner at each of ``distances``. ``is_raised`` says that float64 is not what
    was asked for, but what it takes to tell neighbouring pixels apart.
    """

    trial: Trial
    x: Axis
    y: Axis
    width: int = 256
    height: int = 256
    seed: int = 0
    start: tuple[float, ...] | None = None
    pairs: int = 4096
    title: str = ""
    border: str = ""  # of which fate: the border that is read; of "solved" where nothing is said
    is_raised: bool = False
    magnified: float = 1.0  # how much nearer it is than the first of a descent

    @cached_property
    def map_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all that decides its trainings."""
        content: dict[str, Any] = {
            "trial": self.trial.trial_id,
            "seed": None if self.start else self.seed,
            "start": self.start,
        }
        content |= {"x": asdict(self.x), "y": asdict(self.y), "size": [self.width, self.height], "pairs": self.pairs}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def pixels(self) -> int:
        """How many pixels there are."""
        return self.width * self.height

    @property
    def distances(self) -> Floats:
        """How far the partners of a pair's first point are from it ``[K]``, as shares of the window's sides.

        Powers of a half, as far as the precision can tell starts apart, and one in a hundred.
        """
        halves = 0.5 ** np.arange(2, FINEST[self.trial.dtype] + 1)
        return np.sort(np.append(halves, PERCENT))[::-1].copy()

    @property
    def points(self) -> int:
        """How many trainings there are, those of pairs included."""
        return self.pixels + self.pairs * (1 + (len(self.distances) if self.pairs else 0))

    @property
    def iterations(self) -> int:
        """How many iterations all of them take."""
        return sum(trial.iterations * len(places) for trial, places in self.parts())

    # -------------------------------------------------------------- points

    def shares(self, places: Sequence[int] | Ints) -> tuple[Floats, Floats]:
        """Return where in the window these places are: the shares of its width and height ``[T]``."""
        place_T = np.asarray(places, dtype=np.int64)
        row_T, column_T = np.divmod(place_T, self.width)
        x_T, y_T = column_T / self.width, row_T / self.height
        if (beyond_T := place_T >= self.pixels).any():
            of_pairs = _of_pairs(self.pairs, tuple(self.distances.tolist()), int(self.map_id[:8], 16))
            x_T[beyond_T], y_T[beyond_T] = of_pairs[place_T[beyond_T] - self.pixels].T
        return x_T, y_T

    def coordinates(self, places: Sequence[int] | Ints) -> tuple[Floats, Floats]:
        """Return the coordinates ``[T]`` along both axes."""
        x_T, y_T = self.shares(places)
        return self.x.values(x_T), self.y.values(y_T)

    def place(self, x: float, y: float) -> int:
        """Return the pixel at these coordinates."""
        column, row = (
            min(max(math.floor(axis.share(value) * size + 1e-9), 0), size - 1)
            for axis, value, size in ((self.x, x, self.width), (self.y, y, self.height))
        )
        return row * self.width + column

    def parts(self) -> Iterator[tuple[Trial, Sequence[int]]]:
        """Yield each trial with the places that are trainings of it: one, unless an axis is a trial's own parameter."""
        different = [axis for axis in (self.x, self.y) if axis.is_of_trial]
        if not different:
            yield self.trial, range(self.points)
            return
        place_T = np.arange(self.points)
        columns = dict(zip((self.x, self.y), self.coordinates(place_T), strict=True))
        value_DT = np.array([columns[axis] for axis in different])
        value_DU, which_T = np.unique(value_DT, axis=1, return_inverse=True)
        for number, values in enumerate(value_DU.T):
            own = {str(axis.of): _plain(axis, value) for axis, value in zip(different, values, strict=True)}
            yield replace(self.trial, **own), tuple(np.flatnonzero(which_T.ravel() == number).tolist())

    def corners(self) -> Iterator[Trial]:
        """Yield the trials at the ends of its axes: one, unless an axis is a trial's own parameter."""
        ends = [[(axis, value) for value in axis.ends] for axis in (self.x, self.y) if axis.is_of_trial]
        for corner in itertools.product(*ends):
            yield replace(self.trial, **{str(axis.of): _plain(axis, value) for axis, value in corner})

    def batch(self, trial: Trial, places: Sequence[int] | Ints) -> Batch:
        """Return the batch of one of its trials' trainings at these places."""
        return self.batch_at(trial, *self.coordinates(places))

    def batch_at(self, trial: Trial, x_T: Floats, y_T: Floats) -> Batch:
        """Return the batch of trainings at these coordinates.

        At those of a seed's start, the weights are that seed's own, bit for bit.
        """
        along = {self.x: x_T, self.y: y_T}
        weights_TP = self._from_seeds(trial, along)
        for axis, value_T in along.items():
            if axis.kind == PARAMETER and axis.of == SCALE:
                with np.errstate(over="ignore"):
                    weights_TP = weights_TP * value_T[:, None]
        for axis, value_T in along.items():
            if axis.kind == DIRECTION:
                weights_TP = weights_TP + value_T[:, None] * direction(trial.network, int(axis.of))
        for axis, value_T in along.items():
            if axis.kind == WEIGHT:
                weights_TP[:, weight_names(trial.network).index(str(axis.of))] = value_T
        rates = {f"{axis.of}_T": value_T for axis, value_T in along.items() if axis.of in OF_TRAININGS}
        return Batch(trial, weights_TP, **rates)

    def origin(self, trial: Trial) -> Floats:
        """Return the weights ``[P]`` from which it sets out; where their scale is an axis, they have a scale of 1."""
        return np.array(self.start) if self.start else self._start_of(trial, self.seed)

    def _start_of(self, trial: Trial, seed: int) -> Floats:
        scaled = any(axis.kind == PARAMETER and axis.of == SCALE for axis in (self.x, self.y))
        own = replace(trial, init_scale=1.0) if scaled else trial
        return np.asarray(own.initial_weights([seed])[0])

    def _from_seeds(self, trial: Trial, along: dict[Axis, Floats]) -> Floats:
        """Return the weights ``[T, P]`` between the origin and the seeds that axes lead to."""
        toward = {axis: value_T for axis, value_T in along.items() if axis.kind == TOWARD}
        (size,) = {len(value_T) for value_T in along.values()}
        left_T = np.ones(size) - sum(toward.values(), np.zeros(size))
        weights_TP = left_T[:, None] * self.origin(trial)  # a sum of shares is each seed's own start where it is 1
        for axis, value_T in toward.items():
            weights_TP += value_T[:, None] * self._start_of(trial, int(axis.of))
        return weights_TP

    # -------------------------------------------------------------- as a document

    def to_json(self) -> dict[str, Any]:
        """Return the document that a sweep keeps of it."""
        return {
            "map_id": self.map_id,
            "title": self.title,
            "table": self.trial.gate.digest,
            "parameters": self.trial.content,
            **self.trial.kept_table,
            "seed": self.seed,
            "start": None if self.start is None else list(self.start),
            "x": asdict(self.x),
            "y": asdict(self.y),
            "size": [self.width, self.height],
            "pairs": self.pairs,
            "border": self.border,
            "is_raised": self.is_raised,
            "magnified": self.magnified,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any], gates: Any, tables: Any = None) -> "Map":
        """Return the map of such a document, given the gates by their names, and tables of weights by their digests."""
        width, height = document["size"]
        table = tables[document["init_table"]] if "init_table" in document else None
        found = cls(
            trial=Trial.stored(document["parameters"], gates[document["parameters"]["gate"]], table),
            x=Axis(**document["x"]),
            y=Axis(**document["y"]),
            width=width,
            height=height,
            seed=document["seed"],
            start=None if document["start"] is None else tuple(document["start"]),
            pairs=document["pairs"],
            title=document["title"],
            border=document["border"],
            is_raised=document["is_raised"],
            magnified=document["magnified"],
        )
        found.__dict__["map_id"] = document["map_id"]  # as it was named then, with the parameters that there were
        return found


def _plain(axis: Axis, value: float) -> Any:
    """Return a coordinate as its parameter's value."""
    name = str(axis.of)
    if name == "hidden":
        return (int(value),) if value else ()
    return PARAMETERS[name].read(value)


def is_too_fine(found: Map, dtype: str) -> bool:
    """Whether neighbouring pixels of some axis are nearer than this precision can tell apart."""
    for axis, size in ((found.x, found.width), (found.y, found.height)):
        gap = math.log(axis.high / axis.low) / size if axis.log else (axis.high - axis.low) / size
        # a direction's coordinate is added to weights of about 1
        least = 1.0 if axis.kind in (TOWARD, DIRECTION) else 0.0
        largest = 1.0 if axis.log else max(abs(axis.low), abs(axis.high), least)
        if not axis.is_of_trial and gap / largest < STEPS_APART[dtype]:
            return True
    return False


def direction(network: Network, seed: int) -> Floats:
    """Return a direction ``[P]`` of length 1 in the space of all weights, uniform over the sphere (Muller 1959)."""
    drawn_P = np.random.RandomState(seed).standard_normal(network.parameters)
    return np.asarray(drawn_P / np.linalg.norm(drawn_P))


# ------------------------------------------------------------------ what became of it

RESULTS = tuple(Result)
MISSING = -1  # outcome of a point that is not trained yet


@dataclass(frozen=True, eq=False)
class MapPoints:
    """What became of every point of a map, in the order of places, as codes and single-precision numbers.

    ``outcome_M`` has places in RESULTS, or -1 for what is not trained yet; ``solved_at_M`` and ``correct_at_M`` the
    first iterations, or -1; ``predictions_MN`` are NaN where there is no training.
    """

    outcome_M: NDArray[np.int8]
    solved_at_M: NDArray[np.int32]
    correct_at_M: NDArray[np.int32]
    final_loss_M: NDArray[np.float32]
    predictions_MN: NDArray[np.float32]
    reasons: dict[str, int]

    def of(self, result: Result) -> NDArray[np.bool_]:
        """Return which points have this result ``[M]``."""
        return np.asarray(self.outcome_M == RESULTS.index(result))


# ------------------------------------------------------------------ pairs

LARGEST_DISTANCE = 0.5  # of a partner: one of two opposite ones is inside the window then


def pair_points(generator: np.random.Generator, pairs: int, distances_K: Sequence[float]) -> tuple[Floats, Floats]:
    """Return first points ``[N, 2]``, uniform in the unit square, and partners ``[K, N, 2]`` in random directions.

    A direction is uniform and drawn for each pair; along an axis on which a partner would leave the square, it is
    turned round, so that the distance stays what it is and no parameter goes beyond what it may be. Down to 2⁻²⁹ a
    distance is right to 1e-7 of itself, what float64 leaves of a sum with a number near 1. Raises ValueError for a
    distance that is not above 0 or beyond ½.
    """
    distances = np.asarray(distances_K, dtype=np.float64)
    if not ((distances > 0) & (distances <= LARGEST_DISTANCE)).all():
        raise ValueError(f"distances {distances.tolist()} are not allowed; choose them above 0 and up to ½")
    first_N2 = generator.random((pairs, 2))
    angle_KN = generator.uniform(0, 2 * np.pi, (len(distances), pairs))
    step_KN2 = distances[:, None, None] * np.stack([np.cos(angle_KN), np.sin(angle_KN)], axis=-1)
    partners_KN2 = first_N2 + step_KN2
    inside = (partners_KN2 >= 0) & (partners_KN2 <= 1)
    return first_N2, np.where(inside, partners_KN2, first_N2 - step_KN2)


@lru_cache(maxsize=4)
def _of_pairs(pairs: int, distances_K: tuple[float, ...], seed: int) -> Floats:
    """Return where the first points of all pairs are, and then all partners, distance by distance ``[points, 2]``."""
    first_N2, partners_KN2 = pair_points(np.random.default_rng(seed), pairs, distances_K)
    return np.concatenate([first_N2, partners_KN2.reshape(-1, 2)])

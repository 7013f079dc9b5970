"""Claims: what an experiment says is true, or has read, declared in its file and checked after its sweep."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, field_validator, model_validator

from bench.errors import RequestError
from bench.model.outcome import Result
from bench.model.parameter_fields import Reader, choice, flag, whole

C = TypeVar("C", bound="Claim")
Where = dict[str, Any]
BEST, REFERENCE = "best", "reference"  # what is selected of a search, in the place of parameters
DECIMAL = re.compile(r"-?\d+\.?(\d*)(e[+-]\d\d+)?")
FORMAT = re.compile(r"\.\d{1,2}[efg]")
Measure = Literal[
    "final_loss", "final_mse", "max_abs_error", "solved_at", "correct_at", "iteration_us", "halfway_at", "wrong"
]
Diagnosed = Literal[
    "gradient_norm", "largest_weight", "smallest_curvature", "newton_step"
]  # where trials ask for diagnostics
Amount = Literal["final_loss", "final_mse", "max_abs_error", "solved_at", "correct_at", "halfway_at", Diagnosed]
Event = Literal["outcome", "solved", "correct", "wrong", "wrong_observation", "pattern", Amount]


class Published(BaseModel):
    """A published figure with what is known of its uncertainty, in one of these forms.

    A share is ``k`` ``of`` so many, or an ``estimate`` of ``n``; a number is an ``estimate``, its 95 % interval from
    ``low`` to ``high`` or the ``sd`` of ``n`` runs beside it, or nothing. A range has ``low`` and ``high`` alone. What
    is published in ``words`` is read as a bound, ``above`` or ``below``, or as the ``shape`` of a share along a
    parameter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: int | None = Field(default=None, ge=0)
    of: int | None = Field(default=None, ge=1)
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    sd: float | None = Field(default=None, gt=0)
    n: int | None = Field(default=None, ge=2)
    above: float | None = None
    below: float | None = None
    words: str | None = None
    shape: Literal["rises", "falls", "minimum inside", "beyond chance"] | None = None

    @property
    def bound(self) -> float | None:
        """The bound that words are read as, if it is one."""
        return self.below if self.above is None else self.above

    @model_validator(mode="after")
    def _one_form(self) -> "Published":
        given = {name for name, value in self if value is not None}
        if given not in FORMS:
            allowed = "; ".join(", ".join(sorted(form)) for form in FORMS)
            raise ValueError(f"got {', '.join(sorted(given)) or 'nothing'}; allowed are {allowed}")
        if self.k is not None and self.of is not None and self.k > self.of:
            raise ValueError(f"got {self.k} of {self.of}; allowed are at most all of them")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"got low = {self.low:g} and high = {self.high:g}; allowed is low up to high")
        return self


FORMS = (
    {"k", "of"},
    {"estimate"},
    {"estimate", "n"},
    {"estimate", "sd", "n"},
    {"estimate", "low", "high"},
    {"low", "high"},
    {"words", "above"},
    {"words", "below"},
    {"words", "shape"},
)


class Claim(BaseModel):
    """What every claim says: its id, where it is from, what it says in words, and about which trainings.

    One that says what was ``published``, in words or as a figure, agrees with what is trained or differs from it, which
    is a finding and no failure. ``recalled`` says that nobody has looked it up in the paper's text, and ``why`` what
    may make a difference.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    source: str
    what: str
    where: Where
    published: str | Published | None = None
    recalled: bool = False
    why: str = ""


class TrainingClaim(Claim):
    """What is said of one training; ``also`` names backends that must give the same, each in a row of its own."""

    LENIENT: ClassVar[dict[str, Any]] = {}  # what differs for those backends

    seed: int = Field(ge=0)
    also: list[str] = []

    def variants(self) -> "list[TrainingClaim]":
        """Return the claim for its own backend, and for each of the others."""
        others = [
            self.model_copy(
                update={
                    "id": f"{self.id}-{backend}",
                    "what": f"{self.what}; with {backend}",
                    "where": {**self.where, "backend": backend},
                    "also": [],
                    **self.LENIENT,
                }
            )
            for backend in self.also
        ]
        return [self, *others]


class Printed(TrainingClaim):
    """Numbers printed somewhere, which one training must give to every printed digit.

    ``carried`` asks only for the digits that the training's precision carries to its end, as of the backends of
    ``also``. ``at`` says which numbers: iterations for ``loss``, places (from 0) for lists, nothing for a single one.
    ``format`` is a Python format for digits that the text itself does not show, such as ``.2g``.
    """

    LENIENT: ClassVar[dict[str, Any]] = {"carried": True}

    of: Literal["loss", "predictions", "errors", "weights", "initial_weights", "final_loss"]
    at: list[Annotated[int, Field(ge=0)]] = []
    printed: list[str] = Field(min_length=1)
    format: str | None = None
    carried: bool = False

    @model_validator(mode="after")
    def _matching(self) -> "Printed":
        wrong = [text for text in self.printed if not DECIMAL.fullmatch(text)]
        if self.format is not None and not FORMAT.fullmatch(self.format):
            raise ValueError(f"format is {self.format!r}; allowed are Python's for numbers, such as .2g and .6e")
        if wrong:
            raise ValueError(f"{wrong[0]!r} is printed nowhere like that; allowed are decimals such as 1.5 and 1.5e-03")
        if self.at and len(self.at) != len(self.printed):
            raise ValueError(f"'at' has {len(self.at)} entries and 'printed' {len(self.printed)}; allowed is one each")
        if not self.at and (self.of == "loss" or (self.of == "final_loss" and len(self.printed) > 1)):
            raise ValueError(f"'at' is missing; allowed for of = {self.of!r} is one entry for each printed number")
        return self


class Bound(TrainingClaim):
    """One training's number below or above a bound."""

    of: Measure
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Bound":
        return _one_of(self, "above", "below")


def _read_amount(name: str, value: Any) -> Any:
    """Read one bound of a number, such as ``{ above = 5000 }``."""
    bounds = list(value.items()) if isinstance(value, dict) else []
    if len(bounds) != 1 or bounds[0][0] not in ("above", "below") or type(bounds[0][1]) not in (int, float):
        raise RequestError(f"{name} is {value!r}; allowed are {{ above = NUMBER }} and {{ below = NUMBER }}")
    return value


def _read_pattern(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{name} is {value!r}; allowed are texts such as '0 1 1 0'")
    return value


PROPERTIES: Mapping[str, Reader] = {  # of which an event names one value or a list
    "outcome": choice(*Result),
    "solved": flag,
    "correct": flag,
    "wrong": whole(0, 10**9),
    "wrong_observation": whole(0, 10**9),
    "pattern": _read_pattern,
}


class EventClaim(Claim):
    """What is said of the trainings with an event: outcomes, patterns and the like, or one bound of a number.

    Such as ``{ halfway_at = { above = 5000 } }``.
    """

    event: dict[Event, Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _possible(self) -> "EventClaim":
        _check_event(self.event)
        return self


def _check_event(event: Mapping[Event, Any]) -> None:
    """Raise RequestError for an event that can never happen."""
    for name, value in event.items():
        reader: Reader = PROPERTIES.get(name, _read_amount)
        for item in value if isinstance(value, list) and name in PROPERTIES else [value]:
            reader(name, item)


class Rate(EventClaim):
    """The share of trainings with an event is above, below or between bounds, or never, or always.

    ``never`` is less than 2 in 100, without one that was seen, and ``always`` likewise.
    """

    above: float | None = Field(default=None, ge=0, lt=1)
    below: float | None = Field(default=None, gt=0, le=1)
    between: tuple[float, float] | None = None
    never: Literal[True] | None = None
    always: Literal[True] | None = None

    @field_validator("between", mode="before")
    @classmethod
    def _two_bounds(cls, value: Any) -> Any:
        numbers = isinstance(value, list | tuple) and all(type(bound) in (int, float) for bound in value)
        if not (numbers and len(value) == 2 and 0 <= value[0] < value[1] <= 1):
            raise ValueError(f"got {value!r}; allowed is [low, high] with 0 <= low < high <= 1")
        return value

    @model_validator(mode="after")
    def _one_bound(self) -> "Rate":
        return _one_of(self, "above", "below", "between", "never", "always")


Figure = Literal["share", "ert", "mean", "median", "dimension", "everywhere", "better", "seed variance"]
TIMES = ("ert", "mean", "median")
SHARES = ("share", "everywhere", "better", "seed variance")
CHANCE = "beyond chance"
INPUTS = "inputs"  # the number of a gate's inputs, along which figures may grow


class FigureClaim(EventClaim):
    """A figure of the trainings beside a published one, each with its uncertainty.

    ``figure`` is the ``share`` of trainings with the event, ``among`` those with another one if it says so; of
    iterations until a trial's trainings are solved the ``ert`` (expected running time with restarts), the ``mean`` of
    those that are solved, or the ``median`` of all; the ``dimension`` of the border of a ``map``, numbered from 1; the
    share of seeds that have the event ``everywhere``, in all of the trials, or in more of them than ``seed`` has
    (``better``); the share of the variance in which the seed has any part (``seed variance``). ``along`` a parameter,
    or the gate's ``inputs``, it is the shape of a share, and the factor by which times grow for each 1 more. With
    ``than`` it is the ratio to the other selection's.
    """

    published: Published
    event: dict[Event, Any] = Field(default={"solved": True}, min_length=1)
    among: dict[Event, Any] = {}
    figure: Figure = "share"
    along: str | None = None
    than: Where | None = None
    map: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _share(self) -> "FigureClaim":
        """Refuse what no share can be: ratios of two of them may be anything from 0."""
        if self.figure in SHARES and self.than is None:
            for name in ("estimate", "low", "high", "above", "below"):
                value = getattr(self.published, name)
                if value is not None and not 0 <= value <= 1:
                    allowed = f"shares from 0 to 1 with figure = {self.figure!r}"
                    raise ValueError(f"published: {name} is {value:g}; allowed are {allowed}")
        return self

    @model_validator(mode="after")
    def _together(self) -> "FigureClaim":
        _check_event(self.among)
        shape, given = self.published.shape, f"figure = {self.figure!r}"
        goes_along = ("share",) if shape else TIMES
        for name, of in (("map", "dimension"), ("seed", "better")):
            value = getattr(self, name)
            if (value is None) == (self.figure == of):
                raise ValueError(f"{name} is {value} with {given}; allowed is a number with {of!r}, and only there")
        if (shape == CHANCE) != (self.figure == "everywhere"):
            raise ValueError(
                f"shape is {shape!r} with {given}; allowed is {CHANCE!r} with 'everywhere', and only there"
            )
        if shape not in (None, CHANCE) and self.along is None:
            raise ValueError(f"shape is {shape!r} and along is missing; allowed is that with a parameter")
        if self.along is not None and (self.figure not in goes_along or self.than is not None):
            allowed = "a shape of a share, or a figure of times, and no than"
            raise ValueError(f"along is {self.along!r} with {given}; allowed with it are {allowed}")
        if self.than is not None and self.figure not in ("share", *TIMES):
            raise ValueError(f"than is given with {given}; allowed is that with share, {', '.join(TIMES)}")
        return self


class Comparison(Claim):
    """One selection's measure above or below another's on the same seeds, by its probability over the seeds."""

    than: Where
    measure: Measure
    is_: Literal["above", "below"] = Field(alias="is")


class Equivalence(EventClaim):
    """The shares of trainings with an event are the same in two selections, ``within`` so much, over the same seeds."""

    than: Where
    within: float = Field(gt=0, lt=1)


class Variety(Claim):
    """Something that depends on the seed: no single value holds for all of them."""

    varies: Literal["wrong_observation", "outcome", "pattern"]


def _one_of(claim: C, *names: str) -> C:
    given = [name for name in names if getattr(claim, name) is not None]
    if len(given) != 1:
        raise ValueError(f"got the bounds {', '.join(given) or 'none'}; allowed is exactly one of {', '.join(names)}")
    return claim


def _kind(claim: Any) -> str:
    if not isinstance(claim, dict):
        return "bound"  # whose own check says that a table is wanted
    if isinstance(claim.get("published"), dict | Published):
        return "published"
    for key in ("printed", "within", "event", "than", "varies"):
        if key in claim:
            return key
    return "bound"


KINDS: dict[str, type[Claim]] = {
    "published": FigureClaim,
    "printed": Printed,
    "within": Equivalence,
    "event": Rate,
    "than": Comparison,
    "varies": Variety,
    "bound": Bound,
}


def fields_of(claim: Any) -> list[str]:
    """Return the keys that a claim of this kind may have."""
    return [found.alias or name for name, found in KINDS[_kind(claim)].model_fields.items()]


AnyClaim = Annotated[
    Annotated[FigureClaim, Tag("published")]
    | Annotated[Printed, Tag("printed")]
    | Annotated[Equivalence, Tag("within")]
    | Annotated[Rate, Tag("event")]
    | Annotated[Comparison, Tag("than")]
    | Annotated[Variety, Tag("varies")]
    | Annotated[Bound, Tag("bound")],
    Discriminator(_kind),
]


CLAIM: TypeAdapter[Claim] = TypeAdapter(AnyClaim)

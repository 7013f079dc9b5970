"""Claims: what an experiment says is true, declared in its file and checked after its sweep."""

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, model_validator

C = TypeVar("C", bound="Claim")
Where = dict[str, Any]
DECIMAL = re.compile(r"-?\d+\.?(\d*)(e[+-]\d+)?")
Measure = Literal[
    "final_loss", "final_mse", "max_abs_error", "solved_at", "correct_at", "iteration_us", "halfway_at", "wrong"
]
Event = Literal["outcome", "solved", "correct", "wrong", "wrong_observation", "pattern"]


class Claim(BaseModel):
    """What every claim says: its id, where it is from, what it says in words, and about which trainings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    source: str
    what: str
    where: Where


class Printed(Claim):
    """Numbers printed somewhere, which one training must give to every printed digit.

    ``at`` says which numbers: iterations for ``loss``, places (from 0) for lists, nothing for a single number.
    ``format`` is a Python format for digits that the text itself does not show, such as ``.2g``.
    """

    seed: int = Field(ge=0)
    of: Literal["loss", "predictions", "errors", "weights", "initial_weights", "final_loss"]
    at: list[int] = []
    printed: list[str] = Field(min_length=1)
    format: str | None = None

    @model_validator(mode="after")
    def _matching(self) -> "Printed":
        wrong = [text for text in self.printed if not DECIMAL.fullmatch(text)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is printed nowhere like that; allowed are decimals such as 1.5 and 1.5e-03")
        if self.at and len(self.at) != len(self.printed):
            raise ValueError(f"'at' has {len(self.at)} entries and 'printed' {len(self.printed)}; allowed is one each")
        if not self.at and (self.of == "loss" or (self.of == "final_loss" and len(self.printed) > 1)):
            raise ValueError(f"'at' is missing; allowed for of = {self.of!r} is one entry for each printed number")
        return self


class Bound(Claim):
    """One training's number below or above a bound."""

    seed: int = Field(ge=0)
    of: Measure
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Bound":
        return _one_of(self, "above", "below")


class Rate(Claim):
    """The share of trainings with an event: its Wilson interval above or below a bound, or never, or always."""

    event: dict[Event, Any] = Field(min_length=1)
    above: float | None = Field(default=None, ge=0, lt=1)
    below: float | None = Field(default=None, gt=0, le=1)
    never: Literal[True] | None = None
    always: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Rate":
        return _one_of(self, "above", "below", "never", "always")


class Comparison(Claim):
    """One selection's measure above or below another's on the same seeds, by its probability over the seeds."""

    than: Where
    measure: Measure
    is_: Literal["above", "below"] = Field(alias="is")


class Variety(Claim):
    """Something that depends on the seed: no single value holds for all of them."""

    varies: Literal["wrong_observation", "outcome", "pattern"]


def _one_of(claim: C, *names: str) -> C:
    given = [name for name in names if getattr(claim, name) is not None]
    if len(given) != 1:
        raise ValueError(f"got the bounds {', '.join(given) or 'none'}; allowed is exactly one of {', '.join(names)}")
    return claim


def _kind(claim: Any) -> str:
    for key in ("printed", "event", "than", "varies"):
        if key in claim:
            return key
    return "bound"


AnyClaim = Annotated[
    Annotated[Printed, Tag("printed")]
    | Annotated[Rate, Tag("event")]
    | Annotated[Comparison, Tag("than")]
    | Annotated[Variety, Tag("varies")]
    | Annotated[Bound, Tag("bound")],
    Discriminator(_kind),
]


CLAIM: TypeAdapter[Claim] = TypeAdapter(AnyClaim)

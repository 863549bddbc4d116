"""The shape of a claims file and of a file of figures, checked by pydantic: what they may hold, and nothing else."""

from __future__ import annotations

from math import inf
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from netversus.claims.records import Comparison, Kind, Region, Rule
from netversus.records import Direction


def _amount(value: object) -> object:
    """A share that is written as "79.1 %" as 0.791; numbers as they are."""
    if isinstance(value, str) and value.rstrip().endswith("%"):
        try:
            return float(value.rstrip()[:-1]) / 100
        except ValueError:
            pass
    return value


Amount = Annotated[float, BeforeValidator(_amount), Field(allow_inf_nan=False, strict=True)]
Name = Annotated[str, Field(min_length=1)]
Pair = Annotated[tuple[Name, Name], Field(strict=False)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceShape(_Shape):
    """`[source]`."""

    title: Name
    where: str = ""


class Bound(_Shape):
    """What a binding of either kind holds: one comparison, and the region in which a true claim's number lies."""

    value_of: Name | None = None
    better: Name | None = None
    than: Name | None = None
    by: Annotated[Amount, Field(ge=0)] = 0.0
    difference: Pair | None = None
    ratio: Pair | None = None
    gap: Pair | None = None
    spread_of: Name | None = None
    at_least: Amount | None = None
    at_most: Amount | None = None
    about: Amount | None = None
    within: Annotated[Amount, Field(ge=0)] | None = None
    shown_because: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        named = [kind for kind in Kind if getattr(self, kind.value) is not None]
        if len(named) != 1:
            came = " and ".join(named) or "none"
            raise ValueError(f"a binding takes exactly one of {', '.join(Kind)}, got {came}")
        if (self.better is None) != (self.than is None):
            raise ValueError("better and than go together")
        if self.by and self.better is None:
            raise ValueError("by goes with better")
        if (self.about is None) != (self.within is None):
            raise ValueError("about and within go together")
        limits = [self.at_least, self.at_most]
        if self.better is not None and (self.about is not None or limits != [None, None]):
            raise ValueError("better takes by, and no limits")
        if self.better is None and (self.about is None) == (limits == [None, None]):
            raise ValueError("say at_least, at_most or both; or about and within")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least:g} is more than at_most {self.at_most:g}")
        if self.comparison.subject == self.comparison.other:
            raise ValueError(f"{self.comparison.subject!r} is compared with itself")
        return self

    @property
    def comparison(self) -> Comparison:
        """The number that the claim is about."""
        if self.better is not None:
            return Comparison(Kind.BETTER, self.better, self.than or "")
        for kind, pair in ((Kind.DIFFERENCE, self.difference), (Kind.RATIO, self.ratio), (Kind.GAP, self.gap)):
            if pair is not None:
                return Comparison(kind, *pair)
        kind = Kind.VALUE if self.value_of is not None else Kind.SPREAD
        return Comparison(kind, self.value_of or self.spread_of or "")

    @property
    def region(self) -> Region:
        """Where that number lies if the claim is true."""
        if self.better is not None:
            return Region(low=self.by, open=self.by == 0)
        if self.about is not None:
            return Region(self.about - (self.within or 0.0), self.about + (self.within or 0.0))
        return Region(-inf if self.at_least is None else self.at_least, inf if self.at_most is None else self.at_most)


class MeasuredShape(Bound):
    """`[[claim.measured]]`."""

    question: Annotated[str, Field(pattern=r"^[\w-]+\.[\w-]+$")]

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        if self.spread_of is not None:
            raise ValueError("spread_of is for published figures")
        return self


class PublishedShape(Bound):
    """`[[claim.published]]`."""

    metric: Name
    also: tuple[Name, ...] = ()
    data: tuple[Name, ...] = ()
    tolerance: Annotated[Amount, Field(ge=0)] = 0.0
    rule: Rule = Rule.ALL

    @model_validator(mode="after")
    def _one_sided(self) -> Self:
        if self.rule is Rule.REACHED and self.value_of is None:
            raise ValueError("the rule reached goes with value_of")
        return self


class ClaimShape(_Shape):
    """`[[claim]]`."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    text: Name
    english: str = ""
    section: str = ""
    data: tuple[Name, ...] = ()
    reading: str = ""
    note: str = ""
    not_checkable: str = ""
    measured: tuple[MeasuredShape, ...] = ()
    published: tuple[PublishedShape, ...] = ()

    @model_validator(mode="after")
    def _bound_or_not(self) -> Self:
        bound = bool(self.measured or self.published)
        if bound == bool(self.not_checkable):
            raise ValueError("give bindings (measured, published), or say why it is not_checkable")
        return self


class FigureShape(_Shape):
    """`[[figure]]`: the values as they are printed; with the unit "%" they are percentages."""

    metric: Name
    data: Name
    values: Annotated[dict[str, Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1)]
    setting: str = ""
    unit: str = ""
    direction: Literal["higher", "lower"] = "higher"
    where: str = ""
    note: str = ""

    @property
    def better(self) -> Direction:
        """Which way the metric is better."""
        return Direction(self.direction)

"""What a claim is, what it is held against, and what comes of it: frozen, plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from netversus.records import Direction, Effect, Finding, Scale


class ClaimVerdict(StrEnum):
    """What the evidence says of a claim."""

    SUPPORTED = "supported"  # the whole interval lies where the claim says
    CONTRADICTED = "contradicted"  # the whole interval lies elsewhere
    UNDECIDED = "undecided"  # the interval lies on both sides, or the evidence disagrees
    NOT_MEASURED = "not measured here"  # nothing that was measured, or is cited, bears on the claim
    NOT_CHECKABLE = "not checkable"  # the sentence says nothing that could be measured


DECIDED = (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED)


class Kind(StrEnum):
    """Which number a claim is about."""

    VALUE = "value_of"  # the level of `subject`
    BETTER = "better"  # by how much `subject` is better than `other`, whichever way the metric is better
    DIFFERENCE = "difference"  # subject - other
    RATIO = "ratio"  # subject / other
    GAP = "gap"  # |subject - other|
    SPREAD = "spread_of"  # largest less smallest of what is cited for `subject`


class Rule(StrEnum):
    """How several cited figures are taken together."""

    ALL = "all"  # every figure; one against the claim contradicts it
    MOST = "most"  # more than half of the figures
    REACHED = "reached"  # one figure is enough; against the claim are only figures that all lie on one side of it


@dataclass(frozen=True, slots=True)
class Source:
    """Where a claim or a figure stands: a title, and an address, a page or a table in it."""

    title: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The number that a claim is about. `subject` and `other` are names as the claims' file uses them."""

    kind: Kind
    subject: str
    other: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """Where the number lies if the claim is true, in the metric's own unit; without its ends where it is `open`."""

    low: float = -inf
    high: float = inf
    open: bool = False

    def judge(self, low: float, high: float) -> ClaimVerdict:
        """What an interval from `low` to `high` says: wholly inside, wholly outside, or neither."""
        if self.open:
            inside, outside = self.low < low and high < self.high, high <= self.low or self.high <= low
        else:
            inside, outside = self.low <= low and high <= self.high, high < self.low or self.high < low
        if inside:
            return ClaimVerdict.SUPPORTED
        return ClaimVerdict.CONTRADICTED if outside else ClaimVerdict.UNDECIDED


@dataclass(frozen=True, slots=True)
class Binding:
    """One thing that a claim is held against.

    Measured: `study` and `metric` name a question. Published: `study` is empty, `metric` (or one of `also`) and `data`
    (empty: any) choose among the cited figures; a figure has no interval of its own, so it is read as itself plus or
    minus `tolerance`, and several are taken together by `rule`. Evidence is only shown, and decides nothing, where
    `shown_because` says why.
    """

    metric: str
    comparison: Comparison
    region: Region
    study: str = ""
    data: tuple[str, ...] = ()
    tolerance: float = 0.0
    rule: Rule = Rule.ALL
    shown_because: str = ""
    also: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether it names a question that a study measures; else it names published figures."""
        return bool(self.study)

    @property
    def question(self) -> str:
        """The question as "study.metric"."""
        return f"{self.study}.{self.metric}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence from outside.

    `text` is the sentence as it stands in its source, `english` what it says, `section` where in the source. `data`
    names the data that it is about; empty: it is about any. `reading` says how words without a measure ("small",
    "more scalable") were read, so that a reader can disagree. `subjects` maps the names that the bindings use to the
    architectures that they stand for. `not_checkable` is the reason, where there are no bindings.
    """

    id: str
    text: str
    source: Source
    english: str = ""
    section: str = ""
    data: tuple[str, ...] = ()
    reading: str = ""
    note: str = ""
    bindings: tuple[Binding, ...] = ()
    not_checkable: str = ""
    subjects: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """Published numbers of one metric in one setting: `values` by the contender's name, in the metric's own unit ("%"
    as a fraction)."""

    metric: str
    data: str
    setting: str
    unit: str
    direction: Direction
    values: Mapping[str, float]
    source: Source
    note: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """One contender's own level on a question, with its interval where one can be stated, else why none can."""

    value: float
    interval: Effect | None
    method: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FindingKey:
    """Which finding an item of evidence comes from. `about` is the contender that a level is of, else empty."""

    study: str
    metric: str
    a: str
    b: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number that bears on a claim: from a finding of the run, or from published figures, never from both.

    `estimate`, `low` and `high` are the number that the binding is about (of `subject` against `other`); without ends
    where there is no interval. `level` is the interval's; None for a fact, which is exact, and for a published figure,
    whose ends are its stated tolerance. It decides nothing, and is only shown, where it is from `other_data` than the
    claim is about, or where its binding says so. `reason` tells (in stored words) why there is no number, or why an
    interval is not believed.
    """

    binding: Binding
    verdict: ClaimVerdict
    subject: str
    other: str
    unit: str
    scale: Scale
    estimate: float | None
    low: float | None
    high: float | None
    data: str
    level: float | None = None
    other_data: bool = False
    finding: FindingKey | None = None
    figures: tuple[Figure, ...] = ()
    n: int = 0
    paired_on: str = ""
    reason: str = ""
    caveats: tuple[str, ...] = ()

    @property
    def decides(self) -> bool:
        """Whether the claim's verdict rests on it."""
        return not self.other_data and not self.binding.shown_because


@dataclass(frozen=True, slots=True)
class Half:
    """The measured or the published evidence on a claim, and what it alone says. `verdict` is None where the claim is
    not bound to this kind of evidence. `missing` names the questions that the run has not answered."""

    verdict: ClaimVerdict | None
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim with its verdict and what it rests on."""

    claim: Claim
    verdict: ClaimVerdict
    measured: Half
    published: Half

    @property
    def disagree(self) -> bool:
        """Whether the run and the published figures say the opposite of each other."""
        return {self.measured.verdict, self.published.verdict} == set(DECIDED)


FindingLevels = Mapping[FindingKey, Level]
"""Levels by their key: the finding, with `about` naming the contender."""


def key_of(finding: Finding, about: str = "") -> FindingKey:
    """The key of a finding."""
    return FindingKey(finding.study, finding.metric, finding.a, finding.b, about)

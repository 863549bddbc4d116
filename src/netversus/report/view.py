"""All that a renderer needs, made only of records: the same view gives the same report, on any machine, for ever.

Nothing here or in a renderer reads a run folder; `ReportView` is built from one and handed over whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netversus.decide.levels import Level
from netversus.exhibits import Exhibit
from netversus.records import Cell, ContenderCard, DataCard, Finding, Outcome, Question, Session


@dataclass(frozen=True, slots=True)
class Section:
    """One study: what it asks, what was found, what it wants shown, how its cells ended.

    `questions` are all that the study asks, also those that got no finding: they are shown with the reason.
    `cells` pairs each planned cell with its outcome, None while it has not ended. `method` is the study's
    README (Markdown), empty where it has none. `rerun` is the command that measures this study again. `levels` are the
    contenders' own levels, at a confidence at which all of the run's hold together.
    """

    name: str
    question: str
    questions: tuple[Question, ...]
    findings: tuple[Finding, ...]
    exhibits: tuple[Exhibit, ...]
    cells: tuple[tuple[Cell, Outcome | None], ...]
    rerun: str
    method: str = ""
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportView:
    """A run, ready to be shown.

    `headline` is the verdict in one sentence, `reasons` (three at most) what it rests on, `flips` what would turn it,
    `caveats` what must be known before it is believed.
    `level` is the confidence level of the whole run; `multiplicity` says in words how its
    error rate is shared among the questions. `budget` is in seconds, `cuts` says a line each what was shortened to
    fit it. `margins` are those that the user set ("study.metric" -> margin). `created` is ISO 8601, UTC. `rerun` is
    the command that measures all of it again. `baseline` names the contender that the others are compared with,
    empty where every pair is. `observations` holds the raw numbers as CSV where they are few, and is empty where they
    are many: they lie in the run folder. `security` is the security verdict, empty where no study of the run asks about
    security.
    """

    run_id: str
    created: str
    netversus_version: str
    headline: str
    reasons: tuple[str, ...]
    contenders: tuple[ContenderCard, ...]
    data: DataCard
    level: float
    seed: int
    repeats: int
    device: str
    sections: tuple[Section, ...]
    sessions: tuple[Session, ...]
    rerun: str
    caveats: tuple[str, ...] = ()
    flips: tuple[str, ...] = ()
    multiplicity: str = ""
    budget: float | None = None
    cuts: tuple[str, ...] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    baseline: str = ""
    observations: str = ""
    security: tuple[Exhibit, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, in the order of the sections."""
        return tuple(finding for section in self.sections for finding in section.findings)

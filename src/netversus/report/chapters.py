"""What a report tells beside its studies: the security verdict, the questions that readers come with, and claims held
against the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netversus.exhibits import Exhibit
from netversus.messages import say
from netversus.report.claims_section import claims_exhibits
from netversus.report.faq import faq_exhibits
from netversus.report.view import ReportView


@dataclass(frozen=True, slots=True)
class Chapter:
    """A section of exhibits. `anchor` names its place in a page, `short` is what the contents call it. The first `open`
    of the exhibits are shown at once; the others are folded in a page, and left to it by other formats."""

    anchor: str
    short: str
    title: str
    exhibits: tuple[Exhibit, ...]
    open: int = 99


def chapters(view: ReportView) -> tuple[Chapter, ...]:
    """Those that have anything to show, in the order of the report; questions and claims need a finding."""
    return tuple(chapter for chapter in _chapters(view) if chapter.exhibits)


def _chapters(view: ReportView) -> Iterator[Chapter]:
    security = say("The security test, threat by threat")
    yield Chapter("security", say("Security"), security, view.security)
    if not view.findings:
        return
    questions = say("Four questions, answered by this run")
    yield Chapter("questions", say("Questions"), questions, faq_exhibits(view.findings, view.data))
    claims = say("The article's claims, held against this run")
    yield Chapter("claims", say("Claims"), claims, claims_exhibits(view.findings, view.data, view.level), open=2)

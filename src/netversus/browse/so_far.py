"""A run's report while it is still being measured: what a study has seen is shown, what it says is not, until all of
its cells have ended. A verdict on half of the units that were planned is no verdict, and neither is an interval for a
fixed number of units that is looked at while they come in: above a study's tables stands that they are provisional."""

from __future__ import annotations

from dataclasses import replace

from netversus.analyse import analyse
from netversus.exhibits import Text
from netversus.messages import say, sentences, template
from netversus.plan import Plan, reading_of
from netversus.records import Finding, Role
from netversus.report import ReportView, build_view, html
from netversus.report.view import Section
from netversus.store import RunStore

NOT_YET = template("No verdict yet: the question that decides is still being measured.")


def findings_so_far(store: RunStore, plan: Plan) -> tuple[Finding, ...]:
    """The findings of the studies whose cells have all ended."""
    open_ = {cell.study for cell in plan.cells if store.outcome(cell) is None}
    if open_ >= set(plan.questions):
        return ()
    return tuple(finding for finding in analyse(store) if finding.study not in open_)


def view_so_far(store: RunStore) -> ReportView:
    """The report's view, with what may be said by now.

    Raises:
        RunFolderError: the run holds no plan, or is damaged.
    """
    plan = store.plan()
    findings = findings_so_far(store, plan)
    view = build_view(store, findings)
    if all(store.outcome(cell) is not None for cell in plan.cells):
        return view
    decided = any(finding.role is Role.PRIMARY and not finding.slice for finding in findings)
    view = replace(view, sections=tuple(_provisional(section, plan) for section in view.sections))
    return view if decided else replace(view, headline=say(NOT_YET), reasons=())


def _provisional(section: Section, plan: Plan) -> Section:
    """The section with a word above its tables and charts, while some of its cells have not ended."""
    open_ = sum(outcome is None for _, outcome in section.cells)
    if not open_ or not section.exhibits:
        return section
    cells = (
        say("Provisional: 1 cell of this study has not ended.")
        if open_ == 1
        else say("Provisional: {n} cells of this study have not ended.", n=open_)
    )
    holds = (
        say("Confidence sequences hold already; every other interval here is for all units, and will change.")
        if reading_of(plan, section.name)
        else say(
            "The intervals below are for a number of units that is fixed beforehand; looked at on the way, they are "
            "wrong more often than they say."
        )
    )
    return replace(section, exhibits=(Text(sentences(cells, holds)), *section.exhibits))


def page_so_far(store: RunStore) -> str:
    """The report as one HTML page.

    Raises:
        RunFolderError: the run holds no plan, or is damaged.
    """
    return html.render(view_so_far(store))

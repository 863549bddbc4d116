"""A run's report while it is still being measured: what a study has seen is shown, what it says is not, until all of
its cells have ended. A verdict on half of the units that were planned is no verdict."""

from __future__ import annotations

from dataclasses import replace

from netversus.analyse import analyse
from netversus.plan import Plan
from netversus.records import Finding, Role
from netversus.report import ReportView, build_view, html
from netversus.store import RunStore

NOT_YET = "No verdict yet: the question that decides is still being measured."


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
    return view if decided else replace(view, headline=NOT_YET, reasons=())


def page_so_far(store: RunStore) -> str:
    """The report as one HTML page.

    Raises:
        RunFolderError: the run holds no plan, or is damaged.
    """
    return html.render(view_so_far(store))

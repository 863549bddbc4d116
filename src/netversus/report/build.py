"""A run folder and its findings -> `ReportView`: the only place where the report reads what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from netversus import __version__
from netversus.decide.levels import levels_of, simultaneous_level
from netversus.decide.security import security_verdicts
from netversus.errors import NetversusError
from netversus.evidence import StudyEvidence
from netversus.exhibits import Exhibit, Text
from netversus.messages import language, say, sentences
from netversus.plan import Plan
from netversus.records import Done, Finding, Role
from netversus.report.caveats import caveats
from netversus.report.flips import flips
from netversus.report.headline import headline, reasons
from netversus.report.raw import raw_csv
from netversus.report.rerun import rerun_command
from netversus.report.security_section import security_exhibits
from netversus.report.soundness import flaw
from netversus.report.view import ReportView, Section
from netversus.retelling import finding_told, outcome_told, plan_told
from netversus.store import RunStore
from netversus.studies import find_studies
from netversus.study import Study


def build_view(store: RunStore, findings: Sequence[Finding]) -> ReportView:
    """Everything that a report shows of a run.

    A study that is not installed any more, or whose exhibits cannot be made, is shown with its findings and a note.

    Raises:
        RunFolderError: the run holds no plan, or is damaged.
    """
    plan, findings = plan_told(store.plan()), tuple(map(finding_told, findings))
    sections = tuple(_section(store, plan, name, findings) for name in plan.questions)
    unfinished = sum(not isinstance(outcome, Done) for section in sections for _, outcome in section.cells)
    return ReportView(
        run_id=store.name,
        created=store.created,
        netversus_version=__version__,
        headline=headline(findings, plan.data, plan.request.level, plan.baseline),
        reasons=reasons(findings, _asks(plan)),
        contenders=plan.contenders,
        data=plan.data,
        level=plan.request.level,
        seed=plan.request.seed,
        repeats=plan.request.repeats,
        device=plan.device,
        sections=sections,
        sessions=store.sessions(),
        rerun=rerun_command(plan),
        caveats=caveats(findings, plan.contenders, plan.data, unfinished),
        flips=flips(findings),
        observations=raw_csv(store, plan),
        multiplicity=multiplicity(plan, findings),
        budget=plan.request.budget,
        cuts=plan.cuts,
        margins=dict(plan.request.margins),
        baseline=plan.baseline,
        security=_security(store, plan),
    )


def _asks(plan: Plan) -> dict[tuple[str, str], str]:
    """(study, metric) -> the question in words."""
    return {(study, q.metric): q.asks for study, questions in plan.questions.items() for q in questions}


def _section(store: RunStore, plan: Plan, name: str, findings: Sequence[Finding]) -> Section:
    study = find_studies().get(name)
    evidence = StudyEvidence(store, plan, name)
    return Section(
        name=name,
        question=plan.asks[name],
        questions=plan.questions[name],
        findings=tuple(finding for finding in findings if finding.study == name),
        exhibits=tuple(_exhibits(study, evidence, name)),
        cells=tuple((cell, outcome_told(store.outcome(cell))) for cell in plan.cells if cell.study == name),
        rerun=rerun_command(plan, name),
        method=_method(study),
        levels=tuple(levels_of(evidence, simultaneous_level(plan))),
    )


def _exhibits(study: Study | None, evidence: StudyEvidence, name: str) -> Iterator[Exhibit]:
    """What the study wants shown, as far as it can be made; a note in the place of the rest."""
    if study is None:
        yield Text(say("The study {name} is not installed here, so its tables and charts are not shown.", name=name))
        return
    if not evidence.contenders:
        return
    try:
        show = study.load_exhibit()
        for exhibit in show(evidence) if show is not None else ():
            wrong = flaw(exhibit)
            left_out = say("A table or chart of {name} is left out: {why}.", name=name, why=wrong)
            yield Text(left_out) if wrong else exhibit
    except Exception as error:  # noqa: BLE001 -- a study of somebody else's must not take the report down
        yield Text(say("Further tables and charts of {name} could not be made: {why}", name=name, why=_why(error)))


def _security(store: RunStore, plan: Plan) -> tuple[Exhibit, ...]:
    """The security verdict at the run's own level, as far as it can be told; a note in its place else."""
    try:
        return security_exhibits(security_verdicts(store, plan, plan.request.level))
    except Exception as error:  # noqa: BLE001 -- what a study keeps may be damaged, or of another version
        return (Text(say("The security verdict could not be made: {why}", why=_why(error))),)


def _why(error: Exception) -> str:
    """An error in a line."""
    words = str(error) if isinstance(error, NetversusError) else f"{type(error).__name__}: {error}"
    return " ".join(words.split())


def _method(study: Study | None) -> str:
    """The README beside the study's module, or nothing."""
    spec = find_spec(study.module) if study else None
    if spec is None or not spec.origin:
        return ""
    beside = Path(spec.origin).parent
    told = beside / f"README.{language()}.md"  # where there is none in the language of the report, the English one
    readme = told if told.is_file() else beside / "README.md"
    return readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""


def multiplicity(plan: Plan, findings: Sequence[Finding]) -> str:
    """How the run's error rate was shared among its comparisons, in words."""
    primary, secondary = (_comparisons(plan, role) for role in (Role.PRIMARY, Role.SECONDARY))
    said = []
    if primary == 1:
        said.append(say("The primary question has the whole error rate for itself."))
    elif primary:
        said.append(say("The {n} comparisons on the primary question share the whole error rate.", n=primary))
    if secondary > 1:
        said.append(
            say("The {n} secondary comparisons share the same rate among them, as a family of their own.", n=secondary)
        )
    if any(finding.slice for finding in findings):
        said.append(say("All slices together share it once more; they show where to look, and are no verdicts."))
    if said:
        said.append(say("Sharing is Bonferroni's: each interval is widened, so that all of a family hold together."))
    return sentences(*said)


def _comparisons(plan: Plan, role: Role) -> int:
    """Among how many comparisons a role's error rate is shared; 0 where it has none."""
    asked = any(q.judged and q.role is role for questions in plan.questions.values() for q in questions)
    return plan.family(role) if asked else 0

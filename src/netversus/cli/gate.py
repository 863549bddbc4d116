"""`netversus gate`: pass or fail a run on conditions, and on security threats, for continuous integration. Loads no
torch, unless the security test has to measure first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from netversus.cli.study_options import split_study_options
from netversus.cli.terminal import console, run_command, table
from netversus.decide.conditions import parse_conditions
from netversus.decide.gate import Gate, judge
from netversus.decide.gate_file import GateFile, read_gate
from netversus.decide.measuring import security_request
from netversus.decide.naming import find_sides
from netversus.decide.security import SecurityVerdict, refuse_untested, security_verdicts
from netversus.decide.subject import Subject
from netversus.errors import (
    EXIT_GATE_FAILED,
    EXIT_INCOMPLETE,
    EXIT_OK,
    EXIT_UNDECIDED,
    OptionError,
    RunFolderError,
)
from netversus.messages import catalogue, say, speaking
from netversus.plan import Plan
from netversus.report import gate_files
from netversus.report.security_section import advice, document, measured_text, sentence, standing_text, threat
from netversus.request import Request
from netversus.store import RunStore

_WORST_FIRST = (EXIT_GATE_FAILED, EXIT_INCOMPLETE, EXIT_UNDECIDED)


@dataclass(frozen=True, slots=True)
class _Measure:
    """What the security test is to measure first, if anything."""

    missing: bool
    contenders: tuple[str, ...]
    data: str
    budget: str
    options: Mapping[str, Mapping[str, Any]]

    @property
    def wanted(self) -> bool:
        return bool(self.missing or self.contenders or self.data or self.budget or self.options)

    def request(self, plan: Plan | None) -> Request:
        return security_request(plan, self.contenders, self.data, self.budget, self.options)


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a gate is asked: its file, and the flags that win over it."""

    file: GateFile
    conditions: tuple[str, ...]
    candidate: str
    baseline: str
    level: float | None
    security: bool


@dataclass(frozen=True, slots=True)
class _Ended:
    """What came of it: the conditions, and each contender's security test."""

    gate: Gate | None
    verdicts: tuple[SecurityVerdict, ...] = field(default=())

    @property
    def gates(self) -> tuple[Gate, ...]:
        return (*([self.gate] if self.gate else []), *(verdict.as_gate() for verdict in self.verdicts))

    @property
    def exit_code(self) -> int:
        """The worst: a sure failure, then what was not measured, then what cannot be told yet."""
        codes = {*([self.gate.exit_code] if self.gate else []), *(verdict.exit_code for verdict in self.verdicts)}
        return next((code for code in _WORST_FIRST if code in codes), EXIT_OK)


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    rest, options = split_study_options(arguments)
    return run_command(_command(options), "gate", rest)


def _command(options: Mapping[str, Mapping[str, Any]]) -> Any:
    def gate(
        run: Annotated[str, typer.Argument(metavar="RUN", help="The run folder, or its address in an object store.")],
        conditions: Annotated[
            list[str] | None,
            typer.Argument(metavar="CONDITION...", help="Such as 'accuracy.top1.delta >= -0.005'; quote each one."),
        ] = None,
        file: Annotated[
            Path | None, typer.Option(help="TOML file with conditions, candidate, baseline, level; flags win over it.")
        ] = None,
        candidate: Annotated[str, typer.Option(help="The contender that has to pass.")] = "",
        baseline: Annotated[str, typer.Option(help="The contender that delta and ratio compare it with.")] = "",
        level: Annotated[float | None, typer.Option(help="Confidence level. Default: the run's.")] = None,
        security: Annotated[
            bool, typer.Option("--security", help="Test every contender against each threat of docs/security.md.")
        ] = False,
        measure: Annotated[
            bool, typer.Option("--measure", help="With --security: measure what RUN lacks first.")
        ] = False,
        contender: Annotated[
            list[str] | None, typer.Option(help="With --security: measure these in RUN first; may be repeated.")
        ] = None,
        data: Annotated[str, typer.Option(help="With --security: measure first, on these data.")] = "",
        budget: Annotated[
            str, typer.Option(help="With --security: measure first, within this time (90s, 10m, 1h30m).")
        ] = "",
        junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")] = None,
        summary: Annotated[
            Path | None, typer.Option(help="Append GitHub-flavoured Markdown to this file, as $GITHUB_STEP_SUMMARY.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
        lang: Annotated[str, typer.Option(help="Language of sentences: en, or zh for Chinese.")] = "en",
    ) -> int:
        """Judge conditions on a run's intervals, or test its contenders against each threat (--security, which takes
        --STUDY.OPTION as compare does): exit 0 all met, 3 one failed, 5 one not measured, 4 one undecided."""
        catalogue(lang)  # one that does not exist is refused before anything slow happens
        asked = _Asked(
            read_gate(file) if file else GateFile(), tuple(conditions or ()), candidate, baseline, level, security
        )
        first = _Measure(measure, tuple(contender or ()), data, budget, options)
        if first.wanted and not security:
            raise OptionError("only the security test measures", hint="add --security, or measure with compare")
        if first.wanted:
            _measure(_progress_on(as_json), run, first, lang)
        with speaking(lang):
            ended = _ended(RunStore.open(run), asked)
            _write(ended, junit, summary)
            if as_json:
                print(_json(ended), end="")
            else:
                _print(console(), ended)
        return ended.exit_code

    return gate


def _ended(store: RunStore, asked: _Asked) -> _Ended:
    """Everything judged."""
    plan, file = store.plan(), asked.file
    level = _level(asked.level, file.level or plan.request.level)
    texts = [*file.conditions, *asked.conditions]
    gate = None
    if texts or not asked.security:
        new, old = find_sides(plan, asked.candidate or file.candidate, asked.baseline or file.baseline)
        gate = judge(Subject(store, plan, new, old, level, file.security), parse_conditions(texts, plan))
    if not asked.security:
        return _Ended(gate)
    refuse_untested(plan)
    return _Ended(gate, security_verdicts(store, plan, level, file.security))


def _level(flag: float | None, default: float) -> float:
    if flag is not None and not 0.5 < flag < 1:
        raise OptionError(f"--level must lie between 0.5 and 1, got {flag:g}")
    return default if flag is None else flag


def _progress_on(as_json: bool) -> Console:
    """Where progress is told: beside a document on standard output, on standard error."""
    return Console(stderr=True, highlight=False) if as_json else console()


def _measure(screen: Console, place: str, first: _Measure, lang: str) -> None:
    """Measure what the test lacks, into the run, and write its report. Loads torch."""
    from netversus.api import start
    from netversus.cli.progress import listener_for

    request = first.request(_plan_of(place))
    with listener_for(screen, lang) as listener:
        run = start(request, out=place, listener=listener)
    report = run.report(lang=lang)
    with speaking(lang):
        screen.print(say("report: {place}", place=report), markup=False)


def _plan_of(place: str) -> Plan | None:
    """The plan of a run that is there already."""
    try:
        return RunStore.open(place).plan()
    except RunFolderError:
        return None  # a new one: making it says what is wrong with the place


def _write(ended: _Ended, junit: Path | None, summary: Path | None) -> None:
    if junit:
        gate_files.write_junit(junit, *ended.gates)
    if summary:
        gate_files.append_summary(summary, *ended.gates)


def _json(ended: _Ended) -> str:
    """The conditions as they always were; with a security test beside them, or alone."""
    if not ended.verdicts:
        assert ended.gate is not None
        return gate_files.json_text(ended.gate)
    both = {**(gate_files.document(ended.gate) if ended.gate else {}), "security": document(ended.verdicts)}
    return json.dumps({**both, "exit_code": ended.exit_code}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _print(screen: Console, ended: _Ended) -> None:
    if ended.gate:
        _print_gate(screen, ended.gate)
    for verdict in ended.verdicts:
        _print_verdict(screen, verdict)


def _print_gate(screen: Console, gate: Gate) -> None:
    rows = [
        (
            each.condition.text,
            gate_files.estimate_text(each),
            gate_files.interval(each),
            gate_files.state_text(each.state),
            each.reason,
        )
        for each in gate.judged
    ]
    columns = (say("condition"), say("measured"), say("interval"), say("state"), say("why"))
    screen.print(table(gate.title, columns, rows))
    screen.print(gate_files.sentence(gate), markup=False, style="bold")


def _print_verdict(screen: Console, verdict: SecurityVerdict) -> None:
    rows = [
        (threat(each), standing_text(each.standing), measured_text(each), each.asked.condition.text, advice(each))
        for each in verdict.stands
    ]
    columns = (say("threat"), say("verdict"), say("measured"), say("asked"), say("what to do"))
    screen.print(table(verdict.as_gate().title, columns, rows))
    screen.print(sentence(verdict), markup=False, style="bold")

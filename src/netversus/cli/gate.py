"""`netversus gate`: pass or fail a stored run on conditions, for continuous integration. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from netversus.cli.terminal import console, run_command, table
from netversus.decide.conditions import parse_conditions
from netversus.decide.gate import Gate, judge
from netversus.decide.gate_file import GateFile, read_gate
from netversus.decide.naming import find_sides
from netversus.decide.subject import Subject
from netversus.errors import OptionError
from netversus.report import gate_files
from netversus.store import RunStore


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_gate, "gate", arguments)


def _gate(
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
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")] = None,
    summary: Annotated[
        Path | None, typer.Option(help="Append GitHub-flavoured Markdown to this file, as $GITHUB_STEP_SUMMARY.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> int:
    """Judge conditions on a run's intervals: exit 0 all met, 3 one failed, 5 one not measured, 4 one undecided."""
    asked = read_gate(file) if file else GateFile()
    store = RunStore.open(run)
    plan = store.plan()
    new, old = find_sides(plan, candidate or asked.candidate, baseline or asked.baseline)
    confidence = _level(level, asked.level or plan.request.level)
    wanted = parse_conditions([*asked.conditions, *(conditions or ())], plan)
    gate = judge(Subject(store, plan, new, old, confidence), wanted)
    if junit:
        gate_files.write_junit(gate, junit)
    if summary:
        gate_files.append_summary(gate, summary)
    if as_json:
        print(gate_files.json_text(gate), end="")
    else:
        _print(console(), gate)
    return gate.exit_code


def _level(flag: float | None, default: float) -> float:
    if flag is not None and not 0.5 < flag < 1:
        raise OptionError(f"--level must lie between 0.5 and 1, got {flag:g}")
    return default if flag is None else flag


def _print(screen: Console, gate: Gate) -> None:
    rows = [
        (each.condition.text, gate_files.estimate_text(each), gate_files.interval(each), each.state.value, each.reason)
        for each in gate.judged
    ]
    screen.print(
        table(f"{gate.candidate} against {gate.baseline}", ("condition", "measured", "interval", "state", "why"), rows)
    )
    screen.print(gate_files.sentence(gate), markup=False, style="bold")

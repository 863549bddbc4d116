"""`netversus list`: what can be compared, on what, by which studies. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from netversus.cli.study_options import described
from netversus.cli.terminal import console, run_command, table
from netversus.errors import EXIT_OK, OptionError, nearest
from netversus.lab.contenders import list_contenders
from netversus.lab.data import list_data
from netversus.lab.engines import find_engines
from netversus.studies import find_studies

MOST = 60


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_list, "list", arguments)


def _list(
    what: Annotated[str, typer.Argument(help="studies, contenders, data or engines.")] = "studies",
    pattern: Annotated[str, typer.Argument(help="Only contenders whose name holds this.")] = "resnet",
) -> int:
    """List the studies with their options, the known contenders, the kinds of data, or the inference engines."""
    kinds = {"studies": _studies, "contenders": lambda: _contenders(pattern), "data": _data, "engines": _engines}
    if what not in kinds:
        raise OptionError(f"list takes studies, contenders, data or engines, got {what!r}", hint=nearest(what, kinds))
    kinds[what]()
    return EXIT_OK


def _engines() -> None:
    rows = [
        (engine.name, engine.precision, engine.summary, engine.absent_package()) for engine in find_engines().values()
    ]
    console().print(table("Engines", ("engine", "precision", "what it is", "package missing here"), rows))


def _studies() -> None:
    screen = console()
    for study in find_studies().values():
        screen.print(f"{study.name}: {study.question}", markup=False, style="bold")
        for question in study.questions:
            screen.print(f"    {question.metric:<22} {question.asks}", markup=False)
        for name, default, text in described(study.options):
            screen.print(f"    --{study.name}.{name}  {text} [default: {default}]", markup=False, style="dim")


def _contenders(pattern: str) -> None:
    screen = console()
    found = list_contenders(pattern)
    rows = [(spec, ", ".join(sets) or "-") for spec, sets in found[:MOST]]
    screen.print(table(f"Contenders whose name holds {pattern!r}", ("spec", "published weights"), rows))
    if len(found) > MOST:
        screen.print(f"{len(found) - MOST} more; narrow the pattern", markup=False)
    screen.print(
        "also: hf:OWNER/NAME, file:WEIGHTS?arch=NAME, onnx:FILE, py:PACKAGE.MODULE:FACTORY; @scratch: random weights",
        markup=False,
    )


def _data() -> None:
    rows = [(kind.name, kind.summary, kind.usage) for kind in list_data()]
    console().print(table("Data", ("kind", "what it is", "options"), rows))

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
from netversus.messages import in_a_row, say, speaking
from netversus.studies import find_studies

MOST = 60


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_list, "list", arguments)


def _list(
    what: Annotated[str, typer.Argument(help="studies, contenders, data or engines.")] = "studies",
    pattern: Annotated[str, typer.Argument(help="Only contenders whose name holds this.")] = "resnet",
    lang: Annotated[str, typer.Option(help="Language: en, or zh for Chinese.")] = "en",
) -> int:
    """List the studies with their options, the known contenders, the kinds of data, or the inference engines."""
    kinds = {"studies": _studies, "contenders": lambda: _contenders(pattern), "data": _data, "engines": _engines}
    if what not in kinds:
        raise OptionError(f"list takes studies, contenders, data or engines, got {what!r}", hint=nearest(what, kinds))
    with speaking(lang):
        kinds[what]()
    return EXIT_OK


def _engines() -> None:
    rows = [
        (engine.name, engine.precision, say(engine.summary), engine.absent_package())
        for engine in find_engines().values()
    ]
    columns = (say("engine"), say("precision"), say("what it is"), say("package missing here"))
    console().print(table(say("Engines"), columns, rows))


def _studies() -> None:
    screen = console()
    for study in find_studies().values():
        told = say("{study}: {question}", study=study.name, question=say(study.question))
        screen.print(told, markup=False, style="bold")
        for question in study.questions:
            screen.print(f"    {question.metric:<22} {say(question.asks)}", markup=False)
        for name, default, text in described(study.options):
            told = say("{text} [default: {default}]", text=say(text), default=default)
            screen.print(f"    --{study.name}.{name}  {told}", markup=False, style="dim")


def _contenders(pattern: str) -> None:
    screen = console()
    found = list_contenders(pattern)
    rows = [(spec, in_a_row(sets) or "-") for spec, sets in found[:MOST]]
    title = say("Contenders whose name holds {pattern}", pattern=repr(pattern))
    screen.print(table(title, (say("spec"), say("published weights")), rows))
    if len(found) > MOST:
        screen.print(say("{n} more; narrow the pattern", n=len(found) - MOST), markup=False)
    also = say(
        "also: hf:OWNER/NAME, file:WEIGHTS?arch=NAME, onnx:FILE, py:PACKAGE.MODULE:FACTORY; @scratch: random weights"
    )
    screen.print(also, markup=False)


def _data() -> None:
    rows = [(kind.name, say(kind.summary), kind.usage) for kind in list_data()]
    console().print(table(say("Data"), (say("kind"), say("what it is"), say("options")), rows))

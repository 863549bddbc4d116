"""`netversus report`: the report of a stored run, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from netversus.api import open_run
from netversus.cli.terminal import run_command
from netversus.errors import EXIT_OK


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_report, "report", arguments)


def _report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run folder, or its address in an object store.")],
    out: Annotated[
        list[Path] | None, typer.Option(help="Where to: .html, .md, .json or .csv; may be repeated.")
    ] = None,
    lang: Annotated[str, typer.Option(help="Language of the report: en, or zh for Chinese.")] = "en",
) -> int:
    """Derive the findings anew from the stored observations and write the report."""
    opened = open_run(run)
    targets: list[Path | None] = [*out] if out else [None]
    for target in targets:
        print(opened.report(target, lang))
    return EXIT_OK

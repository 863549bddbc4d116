"""`netversus export`: a stored run for other tools, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from netversus.cli.terminal import run_command
from netversus.errors import EXIT_OK, OptionError
from netversus.exports import export, find_formats
from netversus.messages import LANGUAGES, speaking
from netversus.store import RunStore


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    code = run_command(_export, "export", arguments)
    if "--help" in arguments:
        print("\n".join(["", "Formats:", *(f"  {form.name:<14} {form.says}" for form in find_formats().values())]))
    return code


def _export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run folder, or its address in an object store.")],
    name: Annotated[str, typer.Option("--as", metavar="FORMAT", help="What to write; the formats are named below.")],
    out: Annotated[Path, typer.Option(help="A file where the format is one file, else a new folder.")],
    contender: Annotated[
        list[str] | None, typer.Option(help="Only this contender, where a format is made one by one; may be repeated.")
    ] = None,
    report: Annotated[str, typer.Option(help="Where readers find the report: an address or a path, to link to.")] = "",
    lang: Annotated[str, typer.Option(help=f"The language of sentences: {' or '.join(LANGUAGES)}.")] = "en",
) -> int:
    """Write a stored run for other tools."""
    if lang not in LANGUAGES:
        raise OptionError(f"--lang must be one of {', '.join(LANGUAGES)}, got {lang!r}")
    with speaking(lang):
        written = export(RunStore.open(run), name, out, contenders=tuple(contender or ()), report=report)
    for path in written:
        print(path)
    return EXIT_OK

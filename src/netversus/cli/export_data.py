"""`netversus export-data`: the same images as files, so that other tools can be run on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from netversus.cli.terminal import run_command
from netversus.errors import EXIT_OK
from netversus.lab.data.export import export


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_export, "export-data", arguments)


def _export(
    data: Annotated[str, typer.Argument(help="Data spec, such as scenes?size=64 or digits.")],
    out: Annotated[Path, typer.Argument(help="A folder that does not exist or is empty.")],
    layout: Annotated[str, typer.Option("--format", help="folder, coco or mot.")] = "folder",
    image: Annotated[str, typer.Option(help="png or jpeg.")] = "png",
    seed: Annotated[int, typer.Option(help="Seed of the data.")] = 0,
) -> int:
    """Write data as an image folder, a COCO json with its images, or MOT sequences."""
    count = export(data, out, layout=layout, image=image, seed=seed)
    print(f"wrote {count:,} images to {out}")
    return EXIT_OK

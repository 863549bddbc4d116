"""`netversus inspect-data`: what is wrong with labelled images, before anybody learns from them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from netversus.cli.terminal import console, run_command, table
from netversus.errors import EXIT_GATE_FAILED, EXIT_OK, DataError, OptionError, nearest
from netversus.lab.artifacts.findings import printable
from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset
from netversus.lab.inspect.files import write_report
from netversus.lab.inspect.looked import Check, Features, Report, look
from netversus.messages import catalogue, in_a_row, say, speaking, template, told

SHOWN = 3  # suspects of each check, as examples
EVERY = 2000  # images between two lines of progress
MEANING = template(
    "A suspect is an image to look at, not a proof. That nothing is suspected does not mean that the data are clean: "
    "triggers that are blended in, warped or hidden under right labels show in no pattern."
)


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_inspect, "inspect-data", arguments)


def _inspect(
    data: Annotated[str, typer.Argument(help="Data spec, or a folder of images.")],
    contender: Annotated[
        str, typer.Option(help="Judge labels by this contender's features, and seek outliers there: resnet50.")
    ] = "",
    split: Annotated[
        str, typer.Option(help="Where labels and patterns are judged: train, or the only one there is, if not named.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Write all suspects there: a .json or .csv file.")] = None,
    gate: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit with 3 where more than this share of the images is suspected."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the data.")] = 0,
    device: Annotated[str, typer.Option(help="Where the contender runs: auto, cpu, cuda.")] = "auto",
    lang: Annotated[str, typer.Option(help="Language of what is said: en, or zh for Chinese.")] = "en",
) -> int:
    """Look for duplicates, near duplicates across splits, wrong labels and suspected triggers."""
    catalogue(lang)  # one that does not exist is refused before anything slow happens
    opened = open_data(data, seed=seed)
    if not opened.splits:
        raise DataError(f"{opened.card.name} has no labelled images to look at")
    if split and split not in opened.splits:
        raise OptionError(
            f"{opened.card.name} has no {split} split",
            hint=nearest(split, opened.splits) or f"there is {', '.join(opened.splits)}",
        )
    features = _features(contender, opened, device) if contender else None
    with speaking(lang):
        report = look(opened, _progressed, features, split or "train")
        _print(report)
        if out is not None:
            write_report(report, out)
            print(say("wrote {n} suspicions to {out}", n=f"{len(report.suspects):,}", out=out))
    return EXIT_GATE_FAILED if gate is not None and report.suspected > gate * report.images else EXIT_OK


def _features(contender: str, opened: Dataset, device: str) -> Features:
    from netversus.lab.contenders.resolve import resolve

    card = resolve(contender, opened.card)

    from netversus.lab.devices import make_deterministic, resolve_device
    from netversus.lab.inspect.features import features_by

    make_deterministic()
    return features_by(card, opened, resolve_device(device))


def _progressed(done: int, total: int) -> None:
    if done % EVERY == 0:
        print(say("{n} of {total} images read", n=f"{done:,}", total=f"{total:,}"), file=sys.stderr)


def _print(report: Report) -> None:
    rows = []
    for check in Check:
        if check not in report.checks:
            rows.append((say(check.value), say("not judged"), ""))
            continue
        found = report.of(check)
        examples = [printable(each.image, 60) for each in found[:SHOWN]]
        rows.append(
            (say(check.value), f"{len(found):,}", in_a_row([*examples, *(["…"] if len(found) > SHOWN else [])]))
        )
    title = say("{n} of {total} images are suspected", n=f"{report.suspected:,}", total=f"{report.images:,}")
    console().print(table(title, (say("of what"), say("found"), say("examples")), rows))
    if report.wrong_share is not None:
        print(say("estimated share of wrong labels: {share} %", share=f"{100 * report.wrong_share:.1f}"))
    for note in report.notes:
        print(told(note))
    for name, reason in list(report.left_out.items())[:SHOWN]:
        why = printable(told(reason))
        print(say("could not be read: {name} ({reason})", name=printable(name, 60), reason=why))
    if len(report.left_out) > SHOWN:
        print(say("and {n} more could not be read", n=f"{len(report.left_out) - SHOWN:,}"))
    print(say(MEANING))

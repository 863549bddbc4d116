"""What depth costs and what it brings: ResNets' times beside the top-1 of those that have weights. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from netversus.exhibits import Scalar, Table
from netversus.lab.contenders.spec import parse
from netversus.messages import say, sentences
from netversus.records import ContenderCard
from netversus.statistics.proportions import clopper_pearson
from netversus.studies.scaling.curves import LEVEL, curve, depth_curve
from netversus.study import Evidence

_CUTS = ("stages", "blocks")
_RESNET = re.compile(r"resnet(18|34|50|101|152)")

Row = tuple[int, str, Scalar, Scalar, Scalar, Scalar, str]


def depths(evidence: Evidence, kept: Mapping[str, Any]) -> Iterator[Table]:
    """A row for each contender that is a whole ResNet and each reference depth, the shallow ones first; nothing for one
    contender alone, whose depth has nothing to stand beside."""
    contenders, references = list(_contenders(evidence)), list(_references(kept))
    if not references and len(contenders) < 2:
        return
    notes = [
        say(
            "Times are those of a contender's own resolution, on its own engine. Which depth is better is the accuracy "
            "study's to say."
        )
    ]
    if references:
        notes.append(
            say(
                "The reference ResNets run in eager fp32 with random weights: they have no quality, and none is made "
                "up. Name a depth as a contender to see what it brings."
            )
        )
    yield Table(
        title=say("What depth costs, and what it brings"),
        columns=(
            say("depth"),
            say("ResNet"),
            say("side (px)"),
            say("ms an image"),
            say("images"),
            say("top-1 (%)"),
            say("{level} % interval", level=f"{100 * LEVEL:.0f}"),
        ),
        rows=tuple(sorted([*contenders, *references], key=lambda row: (row[0], row[1]))),
        formats=("d", "", ",d", ".3g", ",d", ".1f", ""),
        note=sentences(*notes),
    )


def _contenders(evidence: Evidence) -> Iterator[Row]:
    for card in evidence.contenders:
        depth, side = depth_of(card), card.preprocessing.crop
        if depth is None:
            continue
        timed = curve(evidence, card.name, "resolution")
        seconds = timed.seconds_at(side) if timed else None
        milliseconds = None if seconds is None else 1e3 * seconds
        answers = evidence.series(card.name, f"top1_at_{side:04d}")
        if answers is None:
            yield depth, card.name, side, milliseconds, None, None, say("not shown at this side")
        else:
            right, n = int(answers.values.sum()), len(answers.units)
            top1 = clopper_pearson(right, n, LEVEL)
            ends = f"[{100 * top1.low:.1f}, {100 * top1.high:.1f}]"
            yield depth, card.name, side, milliseconds, n, 100 * top1.estimate, ends


def _references(kept: Mapping[str, Any]) -> Iterator[Row]:
    timed = depth_curve(kept)
    for depth in timed.sizes if timed else ():
        seconds = timed.seconds_at(depth) if timed else None
        milliseconds = None if seconds is None else 1e3 * seconds
        yield depth, say("for reference"), kept.get("reference_side"), milliseconds, None, None, say("random weights")


def depth_of(card: ContenderCard) -> int | None:
    """The depth of a contender that is a whole ResNet; None of what is none, or is cut."""
    found = _RESNET.fullmatch(card.architecture)
    whole = found and not any(name in parse(card.spec).settings for name in _CUTS)
    return int(found.group(1)) if found and whole else None

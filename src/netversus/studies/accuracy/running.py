"""How the images were prepared: decoding, beside the exact way, and pixels that could not be kept. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netversus.exhibits import Scalar, Table, Text
from netversus.messages import clauses, in_a_row, say
from netversus.study import Evidence

DECODING, CACHE = "decoding.json", "cache.json"


def decoding(evidence: Evidence) -> Iterator[Text | Table]:
    """How the images were decoded, and how far each faster way that was tried is from the exact one; nothing where the
    exact one was asked for. Cells that were begun apart may each go on in their own way."""
    ways: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for card in evidence.contenders:
        if record := evidence.artifact(DECODING, card.name):
            told = json.loads(record)
            ways.setdefault(told["method"], (told, []))[1].append(card.name)
    for told, names in ways.values():
        yield from _told(told, names if len(ways) > 1 else ())


def _told(told: Mapping[str, Any], only: Sequence[str]) -> Iterator[Text | Table]:
    """One way and what was tried beside it; `only` names those who were shown its images, if not all were."""
    for name in only:
        yield Text(say("{contender} was shown images decoded by {method}.", contender=name, method=told["method"]))
    if all(isinstance(each, str) for each in told["tried"]):  # as older runs kept it
        tried = clauses(told["tried"])
        yield Text(
            say("The images were decoded by the method {method}. Tried: {tried}.", method=told["method"], tried=tried)
        )
        return
    if not only:
        yield Text(say("The images were decoded by the method {method}.", method=told["method"]))
    yield _ways(told)


def _ways(told: Mapping[str, Any]) -> Table:
    return Table(
        title=say("Faster ways to decode, beside the exact one"),
        columns=(
            *(say("method"), say("times as fast"), say("images compared")),
            *(say("mean difference of a pixel (of 255)"), say("largest difference"), say("first answers changed")),
        ),
        rows=tuple(_row(each) for each in told["tried"]),
        formats=("", ".2f", ",d", ".2f", "d", ""),
        note=say(
            "Used is the first whose pixels are off by at most {mean} of 255 on average and that changes no first "
            "answer of any contender on these images; else the exact one, which is torchvision's and timm's bit for "
            "bit.",
            mean=f"{told['mean']:g}",
        ),
    )


def _row(each: Mapping[str, Any]) -> tuple[Scalar, ...]:
    flips = in_a_row(
        say("{contender}: {n} of {all}", contender=name, n=count, all=each["images"])
        for name, count in each["flips"].items()
    )
    times = each["exact_seconds"] / each["seconds"]
    return each["method"], times, each["images"], each["mean"], each["most"], flips


def uncached(evidence: Evidence) -> Iterator[Text]:
    """That decoded images were to be kept on disk and could not be."""
    if any(evidence.artifact(CACHE, card.name) for card in evidence.contenders):
        yield Text(
            say(
                "The decoded images were not kept on disk: they were not looked at when the data were opened, and "
                "nothing tells whether their files change."
            )
        )

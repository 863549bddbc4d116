"""How the contenders were run: decoding, beside the exact way, and memory that did not suffice. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netversus.exhibits import Scalar, Table, Text
from netversus.messages import clauses, in_a_row, say
from netversus.study import Evidence

DECODING, MEMORY = "decoding.json", "memory.json"


def decoding(evidence: Evidence) -> Iterator[Text | Table]:
    """How the images were decoded, and how far each faster way that was tried is from the exact one; nothing where the
    exact one was asked for."""
    records = (evidence.artifact(DECODING, card.name) for card in evidence.contenders)
    told = next((json.loads(record) for record in records if record), None)
    if not told:
        return
    if all(isinstance(each, str) for each in told["tried"]):  # as older runs kept it
        tried = clauses(told["tried"])
        yield Text(
            say("The images were decoded by the method {method}. Tried: {tried}.", method=told["method"], tried=tried)
        )
        return
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


def memory(evidence: Evidence) -> Iterator[Text]:
    """Who was shown fewer images at once than was planned, because memory ran out."""
    for card in evidence.contenders:
        record = evidence.artifact(MEMORY, card.name)
        halved: Sequence[int] = json.loads(record) if record else ()
        if halved:
            yield Text(
                say(
                    "{n} images at once did not fit in memory: {contender} was shown {fewer} at once. The last digits "
                    "of its probabilities may differ from those of a larger machine.",
                    n=halved[0],
                    contender=card.name,
                    fewer=halved[-1] // 2,
                )
            )

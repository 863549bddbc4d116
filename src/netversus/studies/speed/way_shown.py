"""The way of an image as a table: what each part of it takes. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from netversus.exhibits import Table
from netversus.messages import say
from netversus.records import ContenderCard
from netversus.studies.speed import WAY
from netversus.studies.speed.step import DECODE, MOVE, NETWORK, NORMALISE, READ, RESIZE, WAY_RECORD, Way
from netversus.study import Evidence


def way_shown(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Table]:
    """A row a contender, a column a part; nothing where the data's images are drawn, or none was timed yet."""
    content = evidence.artifact(WAY)
    if content is None:
        return
    way = WAY_RECORD.validate_json(content)
    titles = {
        READ: say("reading (ms)"),
        DECODE: say("decoding (ms)"),
        RESIZE: say("resizing and cropping (ms)"),
        MOVE: say("moving to the device (ms)"),
        NORMALISE: say("normalising (ms)"),
        NETWORK: say("network (ms)"),
    }
    spent = {card.name: _parts(way, card.name) for card in timed if card.name in way.contenders}
    shown = [part for part in titles if any(part in parts for parts in spent.values())]
    yield Table(
        title=say("Where the time of an image goes"),
        columns=(say("contender"), *(titles[part] for part in shown), say("one after another (ms)")),
        rows=tuple((name, *map(parts.get, shown), sum(parts.values())) for name, parts in spent.items()),
        formats=("", *(".3g" for _ in shown), ".3g"),
        note=say(
            "Medians over {n} of the data's own images, in ms an image; each was read, decoded and resized on one "
            "thread, its file having been read before. Normalising, the network and any moving to another device: at "
            "batch {batch}. An evaluation reads and decodes an image once for all contenders, on several threads and "
            "beside the network.",
            n=f"{way.images:,}",
            batch=f"{way.batch:,}",
        ),
    )


def _parts(way: Way, contender: str) -> dict[str, float]:
    """The median milliseconds an image of each part that was timed; the first repetition warmed up."""
    every = {**way.shared, **way.contenders[contender]}
    images = dict.fromkeys((MOVE, NORMALISE, NETWORK), way.batch)
    medians = {part: np.median(np.median(np.array(rows[1:]), axis=0)) for part, rows in every.items()}
    return {part: 1e3 * float(median) / images.get(part, 1) for part, median in medians.items()}

"""Memory that did not suffice for as many images at once as were wanted, as every study's exhibit says it.

`Bench.room` keeps it with the cell. Loads no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from netversus.exhibits import Text
from netversus.messages import say
from netversus.study import Evidence

MEMORY_FILE = "memory.json"
"""The artifact in which a cell keeps how many images at once did not fit in memory, each time that they did not."""


def shortage_shown(evidence: Evidence) -> Iterator[Text]:
    """Who was shown fewer images at once than was planned, on whichever seed; nothing where memory sufficed."""
    for card in evidence.contenders:
        records = (evidence.artifact(MEMORY_FILE, card.name, seed) for seed in evidence.seeds)
        halved: list[Sequence[int]] = [json.loads(record) for record in records if record]
        if halved:
            yield Text(
                say(
                    "{n} images at once did not fit in memory: {contender} was shown {fewer} at once. The last digits "
                    "of its outputs may differ from those of a larger machine.",
                    n=max(each[0] for each in halved),
                    contender=card.name,
                    fewer=min(each[-1] for each in halved) // 2,
                )
            )

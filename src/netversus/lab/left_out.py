"""The images that turned out to be unreadable while a study read them, as its report names them. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator

from netversus.exhibits import Text
from netversus.messages import say
from netversus.study import LEFT_OUT, Evidence

SHOWN = 10  # more are counted


def left_out_shown(evidence: Evidence) -> Iterator[Text]:
    """How many images were left out for every contender, the first of them with the reason; nothing where all could be
    read."""
    found: dict[str, str] = {}
    for card in evidence.contenders:
        found |= json.loads(evidence.artifact(LEFT_OUT, card.name) or b"{}")
    if found:
        shown = "; ".join(list(found.values())[:SHOWN]) + ("; ..." if len(found) > SHOWN else "")
        yield Text(
            say("1 image could not be read and was left out for every contender: {shown}.", shown=shown)
            if len(found) == 1
            else say(
                "{n} images could not be read and were left out for every contender: {shown}.",
                n=f"{len(found):,}",
                shown=shown,
            )
        )

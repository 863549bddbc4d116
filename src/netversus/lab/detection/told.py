"""What a report tells of the detectors that were trained in the run. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator

from netversus.exhibits import Table
from netversus.lab.detection.recipe import MADE
from netversus.messages import in_a_row, say
from netversus.study import Evidence


def trained_here(evidence: Evidence) -> Iterator[Table]:
    """What the detectors were made of; nothing where none was made."""
    rows = []
    for card in evidence.contenders:
        content = evidence.artifact(MADE, card.name)
        if content is not None:
            plan = json.loads(content)
            anchors = in_a_row(f"{size[0]:g}" for size in plan["anchors"])
            frozen = say("frozen, with the first stage") if plan["frozen"] else say("trained")
            rows.append((card.name, plan["head"], plan["side"], plan["median"], anchors, frozen))
    if rows:
        yield Table(
            title=say("The detectors that were trained here"),
            columns=(
                *(say("contender"), say("detector"), say("pictures seen at (px)"), say("median object (px)")),
                *(say("anchors from (px)"), say("batch norms")),
            ),
            rows=tuple(rows),
            formats=("", "", ",d", ".1f", "", ""),
        )

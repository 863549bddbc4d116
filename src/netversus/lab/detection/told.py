"""What a report tells of the detectors that were trained in the run. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator

from netversus.exhibits import Table
from netversus.lab.detection.recipe import MADE
from netversus.messages import in_a_row, say, template
from netversus.study import Evidence

_BEGINNINGS = {
    "here": template("weights trained in this run"),
    "given": template("the weights that it came with"),
    "random": template("random weights"),
}


def trained_here(evidence: Evidence) -> Iterator[Table]:
    """What the detectors were made of; nothing where none was made."""
    rows = []
    for card in evidence.contenders:
        content = evidence.artifact(MADE, card.name)
        if content is not None:
            plan = json.loads(content)
            anchors = in_a_row(f"{size[0]:g}" for size in plan["anchors"])
            frozen = say("frozen, with the first stage") if plan["frozen"] else say("trained")
            begins = say(_BEGINNINGS[plan["begins"]])
            head = say("{head}, {n} channels", head=plan["head"], n=plan["sizes"]["channels"])
            rows.append((card.name, begins, head, plan["side"], plan["median"], anchors, frozen))
    if rows:
        yield Table(
            title=say("The detectors that were trained here"),
            columns=(
                *(say("contender"), say("begins with"), say("detector"), say("pictures seen at (px)")),
                *(say("median object (px)"), say("anchors from (px)"), say("batch norms")),
            ),
            rows=tuple(rows),
            formats=("", "", "", ",d", ".1f", "", ""),
        )

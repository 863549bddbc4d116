"""Whether the attacks themselves can be believed: each check, what was seen, and what it would mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netversus.exhibits import Exhibit, Table, Text
from netversus.messages import clauses, say
from netversus.records import ContenderCard
from netversus.studies.adversarial import protocol as names
from netversus.studies.adversarial.protocol import Protocol, norm_text
from netversus.study import Evidence

FADED = 0.05  # share of images from which on a sign counts
_HALF = 0.5


def doubts(evidence: Evidence, under: Sequence[tuple[ContenderCard, Protocol]]) -> Iterator[Exhibit]:
    """A table of the checks, and one sentence for each contender of whom the numbers are not to be believed."""
    told = [(card, settings, _facts(evidence, card)) for card, settings in under]
    seen = [(card, settings, facts) for card, settings, facts in told if facts is not None]
    if not seen:
        return
    columns = [_checks(evidence, card, settings, facts) for card, settings, facts in seen]
    yield Table(
        title=say("Checks that tell a failed attack from a contender that holds"),
        columns=(say("check"), *(card.name for card, _, _ in seen)),
        rows=tuple(
            (check, *(_cell(column[check]) for column in columns))
            for check in dict.fromkeys(c for o in columns for c in o)
        ),
        note=say(
            "On the first images that a contender gets right ({n}); a check that strikes is marked with an exclamation "
            "mark. Square's and the others' successes are counted on all images.",
            n=", ".join(str(facts["images"]) for _, _, facts in seen),
        ),
    )
    for (card, settings, _), column in zip(seen, columns, strict=True):
        struck = [check for check, (_, bad) in column.items() if bad]
        if struck:
            yield Text(
                say(
                    "What is said of {contender} under changes of at most {eps}/255 in {norm} is too good: {signs}. "
                    "Attacks that fit this network better would turn more images.",
                    contender=card.name,
                    eps=f"{settings.eps:g}",
                    norm=norm_text(settings.norm),
                    signs=clauses(struck),
                )
            )


def _facts(evidence: Evidence, card: ContenderCard) -> Mapping[str, Any] | None:
    content = evidence.artifact(names.CHECKS, card.name)
    facts = None if content is None else json.loads(content)
    return facts if facts and facts["images"] else None


def _cell(value: tuple[str, bool]) -> str:
    return f"{value[0]} !" if value[1] else value[0]


def _checks(
    evidence: Evidence, card: ContenderCard, settings: Protocol, facts: Mapping[str, Any]
) -> dict[str, tuple[str, bool]]:
    """Check -> what was seen, and whether it strikes."""
    n, by_steps = facts["images"], facts["right_by_steps"]

    def of(count: int) -> str:
        return say("{n} of {all}", n=count, all=n)

    found = {
        say("an eps of 0 changes an answer"): (of(facts["changed_at_zero"]), facts["changed_at_zero"] > 0),
        say("a larger eps loses what a smaller one found"): (
            of(facts["lost_by_larger"]),
            _many(facts["lost_by_larger"], n),
        ),
        say("still right where everything may turn grey"): (of(facts["right_at_large"]), facts["right_at_large"] > 0),
        say("still right after a quarter, half and all of the steps"): (
            ", ".join(str(count) for count in by_steps),
            len(by_steps) > 1 and _many(by_steps[-2] - by_steps[-1], n),
        ),
        say("no gradient at all"): (of(facts["no_gradient"]), facts["no_gradient"] > 0),
        say("share of pixels without a gradient"): (f"{100 * facts['zero_share']:.1f} %", facts["zero_share"] > _HALF),
        say("the loss does not rise"): (of(facts["loss_stuck"]), _many(facts["loss_stuck"], n)),
        say("the outputs vary from call to call"): (of(facts["random_outputs"]), facts["random_outputs"] > 0),
        say("the outputs are probabilities, not logits"): (
            say("yes") if facts["probabilities"] else say("no"),
            facts["probabilities"],
        ),
        say("Square turns what APGD does not"): (of(facts["square_alone"]), facts["square_alone"] > 0),
    }
    return found | _on_all(evidence, card, settings)


def _many(count: int, n: int) -> bool:
    return count > FADED * n


def _on_all(evidence: Evidence, card: ContenderCard, settings: Protocol) -> dict[str, tuple[str, bool]]:
    """What needs no gradients and still turns images on which all that has them failed."""
    found = {}
    if "square" in settings.attacks:
        place = settings.attacks.index("square")
        if place > 0:
            lost = _lost(evidence, card, names.right_after(settings.attacks[place - 1]), names.right_after("square"))
            if lost is not None:
                found[say("Square turns what all attacks before it left")] = (str(lost), lost > 0)
    lost = _lost(evidence, card, "robust_top1", "transfer_top1")
    if lost is not None:
        found[say("changes made on another contender turn what all attacks left")] = (str(lost), lost > 0)
    return found


def _lost(evidence: Evidence, card: ContenderCard, before: str, after: str) -> int | None:
    """How many images are right under the one and wrong under the other."""
    one, two = evidence.series(card.name, before), evidence.series(card.name, after)
    if one is None or two is None:
        return None
    later = dict(zip(two.units, two.values, strict=True))
    right = [unit for unit, value in zip(one.units, one.values, strict=True) if value > _HALF]
    return sum(1 for unit in right if later.get(unit, 1.0) < _HALF)

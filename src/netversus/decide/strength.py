"""Whether an attack was run whole, so that what it did not find says something.

An attack shows what can be done at least. A contender that it beats is beaten; one that withstands an attack shorter
than the study's standard one, or an attack that shows signs of having failed, has shown nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from netversus.evidence import StudyEvidence
from netversus.exhibits import Text
from netversus.messages import say, sentences
from netversus.plan import Plan
from netversus.records import Cell
from netversus.store import RunStore
from netversus.studies import find_studies
from netversus.studies.adversarial.doubts import doubts
from netversus.studies.adversarial.protocol import PROTOCOL, Protocol, loaded, norm_text

NEEDED: Mapping[str, tuple[str, ...]] = {
    "adversarial": ("apgd-ce", "apgd-t", "fab-t", "square"),
    "poisoning": ("badnets", "blended", "warped", "clean-label"),
}
"""The attacks of which each leaves a part out that the others do not make up for: of the adversarial ones the standard
set of AutoAttack (Croce & Hein 2020), which holds what FGSM and PGD find."""
_COUNTS: Mapping[str, tuple[str, ...]] = {
    "adversarial": ("steps", "targets", "queries", "checks"),
    "privacy": ("shadows",),
}
_SHARES: Mapping[str, tuple[str, ...]] = {"poisoning": ("rates",)}


def shortened(store: RunStore, plan: Plan, study: str) -> tuple[str, ...]:
    """What was less than the study's standard attack: options with their values, and lines of the plan's cuts."""
    cells = [cell for cell in plan.cells if cell.study == study]
    less = [line for cell in cells[:1] for line in _less(study, cell.options, len(plan.data.classes))]
    return tuple(dict.fromkeys([*less, *([] if study == "adversarial" else _cuts(store, cells, study))]))


def _less(study: str, options: Mapping[str, Any], classes: int) -> Iterator[str]:
    found = find_studies().get(study)
    standard = found.options().model_dump() if found else {}
    asked = _names(options.get("attacks", ""))
    lacking = [attack for attack in NEEDED.get(study, ()) if attack not in asked]
    if lacking:
        yield say("without {attacks}", attacks=", ".join(lacking))
    for name in _COUNTS.get(study, ()):
        most = classes - 1 if name == "targets" else standard[name]
        if options[name] < min(most, standard[name]):
            yield f"{name} {options[name]:,} < {min(most, standard[name]):,}"
    for name in _SHARES.get(study, ()):
        largest, least = (max(map(float, _names(text))) for text in (options[name], standard[name]))
        if largest < least:
            yield f"{name} {largest:g} < {least:g}"


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _cuts(store: RunStore, cells: list[Cell], study: str) -> Iterator[str]:
    """What a budget cut of a training: of the plan that settled these cells, which may be an earlier one."""
    keys = {cell.key for cell in cells}
    for plan in store.plans():
        if keys & {cell.key for cell in plan.cells}:
            yield from (cut for cut in plan.cuts if cut.startswith(f"{study}: "))


def signs(evidence: StudyEvidence, contender: str) -> str:
    """Why the adversarial attacks on a contender are not to be believed, in the language in force, with any of the
    training seeds; empty where no check struck."""
    card = next((card for card in evidence.contenders if card.name == contender), None)
    settings = protocol_of(evidence, contender)
    if card is None or settings is None:
        return ""
    shown = (exhibit for each in _by_seed(evidence) for exhibit in doubts(each, [(card, settings)]))
    return sentences(*dict.fromkeys(exhibit.text for exhibit in shown if isinstance(exhibit, Text)))


def _by_seed(evidence: StudyEvidence) -> Iterator[StudyEvidence]:
    """The evidence of each seed alone."""
    for seed in evidence.seeds:
        cells = tuple(cell for cell in evidence.plan.cells if cell.seed == seed)
        yield replace(evidence, plan=replace(evidence.plan, cells=cells))


def protocol_of(evidence: StudyEvidence, contender: str) -> Protocol | None:
    """What the adversarial study put a contender through; None where it was not."""
    return loaded(evidence.artifact(PROTOCOL, contender))


def within(evidence: StudyEvidence, contender: str) -> str:
    """The largest change of the adversarial study, as it is written: "8/255 (l-inf)"; empty where none was made."""
    settings = protocol_of(evidence, contender)
    return "" if settings is None else f"{settings.eps:g}/255 ({norm_text(settings.norm)})"

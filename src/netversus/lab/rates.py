"""What contenders cost on a machine that nobody timed: a first guess for `--dry-run`. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netversus.lab.contenders.catalogue import Library, find
from netversus.lab.contenders.detectors import BOXES
from netversus.lab.contenders.resolve import architecture_of
from netversus.lab.contenders.spec import parse
from netversus.records import ContenderCard, Rates

MACS_A_SECOND = 30e9  # what a few ordinary cores reach in float32
OVERHEAD_SECONDS = 2e-3  # what small images cost however few their multiply-adds are
TRAINING_FACTOR = 3.0  # forward, and backward to inputs and to weights
PUBLISHED_SIDE = 224
SMALL_STEM_FACTOR = 16.0  # it leaves the maps of all blocks four times as high and as wide
UNKNOWN = (25_600_000, 4.1)  # a ResNet-50, where nothing is published: (parameters, billions of multiply-adds)


def nominal_rates(cards: Iterable[ContenderCard]) -> Mapping[str, Rates]:
    """Rates by contender, scaled from the multiply-adds that the architecture's publisher states. Of a network that is
    cut they are those of the whole, from above."""
    return {card.name: _nominal(card) for card in cards}


def _nominal(card: ContenderCard) -> Rates:
    if card.source == "results":
        return Rates(infer_seconds=0.0, train_seconds=0.0, parameters=0, measured=False, call_seconds=0.0)
    parameters, gigamacs = _published(card)
    scale = (card.preprocessing.crop / PUBLISHED_SIDE) ** 2
    if parse(card.spec).settings.get("stem"):
        scale *= SMALL_STEM_FACTOR
    seconds = OVERHEAD_SECONDS + 1e9 * gigamacs * scale / MACS_A_SECOND
    trains = TRAINING_FACTOR * seconds if card.untrained and card.source != "onnx" else 0.0
    return Rates(infer_seconds=seconds, train_seconds=trains, parameters=parameters, measured=False)


def _published(card: ContenderCard) -> tuple[int, float]:
    """Parameters and billions of multiply-adds at 224 px, as far as they are published for the architecture."""
    library: Library
    if card.head == BOXES:
        return UNKNOWN
    if card.source in ("torchvision", "timm"):
        library, name = "timm" if card.source == "timm" else "torchvision", card.architecture
    elif card.source == "file":
        library, name = architecture_of(parse(card.spec))
    else:
        return UNKNOWN
    sets = find(library, name).sets.values()
    parameters = next((s.parameters for s in sets if s.parameters), UNKNOWN[0])
    return parameters, next((s.gigamacs for s in sets if s.gigamacs), UNKNOWN[1])

"""The defences, asked about a trained network: what they find of the poison, and what they accuse wrongly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.lab.bench import Bench
from netversus.lab.from_scratch import said
from netversus.lab.poison.attacks import Poisoned, find_attack
from netversus.lab.poison.cleanse import ANOMALOUS, FEWEST_CLASSES, anomaly_indices, masks
from netversus.lab.poison.clusters import cluster_suspects
from netversus.lab.poison.features import features
from netversus.lab.poison.spectral import spectral_suspects
from netversus.lab.poison.strip import OVERLAYS, entropies, entropy_bound
from netversus.records import ContenderCard
from netversus.studies.poisoning import names
from netversus.studies.poisoning.design import BACKDOOR, Condition

CLEANSE_IMAGES = 256
Rates = dict[str, float]


@dataclass(frozen=True)
class Guarded:
    """A network in eval mode, and the clean test images that its defender has: uint8 (n, 3, h, w), labels int64 (n,).
    `target` is the attacker's class, which the defences are not told."""

    bench: Bench
    card: ContenderCard
    model: nn.Module
    test: Tensor
    labels: NDArray[np.int64]
    target: int

    def logits(self, images: Tensor) -> Tensor:
        """Float32 (n, classes)."""
        return said(self.bench, self.card, self.model, images)

    def answers(self, images: Tensor) -> NDArray[np.int64]:
        """The class given to each image, int64 (n,)."""
        return self.logits(images).argmax(dim=1).numpy().astype(np.int64)


def asked(guarded: Guarded, condition: Condition, taken: Poisoned) -> tuple[Rates, Rates]:
    """By defence: the share of what is poisoned that it found, and the share of what is clean that it accused.

    Spectral signatures and activation clustering judge train images, STRIP pictures that come in later, Neural Cleanse
    classes. Without poison there is nothing to find, and a defence that cannot judge says nothing.
    """
    chosen = names(guarded.bench.options.defences)
    found: Rates = {}
    accused: Rates = {}
    if "spectral" in chosen or "clusters" in chosen:
        _train_images(guarded, taken, chosen, found, accused)
    if "strip" in chosen:
        _incoming(guarded, condition, found, accused)
    if "cleanse" in chosen and guarded.bench.classes >= FEWEST_CLASSES:
        _classes(guarded, condition, found, accused)
    return found, accused


def _train_images(guarded: Guarded, taken: Poisoned, chosen: tuple[str, ...], found: Rates, accused: Rates) -> None:
    bench, card = guarded.bench, guarded.card
    seen = features(guarded.model, taken.images, card.preprocessing, bench.device, bench.room(card))
    poison = np.zeros(len(taken.labels), dtype=np.bool_)
    poison[taken.index] = True
    for name in ("spectral", "clusters"):
        if name in chosen:
            if name == "spectral":
                suspects = spectral_suspects(seen, taken.labels, bench.options.expected)
            else:
                suspects = cluster_suspects(seen, taken.labels)
            if poison.any():
                found[name] = float(suspects[poison].mean())
            if not poison.all():
                accused[name] = float(suspects[~poison].mean())


def _incoming(guarded: Guarded, condition: Condition, found: Rates, accused: Rates) -> None:
    """Three sets of test images that do not meet: laid over, to set the bound, to judge by. Where there are too few
    images for that, STRIP says nothing."""
    most = guarded.bench.options.strip_images
    count = min(most, (len(guarded.test) - OVERLAYS) // 2)
    if count < 10:  # no share of so few can be told
        return
    overlays, bounding, judged = torch.split(guarded.test, [OVERLAYS, count, len(guarded.test) - OVERLAYS - count])
    bound = entropy_bound(entropies(guarded.logits, bounding, overlays))
    accused["strip"] = float((entropies(guarded.logits, judged[:count], overlays) < bound).mean())
    if condition.kind == BACKDOOR:
        labels = guarded.labels[OVERLAYS + count :]
        others = judged[torch.from_numpy(np.flatnonzero(labels != guarded.target)[:count])]
        if len(others):
            triggered = find_attack(condition.what).trigger(others)
            found["strip"] = float((entropies(guarded.logits, triggered, overlays) < bound).mean())


def _classes(guarded: Guarded, condition: Condition, found: Rates, accused: Rates) -> None:
    bench = guarded.bench
    clean = guarded.test[:CLEANSE_IMAGES]
    sought = masks(
        guarded.model, clean, bench.classes, guarded.card.preprocessing, bench.device, bench.options.cleanse_steps
    )
    odd = anomaly_indices(np.array(list(sought))) > ANOMALOUS
    if condition.kind == BACKDOOR:
        found["cleanse"] = float(odd[guarded.target])
        odd = np.delete(odd, guarded.target)
    accused["cleanse"] = float(odd.mean())

"""CKA of all stages of ResNet-50 and ResNet-101 on 2,000 images within one pass of the data, beside the full batch.

Ours runs the study's own code: every image is read once, and of the features of a batch only how alike its images are
is kept. The peer is the definition without batches: it keeps the features of all images of all stages, then compares
all images with each other, by the same debiased estimator. The weights are random: time and memory do not depend on
them. Both read the same images of `scenes`, drawn as they are read, in turns. Seconds are the
processor's, which other work on the machine touches less than the clock's; the fastest round counts.

A few minutes on two cores: python benchmarks/cka.py [--images 2000] [--side 32] [--rounds 3]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from record import record
from torch import Tensor

from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.data.dataset import ImageSet
from netversus.lab.evaluation import batches
from netversus.records import Artifact, Preprocessing
from netversus.studies.similarity import SimilarityOptions
from netversus.studies.similarity.alignment import FILE, Alignment, cka, loaded
from netversus.studies.similarity.grams import debiased_hsic, gram
from netversus.studies.similarity.measure import Comparison
from netversus.studies.similarity.onlooker import Onlooker

CPU = torch.device("cpu")
NEAR = 0.05


class Counted(ImageSet):
    """Images whose readings are counted."""

    def __init__(self, images: ImageSet) -> None:
        self.ids, self.labels, self.factors = images.ids, images.labels, images.factors
        self.reads: Counter[int] = Counter()
        self._images = images

    def image(self, index: int) -> Image.Image:
        """The image, its reading counted."""
        self.reads[index] += 1
        return self._images.image(index)


def ours(bench: Bench) -> Alignment:
    for _ in Comparison(bench).read(None):
        pass
    found = loaded(bench.kept(bench.contenders[0].name, FILE))
    assert found is not None
    return found


def whole(bench: Bench, images: ImageSet) -> tuple[np.ndarray, int]:
    """The full batch, and the bytes of the features that it had to keep."""
    onlookers = [Onlooker(bench.model(card), card.preprocessing.crop) for card in bench.contenders]
    shapes = {card.preprocessing for card in bench.contenders}
    kept: list[list[Tensor]] = []
    order = np.arange(len(images))
    for batch in batches(images, order, bench.options.batch, CPU, preprocessings=shapes):
        seen = [
            onlooker.read(batch.inputs(card.preprocessing))[0]
            for card, onlooker in zip(bench.contenders, onlookers, strict=True)
        ]
        kept.append([each for features in seen for each in features])
    held = sum(each.numel() * each.element_size() for row in kept for each in row)
    grams = torch.stack([gram(torch.cat(parts)) for parts in zip(*kept, strict=True)])
    return cka(debiased_hsic(grams).numpy()[None], np.array([len(images)], dtype=float)), held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--side", type=int, default=32, help="of the images, in px")
    parser.add_argument("--rounds", type=int, default=3, help="of the two in turn")
    asked = parser.parse_args()
    data = open_data(f"scenes?size={asked.side}&train=2&test={asked.images}")
    images = Counted(data.split("test"))
    data = replace(data, splits={**data.splits, "test": images})
    shown = Preprocessing(crop=asked.side, resize=None)
    cards = [
        replace(resolve(name, data.card), preprocessing=shown) for name in ("resnet50@scratch", "resnet101@scratch")
    ]
    store: dict[str, bytes] = {}

    def keep(artifact: Artifact) -> None:
        store[artifact.name] = artifact.content

    bench = Bench(
        contenders=cards,
        data=data,
        options=SimilarityOptions(images=asked.images, control=False),
        seed=0,
        device=CPU,
        stored=lambda *_: (),
        scratch=lambda _: Path(tempfile.gettempdir()),
        flush=lambda: None,
        keep=keep,
        kept=lambda _, name: store.get(name),
    )
    our_seconds, peer_seconds = [], []
    for _ in range(asked.rounds):
        store.clear()
        images.reads.clear()
        start = time.process_time()
        alignment = ours(bench)
        our_seconds.append(time.process_time() - start)
        reads = Counter(images.reads)
        start = time.process_time()
        full, held = whole(bench, images)
        peer_seconds.append(time.process_time() - start)
    found = alignment.cka()
    batch_bytes = held * bench.options.batch // asked.images // len(cards)  # about: the two networks' stages are alike
    gap = np.abs(found - full)
    once = set(reads.values()) == {1} and len(reads) == asked.images
    record(
        name="cka",
        peer="the full batch: features of all images kept, all images compared with each other",
        ratio=min(peer_seconds) / min(our_seconds),
        ratio_is="the peer's processor seconds / ours in the fastest round of each, forward passes included",
        better="higher",
        goal=f"CKA of all stages of both on {asked.images:,} images, each read once, within {NEAR} of the full batch",
        met=once and float(gap.max()) <= NEAR,
        measured={
            "images": asked.images,
            "side in px": asked.side,
            "places compared": len(found),
            "reads of each image, least and most": [min(reads.values()), max(reads.values())],
            "images read": len(reads),
            "our processor seconds, forward passes included": our_seconds,
            "peer's processor seconds, forward passes included": peer_seconds,
            "MiB of features the peer keeps": held / 2**20,
            "MiB of features of one batch of one network, about": batch_bytes / 2**20,
            "largest difference of a CKA from the full batch": float(gap.max()),
            "mean difference": float(gap.mean()),
            "least CKA of two places": float(full.min()),
        },
    )


if __name__ == "__main__":
    main()

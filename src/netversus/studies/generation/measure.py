"""Paint with every contender, restore images from its stages, and let the others say what they see."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.backbone import Backbone, anatomy
from netversus.lab.bench import Bench
from netversus.lab.evaluation import batches, predict
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.lab.synthesis.ascend import ascend, begin
from netversus.lab.synthesis.judge import RandomFeatures, diversity, kernel_distance
from netversus.lab.synthesis.objective import to_pixels
from netversus.lab.synthesis.paint import FAINT, Brush, Subject, generator, paint
from netversus.lab.synthesis.restore import restore, root_mean_square
from netversus.lab.synthesis.strip import from_strip, to_strip
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.generation.files import ASCENT, PROGRESS, painted_file, restored_file

LOOKS = 6  # pictures of the work under way
REAL = 32  # images of a class at most, beside the painted ones
ASCENT_STEPS = 40


def measure(bench: Bench) -> Iterator[Emission]:
    """Pictures first, each batch kept as soon as it is finished; then what is said of them, and the restored images."""
    studio = Studio(bench)
    for number, card in enumerate(bench.contenders):
        yield from studio.painted(card)
        yield from studio.ascended(card)
        yield Progress(number + 1, 2 * len(bench.contenders), noted("contenders have painted"))
    for number, card in enumerate(bench.contenders):
        yield from studio.recognised(card)
        yield from studio.compared(card)
        yield from studio.restored(card)
        yield Progress(
            len(bench.contenders) + number + 1, 2 * len(bench.contenders), noted("contenders judged and restored")
        )


@dataclass
class Studio:
    """The contenders, what they paint, and the images of the data beside which it is held."""

    bench: Bench
    _models: dict[str, nn.Module] = field(default_factory=dict)

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """All pictures, one of each class before the second of any: the statistics of a batch want many classes."""
        options = self.bench.options
        labels = range(min(options.classes, self.bench.classes))
        return tuple(Subject(label, number) for number in range(options.pictures) for label in labels)

    @cached_property
    def groups(self) -> tuple[tuple[Subject, ...], ...]:
        """The pictures that are painted together. One alone has no variance: it is painted with those before."""
        size, all_of_them = self.bench.options.batch, self.subjects
        starts = [start for start in range(0, len(all_of_them), size) if start == 0 or start + 1 < len(all_of_them)]
        ends = [*starts[1:], len(all_of_them)]
        return tuple(all_of_them[start:end] for start, end in zip(starts, ends, strict=True))

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The unit ids of the pictures."""
        classes = self.bench.data.card.classes
        return tuple(f"{classes[one.label]}/{one.number:03d}" for one in self.subjects)

    def model(self, card: ContenderCard) -> nn.Module:
        """The contender's network, in eval mode."""
        if card.name not in self._models:
            self._models[card.name] = self.bench.model(card)
        return self._models[card.name]

    # What is painted

    def painted(self, card: ContenderCard) -> Iterator[Emission]:
        """Paint what is not kept yet."""
        options = self.bench.options
        for number, group in enumerate(self.groups):
            if self.bench.kept(card.name, painted_file(number)) is not None:
                continue
            images = None
            for step, images in enumerate(paint(self.model(card), card, group, Brush(options.steps), self.bench.seed)):
                yield Progress(
                    step + 1,
                    options.steps,
                    noted("steps of {contender} on pictures {n}", contender=card.name, n=number + 1),
                )
                if step % max(1, options.steps // LOOKS) == 0:
                    self.bench.keep(Artifact(PROGRESS, to_strip(to_pixels(images, card.preprocessing)), card.name))
            assert images is not None
            strip = to_strip(to_pixels(images, card.preprocessing))
            self.bench.keep(Artifact(painted_file(number), strip, card.name))

    def pictures(self, card: ContenderCard) -> Tensor:
        """All that the contender painted: uint8, shape (n, 3, crop, crop)."""
        strips = (self.bench.kept(card.name, painted_file(number)) for number in range(len(self.groups)))
        return torch.cat(
            [from_strip(strip or b"", len(group)) for strip, group in zip(strips, self.groups, strict=True)]
        )

    def ascended(self, card: ContenderCard) -> Iterator[Emission]:
        """One picture a class by plain ascent, where the contender was trained adversarially."""
        named = {each.strip() for each in self.bench.options.robust.split(",")}
        if not (named & {card.name, card.spec} or "adversarial" in card.recipe.lower()):
            return
        if self.bench.kept(card.name, ASCENT) is not None:
            return
        subjects = self.subjects[: min(self.bench.options.classes, self.bench.classes)]
        average, spread = self._fitted(card.preprocessing, len(subjects))
        start = begin(average, spread, subjects, self.bench.seed).to(self.bench.device)
        labels = torch.tensor([one.label for one in subjects], device=self.bench.device)
        found = ascend(self.model(card), card, labels, start, ASCENT_STEPS)
        yield Artifact(ASCENT, to_strip(found.mul(255).round().to(torch.uint8).cpu()), card.name)

    def _fitted(self, preprocessing: Preprocessing, classes: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each class's own images in [0, 1], (classes, 3, crop, crop) each."""
        real = self._real(preprocessing)
        if any(len(real.get(label, ())) < 2 for label in range(classes)):
            raise CellError("a class has fewer than two test images: no normal distribution can be fitted to it")
        floats = [real[label].float() / 255 for label in range(classes)]
        return torch.stack([each.mean(0) for each in floats]), torch.stack([each.std(0) for each in floats])

    # What is said of it

    def recognised(self, card: ContenderCard) -> Iterator[Observations]:
        """Which pictures the other contenders take for what they are meant to be, and which the contender itself."""
        if set(self.units) <= set(self.bench.stored(card.name, "recognised_by_itself")):
            return
        pictures = self.pictures(card)
        labels = torch.tensor([one.label for one in self.subjects])
        said = {judge.name: self._answers(judge, pictures) == labels for judge in self.bench.contenders}
        own = said.pop(card.name)
        if said:
            share = torch.stack(list(said.values())).double().mean(0)
            yield Observations(card.name, "recognised", self.units, tuple(share.tolist()))
        yield Observations(card.name, "recognised_by_itself", self.units, tuple(own.double().tolist()))

    def _answers(self, judge: ContenderCard, pictures: Tensor) -> Tensor:
        """What a contender takes each picture for, having been shown it as any other image."""
        images = [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in pictures]
        pixels = torch.stack([to_uint8(image, judge.preprocessing) for image in images]).to(self.bench.device)
        return predict(self.model(judge), normalise(pixels, judge.preprocessing), self.bench.room(judge)).argmax(1)

    def compared(self, card: ContenderCard) -> Iterator[Observations]:
        """The pictures of each class beside its own images, in random features."""
        names = self.bench.data.card.classes
        if self.bench.stored(card.name, "diversity_of_images"):
            return
        features, real = RandomFeatures(), self._real(card.preprocessing)
        pictures, labels = self.pictures(card), np.array([one.label for one in self.subjects])
        seen: dict[str, dict[str, float]] = {"kernel_distance": {}, "diversity": {}, "diversity_of_images": {}}
        for label in np.unique(labels).tolist():
            if len(real.get(label, ())) < 2:
                continue
            painted = _features(features, pictures[torch.from_numpy(labels == label)])
            images = _features(features, real[label])
            seen["kernel_distance"][names[label]] = kernel_distance(painted, images)
            seen["diversity"][names[label]] = diversity(painted)
            seen["diversity_of_images"][names[label]] = diversity(images)
        for metric, values in seen.items():
            yield Observations(card.name, metric, tuple(values), tuple(values.values()))

    def _real(self, preprocessing: Preprocessing) -> dict[int, Tensor]:
        """Some test images of each class as a preprocessing shows them: uint8, shape (n, 3, crop, crop)."""
        images = self.bench.data.split("test")
        order = recorded_shuffle(len(images), self.bench.options.order_seed)
        labels = images.labels[order]
        wanted = [order[labels == label][:REAL] for label in range(min(self.bench.options.classes, self.bench.classes))]
        return {label: self._pixels(index, preprocessing) for label, index in enumerate(wanted) if len(index)}

    def _pixels(self, index: NDArray[np.int64], preprocessing: Preprocessing) -> Tensor:
        shown = batches(
            self.bench.data.split("test"), index, len(index), self.bench.device, preprocessings=[preprocessing]
        )
        return torch.cat([batch.pixels(preprocessing).clone() for batch in shown])

    # What its stages know

    def restored(self, card: ContenderCard) -> Iterator[Emission]:
        """How far the images restored from each stage lie from the true ones; their mean over the stages last."""
        images = self.bench.data.split("test")
        index = recorded_shuffle(len(images), self.bench.options.order_seed)[: self.bench.options.restored]
        ids = tuple(images.ids[i] for i in index)
        if set(ids) <= set(self.bench.stored(card.name, "restored")):
            return
        errors = []
        truth = self._pixels(index, card.preprocessing)
        for stage, strip in self._restored_stages(card, truth):
            errors.append(root_mean_square(from_strip(strip, len(ids)), truth))
            units = tuple(f"{stage}: {one}" for one in ids)
            yield Observations(card.name, "stage_restored", units, tuple(errors[-1]))
            yield Progress(len(errors), len(errors) + 1, noted("stages of {contender}", contender=card.name))
        if errors:
            yield Observations(card.name, "restored", ids, tuple(np.mean(errors, axis=0).tolist()))

    def _restored_stages(self, card: ContenderCard, truth: Tensor) -> Iterator[tuple[str, bytes]]:
        """Each stage's name and the images restored from it, as a strip that is kept."""
        model, side = self.model(card), card.preprocessing.crop
        parts = anatomy(model, torch.zeros(1, 3, side, side, device=self.bench.device))
        backbone = Backbone(model, parts, reduce=lambda maps: maps).eval().requires_grad_(False)
        inputs = normalise(truth.to(self.bench.device), card.preprocessing)
        start = FAINT * torch.randn(inputs.shape, generator=generator("restore", self.bench.seed)).to(inputs)
        for number, stage in enumerate(parts.stages):
            name = noted("stage {n}: {where}", n=number + 1, where=stage.label)
            strip = self.bench.kept(card.name, restored_file(number))
            if strip is None:
                steps = restore(_of(backbone, number), card, inputs, start, self.bench.options.restore_steps)
                found = deque(steps, maxlen=1).pop()
                strip = to_strip(to_pixels(found, card.preprocessing))
                self.bench.keep(Artifact(restored_file(number), strip, card.name))
            yield name, strip


class _of:  # noqa: N801  it stands where `restore` wants a function
    """The maps of one stage."""

    def __init__(self, backbone: Backbone, stage: int) -> None:
        self.backbone, self.stage = backbone, stage

    def __call__(self, images: Tensor) -> Tensor:
        return self.backbone.places(images)[self.stage]


@torch.inference_mode()
def _features(network: RandomFeatures, pictures: Tensor) -> NDArray[np.float64]:
    return np.asarray(network(pictures).double().numpy())

"""Read every contender's features once, ask what they are worth as they are, then adjust the weights and ask again."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netversus.errors import CellError
from netversus.lab.backbone import Backbone, anatomy
from netversus.lab.bench import Bench
from netversus.lab.evaluation import batches, predict
from netversus.lab.features import Shelf, Subset, read_features, subset, widths
from netversus.lab.preprocessing import geometry
from netversus.messages import noted, template
from netversus.records import ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.transfer import SHOTS
from netversus.studies.transfer.neighbours import nearest_class
from netversus.studies.transfer.probe import FEW_SHOT_STRENGTH, Probe, choose_probe, drawn, fit_probe
from netversus.studies.transfer.tuning import FULL, PARTIAL, Tuning

CHECKPOINT_SECONDS = 60.0  # writing one costs seconds for a large contender; at most this much is done twice
HEAD = -1  # the last of the places at which features are read: what the last layer sees


def measure(bench: Bench) -> Iterator[Emission]:
    """Per-image answers of the probe, the neighbours and the adjusted networks; few-shot and layer-wise accuracies."""
    options = bench.options
    train, test = (
        subset(bench, split, recorded_shuffle(len(bench.data.split(split)), options.order_seed)[:count])
        for split, count in (("train", options.train_images), ("test", options.images))
    )
    backbones = {card.name: _backbone(bench, card) for card in bench.contenders}
    frozen = [_frozen(bench, card, backbones[card.name], train, test) for card in bench.contenders]
    for part in (train, test):
        yield from read_features(bench, part, backbones, {each.card.name: each.shelves[part.split] for each in frozen})
    backbones.clear()  # the weights will be wanted anew, once for each way to adjust them
    for number, each in enumerate(frozen):
        yield from each.observe(bench)
        yield Progress(number + 1, len(frozen), noted("contenders probed"))
    yield from _adjusted(bench, frozen)


def _backbone(bench: Bench, card: ContenderCard) -> Backbone:
    model, side = bench.model(card), card.preprocessing.crop
    return Backbone(model, anatomy(model, torch.zeros(1, 3, side, side, device=bench.device))).eval()


def _frozen(bench: Bench, card: ContenderCard, backbone: Backbone, train: Subset, test: Subset) -> Frozen:
    wide, folder = widths(backbone, card, bench.device), bench.scratch(card.name)
    shelves = {part.split: Shelf(folder / f"{part.split}.features", wide) for part in (train, test)}
    stages = tuple(
        noted("stage {n}: {where}", n=i + 1, where=stage.label) for i, stage in enumerate(backbone.parts.stages)
    )
    return Frozen(card, train, test, shelves, stages, bench.options.held_out, bench.seed)


@dataclass
class Frozen:
    """One contender's features and what they are worth. `stages` are unit ids, in the order of the places."""

    card: ContenderCard
    train: Subset
    test: Subset
    shelves: Mapping[str, Shelf]
    stages: tuple[str, ...]
    held_out: float
    seed: int

    def observe(self, bench: Bench) -> Iterator[Emission]:
        """All that needs no more than the features; what is stored is left out."""
        options, test = bench.options, self.test.ids
        if not set(test) <= set(bench.stored(self.card.name, "probe_top1")):
            yield self._seen("probe_strength", ("train",), [self.probe.strength])
            yield self._seen("probe_iterations", ("train",), [self.probe.iterations])
            yield self._seen("probe_top1", test, self._right(self.probe))
        if not set(test) <= set(bench.stored(self.card.name, "knn_top1")):
            train = self.features("train")
            answers = nearest_class(
                train,
                self.train.labels,
                self.features("test"),
                neighbours=options.neighbours,
                temperature=options.temperature,
            )
            yield self._seen("knn_top1", test, answers == self.test.labels)
        yield from self._few_shot(bench.stored(self.card.name, "few_shot_top1"), options.draws)
        yield from self._layer_wise(bench.stored(self.card.name, "stage_top1"))

    def features(self, split: str, place: int = HEAD) -> NDArray[np.float32]:
        """The features of a split at a place, float32, shape (n, width).

        Raises:
            CellError: they are not finite.
        """
        found = self.shelves[split].read(place)
        bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if len(bad):
            ids = (self.train if split == "train" else self.test).ids
            raise CellError(f"{self.card.name} gave NaN or infinite features, first on {ids[bad[0]]}")
        return found

    @cached_property
    def probe(self) -> Probe:
        """The linear probe of what the last layer sees."""
        return self._choose(self.features("train"))

    def _choose(self, features: NDArray[np.float32]) -> Probe:
        return choose_probe(features, self.train.labels, self.train.ids, self.held_out, self.seed)

    def _right(self, probe: Probe, place: int = HEAD) -> NDArray[np.bool_]:
        return np.asarray(probe.predict(self.features("test", place)) == self.test.labels)

    def _few_shot(self, stored: Collection[str], draws: int) -> Iterator[Observations]:
        """The probe after a few images a class, drawn several times, and after all of them."""
        most = int(np.bincount(self.train.labels).max())
        for shots in (shots for shots in SHOTS if shots < most):
            for draw in range(draws):
                unit = _few_shot_unit(shots, draw)
                if unit not in stored:
                    chosen = drawn(self.train.labels, shots, (self.seed, draw))
                    probe = fit_probe(self.features("train")[chosen], self.train.labels[chosen], FEW_SHOT_STRENGTH)
                    yield self._seen("few_shot_top1", (unit,), [self._right(probe).mean()])
        unit = _few_shot_unit(round(len(self.train.ids) / len(np.unique(self.train.labels))), 0)
        if unit not in stored:
            yield self._seen("few_shot_top1", (unit,), [self._right(self.probe).mean()])

    def _layer_wise(self, stored: Collection[str]) -> Iterator[Observations]:
        """A probe of its own for each stage; where the last one is what the last layer sees, it is the same probe."""
        for place, unit in enumerate(self.stages):
            if unit not in stored:
                features = self.features("train", place)
                probe = self.probe if np.array_equal(features, self.features("train")) else self._choose(features)
                yield self._seen("stage_strength", (unit,), [probe.strength])
                yield self._seen("stage_top1", (unit,), [self._right(probe, place).mean()])

    def _seen(self, metric: str, units: Sequence[str], values: Sequence[float] | NDArray[np.bool_]) -> Observations:
        return Observations(self.card.name, metric, tuple(units), tuple(float(value) for value in values))


def _few_shot_unit(shots: int, draw: int) -> str:
    return f"{shots:05d} images a class, draw {draw}"


def _adjusted(bench: Bench, frozen: Sequence[Frozen]) -> Iterator[Emission]:
    """Adjust what has not been answered yet, one network after another, then show the test images to all of them."""
    tunings = [_tuning(bench, each, kind) for each in frozen for kind in (PARTIAL, FULL) if _open(bench, each, kind)]
    if not tunings:
        return
    train, test = frozen[0].train, frozen[0].test
    views = _views(bench, train, {tuning.preprocessing for tuning in tunings if tuning.done < tuning.steps})
    for tuning in tunings:
        yield from _trained(bench, tuning, views.get(geometry(tuning.preprocessing)), train.labels)
    shapes = {tuning.preprocessing for tuning in tunings}
    images, rooms = bench.data.split("test"), {each.card.name: bench.room(each.card) for each in frozen}
    for batch in batches(images, test.index, bench.options.batch, bench.device, preprocessings=shapes):
        for tuning in tunings:
            scores = predict(tuning, batch.inputs(tuning.preprocessing), rooms[tuning.name])
            answers = tuning.probe.classes[scores.argmax(dim=1).numpy()]
            right = (answers == batch.labels) & np.asarray(torch.isfinite(scores).all(dim=1))
            yield Observations(tuning.name, f"{tuning.kind}_top1", batch.ids, tuple(right.astype(float).tolist()))
        yield Progress(batch.stop, len(test.index), noted("images shown to adjusted networks"))


def _open(bench: Bench, each: Frozen, kind: str) -> bool:
    return not set(each.test.ids) <= set(bench.stored(each.card.name, f"{kind}_top1"))


def _tuning(bench: Bench, each: Frozen, kind: str) -> Tuning:
    tuning = Tuning(
        name=each.card.name,
        kind=kind,
        backbone=_backbone(bench, each.card),
        probe=each.probe,
        preprocessing=each.card.preprocessing,
        options=bench.options,
        seed=bench.seed,
        device=bench.device,
    )
    checkpoint = bench.scratch(tuning.name) / f"{kind}.pt"
    if checkpoint.is_file():
        tuning.load(checkpoint)
    return tuning


def _trained(bench: Bench, tuning: Tuning, images: Tensor | None, labels: NDArray[np.int64]) -> Iterator[Progress]:
    """Take the steps that are left, with a checkpoint now and then."""
    if images is None:
        return
    partial = tuning.kind == PARTIAL
    said = template("steps of {contender}, partial") if partial else template("steps of {contender}, finetuned")
    saved = time.monotonic()
    for done in tuning.train(images, labels):
        yield Progress(done, tuning.steps, noted(said, contender=tuning.name))
        if time.monotonic() - saved >= CHECKPOINT_SECONDS:
            tuning.save(bench.scratch(tuning.name) / f"{tuning.kind}.pt")
            saved = time.monotonic()


def _views(bench: Bench, part: Subset, preprocessings: set[Preprocessing]) -> dict[Preprocessing, Tensor]:
    """The images of a subset as each contender sees them, uint8 (n, 3, h, w); those that see the same share them."""
    shapes = {geometry(each) for each in preprocessings}
    if not shapes:
        return {}
    stacks = {s: torch.empty((len(part.index), 3, s.crop, s.crop), dtype=torch.uint8) for s in shapes}
    images = bench.data.split(part.split)
    for batch in batches(images, part.index, bench.options.batch, bench.device, preprocessings=shapes):
        for shape, stack in stacks.items():
            stack[batch.stop - len(batch.ids) : batch.stop] = batch.pixels(shape)
    return stacks

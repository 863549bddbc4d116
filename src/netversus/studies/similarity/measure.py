"""Show each image once to all contenders and their untrained copies; then look at the images on which they disagree,
and at what is lost when single blocks are skipped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.bench import Bench
from netversus.lab.data.dataset import ImageSet
from netversus.lab.evaluation import Batch, batches, predict
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.similarity import alignment, looks
from netversus.studies.similarity.alignment import Alignment, Network
from netversus.studies.similarity.attention import attention, picture, shared
from netversus.studies.similarity.blocks import residual_blocks, skipped
from netversus.studies.similarity.files import BLOCKS
from netversus.studies.similarity.grams import FEWEST, debiased_hsic, gram
from netversus.studies.similarity.onlooker import Onlooker, as_they_are, untrained

SAVED_EVERY = 10.0  # seconds: what a kill can cost


def measure(bench: Bench) -> Iterator[Emission]:
    """Per-image answers alone and together, the alignment of all places, looks, and what each block is worth."""
    comparison = Comparison(bench)
    state = alignment.loaded(bench.kept(comparison.holder, alignment.FILE))
    yield from comparison.read(state)
    yield from comparison.looked()
    yield from comparison.without_blocks()


@dataclass(frozen=True, slots=True)
class _Subject:
    """A network that is compared: a contender's, or its untrained copy."""

    card: ContenderCard
    untrained: bool
    onlooker: Onlooker


@dataclass
class Comparison:
    """All contenders of a cell beside each other."""

    bench: Bench
    _models: dict[str, nn.Module] = field(default_factory=dict)

    @property
    def holder(self) -> str:
        """The contender under whose name is kept what belongs to all."""
        return self.bench.contenders[0].name

    @cached_property
    def images(self) -> ImageSet:
        """The test images."""
        return self.bench.data.split("test")

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The images that are read, in the recorded shuffle."""
        options = self.bench.options
        return recorded_shuffle(len(self.images), options.order_seed)[: options.images]

    @cached_property
    def shapes(self) -> set[Preprocessing]:
        """How the contenders want their images."""
        return {card.preprocessing for card in self.bench.contenders}

    def model(self, card: ContenderCard) -> nn.Module:
        """The contender's network, in eval mode."""
        if card.name not in self._models:
            self._models[card.name] = self.bench.model(card)
        return self._models[card.name]

    # What they say, and how alike their features are

    def read(self, state: Alignment | None) -> Iterator[Emission]:
        """The pass over the images, from where it was interrupted."""
        if state is not None and state.read >= len(self.order):
            return
        subjects = [*self._subjects(untrained_too=self.bench.options.control)]
        state = state or _begun(subjects)
        rest, saved = self.order[state.read :], time.monotonic()
        begin, size = state.read, self.bench.options.batch
        for batch in batches(self.images, rest, size, self.bench.device, preprocessings=self.shapes):
            logits, state = self._compared(subjects, batch, state, begin + batch.stop)
            yield from self._answers(batch, logits)
            if state.read == len(self.order) or time.monotonic() - saved >= SAVED_EVERY:
                self.bench.flush()  # the state takes the answers so far for granted
                self.bench.keep(Artifact(alignment.FILE, alignment.dumped(state), self.holder))
                saved = time.monotonic()
            yield Progress(state.read, len(self.order), noted("images"))

    def _subjects(self, *, untrained_too: bool) -> Iterator[_Subject]:
        for card in self.bench.contenders:
            yield _Subject(card, untrained=False, onlooker=Onlooker(self.bench.model(card), card.preprocessing.crop))
        for card in self.bench.contenders if untrained_too else ():
            model = untrained(self.bench.model(card), self.bench.seed)
            yield _Subject(card, untrained=True, onlooker=Onlooker(model, card.preprocessing.crop))

    def _compared(
        self, subjects: Sequence[_Subject], batch: Batch, state: Alignment, read: int
    ) -> tuple[dict[str, Tensor], Alignment]:
        """What each contender answered, and the state with this batch in it. One network's features at a time are in
        memory: what is kept of them is how much every two images have in common."""
        grams, logits = [], {}
        for subject in subjects:
            features, answer = subject.onlooker.read(
                batch.inputs(subject.card.preprocessing), self.bench.room(subject.card)
            )
            grams += [gram(each).cpu() for each in features]
            if not subject.untrained:
                self._check(subject.card, batch, answer)
                logits[subject.card.name] = answer
        hsic, sizes = state.hsic, state.sizes
        if len(batch.ids) >= FEWEST:
            hsic = np.concatenate([hsic, debiased_hsic(torch.stack(grams)).numpy()[None]])
            sizes = np.append(sizes, len(batch.ids))
        said = torch.stack([each.argmax(1) for each in logits.values()])
        differ = (said != said[0]).any(0).nonzero()[:, 0].tolist()
        disagreed = (*state.disagreed, *(read - len(batch.ids) + row for row in differ))
        return logits, Alignment(state.networks, hsic, sizes, read, disagreed[: self.bench.options.pictures])

    def _check(self, card: ContenderCard, batch: Batch, logits: Tensor) -> None:
        if logits.ndim != 2 or logits.shape[1] < self.bench.classes:
            raise CellError(
                f"{card.name} gave outputs of shape {tuple(logits.shape)} for {len(batch.ids)} images; "
                f"the data need ({len(batch.ids)}, at least {self.bench.classes})"
            )
        bad = (~torch.isfinite(logits)).any(dim=1).nonzero()
        if len(bad):
            raise CellError(f"{card.name} gave NaN or infinite outputs, first on {batch.ids[int(bad[0, 0])]}")

    def _answers(self, batch: Batch, logits: Mapping[str, Tensor]) -> Iterator[Observations]:
        """Each alone, every two together, and all together (the mean of their probabilities)."""
        labels = torch.from_numpy(batch.labels)
        widest = max(each.shape[1] for each in logits.values())
        chances = {name: _widened(each.double().softmax(1), widest) for name, each in logits.items()}
        right = {name: each.argmax(1) == labels for name, each in logits.items()}
        joined = _together(list(chances.values())) == labels
        for name, each in logits.items():
            others = [right[other] for other in right if other != name]
            alone = right[name] & ~torch.stack(others).any(0) if others else right[name]
            seen = {
                "top1": right[name],
                "confidence": chances[name].max(1).values,
                "predicted": each.argmax(1),
                "alone_right": alone,
                "joined_gain": joined.double() - right[name].double(),
            }
            for metric, values in seen.items():
                yield Observations(name, metric, batch.ids, tuple(values.double().tolist()))
        for a, b in combinations(logits, 2):
            pair = _together([chances[a], chances[b]]) == labels
            units = tuple(f"{b}: {one}" for one in batch.ids)
            yield Observations(a, "pair_top1", units, tuple(pair.double().tolist()))

    # Where they look

    def looked(self) -> Iterator[Emission]:
        """The first images on which they disagree, with where each looks."""
        state = alignment.loaded(self.bench.kept(self.holder, alignment.FILE))
        if state is None or not state.disagreed or self.bench.kept(self.holder, looks.FILE) is not None:
            return
        index = self.order[list(state.disagreed)]
        (batch,) = batches(self.images, index, len(index), self.bench.device, preprocessings=self.shapes)
        maps, scenes = {}, [dict[str, looks.Look]() for _ in index]
        for card in self.bench.contenders:
            onlooker = Onlooker(self.bench.model(card), card.preprocessing.crop, as_they_are)
            maps[card.name], logits = attention(onlooker, batch.inputs(card.preprocessing))
            sure, said = logits.softmax(1).max(1)
            for row, pixels in enumerate(batch.pixels(card.preprocessing)):
                shown = picture(pixels, maps[card.name][row])
                scenes[row][card.name] = looks.Look(int(said[row]), float(sure[row]), shown)
        first = self.bench.contenders[0].preprocessing
        found = tuple(
            looks.Scene(unit, int(batch.labels[row]), picture(batch.pixels(first)[row]), scenes[row])
            for row, unit in enumerate(batch.ids)
        )
        yield Artifact(looks.FILE, looks.dumped(looks.Looks(found, tuple(_overlaps(maps)))), self.holder)

    # What a block is worth

    def without_blocks(self) -> Iterator[Emission]:
        """Whether each contender is right on each image while single blocks are skipped, an image decoded once."""
        index = self.order[: self.bench.options.block_images]
        if not len(index):
            return
        blocks = {}
        for card in self.bench.contenders:
            blocks[card.name] = residual_blocks(self.model(card), card.preprocessing.crop)
            yield Artifact(BLOCKS, json.dumps(_told(blocks[card.name])).encode(), card.name)
        for batch in batches(
            self.images, index, self.bench.options.batch, self.bench.device, preprocessings=self.shapes
        ):
            for card in self.bench.contenders:
                if blocks[card.name] and not set(batch.ids) <= set(self.bench.stored(card.name, "block_loss")):
                    yield from self._without(card, batch, blocks[card.name])
            yield Progress(batch.stop, len(index), noted("images shown with blocks skipped"))

    def _without(self, card: ContenderCard, batch: Batch, blocks: Sequence[str]) -> Iterator[Observations]:
        model, inputs, labels = self.model(card), batch.inputs(card.preprocessing), torch.from_numpy(batch.labels)
        room, right = self.bench.room(card), []
        whole = predict(model, inputs, room).argmax(1) == labels
        for block in blocks:
            with skipped(model, block):
                right.append(predict(model, inputs, room).argmax(1) == labels)
            units = tuple(f"{block}: {one}" for one in batch.ids)
            yield Observations(card.name, "skipped_top1", units, tuple(right[-1].double().tolist()))
        loss = whole.double() - torch.stack(right).double().mean(0)
        yield Observations(card.name, "whole_top1", batch.ids, tuple(whole.double().tolist()))
        yield Observations(card.name, "block_loss", batch.ids, tuple(loss.tolist()))


def _begun(subjects: Sequence[_Subject]) -> Alignment:
    """Nothing read yet."""
    networks, first = [], 0
    for subject in subjects:
        networks.append(Network(subject.card.name, subject.untrained, first, subject.onlooker.labels))
        first += len(subject.onlooker.labels)
    return Alignment(tuple(networks), np.empty((0, first, first)), np.empty(0), 0, ())


def _widened(chances: Tensor, width: int) -> Tensor:
    """Probabilities with further classes that were given none."""
    return nn.functional.pad(chances, (0, width - chances.shape[1]))


def _together(chances: Sequence[Tensor]) -> Tensor:
    """The first answer of the mean of several probabilities."""
    return torch.stack(list(chances)).mean(0).argmax(1)


def _overlaps(maps: Mapping[str, Tensor]) -> Iterator[tuple[str, str, float, float | None]]:
    """For every two contenders how much of their attention lies in the same places, on the same image and on others."""
    for a, b in combinations(maps, 2):
        found = np.array([[shared(one, other) for other in maps[b]] for one in maps[a]])
        apart = ~np.eye(len(found), dtype=bool)
        yield a, b, float(np.diagonal(found).mean()), float(found[apart].mean()) if len(found) > 1 else None


def _told(blocks: Sequence[str]) -> Mapping[str, object]:
    """The blocks that are skipped, or why none is."""
    reason = "" if blocks else noted("it has no residual block that hands on what it was given, in the same shape")
    return {"blocks": list(blocks), "reason": reason}

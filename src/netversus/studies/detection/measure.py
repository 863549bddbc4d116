"""Train a detector on each contender, or take the detections that it brings, and match them to what there is."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from netversus.lab.bench import Bench
from netversus.lab.contenders.load import load
from netversus.lab.contenders.spec import parse
from netversus.lab.data.annotated import FrameSet
from netversus.lab.detection.ask import detect
from netversus.lab.detection.found import Found, as_results, categories_of, from_results, read_results
from netversus.lab.detection.judge import Truth, match
from netversus.lab.detection.own import Lessons, own_detector
from netversus.lab.detection.pictures import Pictures
from netversus.lab.detection.ready import is_ready, ready
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.detection import ALBUM, DETECTIONS, MATCHES, TRUTH
from netversus.studies.detection.album import Pages, dumped

ASKED = 8  # pictures at once


def measure(bench: Bench) -> Iterator[Emission]:
    """The detections of every contender on the same pictures, matched; then how long each whole detector takes."""
    room = Room(bench)
    detectors: dict[str, nn.Module] = {}
    for number, card in enumerate(bench.contenders):
        if card.source != "results":
            detectors[card.name] = yield from _detector(room, card)
        yield Progress(number + 1, 2 * len(bench.contenders), noted("detectors ready"))
    for number, card in enumerate(bench.contenders):
        yield from _detections(room, card, detectors.get(card.name))
        yield Progress(len(bench.contenders) + number + 1, 2 * len(bench.contenders), noted("contenders asked"))
    yield from _timed(bench, room, detectors)


@dataclass
class Room:
    """What all contenders share: the pictures, decoded once, and what there is on them."""

    bench: Bench

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the box classes."""
        return self.bench.data.card.box_classes

    @cached_property
    def test(self) -> Pictures:
        """The test pictures."""
        return Pictures(self.bench.data.frames["test"])

    @cached_property
    def lessons(self) -> Lessons:
        """What the detectors learn from."""
        data = self.bench.data
        return Lessons(data.frames.get("train"), self.classes, self.bench.options.side, data.card.name)

    @cached_property
    def asked(self) -> tuple[int, ...]:
        """The test pictures that are judged, in the order of their unit ids: equal scores are ranked by it."""
        frames, options = self.bench.data.frames["test"], self.bench.options
        chosen = recorded_shuffle(len(frames), options.order_seed)[: options.pictures]
        return tuple(sorted((int(index) for index in chosen), key=frames.ids.__getitem__))

    @cached_property
    def truth(self) -> Truth:
        """What there is on them."""
        frames: FrameSet = self.bench.data.frames["test"]
        boxes = [frames.boxes(index) for index in self.asked]
        return Truth(tuple(frames.ids[index] for index in self.asked), self.classes, boxes)


def _detector(room: Room, card: ContenderCard) -> Generator[Emission, None, nn.Module]:
    """The contender's detector: as it comes, or on its network, trained here."""
    bench = room.bench
    if is_ready(card):
        return ready(card, room.classes).to(bench.device).eval()
    # What the run trained has its head for images, which is left aside like that of any other backbone.
    model = bench.model(card) if card.name in bench.weights else load(card, classes=0, seed=bench.seed)
    return (yield from own_detector(bench, card, model, bench.options, room.lessons))


def _detections(room: Room, card: ContenderCard, detector: nn.Module | None) -> Iterator[Emission]:
    """What the contender finds, stored as it says it, matched, and with some pictures to look at."""
    frames, classes = room.test.frames, len(room.classes)
    kept = room.bench.kept(card.name, DETECTIONS)
    if detector is None:
        every = read_results(Path(parse(card.spec).target).expanduser(), frames, classes)
        results = as_results(frames, classes, {index: every[index] for index in room.asked})
    elif kept is not None:
        results = json.loads(kept)
    else:
        said: dict[int, Found] = {}
        for start in range(0, len(room.asked), ASKED):
            indices = room.asked[start : start + ASKED]
            shown = room.test.shown(indices, room.bench.device)
            said |= zip(indices, detect(detector, shown, card.name), strict=True)
            yield Progress(len(said), len(room.asked), noted("pictures shown to {contender}", contender=card.name))
        results = as_results(frames, classes, said)
    yield Artifact(DETECTIONS, json.dumps(results).encode(), card.name)
    # From the file as it is stored, so that everything can be derived from it again to the last digit.
    every = from_results(results, card.name, frames, classes)
    yield from _judged(room, card, [every[index] for index in room.asked])


def _judged(room: Room, card: ContenderCard, found: Sequence[Found]) -> Iterator[Emission]:
    frames, classes = room.test.frames, len(room.classes)
    numbers = [frames.numbers[index] for index in room.asked]
    truth = room.truth.as_coco(numbers, categories_of(frames, classes))
    yield Artifact(TRUTH, json.dumps(truth).encode(), card.name)
    yield Artifact(MATCHES, match(room.truth, found).dumped(), card.name)
    yield Artifact(ALBUM, dumped(Pages(frames, room.asked, room.truth, found)), card.name)
    units = room.truth.units
    yield Observations(card.name, "objects", units, tuple(map(float, room.truth.objects)))
    yield Observations(card.name, "detections", units, tuple(float(len(one)) for one in found))


def _timed(bench: Bench, room: Room, detectors: Mapping[str, nn.Module]) -> Iterator[Emission]:
    """Seconds that each detector takes for a picture, from its pixels to its boxes; they take turns on each picture."""
    indices = room.asked[: bench.options.timed]
    cards = [card for card in bench.contenders if card.name in detectors]
    for number, index in enumerate(indices):
        turn = number % len(cards) if cards else 0
        for card in (*cards[turn:], *cards[:turn]):
            images = room.test.shown([index], bench.device)
            if number == 0:  # the first call sets up what the others use again
                detect(detectors[card.name], images, card.name)
            unit = room.test.frames.ids[index]
            yield Observations(card.name, "detector_time", (unit,), (_seconds(bench, detectors[card.name], images),))


def _seconds(bench: Bench, detector: nn.Module, images: Sequence[torch.Tensor]) -> float:
    begin = time.perf_counter()
    detect(detector, images)  # brings the boxes to the CPU, and so waits for them
    if bench.device.type == "cuda":
        torch.cuda.synchronize(bench.device)
    return time.perf_counter() - begin

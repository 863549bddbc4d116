"""The way of an image, timed a part at a time on some of the user's own: from its bytes to the network's answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from PIL import Image
from torch import Tensor

from netversus.errors import NetversusError, UnreadableError
from netversus.lab.bench import Bench
from netversus.lab.data.dataset import ImageSet
from netversus.lab.data.decode import decode
from netversus.lab.devices import out_of_memory
from netversus.lab.pipeline.transfer import Transfer
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.lab.timing.stopwatch import undisturbed
from netversus.lab.timing.turns import turns
from netversus.messages import noted, template
from netversus.records import ContenderCard
from netversus.statistics.order import recorded_shuffle
from netversus.studies.speed import WAY_IMAGES, WAY_REPETITIONS
from netversus.studies.speed.rig import Contender, Rig
from netversus.studies.speed.step import DECODE, MOVE, NETWORK, NORMALISE, READ, RESIZE, Way

T = TypeVar("T")

TEST = "test"
MOST_SECONDS = 5.0  # of the first repetition: of large pictures fewer are taken
MEGAPIXELS = 178.0  # the most that any kind of data allows; its own limit was kept when it was opened
WITHOUT = template("Where the time of an image goes was not measured: {reason}.")


def way(bench: Bench, rig: Rig) -> Way | None:
    """Each part of the way of the data's own images, or None where they are drawn and not decoded, or cannot be read
    alone. What goes wrong is a note of the rig: the timing blocks stand without it."""
    images = bench.data.splits.get(TEST)
    if images is None:
        return None
    try:
        with undisturbed():
            cards = {card.name: card for card in bench.contenders}
            return _timed(_Walk(images, rig, cards, Transfer(rig.watch.device, keep=len(cards))))
    except NetversusError as error:
        rig.notes.append(noted(WITHOUT, reason=error.message))
    except Exception as error:
        if not out_of_memory(error):
            raise
        rig.notes.append(noted(WITHOUT, reason=noted("memory ran out")))
    return None


def _timed(walk: _Walk) -> Way | None:
    some = walk.first(WAY_IMAGES)
    if not some:
        return None
    for repetition in range(1, 1 + WAY_REPETITIONS):
        walk.begin()
        for index in some:
            walk.alone(index, repetition)
    for repetition in range(1 + WAY_REPETITIONS):
        walk.together(repetition)
    return Way(
        images=len(some),
        batch=walk.rig.batch,
        shared={part: _rows(walk.shared[part]) for part in (READ, DECODE)},
        contenders={name: {part: _rows(rows) for part, rows in parts.items()} for name, parts in walk.own.items()},
    )


def _rows(seconds: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, seconds))


@dataclass
class _Walk:
    """The images of a split on their way. `shared` and `own` gather the seconds, as in `Way`; `pixels` what each
    contender is shown of the images, from the last repetition. `transfer` gives the same memory again, as it does in an
    evaluation: fresh memory costs more than what is written to it."""

    images: ImageSet
    rig: Rig
    cards: dict[str, ContenderCard]
    transfer: Transfer
    shared: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    own: dict[str, dict[str, list[list[float]]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    pixels: dict[str, list[Tensor]] = field(default_factory=dict)

    def first(self, most: int) -> list[int]:
        """The first repetition, which tells which images there are: as many of the recorded order as can be read and
        fit the time, `most` at most. None where the data have no bytes to decode."""
        self.begin()
        order = recorded_shuffle(len(self.images), 0)
        some: list[int] = []
        deadline = self.rig.watch.mark() + MOST_SECONDS * 1e9
        for index in map(int, order):
            if len(some) == most or self.rig.watch.mark() > deadline or self.images.content(index) is None:
                break
            with suppress(UnreadableError):  # data that were not looked at when they were opened
                self.images.image(index)
                self.alone(index, 0)
                some.append(index)
        return some

    def begin(self) -> None:
        """Another repetition of what is done with one image after another."""
        for part in (READ, DECODE):
            self.shared[part].append([])
        for contender in self.rig.contenders:
            self.own[contender.name][RESIZE].append([])
            self.pixels[contender.name] = []

    def alone(self, index: int, repetition: int) -> None:
        """One image from its bytes to each contender's pixels."""
        content = self._timed(self.shared[READ], partial(self.images.content, index))
        assert content is not None
        image = self._timed(self.shared[DECODE], partial(_decoded, content))
        for contender in self._in_turns(repetition):
            preprocessing = self.cards[contender.name].preprocessing
            seconds = self.own[contender.name][RESIZE]
            self.pixels[contender.name].append(self._timed(seconds, partial(to_uint8, image, preprocessing)))

    def together(self, repetition: int) -> None:
        """A batch of them from each contender's pixels to its answers; where they are fewer than a batch they come
        again."""
        for contender in self._in_turns(repetition):
            preprocessing, seconds = self.cards[contender.name].preprocessing, self.own[contender.name]
            several = self.pixels[contender.name]
            host = self.transfer.host((self.rig.batch, *several[0].shape))
            for place, row in enumerate(host):
                row.copy_(several[place % len(several)])
            pixels = self._moved(host, seconds)
            floats = self.transfer.floats(tuple(pixels.shape))
            self._add(seconds[NORMALISE], partial(normalise, pixels, preprocessing, floats))
            self._add(seconds[NETWORK], partial(contender.model, floats))

    def _moved(self, host: Tensor, seconds: dict[str, list[list[float]]]) -> Tensor:
        if self.transfer.device.type == "cpu":
            return host
        return self._add(seconds[MOVE], lambda: self.transfer.start(host).wait())

    def _in_turns(self, repetition: int) -> tuple[Contender, ...]:
        return turns(self.rig.contenders, repetition)[: len(self.rig.contenders)]

    def _add(self, seconds: list[list[float]], work: Callable[[], T]) -> T:
        """Work on a whole batch: a repetition of its own."""
        seconds.append([])
        return self._timed(seconds, work)

    def _timed(self, seconds: list[list[float]], work: Callable[[], T]) -> T:
        """The work's result; its seconds are added to the last repetition."""
        made: list[T] = []
        seconds[-1].append(self.rig.watch.seconds(lambda: made.append(work())))
        return made[0]


def _decoded(content: bytes) -> Image.Image:
    return decode(content, suffix="", megapixels=MEGAPIXELS).image

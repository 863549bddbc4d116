"""How far a fast method's pixels are from the exact ones on the user's own images, and whether it may be used.

Two gates, both on the first images of the recorded order: the mean absolute difference of the pixels, and how many
first answers of the contenders change. What is tried, in which order and on which images is fixed, so that the same
data on the same installation always choose the same method: a resumed run goes on with the pixels it began with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netversus.lab.data.dataset import ImageSet, readable
from netversus.lab.pipeline.method import EXACT, Method, fast_methods
from netversus.lab.pipeline.source import Source
from netversus.lab.preprocessing import geometry
from netversus.records import Preprocessing

PROBED = 64
MEAN_TOLERANCE = 0.5  # levels of 255: as much as rounding to a level can be off
FLIP_TOLERANCE = 0.0

Answers = Callable[[Tensor, Preprocessing], Tensor]
"""First answers to uint8 pixels of shape (n, 3, crop, crop), prepared as the preprocessing says: int64, shape (n,)."""


@dataclass(frozen=True)
class Parity:
    """One method beside the exact one, over the first `images` images and all the preprocessings.

    `mean` and `most` are the mean and the largest absolute difference of a pixel's value, in levels of 255;
    `seconds` and `exact_seconds` what an image takes on one thread; `flips` how many first answers changed, by
    contender.
    """

    method: Method
    images: int
    mean: float
    most: int
    seconds: float
    exact_seconds: float
    flips: Mapping[str, int] = field(default_factory=dict)

    def within(self, mean: float, flips: float) -> bool:
        """Whether it agrees with the exact method as well as is asked."""
        return self.mean <= mean and all(count <= flips * self.images for count in self.flips.values())

    def record(self) -> dict[str, Any]:
        """As it is stored with a run."""
        return {**asdict(self), "method": self.method.label, "flips": dict(self.flips)}

    def __str__(self) -> str:
        """One line for people."""
        changed = "".join(f"; {name}: {count} first answers changed" for name, count in self.flips.items())
        return (
            f"{self.method.label}: {self.exact_seconds / self.seconds:.2g} times as fast as exact; on {self.images} "
            f"images pixels differ by {self.mean:.2g} of 255 on average, {self.most} at most{changed}"
        )


def choose(
    images: ImageSet,
    order: NDArray[np.int64],
    preprocessings: Iterable[Preprocessing],
    *,
    methods: Sequence[Method] | None = None,
    answers: Mapping[str, tuple[Preprocessing, Answers]] | None = None,
    probed: int = PROBED,
    mean: float = MEAN_TOLERANCE,
    flips: float = FLIP_TOLERANCE,
) -> tuple[Method, tuple[Parity, ...]]:
    """The first of the methods that agrees with the exact one, else the exact one; and what was measured.

    Args:
        images: the split that will be evaluated.
        order: the recorded order; the first `probed` of it are compared.
        preprocessings: those of the contenders.
        methods: from the fastest on; None: `fast_methods()`.
        answers: by contender, for the gate on flips; without it pixels alone decide.
        probed: how many images are compared.
        mean: the largest mean absolute difference that is tolerated, in levels of 255.
        flips: the largest share of first answers of a contender that may change.
    """
    shapes = tuple(dict.fromkeys(geometry(each) for each in preprocessings))
    tried: list[Parity] = []
    some = readable(images, order, probed)
    for method in fast_methods() if methods is None else methods:
        tried.append(_compare(images, some, shapes, method, answers or {}))
        if tried[-1].within(mean, flips):
            return method, tuple(tried)
    return EXACT, tuple(tried)


def _compare(
    images: ImageSet,
    order: NDArray[np.int64],
    shapes: Sequence[Preprocessing],
    method: Method,
    answers: Mapping[str, tuple[Preprocessing, Answers]],
) -> Parity:
    exact, fast = (_Probe(images, len(order), shapes, each) for each in (EXACT, method))
    with closing(exact.source), closing(fast.source):
        for place, index in enumerate(order):  # image by image in turns: a busy moment slows both
            for probe in (exact, fast) if place % 2 else (fast, exact):
                probe.take(place, int(index))
    differences = [(a.short() - b.short()).abs() for a, b in zip(exact.pixels, fast.pixels, strict=True)]
    return Parity(
        method=method,
        images=len(order),
        mean=float(np.mean([float(each.double().mean()) for each in differences])),
        most=max(int(each.max()) for each in differences),
        seconds=float(np.median(fast.seconds)),
        exact_seconds=float(np.median(exact.seconds)),
        flips={
            name: int((answer(exact.shown(wants), wants) != answer(fast.shown(wants), wants)).sum())
            for name, (wants, answer) in answers.items()
        },
    )


class _Probe:
    """What one method makes of the probed images, and how long it takes for each."""

    def __init__(self, images: ImageSet, count: int, shapes: Sequence[Preprocessing], method: Method) -> None:
        self.source = Source(images, shapes, method, cache=None)
        self.pixels = [torch.empty((count, 3, each.crop, each.crop), dtype=torch.uint8) for each in shapes]
        self.seconds: list[float] = []

    def take(self, place: int, index: int) -> None:
        begin = time.perf_counter()
        self.source.fill(index, [each[place] for each in self.pixels])
        self.seconds.append(time.perf_counter() - begin)

    def shown(self, preprocessing: Preprocessing) -> Tensor:
        return self.pixels[self.source.shapes.index(geometry(preprocessing))]

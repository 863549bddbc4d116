"""Train the attacked network and its shadows, and attack it: was it trained on this image?"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.bench import Bench
from netversus.lab.from_scratch import Lesson, forgotten, said, taught
from netversus.lab.membership import confidence, half, likelihood_ratios, shadow_halves
from netversus.lab.training.judge import pixels
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.privacy import pool, steps

TARGET = "target"
FEWEST_IMAGES = 4
_OWN_SEEDS = 1000  # more than there are shadows: those of two seeds of a run do not meet
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Images:
    """The images that are used as one preprocessing shows them, uint8 (n, 3, h, w), and the test split."""

    ids: tuple[str, ...]
    images: Tensor
    labels: NDArray[np.int64]
    test_ids: tuple[str, ...]
    test: Tensor
    test_labels: NDArray[np.int64]


@dataclass(frozen=True)
class Training:
    """The network that is attacked (`number` 0), or a shadow: which images it learns from, bool (n,)."""

    name: str
    number: int
    inside: NDArray[np.bool_]


@dataclass(frozen=True)
class Said:
    """What a network said: its confidence in every image, float64 (n,); whether it was right, 1 or 0, (n,), and on the
    test split, (m,), float64."""

    confidence: Array
    right: Array
    right_on_test: Array


def measure(bench: Bench) -> Iterator[Emission]:
    """The attack on each contender. All contenders learn from the same halves.

    Raises:
        CellError: too few train images to divide them.
    """
    shown = {p: _images(bench, p) for p in dict.fromkeys(card.preprocessing for card in bench.contenders)}
    total = (1 + bench.options.shadows) * len(bench.contenders)
    for place, card in enumerate(bench.contenders):
        images = shown[card.preprocessing]
        trainings = _trainings(bench, images.ids)
        heard = []
        for number, training in enumerate(trainings):
            done = place * len(trainings) + number
            heard.append((yield from _said(bench, card, training, images, done, total)))
        yield from _attacked(card, trainings, heard, images)


def _images(bench: Bench, preprocessing: Preprocessing) -> Images:
    train, test = bench.data.split("train"), bench.data.split("test")
    if pool(bench.options, len(train)) < FEWEST_IMAGES:
        raise CellError(f"the train split has {len(train)} images, too few to learn from half of them")
    index = recorded_shuffle(len(train), 0)[: pool(bench.options, len(train))]
    return Images(
        ids=tuple(train.ids[i] for i in index),
        images=pixels(train, preprocessing, index),
        labels=train.labels[index],
        test_ids=test.ids,
        test=pixels(test, preprocessing),
        test_labels=test.labels,
    )


def _trainings(bench: Bench, ids: tuple[str, ...]) -> tuple[Training, ...]:
    halves = shadow_halves(ids, bench.seed, bench.options.shadows)
    shadows = (Training(f"shadow-{n}", n, inside) for n, inside in enumerate(halves, 1))
    return (Training(TARGET, 0, half(ids, bench.seed, TARGET)), *shadows)


def _said(
    bench: Bench, card: ContenderCard, training: Training, images: Images, done: int, total: int
) -> Generator[Progress, None, Said]:
    """What a network said once it was trained; what is kept is not trained again."""
    kept = bench.kept(card.name, f"{training.name}.npz")
    if kept is None:
        chosen = np.flatnonzero(training.inside)
        count = steps(bench.options, len(bench.data.split("train")))
        seed = bench.seed if training.number == 0 else _OWN_SEEDS * (bench.seed + 1) + training.number
        lesson = Lesson(training.name, images.images[torch.from_numpy(chosen)], images.labels[chosen], seed, count)
        model = yield from _told(taught(bench, card, lesson, bench.options), count, done, total)
        said_of = _ask(bench, card, model, images)
        bench.keep(Artifact(f"{training.name}.npz", _packed(said_of), card.name))
        forgotten(bench, card, training.name)
    else:
        said_of = _unpacked(kept)
    yield Progress(done + 1, total, noted("trainings"))
    return said_of


def _told(
    training: Generator[int, None, nn.Module], count: int, done: int, total: int
) -> Generator[Progress, None, nn.Module]:
    """A training whose steps are told as progress."""
    while True:
        try:
            step = next(training)
        except StopIteration as end:
            model: nn.Module = end.value
            return model
        yield Progress(done + step / (count + 1), total, noted("trainings"))


def _ask(bench: Bench, card: ContenderCard, model: nn.Module, images: Images) -> Said:
    logits, test = said(bench, card, model, images.images), said(bench, card, model, images.test)
    return Said(
        confidence=confidence(logits, images.labels),
        right=(logits.argmax(dim=1).numpy() == images.labels).astype(np.float64),
        right_on_test=(test.argmax(dim=1).numpy() == images.test_labels).astype(np.float64),
    )


def _packed(said_of: Said) -> bytes:
    file = io.BytesIO()
    np.savez(file, confidence=said_of.confidence, right=said_of.right, right_on_test=said_of.right_on_test)
    return file.getvalue()


def _unpacked(content: bytes) -> Said:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Said(arrays["confidence"], arrays["right"], arrays["right_on_test"])


def _attacked(
    card: ContenderCard, trainings: tuple[Training, ...], heard: list[Said], images: Images
) -> Iterator[Observations]:
    """Two scores for each image, the higher the likelier a member, and whether it is one.

    `outlier` is what the area under the curve calls the kind that is sought: 1 for a member. The loss, log(1 +
    exp(-c)), falls with the confidence c, so that the confidence ranks as the negative loss does. Without a preference
    for either, LiRA guesses `member` where its log likelihood ratio is above 0.
    """
    target, member = heard[0], trainings[0].inside
    shadows = np.array([each.confidence for each in heard[1:]])
    ratios = likelihood_ratios(target.confidence, shadows, np.array([each.inside for each in trainings[1:]]))
    seen = {
        "membership_lira": ratios,
        "membership_loss": target.confidence,
        "outlier": member,
        "member_told": (ratios > 0) == member,
        "right": target.right,
    }
    for metric, values in seen.items():
        yield Observations(card.name, metric, images.ids, tuple(np.asarray(values, dtype=np.float64).tolist()))
    yield Observations(card.name, "right_on_test", images.test_ids, tuple(target.right_on_test.tolist()))

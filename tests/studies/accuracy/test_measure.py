"""The accuracy study's own gates: pixels that change an answer, numbers that are none, memory that runs out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from made_images import Files, encoded, noise, smooth
from netversus.errors import CellError
from netversus.records import Artifact, ContenderCard, DataCard, Emission, Observations, Preprocessing
from netversus.studies.accuracy import AccuracyOptions
from netversus.studies.accuracy.measure import measure
from netversus.studies.accuracy.running import DECODING, MEMORY

SHOWN = Preprocessing(crop=64, resize=73)
MakeBench = Callable[..., SimpleNamespace]


class Steady(nn.Module):
    """Gives every image the same answer."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.eye(10)[torch.zeros(len(images), dtype=torch.long)]


class Fickle(nn.Module):
    """Gives another answer to the least change of the pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.eye(10)[(images.double().sum((1, 2, 3)) * 255).round().long() % 10]


class Broken(nn.Module):
    """Its second layer divides by zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Conv2d(4, 10, 3)
        self.second.weight.data[3] = float("inf")

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(images)).mean((2, 3))


class Crowded(Steady):
    """Has room for few images at once."""

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(images)


@pytest.fixture
def bench(make_card: Callable[..., ContenderCard], data_card: DataCard) -> MakeBench:
    def make(pictures: Sequence[Image.Image], *, kept: dict[str, bytes] | None = None, **nets: nn.Module):
        images = Files([encoded(picture, quality=95) for picture in pictures])
        stored: dict[str, bytes] = dict(kept or {})
        return SimpleNamespace(
            contenders=[make_card(name, preprocessing=SHOWN) for name in nets],
            options=AccuracyOptions(exact=False, batch=4),
            device=torch.device("cpu"),
            data=SimpleNamespace(split=lambda _: images, card=data_card),
            ready=lambda card: nets[card.name].eval(),
            model=lambda card: nets[card.name].eval(),
            stored=lambda *_: (),
            kept=lambda _, name: stored.get(name),
            keep=lambda artifact: stored.update({artifact.name: artifact.content}),
            enough=lambda: False,
            left=stored,
        )

    return make


def photos() -> Iterator[Image.Image]:
    return (smooth(seed, (400, 300)) for seed in range(8))


def seen(emissions: Sequence[Emission]) -> list[Observations]:
    return [each for each in emissions if isinstance(each, Observations)]


def test_images_are_decoded_fast_where_no_contender_answers_otherwise(bench: MakeBench):
    made = bench(list(photos()), A=Steady(), B=Steady())
    assert seen(list(measure(made)))
    told = json.loads(made.left[DECODING])
    assert told["method"].startswith("fast: ")
    assert told["tried"][-1]["flips"] == {"A": 0, "B": 0}
    assert 0 < told["tried"][-1]["mean"] <= told["mean"] == 0.5


def test_one_contender_that_answers_otherwise_brings_the_exact_pixels_to_all(bench: MakeBench):
    made = bench(list(photos()), A=Steady(), B=Fickle())
    list(measure(made))
    told = json.loads(made.left[DECODING])
    assert told["method"] == "exact"
    assert all(each["flips"]["A"] == 0 < each["flips"]["B"] for each in told["tried"])


def test_an_interrupted_cell_goes_on_with_the_pixels_that_it_began_with(bench: MakeBench):
    begun = json.dumps({"method": "exact", "mean": 0.5, "tried": []}).encode()
    made = bench(list(photos()), kept={DECODING: begun}, A=Steady())
    list(measure(made))
    assert made.left[DECODING] == begun


def test_outputs_that_are_no_numbers_name_the_image_and_the_layer(bench: MakeBench):
    made = bench([noise(0, (100, 80))], A=Broken())
    made.options = AccuracyOptions()
    with pytest.raises(CellError, match=r"A gave NaN or infinite outputs, first on .*, from second$"):
        list(measure(made))


def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_told(bench: MakeBench):
    made = bench([noise(seed, (80, 80)) for seed in range(6)], A=Crowded(), B=Steady())
    made.options = AccuracyOptions()
    emissions = list(measure(made))
    told = {each.contender: each.content for each in emissions if isinstance(each, Artifact) and each.name == MEMORY}
    assert told == {"A": b"[64, 32]"}
    tops = {each.contender: each.values for each in seen(emissions) if each.metric == "top1"}
    assert tops["A"] == tops["B"]
    assert len(tops["A"]) == 6

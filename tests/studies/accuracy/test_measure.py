"""The accuracy study's own gates: pixels that change an answer, numbers that are none, memory that runs out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18

from made_images import Files, encoded, noise, smooth
from netversus.errors import CellError, DataError, UnreadableError
from netversus.lab import evaluation
from netversus.lab.bench import Bench
from netversus.lab.engines import get_engine
from netversus.lab.pipeline.decoders import Pillow
from netversus.lab.pipeline.method import Method
from netversus.lab.shortage import MEMORY_FILE
from netversus.records import Artifact, ContenderCard, DataCard, Emission, Observations, Preprocessing
from netversus.studies.accuracy import AccuracyOptions
from netversus.studies.accuracy.measure import METRICS, measure
from netversus.studies.accuracy.running import CACHE, DECODING

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
    def make(
        pictures: Sequence[Image.Image],
        *,
        kept: dict[tuple[str, str], bytes] | None = None,
        shown: Preprocessing = SHOWN,
        **nets: nn.Module,
    ) -> SimpleNamespace:
        images = Files([encoded(picture, quality=95) for picture in pictures])
        left = dict(kept or {})
        made = SimpleNamespace(
            contenders=[make_card(name, preprocessing=shown) for name in nets],
            options=AccuracyOptions(exact=False, batch=4),
            device=torch.device("cpu"),
            data=SimpleNamespace(split=lambda _: images, card=data_card),
            ready=lambda card: nets[card.name].eval(),
            model=lambda card: nets[card.name].eval(),
            stored=lambda *_: (),
            kept=lambda contender, name: left.get((contender, name)),
            keep=lambda artifact: left.update({(artifact.contender, artifact.name): artifact.content}),
            enough=lambda: False,
            left=left,
            images=images,
            _rooms={},
        )
        made._keep_room = partial(Bench._keep_room, made)
        made.room = partial(Bench.room, made)
        return made

    return make


def photos() -> Iterator[Image.Image]:
    return (smooth(seed, (400, 300)) for seed in range(8))


def seen(emissions: Sequence[Emission]) -> list[Observations]:
    return [each for each in emissions if isinstance(each, Observations)]


def test_images_are_decoded_fast_where_no_contender_answers_otherwise(bench: MakeBench):
    made = bench(list(photos()), A=Steady(), B=Steady())
    assert seen(list(measure(made)))
    told = json.loads(made.left["A", DECODING])
    assert told["method"].startswith("fast: ")
    assert told["tried"][-1]["flips"] == {"A": 0, "B": 0}
    assert 0 < told["tried"][-1]["mean"] <= told["mean"] == 0.5


def test_one_contender_that_answers_otherwise_brings_the_exact_pixels_to_all(bench: MakeBench):
    made = bench(list(photos()), A=Steady(), B=Fickle())
    list(measure(made))
    told = json.loads(made.left["A", DECODING])
    assert told["method"] == "exact"
    assert all(each["flips"]["A"] == 0 < each["flips"]["B"] for each in told["tried"])


def test_an_interrupted_cell_goes_on_with_the_pixels_that_it_began_with(bench: MakeBench):
    begun = json.dumps({"method": "exact", "mean": 0.5, "tried": []}).encode()
    made = bench(list(photos()), kept={("A", DECODING): begun}, A=Steady())
    list(measure(made))
    assert made.left["A", DECODING] == begun


def test_outputs_that_are_no_numbers_name_the_image_and_the_layer(bench: MakeBench):
    made = bench([noise(0, (100, 80))], A=Broken())
    made.options = AccuracyOptions()
    with pytest.raises(CellError, match=r"A gave NaN or infinite outputs, first on .*, from second$"):
        list(measure(made))


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("fast: simplejpeg 0.0.1, scaled, boxed", "simplejpeg 0.0.1"),
        ("fast: pillow 1.0 jpeg 1.0, boxed", "pillow 1.0 jpeg 1.0"),
    ],
)
def test_where_the_way_of_decoding_is_gone_a_line_says_what_to_install(bench: MakeBench, label: str, wanted: str):
    begun = json.dumps({"method": label, "mean": 0.5, "tried": []}).encode()
    made = bench(list(photos()), kept={("A", DECODING): begun}, A=Steady())
    with pytest.raises(CellError) as raised:
        list(measure(made))
    assert str(raised.value) == (
        f"the images of this cell were decoded by the method {label}, which this installation lacks "
        f"(install {wanted} and resume, or start a new run)"
    )
    assert made.left == {("A", DECODING): begun}


def test_a_cell_goes_on_with_a_slower_decoder_than_the_best_that_is_installed_by_now(bench: MakeBench):
    label = Method(Pillow(), boxed=True).label
    begun = json.dumps({"method": label, "mean": 0.5, "tried": []}).encode()
    made = bench(list(photos()), kept={("A", DECODING): begun}, A=Steady())
    assert seen(list(measure(made)))
    assert made.left["A", DECODING] == begun


def test_cells_that_were_begun_with_different_pixels_are_not_gone_on_with_together(bench: MakeBench):
    exact, fast = (
        json.dumps({"method": label, "mean": 0.5, "tried": []}).encode()
        for label in ("exact", Method(Pillow(), boxed=True).label)
    )
    made = bench(list(photos()), kept={("A", DECODING): exact, ("B", DECODING): fast}, A=Steady(), B=Steady())
    with pytest.raises(CellError, match=r"decoded in different ways: A by exact; B by fast: pillow"):
        list(measure(made))


def test_without_a_readable_image_nothing_is_tried_and_that_is_said(bench: MakeBench):
    made = bench([noise(0, (80, 80))] * 3, A=Steady())
    made.images.checked = False
    made.images.broken = {index: UnreadableError("torn") for index in range(3)}
    with pytest.raises(DataError, match="none of 3 images could be read, first torn"):
        list(measure(made))


def test_pixels_that_were_to_be_kept_and_cannot_be_are_told_of(bench: MakeBench):
    made = bench([noise(0, (80, 80))], A=Steady())
    made.options = AccuracyOptions(cache=True)
    assert not [each for each in measure(made) if isinstance(each, Artifact) and each.name == CACHE]
    made.images.trace = None
    assert [each.contender for each in measure(made) if isinstance(each, Artifact) and each.name == CACHE] == ["A"]


def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept(bench: MakeBench):
    made = bench([noise(seed, (80, 80)) for seed in range(6)], A=Crowded(), B=Steady())
    made.options = AccuracyOptions()
    emissions = list(measure(made))
    assert {pair: content for pair, content in made.left.items() if pair[1] == MEMORY_FILE} == {
        ("A", MEMORY_FILE): b"[64, 32]"
    }
    tops = {each.contender: each.values for each in seen(emissions) if each.metric == "top1"}
    assert tops["A"] == tops["B"]
    assert len(tops["A"]) == 6


def test_a_resumed_cell_shows_as_many_at_once_as_before(bench: MakeBench):
    class Roomy(Steady):
        """Has room again, and counts what it is shown."""

        def forward(self, images: Tensor) -> Tensor:
            shown.append(len(images))
            return super().forward(images)

    shown: list[int] = []
    made = bench([noise(0, (80, 80))], kept={("A", MEMORY_FILE): b"[64, 32]"}, A=Roomy())
    made.options = AccuracyOptions()
    list(measure(made))
    assert shown == [16]


@pytest.mark.parametrize("engine", ["eager", "fused-bf16"])
def test_no_observation_depends_on_the_size_of_the_batches_or_the_number_of_workers(
    bench: MakeBench, engine: str, monkeypatch: pytest.MonkeyPatch
):
    """With torchvision's ResNet, whose kernels do depend on the size of the batch."""
    if reason := get_engine(engine).missing("cpu"):
        pytest.skip(reason)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = resnet18(num_classes=20).eval()
    net = get_engine(engine).prepare(network, crop=32, device=torch.device("cpu"))
    made = bench([noise(seed, (80, 80)) for seed in range(8)], shown=Preprocessing(crop=32, resize=40), A=net)
    found = []
    for batch, workers in ((64, 1), (7, 4), (1, 4)):
        monkeypatch.setattr(evaluation, "default_workers", lambda workers=workers: workers)
        made.options = AccuracyOptions(batch=batch)
        values: dict[str, dict[str, float]] = {}
        for each in seen(list(measure(made))):
            values.setdefault(each.metric, {}).update(zip(each.units, each.values, strict=True))
        found.append(values)
    assert set(found[0]) == set(METRICS)
    assert all(len(values) == 8 for values in found[0].values())
    assert len(set(found[0]["nll"].values())) == 8
    for other in found[1:]:
        assert other == found[0]

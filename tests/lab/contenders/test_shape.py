"""Another stem, fewer stages, fewer blocks: what is built, what it is called, and what cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from netversus.errors import SpecError
from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.lab.contenders.shape import Shape, shape_of
from netversus.lab.contenders.spec import parse
from netversus.lab.rates import nominal_rates
from netversus.records import DataCard

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
TINY = "timm:test_resnet"


@pytest.fixture
def build(data_card: DataCard) -> Callable[[str], nn.Module]:
    return lambda spec: load(resolve(spec, data_card), classes=10, seed=0)


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


@pytest.mark.real
def test_a_resnet_101_of_the_blocks_of_a_resnet_50_is_one(build):
    """torchvision's own ResNet-50 is the oracle: the same tensors of the same shapes."""
    assert shapes(build("resnet101?blocks=3-4-6-3")) == shapes(build("resnet50"))


@pytest.mark.parametrize("name", ["resnet18", TINY])
def test_the_small_stem_is_cifar_s(build, name: str):
    """3x3, stride 1 and no max-pool (He et al. 2016, section 4.2): the first stage sees all places of the image."""
    seen = {}
    model = build(f"{name}?stem=small")
    model.layer1.register_forward_pre_hook(lambda _m, inputs: seen.update(stage=inputs[0].shape[-2:]))
    assert model(IMAGES).shape == (2, 10)
    assert seen["stage"] == (32, 32)
    assert not isinstance(model.maxpool, nn.MaxPool2d)
    whole = shapes(build(name))
    changed = {k for k, shape in shapes(model).items() if whole[k] != shape}
    assert changed <= {"conv1.weight"}


def test_stages_are_cut_from_the_end_and_a_classifier_is_put_behind_them(build):
    whole, cut = build("resnet18"), build("resnet18?stages=2")
    assert not [name for name in cut.state_dict() if name.startswith(("layer3", "layer4"))]
    assert cut.fc.weight.shape == (10, 128)
    with torch.no_grad():
        maps = cut.layer2(cut.layer1(cut.maxpool(cut.relu(cut.bn1(cut.conv1(IMAGES))))))
        assert torch.allclose(cut(IMAGES), cut.fc(maps.mean((2, 3))), atol=1e-5)
    kept = [name for name in cut.state_dict() if name.startswith("layer1")]
    assert all(torch.equal(cut.state_dict()[name], whole.state_dict()[name]) for name in kept)  # the same seed


def test_fewer_numbers_of_blocks_are_fewer_stages(build):
    assert shapes(build("resnet18?blocks=1-1")).keys() < shapes(build("resnet18?stages=2")).keys()
    assert build("resnet18?blocks=1-1").fc.in_features == 128


def test_networks_of_timm_are_cut_where_it_says_that_their_stages_end(build):
    shallow, deeper = build("timm:test_convnext?stages=1"), build("timm:test_convnext?stages=3")
    assert shallow(IMAGES).shape == deeper(IMAGES).shape == (2, 10)
    assert sum(p.numel() for p in shallow.parameters()) < sum(p.numel() for p in deeper.parameters())


def test_a_shape_is_part_of_the_name_the_digest_and_the_notes(data_card: DataCard):
    plain, small, cut = (resolve(f"resnet18{query}", data_card) for query in ("", "?stem=small", "?stages=3"))
    assert len({card.digest for card in (plain, small, cut)}) == 3
    assert small.name == "resnet18?stem=small"
    assert any("small stem" in note for note in small.notes)
    assert any("first stages of the network (3)" in note for note in cut.notes)
    assert small.untrained


def test_a_whole_network_keeps_the_digest_that_it_had(data_card: DataCard):
    """Observations of earlier versions are used again."""
    from importlib.metadata import version

    from netversus.records import digest

    card = resolve("resnet18", data_card)
    prepared = [getattr(card.preprocessing, name) for name in card.preprocessing.__slots__]
    assert card.digest == digest("torchvision", ("resnet18", version("torchvision"), "scratch"), prepared)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("resnet50?stem=small", "resnet50?stem=small"),
        ("torchvision:resnet50?stem=small&stages=3@scratch", "resnet50?stages=3&stem=small@scratch"),
        ("resnet50@scratch?stages=3", "resnet50?stages=3@scratch"),
        ("timm:resnet50?blocks=3-4@scratch", "timm:resnet50?blocks=3-4@scratch"),
        ("resnet50?stages=3&engine=fused", "resnet50?stages=3&engine=fused"),
        ("file:w.pt?arch=resnet50&stages=3", "file:w.pt?arch=resnet50&stages=3"),
    ],
)
def test_a_shape_has_one_way_to_be_written(text: str, canonical: str):
    assert parse(text).canonical == canonical
    assert parse(canonical) == parse(text)


WRONG = [
    ("resnet50?stem=big", "stem=big is not known"),
    ("resnet50?stages=0", "a number from 1 to 99"),
    ("resnet50?stages=5", "has 4 stages, 5 were asked for"),
    ("resnet50?blocks=3-x", "a number from 1 to 99"),
    ("resnet50?blocks=1-1-1-1-1", "has 4 stages, 5 were asked for"),
    ("resnet50?blocks=3-4&stages=2", "not both"),
    ("resnet50?depth=3", "has no setting 'depth'"),
    ("resnet50?", "names no setting"),
    ("vgg16?stem=small", "no stem that can be made small"),
    ("vgg16?stages=2", "does not tell the stages"),
    ("timm:convnext_tiny?blocks=1-1", "cannot be counted"),
    ("resnet50?stages=3@IMAGENET1K_V2", "published for the whole resnet50"),
    ("timm:resnet50.a1_in1k?stages=3", "published for the whole resnet50"),
    ("py:tiny_nets:narrow?stem=small", "has no setting 'stem'"),
]


@pytest.mark.parametrize(("spec", "says"), WRONG, ids=[spec for spec, _ in WRONG])
def test_a_shape_that_cannot_be_had_is_one_line_before_any_work(spec: str, says: str, data_card: DataCard):
    with pytest.raises(SpecError, match=says) as caught:
        resolve(spec, data_card)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("resnet18?blocks=3-2-2-2", "stage 1 of resnet18 has 2 blocks, 3 cannot be kept"),
        ("timm:test_convnext?stages=9", "has 4 stages, 9 were asked for"),
    ],
)
def test_what_only_building_it_tells_is_one_line_too(build, spec: str, says: str):
    with pytest.raises(SpecError, match=says):
        build(spec)


def test_imagenet_s_classes_do_not_bring_published_weights_for_another_shape(data_card: DataCard):
    card = resolve("resnet50?stages=3", replace(data_card, classes=("n01440764", "n03445777"), image_size=None))
    assert card.untrained
    assert any("no weights are published for this shape" in note for note in card.notes)


def test_the_nominal_cost_knows_that_the_small_stem_is_dear(data_card: DataCard):
    cards = [resolve(spec, data_card) for spec in ("resnet50", "resnet50?stem=small")]
    rates = nominal_rates(cards)
    assert rates[cards[1].name].infer_seconds > 5 * rates[cards[0].name].infer_seconds


def test_a_shape_reads_its_own_words():
    assert shape_of({}).whole
    assert shape_of({"blocks": "3-4-6-3"}) == Shape(blocks=(3, 4, 6, 3))

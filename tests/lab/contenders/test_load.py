"""Weights that come out of a file are those that went in; random ones follow from the seed; what does not fit is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from netversus.errors import UnsafeFileError, WeightsError
from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.records import DataCard

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(7))
SMALL = {"torchvision": "shufflenet_v2_x0_5", "timm": "test_resnet"}


def build(library: str, classes: int, name: str = "") -> nn.Module:
    name = name or SMALL[library]
    with torch.random.fork_rng():
        torch.manual_seed(99)
        model = (
            timm.create_model(name, num_classes=classes) if library == "timm" else get_model(name, num_classes=classes)
        )
        for buffer in (b for n, b in model.named_buffers() if n.endswith("running_mean")):
            buffer.normal_()  # so that the statistics, too, are seen to be read
    return model.eval()


def save(state: dict[str, Tensor], path: Path) -> Path:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return path


def same(model: nn.Module, state: dict[str, Tensor]) -> bool:
    found = model.state_dict()
    return found.keys() == state.keys() and all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_file_gives_the_very_weights_that_were_saved(library: str, suffix: str, tmp_path: Path, data_card: DataCard):
    original = build(library, 10)
    path = save(original.state_dict(), tmp_path / f"w.{suffix}")
    card = resolve(f"file:{path}?arch={library}:{SMALL[library]}", data_card)
    model = load(card, classes=10, seed=0)
    assert same(model, original.state_dict())
    assert not model.training
    assert torch.equal(model(IMAGES), original(IMAGES))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "timm:test_vit", "timm:test_convnext"])
@pytest.mark.parametrize("classes", [10, 64])
def test_the_head_is_found_wherever_the_architecture_has_it(name: str, classes: int, tmp_path: Path, data_card):
    """safetensors sorts the names, so that the head is not the last tensor; 64 is also a width inside of resnet18."""
    library, _, architecture = name.rpartition(":")
    original = build(library or "torchvision", 10, architecture)
    save(original.state_dict(), tmp_path / "w.safetensors")
    card = resolve(f"file:{tmp_path}/w.safetensors?arch={name}", data_card)
    if classes == 10:
        assert same(load(card, classes=10, seed=0), original.state_dict())
    else:
        with pytest.raises(WeightsError, match="has 10 outputs, the data have 64 classes"):
            load(card, classes=64, seed=0)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_an_imagenet_head_answers_in_the_datas_classes_and_their_order(library, tmp_path: Path, synset_data: DataCard):
    original = build(library, 1000)
    save(original.state_dict(), tmp_path / "w.pth")
    card = resolve(f"file:{tmp_path}/w.pth?arch={library}:{SMALL[library]}&crop=32&resize=32", synset_data)
    logits = load(card, classes=3, seed=0)(IMAGES)
    assert torch.equal(logits, original(IMAGES)[:, [574, 0, 207]])


def test_a_file_of_exactly_the_datas_classes_keeps_them(tmp_path: Path, synset_data: DataCard):
    original = build("timm", 3)
    save(original.state_dict(), tmp_path / "w.pth")
    card = resolve(f"file:{tmp_path}/w.pth?arch=timm:test_resnet", synset_data)
    assert torch.equal(load(card, classes=3, seed=0)(IMAGES), original(IMAGES))


def test_all_of_imagenets_classes_in_their_order_are_left_as_they_are(tmp_path: Path, synset_data: DataCard):
    from netversus.lab.contenders.imagenet import synsets

    data = replace(synset_data, classes=tuple(synsets()))
    original = build("timm", 1000)
    save(original.state_dict(), tmp_path / "w.pth")
    model = load(resolve(f"file:{tmp_path}/w.pth?arch=timm:test_resnet", data), classes=1000, seed=0)
    assert not model._forward_hooks
    assert torch.equal(model(IMAGES), original(IMAGES))


@pytest.fixture
def publish(torch_home: Path, cache_in_hub, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Tensor], str], str]:
    """Put a state dict where the published weights of the small network would lie; returns its spec."""

    def put(state: dict[str, Tensor], library: str) -> str:
        if library == "torchvision":  # loaded by name; that the hash is checked is seen in test_availability
            save(state, torch_home / "shufflenetv2_x0.5-f707e7126e.pth")
            return "shufflenet_v2_x0_5@IMAGENET1K_V1"
        save(state, cache_in_hub("timm/test_resnet.r160_in1k", "model.safetensors"))
        return "timm:test_resnet.r160_in1k"

    return put


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_published_weights_are_loaded_whole_and_answer_in_the_datas_classes(library: str, publish, synset_data):
    original = build(library, 1000)
    card = resolve(publish(original.state_dict(), library), synset_data)
    model = load(card, classes=3, seed=0)
    assert same(model, original.state_dict())
    assert torch.equal(model(IMAGES), original(IMAGES)[:, [574, 0, 207]])


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_published_weights_on_other_classes_keep_their_own_outputs(library: str, publish, data_card: DataCard):
    card = resolve(publish(build(library, 1000).state_dict(), library), data_card)
    assert not card.answers
    assert load(card, classes=10, seed=0)(IMAGES).shape == (2, 1000)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
@pytest.mark.parametrize("fault", ["a tensor is missing", "a tensor has another shape"])
def test_a_published_file_that_does_not_fit_is_one_line(library: str, fault: str, publish, synset_data: DataCard):
    state = build(library, 1000).state_dict()
    name = next(name for name in state if name.endswith("conv1.weight") or name == "conv1.0.weight")
    if fault == "a tensor is missing":
        del state[name]
    else:
        state[name] = torch.zeros(2, 2)
    card = resolve(publish(state, library), synset_data)
    with pytest.raises(WeightsError, match=r"does not fit the architecture: .*conv1") as caught:
        load(card, classes=3, seed=0)
    assert len(str(caught.value).splitlines()) == 1


def test_a_published_file_goes_through_the_same_door(torch_home: Path, synset_data: DataCard):
    torch.save({"x": build}, torch_home / "shufflenetv2_x0.5-f707e7126e.pth")  # a function: needs more than tensors
    card = resolve("shufflenet_v2_x0_5@IMAGENET1K_V1", synset_data)
    with pytest.raises(UnsafeFileError, match="needs more than tensors"):
        load(card, classes=3, seed=0)


def test_a_published_set_that_is_not_here_is_one_line(synset_data: DataCard):
    with pytest.raises(WeightsError, match="the published weights of resnet18@IMAGENET1K_V1 are not on this machine"):
        load(resolve("resnet18@IMAGENET1K_V1", synset_data), classes=3, seed=0)


def test_torchvisions_own_reader_is_put_back(publish, synset_data: DataCard):
    from torchvision.models import WeightsEnum

    before = WeightsEnum.get_state_dict
    load(resolve(publish(build("torchvision", 1000).state_dict(), "torchvision"), synset_data), classes=3, seed=0)
    assert WeightsEnum.get_state_dict is before


@pytest.mark.parametrize("spec", ["shufflenet_v2_x0_5@scratch", "timm:test_resnet@scratch", "googlenet@scratch"])
def test_random_weights_follow_from_the_seed_alone(spec: str, data_card: DataCard):
    card = resolve(spec, data_card)
    torch.manual_seed(1)
    first = load(card, classes=10, seed=5).state_dict()
    torch.manual_seed(2)
    assert same(load(card, classes=10, seed=5), first)
    assert not same(load(card, classes=10, seed=6), first)


@pytest.mark.parametrize("spec", ["shufflenet_v2_x0_5@scratch", "timm:test_resnet@scratch"])
def test_the_global_random_state_is_left_as_it_was(spec: str, data_card: DataCard):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    load(resolve(spec, data_card), classes=10, seed=5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("spec", ["inception_v3@scratch", "googlenet@scratch", "timm:test_vit@scratch", "resnet18"])
def test_an_untrained_network_trains_on_images_as_they_are_prepared_for_it(spec: str, data_card: DataCard):
    card = resolve(spec, data_card)
    model = load(card, classes=10, seed=0).train()
    side = card.preprocessing.crop
    logits = model(torch.rand(2, 3, side, side))
    assert isinstance(logits, Tensor)
    assert logits.shape == (2, 10)


def test_weights_trained_in_this_run_are_put_in(tmp_path: Path, data_card: DataCard):
    card = resolve("timm:test_resnet@scratch", data_card)
    trained = build("timm", 10).state_dict()
    path = save(trained, tmp_path / "trained.safetensors")
    assert same(load(card, classes=10, seed=0, weights=path), trained)
    with pytest.raises(WeightsError, match=r"trained.safetensors does not fit: '.*' has shape \(10.*expected \(4"):
        load(card, classes=4, seed=0, weights=path)


@pytest.mark.parametrize(
    ("arch", "says"),
    [
        ("resnet34", r"does not fit the architecture: it lacks '\w+.*\(\d+ missing, \d+ left over\).*check \?arch="),
        ("timm:test_resnet", r"does not fit the architecture: it lacks"),
        ("shufflenet_v2_x1_0", r"does not fit: 'stage\S+' has shape \(.*, expected \("),
    ],
)
def test_a_file_of_another_architecture_is_named(arch: str, says: str, tmp_path: Path, data_card: DataCard):
    path = save(build("torchvision", 10).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=says) as caught:
        load(resolve(f"file:{path}?arch={arch}", data_card), classes=10, seed=0)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_tensor_that_nothing_takes_is_named(tmp_path: Path, data_card: DataCard):
    path = save({**build("timm", 10).state_dict(), "extra": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="nothing takes its 'extra'"):
        load(resolve(f"file:{path}?arch=timm:test_resnet", data_card), classes=10, seed=0)


def test_a_file_for_another_number_of_classes_is_refused(tmp_path: Path, data_card: DataCard):
    path = save(build("timm", 7).state_dict(), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="has 7 outputs, the data have 10 classes"):
        load(resolve(f"file:{path}?arch=timm:test_resnet", data_card), classes=10, seed=0)


def test_a_head_whose_shape_cannot_be_matched_is_named(tmp_path: Path, data_card: DataCard):
    state = build("timm", 10).state_dict()
    path = save({**state, "fc.bias": torch.tensor(0.0)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"'fc.bias' has shape \(\), expected \(10,\)"):
        load(resolve(f"file:{path}?arch=timm:test_resnet", data_card), classes=10, seed=0)

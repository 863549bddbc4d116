"""The exact path beside timm's and torchvision's own evaluation: the same files, the same weights, each in its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn

from made_images import encoded, noise, smooth
from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.evaluation import batches, predict
from netversus.records import ContenderCard
from netversus.statistics.order import recorded_shuffle

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CPU = torch.device("cpu")


@dataclass
class Seen:
    """What one evaluation showed the network and what it answered, by file name."""

    inputs: Mapping[str, torch.Tensor]
    logits: Mapping[str, torch.Tensor]

    def answers(self) -> dict[str, int]:
        return {name: int(each.argmax()) for name, each in self.logits.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs of many shapes, and what else lies in folders of photos: grey, CMYK, PNG with transparency."""
    root = tmp_path_factory.mktemp("photos")
    sizes = [(500, 400), (333, 517), (257, 256), (256, 256), (231, 900), (640, 427), (90, 80), (1200, 800)]
    pictures = {
        f"{number:02d}.jpg": encoded(draw(number, size))
        for number, (draw, size) in enumerate((draw, size) for size in sizes for draw in (smooth, noise))
    }
    plain = smooth(40, (300, 300))
    pictures |= {
        "grey.jpg": encoded(plain.convert("L")),
        "cmyk.jpg": encoded(plain.convert("CMYK")),
        "progressive.jpg": encoded(plain, progressive=True, subsampling=0),
        "glass.png": encoded(plain.convert("RGBA"), "PNG"),
        "palette.png": encoded(plain.convert("P"), "PNG"),
    }
    for number, (name, content) in enumerate(pictures.items()):
        path = root / "val" / f"class-{number % 3}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.fixture(scope="module")
def weights(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-18 with random weights, its batch norms fitted to the photos, so that answers differ among them."""
    from torchvision.models import resnet18

    torch.manual_seed(3)
    model = resnet18(num_classes=3)
    images = torch.stack([_torchvisions(path) for path in sorted(folder.rglob("*.jpg"))])
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.inference_mode():
        model.train()(images)
        logits = model.eval()(images)
        model.fc.bias.sub_(logits.mean(0))
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    safetensors.torch.save_file(model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def ours(folder: Path, weights: Path) -> Seen:
    data = open_data(str(folder))
    card: ContenderCard = resolve(f"file:{weights}?arch=resnet18", data.card)
    model = load(card, classes=3, seed=0)
    images = data.split("test")
    inputs, logits = {}, {}
    wanted = (card.preprocessing,)
    for batch in batches(images, recorded_shuffle(len(images), 0), 6, CPU, preprocessings=wanted, workers=2):
        shown = batch.inputs(card.preprocessing)
        names = [Path(one).name for one in batch.ids]
        inputs |= dict(zip(names, shown.clone(), strict=True))
        logits |= dict(zip(names, predict(model, shown), strict=True))
    return Seen(inputs, logits)


def _torchvisions(path: Path) -> torch.Tensor:
    from torchvision.models import ResNet18_Weights

    return ResNet18_Weights.IMAGENET1K_V1.transforms()(Image.open(path).convert("RGB"))


@torch.inference_mode()
def _with_torchvision(folder: Path, weights: Path) -> Seen:
    """Its loader, its preset's transforms, its network, image by image."""
    from torchvision.datasets import ImageFolder
    from torchvision.models import ResNet18_Weights, resnet18

    model = resnet18(num_classes=3)
    model.load_state_dict(safetensors.torch.load_file(weights))
    model.eval()
    dataset = ImageFolder(str(folder / "val"), transform=ResNet18_Weights.IMAGENET1K_V1.transforms())
    inputs = {Path(path).name: dataset[number][0] for number, (path, _) in enumerate(dataset.samples)}
    return Seen(inputs, {name: model(image[None])[0] for name, image in inputs.items()})


@torch.inference_mode()
def _with_timm(folder: Path, weights: Path, *, prefetcher: bool) -> Seen:
    """Its data set, loader and network as its validate.py puts them together."""
    import timm
    from timm.data import create_dataset, create_loader

    model = timm.create_model("resnet18", num_classes=3, checkpoint_path=str(weights)).eval()
    dataset = create_dataset("", root=str(folder), split="val")
    loader = create_loader(
        dataset,
        input_size=(3, 224, 224),
        batch_size=8,
        use_prefetcher=prefetcher,
        interpolation="bilinear",
        mean=MEAN,
        std=STD,
        num_workers=0,
        crop_pct=224 / 256,
        device=CPU,
    )
    names = [Path(name).name for name in dataset.filenames()]
    inputs = torch.cat([images.clone() for images, _ in loader])
    logits = torch.cat([model(images) for images in inputs.split(8)])
    return Seen(dict(zip(names, inputs, strict=True)), dict(zip(names, logits, strict=True)))


def test_torchvisions_evaluation_sees_the_same_bits_and_gives_the_same_answers(ours, folder, weights):
    theirs = _with_torchvision(folder, weights)
    assert ours.inputs.keys() == theirs.inputs.keys()
    for name, image in theirs.inputs.items():
        assert torch.equal(ours.inputs[name], image), name
        assert torch.allclose(ours.logits[name], theirs.logits[name], rtol=0, atol=1e-4), name
    assert ours.answers() == theirs.answers()
    assert len(set(ours.answers().values())) == 3


def test_timms_evaluation_sees_the_same_bits_and_gives_the_same_answers(ours, folder, weights):
    theirs = _with_timm(folder, weights, prefetcher=False)
    assert ours.inputs.keys() == theirs.inputs.keys()
    for name, image in theirs.inputs.items():
        assert torch.equal(ours.inputs[name], image), name
    assert ours.answers() == theirs.answers()


def test_timms_prefetcher_normalises_in_another_order_and_gives_the_same_answers(ours, folder, weights):
    """It takes 255 times the mean and deviation off the bytes: the last bit of the floats may differ."""
    theirs = _with_timm(folder, weights, prefetcher=True)
    for name, image in theirs.inputs.items():
        assert torch.allclose(ours.inputs[name], image, rtol=1e-6, atol=1e-6), name
    assert ours.answers() == theirs.answers()

"""Give a network the shape that a spec asks for (`shape`). Loads torch."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from netversus.errors import SpecError
from netversus.lab.contenders.shape import STAGES, Shape


def reshaped(model: nn.Module, shape: Shape, classes: int, name: str) -> nn.Module:
    """A ResNet of torchvision or timm, changed in place: its stem made small, its last blocks or stages left out.

    What is new is initialised as the library does it, by the global generator.

    Raises:
        SpecError: the network is not built as a ResNet, or has fewer blocks than are to be kept.
    """
    net: Any = model
    if not all(hasattr(net, part) for part in ("conv1", "maxpool", "layer1", "layer4", "fc")):
        raise SpecError(f"{name} is not built as a ResNet: it cannot be given another stem, nor counted in blocks")
    if shape.stem:
        _small_stem(net)
    for number, blocks in enumerate(shape.blocks, start=1):
        _keep(net, number, blocks, name)
    stages = shape.stages or len(shape.blocks) or STAGES
    if stages < STAGES:
        width = _width(net, stages)
        for number in range(stages + 1, STAGES + 1):
            setattr(net, f"layer{number}", nn.Identity())
        net.fc = nn.Linear(width, classes)
        if hasattr(net, "num_features"):  # timm's networks tell theirs
            net.num_features = net.head_hidden_size = width
    return model


def _small_stem(net: Any) -> None:
    """A 3x3 convolution of stride 1 for the one of 7x7 and stride 2, and no max-pool; of a stem of several
    convolutions (timm's "d" networks) the first one's stride falls."""
    if isinstance(net.conv1, nn.Conv2d):
        net.conv1 = nn.Conv2d(net.conv1.in_channels, net.conv1.out_channels, 3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    else:
        net.conv1[0].stride = (1, 1)
    net.maxpool = nn.Identity()


def _keep(net: Any, stage: int, blocks: int, name: str) -> None:
    """The first blocks of a stage: the first of all makes the maps smaller, so that any number fits."""
    row = getattr(net, f"layer{stage}")
    if blocks > len(row):
        raise SpecError(f"stage {stage} of {name} has {len(row)} blocks, {blocks} cannot be kept of it")
    setattr(net, f"layer{stage}", row[:blocks])


def _width(net: Any, stage: int) -> int:
    """The channels that a stage leaves."""
    if hasattr(net, "feature_info"):
        return int(net.feature_info[stage]["num_chs"])  # entry 0 is the stem
    block = getattr(net, f"layer{stage}")[-1]
    return int(getattr(block, "conv3", block.conv2).out_channels)


class Cut(nn.Module):
    """The first stages of a network as timm gives them, the mean over all places, and a linear classifier."""

    def __init__(self, features: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.fc = nn.Linear(width, classes)
        self._last = getattr(features, "output_fmt", "NCHW") != "NHWC"

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images: float32, shape (n, 3, h, w)."""
        maps: Tensor = self.features(images)[-1]
        pooled = maps.mean((2, 3) if self._last else (1, 2))
        logits: Tensor = self.fc(pooled)
        return logits


def cut_by_timm(architecture: str, stages: int, classes: int) -> nn.Module:
    """The first stages of any network of timm that tells where they end (its `feature_info`), with random weights. The
    place after the stem, where it is told, is not counted.

    Raises:
        SpecError: it does not tell, or has fewer.
    """
    import timm

    told = getattr(timm.create_model(architecture, pretrained=False), "feature_info", None)
    places = [number for number, each in enumerate(told or ()) if not _stem(str(each.get("module", "")))]
    if not places:
        raise SpecError(f"timm does not tell where the stages of {architecture} end: it cannot be cut")
    if stages > len(places):
        raise SpecError(f"{architecture} has {len(places)} stages, {stages} were asked for")
    try:
        features = timm.create_model(
            architecture, pretrained=False, features_only=True, out_indices=(places[stages - 1],)
        )
    except (RuntimeError, AttributeError, AssertionError, TypeError) as error:
        raise SpecError(f"timm cannot give the features of {architecture}: {error}") from None
    return Cut(features, int(features.feature_info.channels()[-1]), classes)


def _stem(module: str) -> bool:
    return module.startswith(("act", "stem", "conv", "bn"))

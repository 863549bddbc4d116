"""A contender's stages as a feature pyramid (Lin et al., CVPR 2017).

The stages are found by watching one image go through (`netversus.lab.backbone`), so that a network of any library, or
the user's own, will do, as long as its stages leave maps.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from netversus.errors import CellError
from netversus.lab.backbone import Backbone, anatomy

MOST_LEVELS = 4  # C2 to C5
LEAST_STRIDE = 4  # of C2: finer maps cost most of the time
_NORMS = (nn.modules.batchnorm._BatchNorm,)  # noqa: SLF001  all of torch's batch norms, and nothing else


@dataclass(frozen=True, slots=True)
class Level:
    """A stage whose maps the pyramid takes: its place among the stages, its channels, how many pixels of the image one
    place of it stands for, and whether its channels come last."""

    place: int
    width: int
    stride: int
    last: bool


class Pyramid(nn.Module):
    """A backbone with a feature pyramid: images (n, 3, h, w) to maps of `out_channels`, the finest first, and a coarser
    one made from the last. Of the stages that it could take, `levels`, the first `finest` are left out."""

    def __init__(self, backbone: Backbone, levels: tuple[Level, ...], channels: int, finest: int = 0) -> None:
        super().__init__()
        self.backbone = backbone
        self.first = levels[0]
        self.levels = levels = levels[finest:]
        self.fpn = FeaturePyramidNetwork([level.width for level in levels], channels, extra_blocks=LastLevelMaxPool())
        self.out_channels = channels
        self.frozen = False

    @property
    def strides(self) -> tuple[int, ...]:
        """Of all maps that it gives."""
        return (*(level.stride for level in self.levels), 2 * self.levels[-1].stride)

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """The maps by name: "0", "1", ... and "pool"."""
        stages = self.backbone.places(images)
        maps: OrderedDict[str, Tensor] = OrderedDict()
        for name, level in enumerate(self.levels):
            stage = stages[level.place]
            maps[str(name)] = stage.permute(0, 3, 1, 2).contiguous() if level.last else stage
        found: OrderedDict[str, Tensor] = self.fpn(maps)
        return found

    def train(self, mode: bool = True) -> Pyramid:
        """Train mode; frozen batch norms stay as they are in use."""
        super().train(mode)
        if self.frozen:
            for module in self.backbone.modules():
                if isinstance(module, _NORMS):
                    module.eval()
        return self

    def freeze(self, image: Tensor) -> None:
        """Freeze the batch norms, and all that an image meets until the end of the first stage (C2)."""
        self.frozen = True
        for module in self.backbone.modules():
            if isinstance(module, _NORMS):
                module.requires_grad_(False)
        for module in _until(self.backbone, self.backbone.parts.stages[self.first.place].place.path, image):
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
        self.train(self.training)


def make_pyramid(model: nn.Module, name: str, side: int, channels: int, *, finest: int = 0) -> Pyramid:
    """The pyramid of a network; `side` in pixels is about what it will see, `finest` how many of the finest levels are
    left out where there are all of C2 to C5.

    The last layer, which no detector asks, is not trained.

    Raises:
        CellError: its stages leave no maps, or it takes no images of this size.
    """
    device = next(model.parameters()).device
    image = torch.zeros(1, 3, side, side, device=device)
    before = model.training
    try:
        parts = anatomy(model.eval(), image)
        backbone = Backbone(model, parts, reduce=lambda maps: maps)
        with torch.no_grad():
            stages = backbone.places(image)[:-1]
    except (RuntimeError, ValueError, AssertionError) as error:
        what = (str(error).splitlines() or [type(error).__name__])[0]
        raise CellError(f"{name} takes no images of {side} px: {what[:200]}") from None
    finally:
        model.train(before)
    levels = _levels(stages, side)
    if not levels:
        raise CellError(f"{name} cannot be a detector's backbone: its stages leave no maps of the image")
    model.get_submodule(parts.head.path).requires_grad_(False)
    return Pyramid(backbone, levels, channels, finest if len(levels) == MOST_LEVELS else 0).to(device)


def _levels(stages: tuple[Tensor, ...], side: int) -> tuple[Level, ...]:
    """The coarsest stages that leave maps, each coarser than the one before it."""
    levels: list[Level] = []
    for place, stage in enumerate(stages):
        if stage.ndim != 4:
            continue
        last = stage.shape[2] != stage.shape[3] and stage.shape[1] == stage.shape[2]
        high, width = stage.shape[1 if last else 2], stage.shape[3 if last else 1]
        stride = 2 ** round(torch.log2(torch.tensor(side / high)).item())
        if high > 1 and (not levels or stride > levels[-1].stride):
            levels.append(Level(place, width, stride, last))
    coarse = [level for level in levels if level.stride >= LEAST_STRIDE]
    return tuple((coarse if len(coarse) > 1 else levels)[-MOST_LEVELS:])


def _until(backbone: Backbone, path: str, image: Tensor) -> list[nn.Module]:
    """The modules that begin before the one at `path` ends, for the last time."""
    begun: list[nn.Module] = []
    until = 0

    def begin(module: nn.Module, _inputs: object) -> None:
        begun.append(module)

    def end(_module: nn.Module, _inputs: object, _output: object) -> None:
        nonlocal until
        until = len(begun)

    hooks = [module.register_forward_pre_hook(begin) for module in backbone.model.modules()]
    hooks.append(backbone.model.get_submodule(path).register_forward_hook(end))
    try:
        with torch.no_grad():
            backbone.eval()(image)
    finally:
        for hook in hooks:
            hook.remove()
    holders = {backbone.model, *_around(backbone.model, path)}  # they go on after it
    return [module for module in begun[:until] if module not in holders]


def _around(model: nn.Module, path: str) -> list[nn.Module]:
    """The modules that hold the one at `path`."""
    names = path.split(".")
    return [model.get_submodule(".".join(names[:depth])) for depth in range(1, len(names))]

"""Contenders that are part of a network, or begin in another way: `?stem=`, `?stages=`, `?blocks=`. Loads no torch.

    resnet50?stem=small              a 3x3 convolution of stride 1 and no max-pool: for images of 32 or 64 px
    resnet101?stages=3               the first three stages and a classifier behind them
    resnet101?blocks=3-4-6-3         the first so many blocks of each stage (here what is left is a ResNet-50)

The small stem is the one of CIFAR's ResNets (He et al. 2016, section 4.2): a network made for 224 px reduces the image
by four before its first block, which leaves 8 x 8 places of a 32 px image. Cutting stages or blocks makes "limit the
depth" something that is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netversus.errors import SpecError
from netversus.lab.contenders.catalogue import Architecture, Library, defined_in
from netversus.messages import noted

SMALL = "small"
STAGES = 4  # of a ResNet

# The modules of each library whose networks are built as torchvision's ResNet is: conv1, maxpool, layer1 to layer4, fc.
_RESNETS: Mapping[Library, frozenset[str]] = {
    "torchvision": frozenset({"resnet"}),
    "timm": frozenset({"resnet"}),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What is made of a network. `stages` is 0 and `blocks` empty where nothing is cut."""

    stem: str = ""
    stages: int = 0
    blocks: tuple[int, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the network stays as its library makes it."""
        return self == Shape()

    def words(self) -> tuple[str, ...]:
        """What is different from the library's network, a line each."""
        said = []
        if self.stem:
            said.append(noted("small stem: a 3x3 convolution of stride 1, and no max-pool"))
        if self.stages:
            said.append(
                noted("cut: the first stages of the network ({n}), and a classifier behind them", n=self.stages)
            )
        if self.blocks:
            kept = "-".join(map(str, self.blocks))
            said.append(noted("cut: of the blocks of its stages the first {kept}", kept=kept))
        return tuple(said)


def shape_of(settings: Mapping[str, str]) -> Shape:
    """The shape that a spec's settings ask for.

    Raises:
        SpecError: a value that does not fit, or both ways of cutting.
    """
    stem = settings.get("stem", "")
    if stem not in ("", SMALL):
        raise SpecError(f"stem={stem} is not known", hint=f"stem={SMALL}: 3x3, stride 1, no max-pool")
    if "stages" in settings and "blocks" in settings:
        raise SpecError("a spec has stages= or blocks=, not both", hint="blocks=3-4-6 keeps three stages")
    return Shape(stem, _count("stages", settings.get("stages")), _counts(settings.get("blocks")))


def is_resnet(library: Library, name: str) -> bool:
    """Whether an architecture is built as torchvision's ResNet is."""
    return defined_in(library, name) in _RESNETS[library]


def check_shape(shape: Shape, architecture: Architecture) -> None:
    """See that an architecture can be given a shape, as far as that is known without building it.

    Raises:
        SpecError: it cannot.
    """
    library, name = architecture.library, architecture.name
    resnet = is_resnet(library, name)
    if shape.stem and not resnet:
        raise SpecError(
            f"{name} has no stem that can be made small: the ResNets of torchvision and timm have",
            hint="leave out stem=small",
        )
    if shape.blocks and not resnet:
        raise SpecError(
            f"the blocks of {name} cannot be counted: those of torchvision's and timm's ResNets can",
            hint="cut it by stage: timm:NAME?stages=3",
        )
    if shape.stages and not resnet and library == "torchvision":
        raise SpecError(
            f"torchvision does not tell the stages of {name}; those of its ResNets are known",
            hint="timm tells them of most networks: timm:NAME?stages=3",
        )
    if resnet and max(shape.stages, len(shape.blocks)) > STAGES:
        raise SpecError(f"{name} has {STAGES} stages, {max(shape.stages, len(shape.blocks))} were asked for")


def _count(name: str, text: str | None) -> int:
    """A number from 1 to 99; 0 where there is none."""
    if text is None:
        return 0
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text) <= 99:
        raise SpecError(f"{name} is a number from 1 to 99, got {text!r}")
    return int(text)


def _counts(text: str | None) -> tuple[int, ...]:
    return tuple(_count("each of blocks=3-4-6-3", part) for part in text.split("-")) if text is not None else ()

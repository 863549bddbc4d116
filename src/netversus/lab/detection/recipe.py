"""How a detector is made and trained: the same for every contender. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal

from pydantic import Field

from netversus.study import Options

Head = Literal["faster-rcnn", "retinanet"]

MADE, WEIGHTS, LOSS = "detector.json", "detector.safetensors", "loss"
"""What a training leaves in the run: what the detector is made of, its weights, and the losses of its steps."""

# Goyal et al. 2017: the rate grows with the batch; 0.02 for 16 pictures is Detectron's and torchvision's.
_SGD_RATE, _SGD_BATCH, _ADAMW_RATE = 0.02, 16, 2e-4


ROI = 7  # places of a region's features in each direction


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a head is: channels of the pyramid, width of the box head, regions of a picture that it learns from,
    regions that are proposed."""

    channels: int
    width: int
    regions: int
    proposals: int


SMALL_SIDE = 160
LARGE = Sizes(channels=256, width=1024, regions=128, proposals=300)
SMALL = Sizes(channels=64, width=256, regions=32, proposals=100)


class DetectorRecipe(Options):
    """The settings of a detector. The schedule is the standard one ("1x": two drops to a tenth, late), scaled to the
    number of steps."""

    head: Annotated[
        Head, Field(description="faster-rcnn (two stages) or retinanet (one), both of torchvision, on an FPN.")
    ] = "faster-rcnn"
    side: Annotated[
        int | None,
        Field(ge=32, le=2048, description="Shorter side in px at which pictures are seen; none: that of the first."),
    ] = None
    samples: Annotated[int, Field(ge=1, description="Pictures shown to each contender's detector.")] = 4800
    batch: Annotated[int, Field(ge=1, le=1024, description="Pictures in a step.")] = 8
    optimizer: Annotated[Literal["sgd", "adamw"], Field(description="sgd (the protocol's) or adamw.")] = "sgd"
    learning_rate: Annotated[
        float | None,
        Field(gt=0, description="Peak learning rate; none: 0.02 for 16 pictures with sgd, 0.0002 with adamw."),
    ] = None
    momentum: Annotated[float, Field(ge=0, lt=1, description="Of sgd.")] = 0.9
    weight_decay: Annotated[float, Field(ge=0, description="Weight decay; spares norms and biases.")] = 1e-4
    warmup: Annotated[float, Field(ge=0, le=0.5, description="Share of the steps that warm up.")] = 0.05
    clip: Annotated[float, Field(ge=0, description="Largest norm of the gradient; 0: it is left alone.")] = 10.0
    flip: Annotated[float, Field(ge=0, le=1, description="How often a picture is mirrored.")] = 0.5
    norms: Annotated[
        Literal["auto", "frozen", "trained"],
        Field(
            description="Batch norms of the backbone, and with them its first stage: frozen where it comes with "
            "weights and trained where it does not (auto), or the same for all."
        ),
    ] = "auto"
    channels: Annotated[
        int | None, Field(ge=8, le=1024, description="Channels of the feature pyramid; none: 256, 64 under 160 px.")
    ] = None
    width: Annotated[
        int | None,
        Field(ge=8, le=4096, description="faster-rcnn: width of the box head; none: 1024, 256 under 160 px."),
    ] = None
    regions: Annotated[
        int | None,
        Field(
            ge=8,
            le=4096,
            description="faster-rcnn: regions of a picture that its box head learns from; none: 128, 32 under 160 px.",
        ),
    ] = None
    proposals: Annotated[
        int | None,
        Field(
            ge=8,
            le=4096,
            description="faster-rcnn: regions of a picture that are proposed, twice that in training; none: 300, 100 "
            "under 160 px.",
        ),
    ] = None

    def sizes(self, side: int) -> Sizes:
        """How large the head is for pictures of a shorter `side` in px: as named, else by the side. Small pictures
        hold few objects and show little of each, and a head made for photographs would cost far more than most
        backbones there."""
        usual = SMALL if side < SMALL_SIDE else LARGE
        named = {one.name: getattr(self, one.name) for one in fields(Sizes)}
        return replace(usual, **{name: size for name, size in named.items() if size is not None})

    def head_products(self, side: int) -> float:
        """Multiplications of an answer of the head, for a square picture of that side: a convolution of the pyramid and
        one of the proposals at each place of each level (stride 4 and up), and the box head on each region; RetinaNet
        begins at stride 8 and convolves four times each for classes and boxes."""
        sizes = self.sizes(side)
        stride, convolutions = (4, 2) if self.head == "faster-rcnn" else (8, 9)
        places = (side / stride) ** 2 * 4 / 3  # and a quarter of them at the next level, and so on
        maps = places * convolutions * 9 * sizes.channels**2
        if self.head != "faster-rcnn":
            return maps
        return maps + sizes.regions * (ROI**2 * sizes.channels * sizes.width + sizes.width**2)

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return _ADAMW_RATE if self.optimizer == "adamw" else _SGD_RATE * self.batch / _SGD_BATCH

    @property
    def steps(self) -> int:
        """How many steps show `samples` pictures, at least one."""
        return max(1, round(self.samples / self.batch))

    def rate_at(self, step: int) -> float:
        """The rate of a step, from 0: a linear warm-up, then the peak, a tenth of it after 2/3 and a hundredth after
        8/9 of the steps (60k and 80k of 90k, as in Detectron's 1x)."""
        warm = round(self.warmup * self.steps)
        if step < warm:
            return self.rate * (step + 1) / (warm + 1)
        drops = (step >= self.steps * 2 // 3) + (step >= self.steps * 8 // 9)
        return self.rate * 0.1**drops

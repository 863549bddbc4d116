"""How a detector is made and trained: the same for every contender. Loads no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netversus.study import Options

Head = Literal["faster-rcnn", "retinanet"]

MADE, WEIGHTS, LOSS = "detector.json", "detector.safetensors", "loss"
"""What a training leaves in the run: what the detector is made of, its weights, and the losses of its steps."""

# Goyal et al. 2017: the rate grows with the batch; 0.02 for 16 pictures is Detectron's and torchvision's.
_SGD_RATE, _SGD_BATCH, _ADAMW_RATE = 0.02, 16, 2e-4


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
    channels: Annotated[int, Field(ge=8, le=1024, description="Channels of the feature pyramid.")] = 256
    width: Annotated[int, Field(ge=8, le=4096, description="faster-rcnn: width of the box head.")] = 1024
    regions: Annotated[
        int, Field(ge=8, le=4096, description="faster-rcnn: regions of a picture that its box head learns from.")
    ] = 128
    proposals: Annotated[
        int,
        Field(
            ge=8, le=4096, description="faster-rcnn: regions of a picture that are proposed; twice that in training."
        ),
    ] = 300

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

"""Detectors on a contender's backbone: torchvision's Faster R-CNN (Ren et al. 2015) and RetinaNet (Lin et al. 2017).

torchvision's own builders assume photographs of 800 px: their smallest anchor is 32 px. Here the anchors are scaled to
the objects that the data hold, and what was chosen is told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

from netversus.errors import CellError
from netversus.lab.data.annotated import Boxes, FrameSet
from netversus.lab.detection.pyramid import Pyramid, make_pyramid
from netversus.lab.detection.recipe import ROI, DetectorRecipe, Sizes
from netversus.lab.training.products import as_products
from netversus.records import ContenderCard

ASPECTS = (0.5, 1.0, 2.0)
OCTAVE = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))  # RetinaNet's three sizes a level
LEAST_RATIO, MOST_RATIO = 1.0, 8.0  # of an anchor's size to its level's stride
LONGEST = 1333 / 800  # longer side over shorter side at most, as the standard protocol has it
DIVISIBLE = 32
# Of torchvision: a box of 224 px is looked up on the level of stride 16, whose anchors are of 128 px.
_CANONICAL = 224 / 128


@dataclass(frozen=True, slots=True)
class Plan:
    """What a detector is made of beside its backbone: told in the report, and enough to build it again.

    `side` is the shorter side at which it sees pictures; `median` the middle of the square roots of the objects' areas
    at that size; `anchors` the sizes of each level in pixels; `strides` the levels'; `sizes` those of the head.
    """

    head: str
    side: int
    longest: int
    median: float
    anchors: tuple[tuple[float, ...], ...]
    strides: tuple[int, ...]
    frozen: bool
    classes: tuple[str, ...]
    sizes: Sizes

    def told(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Scale:
    """How large pictures are seen, and the median object there (the square root of its area), in pixels."""

    side: int
    median: float


def scale_of(frames: FrameSet, side: int | None) -> Scale:
    """The scale at which the training pictures are seen.

    Raises:
        CellError: not one object to learn from.
    """
    first = frames.image(0).size
    shown = side or min(first)
    sizes: list[float] = []
    for index in range(len(frames)):
        boxes = frames.boxes(index)
        sizes += _sizes(boxes)
    if not sizes:
        raise CellError("the training pictures hold no object that a detector could learn from")
    return Scale(shown, float(np.median(sizes)) * shown / min(first))


def _sizes(boxes: Boxes) -> list[float]:
    sides = boxes.corners[~boxes.crowd, 2:] - boxes.corners[~boxes.crowd, :2]
    areas = sides.prod(axis=1)
    return np.sqrt(areas[areas > 0]).tolist()  # type: ignore[no-any-return]


def build(
    model: nn.Module, card: ContenderCard, classes: Sequence[str], scale: Scale, recipe: DetectorRecipe, seed: int
) -> tuple[nn.Module, Plan]:
    """A detector on a contender's network, on the network's device, and what it is made of.

    The new layers follow from `seed` alone. Its labels are those of `classes`, from 1. Batch norms and the first stage
    are frozen as `recipe.norms` says.

    Raises:
        CellError: the network cannot be a detector's backbone.
    """
    device = next(model.parameters()).device
    side, sizes = math.ceil(scale.side / DIVISIBLE) * DIVISIBLE, recipe.sizes(scale.side)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        pyramid = make_pyramid(model, card.name, side, sizes.channels, finest=1 if recipe.head == "retinanet" else 0)
        frozen = recipe.norms == "frozen" or (recipe.norms == "auto" and not card.untrained)
        if frozen:
            pyramid.freeze(torch.zeros(1, 3, side, side, device=device))
        plan = Plan(
            head=recipe.head,
            side=scale.side,
            longest=round(LONGEST * scale.side),
            median=scale.median,
            anchors=anchors_for(pyramid.strides, scale.median, recipe.head),
            strides=pyramid.strides,
            frozen=frozen,
            classes=tuple(classes),
            sizes=sizes,
        )
        make = _faster_rcnn if recipe.head == "faster-rcnn" else _retinanet
        detector = make(pyramid, plan, card)
    if device.type == "cpu":  # always, so that a detector from the run's folder rounds as the one that was trained
        as_products(detector)
    return detector.to(device), plan


def anchors_for(strides: Sequence[int], median: float, head: str) -> tuple[tuple[float, ...], ...]:
    """Sizes of the anchors of each level: an octave a level, the median object in the middle of them.

    torchvision's are 8 times the level's stride, which the data may make smaller, down to the stride itself: anchors
    closer together than they are large would not lie on every object.
    """
    middle = math.sqrt(strides[0] * strides[-1])
    ratio = min(max(median / middle, LEAST_RATIO), MOST_RATIO)
    octave = OCTAVE if head == "retinanet" else (1.0,)
    return tuple(tuple(round(ratio * stride * part, 2) for part in octave) for stride in strides)


def _seen(plan: Plan, card: ContenderCard) -> dict[str, object]:
    """How pictures are prepared: what both heads take."""
    return {
        "min_size": plan.side,
        "max_size": plan.longest,
        "image_mean": list(card.preprocessing.mean),
        "image_std": list(card.preprocessing.std),
    }


def _faster_rcnn(pyramid: Pyramid, plan: Plan, card: ContenderCard) -> nn.Module:
    names = [str(level) for level in range(len(pyramid.levels))]
    middle = len(names) // 2
    pool = MultiScaleRoIAlign(
        featmap_names=names,
        output_size=ROI,
        sampling_ratio=2,
        canonical_scale=round(_CANONICAL * plan.anchors[middle][0]),
        canonical_level=round(math.log2(plan.strides[middle])),
    )
    detector: nn.Module = FasterRCNN(
        pyramid,
        rpn_anchor_generator=AnchorGenerator(plan.anchors, (ASPECTS,) * len(plan.anchors)),
        box_roi_pool=pool,
        box_head=TwoMLPHead(pyramid.out_channels * ROI**2, plan.sizes.width),
        box_predictor=FastRCNNPredictor(plan.sizes.width, len(plan.classes) + 1),
        box_batch_size_per_image=plan.sizes.regions,
        rpn_post_nms_top_n_train=2 * plan.sizes.proposals,
        rpn_post_nms_top_n_test=plan.sizes.proposals,
        **_seen(plan, card),
    )
    return detector


def _retinanet(pyramid: Pyramid, plan: Plan, card: ContenderCard) -> nn.Module:
    detector: nn.Module = RetinaNet(
        pyramid,
        num_classes=len(plan.classes) + 1,
        anchor_generator=AnchorGenerator(plan.anchors, (ASPECTS,) * len(plan.anchors)),
        **_seen(plan, card),
    )
    return detector


def total(losses: dict[str, Tensor]) -> Tensor:
    """The sum of a detector's losses."""
    return torch.stack(list(losses.values())).sum()

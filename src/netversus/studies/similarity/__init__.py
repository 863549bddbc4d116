"""Do the contenders see the same: in their features, their answers, their mistakes, and where they look?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netversus.messages import noted
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

FEWEST_IMAGES, FEWEST_BLOCK_IMAGES = 100, 30
STEPS_OF_A_CUT = 24

# What the cost is estimated from.
_BLOCKS = 20  # residual blocks that can be skipped: 12 of a ResNet-50, 29 of a ResNet-101
_FLOATS = 1_500_000  # that the stages of a ResNet-50 leave of an image of 224 px
_BACKWARD = 3  # readings that a gradient costs


class SimilarityOptions(Options):
    """Settings of the similarity study."""

    images: Annotated[
        int | None, Field(ge=4, description="Test images, from the recorded shuffle; none: all of them.")
    ] = 2000
    batch: Annotated[
        int, Field(ge=4, le=1024, description="Images in a batch, within which features are compared.")
    ] = 64
    control: Annotated[
        bool, Field(description="Compare the features of untrained copies too: what the architecture alone explains.")
    ] = True
    pictures: Annotated[
        int, Field(ge=0, le=64, description="Images on which the contenders disagree, shown with where each looks.")
    ] = 8
    block_images: Annotated[
        int, Field(ge=0, description="Test images shown while single residual blocks are skipped; 0: none is skipped.")
    ] = 300
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which images are read.")] = 0


def _images(options: SimilarityOptions, work: Work) -> int:
    available = work.data.splits.get("test", 0)
    return min(available, options.images or available)


def _cost(options: SimilarityOptions, work: Work) -> Cost:
    """One reading by every contender, one by its untrained copy, and one of the block images for each block."""
    images, side = _images(options, work), work.data.image_size or 224
    readings = images * (2 if options.control else 1)
    readings += (_BLOCKS + 1) * min(options.block_images, images)
    readings += _BACKWARD * min(options.pictures, images)
    return Cost(
        seconds=readings * work.infer_seconds,
        memory=8 * work.parameters * len(work.rates) + 8 * options.batch * round(_FLOATS * (side / 224) ** 2),
        disk=len(work.rates) * (images * 6 + _BLOCKS * options.block_images) * 40,
    )


def _fit(options: SimilarityOptions, work: Work, seconds: float) -> Fit:
    """Fewer images for all parts, by one share: each says less, none is lost."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    images = _images(options, work)
    fitted = options
    for step in range(1, STEPS_OF_A_CUT + 1):
        share = 0.75**step
        fitted = options.model_copy(
            update={
                "images": min(images, max(FEWEST_IMAGES, round(share * images))),
                "block_images": min(
                    options.block_images, max(FEWEST_BLOCK_IMAGES, round(share * options.block_images))
                ),
            }
        )
        if _cost(fitted, work).seconds <= seconds:
            break
    if _cost(fitted, work) == _cost(options, work):
        return Fit(options)
    cut = noted(
        "similarity: {n} of {total} test images, and {fewer} of {blocks} for skipped blocks, fit the budget",
        n=f"{fitted.images:,}",
        total=f"{images:,}",
        fewer=f"{fitted.block_images:,}",
        blocks=f"{options.block_images:,}",
    )
    return Fit(fitted, (cut,))


def _question(metric: str, asks: str, scale: Scale, bounds: tuple[float, float] | None = None) -> Question:
    return Question(
        metric=metric,
        asks=asks,
        scale=scale,
        direction=Direction.NEITHER,
        unit="%",
        paired_on="image",
        role=Role.DESCRIPTIVE,
        bounds=bounds,
    )


STUDY = Study(
    name="similarity",
    question="Do the contenders see the same: in their features, their answers, their mistakes, and where they look?",
    questions=(
        _question("alone_right", "How often is a contender right where every other is wrong?", Scale.PROPORTION),
        _question(
            "joined_gain",
            "How much more often are all of them right together (mean probabilities) than a contender alone?",
            Scale.MEAN,
            (-1.0, 1.0),
        ),
        _question(
            "block_loss",
            "How much accuracy does a contender lose when one of its residual blocks is skipped, on average?",
            Scale.MEAN,
            (-1.0, 1.0),
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAINED_WEIGHTS, Need.TORCH_MODULE}),
    options=SimilarityOptions,
    cost=_cost,
    fit=_fit,
    together=True,
    default=False,
    sometimes=frozenset({"block_loss"}),
)

"""Whose features find the right image again, and tell two of a kind from two of different kinds?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netversus.messages import noted
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

OBJECTS = 5  # about how many a picture holds
FEWEST_QUERIES, FEWEST_GALLERY, FEWEST_PICTURES = 100, 200, 20
RANKS = (1, 5, 10)
SAME, OTHER = "pair_of_a_class", "pair_of_two"  # cosines of one pair of each kind a query


class RecognitionOptions(Options):
    """Settings of the recognition study."""

    images: Annotated[
        int | None, Field(ge=2, description="Test images that are looked for, from the recorded shuffle; none: all.")
    ] = None
    gallery: Annotated[
        int | None, Field(ge=2, description="Train images among which they are looked for; none: all of them.")
    ] = 5000
    pictures: Annotated[
        int | None, Field(ge=1, description="Test pictures with boxes whose objects are classified; none: all.")
    ] = 200
    batch: Annotated[int, Field(ge=1, le=4096, description="Images read at once.")] = 64
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which images are read.")] = 0


def _counts(options: RecognitionOptions, work: Work) -> tuple[int, int, int]:
    """How many queries, gallery images and pictures with boxes are read."""
    test, train = (work.data.splits.get(split, 0) for split in ("test", "train"))
    pictures = work.data.frames.get("test", 0)
    return (
        min(test, options.images or test),
        min(train, options.gallery or train),
        min(pictures, options.pictures or pictures),
    )


def _cost(options: RecognitionOptions, work: Work) -> Cost:
    queries, gallery, pictures = _counts(options, work)
    return Cost(
        seconds=(queries + gallery + OBJECTS * pictures) * work.infer_seconds + 1e-8 * queries * gallery,
        memory=8 * (queries + gallery) * 2048 + 8 * work.parameters * len(work.rates),
        disk=len(work.rates) * (queries * 10 * 8 + 4 * 2048 * (queries + gallery)),
    )


def _fit(options: RecognitionOptions, work: Work, seconds: float) -> Fit:
    """Fewer images of every kind, by one share."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    queries, gallery, pictures = _counts(options, work)
    fitted = options
    for step in range(1, 25):
        share = 0.75**step
        fitted = options.model_copy(
            update={
                "images": min(queries, max(FEWEST_QUERIES, round(share * queries))),
                "gallery": min(gallery, max(FEWEST_GALLERY, round(share * gallery))),
                "pictures": max(1, min(pictures, max(FEWEST_PICTURES, round(share * pictures)))),
            }
        )
        if _cost(fitted, work).seconds <= seconds:
            break
    if _counts(fitted, work) == (queries, gallery, pictures):
        return Fit(options)
    cut = noted(
        "recognition: {queries} test images are looked for among {gallery} train images to fit the budget",
        queries=f"{fitted.images or queries:,}",
        gallery=f"{fitted.gallery or gallery:,}",
    )
    return Fit(fitted, (cut,))


def _share(metric: str, asks: str) -> Question:
    return Question(
        metric=metric,
        asks=asks,
        scale=Scale.PROPORTION,
        direction=Direction.HIGHER,
        unit="%",
        paired_on="image",
        margin=0.01,
    )


STUDY = Study(
    name="recognition",
    question="Whose features find an image of the same kind again, and tell the same from the different?",
    questions=(
        _share("recall_at_1", "Whose nearest image is of the right class more often?"),
        _share("recall_at_5", "Who has an image of the right class among the five nearest more often?"),
        Question(
            metric="average_precision",
            asks="Who ranks the images of the right class before the others better (mean average precision)?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="image",
            margin=0.01,
            bounds=(0.0, 1.0),
        ),
        Question(
            metric="verified",
            asks="Who puts two images of one class nearer together than two of different classes more often?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="image",
            margin=0.01,
            bounds=(0.0, 1.0),
        ),
        Question(
            metric="crop_top1",
            asks="Who classifies the objects of a picture, cut out one by one, correctly more often?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="picture",
            margin=0.02,
            bounds=(0.0, 1.0),
        ),
    ),
    needs=frozenset({Need.TRAIN_SPLIT, Need.TRAINED_WEIGHTS, Need.TORCH_MODULE}),
    sometimes=frozenset({"crop_top1"}),
    options=RecognitionOptions,
    cost=_cost,
    fit=_fit,
    default=False,
)

"""Which contender classifies more images of the user's own data correctly?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netversus.messages import noted
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Options, Sequential, Study, Work

FEWEST_IMAGES = 100  # below this no practical margin can be told from chance
WORTH_CALIBRATING = 0.05  # a confidence that is off by 5 points throughout, beside one that is right, is worth mending


class AccuracyOptions(Options):
    """Settings of the accuracy study."""

    images: Annotated[
        int | None, Field(ge=1, description="Test images, from the recorded shuffle; none: all of them.")
    ] = None
    batch: Annotated[
        int,
        Field(
            ge=1,
            le=4096,
            description="Images read at a time; how many a network is shown at once follows from their size.",
        ),
    ] = 64
    exact: Annotated[
        bool,
        Field(description="Decode and resize bit for bit as torchvision and timm do; no: faster, where it agrees."),
    ] = True
    cache: Annotated[bool, Field(description="Keep the decoded images on disk for the next run on the same data.")] = (
        False
    )
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which images are read.")] = 0


def _cost(options: AccuracyOptions, work: Work) -> Cost:
    images = _images(options, work)
    pixels = (work.data.image_size or 224) ** 2
    return Cost(
        seconds=images * work.infer_seconds,
        memory=4 * work.parameters * len(work.rates) + options.batch * pixels * 3 * 4 * 20,
        disk=images * len(work.rates) * 6 * 8,
    )


def _images(options: AccuracyOptions, work: Work) -> int:
    available = work.data.splits.get("test", 0)
    return min(available, options.images or available)


def _fit(options: AccuracyOptions, work: Work, seconds: float) -> Fit:
    wanted = _images(options, work)
    images = min(wanted, max(FEWEST_IMAGES, int(seconds / work.infer_seconds)))
    if images == wanted:
        return Fit(options)
    cut = noted("accuracy: {n} of {total} test images fit the budget", n=f"{images:,}", total=f"{wanted:,}")
    return Fit(options.model_copy(update={"images": images}), (cut,))


STUDY = Study(
    name="accuracy",
    question="Which contender classifies more images correctly, and whose confidence can be trusted?",
    questions=(
        Question(
            metric="top1",
            asks="Which contender's first answer is right more often?",
            scale=Scale.PROPORTION,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="image",
            margin=0.01,
            role=Role.PRIMARY,
        ),
        Question(
            metric="top5",
            asks="Whose five best answers hold the right one more often?",
            scale=Scale.PROPORTION,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="image",
            margin=0.01,
        ),
        Question(
            metric="nll",
            asks="Who gives the right class more probability (negative log-likelihood)?",
            scale=Scale.MEAN,
            direction=Direction.LOWER,
            unit="nats",
            paired_on="image",
            margin=0.05,
        ),
        Question(
            metric="brier",
            asks="Whose probabilities are nearer to the truth (Brier score)?",
            scale=Scale.MEAN,
            direction=Direction.LOWER,
            unit="",
            paired_on="image",
            margin=0.01,
            bounds=(0.0, 2.0),
        ),
        # Judged by the square, whose bias can be taken off; the published absolute gap is shown beside it.
        Question(
            metric="calibration",
            asks="Whose confidence is nearer to how often it is right (squared calibration error, bias taken off)?",
            scale=Scale.AGGREGATE,
            direction=Direction.LOWER,
            unit="",
            paired_on="image",
            margin=WORTH_CALIBRATING**2,
            estimator="debiased_squared_calibration_error",
            inputs=("confidence", "top1"),
        ),
        Question(
            metric="ece",
            asks="Whose confidence matches how often it is right (expected calibration error)?",
            scale=Scale.AGGREGATE,
            direction=Direction.LOWER,
            unit="%",
            paired_on="image",
            margin=0.02,
            role=Role.DESCRIPTIVE,
            estimator="expected_calibration_error",
            inputs=("confidence", "top1"),
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAINED_WEIGHTS}),
    options=AccuracyOptions,
    cost=_cost,
    fit=_fit,
    sequential=Sequential(),
)

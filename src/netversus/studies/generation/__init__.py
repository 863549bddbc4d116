"""What can each contender paint: pictures of a class, and images from what its stages still know?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netversus.messages import noted
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

FEWEST_STEPS, FEWEST_PICTURES, FEWEST_RESTORED = 20, 2, 2
STAGES = 5  # about how many a network has; only the plan's estimate rests on it


class GenerationOptions(Options):
    """Settings of the generation study."""

    steps: Annotated[int, Field(ge=1, le=20_000, description="Steps of the optimiser for a picture of a class.")] = 200
    classes: Annotated[int, Field(ge=1, description="Classes that are painted: the first of the data.")] = 10
    pictures: Annotated[int, Field(ge=2, le=256, description="Pictures of each class.")] = 4
    batch: Annotated[int, Field(ge=2, le=1024, description="Pictures painted together.")] = 40
    restored: Annotated[int, Field(ge=2, description="Test images restored from the features of each stage.")] = 8
    restore_steps: Annotated[int, Field(ge=1, le=20_000, description="Steps of the optimiser to restore an image.")] = (
        100
    )
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which test images are taken.")] = 0
    robust: Annotated[
        str,
        Field(description="Contenders, by comma, known to be trained adversarially: they paint by plain ascent too."),
    ] = ""


def painted(options: GenerationOptions, classes: int) -> int:
    """How many pictures of classes each contender paints."""
    return min(options.classes, classes) * options.pictures


def _cost(options: GenerationOptions, work: Work) -> Cost:
    """A step on a picture is a pass forwards and one back, as a step of training is."""
    steps = painted(options, len(work.data.classes)) * options.steps + STAGES * options.restored * options.restore_steps
    step = sum(max(rate.train_seconds, 3 * rate.infer_seconds) for rate in work.rates.values())
    pixels = 3 * (work.data.image_size or 224) ** 2
    pictures = painted(options, len(work.data.classes)) + STAGES * options.restored
    return Cost(
        seconds=steps * step,
        memory=12 * work.parameters + options.batch * pixels * 4 * 100,
        disk=len(work.rates) * pictures * pixels,
    )


def _fit(options: GenerationOptions, work: Work, seconds: float) -> Fit:
    """Fewer steps first, for pictures that nobody can compare are of no use; then fewer pictures."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    fitted = options
    for step in range(1, 25):
        share = 0.75**step
        fitted = options.model_copy(
            update={
                "steps": max(min(options.steps, FEWEST_STEPS), round(share * options.steps)),
                "restore_steps": max(min(options.restore_steps, FEWEST_STEPS), round(share * options.restore_steps)),
            }
        )
        if fitted.steps <= FEWEST_STEPS:
            fewer = 0.75 ** (step - 8)
            fitted = fitted.model_copy(
                update={
                    "pictures": max(FEWEST_PICTURES, min(options.pictures, round(fewer * options.pictures))),
                    "restored": max(FEWEST_RESTORED, min(options.restored, round(fewer * options.restored))),
                }
            )
        if _cost(fitted, work).seconds <= seconds:
            break
    if fitted == options:
        return Fit(options)
    cut = noted(
        "generation: {steps} steps of {wanted} for {pictures} pictures a class fit the budget",
        steps=f"{fitted.steps:,}",
        wanted=f"{options.steps:,}",
        pictures=fitted.pictures,
    )
    return Fit(fitted, (cut,))


STUDY = Study(
    name="generation",
    question="What can each contender paint, and what do its features still know of an image?",
    questions=(
        Question(
            metric="recognised",
            asks="Whose pictures of a class do the other contenders recognise more often?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="picture",
            margin=0.1,
            bounds=(0.0, 1.0),
        ),
        Question(
            metric="restored",
            asks="From whose features can an image be restored more closely (root mean square error of the pixels)?",
            scale=Scale.MEAN,
            direction=Direction.LOWER,
            unit="",
            paired_on="image",
            margin=0.02,
        ),
        Question(
            metric="kernel_distance",
            asks="How far do the pictures lie from the data's own images, in features that no contender made?",
            scale=Scale.MEAN,
            direction=Direction.NEITHER,
            unit="",
            paired_on="class",
            role=Role.DESCRIPTIVE,
        ),
        Question(
            metric="diversity",
            asks="How much do the pictures of one class differ, beside what its real images do?",
            scale=Scale.MEAN,
            direction=Direction.NEITHER,
            unit="",
            paired_on="class",
            role=Role.DESCRIPTIVE,
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAINED_WEIGHTS, Need.TORCH_MODULE}),
    options=GenerationOptions,
    cost=_cost,
    fit=_fit,
    together=True,
    differentiates=True,
    default=False,
)

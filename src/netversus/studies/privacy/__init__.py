"""From whose answers can one tell more easily which images it was trained on?"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from netversus.lab.training.recipe import Recipe
from netversus.messages import noted
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Study, Work

FEWEST_SAMPLES, FEWEST_SHADOWS = 256, 2
ENOUGH_SAMPLES = 2000  # in fewer, rather fewer shadows than shorter trainings


class PrivacyOptions(Recipe):
    """The recipe of every training, and how many shadows there are."""

    samples: Annotated[int | None, Field(ge=1, description="Images shown in each training; it wins over epochs.")] = (
        None
    )
    shadows: Annotated[
        int, Field(ge=2, le=256, description="Shadow networks of each contender, from which the attacker learns; even.")
    ] = 8
    images: Annotated[
        int | None,
        Field(ge=20, description="Train images that are used, half of them as members; none: all of them."),
    ] = None

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if self.shadows % 2:
            raise ValueError(f"shadows come in pairs, one for each half of the images: got {self.shadows}")
        return self


def pool(options: PrivacyOptions, train: int) -> int:
    """How many of the train images are used."""
    return min(train, options.images or train)


def steps(options: PrivacyOptions, train: int) -> int:
    """Steps of each training, on half of the images used: whole batches, at least one."""
    return max(1, (options.samples or round(options.epochs * (pool(options, train) // 2))) // options.batch)


def _samples(options: PrivacyOptions, work: Work) -> int:
    return steps(options, work.data.splits.get("train", 0)) * options.batch


def _cost(options: PrivacyOptions, work: Work) -> Cost:
    train, test = work.data.splits.get("train", 0), work.data.splits.get("test", 0)
    used, pixels = pool(options, train), (work.data.image_size or 224) ** 2
    each = _samples(options, work) * work.train_seconds + used * work.infer_seconds
    return Cost(
        seconds=(1 + options.shadows) * each + test * work.infer_seconds + (used + test) * 2e-3,
        memory=16 * work.parameters + options.batch * pixels * 3 * 4 * 60 + 2 * used * pixels * 3,
        disk=4 * work.parameters * 6 + (1 + options.shadows) * used * 8 * len(work.rates),
    )


def _fit(options: PrivacyOptions, work: Work, seconds: float) -> Fit:
    """Shorter trainings first, down to what still teaches something; then fewer shadows; then shorter ones again."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    wanted = _samples(options, work)
    fitted = options
    for shadows in range(options.shadows, FEWEST_SHADOWS - 1, -2):
        once = options.model_copy(update={"shadows": shadows, "samples": 1})
        rest = seconds - _cost(once, work).seconds
        each = (1 + shadows) * work.train_seconds
        samples = int(rest / each) if each else wanted
        fitted = once.model_copy(update={"samples": min(wanted, max(samples, FEWEST_SAMPLES))})
        if samples >= min(wanted, ENOUGH_SAMPLES):
            break
    cut = noted(
        "privacy: {shadows} of {planned} shadows a contender, {samples} of {all_samples} samples a training fit the "
        "budget",
        shadows=fitted.shadows,
        planned=options.shadows,
        samples=f"{_samples(fitted, work):,}",
        all_samples=f"{wanted:,}",
    )
    unchanged = fitted.shadows == options.shadows and _samples(fitted, work) == wanted
    return Fit(options) if unchanged else Fit(fitted, (cut,))


STUDY = Study(
    name="privacy",
    question="From whose answers can one tell more easily which images it was trained on?",
    questions=(
        Question(
            metric="member_told",
            asks="Of which contender does an attacker say rightly more often whether it was trained on an image?",
            scale=Scale.PROPORTION,
            direction=Direction.LOWER,
            unit="%",
            paired_on="image",
            margin=0.02,
        ),
        Question(
            metric="member_auroc",
            asks="Whose training images are told from others more easily (area under the ROC curve, LiRA)?",
            scale=Scale.AGGREGATE,
            direction=Direction.LOWER,
            unit="%",
            paired_on="image",
            margin=0.02,
            estimator="area_under_roc",
            inputs=("membership_lira", "outlier"),
        ),
        Question(
            metric="member_auroc_loss",
            asks="The same by the loss alone, without shadow networks?",
            scale=Scale.AGGREGATE,
            direction=Direction.LOWER,
            unit="%",
            paired_on="image",
            margin=0.02,
            role=Role.DESCRIPTIVE,
            estimator="area_under_roc",
            inputs=("membership_loss", "outlier"),
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAIN_SPLIT, Need.SCRATCH_WEIGHTS, Need.TORCH_MODULE}),
    options=PrivacyOptions,
    seeded=True,
    cost=_cost,
    fit=_fit,
    share=2.0,
    default=False,
)

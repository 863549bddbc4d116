"""Which matters more here: the data set, the architecture or the hyper-parameters?"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from netversus.messages import noted
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

FEWEST_SAMPLES = 256
SIZES = (8, 16, 32)
PAIRS = ("learning_rate", "weight_decay", "shift", "batch", "data")


class FactorsOptions(Options):
    """Two levels of each factor, and how long a trial is. Every contender gets the same trials."""

    trials: Annotated[
        Literal[8, 16, 32],
        Field(
            description="Trials of each contender: 8 tell factors apart, 16 also pairs of them, 32 are all there are."
        ),
    ] = 16
    samples: Annotated[int, Field(ge=1, description="Images shown in a trial.")] = 2000
    held_out: Annotated[
        int, Field(ge=10, description="Images of the train split on which trials are judged; none is trained on.")
    ] = 500
    learning_rate_low: Annotated[float, Field(gt=0, description="Lower peak learning rate.")] = 3e-4
    learning_rate_high: Annotated[float, Field(gt=0, description="Higher peak learning rate.")] = 3e-3
    weight_decay_low: Annotated[float, Field(ge=0, description="Lower decoupled weight decay.")] = 0.0
    weight_decay_high: Annotated[float, Field(ge=0, description="Higher decoupled weight decay.")] = 0.1
    shift_low: Annotated[
        float, Field(ge=0, le=0.5, description="Weaker augmentation: shifts, as a share of the side.")
    ] = 0.0
    shift_high: Annotated[
        float, Field(ge=0, le=0.5, description="Stronger augmentation: shifts, as a share of the side.")
    ] = 0.125
    batch_low: Annotated[int, Field(ge=2, le=4096, description="Fewer images in a step.")] = 16
    batch_high: Annotated[int, Field(ge=2, le=4096, description="More images in a step.")] = 64
    data_low: Annotated[float, Field(gt=0, le=1, description="Less data: share of the train split.")] = 0.25
    data_high: Annotated[float, Field(gt=0, le=1, description="More data: share of the train split.")] = 1.0

    @model_validator(mode="after")
    def _two_levels(self) -> Self:
        for name in PAIRS:
            low, high = getattr(self, f"{name}_low"), getattr(self, f"{name}_high")
            if not low < high:
                raise ValueError(f"{name}_low must be below {name}_high, got {low:g} and {high:g}")
        return self


def judged_images(options: FactorsOptions, train: int) -> int:
    """How many of `train` images are held out for judging: a quarter at most."""
    return min(options.held_out, train // 4)


def _judged(options: FactorsOptions, work: Work) -> int:
    return judged_images(options, work.data.splits.get("train", 0))


def _cost(options: FactorsOptions, work: Work) -> Cost:
    train, pixels = work.data.splits.get("train", 0), (work.data.image_size or 224) ** 2
    trial = options.samples * work.train_seconds + _judged(options, work) * work.infer_seconds
    return Cost(
        seconds=options.trials * trial + train * 2e-3,  # each image is decoded once
        memory=16 * work.parameters + options.batch_high * pixels * 3 * 4 * 60 + train * pixels * 3,
        disk=options.trials * len(work.rates) * 3 * 100,
    )


def _fit(options: FactorsOptions, work: Work, seconds: float) -> Fit:
    """Shorter trials first, then fewer: a trial too short to learn from tells nothing of its setting."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    fitted = options
    for trials in (size for size in reversed(SIZES) if size <= options.trials):
        once = options.model_copy(update={"trials": trials, "samples": 0})
        left = seconds - _cost(once, work).seconds
        samples = int(left / (trials * work.train_seconds)) if work.train_seconds else options.samples
        enough = min(FEWEST_SAMPLES, options.samples)
        fitted = once.model_copy(update={"samples": min(options.samples, max(samples, enough))})
        if samples >= enough:
            break
    if fitted == options:
        return Fit(options)
    cut = noted(
        "factors: {trials} of {planned} trials a contender, {samples} of {all_samples} samples a trial fit the budget",
        trials=fitted.trials,
        planned=options.trials,
        samples=f"{fitted.samples:,}",
        all_samples=f"{options.samples:,}",
    )
    return Fit(fitted, (cut,))


STUDY = Study(
    name="factors",
    question="Which matters more here: the data set, the architecture or the hyper-parameters?",
    questions=(
        Question(
            metric="trial_top1",
            asks="Which contender learns more, averaged over the same settings of data and hyper-parameters?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="trial",
            margin=0.01,
            bounds=(0.0, 1.0),
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAIN_SPLIT, Need.SCRATCH_WEIGHTS, Need.TORCH_MODULE}),
    options=FactorsOptions,
    seeded=True,
    cost=_cost,
    fit=_fit,
    share=3.0,
    default=False,
)

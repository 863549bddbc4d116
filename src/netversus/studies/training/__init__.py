"""Each contender from scratch: one recipe, the same images in the same order, the same number of steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

FEWEST_SAMPLES = 256
WEIGHTS = "weights.safetensors"


class TrainingOptions(Options):
    """The recipe, the same for every contender."""

    epochs: Annotated[float, Field(gt=0, le=1000, description="Passes over the train split.")] = 10.0
    samples: Annotated[int | None, Field(ge=1, description="Images shown to each contender; it wins over epochs.")] = (
        None
    )
    batch: Annotated[int, Field(ge=2, le=4096, description="Images in a step.")] = 32
    learning_rate: Annotated[float, Field(gt=0, description="Peak learning rate.")] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, description="Decoupled; spares norms and biases.")] = 0.05
    warmup: Annotated[float, Field(ge=0, le=0.5, description="Share of the steps that warm up.")] = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=1, description="Label smoothing.")] = 0.1
    augment: Annotated[
        Literal["none", "shift", "shift-flip"],
        Field(description="Random shifts by an eighth of the side; flips only where a mirrored class is the same."),
    ] = "shift"
    zero_init_residual: Annotated[
        bool, Field(description="Start every residual block as the identity, where it ends in a batch norm.")
    ] = True
    rounds: Annotated[int, Field(ge=1, le=1000, description="Points of the learning curve.")] = 10
    curve_images: Annotated[
        int, Field(ge=10, description="Images of each split that a point of the curve is measured on.")
    ] = 200


def total_samples(options: TrainingOptions, train_images: int) -> int:
    """How many images each contender is shown: whole batches, at least one."""
    wanted = options.samples or round(options.epochs * train_images)
    return max(1, wanted // options.batch) * options.batch


def _evaluations(options: TrainingOptions, work: Work) -> int:
    images = sum(min(options.curve_images, n) for n in work.data.splits.values())
    return images * options.rounds


def _cost(options: TrainingOptions, work: Work) -> Cost:
    samples = total_samples(options, work.data.splits.get("train", 0))
    pixels = (work.data.image_size or 224) ** 2
    return Cost(
        seconds=samples * work.train_seconds + _evaluations(options, work) * work.infer_seconds,
        memory=16 * sum(r.parameters for r in work.rates.values()) + options.batch * pixels * 3 * 4 * 60,
        disk=4 * sum(r.parameters for r in work.rates.values()) * 4,
    )


def _fit(options: TrainingOptions, work: Work, seconds: float) -> Fit:
    """Fewer samples first; the curve is thinned only when measuring it would eat a quarter of the time."""
    wanted = total_samples(options, work.data.splits.get("train", 0))
    while options.rounds > 3 and _evaluations(options, work) * work.infer_seconds > seconds / 4:
        options = options.model_copy(update={"rounds": options.rounds - 1})
    left = seconds - _evaluations(options, work) * work.infer_seconds
    samples = min(wanted, max(FEWEST_SAMPLES, int(left / work.train_seconds)))
    fitted = options.model_copy(update={"samples": samples})
    shown = total_samples(fitted, work.data.splits.get("train", 0))
    if shown == wanted:
        return Fit(options)
    return Fit(fitted, (f"training: {shown:,} of {wanted:,} samples a contender fit the budget",))


STUDY = Study(
    name="training",
    question="What does each contender learn from the same images, in the same order, under one recipe?",
    questions=(
        Question(
            metric="train_time",
            asks="Which contender trains faster, per image?",
            scale=Scale.RATIO,
            direction=Direction.LOWER,
            unit="s",
            paired_on="round",
            margin=0.05,
        ),
        Question(
            metric="fit_top1",
            asks="Which contender fits the images that it was trained on better?",
            scale=Scale.PROPORTION,
            direction=Direction.NEITHER,
            unit="%",
            paired_on="image",
            margin=0.01,
            role=Role.DESCRIPTIVE,
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAIN_SPLIT, Need.SCRATCH_WEIGHTS, Need.TORCH_MODULE}),
    weights=WEIGHTS,
    options=TrainingOptions,
    seeded=True,
    cost=_cost,
    fit=_fit,
    share=6.0,
)

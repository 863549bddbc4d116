"""Each contender from scratch: one recipe, the same images in the same order, and as much of it as is equal for all."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netversus.lab.training.recipe import Recipe
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Study, Work

FEWEST_SAMPLES = 256
FEWEST_SECONDS = 2.0
NOMINAL_FLOPS = 60e9  # a second, on a few ordinary cores: only the plan's estimate for equal=flops rests on it
WEIGHTS = "weights.safetensors"
NOTES = "notes.txt"


class TrainingOptions(Recipe):
    """The recipe, the same for every contender, and what is measured on the way."""

    samples: Annotated[int | None, Field(ge=1, description="Images shown to each contender; it wins over epochs.")] = (
        None
    )
    equal: Annotated[
        Literal["samples", "time", "flops"],
        Field(description="What every contender gets the same of; the schedule is scaled to it."),
    ] = "samples"
    seconds: Annotated[float, Field(gt=0, description="equal=time: seconds of training for each contender.")] = 300.0
    teraflops: Annotated[
        float, Field(gt=0, description="equal=flops: 10^12 operations of training for each contender.")
    ] = 10.0
    rounds: Annotated[int, Field(ge=1, le=1000, description="Points of the learning curve.")] = 10
    curve_images: Annotated[
        int, Field(ge=10, description="Images of each split that a point of the curve is measured on.")
    ] = 200
    validation: Annotated[
        float,
        Field(
            ge=0,
            le=0.5,
            description="Share of the train split held out for early stopping: the weights of its best round are kept.",
        ),
    ] = 0.0
    fraction: Annotated[float, Field(gt=0, le=1, description="Share of the train images that are used.")] = 1.0
    label_noise: Annotated[
        float, Field(ge=0, lt=1, description="Share of the train labels replaced by wrong ones, to see them memorised.")
    ] = 0.0


def train_images(options: TrainingOptions, train_split: int) -> int:
    """About how many images are learned from, once a share is left out and another held out."""
    return max(1, round(train_split * options.fraction * (1 - options.validation)))


def total_samples(options: TrainingOptions, images: int) -> int:
    """How many of so many images each contender is shown, with equal=samples: whole batches, at least one."""
    wanted = options.samples or round(options.epochs * images)
    return max(1, wanted // options.batch) * options.batch


def _evaluations(options: TrainingOptions, work: Work) -> int:
    images = sum(min(options.curve_images, n) for n in work.data.splits.values())
    return images * options.rounds


def _samples(options: TrainingOptions, work: Work) -> int:
    return total_samples(options, train_images(options, work.data.splits.get("train", 0)))


def _train_seconds(options: TrainingOptions, work: Work) -> float:
    if options.equal == "time":
        return options.seconds * len(work.rates)
    if options.equal == "flops":
        return 1e12 * options.teraflops / NOMINAL_FLOPS * len(work.rates)
    return _samples(options, work) * work.train_seconds * (2 if options.sharpness else 1)


def _cost(options: TrainingOptions, work: Work) -> Cost:
    pixels = (work.data.image_size or 224) ** 2
    return Cost(
        seconds=_train_seconds(options, work) + _evaluations(options, work) * work.infer_seconds,
        memory=16 * sum(r.parameters for r in work.rates.values()) + options.batch * pixels * 3 * 4 * 60,
        disk=4 * sum(r.parameters for r in work.rates.values()) * 7,
    )


def _fit(options: TrainingOptions, work: Work, seconds: float) -> Fit:
    """Less training first; the curve is thinned only when measuring it would eat a quarter of the time."""
    while options.rounds > 3 and _evaluations(options, work) * work.infer_seconds > seconds / 4:
        options = options.model_copy(update={"rounds": options.rounds - 1})
    left = seconds - _evaluations(options, work) * work.infer_seconds
    return _FITS[options.equal](options, work, left)


def _fit_samples(options: TrainingOptions, work: Work, left: float) -> Fit:
    wanted = _samples(options, work)
    each = work.train_seconds * (2 if options.sharpness else 1)
    samples = min(wanted, max(FEWEST_SAMPLES, int(left / each) if each else wanted))
    fitted = options.model_copy(update={"samples": samples})
    shown = _samples(fitted, work)
    if shown == wanted:
        return Fit(options)
    return Fit(fitted, (f"training: {shown:,} of {wanted:,} samples a contender fit the budget",))


def _fit_time(options: TrainingOptions, work: Work, left: float) -> Fit:
    each = max(FEWEST_SECONDS, left / max(1, len(work.rates)))
    if each >= options.seconds:
        return Fit(options)
    cut = f"training: {each:.0f} of {options.seconds:.0f} seconds a contender fit the budget"
    return Fit(options.model_copy(update={"seconds": each}), (cut,))


def _fit_flops(options: TrainingOptions, work: Work, left: float) -> Fit:
    share = max(1e-3, left / _train_seconds(options, work))
    if share >= 1:
        return Fit(options)
    each = options.teraflops * share
    cut = f"training: {each:.3g} of {options.teraflops:.3g} teraflops a contender fit the budget, by a rough estimate"
    return Fit(options.model_copy(update={"teraflops": each}), (cut,))


_FITS = {"samples": _fit_samples, "time": _fit_time, "flops": _fit_flops}


STUDY = Study(
    name="training",
    version=2,
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

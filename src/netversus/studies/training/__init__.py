"""Each contender from scratch: one recipe, the same images in the same order, and as much of it as is equal for all."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from netversus.lab.training.recipe import Recipe
from netversus.messages import noted, template
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Study, Work

FEWEST_SAMPLES = 256
FEWEST_SECONDS = 2.0
NOMINAL_FLOPS = 60e9  # a second, on a few ordinary cores: only the plan's estimate for equal=flops rests on it
WEIGHTS = "weights.safetensors"
NOTES = "notes.txt"
TARGET = "target_top1"


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
    fractions: Annotated[
        str,
        Field(
            pattern=r"^(0?\.\d+(,0?\.\d+)*)?$",
            description="Shares such as 0.1,0.25,0.5 of those images, on each of which it is trained once more: the "
            "learning curve over the data.",
        ),
    ] = ""
    target: Annotated[
        float | None,
        Field(gt=0, lt=1, description="Test accuracy such as 0.98 whose price in images, time and energy is told."),
    ] = None
    processes: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Processes, or accelerators, that share a step's images; equal results only for an equal "
            "number of them.",
        ),
    ] = 1
    label_noise: Annotated[
        float, Field(ge=0, lt=1, description="Share of the train labels replaced by wrong ones, to see them memorised.")
    ] = 0.0

    @property
    def shares(self) -> tuple[float, ...]:
        """The `fractions` as numbers, the smallest first."""
        return tuple(sorted({float(part) for part in self.fractions.split(",") if part and float(part) > 0}))

    @model_validator(mode="after")
    def _timed_alone(self) -> Self:
        if self.processes > 1 and self.equal == "time":
            raise ValueError("equal=time is timed on one process; with processes it is samples or flops that are equal")
        return self


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
    return (1 + len(options.shares)) * _seconds_once(options, work)


def _seconds_once(options: TrainingOptions, work: Work) -> float:
    """Seconds of one training of every contender."""
    if options.equal == "time":
        return options.seconds * len(work.rates)
    if options.equal == "flops":
        return 1e12 * options.teraflops / NOMINAL_FLOPS * len(work.rates)
    return _samples(options, work) * _image_seconds(options, work)


def _image_seconds(options: TrainingOptions, work: Work) -> float:
    """Seconds to train every contender on one image under the recipe: as timed, or a plain step for each of the passes
    that it takes (Foret et al. 2021: sharpness-aware minimisation takes two)."""
    passes = 2 if options.sharpness else 1
    rates = work.rates.values()
    return sum(passes * r.train_seconds if r.recipe_seconds is None else r.recipe_seconds for r in rates)


def _cost(options: TrainingOptions, work: Work) -> Cost:
    pixels = (work.data.image_size or 224) ** 2
    return Cost(
        seconds=_train_seconds(options, work) + _evaluations(options, work) * work.infer_seconds,
        memory=16 * options.processes * sum(r.parameters for r in work.rates.values())
        + options.batch * pixels * 3 * 4 * 60,
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
    each = _image_seconds(options, work) * (1 + len(options.shares))
    samples = min(wanted, max(FEWEST_SAMPLES, int(left / each) if each else wanted))
    fitted = options.model_copy(update={"samples": samples})
    shown = _samples(fitted, work)
    if shown == wanted:
        return Fit(options)
    cut = template("training: {n} of {total} samples a contender fit the budget")
    return Fit(fitted, (noted(cut, n=f"{shown:,}", total=f"{wanted:,}"),))


def _fit_time(options: TrainingOptions, work: Work, left: float) -> Fit:
    each = max(FEWEST_SECONDS, left / max(1, len(work.rates)) / (1 + len(options.shares)))
    if each >= options.seconds:
        return Fit(options)
    cut = template("training: {n} of {total} seconds a contender fit the budget")
    said = noted(cut, n=f"{each:.0f}", total=f"{options.seconds:.0f}")
    return Fit(options.model_copy(update={"seconds": each}), (said,))


def _fit_flops(options: TrainingOptions, work: Work, left: float) -> Fit:
    share = max(1e-3, left / _train_seconds(options, work))
    if share >= 1:
        return Fit(options)
    each = options.teraflops * share
    cut = template("training: {n} of {total} teraflops a contender fit the budget, by a rough estimate")
    said = noted(cut, n=f"{each:.3g}", total=f"{options.teraflops:.3g}")
    return Fit(options.model_copy(update={"teraflops": each}), (said,))


_FITS = {"samples": _fit_samples, "time": _fit_time, "flops": _fit_flops}


STUDY = Study(
    name="training",
    version=4,
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

"""What are a contender's features worth on the user's own images, frozen and adjusted?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netversus.messages import noted
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

FEWEST_TEST, FEWEST_TRAIN, FEWEST_TUNING, FEWEST_DRAWS = 100, 200, 128, 2
SHOTS = (1, 2, 5, 10)
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of scikit-learn's C, the inverse of the L2 penalty
STEPS_OF_A_CUT = 24

# What the cost of the linear algebra is estimated from.
_WIDTH, _ITERATIONS, _FLOPS = 2048, 100, 5e9
_PLACES = 6  # stages and the head's input


class TransferOptions(Options):
    """Settings of the transfer study."""

    images: Annotated[
        int | None, Field(ge=1, description="Test images, from the recorded shuffle; none: all of them.")
    ] = None
    train_images: Annotated[
        int | None, Field(ge=2, description="Train images, from the recorded shuffle; none: all of them.")
    ] = 5000
    batch: Annotated[int, Field(ge=1, le=4096, description="Images read at once.")] = 64
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which images are read.")] = 0
    held_out: Annotated[
        float, Field(gt=0, le=0.5, description="Share of the train images on which the probe's penalty is chosen.")
    ] = 0.2
    neighbours: Annotated[int, Field(ge=1, description="Nearest train images that vote.")] = 20
    temperature: Annotated[float, Field(gt=0, description="A vote weighs exp(cosine / temperature).")] = 0.07
    draws: Annotated[int, Field(ge=1, le=100, description="Draws of a few images a class.")] = 5
    tuning_samples: Annotated[int, Field(ge=1, description="Train images shown while weights are adjusted.")] = 5000
    tuning_batch: Annotated[int, Field(ge=2, le=4096, description="Images in a step of the adjusting.")] = 32
    tuning_rate: Annotated[float, Field(gt=0, description="Peak learning rate of the adjusting.")] = 1e-4
    tuning_decay: Annotated[float, Field(ge=0, description="Decoupled weight decay; spares norms and biases.")] = 0.05


def _counts(options: TransferOptions, work: Work) -> tuple[int, int]:
    """How many test and train images are read."""
    test, train = (work.data.splits.get(split, 0) for split in ("test", "train"))
    return min(test, options.images or test), min(train, options.train_images or train)


def _cost(options: TransferOptions, work: Work) -> Cost:
    """Reading features once; adjusting in part and in whole (a step is about three readings); two more readings of the
    test images; and the linear algebra, by the multiply-adds of L-BFGS on features as wide as a ResNet-50's."""
    test, train = _counts(options, work)
    step = sum(max(rate.train_seconds, 3 * rate.infer_seconds) for rate in work.rates.values())
    classes, side = len(work.data.classes), work.data.image_size or 224
    rows = _PLACES * (len(STRENGTHS) + 1) * train + options.draws * sum(SHOTS) * classes
    algebra = len(work.rates) * 4 * rows * _WIDTH * classes * _ITERATIONS / _FLOPS
    reading = (3 * test + train) * work.infer_seconds
    return Cost(
        seconds=reading + 2 * options.tuning_samples * step + algebra,
        memory=8 * train * _WIDTH * 2 + train * side**2 * 3 + 20 * work.parameters * len(work.rates),
        disk=len(work.rates) * ((test + train) * _PLACES * 1000 * 4 + 30 * work.parameters),
    )


def _fit(options: TransferOptions, work: Work, seconds: float) -> Fit:
    """Fewer images and a shorter adjusting, by one share: both decide how far the features are heard out."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    test, train = _counts(options, work)
    fitted = options
    for step in range(1, STEPS_OF_A_CUT + 1):
        share = 0.75**step
        fitted = options.model_copy(
            update={
                "images": min(test, max(FEWEST_TEST, round(share * test))),
                "train_images": min(train, max(FEWEST_TRAIN, round(share * train))),
                "draws": min(options.draws, max(FEWEST_DRAWS, round(share * options.draws))),
                "tuning_samples": min(
                    options.tuning_samples, max(FEWEST_TUNING, round(share * options.tuning_samples))
                ),
            }
        )
        if _cost(fitted, work).seconds <= seconds:
            break
    if _cost(fitted, work) == _cost(options, work):
        return Fit(options)
    cut = noted(
        "transfer: {test} test images, {train} train images, {samples} samples of adjusting and {draws} draws fit the "
        "budget",
        test=_of(fitted.images or test, test),
        train=_of(fitted.train_images or train, train),
        samples=_of(fitted.tuning_samples, options.tuning_samples),
        draws=_of(fitted.draws, options.draws),
    )
    return Fit(fitted, (cut,))


def _of(n: int, total: int) -> str:
    return noted("{n} of {total}", n=f"{n:,}", total=f"{total:,}")


def _question(metric: str, asks: str) -> Question:
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
    name="transfer",
    question="What are a contender's features worth on these images, frozen and with its weights adjusted?",
    questions=(
        _question("probe_top1", "On whose frozen features is a linear classifier right more often?"),
        _question("knn_top1", "In whose features are the nearest neighbours of the right class more often?"),
        _question("partial_top1", "Who is right more often once the last stage has been adjusted?"),
        _question("finetuned_top1", "Who is right more often once all weights have been adjusted?"),
    ),
    # Not LABELLED_IMAGES, which asks that the outputs stand for the data's classes: weights that were trained for other
    # classes are what this study is for. Every split has labels.
    needs=frozenset({Need.TRAIN_SPLIT, Need.TRAINED_WEIGHTS, Need.TORCH_MODULE}),
    options=TransferOptions,
    cost=_cost,
    fit=_fit,
    share=2.0,
    default=False,
)

"""How much of each contender's accuracy is left on corrupted images, and does it notice what it was not made for?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netversus.lab.corruptions import COMMON, CORRUPTIONS, EXTRA, SEVERITIES, SWEEPS
from netversus.messages import noted
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

FEWEST_IMAGES, FEWEST_OUTLIERS, FEWEST_TRAIN = 24, 24, 100
SCORES = ("max_logit", "energy", "mahalanobis", "neighbours")
"""By what an outlier may be told; the last two need features of train images."""

_CORRUPTING = 2e-3  # seconds to corrupt an image of 224 px once, seen on one core, for the cost alone
_MORE = {"none": (), "extra": EXTRA, "sweeps": SWEEPS, "all": EXTRA + SWEEPS}


class CorruptionOptions(Options):
    """Settings of the corruption study."""

    images: Annotated[
        int | None, Field(ge=1, description="Test images, from the recorded shuffle; none: all of them.")
    ] = 200
    more: Annotated[
        Literal["none", "extra", "sweeps", "all"],
        Field(
            description="What is shown beside the 15 common corruptions: the 4 extra ones, the sweeps of occlusion, "
            "rotation, compression and resolution, or both."
        ),
    ] = "sweeps"
    batch: Annotated[
        int, Field(ge=1, le=1024, description="Images read and corrupted at a time, each about a hundred times.")
    ] = 16
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which images are read.")] = 0
    chance_seed: Annotated[int, Field(ge=0, description="Seed of the noise.")] = 0
    outliers: Annotated[
        int, Field(ge=4, le=100_000, description="Images of other kinds, that a contender should not be sure of.")
    ] = 200
    train_images: Annotated[
        int, Field(ge=2, description="Train images by whose features outliers are told, from the recorded shuffle.")
    ] = 1000
    neighbours: Annotated[int, Field(ge=1, description="The distance to which nearest train image tells outliers.")] = (
        10
    )


def shown(options: CorruptionOptions) -> tuple[str, ...]:
    """The corruptions that are shown, in the order of `CORRUPTIONS`."""
    return tuple(name for name in CORRUPTIONS if name in COMMON or name in _MORE[options.more])


def _counts(options: CorruptionOptions, work: Work) -> tuple[int, int]:
    """How many test and train images are read."""
    test, train = (work.data.splits.get(split, 0) for split in ("test", "train"))
    return min(test, options.images or test), min(train, options.train_images)


def _cost(options: CorruptionOptions, work: Work) -> Cost:
    """Each test image is shown clean, at every corruption and severity, and once more beside the outliers."""
    test, train = _counts(options, work)
    times = len(shown(options)) * len(SEVERITIES)
    side = work.data.image_size or 224
    corrupting = test * times * _CORRUPTING * (side / 224) ** 2
    showings = test * (times + 2) + train + options.outliers
    return Cost(
        seconds=showings * work.infer_seconds + corrupting,
        memory=4 * work.parameters * len(work.rates) * 2 + options.batch * len(SEVERITIES) * side**2 * 3 * 4 * 4,
        disk=len(work.rates) * (test * 10 * 8 + (test // options.batch + 1) * times * 2 * 16 + 400_000),
    )


def _fit(options: CorruptionOptions, work: Work, seconds: float) -> Fit:
    """Fewer of all images by one share; the sweeps, which no verdict rests on, go first."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    fitted, cuts = options, []
    if options.more != "none":
        fitted = options.model_copy(update={"more": "none"})
        cuts.append(noted("corruption: only the 15 common corruptions fit the budget"))
    test, train = _counts(fitted, work)
    share = min(1.0, seconds / _cost(fitted, work).seconds)
    if share < 1:
        fitted = fitted.model_copy(
            update={
                "images": min(test, max(FEWEST_IMAGES, int(share * test))),
                "outliers": min(fitted.outliers, max(FEWEST_OUTLIERS, int(share * fitted.outliers))),
                "train_images": max(2, min(train, max(FEWEST_TRAIN, int(share * train)))),
            }
        )
        cuts.append(
            noted(
                "corruption: {images} of {total} test images, {outliers} outliers and {train} train images fit the "
                "budget",
                images=f"{fitted.images:,}",
                total=f"{test:,}",
                outliers=f"{fitted.outliers:,}",
                train=f"{fitted.train_images:,}",
            )
        )
    return Fit(fitted, tuple(cuts))


def _telling(score: str, words: str) -> tuple[Question, Question]:
    """How well outliers are told by a score. Two of the four are judged: one of the answers, one of the features."""
    judged = score in {"energy", "neighbours"}
    common = {"scale": Scale.AGGREGATE, "unit": "%", "paired_on": "image", "margin": 0.02}
    inputs = (f"outlier_{score}", "outlier")
    return (
        Question(
            metric=f"auroc_{score}",
            asks=f"Who tells images of other kinds from its own better, by {words} (area under the ROC curve)?",
            direction=Direction.HIGHER,
            role=Role.SECONDARY if judged else Role.DESCRIPTIVE,
            estimator="area_under_roc",
            inputs=inputs,
            **common,  # type: ignore[arg-type]
        ),
        Question(
            metric=f"fpr95_{score}",
            asks=f"Who lets fewer images of other kinds pass where 95 % of its own pass, by {words}?",
            direction=Direction.LOWER,
            role=Role.DESCRIPTIVE,
            estimator="false_positive_rate",
            inputs=inputs,
            **common,  # type: ignore[arg-type]
        ),
    )


STUDY = Study(
    name="corruption",
    question="How much of each contender's accuracy is left on corrupted images, and does it notice what is foreign?",
    questions=(
        Question(
            metric="corrupted_top1",
            asks="Who is right more often on corrupted images?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="image",
            margin=0.01,
            bounds=(0.0, 1.0),
        ),
        Question(
            metric="accuracy_lost",
            asks="Who loses less of its accuracy when images are corrupted?",
            scale=Scale.MEAN,
            direction=Direction.LOWER,
            unit="%",
            paired_on="image",
            margin=0.01,
            bounds=(-1.0, 1.0),
        ),
        Question(
            metric="corrupted_nll",
            asks="Who gives the right class of a corrupted image more probability (negative log-likelihood)?",
            scale=Scale.MEAN,
            direction=Direction.LOWER,
            unit="nats",
            paired_on="image",
            margin=0.05,
        ),
        Question(
            metric="overconfidence",
            asks="By how much does the confidence on corrupted images exceed how often the answers are right?",
            scale=Scale.MEAN,
            direction=Direction.NEITHER,
            unit="%",
            paired_on="image",
            margin=0.02,
            bounds=(-1.0, 1.0),
        ),
        *_telling("max_logit", "the largest logit"),
        *_telling("energy", "the energy of its answers"),
        *_telling("mahalanobis", "the Mahalanobis distance of its features"),
        *_telling("neighbours", "the nearest neighbours of its features"),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAINED_WEIGHTS}),
    options=CorruptionOptions,
    cost=_cost,
    fit=_fit,
    default=False,
)

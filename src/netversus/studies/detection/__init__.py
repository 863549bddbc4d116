"""Which contender, as the backbone of a detector or as a detector of its own, finds the objects better?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netversus.lab.detection.cost import asking_seconds, kept_bytes, training_memory, training_seconds
from netversus.lab.detection.recipe import DetectorRecipe
from netversus.messages import noted
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Study, Work

FEWEST_SAMPLES, FEWEST_PICTURES = 8, 4

MATCHES = "matches.npz"
DETECTIONS = "detections.json"
TRUTH = "ground-truth.json"
ALBUM = "album.json"


class DetectionOptions(DetectorRecipe):
    """Settings of the detection study: those of the detectors, and what is measured."""

    pictures: Annotated[
        int | None, Field(ge=1, description="Test pictures, the first in the recorded shuffle; none: all of them.")
    ] = None
    timed: Annotated[int, Field(ge=2, description="Test pictures on which a detector is timed, one by one.")] = 12
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which test pictures are chosen.")] = 0


def _pictures(options: DetectionOptions, work: Work) -> int:
    held = work.data.frames.get("test", 0)
    return min(held, options.pictures or held)


def _cost(options: DetectionOptions, work: Work) -> Cost:
    """Training and asking."""
    asked = _pictures(options, work) + 2 * options.timed
    return Cost(
        seconds=training_seconds(options, work) + asked * asking_seconds(options, work),
        memory=training_memory(options, work),
        disk=len(work.rates) * asked * 10_000 + kept_bytes(work),
    )


def _fit(options: DetectionOptions, work: Work, seconds: float) -> Fit:
    """Less training first; then fewer test pictures, which decide how sure one can be."""
    whole = _cost(options, work).seconds
    if whole <= seconds:
        return Fit(options)
    fitted = options
    for step in range(1, 33):
        share = 0.75**step
        samples = min(options.samples, max(FEWEST_SAMPLES, round(share * options.samples)))
        update: dict[str, int | None] = {"samples": samples, "batch": min(options.batch, samples)}
        if samples == min(options.samples, FEWEST_SAMPLES):
            held = _pictures(options, work)
            update |= {"pictures": min(held, max(FEWEST_PICTURES, round(share * 8 * held))), "timed": 2}
        fitted = options.model_copy(update=update)
        if _cost(fitted, work).seconds <= seconds:
            break
    if _cost(fitted, work).seconds >= whole:
        return Fit(options)
    cut = noted(
        "detection: {samples} of {wanted} pictures shown in training and {pictures} of {held} test pictures fit the "
        "budget",
        samples=f"{fitted.samples:,}",
        wanted=f"{options.samples:,}",
        pictures=f"{_pictures(fitted, work):,}",
        held=f"{_pictures(options, work):,}",
    )
    return Fit(fitted, (cut,))


def _average(metric: str, asks: str, estimator: str, role: Role = Role.DESCRIPTIVE) -> Question:
    return Question(
        metric=metric,
        asks=asks,
        scale=Scale.AGGREGATE,
        direction=Direction.HIGHER,
        unit="%",
        paired_on="image",
        margin=0.01,
        role=role,
        estimator=estimator,
        inputs=("objects",),
        records=MATCHES,
    )


STUDY = Study(
    name="detection",
    question="With which contender are objects found better?",
    questions=(
        _average(
            "ap",
            "Who finds the objects better (average precision over IoU 0.50 to 0.95, COCO's AP)?",
            "average_precision",
            Role.SECONDARY,
        ),
        # The same detections seen otherwise: they are described, and take nothing of the error rate of the first.
        _average("ap50", "Who finds them better where a rough box will do (IoU 0.50)?", "average_precision_50"),
        _average("ap75", "Who finds them better where the box must fit (IoU 0.75)?", "average_precision_75"),
        _average("ap_small", "Who finds small objects better (under 32 x 32 px)?", "average_precision_small"),
        _average("ap_medium", "Who finds objects of medium size better?", "average_precision_medium"),
        _average("ap_large", "Who finds large objects better (from 96 x 96 px)?", "average_precision_large"),
        Question(
            metric="detector_time",
            asks="Which whole detector answers faster, picture by picture?",
            scale=Scale.RATIO,
            direction=Direction.LOWER,
            unit="s",
            paired_on="image",
            margin=0.05,
            role=Role.DESCRIPTIVE,
        ),
    ),
    needs=frozenset({Need.BOXES, Need.TORCH_MODULE}),
    options=DetectionOptions,
    cost=_cost,
    fit=_fit,
    seeded=True,
    share=4.0,
    default=False,
    detections=True,
    finetunes=True,
)

"""With which contender are objects followed better from picture to picture?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netversus.lab.detection.cost import asking_seconds, kept_bytes, training_memory, training_seconds
from netversus.lab.detection.recipe import DetectorRecipe
from netversus.lab.tracking.least import TRIED
from netversus.messages import noted
from netversus.records import DataCard, Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Study, Work

TRACKED, CHAIN_MOTION, CHAIN_LIBRARY = "tracked", "chain-motion", "chain-library"
GIVEN, MOTION, LIBRARY, RANDOM, CEILING = "given", "motion", "library", "random", "ceiling"
ORACLE, ORACLE_MOTION = "oracle", "oracle-motion"
CHAIN = (TRACKED, CHAIN_MOTION, CHAIN_LIBRARY)
WAYS = (*CHAIN, GIVEN, MOTION, LIBRARY, RANDOM, CEILING, ORACLE, ORACLE_MOTION)
"""How a sequence is tracked. What is judged is `TRACKED`: the whole chain, which is the boxes of the contender's own
detector and its features; beside it these boxes by place alone and by the library's tracker. Then the boxes that are
given to all: with the contender's features, by place alone, by the library's tracker, with the features of a random
network of its kind, under the true names. Then the true boxes: with its features, and by place alone. Where no detector
is trained, what is judged is the given boxes with its features, and no way begins with a detector."""

TRACKS = "tracks.zip"
DETECTIONS = "detections.zip"
LEAST = "least-score.json"  # of a contender's detector, where it was not given
OBJECTS, SWITCHES = "objects", "switches"
FILMS = 3

FEWEST_SEQUENCES, FEWEST_PICTURES = 2, 4
FEWEST_LESSONS = 480  # pictures shown in training, under which a detector finds too little to be tracked
_NOMINAL_PICTURES, _NOMINAL_BOXES = 60, 6  # where the data do not tell how long sequences are, or how many are in them
_READINGS = 3  # of each box: of the given and of the true boxes, and by the random network
_PICTURE_SECONDS = 0.02  # drawing or decoding one, and associating its boxes in every way


class TrackingOptions(DetectorRecipe):
    """Settings of the tracking study: those of the contenders' detectors, and what is tracked. The settings of the
    association are fixed (`netversus.lab.tracking`)."""

    detector: Annotated[
        Literal["trained", "none"],
        Field(
            description="trained: each contender's tracks begin with the boxes of a detector trained on it here, where "
            "the data hold pictures to learn from; none: with the boxes that are given to all."
        ),
    ] = "trained"
    least_score: Annotated[
        float | None,
        Field(
            ge=0,
            lt=1,
            description="Score from which a box of a trained detector is tracked; none: of each detector the one from "
            "which its boxes are best on some train pictures that it did not learn from.",
        ),
    ] = None

    sequences: Annotated[
        int | None, Field(ge=1, description="Test sequences, the first in the recorded shuffle; none: all of them.")
    ] = None
    pictures: Annotated[
        int | None, Field(ge=2, description="Pictures of each sequence, the first ones; none: all of them.")
    ] = None
    tracker: Annotated[
        Literal["bytetrack", "sort", "ocsort", "none"],
        Field(description="Tracker of the library trackers that is shown beside, without appearance; none: without."),
    ] = "bytetrack"
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which sequences are chosen.")] = 0
    boxes_seed: Annotated[int, Field(ge=0, description="Seed by which the given boxes are missed and moved.")] = 0


def file_of(way: str) -> str:
    """The artifact that keeps a way's counts."""
    return f"{way}.json"


def film_of(place: int) -> str:
    """The artifact that keeps the animation of the sequence at a place."""
    return f"film-{place}.gif"


def _counts(options: TrackingOptions, work: Work) -> tuple[int, int]:
    """How many sequences are tracked, and about how many pictures of each."""
    held = work.data.sequences.get("test", 0)
    return min(held, options.sequences or held), options.pictures or _NOMINAL_PICTURES


def chained(options: TrackingOptions, data: DataCard) -> bool:
    """Whether the tracks begin with detectors that are trained here: asked for, and the data have train pictures."""
    return options.detector == "trained" and bool(data.frames.get("train") or data.sequences.get("train"))


def _cost(options: TrackingOptions, work: Work) -> Cost:
    sequences, pictures = _counts(options, work)
    shown = sequences * pictures
    boxes = _NOMINAL_BOXES * shown
    chain = chained(options, work.data)
    readings = _READINGS + (1 if chain else 0)
    tracking = len(work.rates) * shown * _PICTURE_SECONDS + readings * boxes * work.infer_seconds
    asked = shown + (TRIED if options.least_score is None else 0)
    detecting = training_seconds(options, work) + asked * asking_seconds(options, work) if chain else 0.0
    return Cost(
        seconds=tracking + detecting,
        memory=16 * work.parameters + 64 * 2**20 + (training_memory(options, work) if chain else 0),
        disk=len(work.rates) * (FILMS * 400_000 + 2 * boxes * 60 + len(WAYS) * sequences * 1000)
        + (kept_bytes(work) if chain else 0),
    )


def _fit(options: TrackingOptions, work: Work, seconds: float) -> Fit:
    """A shorter training of the detectors first; no detectors where the shortest useful one is too long; then shorter
    sequences."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    if not chained(options, work.data):
        return _shortened(options, work, seconds)
    fewer = _taught_less(options, work, seconds)
    if _cost(fewer, work).seconds <= seconds:
        cut = noted(
            "tracking: {samples} of {wanted} pictures shown in training the detectors fit the budget",
            samples=f"{fewer.samples:,}",
            wanted=f"{options.samples:,}",
        )
        return Fit(fewer, (cut,))
    without = options.model_copy(update={"detector": "none"})
    fit = _shortened(without, work, seconds)
    cut = noted(
        "tracking: no detector can be trained within the budget, so that the tracks begin with boxes that are given to "
        "all contenders"
    )
    return Fit(fit.options, (cut, *fit.cuts))


def _taught_less(options: TrackingOptions, work: Work, seconds: float) -> TrackingOptions:
    """As many pictures in training as fit, `FEWEST_LESSONS` at least."""
    least = min(options.samples, FEWEST_LESSONS)
    fitted = options
    for step in range(1, 33):
        samples = max(least, round(0.75**step * options.samples))
        fitted = options.model_copy(update={"samples": samples, "batch": min(options.batch, samples)})
        if samples == least or _cost(fitted, work).seconds <= seconds:
            break
    return fitted


def _shortened(options: TrackingOptions, work: Work, seconds: float) -> Fit:
    """Shorter sequences first, for they decide less than how many there are; then fewer of them."""
    whole = _cost(options, work).seconds
    if whole <= seconds:
        return Fit(options)
    held, pictures = _counts(options, work)
    fitted = options
    for step in range(1, 33):
        share = 0.75**step
        shorter = min(pictures, max(FEWEST_PICTURES, round(share * pictures)))
        spare = share * pictures / shorter  # below 1 once they are as short as they may be
        fewer = min(held, max(FEWEST_SEQUENCES, round(min(1.0, spare) * held)))
        fitted = options.model_copy(update={"pictures": shorter, "sequences": fewer})
        if _cost(fitted, work).seconds <= seconds:
            break
    if _cost(fitted, work).seconds >= whole:
        return Fit(options)
    cut = noted(
        "tracking: {pictures} pictures of each of {sequences} of {held} test sequences fit the budget",
        pictures=f"{fitted.pictures:,}",
        sequences=f"{fitted.sequences:,}",
        held=f"{held:,}",
    )
    return Fit(fitted, (cut,))


def _score(metric: str, asks: str, score: str, *, way: str = TRACKED, role: Role = Role.DESCRIPTIVE) -> Question:
    return Question(
        metric=metric,
        asks=asks,
        scale=Scale.AGGREGATE,
        direction=Direction.HIGHER,
        unit="%",
        paired_on="sequence",
        margin=0.01,
        role=role,
        estimator=f"tracks_{score}",
        inputs=(OBJECTS,),
        records=file_of(way),
    )


STUDY = Study(
    name="tracking",
    question="With which contender are objects followed better from picture to picture?",
    questions=(
        _score("hota", "Whose tracks are better (HOTA)?", "hota", role=Role.SECONDARY),
        # The same tracks seen otherwise: they are described, and take nothing of the error rate of the first.
        _score("deta", "Whose tracks lie better on the objects, whatever they are called (DetA)?", "deta"),
        _score("assa", "Whose tracks keep to their objects better (AssA)?", "assa"),
        _score("idf1", "Whose tracks have the right name more often (IDF1)?", "idf1"),
        _score("mota", "Whose tracks miss, invent and exchange less (MOTA)?", "mota"),
        Question(
            metric=SWITCHES,
            asks="With which contender do objects change their track less often?",
            scale=Scale.MEAN,
            direction=Direction.LOWER,
            unit="switches",
            paired_on="sequence",
            margin=1.0,
            role=Role.DESCRIPTIVE,
        ),
    ),
    needs=frozenset({Need.SEQUENCES, Need.TRAINED_WEIGHTS, Need.TORCH_MODULE}),
    options=TrackingOptions,
    cost=_cost,
    fit=_fit,
    seeded=True,
    share=4.0,
    default=False,
    tracks=True,
)

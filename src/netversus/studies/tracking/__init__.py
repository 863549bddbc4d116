"""With whose features are objects followed better from picture to picture?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netversus.messages import noted
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

TRACKED, MOTION, LIBRARY, RANDOM = "tracked", "motion", "library", "random"
ORACLE, ORACLE_MOTION, CEILING = "oracle", "oracle-motion", "ceiling"
WAYS = (TRACKED, MOTION, LIBRARY, RANDOM, CEILING, ORACLE, ORACLE_MOTION)
"""How a sequence is tracked: with the contender's features, by place alone, by the library's tracker, with the features
of a random network of its kind, under the true names; and the first two of the true boxes."""

TRACKS = "tracks.zip"
OBJECTS, SWITCHES = "objects", "switches"
FILMS = 3

FEWEST_SEQUENCES, FEWEST_PICTURES = 2, 4
_NOMINAL_PICTURES, _NOMINAL_BOXES = 60, 6  # where the data do not tell how long sequences are, or how many are in them
_READINGS = 3  # of each box: of the given and of the true boxes, and by the random network
_PICTURE_SECONDS = 0.02  # drawing or decoding one, and associating its boxes in every way


class TrackingOptions(Options):
    """Settings of the tracking study. The settings of the association are fixed (`netversus.lab.tracking`)."""

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


def _cost(options: TrackingOptions, work: Work) -> Cost:
    sequences, pictures = _counts(options, work)
    shown = sequences * pictures
    boxes = _NOMINAL_BOXES * shown
    return Cost(
        seconds=len(work.rates) * shown * _PICTURE_SECONDS + _READINGS * boxes * work.infer_seconds,
        memory=16 * work.parameters + 64 * 2**20,
        disk=len(work.rates) * (FILMS * 400_000 + boxes * 60 + len(WAYS) * sequences * 1000),
    )


def _fit(options: TrackingOptions, work: Work, seconds: float) -> Fit:
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
    question="With whose features are objects followed better from picture to picture?",
    questions=(
        _score("hota", "Whose tracks are better (HOTA)?", "hota", role=Role.SECONDARY),
        # The same tracks seen otherwise: they are described, and take nothing of the error rate of the first.
        _score("deta", "Whose tracks lie better on the objects, whatever they are called (DetA)?", "deta"),
        _score("assa", "Whose tracks keep to their objects better (AssA)?", "assa"),
        _score("idf1", "Whose tracks have the right name more often (IDF1)?", "idf1"),
        _score("mota", "Whose tracks miss, invent and exchange less (MOTA)?", "mota"),
        Question(
            metric=SWITCHES,
            asks="With whose features do objects change their track less often?",
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
    default=False,
    tracks=True,
)

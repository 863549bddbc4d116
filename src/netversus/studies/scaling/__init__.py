"""How do cost and quality grow with resolution, batch, depth and workers, and how near the machine's limit is that?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from netversus.lab.rates import MACS_A_SECOND
from netversus.messages import noted
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

FEWEST_BLOCKS = 12  # of fewer, no test could tell two contenders apart once a whole run's questions share its error
LARGEST_CUT_BATCH = 8  # a budget leaves batches up to here: what a batch gains is mostly gained by then
FEWEST_IMAGES = 100
TURNS = 2  # each point has two in a block, see `netversus.lab.timing.turns`
DROPPED = 1.25  # calls that are dropped when another contender's turn begins, as a share
CALL_SECONDS = 2e-3  # what a call costs however small the network is
START_SECONDS = 15.0  # a process that loads torch
ROOFLINE_SECONDS = 10.0  # most of it is touching fresh memory
NOMINAL_THREADS = (1, 2)  # a plan does not know the machine that will run it

GIGAMACS = {18: 1.8, 34: 3.7, 50: 4.1, 101: 7.8, 152: 11.5}
"""Billions of multiply-adds of a ResNet by its depth, at 224 px (torchvision's documentation), for the cost alone."""

NOTES = "notes.json"
"""The artifact that tells what is no contender's: the machine's roof, the reference ResNets, what was left out."""


def _listed(value: object) -> object:
    """Numbers from the command line, as "1,32"."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return (value,) if isinstance(value, int | float) else value


def _number(value: object) -> object:
    """A depth that came as text; a literal is not converted by itself."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Factor = Annotated[float, Field(gt=0, le=16)]
Batch = Annotated[int, Field(ge=1, le=65536)]
Threads = Annotated[int, Field(ge=1, le=4096)]
Depth = Annotated[Literal[18, 34, 50, 101, 152], BeforeValidator(_number)]


class ScalingOptions(Options):
    """Settings of the scaling study."""

    blocks: Annotated[int, Field(ge=2, le=10_000, description="Timing blocks; each point has two turns in each.")] = 16
    repetitions: Annotated[
        int, Field(ge=1, le=1000, description="Most timed calls of a point in a turn; long calls are made once.")
    ] = 5
    resolution: Annotated[
        tuple[Factor, ...],
        BeforeValidator(_listed),
        Field(min_length=1, description="Sides of the images as multiples of each contender's own, as 0.5,1,1.5."),
    ] = (0.5, 0.75, 1.0, 1.5)
    batch: Annotated[
        tuple[Batch, ...], BeforeValidator(_listed), Field(min_length=1, description="Batches, as 1,2,4,8.")
    ] = (1, 2, 4, 8, 16, 32)
    at_once: Annotated[
        int, Field(ge=1, le=65536, description="Images at once where the resolution, depth or workers vary.")
    ] = 8
    depths: Annotated[
        tuple[Depth, ...],
        BeforeValidator(_listed),
        Field(description="ResNets with random weights to time beside the contenders, as 18,34,50,101,152."),
    ] = ()
    threads: Annotated[
        tuple[Threads, ...],
        BeforeValidator(_listed),
        Field(description="Threads on a processor, as 1,2,4; none: doubled from 1 to all cores."),
    ] = ()
    processes: Annotated[
        tuple[Threads, ...],
        BeforeValidator(_listed),
        Field(description="Processes of one thread each that run a contender at the same time, as 1,2,4."),
    ] = ()
    workers: Annotated[bool, Field(description="Measure how time falls with threads, or with several GPUs.")] = True
    roofline: Annotated[bool, Field(description="Measure the machine's peak arithmetic and memory bandwidth.")] = True
    images: Annotated[int, Field(ge=1, description="Test images shown at each resolution.")] = 400


def _block_images(options: ScalingOptions) -> float:
    """How many images of its own size each contender is shown in a turn of everything."""
    slower = [max(options.threads or NOMINAL_THREADS) / count for count in options.threads or NOMINAL_THREADS]
    workers = sum(slower) if options.workers else 0.0
    alone = max(NOMINAL_THREADS) * len(options.processes)  # each has one thread, and all run at the same time
    return sum(options.batch) + options.at_once * (_pixels(options) + workers + alone)


def _pixels(options: ScalingOptions) -> float:
    return sum(factor**2 for factor in options.resolution)


def _depth_seconds(options: ScalingOptions, work: Work) -> float:
    """One turn of the reference ResNets."""
    scale = ((work.data.image_size or 224) / 224) ** 2
    return options.at_once * sum(GIGAMACS[depth] for depth in options.depths) * 1e9 * scale / MACS_A_SECOND


def _cost(options: ScalingOptions, work: Work) -> Cost:
    turns = TURNS * (options.blocks + 1)  # one block's worth goes into trying everything out
    points = len(options.batch) + len(options.resolution) + (len(options.threads) or len(NOMINAL_THREADS))
    points += len(options.processes)
    calls = turns * points * options.repetitions * len(work.rates)
    shown = min(options.images, work.data.splits.get("test", 0)) * _pixels(options)
    side = (work.data.image_size or 224) * max(*options.resolution, 1.0)
    starts = START_SECONDS * max(options.processes, default=0)
    seconds = starts + turns * DROPPED * (_block_images(options) * work.infer_seconds + _depth_seconds(options, work))
    return Cost(
        seconds=seconds + CALL_SECONDS * calls + shown * work.infer_seconds + ROOFLINE_SECONDS * options.roofline,
        memory=int(4 * work.parameters * len(work.rates) + max(*options.batch, options.at_once) * side**2 * 3 * 4 * 20),
        disk=8 * 6 * len(work.rates) * (options.blocks * points + options.images * (1 + len(options.resolution))),
    )


def _fit(options: ScalingOptions, work: Work, seconds: float) -> Fit:
    """What is repeated goes first, then points of the grids, their ends last; depths, asked for by name, stay."""
    fitted, cuts = options, []
    for cut in (_fewer_blocks, _smaller_batches, _fewer_images, _fewer_sides, _fewer_at_once, _one_call, _no_roofline):
        if _cost(fitted, work).seconds <= seconds:
            break
        shorter, words = cut(fitted, work, seconds)
        if shorter != fitted:
            fitted = shorter
            cuts.append(noted("scaling: {what} fit the budget", what=words))
    return Fit(fitted, tuple(cuts))


Cut = tuple[ScalingOptions, str]


def _fewer_blocks(options: ScalingOptions, work: Work, seconds: float) -> Cut:
    none, one = (_cost(options.model_copy(update={"blocks": n}), work).seconds for n in (0, 1))
    blocks = min(options.blocks, max(FEWEST_BLOCKS, int((seconds - none) / (one - none))))
    return options.model_copy(update={"blocks": blocks}), noted(
        "{n} of {total} timing blocks", n=blocks, total=options.blocks
    )


def _smaller_batches(options: ScalingOptions, work: Work, seconds: float) -> Cut:
    fitted, kept = options, sorted(options.batch)
    while len(kept) > 1 and kept[-1] > LARGEST_CUT_BATCH and _cost(fitted, work).seconds > seconds:
        kept.pop()
        fitted = options.model_copy(update={"batch": tuple(kept)})
    return fitted, noted("batches up to {n} of {total}", n=kept[-1], total=max(options.batch))


def _fewer_images(options: ScalingOptions, work: Work, seconds: float) -> Cut:
    surplus = (_cost(options, work).seconds - seconds) / (_pixels(options) * work.infer_seconds)
    images = min(options.images, max(FEWEST_IMAGES, int(options.images - surplus)))
    said = noted("{n} of {total} images at each resolution", n=images, total=options.images)
    return options.model_copy(update={"images": images}), said


def _fewer_sides(options: ScalingOptions, _work: Work, _seconds: float) -> Cut:
    ends = tuple(sorted({min(options.resolution), max(options.resolution)}))
    kept = ends if len(options.resolution) > len(ends) else options.resolution
    said = noted("{n} of {total} resolutions", n=len(kept), total=len(options.resolution))
    return options.model_copy(update={"resolution": kept}), said


def _fewer_at_once(options: ScalingOptions, work: Work, seconds: float) -> Cut:
    fitted = options
    while fitted.at_once > 1 and _cost(fitted, work).seconds > seconds:
        fitted = fitted.model_copy(update={"at_once": fitted.at_once // 2})
    return fitted, noted("{n} of {total} images at once", n=fitted.at_once, total=options.at_once)


def _one_call(options: ScalingOptions, _work: Work, _seconds: float) -> Cut:
    said = noted("1 of {n} repetitions a turn", n=options.repetitions)
    return options.model_copy(update={"repetitions": 1}), said


def _no_roofline(options: ScalingOptions, _work: Work, _seconds: float) -> Cut:
    return options.model_copy(update={"roofline": False}), noted("all but the machine's roofline")


def _timed(metric: str, asks: str, scale: Scale, direction: Direction, margin: float = 0.0) -> Question:
    return Question(metric, asks, scale, direction, unit="", paired_on="timing block", margin=margin)


STUDY = Study(
    name="scaling",
    version=2,
    question="How do cost and quality grow with resolution, batch, depth and workers, and how near the limit is that?",
    questions=(
        _timed(
            "resolution_growth",
            "Whose time grows less from the smallest to the largest resolution?",
            Scale.RATIO,
            Direction.LOWER,
            margin=0.05,
        ),
        Question(
            metric="top1_smallest",
            asks="Which contender's first answer is right more often at the smallest resolution?",
            scale=Scale.PROPORTION,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="image",
            margin=0.02,
        ),
        _timed(
            "resolution_exponent",
            "With which power of the pixels does the time of an image grow?",
            Scale.MEAN,
            Direction.NEITHER,
        ),
        _timed(
            "batch_exponent",
            "With which power of the batch does the time of an image change?",
            Scale.MEAN,
            Direction.NEITHER,
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAINED_WEIGHTS, Need.QUIET_MACHINE}),
    options=ScalingOptions,
    together=True,
    cost=_cost,
    fit=_fit,
    default=False,
)

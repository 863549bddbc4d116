"""Which contender is faster on this machine: one image at a time, and in batches?"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from netversus.errors import OptionError
from netversus.messages import noted, template
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Fit, Need, Options, Study, Work

FEWEST_BLOCKS = 12  # of fewer, no test could tell two contenders apart once a whole run's questions share its error
SMALLEST_CUT_BATCH = 8  # a budget does not cut below it: smaller batches say little of throughput
TURNS = 2  # each contender has two in a block, see `netversus.lab.timing.turns`
STAGE_PASSES = 5
START_SECONDS = 15.0  # an interpreter that loads torch
WAY_IMAGES = 32  # of the user's own, whose way is timed
WAY_REPETITIONS = 3  # beside the first, which warms up
PICTURE_SECONDS = 0.02  # to read, decode and resize a photograph, roughly

REST = "rest"
"""The part of `stage_seconds` that is no part of the network: what happens between them."""

NOTES = "notes.json"
"""The artifact that tells what the numbers cannot: what did not fit, how busy the machine was, the price."""

WAY = "way.json"
"""The artifact with every repetition of what some of the user's own images went through: see `step.Way`."""


def _listed(value: object) -> object:
    """Numbers from the command line, as "1,32"."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return (value,) if isinstance(value, int) else value


def _engines(value: object) -> object:
    """Names from the command line, as "folded,bf16", each of an engine that there is."""
    from netversus.lab.engines import get_engine

    names = (value,) if isinstance(value, str) and "," not in value else _listed(value)
    try:
        return tuple(get_engine(str(name).strip()).name for name in names if str(name).strip())  # type: ignore[attr-defined]
    except OptionError as error:
        raise ValueError(f"{error.message} ({error.hint})") from error


Batch = Annotated[int, Field(ge=1, le=65536)]
Side = Annotated[int, Field(ge=8, le=8192)]


class SpeedOptions(Options):
    """Settings of the speed study."""

    blocks: Annotated[
        int, Field(ge=1, le=10_000, description="Timing blocks; each contender has two turns in each.")
    ] = 24
    repetitions: Annotated[int, Field(ge=1, le=10_000, description="Timed calls of one image in a turn.")] = 3
    warmup: Annotated[int, Field(ge=1, le=10_000, description="Calls of one image before the first block.")] = 3
    batch: Annotated[
        tuple[Batch, ...],
        BeforeValidator(_listed),
        Field(min_length=1, description="Batches to measure throughput at, as 1,32; the largest is judged."),
    ] = (32,)
    resolution: Annotated[
        tuple[Side, ...],
        BeforeValidator(_listed),
        Field(description="Sides in px to measure throughput at beside each contender's own, as 160,224."),
    ] = ()
    engines: Annotated[
        tuple[str, ...],
        BeforeValidator(_engines),
        Field(description="Engines to measure throughput on beside each contender's own, as folded,bf16."),
    ] = ()
    processes: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Processes that share the blocks, one after another. One by default: each costs the start "
            "of an interpreter, 10 to 70 s. Several show what the layout of a process's memory does.",
        ),
    ] = 1
    cold_start: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="Fresh interpreters to time for each contender; they also tell the most memory of the host "
            "that a process takes, whatever the engine.",
        ),
    ] = 0
    stages: Annotated[bool, Field(description="Measure how long each top-level part of a network takes.")] = True
    price: Annotated[
        float | None, Field(gt=0, description="Price of an hour of this machine, for the cost of a million images.")
    ] = None

    @property
    def judged_batch(self) -> int:
        """The batch at which throughput is judged."""
        return max(self.batch)


def _images(options: SpeedOptions, work: Work) -> float:
    """How many images of the data's size each contender is shown."""
    own = work.data.image_size or 224
    sides = [1.0, *((side / own) ** 2 for side in options.resolution)]
    grid = sum(options.batch) * sum(sides) * (1 + len(options.engines))
    block = TURNS * (1 + options.repetitions + grid)
    warmup = options.warmup + grid
    extras = STAGE_PASSES * options.stages + options.judged_batch
    way = options.judged_batch * (1 + WAY_REPETITIONS) if _pictures(work) else 0
    starts = options.cold_start * (1 + options.judged_batch)
    return options.blocks * block + options.processes * warmup + extras + way + starts


def _calls(options: SpeedOptions) -> int:
    points = len(options.batch) * (1 + len(options.resolution)) * (1 + len(options.engines))
    return options.blocks * TURNS * (1 + options.repetitions + points) + options.processes * (options.warmup + points)


def _starts(options: SpeedOptions, contenders: int) -> int:
    return (options.processes if options.processes > 1 else 0) + options.cold_start * contenders


def _pictures(work: Work) -> int:
    """Of how many of the user's own images the way is timed; those that are drawn have a size of their own and none."""
    return min(WAY_IMAGES, work.data.splits.get("test", 0)) if work.data.image_size is None else 0


def _cost(options: SpeedOptions, work: Work) -> Cost:
    side = max(work.data.image_size or 224, *options.resolution, 0)
    seconds = _images(options, work) * work.infer_seconds
    seconds += work.call_seconds * _calls(options) + START_SECONDS * _starts(options, len(work.rates))
    seconds += PICTURE_SECONDS * (1 + WAY_REPETITIONS) * _pictures(work)
    return Cost(
        seconds=seconds,
        memory=4 * work.parameters * len(work.rates) + options.judged_batch * side**2 * 3 * 4 * 20,
        disk=8 * 6 * len(work.rates) * _calls(options),
    )


def _fit(options: SpeedOptions, work: Work, seconds: float) -> Fit:
    """Fewer blocks first, then smaller batches, then fewer repetitions: what is paired and counted goes last."""

    def too_long(candidate: SpeedOptions) -> bool:
        return _cost(candidate, work).seconds > seconds

    fitted = options
    if too_long(fitted):
        fitted = _with_blocks(fitted, work, seconds)
    while too_long(fitted) and fitted.judged_batch > SMALLEST_CUT_BATCH:
        half = max(SMALLEST_CUT_BATCH, fitted.judged_batch // 2)
        fitted = fitted.model_copy(update={"batch": tuple(sorted({min(b, half) for b in fitted.batch}))})
    while too_long(fitted) and fitted.repetitions > 1:
        fitted = fitted.model_copy(update={"repetitions": fitted.repetitions - 1})
    return Fit(fitted, tuple(_cuts(options, fitted)))


def _with_blocks(options: SpeedOptions, work: Work, seconds: float) -> SpeedOptions:
    """As many blocks as fit; the rest of the cost does not depend on them."""
    none, one = (_cost(options.model_copy(update={"blocks": n}), work).seconds for n in (0, 1))
    blocks = int((seconds - none) / (one - none))
    return options.model_copy(update={"blocks": min(options.blocks, max(FEWEST_BLOCKS, blocks))})


def _cuts(asked: SpeedOptions, fitted: SpeedOptions) -> list[str]:
    cuts = []
    if fitted.blocks != asked.blocks:
        said = template("speed: {n} of {total} timing blocks fit the budget")
        cuts.append(noted(said, n=fitted.blocks, total=asked.blocks))
    if fitted.batch != asked.batch:
        said = template("speed: throughput at batch {n} instead of {wanted} fits the budget")
        cuts.append(noted(said, n=fitted.judged_batch, wanted=asked.judged_batch))
    if fitted.repetitions != asked.repetitions:
        said = template("speed: {n} of {total} repetitions a turn fit the budget")
        cuts.append(noted(said, n=fitted.repetitions, total=asked.repetitions))
    return cuts


STUDY = Study(
    name="speed",
    question="Which contender is faster on this machine, one image at a time and in batches?",
    version=2,  # freed memory is kept for eager networks too; a fresh process is shown the judged batch as well
    questions=(
        Question(
            metric="latency",
            asks="Which contender answers sooner, one image at a time?",
            scale=Scale.RATIO,
            direction=Direction.LOWER,
            unit="s",
            paired_on="timing block",
            margin=0.05,
        ),
        Question(
            metric="latency_p95",
            asks="Whose slow answers come sooner (95th percentile of single calls)?",
            scale=Scale.RATIO,
            direction=Direction.LOWER,
            unit="s",
            paired_on="timing block",
            margin=0.1,
            estimator="percentile_95",
            inputs=("latency_raw",),
        ),
        Question(
            metric="throughput",
            asks="Which contender gets through more images a second, in batches?",
            scale=Scale.RATIO,
            direction=Direction.HIGHER,
            unit="images/s",
            paired_on="timing block",
            margin=0.05,
        ),
        Question(
            metric="memory",
            asks="Which contender needs less memory for a batch, weights included?",
            scale=Scale.FACT,
            direction=Direction.LOWER,
            unit="bytes",
            paired_on="batch",
            margin=2.0**20,
        ),
    ),
    needs=frozenset({Need.QUIET_MACHINE}),
    options=SpeedOptions,
    together=True,
    cost=_cost,
    fit=_fit,
)

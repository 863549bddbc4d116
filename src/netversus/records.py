"""The frozen records that flow from plan to report. Plain data: no torch, no I/O, nothing computed twice.

A record is written as JSON by `netversus.store` and validated when it is read back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class Direction(StrEnum):
    """Which way a metric is better."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"  # described, never judged


class Scale(StrEnum):
    """What kind of number a metric is; it decides the statistical method."""

    PROPORTION = "proportion"  # 0 or 1 on each unit; difference of proportions
    MEAN = "mean"  # a real number on each unit; difference of means
    RATIO = "ratio"  # a positive number on each unit (a time); ratio B / A
    AGGREGATE = "aggregate"  # a function of the whole set of units (ECE, mAP); `Question.estimator` names it
    FACT = "fact"  # deterministic (a parameter count); compared, given no interval


class Role(StrEnum):
    """How a question enters the verdict."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    DESCRIPTIVE = "descriptive"


class Verdict(StrEnum):
    """What the analysis says of two contenders A and B on one question."""

    A_BETTER = "A better"
    B_BETTER = "B better"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"
    DESCRIBED = "described"  # a fact or a descriptive metric: there is nothing to judge

    def mirrored(self) -> Verdict:
        """The same verdict with A and B exchanged."""
        return {Verdict.A_BETTER: Verdict.B_BETTER, Verdict.B_BETTER: Verdict.A_BETTER}.get(self, self)


@dataclass(frozen=True, slots=True)
class Question:
    """What a study declares about one of its metrics.

    `margin` is the practical margin: for PROPORTION, MEAN, AGGREGATE and FACT a difference in the metric's own
    unit (0.01 is one percentage point of accuracy), for RATIO a ratio over one (0.05: within 5 %).
    `estimator` and `inputs` are for AGGREGATE: a function of `netversus.statistics.estimators` and the
    metrics whose per-unit observations it takes. `bounds` are the least and the largest value that a MEAN can have
    on a unit, where it has such: they allow a verdict while the units are still being read, and bound the intervals of
    what is the same on every unit or skewed. `records` names the artifact of a contender that keeps what an estimator
    takes of each unit beside the one number that is its input (the detections on a picture).
    """

    metric: str
    asks: str
    scale: Scale
    direction: Direction
    unit: str
    paired_on: str
    margin: float = 0.0
    role: Role = Role.SECONDARY
    estimator: str = ""
    inputs: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    records: str = ""

    @property
    def judged(self) -> bool:
        """Whether chance enters and one side can be better: such questions share the error rate."""
        described = self.direction is Direction.NEITHER or self.role is Role.DESCRIPTIVE
        return self.scale is not Scale.FACT and not described


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What happens to an image before a contender sees it. `resize` is the shorter side in pixels, or None; with
    `squash` both sides become that long, whatever the shape."""

    crop: int
    resize: int | None
    interpolation: Literal["bilinear", "bicubic", "nearest"] = "bilinear"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    antialias: bool = True
    squash: bool = False


@dataclass(frozen=True, slots=True)
class ContenderCard:
    """Who a contender is, known before torch is loaded.

    `name` is the canonical spec and unique in a run. `digest` covers all that determines the contender's
    behaviour: architecture, library version, weights. `weights` is "scratch", a published set's name, or a file.
    `recipe` names the training recipe of the weights; two contenders whose recipes differ are confounded.
    `head` says what the outputs mean: "data" (trained here on the run's data), "imagenet-1k", "unknown" (taken to be
    the data's classes in order), or "other". `outputs` are the network's outputs that stand for the data's classes,
    in their order, where it has more or others; empty: all of them. `engine` is how the network is run: "auto" stands
    for the fastest that agrees with fp32 on the run's own images.
    """

    name: str
    spec: str
    source: Literal["torchvision", "timm", "hf", "file", "onnx", "py", "results"]
    architecture: str
    weights: str
    recipe: str
    head: str
    digest: str
    preprocessing: Preprocessing
    notes: tuple[str, ...] = ()
    outputs: tuple[int, ...] = ()
    engine: str = "eager"

    @property
    def answers(self) -> bool:
        """Whether what it says can be compared with the data's labels."""
        return self.head in {"data", "unknown"} or bool(self.outputs)

    @property
    def untrained(self) -> bool:
        """Whether the weights are random until a study trains them."""
        return self.weights == "scratch"


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file of the data that was not used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class DataCard:
    """What the data are. `splits` maps "train"/"test" to the number of images; `skipped` names what was left out.

    `frames` and `sequences` map the splits to the number of pictures with boxes and of sequences with tracks, whose
    objects are of the classes `box_classes`; `frame_side` is the typical side of these pictures in px (the square root
    of the median area), from which what it takes to look at them is estimated.
    """

    name: str
    spec: str
    digest: str
    classes: tuple[str, ...]
    splits: Mapping[str, int]
    image_size: int | None
    factors: tuple[str, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    notes: tuple[str, ...] = ()
    frames: Mapping[str, int] = field(default_factory=dict)
    sequences: Mapping[str, int] = field(default_factory=dict)
    box_classes: tuple[str, ...] = ()
    frame_side: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """The smallest piece of work that is run, stored, retried and resumed.

    `contenders` holds one name, or all of them where a study measures them against each other (timings).
    `after` holds the keys of the cells whose artifacts this one needs. `options` is the study's options as JSON.
    """

    study: str
    version: int
    contenders: tuple[str, ...]
    seed: int
    options: Mapping[str, Any]
    key: str
    after: tuple[str, ...] = ()
    seconds: float | None = None  # estimated
    blocked: str = ""  # why the plan already knows that it cannot run


@dataclass(frozen=True, slots=True)
class Observations:
    """Raw numbers of one contender on one metric: `values[i]` was seen on `units[i]`."""

    contender: str
    metric: str
    units: tuple[str, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.units) != len(self.values):
            raise ValueError(f"{len(self.units)} units but {len(self.values)} values for {self.metric}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is not a number. `name` is a file name with its suffix; `contender` is empty when it belongs to all."""

    name: str
    content: bytes
    contender: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a cell has come, for people only: nothing is derived from it."""

    done: float
    total: float
    what: str = ""


Emission = Observations | Artifact | Progress
"""What a study's `measure` yields."""


@dataclass(frozen=True, slots=True)
class Done:
    """The cell was measured whole."""

    cell: str
    seconds: float
    observations: int
    status: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Skipped:
    """The cell was not run, for a reason that is not an error."""

    cell: str
    reason: str
    status: Literal["skipped"] = "skipped"


@dataclass(frozen=True, slots=True)
class Failed:
    """The cell ended in an error; what it had observed until then is kept. `details` holds the traceback."""

    cell: str
    error: str
    details: str = ""
    status: Literal["failed"] = "failed"


Outcome = Done | Skipped | Failed


@dataclass(frozen=True, slots=True)
class Session:
    """One process that worked on a run: when (ISO 8601, UTC), by which command, with what, on what."""

    started: str
    command: str
    versions: Mapping[str, str]
    machine: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rates:
    """What one contender costs on this machine: seconds an image in batches, for an answer and for a step of training,
    parameters, whether that was measured; and the seconds that a call costs beside its images. `train_seconds` are
    those of a plain step in float32; `recipe_seconds` those of a step as the run's training recipe has it (precision,
    sharpness, averages, augmentation), None where that was not timed."""

    infer_seconds: float
    train_seconds: float
    parameters: int
    measured: bool
    call_seconds: float = 2e-3
    recipe_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """An estimate with its interval. For RATIO questions all three are ratios B / A; else differences B - A."""

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What the analysis derives for contenders A and B on one question.

    `value_a` and `value_b` are the contenders' own levels, None where
    the two could not be compared. `scope` is "checkpoints" or "recipes". `further_units` says for `undecided` about how
    many more units would decide; where `scope` is "recipes", training seeds of each contender. `p_value` is corrected
    for the questions asked (`p_raw` is not). `e_value` stands in its place where the reading could stop early;
    `available` is then how many units there were to read, of which `n` were used. `sentence` is for anyone, `expert`
    for a statistician.
    """

    study: str
    metric: str
    a: str
    b: str
    verdict: Verdict
    role: Role
    scale: Scale
    direction: Direction
    unit: str
    paired_on: str
    n: int
    value_a: float | None
    value_b: float | None
    effect: Effect | None
    margin: float
    margin_declared: float
    method: str
    sentence: str
    expert: str
    p_raw: float | None = None
    p_value: float | None = None
    e_value: float | None = None
    available: int | None = None
    further_units: int | None = None
    scope: str = "checkpoints"
    slice: str = ""
    caveats: tuple[str, ...] = field(default_factory=tuple)


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `parts`: the same content gives the same key on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Tuples, mappings and enums as JSON sees them; anything else has no canonical form and is refused."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    raise TypeError(f"no canonical form for {type(value).__name__}")

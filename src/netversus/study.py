"""The contract of a study. It knows no torch; `netversus.studies` finds the studies, `netversus.lab` serves them.

A study is a folder whose `__init__.py` holds `STUDY = Study(...)` and beside it

    measure.py    measure(bench) -> Iterator[Emission]          the torch code, loaded only when a cell runs
    exhibit.py    exhibit(evidence) -> Iterable[Exhibit]        what the report shows; no torch; optional
    README.md     method, limits, paper
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any, ClassVar, Protocol, get_args

from pydantic import BaseModel, ConfigDict, model_validator

from netversus.exhibits import Exhibit
from netversus.records import ContenderCard, DataCard, Question, Rates
from netversus.statistics.pairing import Sample

LEFT_OUT = "left-out.json"
"""The artifact in which a study that reads on past unreadable images names them: their ids, each with its reason."""


class Options(BaseModel):
    """A study's settings, frozen. Each field with its description, bounds and default is declared once and
    becomes an API argument, a command-line flag, a TOML key and a line of help.

    `leading` names the fields from which others follow (a recipe): one that is named anew is not mixed with what a run
    settled on before. Where a field may be None, the word none says so: neither a flag nor TOML has another way to."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    leading: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _none_said_in_a_word(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        open_fields = {name for name, one in cls.model_fields.items() if type(None) in get_args(one.annotation)}
        return {name: None if name in open_fields and value == "none" else value for name, value in values.items()}


class Need(StrEnum):
    """What must be at hand for a study to run; what lacks it is Skipped with the reason."""

    LABELLED_IMAGES = "labelled images"
    TRAIN_SPLIT = "a train split"
    TRAINED_WEIGHTS = "trained weights"
    SCRATCH_WEIGHTS = "a contender that can be trained from scratch"
    TORCH_MODULE = "a contender that is a torch module"
    QUIET_MACHINE = "an undisturbed machine"
    BOXES = "pictures with boxes"
    SEQUENCES = "sequences with tracks"


@dataclass(frozen=True, slots=True)
class Work:
    """What a cost is estimated from: the data and what each contender costs on this machine."""

    data: DataCard
    rates: Mapping[str, Rates]

    @property
    def infer_seconds(self) -> float:
        """Seconds to show one image to every contender."""
        return sum(r.infer_seconds for r in self.rates.values())

    @property
    def call_seconds(self) -> float:
        """Seconds that one call of every contender costs beside its images: most of what a single image takes."""
        return sum(r.call_seconds for r in self.rates.values())

    @property
    def train_seconds(self) -> float:
        """Seconds to train every contender on one image."""
        return sum(r.train_seconds for r in self.rates.values())

    @property
    def parameters(self) -> int:
        """Parameters of the largest contender."""
        return max((r.parameters for r in self.rates.values()), default=0)


@dataclass(frozen=True, slots=True)
class Cost:
    """An estimate for one seed and all contenders: seconds, bytes of memory at the peak, bytes on disk."""

    seconds: float
    memory: int = 0
    disk: int = 0


@dataclass(frozen=True, slots=True)
class Fit:
    """Options that fit a time budget, and one line for each thing that was cut to make them fit."""

    options: Options
    cuts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sequential:
    """How a study can stop before its last unit: it reads them in the recorded shuffle of its split, and asks
    `bench.enough()` after each `look` of them. The fields name the options that hold the three numbers."""

    look: str = "batch"
    seed: str = "order_seed"
    most: str = "images"


@dataclass(frozen=True, slots=True)
class Study:
    """One question asked of the contenders.

    `together`: a cell holds all contenders (timings need each other); else one cell a contender, and those that
    still lack observations are measured in one pass. `seeded`: one cell a training seed. `version` is raised when
    the code changes what is observed: it is part of the cell's key. `cost(options, work)` and
    `fit(options, work, seconds)` are pure; a study without `fit` is not shortened by a budget. `weights` names
    the artifact in which a study leaves trained weights, for those that need them. `share` is the part of a budget
    that the study asks for, relative to the others, once the fixed costs are paid. `sequential` is given by a study
    that can stop as soon as its verdict is certain. `detections`: it judges boxes, so that a detector that comes
    trained, or a file of results, can be asked as well as a network that is a detector's backbone. `tracks`: it
    judges tracks, so that a folder of their results can be asked. `finetunes`: where the run trains a contender first,
    it begins with those weights; where none does, with random ones. `differentiates`: it follows gradients to the
    pixels. `sometimes` are metrics that only some data allow.
    """

    name: str
    question: str
    questions: tuple[Question, ...]
    cost: Callable[[Any, Work], Cost]
    version: int = 1
    needs: frozenset[Need] = frozenset()
    weights: str = ""
    options: type[Options] = Options
    together: bool = False
    seeded: bool = False
    fit: Callable[[Any, Work, float], Fit] | None = None
    share: float = 1.0
    sequential: Sequential | None = None
    default: bool = True
    detections: bool = False
    tracks: bool = False
    finetunes: bool = False
    differentiates: bool = False
    sometimes: frozenset[str] = frozenset()
    module: str = field(default="")

    @property
    def takes_weights(self) -> bool:
        """Whether it begins with weights that another study of the run leaves, if there are such."""
        return self.finetunes or Need.TRAINED_WEIGHTS in self.needs

    def trains(self, card: ContenderCard) -> bool:
        """Whether each training seed makes another checkpoint of a contender, here or in the study that trained it
        before. What comes trained, or as a file of results, is one checkpoint, however often it is measured."""
        complete = card.source == "results" or card.head == "boxes"
        return (self.seeded and not complete) or (self.takes_weights and card.untrained)

    def primary(self) -> Question | None:
        """The question on which the study's answer rests, if it has one."""
        return next((q for q in self.questions if q.role == "primary"), None)

    def load_measure(self) -> Callable[[Any], Iterable[Any]]:
        """The study's `measure` function. Loads torch."""
        return import_module(f"{self.module}.measure").measure  # type: ignore[no-any-return]

    def load_exhibit(self) -> Callable[[Evidence], Iterable[Exhibit]] | None:
        """The study's `exhibit` function, or None. Loads no torch."""
        try:
            module = import_module(f"{self.module}.exhibit")
        except ModuleNotFoundError as error:
            if error.name != f"{self.module}.exhibit":
                raise
            return None
        return module.exhibit  # type: ignore[no-any-return]


class Evidence(Protocol):
    """What an `exhibit` function may look at: one study's stored evidence, and nothing else."""

    @property
    def contenders(self) -> Sequence[ContenderCard]:
        """The contenders that have evidence, in the order of the request."""

    @property
    def data(self) -> DataCard:
        """What the data are."""

    @property
    def seeds(self) -> Sequence[int]:
        """The seeds that were measured."""

    @property
    def stops_early(self) -> bool:
        """Whether the units are read until a verdict is certain: only an interval that holds at every look is right."""

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        """Observations in stored order; the first seed when none is named; None where there are none."""

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        """An artifact's bytes, or None."""

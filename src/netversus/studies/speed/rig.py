"""The contenders of one process, loaded, warmed up and timed in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from math import ceil
from statistics import median
from typing import TypeVar

import torch
from torch import Tensor, nn

from netversus.errors import EngineError, MissingExtraError, NetversusError
from netversus.lab.bench import Bench
from netversus.lab.devices import out_of_memory
from netversus.lab.engines.nan_origin import nan_origin
from netversus.lab.engines.prepared import Prepared
from netversus.lab.preprocessing import scaled
from netversus.lab.running import on_engine
from netversus.lab.timing.stopwatch import Stopwatch, undisturbed
from netversus.lab.timing.turns import turns
from netversus.messages import noted, template
from netversus.records import ContenderCard, Observations
from netversus.studies.speed import SpeedOptions

T = TypeVar("T")

FILL_SECONDS = 0.02  # batches are called again until this much is timed: a single call of a small one tells little
MOST_CALLS = 10
OWN = 0
"""The side that stands for each contender's own."""


@dataclass(frozen=True, slots=True)
class Point:
    """A batch, a resolution and an engine at which throughput is measured; without an `engine` on the contender's
    own."""

    batch: int
    side: int = OWN
    engine: str = ""

    def __str__(self) -> str:
        """As the unit of an observation begins."""
        side = f"r{self.side}" if self.side else "own"
        return f"b{self.batch}/{side}" + (f"@{self.engine}" if self.engine else "")

    @property
    def words(self) -> str:
        """In words, for a remark."""
        side = f"{self.side} px" if self.side else noted("its own resolution")
        if self.engine:
            return noted("Batch {batch} at {side} on {engine}", batch=self.batch, side=side, engine=self.engine)
        return noted("Batch {batch} at {side}", batch=self.batch, side=side)


@dataclass(frozen=True, slots=True)
class Contender:
    """A network on its device, and the side of the images that it was made for. `made(side, engine)` gives it ready
    for another side or on another engine; without it the one network takes all."""

    name: str
    model: nn.Module
    side: int
    made: Callable[[int, str], nn.Module] | None = None

    def at(self, point: Point) -> nn.Module:
        """The network for a point.

        Raises:
            EngineError, MissingExtraError: the engine cannot run here, or cannot take this network.
        """
        side = point.side or self.side
        if self.made is None or (side == self.side and not point.engine):
            return self.model
        return self.made(side, point.engine)


@dataclass
class Rig:
    """Times contenders in turns. `batch` is that of the judged throughput, `grid` the other points.

    Both shrink for all contenders alike when memory runs out, so that what is compared stays comparable; `notes` says
    so. `calls` is how often a point is called in a turn, the same for all contenders too.
    """

    contenders: Sequence[Contender]
    options: SpeedOptions
    watch: Stopwatch
    process: str = "p0"
    batch: int = 1
    grid: list[Point] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    calls: dict[Point, int] = field(default_factory=dict)
    _images: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, bench: Bench, process: str, watch: Stopwatch) -> Rig:
        """Load every contender of a bench, each on its engine. Its weights need no training: timings do not depend on
        what they are."""
        return cls.ready([_loaded(bench, card) for card in bench.contenders], bench.options, watch, process)

    @classmethod
    def ready(cls, contenders: Sequence[Contender], options: SpeedOptions, watch: Stopwatch, process: str) -> Rig:
        """A rig whose batch and grid are as the options ask."""
        places = product(("", *options.engines), (OWN, *options.resolution), options.batch)
        points = [Point(batch, side, engine) for engine, side, batch in places]
        judged = Point(options.judged_batch)
        grid = [point for point in dict.fromkeys(points) if point != judged]
        return cls(contenders, options, watch, process, judged.batch, grid)

    def images(self, contender: Contender, point: Point) -> Tensor:
        """What a contender is shown: float32 noise of unit variance, as normalised photographs have."""
        side = point.side or contender.side
        if (point.batch, side) not in self._images:
            noise = torch.randn(point.batch, 3, side, side, generator=torch.Generator().manual_seed(0))
            self._images[point.batch, side] = noise.to(self.watch.device)
        return self._images[point.batch, side]

    def call(self, contender: Contender, point: Point) -> float:
        """Seconds of one call."""
        model, images = contender.at(point), self.images(contender, point)
        return self.watch.seconds(lambda: model(images))

    def warm_up(self) -> list[Observations]:
        """The first calls of the process, recorded and judged by nobody; what does not fit in memory shrinks here."""
        with undisturbed():
            single = [self._warmed(contender) for contender in self.contenders]
            batches = self._retried(lambda: [self._tried(c, Point(self.batch)) for c in self.contenders], self._halve)
            self._try_grid()
        calls = tuple(f"{self.process}/call-{i + 1:02d}" for i in range(self.options.warmup))
        units = (*calls, *(f"{self.process}/batch-{i + 1}" for i in range(2)))
        return [
            Observations(contender.name, "warmup", units, (*ones, *many))
            for contender, ones, many in zip(self.contenders, single, batches, strict=True)
        ]

    def _tried(self, contender: Contender, point: Point) -> tuple[float, float]:
        """The first two calls of a point. The second, which allocates nothing, tells how many calls fill a turn."""
        first, second = self.call(contender, point), self.call(contender, point)
        calls = ceil(FILL_SECONDS / max(second, FILL_SECONDS / MOST_CALLS))
        self.calls[point] = min(calls, self.calls.get(point, MOST_CALLS))
        return first, second

    def _warmed(self, contender: Contender) -> list[float]:
        seconds = [self.call(contender, Point(1)) for _ in range(self.options.warmup)]
        images = self.images(contender, Point(1))
        if not bool(torch.isfinite(contender.model(images)).all()):
            said = template("{contender} gives NaN or infinite outputs, first from {layer}: it was timed all the same.")
            layer = _origin(contender.model, images)
            self.notes.append(noted(said, contender=contender.name, layer=layer))
        return seconds

    def _try_grid(self) -> None:
        """Leave out the points that some contender cannot take: all are compared at all that remain."""
        for point in list(self.grid):
            if point not in self.grid:
                continue  # its engine was left out
            tried = (self._problem(contender, point) for contender in self.contenders if point in self.grid)
            problem = next(filter(None, tried), "")
            if problem:
                self._leave_out(point, problem)

    def _problem(self, contender: Contender, point: Point) -> str:
        try:
            self._tried(contender, point)
        except Exception as error:  # noqa: BLE001 (every architecture and runtime refuses a size in its own way)
            if out_of_memory(error):
                return noted("{contender} does not fit in memory", contender=contender.name)
            if point.engine and isinstance(error, EngineError | MissingExtraError):
                return self._without_engine(point.engine, contender, error)
            kind = type(error).__name__
            return noted("{contender} does not take it ({error})", contender=contender.name, error=kind)
        return ""

    def _without_engine(self, engine: str, contender: Contender, error: NetversusError) -> str:
        """All of the engine's points go, and one line says why; there is nothing to add for a single point."""
        self.grid = [point for point in self.grid if point.engine != engine]
        said = template("The engine {engine} was left out for all; of {contender}: {error}.")
        self.notes.append(noted(said, engine=engine, contender=contender.name, error=error.message))
        return ""

    def _leave_out(self, point: Point, problem: str) -> None:
        self.grid.remove(point)
        self._free()
        self.notes.append(noted("{point} was left out for all: {problem}.", point=point.words, problem=problem))

    def block(self, number: int) -> list[Observations]:
        """One timing block of every contender. Where memory runs out the whole block is measured again, smaller."""
        with undisturbed():
            return self._retried(lambda: self._block(number), self._shrink)

    def _retried(self, work: Callable[[], T], shrink: Callable[[], bool]) -> T:
        while True:
            try:
                return work()
            except Exception as error:
                if not out_of_memory(error):
                    raise
                failure = error.with_traceback(None)  # the traceback holds on to tensors
            if not shrink():
                raise failure

    def _shrink(self) -> bool:
        """The grid goes first, then half of the batch; False where nothing is left to go."""
        if not self.grid:
            return self._halve()
        self.notes.append(noted("Memory ran out during a block: the grid of batches and resolutions was left out."))
        self.grid.clear()
        self._free()
        return True

    def _halve(self) -> bool:
        if self.batch == 1:
            return False
        self.notes.append(
            noted(
                "Batch {batch} does not fit in memory: throughput was measured at batch {half} for all contenders.",
                batch=self.batch,
                half=self.batch // 2,
            )
        )
        self.batch //= 2
        self.grid = [point for point in self.grid if point != Point(self.batch)]
        self._free()
        return True

    def _free(self) -> None:
        self._images.clear()
        if self.watch.device.type == "cuda":
            torch.cuda.empty_cache()

    def _block(self, number: int) -> list[Observations]:
        seen = {contender.name: _Seen() for contender in self.contenders}
        for contender in turns(self.contenders, number):
            self._turn(contender, seen[contender.name])
        unit = f"{self.process}/block-{number:03d}"
        return [o for contender in self.contenders for o in self._observed(seen[contender.name], contender, unit)]

    def _turn(self, contender: Contender, seen: _Seen) -> None:
        """A call that fetches back what another's turn drove from the caches, then the timed ones."""
        seen.settling.append(self.call(contender, Point(1)))
        seen.single.extend(self.call(contender, Point(1)) for _ in range(self.options.repetitions))
        for point in (Point(self.batch), *self.grid):
            calls = range(self.calls.get(point, 1))
            seen.batches.setdefault(point, []).extend(self.call(contender, point) for _ in calls)

    def _observed(self, seen: _Seen, contender: Contender, unit: str) -> Iterator[Observations]:
        name = contender.name
        raw = tuple(f"{unit}/rep-{i + 1:02d}" for i in range(len(seen.single)))
        settling = tuple(f"{unit}/turn-{i + 1}" for i in range(len(seen.settling)))
        yield Observations(name, "warmup", settling, tuple(seen.settling))
        yield Observations(name, "latency_raw", raw, tuple(seen.single))
        yield Observations(name, "latency", (unit,), (median(seen.single),))
        yield Observations(name, "batch_used", (unit,), (float(self.batch),))
        for point, seconds in seen.batches.items():
            rate = point.batch / median(seconds)
            if point == Point(self.batch):
                yield Observations(name, "throughput", (unit,), (rate,))
            else:
                yield Observations(name, "throughput_grid", (f"{point}/{unit}",), (rate,))


def _origin(model: nn.Module, images: Tensor) -> str:
    """The layer where outputs first are no numbers, where the network still shows its layers on its engine."""
    network, shown = (model.network, model.enter(images)) if isinstance(model, Prepared) else (model, images)
    if isinstance(network, nn.Module):
        found = nan_origin(network, shown)
        if found and (network is model or found in dict(network.named_modules())):
            return found
    return noted("inside the engine")


def _loaded(bench: Bench, card: ContenderCard) -> Contender:
    """A contender on its engine; for other sides and on other engines it is made when it is first asked for."""
    model = bench.ready(card)
    own = getattr(model, "engine", "eager")

    @cache
    def made(side: int, engine: str) -> nn.Module:
        name = engine or own
        if name == "eager":
            return model if own == "eager" else bench.model(card)
        resized = replace(card, preprocessing=scaled(card.preprocessing, side))
        return on_engine(bench.model(card), resized, bench.data, bench.device, name)

    return Contender(card.name, model, card.preprocessing.crop, made)


@dataclass
class _Seen:
    """The seconds of one contender's calls in one block."""

    settling: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)
    batches: dict[Point, list[float]] = field(default_factory=dict)

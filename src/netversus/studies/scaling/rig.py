"""Times contenders at every point of their axes, in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean, median

import torch
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.devices import out_of_memory
from netversus.lab.timing.stopwatch import Stopwatch, undisturbed
from netversus.lab.timing.turns import turns
from netversus.messages import noted, template
from netversus.studies.scaling.grid import Point, Setup
from netversus.studies.scaling.spread import replicas, run_on_all

FILL_SECONDS = 0.05  # a point is called again until this much is timed: a single short call tells little

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Subject:
    """A contender, or a ResNet for reference: `at(side)` is its network for images of that side in px, `points` how it
    is run at each point."""

    name: str
    at: Callable[[int], Network]
    points: Mapping[Point, Setup]


@dataclass
class Rig:
    """Times subjects at all points that none of the subjects refuses.

    What is compared stays comparable so: a point that one cannot take is left out for all, and `notes` says so.
    `calls` is how often a setup is called in a turn, the same for all. `devices` are those that a network can be
    copied to, its own first. `run_in_processes(name, count)` lets so many processes run a subject at the same time.
    """

    subjects: Sequence[Subject]
    repetitions: int
    watch: Stopwatch
    devices: Sequence[torch.device] = ()
    left_out: set[Point] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    calls: dict[Setup, int] = field(default_factory=dict)
    run_in_processes: Callable[[str, int], None] | None = None
    _tried: set[tuple[str, Setup]] = field(default_factory=set)
    _images: dict[tuple[int, int, torch.device], Tensor] = field(default_factory=dict)
    _copies: dict[str, tuple[nn.Module, ...]] = field(default_factory=dict)

    def try_out(self) -> None:
        """Warm up at every point, and leave out what cannot be.

        Raises:
            CellError: nothing is left.
        """
        with undisturbed():
            for point in dict.fromkeys(point for subject in self.subjects for point in subject.points):
                if point not in self.left_out:
                    self._try_point(point)
        self._check_left()

    def _check_left(self) -> None:
        if all(point in self.left_out for subject in self.subjects for point in subject.points):
            raise CellError(f"nothing could be timed: {self.notes[-1] if self.notes else 'no point was asked for'}")

    def _try_point(self, point: Point) -> None:
        for subject in self.subjects:
            problem = self._problem(subject, subject.points[point]) if point in subject.points else ""
            if problem:
                self.left_out.add(point)
                said = template("{point} was left out for all: {problem}.")
                self.notes.append(noted(said, point=point, problem=noted(problem, contender=subject.name)))
                self._free()
                return

    def _problem(self, subject: Subject, setup: Setup) -> str:
        if (subject.name, setup) in self._tried:
            return ""
        try:
            with _threads(setup.threads):
                self.call(subject, setup)
                # The second call, which allocates nothing, tells how many calls fill a turn.
                again = self.call(subject, setup)
        except Exception as error:  # noqa: BLE001 (every architecture and runtime refuses a size in its own way)
            if out_of_memory(error):
                return template("{contender} does not fit in memory")
            return template("{contender} does not take it ({error})").replace("{error}", type(error).__name__)
        calls = ceil(FILL_SECONDS / max(again, FILL_SECONDS / self.repetitions))
        self.calls[setup] = min(calls, self.calls.get(setup, self.repetitions))
        self._tried.add((subject.name, setup))
        return ""

    def _free(self) -> None:
        self._images.clear()
        if self.watch.device.type == "cuda":
            torch.cuda.empty_cache()

    def block(self, number: int) -> Mapping[str, Mapping[Setup, float]]:
        """Seconds an image of every subject in every setup, in one timing block.

        All setups of all subjects take their turns forward and then back, so that neither a ratio nor an exponent
        feels a machine that slowly changes its speed. Where memory runs out the point is left out for all, and the
        whole block is measured again: what it holds is of one moment.

        Raises:
            CellError: nothing is left.
        """
        with undisturbed():
            while (seconds := self._block(number)) is None:
                self._free()
                self._check_left()
        return {
            subject.name: {setup: fmean(spent) for (name, setup), spent in seconds.items() if name == subject.name}
            for subject in self.subjects
        }

    def _block(self, number: int) -> Mapping[tuple[str, Setup], Sequence[float]] | None:
        """Every subject's two turns in every setup; None where memory ran out, and something more was left out."""
        seconds: dict[tuple[str, Setup], list[float]] = {}
        before: tuple[str, int] | None = None
        for subject, setup in turns(list(self._runs()), number):
            try:
                timed = self._turn(subject, setup, settled=(subject.name, setup.threads) == before)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                self._ran_out(subject, setup, number)
                return None  # the error's traceback, which holds on to tensors, ends here
            seconds.setdefault((subject.name, setup), []).append(timed / setup.images)
            before = (subject.name, setup.threads)
        return seconds

    def _turn(self, subject: Subject, setup: Setup, *, settled: bool) -> float:
        """The median seconds of a call."""
        with _threads(setup.threads):
            if not settled:
                self.call(subject, setup)  # fetches back what another drove from the caches
            return median(self.call(subject, setup) for _ in range(self.calls.get(setup, 1)))

    def _ran_out(self, subject: Subject, setup: Setup, block: int) -> None:
        said = template("{point} was left out for all after {n} timing blocks: memory ran out with {contender}.")
        for point, other in subject.points.items():
            if other == setup and point not in self.left_out:
                self.left_out.add(point)
                self.notes.append(noted(said, point=point, n=block, contender=subject.name))

    def _runs(self) -> Iterator[tuple[Subject, Setup]]:
        """Every setup once, though several axes may pass through it."""
        for subject in self.subjects:
            wanted = (setup for point, setup in subject.points.items() if point not in self.left_out)
            yield from ((subject, setup) for setup in dict.fromkeys(wanted))

    def call(self, subject: Subject, setup: Setup) -> float:
        """Seconds of one call."""
        if setup.processes:
            run = self.run_in_processes
            assert run is not None  # who asks for such points gives it
            return self.watch.seconds(lambda: run(subject.name, setup.processes))
        network = subject.at(setup.side)
        if setup.devices == 1:
            images = self._shown(setup, self.watch.device)
            return self.watch.seconds(lambda: network(images))
        shares = [self._shown(setup, device) for device in self.devices[: setup.devices]]
        copies = self._copied(subject.name, network)[: setup.devices]
        with ThreadPoolExecutor(setup.devices) as pool:
            return self.watch.seconds(lambda: run_on_all(copies, shares, pool))

    def _copied(self, name: str, network: Network) -> tuple[nn.Module, ...]:
        if name not in self._copies:
            assert isinstance(network, nn.Module)
            self._copies[name] = replicas(network, self.devices)
        return self._copies[name]

    def _shown(self, setup: Setup, device: torch.device) -> Tensor:
        """What a network is shown: float32 noise of unit variance, as normalised photographs have."""
        key = setup.batch, setup.side, device
        if key not in self._images:
            noise = torch.randn(
                setup.batch, 3, setup.side, setup.side, generator=torch.Generator().manual_seed(0), dtype=torch.float32
            )
            self._images[key] = noise.to(device)
        return self._images[key]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads for torch; 0 leaves them as they are."""
    before = torch.get_num_threads()
    if count and count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)

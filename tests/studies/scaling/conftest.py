"""Networks whose calls take what a test says, on a clock that only they move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from netversus.lab.data import open_data
from netversus.lab.evaluation import Room
from netversus.lab.timing.stopwatch import Stopwatch
from netversus.records import ContenderCard
from netversus.studies.scaling import ScalingOptions
from netversus.studies.scaling.grid import setups
from netversus.studies.scaling.rig import Rig, Subject

CPU = torch.device("cpu")


@dataclass
class Clock:
    """A time that only moves when a network works. `pace` slows the machine down or speeds it up."""

    nanoseconds: int = 0
    pace: Callable[[float], float] = lambda _seconds: 1.0

    def now(self) -> int:
        return self.nanoseconds

    def spend(self, seconds: float) -> None:
        self.nanoseconds += round(1e9 * seconds * self.pace(self.nanoseconds / 1e9))


class Net(nn.Module):
    """Takes `fixed` seconds a call and `seconds` an image of 32 px, growing with the pixels to a power; holds at most
    `room` pixels, refuses the sides `refused`, and logs what it is shown."""

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        *,
        fixed: float = 0.0,
        power: float = 1.0,
        room: float = inf,
        refused: tuple[int, ...] = (),
        answer: float = 0.0,
    ) -> None:
        super().__init__()
        self.clock, self.seconds, self.fixed, self.power = clock, seconds, fixed, power
        self.room, self.refused, self.answer = room, refused, answer
        self.shown: list[tuple[int, int]] = []

    def forward(self, images: Tensor) -> Tensor:
        count, side = images.shape[0], images.shape[-1]
        if count * side**2 > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if side in self.refused:
            raise AssertionError(f"a side of {side} px does not fit")
        self.shown.append((count, side))
        self.clock.spend(self.fixed + self.seconds * count * (side**2 / 32**2) ** self.power)
        logits = torch.zeros(count, 10)
        logits[:, 3] = self.answer
        return logits


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def net(clock: Clock) -> Callable[..., Net]:
    """A net on the test's clock."""
    return lambda *settings, **more: Net(clock, *settings, **more)


@pytest.fixture
def rig(clock: Clock) -> Callable[..., Rig]:
    """A rig of nets named A, B, ... of 32 px, on the test's clock."""

    def make(*nets: Net, threads: tuple[int, ...] = (), processes: tuple[int, ...] = (), **options: object) -> Rig:
        settings = ScalingOptions(**options)
        points = setups(settings, 32, threads=threads, processes=processes)
        subjects = [Subject(name, lambda _side, n=each: n, points) for name, each in zip("ABCDE", nets, strict=False)]
        return Rig(subjects, settings.repetitions, Stopwatch(CPU, clock.now))

    return make


@cache
def digits():
    return open_data("digits")


@pytest.fixture
def bench(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, make_card: Callable[..., ContenderCard]
) -> Iterator[Callable[..., SimpleNamespace]]:
    """A bench with nets for contenders, on the digits; `loads` names what was loaded, in order."""
    monkeypatch.setattr("netversus.studies.scaling.measure.others_busy", lambda: 0.125)
    monkeypatch.setattr("netversus.studies.scaling.measure.Stopwatch", lambda device: Stopwatch(device, clock.now))
    monkeypatch.setattr("netversus.studies.scaling.measure.usable_cores", lambda: 1)

    def make(folder: Path = tmp_path, options: dict[str, object] | None = None, **nets: Net) -> SimpleNamespace:
        settings = {"blocks": 3, "roofline": False, "workers": False, "images": 20, "batch": (1, 4), "at_once": 2}
        made = SimpleNamespace(
            contenders=[make_card(name) for name in nets if not name.startswith("resnet")],
            options=ScalingOptions(**(settings | (options or {}))),
            device=CPU,
            data=digits(),
            seed=0,
            scratch=lambda _name: folder,
            stored=lambda *_: (),
            loads=[],
            rooms={},
        )

        def model(card: ContenderCard) -> Net:
            made.loads.append((card.name, card.preprocessing.crop))
            return nets[card.name.partition(" ")[0]]

        made.ready = made.model = model
        made.room = lambda card: made.rooms.setdefault(card.name, Room())
        return made

    return make

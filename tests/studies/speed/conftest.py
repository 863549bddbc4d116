"""Contenders whose calls take what a test says, on a clock that only they move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from netversus.lab.timing.stopwatch import Stopwatch
from netversus.records import ContenderCard, Preprocessing
from netversus.studies.speed import SpeedOptions
from netversus.studies.speed.rig import Contender, Rig

CPU = torch.device("cpu")


@dataclass
class Clock:
    """A time that only moves when a contender works. `pace` slows the machine down or speeds it up."""

    nanoseconds: int = 0
    pace: Callable[[float], float] = lambda _seconds: 1.0

    def now(self) -> int:
        return self.nanoseconds

    def spend(self, seconds: float) -> None:
        self.nanoseconds += round(1e9 * seconds * self.pace(self.nanoseconds / 1e9))


class Net(nn.Module):
    """A network that takes `seconds` an image at `side` px, holds at most `room` pixels, and logs what it is shown."""

    def __init__(self, clock: Clock, seconds: float, side: int = 32, room: float = inf, answer: float = 0.0) -> None:
        super().__init__()
        self.clock, self.seconds, self.side, self.room, self.answer = clock, seconds, side, room, answer
        self.shown: list[tuple[int, int]] = []

    def forward(self, images: Tensor) -> Tensor:
        count, side = images.shape[0], images.shape[-1]
        if count * side**2 > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if side % 8:
            raise AssertionError(f"the side must be a multiple of 8, got {side}")
        self.shown.append((count, side))
        self.clock.spend(self.seconds * count * (side / self.side) ** 2)
        return torch.full((count, 10), self.answer)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def net(clock: Clock) -> Callable[..., Net]:
    """A net on the test's clock."""
    return lambda *settings, **more: Net(clock, *settings, **more)


@pytest.fixture
def rig(clock: Clock) -> Callable[..., Rig]:
    """A rig of nets named A, B, ... on the test's clock."""

    def make(*nets: Net, **options: object) -> Rig:
        contenders = [Contender(name, net, net.side) for name, net in zip("ABCDE", nets, strict=False)]
        return Rig.ready(contenders, SpeedOptions(**options), Stopwatch(CPU, clock.now), "p0")

    return make


@pytest.fixture
def bench(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SimpleNamespace]]:
    """A bench with nets for contenders; `loads` counts how often one was loaded."""
    monkeypatch.setattr("netversus.studies.speed.share.others_busy", lambda: 0.125)
    monkeypatch.setattr("netversus.studies.speed.share.Others", lambda: SimpleNamespace(heard=lambda: (0.0625,)))
    monkeypatch.setattr("netversus.studies.speed.share.Stopwatch", lambda device: Stopwatch(device, clock.now))
    monkeypatch.setattr("netversus.studies.speed.extras.find_meters", lambda _device: ())

    def make(folder: Path = tmp_path, options: dict[str, object] | None = None, **nets: Net) -> SimpleNamespace:
        made = SimpleNamespace(
            contenders=[_card(name, net.side) for name, net in nets.items()],
            options=SpeedOptions(**(options or {})),
            data=SimpleNamespace(card=None, splits={}),
            weights={},
            engine_record=lambda _card: None,
            keep_engine_record=lambda *_: None,
            device=CPU,
            seed=0,
            scratch=lambda _name: folder,
            loads=0,
        )

        def model(card: ContenderCard) -> Net:
            made.loads += 1
            return nets[card.name]

        made.ready = model
        return made

    return make


def _card(name: str, side: int) -> ContenderCard:
    return ContenderCard(
        name=name,
        spec=name,
        source="py",
        architecture=name,
        weights="scratch",
        recipe="",
        head="data",
        digest=name,
        preprocessing=Preprocessing(crop=side, resize=None),
    )

from __future__ import annotations

import torch
from torch import Tensor, nn

from netversus.lab.timing.stages import stage_seconds
from netversus.lab.timing.stopwatch import Stopwatch

IMAGES = torch.zeros(1, 3, 8, 8)


class Clock:
    """A time that only moves when work says so."""

    def __init__(self) -> None:
        self.nanoseconds = 0

    def now(self) -> int:
        return self.nanoseconds

    def spend(self, seconds: float) -> None:
        self.nanoseconds += round(seconds * 1e9)


class Slow(nn.Module):
    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self, images: Tensor) -> Tensor:
        self.clock.spend(self.seconds)
        return images


class Net(nn.Module):
    """Two parts, one of them used twice, a part that is never used, and two seconds between them."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.never = Slow(clock, 9)
        self.head = Slow(clock, 1)
        self.stem = nn.Sequential(Slow(clock, 3), Slow(clock, 4))

    def forward(self, images: Tensor) -> Tensor:
        images = self.head(self.stem(images))
        self.clock.spend(2)
        return self.head(images)


def timed(net: nn.Module, clock: Clock) -> dict[str, float]:
    return stage_seconds(net, IMAGES, Stopwatch(torch.device("cpu"), clock.now))


def test_each_part_has_its_seconds_in_the_order_of_running_and_the_rest_is_told() -> None:
    clock = Clock()
    found = timed(Net(clock), clock)
    assert found == {"stem": 7, "head": 2, "rest": 2}
    assert list(found) == ["stem", "head", "rest"]


def test_a_wrapper_is_looked_through() -> None:
    clock = Clock()
    wrapped = nn.Sequential(nn.Sequential(Net(clock)))
    assert timed(wrapped, clock) == {"stem": 7, "head": 2, "rest": 2}


def test_the_network_is_left_as_it_was() -> None:
    clock = Clock()
    net = Net(clock)
    timed(net, clock)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_parts_that_cannot_be_seen_give_nothing_instead_of_a_guess() -> None:
    clock = Clock()
    assert timed(Slow(clock, 1), clock) == {}
    compiled = nn.Sequential(Net(clock))
    compiled._orig_mod = compiled[0]
    assert timed(compiled, clock) == {}

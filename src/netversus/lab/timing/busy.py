"""How much of the machine others use: told while this process does nothing, or while it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import psutil  # type: ignore[import-untyped]

LISTEN_SECONDS: Final = 0.25  # the system counts in ticks of 10 ms: of less time it tells little


def others_busy(seconds: float = LISTEN_SECONDS) -> float:
    """The share of the machine's processors, in [0, 1], that is at work while this process waits."""
    return float(psutil.cpu_percent(interval=seconds)) / 100


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds of all processors together since the machine was started: those that there were, those that anybody
    used, and those that this process used. `now` is a clock in seconds."""

    now: float
    there: float
    anybody: float
    own: float


def used() -> Used:
    """What the system has counted so far."""
    times, own = psutil.cpu_times(), psutil.Process().cpu_times()
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted as user and nice already
    there = sum(times) - guests
    idle = times.idle + getattr(times, "iowait", 0.0)
    return Used(time.monotonic(), there, there - idle, own.user + own.system)


@dataclass
class Others:
    """How much of the machine others use while this process works: what anybody used, less its own. It costs no pause,
    so that what is timed goes on undisturbed. The processes that this one started are others."""

    look: Callable[[], Used] = used
    _before: Used = field(init=False)

    def __post_init__(self) -> None:
        self._before = self.look()

    def heard(self) -> tuple[float, ...]:
        """The share of the machine's processors, in [0, 1], that others had since the last time that it was told.
        Nothing yet where that was under `LISTEN_SECONDS` ago, and nothing where the system does not count."""
        before, now = self._before, self.look()
        if now.now - before.now < LISTEN_SECONDS:
            return ()
        self._before = now
        if now.there <= before.there:
            return ()
        others = (now.anybody - before.anybody) - (now.own - before.own)
        return (min(1.0, max(0.0, others / (now.there - before.there))),)

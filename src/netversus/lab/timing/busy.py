"""How much of the machine others use, told while this process does nothing."""

from __future__ import annotations

import psutil  # type: ignore[import-untyped]

LISTEN_SECONDS = 0.25


def others_busy(seconds: float = LISTEN_SECONDS) -> float:
    """The share of the machine's processors, in [0, 1], that is at work while this process waits."""
    return float(psutil.cpu_percent(interval=seconds)) / 100

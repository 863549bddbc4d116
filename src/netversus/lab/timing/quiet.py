"""Whether a machine was quiet while it was timed, said once with the thresholds. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.messages import listed, say
from netversus.quantities import percent

NOISY_SCATTER = 0.1  # of what is timed around its median, as a standard deviation that outliers do not move
NOISY_BUSY = 0.25  # share of the machine that others used

Array = NDArray[np.float64]


def scatter(values: Array) -> float:
    """The spread of times, shape (blocks,), relative to their median: 1.4826 times the median absolute deviation, over
    the median."""
    centre = float(np.median(values))
    return 1.4826 * float(np.median(np.abs(values - centre))) / centre


def heard(kept: Mapping[str, Any]) -> Sequence[float]:
    """What a study's notes tell of others, at each look; earlier versions kept the largest alone."""
    busy: Sequence[float] | float = kept.get("busy", ())
    return (busy,) if isinstance(busy, int | float) else busy


def trust(worst: float, scattered: str, looks: Sequence[float]) -> str:
    """A remark on the machine.

    Args:
        worst: the largest scatter from block to block.
        scattered: whose it is and how large, a clause, for the case that it is noisy.
        looks: the share of the processors that others used, at each look; empty where nobody looked.
    """
    signs = [scattered] if worst > NOISY_SCATTER else []
    loud = [busy for busy in looks if busy > NOISY_BUSY]
    if loud:
        signs.append(
            say(
                "others used up to {busy} of the processors (more than {limit}, which disturbs timings, at {n} of "
                "{total} looks)",
                busy=percent(max(loud)),
                limit=percent(NOISY_BUSY),
                n=len(loud),
                total=len(looks),
            )
        )
    if signs:
        return say(
            "This machine was not quiet: {signs}. Ratios of contenders timed in turns still hold, their intervals are "
            "wider; single times are those of a disturbed machine.",
            signs=listed(signs),
        )
    if not looks:
        return say(
            "What this machine timed scatters by at most {scatter} from block to block; how busy others kept it is not "
            "known.",
            scatter=percent(worst, 1),
        )
    return say(
        "The machine was quiet: what it timed scatters by at most {scatter} from block to block, others used at most "
        "{busy} of the processors.",
        scatter=percent(worst, 1),
        busy=percent(max(looks)),
    )

"""How soon the sequential sign test decides, and how often wrongly: computed, not simulated.

Only units on which the contenders disagree move the test. Of these, each is a win of the better one with the same
chance: a walk, whose chance to leave between the two boundaries is followed from one disagreement to the next. Between
two disagreements lies a geometric number of units, independent of who wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from netversus.errors import StatisticsError
from netversus.statistics.distributions import binom
from netversus.statistics.pairing import fraction
from netversus.statistics.power import images_for_proportions
from netversus.statistics.sequential import PRIOR, boundary

Array = NDArray[np.float64]

MOST = 1 << 16  # disagreements that are followed: two or three seconds
_BLOCK = 1 << 11
_LEFT = 0.02  # of the runs may be undecided when the following ends: the ninth decile is then known
_FAR = 6.0  # times the images in which the last disagreement is expected: the ninth decile comes before


@dataclass(frozen=True, slots=True)
class StoppingTime:
    """Images read until the decision when one looks after each of them: the median and the ninth decile.

    Who looks less often decides later: every 64 images, by 3 to 6 % for gaps of 1 to 5 points. `wrong` is the chance of
    a decision for the worse contender.
    """

    median: int
    ninth_decile: int
    wrong: float


def stopping_time(gap: float, disagreement: float, *, level: float = 0.95, prior: float = PRIOR) -> StoppingTime | None:
    """When the sign test decides about a gap, from a stream of images; None beyond `MOST` disagreements.

    Args:
        gap: difference of the proportions, as a fraction; its sign does not matter.
        disagreement: share of images that exactly one contender gets right, at least |gap|.
        level: 1 - level is the error rate of the two-sided test.
        prior: a of the half-Beta prior.

    Raises:
        StatisticsError: the gap is 0 or exceeds the disagreement, or the level is no fraction.
    """
    fixed = images_for_proportions(gap, disagreement, level=level)
    if fixed * disagreement > MOST / 2:
        return None
    wins, losses = leaving((1 + abs(gap) / disagreement) / 2, level=level, prior=prior, most=MOST)
    if 1 - wins.sum() - losses.sum() > _LEFT:
        return None
    decided = wins + losses
    median, ninth = (_images(decided, disagreement, share) for share in (0.5, 0.9))
    return StoppingTime(median, ninth, float(losses.sum()))


def leaving(
    win: float, *, level: float = 0.95, prior: float = PRIOR, most: int, left: float = _LEFT
) -> tuple[Array, Array]:
    """The chance to decide for the winner and for the loser at each number of disagreements, shapes (n + 1,).

    Args:
        win: chance that a disagreement is a win, in [0, 1]; 1/2 gives the error of the first kind.
        level: of the test.
        prior: a of the half-Beta prior.
        most: disagreements that are followed at most.
        left: the following ends sooner when no more than this is undecided.

    Raises:
        StatisticsError: `win` is not in [0, 1], or `most` below 1.
    """
    if not 0 <= win <= 1 or most < 1:
        raise StatisticsError(f"expected a chance in [0, 1] and at least one disagreement, got {win} and {most}")
    inside = np.zeros(most + 2)  # chance of each number of wins while undecided
    inside[0] = 1.0
    low = high = 0  # the fewest and the most wins that are undecided
    won, lost = np.zeros(most + 1), np.zeros(most + 1)
    undecided = 1.0
    for n, edge in enumerate(_edges(most, level, prior), start=1):
        grown = (1 - win) * inside[low : high + 2]
        grown[1:] += win * inside[low : high + 1]
        inside[low : high + 2] = grown
        won[n] = inside[edge : high + 2].sum()
        lost[n] = inside[low : n - edge + 1].sum() if n - edge >= low else 0.0
        inside[edge : high + 2] = 0.0
        inside[low : max(low, n - edge + 1)] = 0.0
        low, high = max(low, n - edge + 1), min(high + 1, edge - 1)
        undecided -= won[n] + lost[n]
        if undecided <= left:
            return won[: n + 1], lost[: n + 1]
    return won, lost


def _edges(most: int, level: float, prior: float) -> Iterator[int]:
    """The boundary at 1, 2, ... disagreements, worked out in blocks as far as it is asked for."""
    fraction(level, "the level")
    for start in range(1, most + 1, _BLOCK):
        yield from _block(start, min(_BLOCK, most + 1 - start), level, prior)


@lru_cache(maxsize=128)
def _block(start: int, size: int, level: float, prior: float) -> tuple[int, ...]:
    return tuple(boundary(np.arange(start, start + size), level=level, prior=prior).tolist())


def _images(decided: Array, disagreement: float, share: float) -> int:
    """The fewest images by which this share of the runs has decided: the n-th disagreement came by then."""
    n = np.flatnonzero(decided)
    low, high = 0, int(len(decided) / disagreement * _FAR)
    while high - low > 1:
        middle = (low + high) // 2
        if float(decided[n] @ binom.sf(n - 1, middle, disagreement)) >= share:
            high = middle
        else:
            low = middle
    return high

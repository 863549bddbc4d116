"""Whose turn it is: an order in which a machine that slowly changes its speed favours nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def turns(contenders: Sequence[T], block: int) -> tuple[T, ...]:
    """The order within a timing block: forward, then back (A B B A), beginning with another contender each block.

    Each contender has two turns, and the mean place of the two is the same for all: what drifts linearly during a
    block cancels. Beginning elsewhere each time shares out what it means to be first.
    """
    start = block % len(contenders)
    forward = (*contenders[start:], *contenders[:start])
    return (*forward, *reversed(forward))

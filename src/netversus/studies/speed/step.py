"""What one step of the study found. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from netversus.records import Observations

READ, DECODE, RESIZE, MOVE, NORMALISE, NETWORK = "read", "decode", "resize", "move", "normalise", "network"

Repetitions = tuple[tuple[float, ...], ...]
"""Seconds, a row a repetition: one number an image, or one for a whole batch. The first row is the warm-up."""


@dataclass(frozen=True)
class Way:
    """What some of the user's own images went through, as it was timed.

    `shared` holds what is done once for all contenders, READ and DECODE; `contenders` what is done for each: RESIZE,
    for a whole batch MOVE, NORMALISE and NETWORK. MOVE is absent where the network is where the images are.
    """

    images: int
    batch: int
    shared: Mapping[str, Repetitions]
    contenders: Mapping[str, Mapping[str, Repetitions]]


WAY_RECORD = TypeAdapter(Way)


@dataclass(frozen=True)
class Step:
    """What one step found: numbers, remarks a line each, how busy others kept the machine meanwhile, and the way of
    an image."""

    observations: tuple[Observations, ...] = ()
    notes: tuple[str, ...] = ()
    busy: tuple[float, ...] = ()
    meters: tuple[str, ...] = ()
    way: Way | None = None

"""Random numbers by counting: the same for an image wherever it lies in a batch, and whenever its turn comes.

A generator that is shared by a batch would give an image other numbers with other images beside it. Here a number is a
function of the image's key, its turn and its place (SplitMix64: Steele, Lea and Flood 2014, section 4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

_GAMMA = -7046029254386353131  # 0x9e3779b97f4a7c15 as a signed 64-bit number
_FIRST, _SECOND = -4658895280553007687, -7723592293110705685  # 0xbf58476d1ce4e5b9, 0x94d049bb133111eb
_TURN = 1 << 32  # far more places than an image has


def keys_of(ids: Sequence[str], seed: int) -> Tensor:
    """A key for each image: int64, shape (n,), from its id and the seed."""
    digests = (hashlib.sha256(f"{seed}/{each}".encode()).digest()[:8] for each in ids)
    return torch.tensor([int.from_bytes(each, "big", signed=True) for each in digests], dtype=torch.int64)


def uniform(keys: Tensor, turn: Tensor | int, count: int) -> Tensor:
    """Numbers in [0, 1): float32, shape (n, count). `keys` and `turn` are int64, shape (n,), or one turn for all."""
    places = torch.arange(count, dtype=torch.int64, device=keys.device)
    turns = turn if isinstance(turn, Tensor) else torch.full_like(keys, turn)
    counters = keys[:, None] + (turns[:, None] * _TURN + places + 1) * _GAMMA
    mixed = (counters ^ _shifted(counters, 30)) * _FIRST
    mixed = (mixed ^ _shifted(mixed, 27)) * _SECOND
    return _shifted(mixed ^ _shifted(mixed, 31), 40).float() / (1 << 24)


def like(images: Tensor, keys: Tensor, turn: Tensor | int) -> Tensor:
    """Numbers in [0, 1) of the images' shape (n, 3, h, w)."""
    return uniform(keys, turn, images[0].numel()).view(images.shape)


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Shifted right as unsigned numbers are: torch's shift carries the sign along."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)

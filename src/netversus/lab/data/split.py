"""Divide images into train and test, by class, the same on every machine and with every library version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def held_out(labels: Sequence[int], keys: Sequence[str], count: int, seed: int) -> NDArray[np.bool_]:
    """Which images are held out for the test: bool, shape (n,), `count` of them in proportion to the classes.

    The order within a class is that of SHA-256(seed, key), so it depends neither on the order of the images nor
    on the others, and one more image moves hardly any across. Images with the same key (the same content) stay
    on one side, and a class of two images or more has one on each side; either may move the count a little.
    """
    chosen = np.zeros(len(labels), dtype=np.bool_)
    if count >= len(labels):
        return ~chosen
    members: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(int(label), []).append(index)
    quotas = _quotas({label: len(members[label]) for label in sorted(members)}, count)
    for label, quota in quotas.items():
        order = sorted(members[label], key=lambda index: (_rank(keys[index], seed), index))
        chosen[order[: _without_tearing([keys[index] for index in order], quota)]] = True
    return chosen


def _without_tearing(keys: Sequence[str], stop: int) -> int:
    """The first place from `stop` on that does not lie between two equal keys."""
    while 0 < stop < len(keys) and keys[stop] == keys[stop - 1]:
        stop += 1
    return stop


def _rank(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode(errors="surrogateescape")).digest()


def _quotas(sizes: dict[int, int], count: int) -> dict[int, int]:
    """Largest remainders, then at least one image on each side where a class has two."""
    total = sum(sizes.values())
    quotas = {label: count * size // total for label, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda label: (-(count * sizes[label] % total), label))
    for label in by_remainder[: count - sum(quotas.values())]:
        quotas[label] += 1
    return {
        label: min(max(quota, 1), sizes[label] - 1) if sizes[label] > 1 else quota for label, quota in quotas.items()
    }

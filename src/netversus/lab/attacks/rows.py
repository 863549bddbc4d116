"""Many images in work of one size: as soon as one is done, the next takes its place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

Rows = dict[str, Tensor]
"""The state of n images by name, each tensor with n rows."""


def advance(state: Rows, step: Callable[[Rows], Tensor], chunk: int) -> Rows:
    """Step every row until it is done; the state as it then is.

    Args:
        state: of all rows. It is written to.
        step: takes the state of `chunk` rows, changes it, and says which rows are done: bool, shape (chunk,). What it
            does to a row must depend on that row alone.
        chunk: how many rows are stepped at once. Where fewer are left, the last one is repeated.
    """
    waiting = deque(range(len(next(iter(state.values())))))
    active: list[int] = []
    while waiting or active:
        while waiting and len(active) < chunk:
            active.append(waiting.popleft())
        index = torch.tensor(active + active[-1:] * (chunk - len(active)))
        rows = {name: values[index.to(values.device)] for name, values in state.items()}
        done = step(rows)[: len(active)]
        while not bool(done.any()):
            done = step(rows)[: len(active)]
        kept = index[: len(active)]
        for name, values in state.items():
            values[kept.to(values.device)] = rows[name][: len(active)]
        active = [row for row, ended in zip(active, done.tolist(), strict=True) if not ended]
    return state

"""Many images in work of one size: as soon as one is done, the next takes its place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

Rows = dict[str, Tensor]
"""The state of n images by name, each tensor with n rows."""


def advance(state: Rows, step: Callable[[Rows], Tensor], chunk: int) -> Rows:
    """Step every row of a state until it is done; the state as it then is. It is written to. See `in_turns`."""

    def begin(some: Tensor) -> Rows:
        return {name: values[some.to(values.device)] for name, values in state.items()}

    def end(ended: list[int], rows: Rows) -> None:
        for name, values in state.items():
            values[torch.tensor(ended, device=values.device)] = rows[name]

    in_turns(len(next(iter(state.values()))), begin, step, end, lambda _: False, chunk)
    return state


def in_turns(
    count: int,
    begin: Callable[[Tensor], Rows],
    step: Callable[[Rows], Tensor],
    end: Callable[[list[int], Rows], None],
    needless: Callable[[int], bool],
    chunk: int,
) -> None:
    """Step `count` rows, `chunk` at a time and in their order, each until it is done.

    Args:
        count: how many rows there are.
        begin: the state of some rows, by their numbers, before their first step.
        step: takes the state of `chunk` rows, changes it, and says which are done: bool, shape (chunk,). What it does
            to a row must depend on that row alone. Where fewer are left, the last one is repeated.
        end: takes the numbers and the state of rows that are done.
        needless: whether a row need not be begun, or gone on with.
        chunk: how many rows are stepped at once.
    """
    waiting, active, rows = deque(range(count)), list[int](), Rows()
    while True:
        new: list[int] = []
        while waiting and len(active) + len(new) < chunk:
            one = waiting.popleft()
            if not needless(one):
                new.append(one)
        if new:
            begun = begin(torch.tensor(new))
            rows = {name: torch.cat([rows[name], values]) for name, values in begun.items()} if active else begun
            active += new
        if not active:
            return
        rows, done = _until_one_is_done(rows, len(active), step, chunk)
        ended = done.nonzero()[:, 0]
        end([active[row] for row in ended.tolist()], {name: values[ended] for name, values in rows.items()})
        stays = [row for row, over in enumerate(done.tolist()) if not over and not needless(active[row])]
        rows = {name: values[torch.tensor(stays, device=values.device).long()] for name, values in rows.items()}
        active = [active[row] for row in stays]


def _until_one_is_done(rows: Rows, count: int, step: Callable[[Rows], Tensor], chunk: int) -> tuple[Rows, Tensor]:
    """The first `count` rows after as many steps as it takes, and which are done."""
    index = torch.tensor([*range(count), *[count - 1] * (chunk - count)])
    rows = {name: values[index.to(values.device)] for name, values in rows.items()}
    done = step(rows)[:count]
    while not bool(done.any()):
        done = step(rows)[:count]
    return {name: values[:count] for name, values in rows.items()}, done

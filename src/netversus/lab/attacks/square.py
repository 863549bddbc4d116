"""Square (Andriushchenko et al. 2020): random squares, kept where they raise the loss. No gradients."""

from __future__ import annotations

from functools import cache
from math import sqrt

import torch
from torch import Tensor

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.draws import uniform
from netversus.lab.attacks.losses import margin
from netversus.lab.attacks.rows import Rows, advance
from netversus.lab.attacks.threat import Threat, length, per_row, row_sum
from netversus.lab.attacks.victim import Victim, chunk_for

SHARE = 0.8  # of the pixels that the first squares cover (the value of the standard set)
# The share is halved at these of 10,000 queries, and at as many parts of any other number (section 5.1 of the paper).
HALVED_AT = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_SCHEDULE = 10_000
_TILES = 5  # of the first change in l2, along each side
_TURN = 1000


def square(victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor) -> Tensor:
    """The wrong point that was found, or that of the highest margin after `queries` looks at the logits."""
    if not len(images):
        return images.clone()
    n, device = len(images), images.device
    state: Rows = {
        "clean": images,
        "labels": labels,
        "keys": keys.to(device),
        "best": images.clone(),
        "best_loss": torch.full((n,), -torch.inf, device=device),
        "asked": torch.zeros(n, dtype=torch.int64, device=device),
    }
    pattern = _Stripes(threat) if threat.norm == "linf" else _Bumps(threat)
    sides = torch.tensor([_side(query, budget.queries, *images.shape[-2:]) for query in range(budget.queries)])

    def step(rows: Rows) -> Tensor:
        first = rows["asked"] == 0
        side = sides.to(device)[rows["asked"].clamp_max(budget.queries - 1)]
        tried = pattern.next(rows, side)
        if bool(first.any()):
            tried = torch.where(per_row(first), pattern.first(rows), tried)
        loss = margin(victim.quick(tried), rows["labels"])
        better = loss > rows["best_loss"]
        rows["best"] = torch.where(per_row(better), tried, rows["best"])
        rows["best_loss"] = torch.maximum(loss, rows["best_loss"])
        rows["asked"] = rows["asked"] + 1
        return ((rows["best_loss"] > 0) & (not budget.to_the_end)) | (rows["asked"] == budget.queries)

    return advance(state, step, chunk_for(*images.shape[-2:]))["best"]


def share_at(query: int, queries: int) -> float:
    """The share of the pixels that the `query`-th square covers."""
    place = query * _SCHEDULE // queries
    return float(SHARE / 2 ** sum(place > limit for limit in HALVED_AT))


def _side(query: int, queries: int, height: int, width: int) -> int:
    """The side of the `query`-th square, in pixels."""
    return min(max(1, round(sqrt(share_at(query, queries) * height * width))), height, width)


def _window(draws: Tensor, side: Tensor, height: int, width: int) -> Tensor:
    """A square of `side` pixels at a drawn place for each row: bool, shape (n, 1, h, w). `draws`: shape (n, 2)."""
    top = (draws[:, 0] * (height - side + 1)).long().view(-1, 1, 1, 1)
    left = (draws[:, 1] * (width - side + 1)).long().view(-1, 1, 1, 1)
    rows = torch.arange(height, device=draws.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=draws.device).view(1, 1, 1, -1)
    side = side.view(-1, 1, 1, 1)
    return (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)


class _Stripes:
    """l-inf: every pixel of the change is +eps or -eps; it begins with vertical stripes."""

    def __init__(self, threat: Threat) -> None:
        self.threat = threat

    def first(self, rows: Rows) -> Tensor:
        clean = rows["clean"]
        n, channels, _, width = clean.shape
        signs = _signs(uniform(rows["keys"], _TURN, channels * width)).view(n, channels, 1, width)
        return self.threat.project(clean + self.threat.eps * signs, clean)

    def next(self, rows: Rows, side: Tensor) -> Tensor:
        clean = rows["clean"]
        draws = uniform(rows["keys"], rows["asked"] + _TURN, 2 + clean.shape[1])
        window = _window(draws[:, :2], side, *clean.shape[-2:])
        colour = clean + self.threat.eps * _signs(draws[:, 2:])[:, :, None, None]
        return self.threat.project(torch.where(window, colour, rows["best"]), clean)


class _Bumps:
    """l2: the change is moved, in bumps, from one square into another, and never becomes shorter than eps."""

    def __init__(self, threat: Threat) -> None:
        self.threat = threat

    def first(self, rows: Rows) -> Tensor:
        """A grid of bumps, the sign of each drawn."""
        clean = rows["clean"]
        n, channels, height, width = clean.shape
        tile = max(1, min(height, width) // _TILES)
        across, down = -(-width // tile), -(-height // tile)
        signs = _signs(uniform(rows["keys"], _TURN, channels * across * down)).view(n, channels, down, across)
        grid = signs.repeat_interleave(tile, 2).repeat_interleave(tile, 3)[:, :, :height, :width]
        shape = _bump(tile).to(clean.device).repeat(down, across)[:height, :width]
        change = grid * shape
        return self.threat.project(clean + self.threat.eps * change / length(change).clamp_min(1e-12), clean)

    def next(self, rows: Rows, side: Tensor) -> Tensor:
        """Algorithm 3 of the paper: what the change leaves unused, and all that lies in a second square, goes into the
        first, along a bump."""
        clean, best = rows["clean"], rows["best"]
        channels, height, width = clean.shape[1:]
        draws = uniform(rows["keys"], rows["asked"] + _TURN, 5 + channels)
        target = _window(draws[:, :2], side, height, width)
        source = _window(draws[:, 2:4], side, height, width)
        change = best - clean
        bump = _placed(target, side, draws[:, 4] < 0.5) * _signs(draws[:, 5:])[:, :, None, None]
        inside = change * target
        mixed = bump / length(bump).clamp_min(1e-12) + inside / _channel_length(inside).clamp_min(1e-12)
        mixed = mixed * target
        unused = (self.threat.eps**2 - row_sum(change.square())).clamp_min(0.0) / channels
        both = _channel_length(change * (target | source)).square()
        reach = (both + per_row(unused)).sqrt()
        moved = torch.where(source, torch.zeros_like(change), change)
        moved = torch.where(target, mixed / _channel_length(mixed).clamp_min(1e-12) * reach, moved)
        return self.threat.project(clean + moved, clean)


def _signs(draws: Tensor) -> Tensor:
    return torch.where(draws < 0.5, -1.0, 1.0)


def _channel_length(change: Tensor) -> Tensor:
    """The Euclidean length within each channel, shape (n, c, 1, 1)."""
    lengths: Tensor = torch.linalg.vector_norm(change.flatten(2), dim=2)
    return lengths[:, :, None, None]


def _placed(window: Tensor, side: Tensor, turned: Tensor) -> Tensor:
    """The bump of each row's side in its window: shape (n, 1, h, w), 0 elsewhere."""
    placed = torch.zeros(window.shape, device=window.device)
    for row, (length_of_side, turn) in enumerate(zip(side.tolist(), turned.tolist(), strict=True)):
        bump = _bump(length_of_side).to(window.device)
        placed[row, 0][window[row, 0]] = (bump.T if turn else bump).flatten()
    return placed


@cache
def _bump(side: int) -> Tensor:
    """Two pyramids of opposite sign side by side, shape (side, side) (section 4.2 of the paper)."""
    if side == 1:
        return torch.ones(1, 1)
    half = side // 2
    return torch.cat([_pyramid(side, half), -_pyramid(side, side - half)], dim=1)


def _pyramid(height: int, width: int) -> Tensor:
    """Steps that become narrower: the k-th, from the edge, adds 1 / (n + 1 - k)^2, n being half the height."""
    steps = height // 2
    rows = (torch.arange(height) - height // 2).abs().view(-1, 1)
    columns = (torch.arange(width) - width // 2).abs().view(1, -1)
    within = steps - torch.maximum(rows, columns.expand(height, width)).clamp_max(steps)
    gains = torch.tensor([1.0 / (steps + 1 - k) ** 2 for k in range(steps + 1)]).cumsum(0)
    return gains[within]

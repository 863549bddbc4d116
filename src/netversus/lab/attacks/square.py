"""Square (Andriushchenko et al. 2020): random squares, kept where they raise the loss. No gradients."""

from __future__ import annotations

import math
from collections import deque
from functools import cache

import torch
from torch import Tensor

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.draws import uniform
from netversus.lab.attacks.losses import margin
from netversus.lab.attacks.threat import Threat, length, per_row, row_sum
from netversus.lab.attacks.victim import Victim, chunk_for

SHARE = 0.8  # of the pixels that the first squares cover (the value of the standard set)
# The share is halved at these of 10,000 queries, and at as many parts of any other number (section 5.1 of the paper).
HALVED_AT = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_SCHEDULE = 10_000
_TILES = 5  # of the first change in l2, along each side
_TURN, _HALF = 1000, 0.5


def square(victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor) -> Tensor:
    """The wrong point that was found, or that of the highest margin after `queries` looks at the logits.

    Where fewer images are left than are worked on at once, the next squares of an image are tried ahead, as if those
    before were refused, which most are; the first that is not, counts, and what was tried beyond it is forgotten. So
    the outcome is that of one after the other.
    """
    if not len(images):
        return images.clone()
    asker = _Asker(victim, images, labels, threat, budget, keys)
    waiting, active = deque(range(len(images))), list[int]()
    chunk = chunk_for(*images.shape[-2:])
    while True:
        while waiting and len(active) < chunk:
            active.append(waiting.popleft())
        if not active:
            return asker.best
        asker.ask(active, chunk)
        active = [image for image in active if not asker.done(image)]


class _Asker:
    """The best point of each image, its margin, and how many squares were tried."""

    def __init__(
        self, victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor
    ) -> None:
        self.victim, self.budget = victim, budget
        self.labels, self.keys = labels, keys.to(images.device)
        self.pattern = _Stripes(images, threat) if threat.norm == "linf" else _Bumps(images, threat)
        self.best = images.clone()
        self.margins = [-math.inf] * len(images)
        self.asked = [0] * len(images)
        self.sides = [_side(query, budget.queries, *images.shape[-2:]) for query in range(budget.queries)]

    def done(self, image: int) -> bool:
        """Whether it is wrong, or out of queries."""
        return self.asked[image] >= self.budget.queries or (self.margins[image] > 0 and not self.budget.to_the_end)

    def ask(self, active: list[int], chunk: int) -> None:
        """Try the next square of each active image, and as many more as there is room for."""
        turns = [(image, self.asked[image] + ahead) for image, ahead in _dealt(active, chunk)]
        device = self.best.device
        image, query = (torch.tensor(each, device=device) for each in zip(*turns, strict=True))
        query = query.clamp_max(self.budget.queries - 1)
        side = torch.tensor([self.sides[each] for each in query.tolist()], device=device)
        tried = self.pattern.next(self.best[image], image, self.keys[image], query, side)
        if any(turn == 0 for _, turn in turns):
            tried = torch.where(per_row(query == 0), self.pattern.first(image, self.keys[image]), tried)
        margins = margin(self.victim.quick(tried), self.labels[image])
        self._take(turns, tried, margins.tolist())

    def _take(self, turns: list[tuple[int, int]], tried: Tensor, margins: list[float]) -> None:
        """The first of an image's squares that raises its margin ends what counts for it."""
        ended: set[int] = set()
        for row, (image, query) in enumerate(turns):
            if image in ended or query >= self.budget.queries:
                continue
            self.asked[image] = query + 1
            if margins[row] > self.margins[image]:
                self.best[image], self.margins[image] = tried[row], margins[row]
                ended.add(image)


def _dealt(active: list[int], chunk: int) -> list[tuple[int, int]]:
    """Rows of a chunk as (image, how far ahead), as evenly as they can be, an image's own in order."""
    each, more = divmod(chunk, len(active))
    return [(image, ahead) for place, image in enumerate(active) for ahead in range(each + (place < more))]


def share_at(query: int, queries: int) -> float:
    """The share of the pixels that the `query`-th square covers."""
    place = query * _SCHEDULE // queries
    return float(SHARE / 2 ** sum(place > limit for limit in HALVED_AT))


def _side(query: int, queries: int, height: int, width: int) -> int:
    """The side of the `query`-th square, in pixels."""
    return min(max(1, round(math.sqrt(share_at(query, queries) * height * width))), height, width)


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

    def __init__(self, images: Tensor, threat: Threat) -> None:
        self.low, self.high = (images - threat.eps).clamp(0, 1), (images + threat.eps).clamp(0, 1)

    def first(self, image: Tensor, keys: Tensor) -> Tensor:
        """The first point of each row."""
        n, channels, _, width = self.low[image].shape
        stripes = uniform(keys, _TURN, channels * width).view(n, channels, 1, width)
        return torch.where(stripes < _HALF, self.low[image], self.high[image])

    def next(self, best: Tensor, image: Tensor, keys: Tensor, query: Tensor, side: Tensor) -> Tensor:
        """A square of one colour at a drawn place."""
        draws = uniform(keys, query + _TURN, 2 + best.shape[1])
        window = _window(draws[:, :2], side, *best.shape[-2:])
        colour = torch.where(draws[:, 2:, None, None] < _HALF, self.low[image], self.high[image])
        return torch.where(window, colour, best)


class _Bumps:
    """l2: the change is moved, in bumps, from one square into another, and never becomes shorter than eps."""

    def __init__(self, images: Tensor, threat: Threat) -> None:
        self.images, self.threat = images, threat

    def first(self, image: Tensor, keys: Tensor) -> Tensor:
        """A grid of bumps, the sign of each drawn."""
        clean = self.images[image]
        n, channels, height, width = clean.shape
        tile = max(1, min(height, width) // _TILES)
        across, down = -(-width // tile), -(-height // tile)
        signs = _signs(uniform(keys, _TURN, channels * across * down)).view(n, channels, down, across)
        grid = signs.repeat_interleave(tile, 2).repeat_interleave(tile, 3)[:, :, :height, :width]
        shape = _bump(tile).to(clean.device).repeat(down, across)[:height, :width]
        change = grid * shape
        return self.threat.project(clean + self.threat.eps * change / length(change).clamp_min(1e-12), clean)

    def next(self, best: Tensor, image: Tensor, keys: Tensor, query: Tensor, side: Tensor) -> Tensor:
        """Algorithm 3 of the paper: what the change leaves unused, and all that lies in a second square, goes into the
        first, along a bump."""
        clean = self.images[image]
        channels, height, width = clean.shape[1:]
        draws = uniform(keys, query + _TURN, 5 + channels)
        target = _window(draws[:, :2], side, height, width)
        source = _window(draws[:, 2:4], side, height, width)
        change = best - clean
        bump = _placed(target, side, draws[:, 4] < _HALF) * _signs(draws[:, 5:])[:, :, None, None]
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
    return torch.where(draws < _HALF, -1.0, 1.0)


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

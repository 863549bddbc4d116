"""Where a network's features are read: what its last layer sees, and what each stage leaves behind.

The places are found by watching one image go through, so that a network of any library, or the user's own, will do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import isqrt

import torch
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.messages import noted

FEW_STAGES, QUARTERS, SEVERAL = 3, 4, 2
_PASSING = (nn.Dropout, nn.Identity, nn.Softmax)  # in an attention they see a map of every two places


@dataclass(frozen=True, slots=True)
class Place:
    """A turn of a module: the `turn`-th time (from 0) that the one at `path` is called."""

    path: str
    turn: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of the network that ends with the output of a module's turn. `label` tells the size of its maps."""

    place: Place
    label: str


@dataclass(frozen=True, slots=True)
class Anatomy:
    """`head` is the last layer; `tail` names the modules with parameters of their own that begin after the last stage
    but one (empty where there is but one), the last layer not among them."""

    head: Place
    stages: tuple[Stage, ...]
    tail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Call:
    """A module's turn: what it is, when it began and ended, and the shape of what it gave."""

    place: Place
    kind: type[nn.Module]
    begin: int
    end: int
    shape: tuple[int, ...]

    @property
    def weighty(self) -> bool:
        """Whether it is a layer with a matrix of weights."""
        return issubclass(self.kind, nn.Linear | nn.Conv2d)

    @property
    def depth(self) -> int:
        return self.place.path.count(".")

    @property
    def parent(self) -> str:
        return self.place.path.rpartition(".")[0]


@torch.no_grad()
def anatomy(model: nn.Module, image: Tensor) -> Anatomy:
    """The anatomy of a network in eval mode; `image` is float32, shape (1, 3, side, side).

    A stage ends where the maps become smaller: with the last module of a size that holds several layers with weights (a
    block that makes the maps smaller may begin with one layer of the old size), or where there is none, with the last
    of the outermost. A network whose maps keep their size (a transformer) is cut at the quarters of its longest row of
    equal blocks.

    Raises:
        CellError: there is no layer with weights.
    """
    calls = _watched(model, image)
    layers = [call for call in calls if call.weighty]
    if not layers:
        raise CellError("the network has no linear or convolutional layer, before which features could be read")
    head = max(layers, key=lambda call: call.begin)
    before = [call for call in calls if call.end < head.begin and call.place.path != head.place.path]
    stages = _by_size(before)
    if len(stages) < FEW_STAGES:
        stages = _by_quarters(before) or stages
    after = stages[-2].end if len(stages) > 1 else head.begin
    first = {call.place.path: call.begin for call in reversed(calls)}
    own = {path for path, module in model.named_modules() if next(module.parameters(recurse=False), None) is not None}
    tail = sorted(path for path in own if first.get(path, -1) > after and path != head.place.path)
    return Anatomy(head.place, tuple(Stage(call.place, _label(call, before)) for call in stages), tuple(tail))


def _watched(model: nn.Module, image: Tensor) -> list[_Call]:
    """Every turn of every module but the network itself, in the order in which they ended."""
    calls: list[_Call] = []
    clock = iter(range(10**9))
    begun: list[int] = []
    turns: Counter[str] = Counter()

    def begin(_module: nn.Module, _inputs: object) -> None:
        begun.append(next(clock))

    def end(path: str, module: nn.Module, _inputs: object, output: object) -> None:
        shape = tuple(output.shape) if isinstance(output, Tensor) else ()
        calls.append(_Call(Place(path, turns[path]), type(module), begun.pop(), next(clock), shape))
        turns[path] += 1

    hooks = []
    for path, module in model.named_modules():
        if path:
            hooks += [module.register_forward_pre_hook(begin), module.register_forward_hook(partial(end, path))]
    try:
        model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _by_size(calls: Sequence[_Call]) -> list[_Call]:
    """One turn for each size of maps, in order; a size that comes back after a smaller one is left out. Maps of one
    place are a stage where layers made them so, and not where they were averaged."""
    ends: list[_Call] = []
    maps = [c for c in calls if len(c.shape) > 2 and c.shape[0] == 1 and not issubclass(c.kind, _PASSING)]
    maps.sort(key=lambda call: -positions(call.shape))
    for size, group in groupby(maps, key=lambda call: positions(call.shape)):
        last = _last(list(group), calls)
        before = ends[-1].end if ends else -1
        made = sum(call.weighty and before < call.begin < last.end for call in calls)
        if last.end > before and (size > 1 or made >= SEVERAL):
            ends.append(last)
    return ends


def _last(group: Sequence[_Call], calls: Sequence[_Call]) -> _Call:
    """Where a stage ends, of the turns that leave maps of its size."""
    begins = [call.begin for call in calls if call.weighty]
    heavy = [call for call in group if sum(call.begin < begin < call.end for begin in begins) >= SEVERAL]
    return max(heavy, key=lambda call: call.end) if heavy else max(group, key=lambda call: (-call.depth, call.end))


def _by_quarters(calls: Sequence[_Call]) -> list[_Call]:
    """The ends of the four quarters of the longest row of equal blocks side by side; none where there is no row."""
    row = max(_rows(calls), key=len, default=[])
    if len(row) < QUARTERS:
        return []
    return [row[len(row) * (quarter + 1) // QUARTERS - 1] for quarter in range(QUARTERS)]


def _rows(calls: Sequence[_Call]) -> Iterator[list[_Call]]:
    """Blocks of one class, one parent and one size of output; single layers are no blocks."""
    insides = {call.parent for call in calls}
    blocks = [c for c in calls if positions(c.shape) > 1 and c.place.path in insides]

    def kin(call: _Call) -> tuple[str, str, int]:
        return call.parent, call.kind.__qualname__, positions(call.shape)

    for _, group in groupby(sorted(blocks, key=lambda call: (*kin(call), call.end)), key=kin):
        yield list(group)


def _label(call: _Call, calls: Sequence[_Call]) -> str:
    """What a reader knows a stage by: its maps' side, or which block of a row it is."""
    row = next((row for row in _rows(calls) if call in row and len(row) >= QUARTERS and len(call.shape) == 3), None)
    if row is not None:
        return noted("block {n} of {total}", n=row.index(call) + 1, total=len(row))
    size = positions(call.shape)
    return f"{isqrt(size)} px" if len(call.shape) == 4 else noted("{n} tokens", n=size)


def positions(shape: Sequence[int]) -> int:
    """How many places a feature map has: height × width, or tokens; 1 for a vector, 0 for what is neither."""
    if len(shape) == 4:
        rows, columns = shape[1:3] if _channels_last(shape) else shape[2:4]
        return rows * columns
    if len(shape) == 3:
        return shape[1]
    return 1 if len(shape) == 2 else 0


def _channels_last(shape: Sequence[int]) -> bool:
    """Images are square here, so that the two equal sides tell where the channels are."""
    return shape[2] != shape[3] and shape[1] == shape[2]


def pooled(maps: Tensor) -> Tensor:
    """Features averaged over all places: (n, c, h, w), (n, h, w, c), (n, tokens, c) or (n, c) -> (n, c)."""
    if maps.ndim == 4:
        return maps.mean((1, 2) if _channels_last(maps.shape) else (2, 3))
    return maps.mean(1) if maps.ndim == 3 else maps


class Backbone(nn.Module):
    """A network as a giver of features: images (n, 3, side, side) to what its last layer sees, (n, width).

    Nothing is taken out of the network: it runs whole, and its own answer is dropped. `places()` gives the features of
    every stage too, averaged over all positions unless `reduce` does something else with the maps.
    """

    def __init__(self, model: nn.Module, parts: Anatomy, reduce: Callable[[Tensor], Tensor] = pooled) -> None:
        super().__init__()
        self.model = model
        self.parts = parts
        self.reduce = reduce
        self._turns: Counter[str] = Counter()
        self._seen: dict[Place, Tensor] = {}
        self._every = False
        model.get_submodule(parts.head.path).register_forward_pre_hook(self._before_head)
        for path in {stage.place.path for stage in parts.stages}:
            model.get_submodule(path).register_forward_hook(partial(self._after, path))

    def forward(self, images: Tensor) -> Tensor:
        """What the last layer sees, float, shape (n, width)."""
        self._turns.clear()
        self._seen.clear()
        self.model(images)
        return self._seen.pop(self.parts.head)

    def places(self, images: Tensor) -> tuple[Tensor, ...]:
        """The features that each stage leaves, then those that the last layer sees: each (n, width of its own)."""
        self._every = True
        try:
            head = self(images)
            return (*(self._seen[stage.place] for stage in self.parts.stages), head)
        finally:
            self._every = False
            self._seen.clear()

    def _before_head(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._keep(self.parts.head.path, inputs[0])

    def _after(self, path: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        if self._every:
            self._keep(path, output)

    def _keep(self, path: str, maps: Tensor) -> None:
        self._seen[Place(path, self._turns[path])] = self.reduce(maps)
        self._turns[path] += 1

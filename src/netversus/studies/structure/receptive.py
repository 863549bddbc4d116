"""How much of the image a unit of the last feature map can see, and how much of it matters to the unit.

Both are found by experiment, so that any network can be asked. What a unit *can* see is found with values that are not
numbers: a NaN spreads to everything that is computed from it, whatever the weights. What *matters* is found with
gradients (Luo et al. 2016, "Understanding the effective receptive field in deep convolutional neural networks").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from math import isqrt, sqrt

import torch
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.studies.structure.trace import Trace, main_output

STRIP = 1344  # rows of the shortest strip; the overall strides in use (32, 16, 14, 12, ...) divide it
LONGEST = 4 * STRIP
WIDTHS = (1, 32, 96)  # columns; unpadded layers need more than one
SHIFTS = (1, 2, 3)  # strides by which a field is moved to see that it moves along
LARGEST_SCALE = 0.1  # at which a layer scale starts
TAIL = 1 - 0.9545  # of the peak: where a Gaussian is two standard deviations out, as Luo et al. count the field

_Place = tuple[str, int]
# What networks raise that cannot take an image of this size.
_REFUSALS = (RuntimeError, ValueError, AssertionError, IndexError, TypeError)


@dataclass(frozen=True, slots=True)
class LastMap:
    """The last feature map: the output of the `turn`-th call (from 0) of the module at `path`.

    Where it grows with the image, `axis` is its dimension of rows, `stride` how many pixels lie between two of them,
    and `width` how many columns an image must have; else `stride` is 0.
    """

    path: str
    turn: int
    axis: int = 0
    stride: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A theoretical receptive field: its side in pixels. `more`: it is at least that, and no end was found."""

    pixels: int
    more: bool = False


def find_last_map(model: nn.Module, trace: Trace, crop: int) -> LastMap | None:
    """The last output that grows with the image in one dimension only; for networks that take one size of image, the
    last output that has positions. None where there is neither."""
    shown = _last_with_positions(trace)
    for width in (*WIDTHS, crop):
        short, whole = _outputs(model, _strip(model, STRIP, width))
        long, _ = _outputs(model, _strip(model, 2 * STRIP, width))
        grown = [found for place in short if (found := _grown(place, short, long, width))]
        if grown and (whole or (shown and (grown[-1].path, grown[-1].turn) == (shown.path, shown.turn))):
            return grown[-1]  # a layer that refuses strips must not make the one before it the last
    return shown


def _grown(
    place: _Place, short: Mapping[_Place, torch.Size], long: Mapping[_Place, torch.Size], width: int
) -> LastMap | None:
    one, two = short[place], long.get(place, torch.Size())
    axes = [i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b]
    if len(one) < 3 or len(one) != len(two) or one[0] != 1 or len(axes) != 1:
        return None
    stride, rest = divmod(STRIP, two[axes[0]] - one[axes[0]])
    return LastMap(*place, axis=axes[0], stride=stride if rest == 0 else 0, width=width)


def _last_with_positions(trace: Trace) -> LastMap | None:
    turns: dict[str, int] = {}
    found = None
    for call in trace.calls:
        turns[call.path] = turns.get(call.path, -1) + 1
        if len(call.shape) >= 3 and call.shape[0] == 1 and sum(size > 1 for size in call.shape) >= 2:
            found = LastMap(call.path, turns[call.path])
    return found


def _outputs(model: nn.Module, images: Tensor) -> tuple[Mapping[_Place, torch.Size], bool]:
    """The shapes of all modules' outputs in the order in which they come, and whether the pass went through."""
    shapes: dict[_Place, torch.Size] = {}
    turns: dict[str, int] = {}

    def keep(path: str, _module: nn.Module, _inputs: object, output: object) -> None:
        turns[path] = turns.get(path, -1) + 1
        if (tensor := main_output(output)) is not None:
            shapes[path, turns[path]] = tensor.shape

    with ExitStack() as stack, torch.no_grad():
        for path, module in model.named_modules():
            stack.enter_context(module.register_forward_hook(partial(keep, path)))
        try:
            model(images)
        except torch.OutOfMemoryError:
            raise
        except _REFUSALS:
            return shapes, False
    return shapes, True


class _ReachedError(Exception):
    """The map is there; the rest of the network need not run."""


def _map(model: nn.Module, images: Tensor, last: LastMap) -> Tensor:
    """The last feature map of images.

    Raises:
        CellError: the module that gave it was not called this time.
    """
    kept: list[Tensor] = []
    turns = 0

    def keep(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal turns
        turns += 1
        if turns > last.turn and (tensor := main_output(output)) is not None:
            kept.append(tensor)
            raise _ReachedError

    with model.get_submodule(last.path).register_forward_hook(keep), suppress(_ReachedError):
        model(images)
    if not kept:
        raise CellError(f"the module {last.path!r} gave a map for one image and none for another")
    return kept[0]


@torch.no_grad()
def theoretical_field(model: nn.Module, last: LastMap) -> Field | None:
    """The side of the region that can change a unit of the last map, on an image without borders.

    With all pixels from row `p` on not a number, the first row of the map that is none either is
    ceil((p - high) / stride), where `high` is the furthest pixel that a unit sees, counted from its own; and alike
    from the other side. Where these steps lie gives both ends to the pixel: the recurrence of Araujo et al. 2019,
    "Computing receptive fields of convolutional neural networks", without knowing the layers. None where the fields
    do not move along with their units, as with attention in windows, or the map does not grow with the image.
    """
    if not last.stride:
        return None
    with _every_product_by_itself():
        for length in (STRIP, 2 * STRIP, LONGEST):
            strip = _Strip(model, last, length)
            if strip.holds_a_field():
                low, high = strip.low(), strip.high()
                return Field(high - low + 1) if strip.moves_along(low, high) else None
    return Field(LONGEST, more=True)


@dataclass(frozen=True)
class _Strip:
    """A thin image of `length` rows, on which rows are made not a number."""

    model: nn.Module
    last: LastMap
    length: int

    @property
    def middle(self) -> int:
        """The row around which fields are looked for, far from the borders."""
        return self.length // 2

    def holds_a_field(self) -> bool:
        """Whether the fields around the middle lie within the strip, also when they are moved."""
        first, latest = self.first(self.middle), self.latest(self.middle)
        rows = _map(self.model, _strip(self.model, self.length, self.last.width), self.last).shape[self.last.axis]
        return first is not None and latest is not None and first > 0 and latest + max(SHIFTS) + 1 < rows

    def low(self) -> int:
        """The first pixel that a unit sees, counted from the unit's number times the stride."""
        shift = self._step(self.latest)
        return self.middle + shift - self.last.stride * _known(self.latest(self.middle + shift))

    def high(self) -> int:
        """The last pixel that a unit sees, counted alike."""
        shift = self._step(self.first) - 1
        return self.middle + shift - self.last.stride * _known(self.first(self.middle + shift))

    def moves_along(self, low: int, high: int) -> bool:
        """Whether units further on see the same, further on."""
        stride = self.last.stride
        moved = [self.middle + shift * stride for shift in SHIFTS]
        return all(self.first(p) == -((high - p) // stride) and self.latest(p) == (p - low) // stride for p in moved)

    def first(self, p: int) -> int | None:
        """The first row of the map that sees any pixel from row `p` on."""
        return next(iter(self._reached(slice(p, None))), None)

    def latest(self, p: int) -> int | None:
        """The last row of the map that sees any pixel up to row `p`."""
        return next(reversed(self._reached(slice(0, p + 1))), None)

    def _step(self, place: Callable[[int], int | None]) -> int:
        """The least shift of the middle, from 1 to the stride, that moves a place on."""
        start, low, high = place(self.middle), 0, self.last.stride
        while high - low > 1:
            centre = (low + high) // 2
            low, high = (centre, high) if place(self.middle + centre) == start else (low, centre)
        return high

    def _reached(self, rows: slice) -> list[int]:
        """The rows of the map that depend on the given rows of the strip."""
        strip = _strip(self.model, self.length, self.last.width)
        strip[:, :, rows] = torch.nan
        spread = _map(self.model, strip, self.last).isnan().movedim(self.last.axis, 0).flatten(1).any(dim=1)
        return [int(i) for i in spread.nonzero()]


def _known(place: int | None) -> int:
    assert place is not None  # a strip that holds a field shows it
    return place


def _strip(model: nn.Module, length: int, width: int) -> Tensor:
    """A thin image of zeros, so that nothing in an untrained network grows beyond all numbers."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return torch.zeros(1, 3, length, width, device=device)


@contextmanager
def _every_product_by_itself() -> Iterator[None]:
    """Without the fast transforms (Winograd, Fourier), which mix neighbours and so spread a NaN further than the layer
    does. oneDNN, which torch uses on most processors, is asked for its direct algorithm and may stay."""
    with torch.backends.nnpack.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
        yield


def open_branches(model: nn.Module) -> int:
    """Set to one what an untrained network scales its residual branches with, where it starts at nothing or nearly so.

    Some libraries start the last norm of a branch at zero (Goyal et al. 2017) and some do not, and a layer scale
    starts at 0.1 or far below (Touvron et al. 2021): such a network would seem not to see what its branches see.
    Returns how many were set.
    """
    scales = [p for name, p in model.named_parameters() if _closes(name, p.detach())]
    for scale in scales:
        nn.init.ones_(scale)
    return len(scales)


def _closes(name: str, parameter: Tensor) -> bool:
    if parameter.numel() < 2 or bool(parameter.min() != parameter.max()):
        return False
    value, norm = float(parameter.max()), parameter.ndim == 1 and name.rpartition(".")[2] == "weight"
    return 0 < value <= LARGEST_SCALE or (norm and value == 0)


def effective_field(model: nn.Module, last: LastMap, images: Iterable[Tensor], seed: int) -> float | None:
    """The side in pixels of the square as large as the area that matters to the central unit of the last map.

    For each image, float32 of shape (1, 3, h, w), the gradient of a random direction in the unit's channels is taken
    with respect to the image; a pixel's weight is the root mean square of it over images and colours, and the area is
    where it exceeds 1 - 0.9545 of the peak. None where the map has no known centre or no gradient comes through.
    """
    chance = torch.Generator().manual_seed(seed)
    weight: Tensor | None = None
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, deterministic=True):
        for image in images:
            squares = _gradient(model, last, image, chance)
            if squares is None:
                return None
            weight = squares if weight is None else weight + squares
    if weight is None or not bool(torch.isfinite(weight).all()) or not bool(weight.max() > 0):
        return None
    magnitude = weight.sqrt()
    return sqrt(int((magnitude > TAIL * magnitude.max()).sum()))


def _gradient(model: nn.Module, last: LastMap, image: Tensor, chance: torch.Generator) -> Tensor | None:
    """Squares of the gradient summed over the colours: float64, shape (h, w)."""
    image = image.detach().clone().requires_grad_()
    unit = _central(_map(model, image, last))
    if unit is None or not unit.requires_grad:
        return None
    direction = torch.randn(unit.shape, generator=chance).to(unit)
    (gradient,) = torch.autograd.grad((unit * direction).sum(), image)
    return gradient[0].double().square().sum(dim=0)


def _central(output: Tensor) -> Tensor | None:
    """The channels of the central unit: of (1, c, h, w), of (1, h, w, c), or of (1, tokens, c), where the tokens end
    with a square grid."""
    shape = output.shape
    if output.ndim == 4 and shape[2] == shape[3]:
        return output[0, :, shape[2] // 2, shape[3] // 2]
    if output.ndim == 4 and shape[1] == shape[2]:
        return output[0, shape[1] // 2, shape[2] // 2]
    if output.ndim == 3:
        side = isqrt(shape[1])
        return output[0, shape[1] - side * side + side * (side // 2) + side // 2]
    return None

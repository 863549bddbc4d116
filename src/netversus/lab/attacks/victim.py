"""A contender as its attacker meets it: pixels in [0, 1] to logits, the normalisation inside."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from netversus.errors import CellError, DataError, EngineError
from netversus.lab.engines.folding import fold
from netversus.lab.engines.onednn import pack
from netversus.lab.evaluation import Room, predict
from netversus.records import Preprocessing

CHUNK_PIXELS = 2**15
SMALLEST_CHUNK, LARGEST_CHUNK = 2, 32
_SAME = 1e-3
AVERAGED = 20
"""Passes over which a network that draws random numbers is averaged: AutoAttack's version for such networks."""
Losses = Callable[[Tensor, Tensor], Tensor]
"""(logits (n, classes), labels (n,)) -> a loss for each image, shape (n,)."""


def chunk_for(height: int, width: int) -> int:
    """How many images an attack works on at once: 32 of 32 px, 2 of 224.

    Fewer than `predict` takes: the last images of an attack are few, and what is missing is filled up. (Always the same
    number, so that what is found for an image does not depend on those beside it; see `predict`.)
    """
    fit = CHUNK_PIXELS // (height * width)
    return min(LARGEST_CHUNK, max(SMALLEST_CHUNK, 1 << max(0, fit.bit_length() - 1)))


class Victim:
    """A network in eval mode under attack.

    `exact` answers as the accuracy study lets it answer; only that decides what counts. The search goes through copies
    whose parameters are frozen and in channels-last order, in bfloat16 where that is asked for: `gradient` and `quick`.
    With `folded` their batch norms are folded into the convolutions, and on a CPU `quick` has its activations done by
    them, where torch.export can follow the network and its answers and gradients stay the same. `passes` is 1, or over
    how many the search averages what the copies say (expectation over transformation, Athalye et al. 2018). `room` is
    that of `predict`, for `exact`: an attack works on fewer at once, see `chunk_for`.
    """

    def __init__(
        self,
        model: nn.Module,
        preprocessing: Preprocessing,
        device: torch.device,
        *,
        name: str = "the network",
        folded: bool = False,
        room: Room | None = None,
    ) -> None:
        self.name, self.device, self._room = name, device, room
        self._model = model.eval()
        self._copy = copy.deepcopy(model).eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._mean = torch.tensor(preprocessing.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(preprocessing.std, device=device).view(1, 3, 1, 1)
        self.bfloat16 = False
        self.passes = 1
        self._packed: Callable[[Tensor], Tensor] | None = None
        if folded:
            self._fold(preprocessing.crop)

    def _fold(self, crop: int) -> None:
        """Put faster copies in place, where they are the same function."""
        generator = torch.Generator().manual_seed(0)
        probe = torch.rand(chunk_for(crop, crop), 3, crop, crop, generator=generator).to(self.device)
        probe = self._normalised(probe).contiguous(memory_format=torch.channels_last)
        try:
            graph = fold(self._copy, probe).requires_grad_(False).to(memory_format=torch.channels_last)
            same = _same_function(self._copy, graph, probe)
        except Exception:  # noqa: BLE001  whatever torch.export cannot follow is searched as it is
            return
        if not same:
            return
        self._copy = graph
        if self.device.type == "cpu":
            try:
                self._packed = pack(copy.deepcopy(graph), probe)
            except EngineError:  # oneDNN is not at hand
                self._packed = None

    def _normalised(self, pixels: Tensor) -> Tensor:
        """As `preprocessing.normalise` does it, operation by operation."""
        return pixels.sub(self._mean).div(self._std)

    def exact(self, pixels: Tensor) -> Tensor:
        """Logits in float32 on the CPU, shape (n, classes), of pixels float32 in [0, 1], shape (n, 3, h, w).

        Raises:
            CellError: they are not finite, or of another shape.
        """
        return self._checked(predict(self._model, self._normalised(pixels.to(self.device)), self._room), len(pixels))

    def average_if_random(self, pixels: Tensor, logits: Tensor) -> None:
        """From now on search through the average of many passes where another look at the pixels is not given the same
        logits as the first; else as it is."""
        self.passes = AVERAGED if self.differing(pixels, logits).any() else 1

    def differing(self, pixels: Tensor, logits: Tensor) -> Tensor:
        """Which images are given other logits at another look than they were given before, bool (n,)."""
        differ = (self.exact(pixels) != logits).any(1)
        if not differ.any():
            return differ
        # Where memory ran out since then, fewer are shown at once, and the last digits differ without any chance.
        return (self.exact(pixels) != self.exact(pixels)).any(1)

    @torch.no_grad()
    def quick(self, pixels: Tensor) -> Tensor:
        """Logits in float32 of one chunk, from a copy."""
        return _mean([self._quickly(pixels) for _ in range(self.passes)])

    def _quickly(self, pixels: Tensor) -> Tensor:
        if self._packed is not None and not self.bfloat16:
            inputs = self._normalised(pixels).contiguous(memory_format=torch.channels_last)
            return self._checked(self._packed(inputs), len(pixels))
        return self._checked(self._searched(pixels), len(pixels))

    def gradient(self, pixels: Tensor, labels: Tensor, loss: Losses) -> tuple[Tensor, Tensor, Tensor]:
        """The gradient of each image's loss by its pixels, the logits, and the losses.

        Raises:
            CellError: there is no gradient, or something is not finite.
        """
        seen = [self._gradient(pixels, labels, loss) for _ in range(self.passes)]
        gradients, logits, losses = (_mean(each) for each in zip(*seen, strict=True))
        return gradients, logits, losses

    def _gradient(self, pixels: Tensor, labels: Tensor, loss: Losses) -> tuple[Tensor, Tensor, Tensor]:
        pixels = pixels.detach().requires_grad_(True)
        with torch.enable_grad():
            logits = self._checked(self._searched(pixels), len(pixels))
            losses = loss(logits, labels)
            if not losses.requires_grad:
                raise CellError(
                    f"{self.name} gave no gradient: torch cannot follow how its outputs depend on the image",
                    hint="attack it with square, which needs none",
                )
            (gradient,) = torch.autograd.grad(losses.sum(), pixels, allow_unused=True)
        if gradient is None:
            raise CellError(f"{self.name} gave no gradient: its outputs do not depend on the image")
        if not bool(torch.isfinite(gradient).all()):
            raise CellError(f"{self.name} gave NaN or infinite gradients")
        return gradient, logits.detach(), losses.detach()

    def _searched(self, pixels: Tensor) -> Tensor:
        inputs = self._normalised(pixels).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits: Tensor = self._copy(inputs)
        return logits.float()

    def _checked(self, logits: Tensor, count: int) -> Tensor:
        if logits.ndim != 2 or len(logits) != count:
            raise CellError(f"{self.name} gave outputs of shape {tuple(logits.shape)} for {count} images")
        if not bool(torch.isfinite(logits).all()):
            raise CellError(f"{self.name} gave NaN or infinite outputs")
        return logits


def _mean(values: Sequence[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(list(values)).mean(0)


def _same_function(one: nn.Module, other: nn.Module, inputs: Tensor) -> bool:
    """Whether two networks give the same logits and gradients, up to rounding. A gradient that a network fakes (a
    rounding that passes it on) is lost where it is followed operation by operation, and with it the search."""
    answers, gradients = [], []
    for network in (one, other):
        images = inputs.detach().requires_grad_(True)
        with torch.enable_grad():
            logits = network(images)
            answers.append(logits.detach())
            gradients.append(torch.autograd.grad(logits[:, 0].sum(), images)[0])
    return all(torch.allclose(a, b, rtol=_SAME, atol=_SAME * float(a.abs().max())) for a, b in (answers, gradients))


def check_images(images: Tensor, labels: Tensor) -> None:
    """Refuse images that no attack can work on.

    Raises:
        DataError: they are not float32 in [0, 1] of shape (n, 3, h, w), or there is not one int64 label for each.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.float32:
        raise DataError(
            f"images must be float32 of shape (n, 3, h, w), got {images.dtype} of shape {tuple(images.shape)}"
        )
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        raise DataError(f"labels must be int64 of shape ({len(images)},), got {labels.dtype} {tuple(labels.shape)}")
    if not len(images):
        return
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # said so that NaN is refused too
        raise DataError(
            f"images must be pixels in [0, 1], got {low:.4g} to {high:.4g}",
            hint="hand over the pixels before normalisation: it is part of the victim",
        )


def check_labels(labels: Tensor, classes: int) -> None:
    """Refuse labels that the network has no output for.

    Raises:
        DataError: a label is not in 0..classes-1.
    """
    if len(labels) and (int(labels.min()) < 0 or int(labels.max()) >= classes):
        raise DataError(f"labels must be 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}")

"""Where a network looks: which places of its last maps spoke for the answer that it gave."""

from __future__ import annotations

from io import BytesIO
from math import isqrt

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from netversus.lab.backbone import positions
from netversus.studies.similarity.looks import SIDE
from netversus.studies.similarity.onlooker import Onlooker

GRID = 14  # places a side, on which the attention of two contenders is compared
_DARK = 0.2  # of an image's brightness, where a contender did not look


def attention(onlooker: Onlooker, images: Tensor) -> tuple[Tensor, Tensor]:
    """Where the network looked for its first answer, and its logits (float32, on the CPU).

    Gradient times activation at every place of the last stage with more than one place, summed over the channels, what
    speaks against the answer cut off (HiResCAM: Draelos & Carin 2020; where a mean over all places and one linear layer
    follow, it is Grad-CAM, Selvaraju et al. 2017). Where no stage has places, of the image's own pixels. Each map is
    brought to GRID x GRID places and to a sum of 1; a map of nothing is even. Float64, shape (n, GRID, GRID).

    Args:
        onlooker: made with `reduce=as_they_are`.
        images: float32, shape (n, 3, side, side).
    """
    with torch.enable_grad():
        pixels = images.detach().clone().requires_grad_()
        places, logits = onlooker.look(pixels)
        maps = next((each for each in reversed(places[:-1]) if positions(each.shape) > 1), pixels)
        chosen = logits.gather(1, logits.argmax(1, keepdim=True)).sum()
        (slopes,) = torch.autograd.grad(chosen, maps)
    spoken = _on_a_grid((slopes * maps).detach().float()).clamp(min=0)
    spoken = interpolate(spoken[:, None], (GRID, GRID), mode="bilinear")[:, 0].double().cpu()
    sums = spoken.sum((1, 2), keepdim=True)
    even = torch.full_like(spoken, 1 / GRID**2)
    found = torch.where(sums > 0, spoken / sums.clamp(min=torch.finfo(torch.float64).tiny), even)
    return found, logits.detach().float().cpu()


def _on_a_grid(parts: Tensor) -> Tensor:
    """Summed over the channels: (n, c, h, w), (n, h, w, c) or (n, tokens, c) -> (n, h, w). Of tokens that fill no
    square the first ones (a class token) are no places."""
    if parts.ndim == 4:
        last = parts.shape[2] != parts.shape[3] and parts.shape[1] == parts.shape[2]
        return parts.sum(3 if last else 1)
    side = isqrt(parts.shape[1])
    return parts.sum(2)[:, parts.shape[1] - side**2 :].reshape(-1, side, side)


def shared(one: Tensor, other: Tensor) -> float:
    """How much of two maps (GRID, GRID), each of sum 1, lies in the same places: 0 to 1."""
    return float(torch.minimum(one, other).sum())


def picture(pixels: Tensor, look: Tensor | None = None) -> bytes:
    """An image (uint8, shape (3, h, w)) as a JPEG of SIDE px; with a look, dark where the look is low."""
    small = Image.fromarray(pixels.permute(1, 2, 0).numpy()).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    if look is not None:
        height = (look / look.max()).float()[None, None]
        light = _DARK + (1 - _DARK) * interpolate(height, (SIDE, SIDE), mode="bilinear")[0, 0]
        mask = Image.fromarray(light.mul(255).round().to(torch.uint8).numpy())
        small = Image.composite(small, Image.new("RGB", small.size), mask)
    file = BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()

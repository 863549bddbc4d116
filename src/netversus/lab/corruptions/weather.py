"""Weather and dirt. Images are float32 in [0, 1], shape (3, height, width); results may leave [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate, distance_transform_edt, uniform_filter
from torch import Tensor
from torch.nn.functional import interpolate

from netversus.lab.corruptions.chance import Chance
from netversus.lab.corruptions.filters import gaussian, smeared, zoomed

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV has it
_WATER = (175 / 255, 238 / 255, 238 / 255)
_MUD = (63 / 255, 42 / 255, 20 / 255)
_ICE = (0.80, 0.88, 1.0)
_FARTHEST = 20.0  # pixels from a drop's outline, beyond which all is the same
_EMBOSS = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))
_LEAST_MUD = 0.8
_WIBBLE = 100.0


def snow(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Flakes in the air and a whitened scene.

    Normal noise of mean level[0] and deviation level[1], enlarged by level[2]; what is below level[3] is no flake; the
    rest is blown about with radius level[4] and width level[5]. It falls twice, the second time turned by half a turn.
    Of the scene level[6] stays as it is; the rest is whitened.
    """
    mean, deviation, factor, threshold, radius, sigma, stays = level
    noise = chance.normal(1, *image.shape[-2:]).mul_(deviation).add_(mean)
    flakes = zoomed(noise, factor)
    flakes = flakes.masked_fill(flakes < threshold, 0.0).clamp_(0, 1)
    flakes = smeared(flakes, radius, sigma, chance.number(-135, -45))
    flakes = flakes.mul_(255).round_().div_(255).to(image.device)
    white = torch.maximum(image, _weighted(image, _GREY) * 1.5 + 0.5)
    return torch.lerp(white, image, stays) + flakes + flakes.flip(-1, -2)


def frost(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Ice on the lens: level[0] of the image and level[1] of a picture of ice.

    ImageNet-C takes the ice from six photographs, which do not come with this library. Here it is drawn: ridges of
    random height at five sizes. So this is not ImageNet-C's frost, and stays out of what is compared with its figures.
    """
    return image * level[0] + _ice(image.shape[-2], image.shape[-1], chance).to(image.device).mul_(level[1])


def _ice(height: int, width: int, chance: Chance) -> Tensor:
    """A picture of ice, float32 in [0, 1], shape (3, height, width)."""
    total = torch.zeros(1, 1, height, width)
    for octave, weight in enumerate((1.0, 0.7, 0.5, 0.35, 0.25)):
        grid = chance.uniform(1, 1, 4 * 2**octave + 1, 4 * 2**octave + 1, low=-1.0)
        ridges = 1 - interpolate(grid, size=(height, width), mode="bilinear", align_corners=True).abs()
        total.add_(ridges, alpha=weight)
    total -= total.min()
    return torch.tensor(_ICE).view(3, 1, 1) * total[0].div_(total.max().clamp_min(1e-6)).pow_(0.8)


def fog(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """A plasma fractal of strength level[0] and decay level[1] over the image, darkened until the brightest value is
    what it was."""
    height, width = image.shape[-2:]
    size = 1 << (max(height, width) - 1).bit_length()
    cloud = plasma(chance.uniform(size, size, low=-1.0), level[1])[:height, :width].to(image.device)
    brightest = image.max()
    return image.add(cloud, alpha=level[0]).mul_(brightest / (brightest + level[0]))


def plasma(chances: Tensor, decay: float) -> Tensor:
    """A plasma fractal by the diamond-square algorithm (Fournier, Fussell and Carpenter 1982), edges joined.

    Args:
        chances: uniform in [-1, 1), float32, shape (size, size), size a power of two: the luck of each place.
        decay: by how much the height of a bump falls from one halving to the next; its square counts, as in the
            paper's program.

    Returns:
        float32 in [0, 1], shape (size, size).
    """
    size = len(chances)
    table = torch.zeros_like(chances)
    step, height = size, _WIBBLE
    while step >= 2:
        luck, half = height * height, step // 2
        corners, middles = table[::step, ::step], table[half::step, half::step]
        square = corners + corners.roll(-1, 0)
        middles.copy_((square + square.roll(-1, 1)).div_(4)).add_(chances[half::step, half::step], alpha=luck)
        above = middles + middles.roll(1, 0) + corners + corners.roll(-1, 1)
        table[::step, half::step] = above.div_(4).add_(chances[::step, half::step], alpha=luck)
        beside = middles + middles.roll(1, 1) + corners + corners.roll(-1, 0)
        table[half::step, ::step] = beside.div_(4).add_(chances[half::step, ::step], alpha=luck)
        step, height = half, height / decay
    table -= table.min()
    return table.div_(table.max())


def spatter(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Drops of water or flecks of mud on the lens.

    Where normal noise of mean level[0] and deviation level[1], blurred by level[2] pixels, is above level[3], there is
    a drop. Water (level[5] is 0) shines by level[4]; mud covers, its rim blurred by level[4] pixels.
    """
    mean, deviation, blur, threshold, strength, mud = level
    noise = chance.normal(1, *image.shape[-2:]).mul_(deviation).add_(mean)
    drops = gaussian(noise, blur)
    drops = drops.masked_fill(drops < threshold, 0.0)
    if mud:
        cover = gaussian((drops > threshold).float(), strength)
        cover = cover.masked_fill(cover < _LEAST_MUD, 0.0).to(image.device)
        return torch.lerp(image, _coloured(_MUD, image), cover)
    shine = _shine(drops[0].numpy()) * strength
    return torch.addcmul(image, _coloured(_WATER, image), torch.from_numpy(shine).to(image.device))


def _shine(drops: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much light each pixel of the drops throws back, from 0 to 1; shape (height, width).

    By the distance from the drops' outlines, spread evenly over the grey levels and embossed. The outlines are where
    drops end; the paper's program finds them by Canny's detector, which may differ by a pixel.
    """
    wet = drops > 0
    outline = wet & (correlate(wet.astype(np.int8), np.ones((3, 3), np.int8), mode="mirror") < 9)
    if not outline.any():
        return np.zeros_like(drops)
    distance = np.minimum(distance_transform_edt(~outline), _FARTHEST)
    levels = _equalised(uniform_filter(distance, 3, mode="mirror").astype(np.uint8))
    embossed = correlate(levels.astype(np.int32), np.array(_EMBOSS), mode="mirror").clip(0, 255)
    light = drops * np.rint(uniform_filter(embossed.astype(np.float32), 3, mode="mirror"))
    return np.asarray(light / max(float(light.max()), 1e-6), np.float32)


def _equalised(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels spread so that each is about as frequent as the others; as OpenCV's `equalizeHist`."""
    counts = np.bincount(levels.ravel(), minlength=256)
    first = int(np.flatnonzero(counts)[0])
    rest = levels.size - counts[first]
    if not rest:
        return levels
    counts[: first + 1] = 0
    return np.asarray(np.rint(np.cumsum(counts) * (255 / rest)).astype(np.uint8)[levels])


def _weighted(image: Tensor, weights: Sequence[float]) -> Tensor:
    return (image * torch.tensor(weights, device=image.device).view(3, 1, 1)).sum(dim=0, keepdim=True)


def _coloured(colour: Sequence[float], image: Tensor) -> Tensor:
    return torch.tensor(colour, device=image.device).view(3, 1, 1).expand_as(image)

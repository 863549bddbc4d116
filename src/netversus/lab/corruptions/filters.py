"""What several corruptions are made of: convolutions, smears along a line, zooms, and sampling between pixels.

Images are float32, shape (channels, height, width). A convolution is carried out by Fourier transforms, whose time does
not depend on the width of the kernel.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import ceil, cos, radians, sin

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, pad

TRUNCATE = 4.0  # standard deviations: where scikit-image ends a Gaussian
_FACTORS = (2, 3, 5)  # lengths of these factors are transformed fast


def gaussian(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of `sigma` pixels, the edge's pixels repeated beyond it, as scikit-image's `gaussian` has it."""
    kernel = _gaussian_line(sigma, TRUNCATE)
    return _convolved(image, ("gaussian", sigma), kernel.size // 2, "replicate") if kernel.size > 1 else image


def disk(image: Tensor, radius: float, softness: float) -> Tensor:
    """A lens out of focus: the mean over a disk of `radius` pixels whose rim is softened by a Gaussian of `softness`
    pixels. Beyond the edge the image is mirrored in its edge pixels."""
    return _convolved(image, ("disk", radius, softness), _disk(radius, softness).shape[0] // 2, "reflect")


def _convolved(image: Tensor, kernel: tuple[str, *tuple[float, ...]], reach: int, beyond: str) -> Tensor:
    height, width = image.shape[-2:]
    if not reach:
        return image
    size = (_fast(height + 2 * reach), _fast(width + 2 * reach))
    wide = pad(image, (reach, reach, reach, reach), mode=beyond)
    spectrum = _spectrum(kernel, size, str(image.device))
    whole: Tensor = torch.fft.irfft2(torch.fft.rfft2(wide, s=size).mul_(spectrum), s=size)
    return whole[..., reach : reach + height, reach : reach + width]


@lru_cache(maxsize=64)
def _spectrum(kernel: tuple[str, *tuple[float, ...]], size: tuple[int, int], device: str) -> Tensor:
    """The transform of a symmetric kernel whose middle lies at the origin."""
    name, *numbers = kernel
    if name == "gaussian":
        line = _gaussian_line(numbers[0], TRUNCATE)
        values = np.outer(line, line)
    else:
        values = _disk(numbers[0], numbers[1])
    table = np.zeros(size)
    reach = values.shape[0] // 2
    rows = np.arange(-reach, reach + 1)
    table[np.ix_(rows % size[0], rows % size[1])] = values
    spectrum: Tensor = torch.fft.rfft2(torch.from_numpy(table))
    return spectrum.to(torch.complex64).to(device)


def _fast(length: int) -> int:
    """The least length from `length` on that has no factors but 2, 3 and 5."""
    rest = length
    for factor in _FACTORS:
        while rest % factor == 0:
            rest //= factor
    return length if rest == 1 else _fast(length + 1)


@cache
def _gaussian_line(sigma: float, truncate: float) -> NDArray[np.float64]:
    """SciPy's Gaussian: cut off after `truncate` standard deviations, rounded to whole pixels; sums to 1."""
    reach = int(truncate * sigma + 0.5)
    at = np.arange(-reach, reach + 1)
    line = np.exp(-0.5 / sigma**2 * at**2) if reach else np.ones(1)
    return np.asarray(line / line.sum())


@cache
def _disk(radius: float, softness: float) -> NDArray[np.float64]:
    """The kernel of `disk`, sums to 1, without the zeros around it. The softening sees a window of 17 pixels at the
    least and is cut off after 1 pixel, after 2 where the radius is more than 8: so it stands in the paper's program."""
    wide = radius > 8
    reach, soft = (int(radius), 2) if wide else (8, 1)
    at = np.arange(-reach, reach + 1)
    plain = (at[:, None] ** 2 + at[None, :] ** 2 <= radius**2).astype(np.float64)
    line = np.exp(-0.5 / softness**2 * np.arange(-soft, soft + 1) ** 2)
    line /= line.sum()
    framed = np.pad(plain / plain.sum(), soft, mode="reflect")
    rows = sum(weight * framed[i : i + len(at)] for i, weight in enumerate(line))
    kernel = sum(weight * rows[:, i : i + len(at)] for i, weight in enumerate(line))
    used = reach - int(np.flatnonzero((kernel > 0).any(axis=0))[0])
    return np.asarray(kernel[reach - used : reach + used + 1, reach - used : reach + used + 1])


def smeared(image: Tensor, radius: float, sigma: float, angle: float) -> Tensor:
    """A shake: the image shifted step by step along `angle` (degrees), 2 x radius + 1 times, and averaged with weights
    that fall as one half of a Gaussian of `sigma` steps. The edge's pixels are repeated beyond it; a shift as long as
    the image ends the shake."""
    height, width = image.shape[-2:]
    count = int(radius) * 2 + 1
    weights = np.exp(-0.5 / sigma**2 * np.arange(count) ** 2)
    weights /= weights.sum()
    down = [-ceil(i * sin(radians(angle)) - 0.5) for i in range(count)]
    across = [-ceil(i * cos(radians(angle)) - 0.5) for i in range(count)]
    most = max(*map(abs, down), *map(abs, across), 1)
    wide = pad(image, (most, most, most, most), mode="replicate")
    result = torch.zeros_like(image)
    for weight, dy, dx in zip(weights.tolist(), down, across, strict=True):
        if abs(dy) >= height or abs(dx) >= width:
            break
        top, left = most - dy, most - dx
        result.add_(wide[:, top : top + height, left : left + width], alpha=weight)
    return result


def zoomed(image: Tensor, factor: float) -> Tensor:
    """The middle of the image, enlarged by `factor` to the image's size; bilinear, corner on corner as in SciPy."""
    height, width = image.shape[-2:]
    rows, columns = ceil(height / factor), ceil(width / factor)
    top, left = (height - rows) // 2, (width - columns) // 2
    part = image[None, :, top : top + rows, left : left + columns]
    size = (round(rows * factor), round(columns * factor))
    large = interpolate(part, size=size, mode="bilinear", align_corners=True)[0]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return large[:, top : top + height, left : left + width]


def sampled(image: Tensor, rows: Tensor, columns: Tensor, *, edge_twice: bool) -> Tensor:
    """The image at these places (in pixels, float32, shape (height, width)), bilinear. Beyond the edge it is mirrored:
    with the edge's pixels twice (SciPy's "reflect") or once (OpenCV's REFLECT_101)."""
    height, width = image.shape[-2:]
    if edge_twice:
        grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    else:
        grid = torch.stack([2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1], dim=-1)
    grid = grid[None].to(image)
    return grid_sample(image[None], grid, padding_mode="reflection", align_corners=not edge_twice)[0]


def places(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Each pixel's row and column, float32, shape (height, width)."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return rows.float(), columns.float()


@cache
def mirror_blur(length: int, sigma: float, truncate: float) -> Tensor:
    """The matrix, float32 (length, length), that blurs a line by a Gaussian however wide, mirrored beyond its ends with
    the last pixel twice: SciPy's `gaussian_filter1d` with mode "reflect"."""
    kernel = _gaussian_line(sigma, truncate) if sigma else np.ones(1)
    reach = kernel.size // 2
    matrix = np.zeros((length, length))
    for step, weight in zip(range(-reach, reach + 1), kernel, strict=True):
        at = (np.arange(length) + step) % (2 * length)
        np.add.at(matrix, (np.arange(length), np.minimum(at, 2 * length - 1 - at)), weight)
    return torch.from_numpy(matrix).float()

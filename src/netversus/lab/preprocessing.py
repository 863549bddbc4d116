"""From a decoded image to what a contender sees, bit for bit as torchvision and timm do it in their evaluations.

The work is split where nothing is lost: resize and crop on 8-bit pixels, image by image; normalisation in float32,
batch by batch.
"""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from netversus.records import Preprocessing

_INTERPOLATIONS = {
    "nearest": InterpolationMode.NEAREST,
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
}


def to_uint8(image: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """Resize the shorter side (both, to squash) and crop the centre: uint8, shape (3, crop, crop).

    Without a `resize` the image is expected at the crop's size; one of another size has its shorter side resized
    to it.
    """
    side = preprocessing.resize
    if side is None and image.size != (preprocessing.crop, preprocessing.crop):
        side = preprocessing.crop
    if side is not None:
        mode = _INTERPOLATIONS[preprocessing.interpolation]
        size = [side, side] if preprocessing.squash else [side]
        image = transforms.resize(image, size, interpolation=mode, antialias=preprocessing.antialias)
    image = transforms.center_crop(image, [preprocessing.crop])
    pixels: Tensor = transforms.pil_to_tensor(image)
    return pixels


def normalise(batch: Tensor, preprocessing: Preprocessing) -> Tensor:
    """A uint8 batch, shape (n, 3, h, w), as float32 in [0, 1], less the mean, over the standard deviation."""
    mean = torch.tensor(preprocessing.mean, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std, device=batch.device).view(1, 3, 1, 1)
    return (batch.to(torch.float32) / 255).sub_(mean).div_(std)

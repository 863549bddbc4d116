"""Light, colour and coding. Images are float32 in [0, 1], shape (3, height, width); results may leave [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from netversus.lab.corruptions.chance import Chance
from netversus.lab.corruptions.filters import mirror_blur, places, sampled

_TRUNCATE = 3.0  # standard deviations: where the elastic field's Gaussian ends
_TINY = 1e-12


def contrast(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """Each channel drawn towards its mean: level[0] of the distance is left."""
    return torch.lerp(image.mean(dim=(1, 2), keepdim=True), image, level[0])


def brightness(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """The value of HSV raised by level[0]; hue and saturation stay, so that the channels keep their proportions."""
    value = image.amax(dim=0, keepdim=True)
    raised = (value + level[0]).clamp_(max=1)
    return torch.where(value > 0, image * (raised / value.clamp_min(_TINY)), raised)


def saturate(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """The saturation of HSV times level[0], plus level[1]; grey has no hue and turns reddish, as hue 0 is red."""
    value = image.amax(dim=0, keepdim=True)
    spread = value - image.amin(dim=0, keepdim=True)
    saturation = spread / value.clamp_min(_TINY)
    wanted = (saturation * level[0] + level[1]).clamp_(0, 1)
    coloured = value - (value - image) * (wanted / saturation.clamp_min(_TINY))
    if not level[1]:
        return coloured
    reddish = value * torch.cat([torch.ones_like(wanted), 1 - wanted, 1 - wanted])
    return torch.where(spread > 0, coloured, reddish)


def jpeg_compression(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """Stored as a JPEG of quality level[0] and read back."""
    file = BytesIO()
    _picture(image).save(file, "JPEG", quality=int(level[0]))
    with Image.open(file) as read:
        return _tensor(read, image)


def pixelate(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """Made smaller to level[0] of its sides, each pixel the mean of an area, and enlarged again as squares."""
    picture = _picture(image)
    width, height = picture.size
    small = picture.resize((int(width * level[0]), int(height * level[0])), Image.Resampling.BOX)
    return _tensor(small.resize((width, height), Image.Resampling.BOX), image)


def elastic_transform(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Three points of the image moved by up to level[2] pixels, all others with them, in a straight way; then every
    pixel moved by smooth noise: level[0] times uniform noise blurred by level[1] pixels (Simard et al. 2003)."""
    strength, sigma, reach = level
    height, width = image.shape[-2:]
    corners = _corners(height, width)
    moved = corners + chance.uniform(3, 2, low=-reach, high=reach)
    rows, columns = places(height, width)
    # Where each pixel comes from: the affine map that takes the moved points back.
    back = torch.linalg.solve(torch.cat([moved, torch.ones(3, 1)], dim=1).double(), corners.double()).float()
    across = columns * back[0, 0] + rows * back[1, 0] + back[2, 0]
    down = columns * back[0, 1] + rows * back[1, 1] + back[2, 1]
    image = sampled(image, down, across, edge_twice=False)
    if not strength:
        return image
    steps = chance.uniform(2, height, width, low=-1.0)
    steps = mirror_blur(height, sigma, _TRUNCATE) @ steps @ mirror_blur(width, sigma, _TRUNCATE).T
    steps *= strength
    return sampled(image, rows + steps[1], columns + steps[0], edge_twice=True)


def _corners(height: int, width: int) -> Tensor:
    """Three corners of a square in the middle, float32, shape (3, 2); in the paper's program the first coordinate is
    counted in rows where it is made and taken for columns where it is used, which is one thing for square images."""
    middle, reach = (height // 2, width // 2), min(height, width) // 3
    signs = ((1, 1), (1, -1), (-1, -1))
    return torch.tensor([[middle[0] + a * reach, middle[1] + b * reach] for a, b in signs], dtype=torch.float32)


def _picture(image: Tensor) -> Image.Image:
    return Image.fromarray(image.mul(255).round_().byte().permute(1, 2, 0).contiguous().cpu().numpy())


def _tensor(picture: Image.Image, like: Tensor) -> Tensor:
    height, width = picture.size[1], picture.size[0]
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(height, width, 3)
    return values.permute(2, 0, 1).to(like.device).float().div_(255)

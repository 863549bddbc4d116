"""Our preprocessing beside torchvision's and timm's own, on the same images: equal to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from netversus.lab.preprocessing import normalise, to_uint8
from netversus.records import Preprocessing

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng([width, height]).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def ours(image: Image.Image, preprocessing: Preprocessing) -> torch.Tensor:
    return normalise(to_uint8(image, preprocessing)[None], preprocessing)[0]


SIZES = [(500, 400), (333, 517), (257, 256), (231, 900), (60, 40)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("weights", "resize", "crop"), [("IMAGENET1K_V1", 256, 224), ("IMAGENET1K_V2", 232, 224)])
def test_equal_to_torchvision(size: tuple[int, int], weights: str, resize: int, crop: int):
    from torchvision.models import ResNet50_Weights

    theirs = ResNet50_Weights[weights].transforms()(picture(*size))
    assert torch.equal(ours(picture(*size), Preprocessing(crop=crop, resize=resize, **IMAGENET)), theirs)


@pytest.mark.parametrize("size", SIZES[:4])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_equal_to_timm(size: tuple[int, int], interpolation: str):
    from timm.data import create_transform

    theirs = create_transform(
        (3, 224, 224), is_training=False, interpolation=interpolation, crop_pct=0.95, normalize=True, **IMAGENET
    )(picture(*size))
    preprocessing = Preprocessing(crop=224, resize=int(224 / 0.95), interpolation=interpolation, **IMAGENET)
    assert torch.equal(ours(picture(*size), preprocessing), theirs)


def test_an_image_of_the_crops_size_is_left_alone():
    image = picture(32, 32)
    pixels = to_uint8(image, Preprocessing(crop=32, resize=None))
    assert torch.equal(pixels, torch.from_numpy(np.array(image)).permute(2, 0, 1))


def test_an_image_of_another_size_is_brought_to_the_crop():
    assert to_uint8(picture(64, 48), Preprocessing(crop=32, resize=None)).shape == (3, 32, 32)


def test_a_batch_is_normalised_as_its_images_are():
    preprocessing = Preprocessing(crop=32, resize=None, **IMAGENET)
    pixels = [to_uint8(picture(32 + i, 32), preprocessing) for i in range(3)]
    together = normalise(torch.stack(pixels), preprocessing)
    assert torch.equal(together[1], normalise(pixels[1][None], preprocessing)[0])

"""Augmentation of a batch, drawn from the global generators that `randomness.seeded` has set for the step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from timm.data import Mixup
from timm.data.auto_augment import rand_augment_transform
from timm.data.random_erasing import RandomErasing
from torch import Tensor, nn
from torchvision.transforms import functional as to_pil
from torchvision.transforms import v2 as transforms

from netversus.lab.training.recipe import Recipe
from netversus.records import Preprocessing

Each = Callable[[Tensor], Tensor]
"""One image to one image: uint8, shape (3, h, w)."""


class Augment:
    """A recipe's augmentation: of 8-bit pixels before they are normalised, and of the normalised batch.

    Shifts by up to an eighth of the side with the edges repeated, flips, random resized crops (Szegedy et al. 2015),
    RandAugment (Cubuk et al. 2020, timm's), TrivialAugment (Mueller and Hutter 2021, torchvision's), random erasing
    (Zhong et al. 2020), mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), one of the two for each batch (timm's).
    """

    def __init__(self, recipe: Recipe, preprocessing: Preprocessing, classes: int) -> None:
        self._kind = recipe.augment
        self._each = _each(recipe, preprocessing)
        self._erase = recipe.erasing
        self._mix = _mix(recipe, classes)

    def pixels(self, batch: Tensor, rng: np.random.Generator) -> Tensor:
        """A batch of uint8, shape (n, 3, h, w), augmented; the one that was given is left alone."""
        if self._kind in ("shift", "shift-flip"):
            batch = shifted(batch, rng, flip=self._kind == "shift-flip")
        if self._each is not None:
            batch = torch.stack([self._each(image) for image in batch])
        return batch

    def floats(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """A normalised batch, written over, and its labels, int64 (n,), or shares (n, classes) where it is mixed."""
        if self._erase:
            inputs = RandomErasing(self._erase, mode="const", device=inputs.device)(inputs)
        if self._mix is not None:
            inputs, labels = self._mix(inputs, labels)
        return inputs, labels


def shifted(batch: Tensor, rng: np.random.Generator, *, flip: bool) -> Tensor:
    """Every image shifted by its own few pixels, edges repeated, and with `flip` half of them mirrored."""
    reach = max(1, batch.shape[-1] // 8)
    padded = nn.functional.pad(batch.float(), (reach,) * 4, mode="replicate").to(torch.uint8)
    top, left = (torch.from_numpy(d).to(batch.device) for d in rng.integers(0, 2 * reach + 1, size=(2, len(batch))))
    rows = top[:, None] + torch.arange(batch.shape[-2], device=batch.device)
    columns = left[:, None] + torch.arange(batch.shape[-1], device=batch.device)
    each = torch.arange(len(batch), device=batch.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if flip:
        mirrored = torch.from_numpy(rng.random(len(batch)) < 0.5).to(batch.device)
        moved = torch.where(mirrored[:, None, None, None], moved.flip(-1), moved)
    return moved.contiguous()


def _each(recipe: Recipe, preprocessing: Preprocessing) -> Each | None:
    """What is drawn for each image alone, or None where there is nothing."""
    steps: list[Each] = []
    if recipe.augment == "crop-flip":
        side = [preprocessing.crop, preprocessing.crop]
        steps += [transforms.RandomResizedCrop(side, antialias=True), transforms.RandomHorizontalFlip()]
    if recipe.auto_augment == "ta_wide":
        steps.append(transforms.TrivialAugmentWide())
    elif recipe.auto_augment:
        steps.append(_rand_augment(recipe.auto_augment, preprocessing))
    return transforms.Compose(steps) if steps else None


def _rand_augment(policy: str, preprocessing: Preprocessing) -> Each:
    """Timm's RandAugment, which works on Pillow's images; what it uncovers has the data's mean colour."""
    colour = tuple(min(255, round(255 * mean)) for mean in preprocessing.mean)
    sides = {"translate_const": int(preprocessing.crop * 0.45), "img_mean": colour}
    transform = rand_augment_transform(policy, sides)
    return lambda image: to_pil.pil_to_tensor(transform(to_pil.to_pil_image(image)))


def _mix(recipe: Recipe, classes: int) -> Mixup | None:
    if not (recipe.mixup or recipe.cutmix):
        return None
    return Mixup(
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        label_smoothing=recipe.label_smoothing,
        num_classes=classes,
    )

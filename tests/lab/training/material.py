"""A network with everything that a resume could get wrong, and a few small images in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.lab.training.job import Job
from netversus.lab.training.recipe import Recipe, make_recipe
from netversus.lab.training.trainee import Trainee
from netversus.records import ContenderCard, DataCard, Preprocessing

SIDE, CLASSES, IMAGES = 16, 4, 40
PREPROCESSING = Preprocessing(crop=SIDE, resize=None)
CPU = torch.device("cpu")

EVERYTHING: dict[str, Any] = {
    "batch": 8,
    "epochs": 3,
    "augment": "shift-flip",
    "mixup": 0.4,
    "cutmix": 1.0,
    "erasing": 0.3,
    "ema": 0.9,
    "first_size": 0.5,
    "clip": 1.0,
}
"""A recipe with all that draws random numbers or keeps a state of its own: 15 steps, 5 an epoch."""


def network(seed: int = 0, classes: int = CLASSES) -> nn.Module:
    """Batch norm, whose statistics are a state, and dropout, which draws."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, classes),
        )


class Memory(ImageSet):
    """Images in memory: each class has a colour, each image its own noise."""

    def __init__(self, name: str, labels: list[int]) -> None:
        self.ids = tuple(f"{name}/{i:04d}" for i in range(len(labels)))
        self.labels = np.array(labels, dtype=np.int64)
        self.factors = {}
        rng = np.random.default_rng(len(labels))
        colours = np.random.default_rng(0).integers(0, 256, (64, 3))
        noise = rng.integers(-60, 60, (len(labels), SIDE, SIDE, 3))
        self._pixels = np.clip(colours[self.labels][:, None, None] + noise, 0, 255).astype(np.uint8)

    def image(self, index: int) -> Image.Image:
        return Image.fromarray(self._pixels[index])


def dataset(train: list[int] | None = None, classes: int = CLASSES) -> Dataset:
    """Twelve images to test, and those labels to train."""
    splits = {
        "train": Memory("train", [i % classes for i in range(IMAGES)] if train is None else train),
        "test": Memory("test", [i % classes for i in range(12)]),
    }
    names = tuple(f"class {i}" for i in range(classes))
    counts = {name: len(images) for name, images in splits.items()}
    return Dataset(DataCard("memory", "memory", "digest of memory", names, counts, SIDE), splits)


def images_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
    """The train split as the loop takes it."""
    from netversus.lab.training.judge import pixels

    train = dataset().split("train")
    return pixels(train, PREPROCESSING), torch.from_numpy(train.labels)


def card(**changes: Any) -> ContenderCard:
    """What passes for a torchvision network."""
    values: dict[str, Any] = {
        "name": "resnet18",
        "spec": "resnet18",
        "source": "torchvision",
        "architecture": "resnet18",
        "weights": "scratch",
        "recipe": "scratch",
        "head": "data",
        "digest": "digest of a network",
        "preprocessing": PREPROCESSING,
    }
    return ContenderCard(**(values | changes))


def recipe(**changes: Any) -> Recipe:
    return make_recipe(EVERYTHING | changes)


def trainee(settings: Recipe | None = None, *, steps: int = 15, seed: int = 3, **changes: Any) -> Trainee:
    values: dict[str, Any] = {
        "name": "net",
        "model": network(),
        "preprocessing": PREPROCESSING,
        "recipe": settings or recipe(),
        "seed": seed,
        "steps": steps,
        "device": CPU,
        "classes": CLASSES,
    }
    return Trainee(**(values | changes))


def job(folder: Path, **changes: Any) -> Job:
    values: dict[str, Any] = {"card": card(), "data": dataset(), "recipe": recipe(), "seed": 3, "folder": folder}
    return Job(**(values | changes))

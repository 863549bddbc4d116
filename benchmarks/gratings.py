"""Pictures and networks that the benchmarks of inference share.

Published weights and data need a connection; these are made here: JPEGs of about 500 x 400 whose class is the angle of
a grating among clouds, and torchvision's ResNets trained to tell it. A picture's angle spreads beyond the borders of
its class, so that nobody is always right and answers can be close, as they are on real images: an engine that only
blurs the logits then changes some of them.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision.models import get_model

CLASSES = 16
NETWORKS = ("resnet50", "resnet101")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SPREAD = 0.3  # of a picture's angle, as a share of what a class spans: one in ten lies beyond its class
TRAINED = range(10_000, 10_896)  # numbers of the pictures for training; those that are judged are others
SHORT, SHOWN, TRAINED_AT = 256, 224, 96  # px: the resized short side, what a network sees, the crops for training
STEPS, BATCH = 200, 16
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.05


def make_images(folder: Path, numbers: range) -> None:
    """Write pictures of these numbers below `folder`/val, quality 90, a folder for each class."""
    for number in numbers:
        path = folder / "val" / f"class-{label(number):02d}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path, quality=90)


def label(number: int) -> int:
    """The class of a picture."""
    return number % CLASSES


def picture(number: int) -> Image.Image:
    """Clouds of several sizes, a grating whose angle tells the class, and noise; the same number, the same picture."""
    rng = np.random.default_rng([7, number])
    width, height = int(rng.integers(420, 581)), int(rng.integers(330, 471))
    clouds = np.zeros((height, width, 3), np.float32)
    for cells in (4, 12, 40, 120):
        grid = rng.integers(0, 256, (cells * height // width + 1, cells, 3), dtype=np.uint8)
        cloud = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        clouds += np.asarray(cloud, dtype=np.float32) / cells**0.3
    clouds = (clouds - clouds.min()) / (clouds.max() - clouds.min()) * 255
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = np.pi * (label(number) + SPREAD * rng.standard_normal()) / CLASSES
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 0.25 + rng.uniform(0, 2 * np.pi))
    noise = rng.standard_normal(clouds.shape, dtype=np.float32)
    return Image.fromarray((clouds + 80 * wave[:, :, None] + 8 * noise).clip(0, 255).astype(np.uint8))


def make_weights(folder: Path) -> None:
    """Train every network, and write `folder`/NAME.safetensors where that is not there: six minutes on two cores."""
    missing = [name for name in NETWORKS if not (folder / f"{name}.safetensors").exists()]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        pictures = torch.from_numpy(np.stack(list(pool.map(_square, TRAINED)))).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor([label(number) for number in TRAINED])
    for name in missing:
        begin = time.perf_counter()
        network = _trained(name, pictures, labels)
        safetensors.torch.save_file(network.state_dict(), folder / f"{name}.safetensors")
        print(f"{name} trained in {time.perf_counter() - begin:.0f} s", flush=True)


def _square(number: int) -> NDArray[np.uint8]:
    """The centre of a picture whose short side is resized."""
    image = picture(number)
    scale = SHORT / min(image.size)
    width, height = (round(scale * side) for side in image.size)
    left, top = (width - SHORT) // 2, (height - SHORT) // 2
    return np.asarray(image.resize((width, height)).crop((left, top, left + SHORT, top + SHORT)))


def _trained(name: str, pictures: Tensor, labels: Tensor) -> nn.Module:
    """A network after `STEPS` steps of AdamW in one cycle. Crops are small, for time; no flips, which turn angles."""
    torch.manual_seed(0)
    network: nn.Module = get_model(name, weights=None, num_classes=CLASSES).to(memory_format=torch.channels_last)
    for module in network.modules():
        if hasattr(module, "bn3"):
            nn.init.zeros_(module.bn3.weight)  # Goyal et al. 2017
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(pictures), (BATCH,))
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(network(_crops(pictures[chosen], TRAINED_AT)), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    _settle(network, pictures)
    return network.to(memory_format=torch.contiguous_format).eval()


@torch.no_grad()
def _settle(network: nn.Module, pictures: Tensor) -> None:
    """Give the batch norms the statistics of pictures of the size that will be shown."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean over what is shown
    for part in _crops(pictures[:128], SHOWN).split(32):
        network(part)


def _crops(pictures: Tensor, side: int) -> Tensor:
    """A random square of each picture, normalised."""
    places = torch.randint(SHORT - side + 1, (len(pictures), 2)).tolist()
    cut = torch.stack([one[:, y : y + side, x : x + side] for one, (y, x) in zip(pictures, places, strict=True)])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return ((cut / 255 - mean) / std).contiguous(memory_format=torch.channels_last)

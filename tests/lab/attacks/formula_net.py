"""A network and images that are the same on every machine: written down as formulas, without a generator or training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIDE, CLASSES, IMAGES = 16, 10, 24


def wave(*shape: int, start: float = 0.0) -> Tensor:
    """Numbers in [-1, 1] without a pattern that a network could be blind to."""
    count = int(torch.tensor(shape).prod())
    places = torch.arange(count, dtype=torch.float64) + start
    return torch.sin(places * 12.9898 + torch.cos(places * 0.7)).float().view(*shape)


def formula_net() -> nn.Module:
    """Two convolutions and a linear layer, on pixels in [0, 1]."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * (SIDE // 4) ** 2, CLASSES),
    )
    for number, parameter in enumerate(net.parameters()):
        fan = parameter[0].numel()
        parameter.data = wave(*parameter.shape, start=1000.0 * number) * (2 / fan) ** 0.5
    with torch.no_grad():
        net[-1].bias -= net(formula_images()).mean(0)  # else one class is the answer to everything
    return net.eval()


def formula_images() -> Tensor:
    """Float32 in [0, 1], shape (IMAGES, 3, SIDE, SIDE)."""
    across, down, phase = (wave(IMAGES, 3, 1, 1, start=start) for start in (11.0, 97.0, 411.0))
    steps = torch.arange(SIDE) / SIDE * 6
    stripes = torch.sin(across * steps.view(1, 1, 1, -1) + down * steps.view(1, 1, -1, 1) + 3 * phase)
    return 0.5 + 0.35 * stripes + 0.1 * wave(IMAGES, 3, SIDE, SIDE, start=7.0)

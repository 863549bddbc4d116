"""Networks small enough to be prepared by every engine, with batch norms that do something."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

CPU = torch.device("cpu")


def enliven(model: nn.Module, seed: int = 0) -> nn.Module:
    """Batch norms as training leaves them, instead of the identity that they start as."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, mean, spread in (
                (module.running_mean, 0.0, 0.2),
                (module.running_var, 1.0, 0.3),
                (module.weight, 1.0, 0.3),
                (module.bias, 0.0, 0.2),
            ):
                if tensor is not None:
                    noise = torch.empty(tensor.shape).uniform_(-1, 1, generator=generator)
                    tensor.data.copy_(mean + spread * noise)
    return model


def make_resnet(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return enliven(resnet18(num_classes=10), seed).eval()


def fp32(model: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return model(images)


def off(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest expected number."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.fixture
def resnet() -> nn.Module:
    return make_resnet()


@pytest.fixture(scope="session")
def images() -> Tensor:
    return torch.randn(40, 3, 32, 32, generator=torch.Generator().manual_seed(7))


@pytest.fixture
def network() -> Callable[..., nn.Module]:
    """A network from a function of a bag of layers: `network(lambda m, x: ..., conv=nn.Conv2d(...))`."""

    class Network(nn.Module):
        def __init__(self, run: Callable[[nn.Module, Tensor], Tensor], **layers: nn.Module) -> None:
            super().__init__()
            self.run = run
            for name, layer in layers.items():
                self.add_module(name, layer)

        def forward(self, images: Tensor) -> Tensor:
            return self.run(self, images)

    def make(run: Callable[[nn.Module, Tensor], Tensor], **layers: nn.Module) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            for layer in layers.values():
                for module in layer.modules():
                    if hasattr(module, "reset_parameters"):
                        module.reset_parameters()
        return enliven(Network(run, **layers)).eval()

    return make

"""Convolutions that are matrix products, computed as such: what training on a CPU gains most from.

A 1x1 convolution is a product of every place's channels with the weights; and one of any size on a map of one place
sees nothing of its kernel but the centre, the rest lies on the padding. oneDNN's backward pass of a convolution is far
from a product's speed on the small maps that small images leave (benchmarks/training_step.py has the numbers).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

LARGEST = 32 * 32  # places of a map; on larger ones a convolution is as fast


class Pointwise(nn.Conv2d):
    """A 1x1 convolution without padding or groups, as a product where the map is small. Its weights are a Conv2d's."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Images' maps, float (n, c, h, w), to theirs."""
        if inputs.shape[-2] * inputs.shape[-1] > LARGEST:
            return super().forward(inputs)
        seen = inputs[:, :, :: self.stride[0], :: self.stride[1]].permute(0, 2, 3, 1)
        return functional.linear(seen, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class Centred(nn.Conv2d):
    """A convolution of odd size that keeps the size of a map, as a product of its centre where the map is one place."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Images' maps, float (n, c, h, w), to theirs."""
        if inputs.shape[-2:] != (1, 1):
            return super().forward(inputs)
        rows, columns = self.kernel_size
        centre = self.weight[:, :, rows // 2, columns // 2]
        return functional.linear(inputs.flatten(1), centre, self.bias)[:, :, None, None]


def as_products(model: nn.Module) -> int:
    """Let a network's convolutions be computed as products where they are some. Parameters, buffers, their names and
    hooks stay; the numbers differ by rounding, and a dropout behind one draws its mask in another order, because what
    comes out has its channels last. Returns how many there are."""
    changed = 0
    for module in model.modules():
        if type(module) is nn.Conv2d and (kind := _kind(module)) is not None:
            module.__class__ = kind
            changed += 1
    return changed


def _kind(layer: nn.Conv2d) -> type[nn.Conv2d] | None:
    if layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return None
    if layer.kernel_size == (1, 1):
        return Pointwise if layer.padding == (0, 0) else None
    sizes = zip(layer.kernel_size, layer.padding, layer.dilation, strict=True)
    return Centred if all(k % 2 and p == d * (k // 2) for k, p, d in sizes) else None

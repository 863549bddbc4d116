"""Where training starts."""

from __future__ import annotations

from torch import nn


def start_as_identity(model: nn.Module) -> int:
    """Set the last batch norm of each residual block to zero, so that a deep network begins as a shallow one.

    Source: Goyal et al. 2017, section 5.1. timm's ResNets begin so by default, torchvision's do not: to train them
    under one recipe, both must. Returns how many blocks were set; a network without such blocks is left alone.
    """
    lasts = [scale for module in model.modules() if (scale := _last_scale(module)) is not None]
    for scale in lasts:
        nn.init.zeros_(scale)
    return len(lasts)


def _last_scale(module: nn.Module) -> nn.Parameter | None:
    """The weight of the batch norm that ends a residual block, as torchvision and timm name their parts, or None."""
    if not hasattr(module, "downsample"):
        return None
    scale = getattr(getattr(module, "bn3", getattr(module, "bn2", None)), "weight", None)
    return scale if isinstance(scale, nn.Parameter) else None

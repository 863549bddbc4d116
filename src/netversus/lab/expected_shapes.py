"""The shapes that an architecture's weights have, without making any: it is built on torch's meta device."""

from __future__ import annotations

import torch

from netversus.lab.contenders.resolve import architecture_of
from netversus.lab.contenders.spec import ContenderSpec


def expected_shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every entry of the state dict of `resnet50` or `timm:resnet50`.

    Raises:
        SpecError: neither torchvision nor timm has it; the hint names the nearest.
    """
    library, name = architecture_of(ContenderSpec("file", "", settings={"arch": architecture}))
    with torch.device("meta"):
        if library == "timm":
            import timm

            model = timm.create_model(name, pretrained=False)
        else:
            from torchvision.models import get_model

            model = get_model(name, weights=None)
    return {each: tuple(tensor.shape) for each, tensor in model.state_dict().items()}

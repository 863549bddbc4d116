"""What this machine's arithmetic allows, so that a goal that it cannot reach is told from one that we miss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model

from netversus.lab.timing.stopwatch import Stopwatch
from netversus.studies.scaling.machine import measure_machine


def peaks() -> Mapping[str, float]:
    """Operations a second in a large matrix product, by precision: the best of a few, now."""
    watch = Stopwatch(torch.device("cpu"))
    return {**measure_machine(watch).peaks, "int8": _peak_in_8_bits(watch)}


def _peak_in_8_bits(watch: Stopwatch, side: int = 2048) -> float:
    """By oneDNN, as torch calls it for a quantised linear layer: bytes go in, 32 bits are summed, bytes come out."""
    ops = torch.ops.onednn
    a = torch.randint(0, 256, (side, side), dtype=torch.uint8)
    weights = ops.qlinear_prepack(torch.randint(-127, 128, (side, side), dtype=torch.int8), [side, side])
    one, zero = torch.tensor(1.0), torch.tensor(0)
    scales, zeros = torch.ones(side), torch.zeros(side, dtype=torch.int64)
    output = (1e4, 128, torch.uint8)  # its scale, zero and type

    def product() -> object:
        return ops.qlinear_pointwise(a, one, zero, weights, scales, zeros, None, *output, "none", [], "")

    product()
    return 2.0 * side**3 / min(watch.seconds(product) for _ in range(10))


def operations(name: str, size: int = 224) -> int:
    """Of one image through a network, a multiply-add being two; the head has 1,000 classes."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        get_model(name, weights=None).eval()(torch.empty(1, 3, size, size))
    return int(counter.get_total_flops())

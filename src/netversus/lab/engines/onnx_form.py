"""A network as an ONNX graph, in fp32 and in 8 bits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.lab.engines.engine import load_package
from netversus.lab.engines.quiet import mute, quiet

OPSET = 17
CALIBRATION_BATCH = 8


@torch.enable_grad()  # else torch's attention takes a short cut that has no form in ONNX
def export(model: nn.Module, example: Tensor) -> bytes:
    """An ONNX graph from "images" (n, 3, h, w) to "logits" (n, classes), in the network's dtype, n left open.

    By torch's tracing exporter: next to the one by torch.export it was 3 to 8 times quicker on ResNets, gave the same
    graph with batch norms folded, and needs no further package. It records one path through the network's code without
    a word about others; so use it on networks that torch.export can follow, which have no others.
    """
    with tempfile.TemporaryDirectory() as folder, mute():
        file = Path(folder) / "graph.onnx"
        torch.onnx.export(
            model,
            (example[:2],),
            file,
            dynamo=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "n"}, "logits": {0: "n"}},
            opset_version=OPSET,
        )
        return file.read_bytes()


def quantise(graph: bytes, images: Tensor) -> bytes:
    """The graph with 8-bit weights (signed, one scale a channel) and activations (unsigned), statically.

    The ranges of the activations are the least and largest values seen on `images`, float32, shape (n, 3, h, w). The
    format is QDQ, which OpenVINO reads too. Unsigned by signed 8-bit products saturate on x86 without VNNI; there
    the weights get 7 bits, as ONNX Runtime advises.

    Raises:
        EngineError: ONNX Runtime cannot be loaded.
    """
    quantization = load_package("onnxruntime.quantization", "8-bit quantisation")
    with tempfile.TemporaryDirectory() as folder, quiet():
        before, after = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(graph)
        quantization.quantize_static(
            before,
            after,
            _Calibration(images),
            per_channel=True,
            reduce_range=_saturates(),
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return after.read_bytes()


class _Calibration:
    """The images, a few at a time, as ONNX Runtime's calibration reads them: a dict, and None at the end."""

    def __init__(self, images: Tensor) -> None:
        self._batches: Iterator[Tensor] = iter(torch.split(images.detach().float().cpu(), CALIBRATION_BATCH))

    def get_next(self) -> Mapping[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch.numpy()}


def _saturates() -> bool:
    """Whether this CPU may saturate 8-bit products in 16 bits: x86 without VNNI, or not known."""
    can: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return can.get("architecture", "x86_64") == "x86_64" and not (can.get("avx512_vnni") or can.get("avx_vnni"))

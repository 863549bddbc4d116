"""OpenVINO on the CPU, in fp32, bf16 and 8 bits.

The graph in 8 bits is the one that ONNX Runtime quantises: on ResNet-50 it ran as fast as one by NNCF (11.6 and 11.4
ms an image), and needs no further package.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from netversus.errors import EngineError
from netversus.lab.engines.engine import CPU, Engine, load_package

if TYPE_CHECKING:
    from torch import Tensor

    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source, *, precision: Literal["fp32", "bf16", "int8"]) -> Ready:
    import torch

    from netversus.lab.engines.prepared import Ready

    openvino = load_package("openvino", "the engine openvino")
    graph = source.quantised_onnx() if precision == "int8" else source.onnx()
    compiled = _compile(openvino, graph, "bf16" if precision == "bf16" else "f32", torch.get_num_threads())
    request = compiled.create_infer_request()

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(request.infer({0: images.numpy()}, share_inputs=True)[0])

    return Ready(run)


def _compile(openvino: Any, graph: bytes, hint: str, threads: int) -> Any:
    """The graph compiled for the CPU in the precision that was asked for: left alone, OpenVINO takes bf16 where a CPU
    has it and fp32 where it has not, and says neither."""
    core = openvino.Core()
    if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise EngineError("OpenVINO has no bf16 on this CPU")
    settings = {
        "INFERENCE_PRECISION_HINT": hint,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,  # engines compete as equals
        "ENABLE_CPU_PINNING": False,  # a thread that is tied to a core waits for whoever else is on it
    }
    try:
        return core.compile_model(core.read_model(io.BytesIO(graph)), "CPU", settings)
    except RuntimeError as error:  # a line for each place that it passed, the cause last
        raise EngineError(f"OpenVINO: {str(error).strip().splitlines()[-1]}") from error


def _engine(name: str, summary: str, precision: Literal["fp32", "bf16", "int8"], *packages: str) -> Engine:
    return Engine(
        name,
        summary,
        precision,
        partial(_make, precision=precision),
        devices=CPU,
        automatic=CPU,
        packages=("openvino", *packages),
        extra="openvino",
        calibrated=precision == "int8",
    )


ENGINES = (
    _engine("openvino", "fp32 by OpenVINO", "fp32"),
    _engine("openvino-bf16", "bf16 by OpenVINO", "bf16"),
    _engine("openvino-int8", "8 bits by OpenVINO, ranges from some of the images", "int8", "onnxruntime", "onnx"),
)

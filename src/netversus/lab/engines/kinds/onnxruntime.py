"""ONNX Runtime on the CPU, in fp32 and in 8 bits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from netversus.lab.engines.engine import CPU, Engine, load_package

if TYPE_CHECKING:
    from torch import Tensor

    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source, *, int8: bool) -> Ready:
    import torch

    from netversus.lab.engines.prepared import Ready

    runtime = load_package("onnxruntime", "the engine onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # engines compete as equals
    options.log_severity_level = 4  # what goes wrong is said in an error of ours
    # Else its threads spin on after a call, and whoever has the next turn is timed beside them.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    graph = source.quantised_onnx() if int8 else source.onnx()
    session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])

    return Ready(run)


ENGINES = (
    Engine(
        "onnxruntime",
        "fp32 by ONNX Runtime",
        "fp32",
        partial(_make, int8=False),
        devices=CPU,
        automatic=CPU,
        packages=("onnxruntime",),
        extra="onnx",
    ),
    Engine(
        "onnxruntime-int8",
        "8 bits by ONNX Runtime, ranges from some of the images",
        "int8",
        partial(_make, int8=True),
        devices=CPU,
        automatic=CPU,
        packages=("onnxruntime", "onnx"),
        extra="onnx",
        calibrated=True,
    ),
)

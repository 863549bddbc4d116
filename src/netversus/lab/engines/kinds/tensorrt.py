"""TensorRT in fp16. Building takes minutes, so "auto" never tries it.

The network is strongly typed: its precision is the graph's own, so that no layer quietly runs in another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netversus.errors import EngineError
from netversus.lab.engines.engine import CUDA, Engine, load_package

if TYPE_CHECKING:
    from torch import Tensor

    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source

MOST_IMAGES = 256  # in a batch; of larger ones so many at a time


def _make(source: Source) -> Ready:
    import torch

    from netversus.lab.engines.onnx_form import export
    from netversus.lab.engines.prepared import Ready

    tensorrt = load_package("tensorrt", "the engine tensorrt")
    graph = export(source.module().half(), source.example.half())
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    with torch.cuda.device(source.device):
        runtime = tensorrt.Runtime(logger)
        engine = runtime.deserialize_cuda_engine(_build(tensorrt, logger, graph, source.crop))
        if engine is None:
            raise EngineError("TensorRT could not load what it built")
        context = engine.create_execution_context()

    def run(images: Tensor) -> Tensor:
        return torch.cat([_part(engine, context, part) for part in torch.split(images, MOST_IMAGES)])

    run.runtime = runtime  # type: ignore[attr-defined]  # an engine must not outlive its runtime
    return Ready(run, torch.float16)


def _part(engine: Any, context: Any, images: Tensor) -> Tensor:
    """Logits of at most `MOST_IMAGES` images, float16, contiguous, on the GPU."""
    import torch

    logits = images.new_empty(len(images), engine.get_tensor_shape("logits")[-1])
    context.set_input_shape("images", tuple(images.shape))
    context.set_tensor_address("images", images.data_ptr())
    context.set_tensor_address("logits", logits.data_ptr())
    if not context.execute_async_v3(torch.cuda.current_stream(images.device).cuda_stream):
        raise EngineError("TensorRT failed to run the network")
    return logits


def _build(tensorrt: Any, logger: Any, graph: bytes, crop: int) -> Any:
    """The graph as a serialised engine for 1 to `MOST_IMAGES` images."""
    builder = tensorrt.Builder(logger)
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(graph):
        raise EngineError(f"TensorRT cannot read the graph: {parser.get_error(0).desc()}")
    profile = builder.create_optimization_profile()
    profile.set_shape("images", *((n, 3, crop, crop) for n in (1, 32, MOST_IMAGES)))
    config = builder.create_builder_config()
    config.add_optimization_profile(profile)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise EngineError("TensorRT could not build the network")
    return built


ENGINES = (
    Engine(
        "tensorrt",
        "fp16 by TensorRT; building may take minutes",
        "fp16",
        _make,
        devices=CUDA,
        packages=("tensorrt",),
    ),
)

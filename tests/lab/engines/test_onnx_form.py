"""Graphs in ONNX: any batch size, and 8 bits as this CPU can multiply them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from netversus.lab.engines.onnx_form import export, quantise

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_an_exported_graph_leaves_the_batch_open_and_the_images_fixed(resnet: nn.Module, images: Tensor):
    graph = onnx.load_model_from_string(export(resnet, images)).graph
    shape = [side.dim_param or side.dim_value for side in graph.input[0].type.tensor_type.shape.dim]
    assert shape == ["n", 3, 32, 32]
    assert [graph.input[0].name, graph.output[0].name] == ["images", "logits"]
    assert "BatchNormalization" not in {node.op_type for node in graph.node}


@pytest.mark.parametrize(
    ("can", "bits"),
    [
        ({"architecture": "x86_64", "avx512_vnni": True}, 8),
        ({"architecture": "x86_64", "avx_vnni": True}, 8),
        ({"architecture": "x86_64"}, 7),
        ({"architecture": "aarch64"}, 8),
        ({}, 7),
    ],
)
def test_weights_have_7_bits_where_products_of_8_would_saturate(
    can: dict[str, object], bits: int, images: Tensor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can, raising=False)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    graph = onnx.load_model_from_string(quantise(export(model, images), images)).graph
    largest = max(
        abs(onnx.numpy_helper.to_array(tensor).astype(int)).max()
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1
    )
    assert largest == (127 if bits == 8 else 63 if largest < 64 else 64)
    assert (largest > 64) == (bits == 8)

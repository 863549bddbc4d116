"""ONNX graphs give what the torch module gives that they were made from."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from netversus.errors import MissingExtraError, WeightsError
from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.records import DataCard

Export = Callable[..., Path]
IMAGES = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(7))


class Tiny(nn.Module):
    """A convolution, a mean and a linear layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.convolution = nn.Conv2d(3, 4, 3, stride=2)
            self.linear = nn.Linear(4, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(self.convolution(images).relu().mean((2, 3)))


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """The same network as an ONNX graph, written by hand. `shape` is what the graph says of its input."""

    def write(
        model: Tiny, shape: tuple[Any, ...] = ("n", 3, "h", "w"), outputs: Any = None, kind: int = TensorProto.FLOAT
    ) -> Path:
        nodes = [
            helper.make_node("Conv", ["images", "convolution.weight", "convolution.bias"], ["c"], strides=[2, 2]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("GlobalAveragePool", ["r"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Gemm", ["f", "linear.weight", "linear.bias"], ["logits"], transB=1),
        ]
        classes = outputs or model.linear.out_features
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("images", kind, shape)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (shape[0], classes))],
            [numpy_helper.from_array(tensor.numpy(), name) for name, tensor in model.state_dict().items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(made, tmp_path / "model.onnx")
        return tmp_path / "model.onnx"

    return write


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return found.shape == expected.shape and torch.allclose(found, expected.detach(), atol=1e-5)


@pytest.mark.parametrize("batch", ["n", 1, 2, 5, 8])
def test_a_graph_gives_the_torch_modules_logits_whatever_its_batch(batch: Any, export: Export, data_card: DataCard):
    model = Tiny(10)
    path = export(model, (batch, 3, 32, 32))
    card = resolve(f"onnx:{path}", data_card)
    assert (card.architecture, card.weights, card.head) == ("ONNX graph model", "model.onnx", "unknown")
    assert "an ONNX graph cannot be trained here" in card.notes
    found = load(card, classes=10, seed=0)
    assert close(found(IMAGES), model(IMAGES))
    assert not list(found.parameters())


@pytest.mark.parametrize("outputs", [None, "classes"])
def test_an_imagenet_head_answers_in_the_datas_classes(outputs: Any, export: Export, synset_data: DataCard):
    """Also where the graph does not say how many outputs it has."""
    model = Tiny(1000)
    path = export(model, outputs=outputs)
    found = load(resolve(f"onnx:{path}?crop=32&resize=32", synset_data), classes=3, seed=0)
    assert close(found(IMAGES), model(IMAGES)[:, [574, 0, 207]])


@pytest.mark.parametrize("outputs", [None, "classes"])
def test_another_number_of_classes_is_refused(outputs: Any, export: Export, data_card: DataCard):
    path = export(Tiny(7), outputs=outputs)
    with pytest.raises(WeightsError, match="has 7 outputs, the data have 10 classes"):
        load(resolve(f"onnx:{path}", data_card), classes=10, seed=0)


@pytest.mark.parametrize(
    ("shape", "kind", "says"),
    [
        (("n", 3, 224, 224), TensorProto.FLOAT, r"takes images of 224 px, not 32 \(add \?crop=224\)"),
        (("n", 1, 32, 32), TensorProto.FLOAT, "takes images of 1 channels, not 3"),
        (("n", 3, 32, 32), TensorProto.DOUBLE, "cannot open|should take one float32 input"),
    ],
)
def test_a_graph_for_other_images_is_one_line(shape, kind: int, says: str, export: Export, data_card: DataCard, capfd):
    model = Tiny(10)
    if shape[1] == 1:
        model.convolution = nn.Conv2d(1, 4, 3, stride=2)
    path = export(model, shape, kind=kind)
    with pytest.raises(WeightsError, match=says) as caught:
        load(resolve(f"onnx:{path}", data_card), classes=10, seed=0)
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


def test_a_graph_of_unknown_size_that_cannot_take_the_images_is_one_line(export: Export, data_card: DataCard, capfd):
    path = export(Tiny(10))
    with pytest.raises(WeightsError, match="cannot be run on an image of 2 px") as caught:
        load(resolve(f"onnx:{path}?crop=2", data_card), classes=10, seed=0)
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


def small(path: Path, inputs: int, shape: tuple[int, ...]) -> None:
    """A graph that adds its inputs, or gives its only input back."""
    names = [f"x{i}" for i in range(inputs)]
    node = helper.make_node("Sum", names, ["y"])
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names]
    graph = helper.make_graph([node], "g", infos, [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def test_a_graph_that_is_no_classifier_is_told_so(tmp_path: Path, data_card: DataCard):
    cases = {
        (2, (1, 3, 32, 32)): "should take one float32 input of shape (n, 3, h, w), it takes x0: tensor(float)",
        (1, (1, 3072)): "should take one float32 input",
        (
            1,
            (1, 3, 32, 32),
        ): "should give logits of shape (n, classes), for one image it gives (1, 3, 32, 32) of float32",
    }
    for i, ((inputs, shape), says) in enumerate(cases.items()):
        small(tmp_path / f"{i}.onnx", inputs, shape)
        with pytest.raises(WeightsError) as caught:
            load(resolve(f"onnx:{tmp_path}/{i}.onnx", data_card), classes=10, seed=0)
        assert says in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x09" * 100])
def test_a_file_that_is_no_graph_is_one_line(content: bytes, tmp_path: Path, data_card: DataCard):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"m\.onnx as ONNX") as caught:
        load(resolve(f"onnx:{tmp_path}/m.onnx", data_card), classes=10, seed=0)
    assert len(str(caught.value).splitlines()) == 1


def test_without_onnx_runtime_the_extra_is_named(export: Export, data_card: DataCard, monkeypatch: pytest.MonkeyPatch):
    card = resolve(f"onnx:{export(Tiny(10))}", data_card)
    true_import = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError(name)
        return true_import(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"onnxruntime.*pip install 'netversus\[onnx\]'"):
        load(card, classes=10, seed=0)

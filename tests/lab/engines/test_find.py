"""Engines by name, and what is said where one is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netversus.errors import EngineError, MissingExtraError, OptionError
from netversus.lab.engines import Engine, automatic_engines, find_engines, get_engine
from netversus.lab.engines.engine import load_package

from .conftest import CPU, make_resnet

PROMISED = {
    "eager",
    "channels-last",
    "autocast",
    "bf16",
    "folded",
    "folded-bf16",
    "fused",
    "fused-bf16",
    "compile",
    "onnxruntime",
    "onnxruntime-int8",
    "openvino",
    "openvino-bf16",
    "openvino-int8",
    "cuda-graph",
    "tensorrt",
}


def test_every_promised_engine_is_found_by_its_name():
    engines = find_engines()
    assert set(engines) >= PROMISED
    assert list(engines) == sorted(engines)
    for name, engine in engines.items():
        assert engine.name == name
        assert engine.summary
        assert engine.devices
        assert engine.automatic <= engine.devices
        assert get_engine(name) is engine


def test_a_misspelt_engine_is_told_the_nearest():
    with pytest.raises(OptionError, match=r"there is no engine 'openvno' \(did you mean openvino"):
        get_engine("openvno")
    with pytest.raises(OptionError, match="the engines are auto, autocast, bf16"):
        get_engine("qqq")


def test_auto_never_tries_what_takes_minutes_nor_autocast_on_a_cpu():
    names = {engine.name for engine in automatic_engines("cpu")}
    assert {"eager", "fused-bf16", "onnxruntime-int8", "openvino-bf16"} <= names
    assert not names & {"compile", "tensorrt", "autocast", "cuda-graph"}
    assert not {engine.name for engine in automatic_engines("cuda")} & {"compile", "tensorrt", "openvino", "fused"}


def test_engines_are_listed_and_missing_ones_told_without_torch_or_their_packages():
    script = (
        "import sys; from netversus.lab.engines import find_engines\n"
        "[engine.missing('cpu') for engine in find_engines().values()]\n"
        "sys.exit(str({'torch', 'numpy', 'onnx', 'onnxruntime', 'openvino', 'tensorrt'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("onnxruntime", "onnxruntime", "onnx"),
        ("onnxruntime-int8", "onnx", "onnx"),
        ("openvino-bf16", "openvino", "openvino"),
        ("openvino-int8", "onnxruntime", "openvino"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
):
    for other in ("onnx", "onnxruntime", "openvino"):
        if other != package and other not in sys.modules:
            pytest.importorskip(other)
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]  # find_spec then finds nothing
    says = rf"needs the package '{package}', which is not installed \(pip install 'netversus\[{extra}\]'\)"
    assert get_engine(name).missing("cpu").startswith(f"it needs the package {package!r}")
    with pytest.raises(MissingExtraError, match=says) as caught:
        get_engine(name).prepare(make_resnet(), crop=32, device=CPU)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["cuda-graph", "cuda-graph-bf16", "tensorrt"])
def test_an_engine_for_another_device_is_one_line(name: str):
    assert get_engine(name).missing("cpu") == "it runs on cuda only, not on cpu"
    with pytest.raises(EngineError, match=f"{name} cannot run here: it runs on cuda only, not on cpu"):
        get_engine(name).prepare(make_resnet(), crop=32, device=CPU)


def test_a_package_that_no_extra_brings_is_named_itself():
    lacking = Engine("x", "x", "fp32", lambda _source: None, packages=("no_such_package",))  # type: ignore[arg-type, return-value]
    assert "pip install 'no_such_package'" in lacking.missing("cpu")
    with pytest.raises(EngineError, match="x cannot run here: it needs the package 'no_such_package'"):
        lacking.prepare(torch.nn.Linear(1, 1), crop=32, device=CPU)


def test_a_package_that_is_broken_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken_runtime.py").write_text('raise ImportError("libtbb.so.12: cannot open\\nmore")')
    monkeypatch.syspath_prepend(str(tmp_path))
    says = "the engine x cannot load the package 'broken_runtime': libtbb.so.12: cannot open"
    with pytest.raises(EngineError) as caught:
        load_package("broken_runtime", "the engine x")
    assert str(caught.value) == says

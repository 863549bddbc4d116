"""Honest model files, each written by the library whose format it is. `verdict` is what the scan should say: clean, or
what it must say of a file that it cannot vouch for although nothing is wrong with it."""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import pickle
import tarfile
import zipfile
import zlib
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import joblib
import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic

from netversus.lab.artifacts.findings import Verdict

CLEAN, SUSPICIOUS, NOT_SCANNED = Verdict.CLEAN, Verdict.SUSPICIOUS, Verdict.NOT_SCANNED


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), amsgrad=True)
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    return model, optimizer


def checkpoint() -> dict[str, object]:
    model, optimizer = trained()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    return {
        "epoch": 3, "arch": "resnet50", "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(), "best": 0.5, "big": 2**70, "loss": float("inf"), "none": None, "yes": True,
        "rng": torch.get_rng_state(), "device": torch.device("cpu"), "dtype": torch.float16, "size": torch.Size([1, 2]),
        "set": {1, 2}, "bytes": b"\x00\xff", "complex": 1 + 2j, "text": "ä\n", "nested": [{"a": (1, [2])}],
    }  # fmt: skip


def saved(content: object, **settings: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **settings)
    return buffer.getvalue()


def jobbed(content: object, path: Path, **settings: object) -> None:
    joblib.dump(content, path, **settings)


def npz(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, a=np.arange(6.0), b=np.eye(3, dtype=np.float16))
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def graph(path: Path, external: bool = False) -> None:
    weight = np.ones((4, 3), np.float32)
    made = onnx.helper.make_graph(
        [onnx.helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 3])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 4])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    settings = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0} if external else {}
    onnx.save(onnx.helper.make_model(made), path, **settings)


def script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(net().eval()), buffer)
    return buffer.getvalue()


def oldest() -> bytes:
    """torch's first format, which no torch writes any more: the tar of three files."""
    files = {
        "storages": pickle.dumps(1, 2)
        + pickle.dumps(("7", "cpu", torch.FloatStorage), 2)
        + (4).to_bytes(8, "little")
        + bytes(16)
        + pickle.dumps([], 2),
        "tensors": pickle.dumps(1, 2)
        + pickle.dumps(("9", "7", torch.FloatTensor), 2)
        + (1).to_bytes(8, "little")
        + (4).to_bytes(8, "little")
        + (1).to_bytes(8, "little")
        + (0).to_bytes(8, "little"),
        "pickle": b"\x80\x02}X\x06\x00\x00\x00weightX\x01\x00\x00\x009Qs.",
        "sys_info": pickle.dumps({"protocol_version": 1000, "little_endian": True}, 2),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def keras() -> bytes:
    buffer = io.BytesIO()
    config = (
        '{"module": "keras", "class_name": "Sequential", "config": {"layers": [{"module": "keras.layers", '
        '"class_name": "Dense", "config": {"units": 3}, "registered_name": null}]}, "registered_name": null}'
    )
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.6.0"}')
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(100))
    return buffer.getvalue()


def typed(dtype: torch.dtype) -> torch.Tensor:
    return torch.arange(6).reshape(2, 3).to(dtype)


def in_memory() -> dict[str, tuple[Callable[[], bytes], Verdict]]:
    """name -> (content, verdict)."""
    state = net().state_dict
    every = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
             torch.uint8, torch.bool, torch.complex64, torch.uint16, torch.uint64, torch.float8_e4m3fn]  # fmt: skip
    quantized = quantize_dynamic(net(), {nn.Linear}, torch.qint8)
    shared = torch.arange(12.0).reshape(3, 4)
    found: dict[str, tuple[Callable[[], bytes], Verdict]] = {
        "state.pt": (lambda: saved(state()), CLEAN),
        "state.pth": (lambda: saved(state(), _use_new_zipfile_serialization=False), CLEAN),
        "state.safetensors.pt": (lambda: saved(state()), CLEAN),
        "protocol_4.pt": (lambda: saved(state(), pickle_protocol=4), CLEAN),
        "checkpoint.pt": (lambda: saved(checkpoint()), CLEAN),
        "checkpoint_legacy.pt": (lambda: saved(checkpoint(), _use_new_zipfile_serialization=False), CLEAN),
        "dtypes.pt": (lambda: saved({str(dtype): typed(dtype) for dtype in every}), CLEAN),
        "quantized_tensor.pt": (lambda: saved({"q": torch.quantize_per_tensor(torch.rand(4), 0.1, 0, torch.qint8)}), CLEAN),
        "quantized_state.pt": (lambda: saved(quantized.state_dict()), CLEAN),
        "sparse.pt": (lambda: saved({"s": torch.eye(4).to_sparse(), "r": torch.eye(4).to_sparse_csr()}), CLEAN),
        "shared.pt": (lambda: saved({"a": shared, "b": shared.T, "c": shared[1:, 2:], "d": shared[0]}), CLEAN),
        "parameters.pt": (lambda: saved([nn.Parameter(torch.rand(3)), torch.nn.Buffer(torch.rand(2))]), CLEAN),
        "meta.pt": (lambda: saved({"m": torch.empty(3, device="meta")}), CLEAN),
        "empty.pt": (lambda: saved({"e": torch.empty(0, 3), "s": torch.tensor(1.0)}), CLEAN),
        "collections.pt": (
            lambda: saved({"o": OrderedDict(a=1), "d": defaultdict(dict, {1: {}}), "c": Counter("aab"), "s": {1}}),
            CLEAN,
        ),
        "arguments.pt": (
            lambda: saved({"args": argparse.Namespace(lr=0.1, out=PurePosixPath("x")), "when": datetime(2024, 1, 1, tzinfo=UTC), "w": shared}),
            CLEAN,
        ),
        "with_numpy.pt": (lambda: saved({"n": np.arange(3.0), "x": np.float64(2), "w": shared}), CLEAN),
        "module.pt": (lambda: saved(net()), SUSPICIOUS),
        "script.pt": (script, SUSPICIOUS),
        "oldest.tar": (oldest, CLEAN),
        "plain.pkl": (lambda: pickle.dumps({"a": [1, 2.5, "x", b"y", None, {3}, frozenset({4}), bytearray(b"z")]}), CLEAN),
        "plain_0.pkl": (lambda: pickle.dumps({"a": [1, 2.5, "x", None, True, 2**80]}, 0), CLEAN),
        "plain_1.pkl": (lambda: pickle.dumps({"a": [1, 2.5, "x" * 300, None, (1, 2, 3, 4)]}, 1), CLEAN),
        "frames.pkl": (lambda: pickle.dumps([str(i) * 50 for i in range(5000)] + [bytes(200_000)], 4), CLEAN),
        "arrays.pkl": (lambda: pickle.dumps({"a": np.arange(6.0), "f": np.asfortranarray(np.eye(3)), "s": np.array(["x"])}, 5), CLEAN),
        "arrays_2.pkl": (lambda: pickle.dumps([np.arange(6), np.zeros(3, "f4,i2")], 2), CLEAN),
        "objects.npy": (lambda: npy(np.array([1, "x", None], dtype=object)), CLEAN),
        "tensor.pkl": (lambda: pickle.dumps({"w": shared}), SUSPICIOUS),
        "utc.pkl": (lambda: pickle.dumps(datetime(2024, 1, 1, tzinfo=UTC)), CLEAN),
        "float.npy": (lambda: npy(np.arange(6.0).reshape(2, 3)), CLEAN),
        "text.npy": (lambda: npy(np.array(["a", "bcd"])), CLEAN),
        "structured.npy": (lambda: npy(np.zeros(3, dtype=[("a", "f4"), ("b", "i2", (2,))])), CLEAN),
        "arrays.npz": (lambda: npz(compressed=False), CLEAN),
        "compressed.npz": (lambda: npz(compressed=True), CLEAN),
        "state.safetensors": (lambda: safetensors.torch.save(state(), {"format": "pt"}), CLEAN),
        "dtypes.safetensors": (
            lambda: safetensors.torch.save({str(d): typed(d) for d in every if d is not torch.complex64}),
            CLEAN,
        ),
        "empty.safetensors": (lambda: safetensors.numpy.save({"e": np.zeros((0, 3)), "s": np.array(1.0)}), CLEAN),
        "gzipped.pt.gz": (lambda: gzip.compress(saved(state())), CLEAN),
        "model.keras": (keras, NOT_SCANNED),
    }  # fmt: skip
    return found


def by_path() -> dict[str, tuple[Callable[[Path], None], Verdict]]:
    """name -> (writer, verdict), of those that write a file themselves."""
    content = {
        "coef": np.arange(1000.0).reshape(10, 100),
        "n": 3,
        "f": np.asfortranarray(np.eye(4)),
        "b": np.ones(3, bool),
    }
    objects = {"o": np.array(["x", 1], dtype=object), "w": np.arange(3)}
    return {
        "plain.joblib": (lambda path: jobbed(content, path), CLEAN),
        "objects.joblib": (lambda path: jobbed(objects, path), CLEAN),
        "zlib.joblib": (lambda path: jobbed(content, path, compress=3), CLEAN),
        "gzip.joblib": (lambda path: jobbed(content, path, compress=("gzip", 3)), CLEAN),
        "bz2.joblib": (lambda path: jobbed(content, path, compress=("bz2", 3)), CLEAN),
        "lzma.joblib": (lambda path: jobbed(content, path, compress=("lzma", 3)), CLEAN),
        "xz.joblib": (lambda path: jobbed(content, path, compress=("xz", 3)), CLEAN),
        "model.onnx": (graph, CLEAN),
        "external.onnx": (lambda path: graph(path, external=True), CLEAN),
        "bytes.bz2": (lambda path: path.write_bytes(bz2.compress(pickle.dumps({"a": 1}))) and None, CLEAN),
        "bytes.z": (lambda path: path.write_bytes(zlib.compress(pickle.dumps({"a": 1}))) and None, CLEAN),
    }


def write(folder: Path) -> dict[str, Verdict]:
    """Write the corpus, each file in a folder of its own; what the scan should say of each, by its path."""
    expected: dict[str, Verdict] = {}
    for name, (make, verdict) in in_memory().items():
        expected[str(_place(folder, name))] = verdict
        _place(folder, name).write_bytes(make())
    for name, (put, verdict) in by_path().items():
        expected[str(_place(folder, name))] = verdict
        put(_place(folder, name))
    return expected


def _place(folder: Path, name: str) -> Path:
    place = folder / name.replace(".", "_")
    place.mkdir(parents=True, exist_ok=True)
    return place / name

"""The door through which weights come in: nothing that runs code passes, nothing is believed about its size."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from netversus.errors import UnsafeFileError, WeightsError
from netversus.lab.artifacts.safetensors_header import HEADER_CAP
from netversus.lab.weights_file import read_state_dict

STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[k], STATE[k]) for k in STATE)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w"])
def test_safetensors_are_read_whatever_they_are_called(tmp_path: Path, name: str):
    safetensors.torch.save_file(STATE, tmp_path / name)
    assert same(read_state_dict(tmp_path / name))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
def test_torch_files_are_read_unwrapped(tmp_path: Path, legacy: bool, wrap: str | None):
    path = tmp_path / "w.safetensors"
    torch.save({wrap: STATE, "epoch": 3} if wrap else STATE, path, _use_new_zipfile_serialization=not legacy)
    assert same(read_state_dict(path))


def test_the_prefix_of_data_parallel_training_is_removed(tmp_path: Path):
    torch.save({f"module.{name}": tensor for name, tensor in STATE.items()}, tmp_path / "w.pt")
    assert same(read_state_dict(tmp_path / "w.pt"))


class Payload:
    """Touches a canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("how", ["zip", "legacy", "plain pickle", "hidden beside tensors"])
def test_a_file_that_runs_code_is_refused_and_runs_nothing(tmp_path: Path, how: str):
    canary, path = tmp_path / "canary", tmp_path / "model.safetensors"
    payload = Payload(canary)
    if how == "plain pickle":
        path.write_bytes(pickle.dumps(payload))
    else:
        content = {**STATE, "x": payload} if how == "hidden beside tensors" else payload
        torch.save(content, path, _use_new_zipfile_serialization=how != "legacy")
    with pytest.raises(UnsafeFileError, match="hostile and was not opened") as caught:
        read_state_dict(path)
    assert "mkdir" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not canary.exists()


def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path):
    torch.save({"w": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "w.pt")
    assert (tmp_path / "w.pt").stat().st_size < 3000
    with pytest.raises(UnsafeFileError, match=r"claims shape \(1000000, 1000000\)"):
        read_state_dict(tmp_path / "w.pt")


def test_tied_and_transposed_tensors_are_honest(tmp_path: Path):
    shared = torch.arange(6.0).reshape(2, 3)
    torch.save({"a": shared, "b": shared, "c": shared.T}, tmp_path / "w.pt")
    assert torch.equal(read_state_dict(tmp_path / "w.pt")["c"], shared.T)


def broken(kind: str) -> bytes:
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    whole = buffer.getvalue()
    tensors = safetensors.torch.save(STATE)
    return {
        "nothing": b"",
        "web page": b"<!DOCTYPE html><html>404</html>",
        "truncated zip": whole[: len(whole) // 2],
        "truncated safetensors": tensors[:-4],
        "header over the cap": struct.pack("<Q", HEADER_CAP + 1) + b"{" + b" " * 100,
        "header past the end": struct.pack("<Q", 10_000) + b'{"a":1}',
        "text": b"hello",
        "truncated pickle": pickle.dumps(list(range(1000)))[:50],
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["nothing", "web page", "truncated zip", "truncated safetensors", "header over the cap", "header past the end",
     "text", "truncated pickle"],
)  # fmt: skip
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, kind: str):
    path = tmp_path / "w.pth"
    path.write_bytes(broken(kind))
    with pytest.raises((WeightsError, UnsafeFileError)) as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_zip_of_something_else_and_a_file_without_tensors_are_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(WeightsError, match="neither safetensors nor a PyTorch file"):
        read_state_dict(tmp_path / "a.pt")
    torch.save({"epoch": 3}, tmp_path / "b.pt")
    with pytest.raises(WeightsError, match="no state dict"):
        read_state_dict(tmp_path / "b.pt")


def test_a_missing_file_and_a_folder_are_one_clear_line(tmp_path: Path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(WeightsError, match="cannot read the weights"):
            read_state_dict(path)

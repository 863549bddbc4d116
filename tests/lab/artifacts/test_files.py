"""What the scan says of whole files; conversion, digests, signatures, second opinion, expected shapes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import safetensors.torch
import torch

from netversus.errors import NetversusError, SpecError, UnsafeFileError, UsageError, WeightsError
from netversus.lab.artifacts.convert import convert
from netversus.lab.artifacts.findings import Verdict
from netversus.lab.artifacts.scan import scan_file, vouched
from netversus.lab.artifacts.second_opinion import ask_picklescan
from netversus.lab.artifacts.state import against, left_out
from netversus.lab.artifacts.trust import check_digest, check_signature, read_digests
from netversus.lab.expected_shapes import expected_shapes


class Payload:
    def __reduce__(self):
        return os.mkdir, ("/nonexistent/canary",)


def every_dtype() -> dict[str, torch.Tensor]:
    kinds = [
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int8,
        torch.uint8,
        torch.bool,
    ]
    found = {str(kind): torch.arange(6).reshape(2, 3).to(kind) for kind in kinds}
    base = torch.arange(24.0).reshape(4, 6)
    found |= {"transposed": base.T, "part": base[1:3, ::2], "row": base[2], "scalar": torch.tensor(3.5)}
    return {**found, "empty": torch.empty(0, 3), "tied": base}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrapper", ["", "state_dict"])
def test_a_converted_checkpoint_holds_the_same_numbers_as_torch_reads(tmp_path: Path, legacy: bool, wrapper: str):
    state = every_dtype()
    content = {wrapper: state, "optimizer": {"m": torch.ones(2)}} if wrapper else state
    torch.save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy)
    scan = scan_file(tmp_path / "w.pt")
    assert convert(scan, tmp_path / "w.safetensors") == len(state)
    assert left_out(scan) == (1 if wrapper else 0)
    found = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name
    assert scan_file(tmp_path / "w.safetensors").verdict is Verdict.CLEAN
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.pt", "w.safetensors"]


def test_nothing_is_converted_that_is_not_clean_or_does_not_fit(tmp_path: Path):
    torch.save({"w": torch.ones(2), "x": Payload()}, tmp_path / "bad.pt")
    torch.save({"s": torch.eye(3).to_sparse()}, tmp_path / "sparse.pt")
    torch.save({"epoch": 1}, tmp_path / "none.pt")
    for name, kind, said in (
        ("bad.pt", UnsafeFileError, "hostile"),
        ("sparse.pt", WeightsError, "sparse"),
        ("none.pt", WeightsError, "no state dict"),
    ):
        with pytest.raises(kind, match=said):
            convert(scan_file(tmp_path / name), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", ["missing", "folder", "pipe", "null"])
def test_what_is_no_file_is_one_clear_line(tmp_path: Path, make: str):
    path = tmp_path / ("a\0b" if make == "null" else "x\ny")
    if make == "folder":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    with pytest.raises(WeightsError, match="cannot read the weights") as caught:
        scan_file(path)
    assert "\n" not in str(caught.value)


def test_an_empty_file_is_damaged_and_a_page_not_scanned(tmp_path: Path):
    (tmp_path / "empty.pt").touch()
    assert scan_file(tmp_path / "empty.pt").verdict is Verdict.DAMAGED
    (tmp_path / "page.pt").write_bytes(b"<html>404</html>")
    assert scan_file(tmp_path / "page.pt").verdict is Verdict.NOT_SCANNED
    with pytest.raises(WeightsError, match="cannot be vouched for"):
        vouched(tmp_path / "page.pt")


def test_a_name_that_promises_another_content_is_remarked_and_changes_nothing(tmp_path: Path):
    torch.save({"w": torch.ones(2)}, tmp_path / "w.safetensors")
    scan = scan_file(tmp_path / "w.safetensors")
    assert (scan.verdict, scan.format) == (Verdict.CLEAN, "torch")
    assert [line.what for line in scan.findings] == ["its name ends in .safetensors, its content is torch"]


def test_the_time_that_a_scan_may_take_is_kept_and_told(tmp_path: Path):
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pt")
    scan = scan_file(tmp_path / "w.pt", seconds=1e-9)
    assert scan.verdict is Verdict.NOT_SCANNED
    assert "longer than" in scan.findings[0].what


def test_digests_are_sha256_and_compared_with_a_list(tmp_path: Path):
    path = tmp_path / "w.bin"
    torch.save({"w": torch.ones(2)}, path)
    scan = scan_file(path)
    assert scan.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "SUMS").write_text(f"{scan.sha256.upper()} *./w.bin\n\n{'0' * 64}  other\n")
    known = read_digests(tmp_path / "SUMS")
    assert check_digest(scan, known, "SUMS").kind is Verdict.CLEAN
    assert check_digest(scan, {"w.bin": "0" * 64}, "SUMS").kind is Verdict.SUSPICIOUS
    assert "does not name it" in check_digest(scan, {}, "SUMS").what
    (tmp_path / "SUMS").write_text("hello world\n")
    with pytest.raises(WeightsError, match="line 1"):
        read_digests(tmp_path / "SUMS")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")
def test_a_signature_holds_for_the_file_and_the_signer_that_it_is_of(tmp_path: Path):
    path, key = tmp_path / "w.bin", tmp_path / "key"
    path.write_bytes(b"weights")
    keygen = ["ssh-keygen", "-q"]
    subprocess.run([*keygen, "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    subprocess.run([*keygen, "-Y", "sign", "-f", str(key), "-n", "file", str(path)], check=True, capture_output=True)
    signers, signature = tmp_path / "signers", tmp_path / "w.bin.sig"
    signers.write_text(f"ann@lab {(tmp_path / 'key.pub').read_text()}")
    assert check_signature(path, signature, signers, "ann@lab").kind is Verdict.CLEAN
    assert check_signature(path, signature, signers, "bob@lab").kind is Verdict.SUSPICIOUS
    path.write_bytes(b"other weights")
    assert check_signature(path, signature, signers, "ann@lab").kind is Verdict.SUSPICIOUS
    with pytest.raises(UsageError, match="there is no file"):
        check_signature(path, tmp_path / "none", signers, "ann@lab")


def test_a_second_opinion_can_only_add_to_the_evidence(tmp_path: Path):
    pytest.importorskip("picklescan")
    torch.save({"w": torch.ones(2)}, tmp_path / "good.pt")
    torch.save({"w": Payload()}, tmp_path / "bad.pt")
    good, bad = scan_file(tmp_path / "good.pt"), scan_file(tmp_path / "bad.pt")
    assert good.with_finding(ask_picklescan(good)).verdict is Verdict.CLEAN
    assert "mkdir" in ask_picklescan(bad).what
    assert bad.with_finding(ask_picklescan(bad)).verdict is Verdict.HOSTILE


def test_weights_are_compared_with_the_shapes_of_an_architecture(tmp_path: Path):
    shapes = expected_shapes("resnet18")
    assert shapes["fc.weight"] == (1000, 512)
    state = {name: torch.zeros(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}
    state["fc.weight"], state["fc.bias"] = torch.zeros(10, 512), torch.zeros(10)
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path / "w.pt")
    assert against(scan_file(tmp_path / "w.pt"), shapes, "resnet18") == ()
    state["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    del state["bn1.weight"]
    state["extra"] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pt")
    said = " ".join(line.what for line in against(scan_file(tmp_path / "w.pt"), shapes, "resnet18"))
    for part in ("(64, 3, 3, 3), resnet18 has (64, 3, 7, 7)", "'extra' is not of resnet18", "1 tensors of resnet18"):
        assert part in said
    with pytest.raises(SpecError):
        expected_shapes("resnet0")


def test_every_refusal_is_one_line(tmp_path: Path):
    (tmp_path / "x\n.pt").write_bytes(b"\x80\x02cos\nsy\x1b[31mstem\n(tR.")
    with pytest.raises(NetversusError) as caught:
        vouched(tmp_path / "x\n.pt")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)

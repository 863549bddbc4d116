"""`netversus scan`: verdicts as lines, JSON and exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import safetensors.torch
import torch


class Payload:
    def __reduce__(self):
        return os.mkdir, ("canary",)


def files(folder: Path) -> None:
    torch.save({"w": torch.ones(2, 3)}, folder / "good.pt")
    torch.save({"w": Payload()}, folder / "bad.pt")
    (folder / "page.pt").write_text("<html>")


def test_the_exit_code_tells_the_gravest_verdict(netversus, tmp_path: Path):
    files(tmp_path)
    assert netversus("scan", "good.pt").code == 0
    assert netversus("scan", "good.pt", "page.pt").code == 4
    ended = netversus("scan", "good.pt", "page.pt", "bad.pt")
    assert ended.code == 3
    assert "bad.pt: hostile (torch" in ended.out
    assert re.search(r"would call posix.mkdir with \('canary'\) by REDUCE \(bad/data.pkl, byte \d+\)", ended.out)
    assert "poisoned in training pass every scanner" in ended.out
    assert not (tmp_path / "canary").exists()


def test_what_to_do_is_said_for_each_kind_of_verdict_that_there_is(netversus, tmp_path: Path):
    files(tmp_path)
    refuse, unknown = "Do not open what is hostile", "that is not clean"
    for names, said, unsaid in (
        (("good.pt",), (), (refuse, unknown)),
        (("page.pt",), (unknown,), (refuse,)),
        (("bad.pt", "page.pt"), (refuse, unknown), ()),
    ):
        out = netversus("scan", *names).out
        assert all(text in out for text in said)
        assert not any(text in out for text in unsaid)
    assert "clean (torch, " in netversus("scan", "good.pt").out
    assert "1 tensor of 6 elements" in netversus("scan", "good.pt").out


def test_json_holds_every_file_and_its_evidence(netversus, tmp_path: Path):
    files(tmp_path)
    ended = netversus("scan", "good.pt", "bad.pt", "--json")
    good, bad = json.loads(ended.out)["files"]
    assert (good["verdict"], good["tensors"], good["elements"], len(good["sha256"])) == ("clean", 1, 6, 64)
    assert bad["globals"]["posix.mkdir"] == 1


def test_wrong_use_is_one_line(netversus, tmp_path: Path):
    files(tmp_path)
    for arguments, said in (
        (("none.pt",), "cannot read the weights none.pt"),
        (("good.pt", "bad.pt", "--convert", "x"), "for one file"),
        (("good.pt", "--signature", "x"), "--signers"),
        (("good.pt", "--expect", "resnet51"), "resnet51"),
    ):
        ended = netversus("scan", *arguments)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert said in ended.err


def test_convert_writes_what_is_safe_and_nothing_else(netversus, tmp_path: Path):
    files(tmp_path)
    ended = netversus("scan", "good.pt", "--convert", "good.safetensors")
    assert ended.code == 0
    assert "wrote 1 tensor to good.safetensors" in ended.out
    assert torch.equal(safetensors.torch.load_file(tmp_path / "good.safetensors")["w"], torch.ones(2, 3))
    refused = netversus("scan", "bad.pt", "--convert", "bad.safetensors")
    assert refused.code == 2
    assert "was not converted" in refused.err
    assert not (tmp_path / "bad.safetensors").exists()


def test_expected_shapes_and_digests_enter_the_verdict(netversus, tmp_path: Path):
    files(tmp_path)
    ended = netversus("scan", "good.pt", "--expect", "resnet18")
    assert ended.code == 3
    assert "'w' is not of resnet18" in ended.out
    (tmp_path / "SUMS").write_text(f"{'0' * 64}  good.pt\n")
    assert netversus("scan", "good.pt", "--digests", "SUMS").code == 3
    assert netversus("scan", "good.pt", "--second-opinion").code == 0


def test_a_scan_loads_no_torch(tmp_path: Path):
    files(tmp_path)
    script = "import sys\nfrom netversus.cli.__main__ import main\ncode = main(sys.argv[1:])\nsys.exit(code or 'torch' in sys.modules)"
    command = [
        sys.executable,
        "-c",
        script,
        "scan",
        str(tmp_path / "good.pt"),
        "--convert",
        str(tmp_path / "o.safetensors"),
    ]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0

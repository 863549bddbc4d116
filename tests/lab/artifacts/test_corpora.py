"""Both corpora, scanned in a process of its own: no hostile file runs or is called clean, no honest one called hostile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netversus.errors import NetversusError
from netversus.lab.artifacts.findings import Verdict
from netversus.lab.artifacts.scan import scan_file
from netversus.lab.artifacts.state import state_of
from netversus.lab.weights_file import read_state_dict

HERE = Path(__file__).parent
FULL = {"torch", "torch, legacy"}


def child(script: str, given: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / script)]
    return subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=timeout
    )


@pytest.fixture(scope="module")
def scanned(hostile) -> dict:
    done = child("scan_child.py", [str(path) for path in hostile.paths.values()])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_corpora_are_as_large_as_was_asked(hostile, honest):
    assert len(hostile.paths) >= 80
    assert len(honest) >= 30


def test_scanning_hostile_files_runs_nothing_of_them(hostile, scanned):
    """The child ends with 99 if anything is run or written; beside that no canary may have been touched."""
    assert sorted(path.name for path in hostile.canaries.iterdir()) == []
    assert not scanned["torch"]
    assert not {name for name in scanned["loaded"] if name.partition(".")[0] not in {"encodings", "lzma", "bz2"}}


def test_no_hostile_file_is_called_clean(scanned):
    assert [path for path, verdict in scanned["verdicts"].items() if verdict == "clean"] == []


def test_what_would_truly_run_code_is_called_hostile_or_suspicious(hostile, scanned):
    """Where opening it ran the payload, "damaged" or "not scanned" would be too little."""
    proven = [str(hostile.paths[name]) for name, proof in hostile.proofs.items() if proof]
    assert len(proven) >= 80
    verdicts = {path: scanned["verdicts"][path] for path in proven}
    assert {path: v for path, v in verdicts.items() if v not in {"hostile", "suspicious"}} == {}


def test_the_payloads_are_real(hostile, scanned):
    """The control: a careless reader that opens these files touches every canary. (Comes after the scan.)"""
    jobs = [(str(hostile.paths[name]), proof) for name, proof in hostile.proofs.items() if proof]
    done = child("open_child.py", jobs)
    assert done.returncode == 0, done.stderr
    touched = {path.name for path in hostile.canaries.iterdir()}
    missing = [
        name
        for name, proof in hostile.proofs.items()
        if proof and name not in touched and name.removesuffix(".pkl") not in touched
    ]
    gone = GONE_IN_3_13 if sys.version_info >= (3, 13) else set()
    assert sorted(set(missing) - gone) == []


GONE_IN_3_13 = {"mailcap.pkl", "lib2to3.pkl", "write_file.pkl"}  # these modules left Python


def test_the_door_to_weights_opens_for_none_of_them(hostile):
    for name, path in hostile.paths.items():
        with pytest.raises(NetversusError) as caught:
            read_state_dict(path)
        assert "\n" not in str(caught.value), name


def test_no_honest_file_is_called_hostile_and_the_verdicts_are_as_expected(honest):
    found = {path.name: scan_file(path) for path in honest}
    expected = {path.name: verdict for path, verdict in honest.items()}
    assert {name: scan.verdict for name, scan in found.items()} == expected
    assert sum(verdict is Verdict.CLEAN for verdict in expected.values()) >= 30


def test_what_is_called_clean_holds_what_torch_finds_in_it(honest):
    """Independent oracle: torch's own restricted unpickler, names, shapes, dtypes and strides."""
    compared = 0
    for path in honest:
        scan = scan_file(path)
        state = state_of(scan)
        if scan.verdict is not Verdict.CLEAN or scan.format not in FULL or not state or "numpy" in path.name:
            continue
        try:
            loaded = torch.load(path, weights_only=True)
        except Exception as error:  # noqa: BLE001 (it knows fewer harmless classes than the scan)
            assert "Unsupported" in str(error) or "protocol" in str(error), path
            continue
        loaded = loaded.get("state_dict", loaded)
        for name, claim in state.items():
            tensor = loaded[name]
            assert claim.shape == tuple(tensor.shape), (path.name, name)
            assert f"torch.{claim.dtype}" == str(tensor.dtype), (path.name, name)
            if claim.layout == "dense":
                assert claim.stride == tuple(tensor.stride()), (path.name, name)
                assert claim.offset == tensor.storage_offset(), (path.name, name)
            compared += 1
    assert compared > 50

"""The command under torchrun, as a user starts it: two processes on CPUs, joined by gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.kills
def test_two_processes_train_one_network_and_one_of_them_speaks(tmp_path: Path):
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "netversus.cli", "train", "timm:test_resnet", "--out", "trained"),
        *("--set", "epochs=0.1", "--set", "batch=32"),
    ]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("wrote trained/model.safetensors") == 1
    assert (tmp_path / "trained" / "model.safetensors").is_file()
    assert "| processes | 2 |" in (tmp_path / "trained" / "README.md").read_text()

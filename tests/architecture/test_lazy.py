"""What must answer at once does not load torch, and `--help` costs little more than Python itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
SCRIPT = """
import sys
from netversus.cli.__main__ import main
code = main(sys.argv[1:])
heavy = sorted({"torch", "torchvision", "timm", "transformers"} & set(sys.modules))
sys.exit(f"loaded {heavy}" if heavy else code)
"""


def netversus(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=120)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("compare", "--help"),
        ("compare", "resnet50", "resnet101", "--dry-run"),
        ("compare", "resnet50", "resnet101", "--dry-run", "--budget", "5m"),
        ("list", "studies"),
        ("list", "contenders", "resnet50"),
        ("list", "data"),
    ],
    ids=" ".join,
)
def test_a_command_that_measures_nothing_loads_no_torch(arguments: tuple[str, ...]):
    done = netversus(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_importing_the_package_loads_nearly_nothing():
    script = "import sys, netversus; print(sorted({'torch', 'numpy', 'pydantic', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_answers_within_six_times_what_python_itself_takes():
    bare = [sys.executable, "-c", "pass"]
    ours = [str(Path(sys.executable).with_name("netversus")), "--help"]
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(7):  # in turns, and the best of each: this machine is noisy
        for name, command in (("bare", bare), ("ours", ours)):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
            times[name].append(time.perf_counter() - begin)
    assert min(times["ours"]) <= 6 * min(times["bare"])

"""What must answer at once does not load torch, and `--help` costs little more than Python itself."""

from __future__ import annotations

import os
import subprocess
import sys

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
        ("power", "--gap", "1"),
        ("list", "studies"),
        ("list", "contenders", "resnet50"),
        ("list", "data"),
        ("list", "engines"),
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


def test_help_loads_nothing_beyond_python_s_own_library():
    """What it takes in time beside a bare Python is measured in benchmarks/startup.py: a test cannot tell the time."""
    script = (
        "import sys\nfrom netversus.cli.__main__ import main\nmain(['--help'])\n"
        "roots = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "sys.exit(str(sorted(r for r in roots if not r.startswith(('_', 'sitecustomize'))))) "
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{script}"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.stderr.strip() == "['netversus']"

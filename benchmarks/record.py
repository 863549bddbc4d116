"""Keeps what a benchmark measured: one JSON file a benchmark in benchmarks/results/."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
# What `record` and `summary` write themselves is no change of what is measured.
WRITTEN = (":!benchmarks/results", ":!docs/benchmarks.md")


def record(
    *,
    name: str,
    peer: str,
    ratio: float,
    ratio_is: str,
    better: Literal["higher", "lower", "neither"],
    goal: str,
    met: bool,
    measured: dict[str, Any],
) -> Path:
    """Write benchmarks/results/NAME.json and print its gist.

    Args:
        name: of the benchmark and the file.
        peer: in words, what it is measured against, in the same run.
        ratio: of ours and the peer's, one to the other.
        ratio_is: in words, what is divided by what, as "the peer's seconds / ours".
        better: which way the ratio speaks for us; neither, where it only describes.
        goal: in words.
        met: whether the goal was met.
        measured: the raw numbers, with all repetitions.
    """
    result = {
        "name": name,
        "peer": peer,
        "ratio": ratio,
        "ratio_is": ratio_is,
        "better": better,
        "goal": goal,
        "met": met,
        "measured": measured,
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "torch": version("torch"),
            "numpy": version("numpy"),
            "commit": _commit(),
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command(sys.argv),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{name}: {ratio_is}: {ratio:.3g} ({better} is better); goal: {goal}; {'met' if met else 'NOT met'}")
    return path


def command(words: Sequence[str]) -> str:
    """The command that made a result, as it is typed in the root of the repository."""
    script = Path(words[0]).resolve()
    named = script.relative_to(ROOT) if script.is_relative_to(ROOT) else script
    return shlex.join(["python", str(named), *words[1:]])


def _commit() -> str | None:
    """The commit that was measured, with "+changes" if files differ from it; None outside a repository."""
    head = _git("rev-parse", "HEAD")
    return head and head + ("+changes" if _git("status", "--porcelain", "--", ".", *WRITTEN) else "")


def _git(*words: str) -> str | None:
    """What git says; None where there is no git, or no repository."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")

"""Keeps what a benchmark measured: one JSON file a benchmark in benchmarks/results/."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def record(*, name: str, peer: str, ratio: float, goal: str, met: bool, measured: dict[str, Any]) -> Path:
    """Write benchmarks/results/NAME.json and print its gist.

    Args:
        name: of the benchmark and the file.
        peer: what it is measured against, in the same run.
        ratio: ours against the peer's; `measured` says which way.
        goal: in words.
        met: whether the goal was met.
        measured: the raw numbers.
    """
    result = {
        "name": name,
        "peer": peer,
        "ratio": ratio,
        "goal": goal,
        "met": met,
        "measured": measured,
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", *sys.argv]),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{name}: ratio {ratio:.3g} against {peer}; goal: {goal}; {'met' if met else 'NOT met'}")
    return path


def _processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")

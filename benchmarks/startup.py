"""How long `netversus --help` takes beside a bare `python -c pass`: at most six times, bytecode compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from record import record

ROUNDS = 25
GOAL = 6.0


def main() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "netversus --help": [str(Path(sys.executable).with_name("netversus")), "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS + 1):  # in turns; the first, which may compile bytecode, is dropped
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            times[name].append(time.perf_counter() - begin)
    best = {name: min(found[1:]) for name, found in times.items()}
    ratio = best["netversus --help"] / best["python -c pass"]
    record(
        name="startup",
        peer="python -c pass",
        ratio=ratio,
        ratio_is="our seconds / the peer's, the least of each",
        better="lower",
        goal=f"netversus --help within {GOAL:g} times a bare Python, fastest of {ROUNDS} each, in turns",
        met=ratio <= GOAL,
        measured={"seconds": {name: found[1:] for name, found in times.items()}},
    )


if __name__ == "__main__":
    main()

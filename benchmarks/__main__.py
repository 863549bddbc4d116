"""All benchmarks, one after another: make benchmarks, or python benchmarks [SCRIPT ...] for some of them.

What needs a peer, an accelerator or a run that is not there is named with what it needs and left out. One that fails
does not hide the others: it is named at the end, and the exit code is 1. All take hours on two cores, and should have
them for themselves.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Need(NamedTuple):
    """What a benchmark needs beside what `make install` puts there."""

    what: str
    there: Callable[[], bool]


class Benchmark(NamedTuple):
    """A script with its arguments."""

    command: str
    needs: tuple[Need, ...] = ()

    @property
    def script(self) -> str:
        """Its file name."""
        return self.command.partition(" ")[0]


def named(variable: str, what: str) -> Need:
    """An environment of a peer's own, whose Python an environment variable names."""
    return Need(f"{variable} naming a Python with {what}", lambda: bool(os.environ.get(variable)))


def accelerator() -> bool:
    """Whether torch sees one; asked in a process of its own, so that this one stays small."""
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


AUTOATTACK = Need("the package pyautoattack", lambda: find_spec("pyautoattack") is not None)
SCANNERS = named("NETVERSUS_SCAN_PEERS", "modelscan, fickling and picklescan")
CORRUPTIONS = named("NETVERSUS_CORRUPTIONS_PEER", "imagecorruptions 1.1.2")
CUDA = Need("an accelerator", accelerator)
DEMO = Need("the run of `make demo`", (ROOT / "runs" / "demo" / "run.json").is_file)
CHROMIUM = Need("Chromium", lambda: bool(shutil.which("chromium") or shutil.which("chromium-browser")))

BENCHMARKS = (
    Benchmark("startup.py"),
    Benchmark("statistics_throughput.py --repeats 5"),
    Benchmark("sequential_sign_test.py"),
    Benchmark("report_generation.py"),
    Benchmark("report_paint.py", (DEMO, CHROMIUM)),
    Benchmark("load.py --cells 10000"),
    Benchmark("load.py --cells 10000 --workers 2"),
    Benchmark("load_observations.py"),
    Benchmark("scaling_of_workers.py"),
    Benchmark("scale_simulation.py"),  # takes the cost of a cell from load.py
    Benchmark("artifact_scan.py", (SCANNERS,)),
    Benchmark("corruptions.py", (CORRUPTIONS,)),
    Benchmark("adversarial.py", (AUTOATTACK,)),
    Benchmark("coco_map.py"),
    Benchmark("average_precision_bootstrap.py"),
    Benchmark("hota.py"),
    Benchmark("cka.py --rounds 2"),
    Benchmark("training_step.py"),
    Benchmark("detector_step.py"),
    Benchmark("checkpoint_overhead.py"),
    Benchmark("digits_to_98.py"),
    Benchmark("does_depth_pay.py --small"),
    Benchmark("does_depth_pay.py --side 64", (CUDA,)),
    Benchmark("does_depth_pay.py --side 128", (CUDA,)),
    Benchmark("inference_engines.py"),
    Benchmark("paired_evaluation.py"),
)
"""Each script that records a result, as `make benchmarks` runs it."""


def main(words: Sequence[str]) -> int:
    """Run the named ones, or all, and write the page of all results. The exit code is 1 where one failed."""
    asked = [Path(word).stem for word in words]
    if unknown := set(asked) - {Path(each.script).stem for each in BENCHMARKS}:
        print(f"there is no benchmark {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [each for each in BENCHMARKS if not asked or Path(each.script).stem in asked]
    code = run_all(chosen, run)
    return code if run("summary.py") else 1


def run_all(benchmarks: Sequence[Benchmark], run: Callable[[str], bool]) -> int:
    """Run what can be run here, by `run`, which says whether a command went well; name at the end what was not run and
    what failed."""
    ends = []
    code = 0
    for each in benchmarks:
        lacking = [need.what for need in each.needs if not need.there()]
        if lacking:
            ends.append(f"not run: {each.command} needs {' and '.join(lacking)}")
        elif not run(each.command):
            ends.append(f"FAILED: {each.command}")
            code = 1
    for line in ends:
        print(line)
    return code


def run(command: str) -> bool:
    """Run a script of this folder from the root of the repository."""
    print(f"== {command}", flush=True)
    script, *words = shlex.split(command)
    done = subprocess.run([sys.executable, str(Path("benchmarks", script)), *words], cwd=ROOT, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How long the report of a stored run of 50,000 images x 2 contenders takes beside one `import torch`, and its memory.

Both in a fresh process, in turns. The run's observations are drawn, its files are those that a real run leaves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from record import record

from netversus.lab.rates import nominal_rates
from netversus.plan import make_plan
from netversus.records import ContenderCard, DataCard, Done, Observations, Preprocessing, Session
from netversus.request import make_request
from netversus.store import RunStore

IMAGES = 50_000
CLASSES = 1_000
ROUNDS = 5
MEMORY_GOAL = 2**30
CHILD = """
import json, resource, sys, time
begin = time.perf_counter()
{code}
seconds = time.perf_counter() - begin
print(json.dumps({{"seconds": seconds, "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}}))
"""
REPORT = """
from pathlib import Path
from netversus.analyse import analyse
from netversus.report import build_view, write
from netversus.store import RunStore
store = RunStore.open(sys.argv[1])
read = time.perf_counter()
findings = analyse(store)
analysed = time.perf_counter()
write(build_view(store, findings), Path(sys.argv[2]))
print(json.dumps({"analyse": analysed - read, "build and write": time.perf_counter() - analysed}))
"""


def stored_run(folder: Path) -> RunStore:
    """A finished run of the accuracy study: ten observations' parts a contender."""
    names = ("resnet50", "resnet101")
    cards = [_card(name) for name in names]
    classes = tuple(f"class {i:04d}" for i in range(CLASSES))
    data = DataCard("drawn", "drawn", "0" * 64, classes, {"test": IMAGES}, 224)
    store = RunStore.create(folder / "run")
    request = make_request({"contenders": names, "studies": ("accuracy",)})
    plan = make_plan(request, cards, data, nominal_rates(cards), "cpu")
    store.add_plan(plan)
    store.add_session(Session("2025-11-24T14:03:12+00:00", "netversus compare", {"python": "3.11"}, {"cores": "2"}))
    rng = np.random.default_rng(0)
    units, hard = np.array([f"test/{i:05d}.jpg" for i in range(IMAGES)]), rng.random(IMAGES)
    labels = rng.integers(CLASSES, size=IMAGES)
    store.add_units("test", tuple(units.tolist()), {"label": labels.tolist()})
    for number, cell in enumerate(plan.cells):
        kept = store.cell(cell)
        kept.begin(cell)
        values = _values(rng, hard, labels, 0.76 + 0.01 * number)
        for part in np.array_split(np.arange(IMAGES), 10):
            kept.append([Observations(cell.contenders[0], m, tuple(units[part].tolist()), tuple(v[part].tolist()))
                         for m, v in values.items()])  # fmt: skip
        kept.end(Done(cell.key, 100.0, len(values) * IMAGES))
    return store


def _card(name: str) -> ContenderCard:
    return ContenderCard(
        *(name, name, "torchvision", name, "IMAGENET1K_V2", "v2", "data", name.ljust(64, "0")),
        preprocessing=Preprocessing(224, 232),
    )


def _values(rng: np.random.Generator, hard: Any, labels: Any, rate: float) -> dict[str, Any]:
    """What a contender of this top-1 might have said; an image that is hard for one is hard for the other."""
    right = 0.7 * hard + 0.3 * rng.random(IMAGES) < np.quantile(0.7 * hard + 0.3 * rng.random(IMAGES), rate)
    sure = np.where(right, 0.5 + 0.5 * rng.random(IMAGES), 0.2 + 0.6 * rng.random(IMAGES))
    return {
        "top1": right.astype(float),
        "top5": (right | (rng.random(IMAGES) < 0.7)).astype(float),
        "nll": -np.log(np.where(right, sure, (1 - sure) * rng.random(IMAGES) + 1e-9)),
        "brier": (1 - np.where(right, sure, 0)) ** 2,
        "confidence": sure,
        "predicted": np.where(right, labels, (labels + 1) % CLASSES).astype(float),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, page = stored_run(folder).path, folder / "report.html"
        codes = {"import torch": "import torch", "report": REPORT}
        seen: dict[str, list[dict[str, float]]] = {key: [] for key in codes}
        for _ in range(ROUNDS + 1):  # in turns; the first, which may compile bytecode and fill caches, is dropped
            for key, code in codes.items():
                seen[key].append(_run(code, str(run), str(page)))
        size = page.stat().st_size
    best = {key: min(each["process"] for each in found[1:]) for key, found in seen.items()}
    peak = max(each["peak"] for each in seen["report"])
    ratio = best["report"] / best["import torch"]
    record(
        name="report_generation",
        peer="python -c 'import torch'",
        ratio=ratio,
        ratio_is="our seconds / the peer's, whole processes, the least of each",
        better="lower",
        goal=f"whole process, fastest of {ROUNDS} each, in turns: no longer than the peer, in at most 1 GiB of memory",
        met=ratio <= 1 and peak <= MEMORY_GOAL,
        measured={"images": IMAGES, "contenders": 2, "page bytes": size, "rounds": {k: v[1:] for k, v in seen.items()}},
    )


def _run(code: str, *arguments: str) -> dict[str, float]:
    """The code in a fresh process: its seconds from within, those of the whole process, its peak memory in bytes."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    command = [sys.executable, "-c", CHILD.format(code=code), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    whole = time.perf_counter() - begin
    found: dict[str, float] = {"process": whole}
    for line in done.stdout.splitlines():
        found |= json.loads(line)
    return found


if __name__ == "__main__":
    main()

"""A million observations a contender: stored, analysed and reported, with the memory that each step takes at most.

    python benchmarks/load_observations.py [--images 1000000] [--stop]

Each step runs in a process of its own, so that its peak is its own. Peers keep no observations, so there is none to be
measured beside; the bare arrays are the yardstick: 8 bytes a value, and the ids as Python holds them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import record

CONTENDERS = ("resnet50", "resnet101")
METRIC = "top1"
BATCH, A_PART = 64, 8192
GOAL_MIB = 2048


def unit(number: int) -> str:
    return f"val/n{number // 1000:08d}/image_{number:08d}.JPEG"


def plan_of(images: int, stop: bool) -> object:
    from netversus.plan import make_plan
    from netversus.records import ContenderCard, DataCard, Preprocessing, Rates
    from netversus.request import make_request

    cards = [
        ContenderCard(
            name, name, "torchvision", name, "IMAGENET1K_V2", "v2", "imagenet-1k", name, Preprocessing(224, 256)
        )
        for name in CONTENDERS
    ]
    classes = tuple(str(number) for number in range(1000))
    data = DataCard("many", "many", "many", classes, {"test": images}, None)
    from dataclasses import replace

    cards = [replace(card, outputs=tuple(range(1000))) for card in cards]
    request = make_request({"contenders": CONTENDERS, "studies": ("accuracy",), "stop_when_decided": stop})
    rates = {name: Rates(0.01, 0.03, 25_000_000, measured=False) for name in CONTENDERS}
    return make_plan(request, cards, data, rates, "cpu")


def store(place: Path, images: int, stop: bool) -> None:
    """Write a run as an executor does: batch by batch in the recorded shuffle, a part every few seconds."""
    import numpy as np

    from netversus.records import Done, Observations
    from netversus.statistics.order import recorded_shuffle
    from netversus.store import RunStore

    plan, run = plan_of(images, stop), RunStore.create(place)
    run.add_plan(plan)
    run.add_units("test", [unit(i) for i in range(images)], {"label": np.arange(images) // (images // 1000 + 1)})
    order = recorded_shuffle(images, 0)
    for cell, chance in zip(plan.cells, (0.760, 0.7601), strict=True):
        name, kept = cell.contenders[0], run.cell(cell)
        kept.begin(cell)
        right = (np.random.default_rng(len(name)).random(images) < chance).astype(float)
        for start in range(0, images, A_PART):
            index = order[start : start + A_PART]
            kept.append([Observations(name, METRIC, tuple(unit(i) for i in index), tuple(right[index].tolist()))])
        kept.end(Done(cell.key, 1.0, images))


def step(name: str, place: Path, images: int, stop: bool) -> None:
    """One step, and what it took, printed as JSON."""
    begin = time.perf_counter()
    if name == "store":
        store(place, images, stop)
    elif name == "bare":
        import numpy as np

        kept = [(tuple(unit(i) for i in range(images)), np.random.default_rng(0).random(images)) for _ in CONTENDERS]
        assert len(kept) == len(CONTENDERS)
    else:
        from netversus.api import open_run

        run = open_run(place)
        if name == "analyse":
            run.store.write_findings(run.findings)
        else:
            run.report(place / f"again.{name}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - begin, "peak_mib": peak}))


def measured(name: str, place: Path, images: int, stop: bool) -> dict[str, float]:
    command = [sys.executable, __file__, "--step", name, "--place", str(place), "--images", str(images)]
    done = subprocess.run([*command, *(["--stop"] if stop else [])], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{name:<8} {found['seconds']:8.1f} s {found['peak_mib']:8.0f} MiB", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--stop", action="store_true")
    parser.add_argument("--step", default="")
    parser.add_argument("--place", type=Path)
    asked = parser.parse_args()
    if asked.step:
        step(asked.step, asked.place, asked.images, asked.stop)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        steps = ("bare", "store", "analyse", "html", "json")
        found = {name: measured(name, place, asked.images, asked.stop) for name in steps}
        disk = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    most = max(each["peak_mib"] for each in found.values())
    record(
        name="load_observations" + ("_stopping" if asked.stop else ""),
        peer="the bare ids and values in a Python process",
        ratio=most / found["bare"]["peak_mib"],
        ratio_is="the peak memory of our greediest step / the peer's",
        better="lower",
        goal=f"1,000,000 observations a contender within {GOAL_MIB} MiB at every step",
        met=asked.images >= 1_000_000 and most < GOAL_MIB,
        measured={"images": asked.images, "contenders": len(CONTENDERS), "run_mib": disk / 2**20, "steps": found},
    )


if __name__ == "__main__":
    main()

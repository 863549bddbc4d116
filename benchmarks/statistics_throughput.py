"""All statistics of one comparison on a full benchmark, against what `import torch` costs on the same machine.

50,000 images x 2 contenders x 6 metrics: top-1, top-5, NLL, Brier, ECE and a time, through the one door that the
analysis uses. Interleaved: python benchmarks/statistics_throughput.py [--repeats 3]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import numpy as np
from record import record

from netversus.records import Direction, Question, Scale
from netversus.statistics.comparison import compare
from netversus.statistics.pairing import Sample

IMAGES = 50_000
HIGHER, LOWER = Direction.HIGHER, Direction.LOWER

QUESTIONS = (
    Question("top1", "", Scale.PROPORTION, HIGHER, "fraction", "image"),
    Question("top5", "", Scale.PROPORTION, HIGHER, "fraction", "image"),
    Question("nll", "", Scale.MEAN, LOWER, "nats", "image"),
    Question("brier", "", Scale.MEAN, LOWER, "", "image"),
    Question(
        "calibration",
        "",
        Scale.AGGREGATE,
        LOWER,
        "fraction",
        "image",
        estimator="debiased_squared_calibration_error",
        inputs=("confidence", "top1"),
    ),
    Question("seconds", "", Scale.RATIO, LOWER, "s", "image"),
)


def contender(accuracy: float, seed: int) -> dict[str, Sample]:
    """Observations such as a classifier gives, correlated from contender to contender through the image."""
    difficulty = np.random.default_rng(0).random(IMAGES)
    rng = np.random.default_rng(seed)
    units = tuple(f"val/{i:08d}.jpeg" for i in range(IMAGES))
    top1 = difficulty + rng.normal(0, 0.05, IMAGES) < accuracy
    confidence = np.clip(0.4 * top1 + 0.6 * rng.beta(4, 2, IMAGES), 0, 1)
    return {
        "top1": Sample(units, top1.astype(float)),
        "top5": Sample(units, (difficulty < accuracy + 0.15).astype(float)),
        "nll": Sample(units, -np.log(np.where(top1, confidence, (1 - confidence) / 9) + 1e-6)),
        "brier": Sample(units, (top1 - confidence) ** 2),
        "confidence": Sample(units, confidence),
        "seconds": Sample(units, rng.lognormal(-3, 0.1, IMAGES)),
    }


def statistics_seconds(a: dict[str, Sample], b: dict[str, Sample]) -> dict[str, float]:
    seconds = {}
    for question in QUESTIONS:
        start = time.perf_counter()
        compare(question, a, b, level=0.95, margin=0.01, seed=0)
        seconds[question.metric] = time.perf_counter() - start
    return seconds


def import_seconds() -> float:
    """`import torch` in a fresh process with its bytecode compiled, less what an empty Python costs."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for code in ("pass", "import torch"):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        taken.append(time.perf_counter() - start)
    return taken[1] - taken[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    a, b = contender(0.76, 1), contender(0.77, 2)
    import_seconds()  # warms the disk cache and compiles the bytecode, in the peer's favour
    rounds = [(statistics_seconds(a, b), import_seconds()) for _ in range(repeats)]
    ours = min(sum(mine.values()) for mine, _ in rounds)
    torch = min(theirs for _, theirs in rounds)
    best = {metric: min(mine[metric] for mine, _ in rounds) for metric in rounds[0][0]}
    record(
        name="statistics_throughput",
        peer="import torch",
        ratio=ours / torch,
        ratio_is="our seconds / the peer's seconds, the least of each",
        better="lower",
        goal="all statistics for 50,000 images x 2 contenders x 6 metrics in under the time of one import torch",
        met=ours < torch,
        measured={
            "statistics seconds": ours,
            "import torch seconds": torch,
            "seconds of each metric": best,
            "seconds of each repetition": [
                {"statistics": sum(mine.values()), "import torch": theirs} for mine, theirs in rounds
            ],
        },
    )


if __name__ == "__main__":
    main()

"""Seconds to corrupt an image of 224 px, beside the package imagecorruptions 1.1.2, one image after another.

The peer runs in an environment of its own (see tests/lab/corruptions/make_reference.py for how it is made), as a
process that is asked for one corruption at a time, in turn with ours:

    python benchmarks/corruptions.py --peer peer/bin/python [--repeats 5]

NETVERSUS_CORRUPTIONS_PEER=peer/bin/python names it as well.

Frost is left out: ours is drawn, theirs is read from photographs. Of the elastic transform, ours is the paper's and
theirs is another one; it is told and not counted. With `--serve` it is the peer's side.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import geometric_mean
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

TESTS = Path(__file__).parents[1] / "tests"
SIDE, IMAGES = 224, 8
SLOW, SLOW_IMAGES = "glass_blur", 1  # of the peer, over a second an image
NOT_COUNTED = ("frost", "elastic_transform")
SEVERITIES = (1, 2, 3, 4, 5)


def serve() -> None:
    """The peer's side: a corruption and a severity a line in, seconds an image a line out."""
    sys.path[:0] = [str(TESTS), str(TESTS / "lab" / "corruptions")]
    from make_reference import load

    from formula_pictures import picture

    corrupt, _ = load()
    pictures = [picture(n, SIDE) for n in range(IMAGES)]
    for line in sys.stdin:
        name, severity = line.split()
        shown = pictures[: SLOW_IMAGES if name == SLOW else IMAGES]
        start = time.perf_counter()
        for each in shown:
            corrupt(each, int(severity), name)
        print((time.perf_counter() - start) / len(shown), flush=True)


class Peer:
    """The other process."""

    def __init__(self, python: str) -> None:
        command = [python, __file__, "--serve"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, name: str, severity: int) -> float:
        """What it needs for an image."""
        self.process.stdin.write(f"{name} {severity}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """Let it go."""
        self.process.stdin.close()
        self.process.wait()


def ours(images: Tensor, name: str, severity: int, ids: list[str]) -> float:
    from netversus.lab.corruptions.corrupt import corrupt

    start = time.perf_counter()
    corrupt(images, name, severity, ids)
    return (time.perf_counter() - start) / len(images)


def measured(peer: Peer, repeats: int) -> dict[str, dict[str, float]]:
    """The least seconds an image, mean of the severities, of both sides, by corruption."""
    import torch

    from netversus.lab.corruptions import COMMON, EXTRA
    from netversus.lab.engines.memory import keep_freed_memory

    sys.path.insert(0, str(TESTS))
    from formula_pictures import picture

    keep_freed_memory()  # as an evaluation does
    images = torch.stack([torch.from_numpy(picture(n, SIDE)).permute(2, 0, 1) for n in range(IMAGES)]).contiguous()
    ids = [str(n) for n in range(IMAGES)]
    table = {}
    for name in (*COMMON, *EXTRA):
        least = np.full((2, len(SEVERITIES)), np.inf)
        for _ in range(1 if name == SLOW else repeats):
            for place, severity in enumerate(SEVERITIES):
                ours(images, name, severity, ids)  # warms what is kept: kernels, memory
                least[0, place] = min(least[0, place], ours(images, name, severity, ids))
                least[1, place] = min(least[1, place], peer.seconds(name, severity))
        mine, theirs = least.mean(axis=1).tolist()
        table[name] = {"ours": mine, "peer": theirs, "times": theirs / mine}
        print(f"{name:20s} {1e3 * mine:8.2f} ms {1e3 * theirs:9.2f} ms {theirs / mine:7.1f} x")
    return table


def main() -> None:
    from record import record

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=os.environ.get("NETVERSUS_CORRUPTIONS_PEER"))
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    if not chosen.peer:
        parser.error("the peer runs in an environment of its own: name its Python with --peer")
    peer = Peer(chosen.peer)
    table = measured(peer, chosen.repeats)
    peer.end()
    counted = {name: row for name, row in table.items() if name not in NOT_COUNTED}
    without_slow = {name: row for name, row in counted.items() if name != SLOW}
    whole, rest = (
        sum(row["peer"] for row in rows.values()) / sum(row["ours"] for row in rows.values())
        for rows in (counted, without_slow)
    )
    record(
        name="corruptions",
        peer="imagecorruptions 1.1.2",
        ratio=whole,
        ratio_is="the peer's seconds / ours, an image of 224 px through the counted corruptions at 5 severities",
        better="higher",
        goal="corruptions at least 5 times faster than the reference implementation per image",
        met=whole >= 5,
        measured={
            "without glass blur": rest,
            "geometric mean of the single ratios": geometric_mean(row["times"] for row in counted.values()),
            "slower than 5 times": sorted(name for name, row in counted.items() if row["times"] < 5),
            "not counted": list(NOT_COUNTED),
            "seconds an image": table,
            "repeats": chosen.repeats,
            "images": IMAGES,
        },
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        main()

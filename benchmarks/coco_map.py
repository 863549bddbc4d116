"""COCO's twelve figures of detections on 5,000 images of 80 classes, against pycocotools: how fast, and the same.

Both judge the same objects and detections, which are in memory: the peer as the dictionaries that its COCO holds, ours
as the arrays that a study holds. What is timed is all from there to the figures: `loadRes`, `evaluate`, `accumulate`
and `summarize` of the peer; of ours the matching by hotcoco, the kinds of error, and the average precisions of all
sizes. hotcoco's own way from its evaluator to the figures is timed too. Ours is measured several times, and the peer,
which takes a minute or two, once in the middle of them.

Needs pycocotools and hotcoco. Two to three minutes: python benchmarks/coco_map.py [--repeats 3]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from average_precision_bootstrap import CLASSES, IMAGES, world
from average_precision_bootstrap import Boxes as Rows
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from record import record

from netversus.lab.data.annotated import Boxes
from netversus.lab.detection.found import Found
from netversus.lab.detection.judge import Truth, evaluator, match
from netversus.statistics.detections import SIZES, average_precision

GOAL = 5.0
NAMES = ("AP", "AP50", "AP75", "AP small", "AP medium", "AP large")


def corners_of(rows: list[dict[str, Any]]) -> Any:
    boxes = np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def labels_of(rows: list[dict[str, Any]]) -> Any:
    return np.array([row["category_id"] - 1 for row in rows], dtype=np.int64)


def truth_of(rows: Rows) -> Truth:
    """The objects as a study holds them."""
    boxes = [
        Boxes(
            corners_of(one),
            labels_of(one),
            np.array([row["area"] for row in one], dtype=np.float64),
            np.array([row["iscrowd"] for row in one], dtype=np.bool_),
            np.full(len(one), -1),
        )
        for one in rows
    ]
    units = tuple(f"image/{place:06d}" for place in range(len(rows)))
    return Truth(units, tuple(map(str, range(1, CLASSES + 1))), boxes)


def found_of(rows: Rows) -> list[Found]:
    """The detections as a study holds them."""
    return [
        Found(corners_of(one), labels_of(one), np.array([row["score"] for row in one], dtype=np.float64))
        for one in rows
    ]


def peer(truth: dict[str, Any], rows: list[dict[str, Any]], spent: dict[str, float]) -> list[float]:
    """Pycocotools' figures; `spent` gains its seconds by part."""
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = truth
        data.createIndex()
        made = COCOeval(data, timed(spent, "loadRes", lambda: data.loadRes(rows)), "bbox")
        for part in ("evaluate", "accumulate", "summarize"):
            timed(spent, part, getattr(made, part))
    return [float(value) for value in made.stats]


def ours(truth: Truth, found: list[Found], spent: dict[str, float]) -> list[float]:
    """The same six average precisions by netversus, from matches that a study keeps."""
    matches = timed(spent, "matching, and the kinds of error", lambda: match(truth, found))
    ones = np.ones(len(truth.units))
    wanted = (("all", None), ("all", 0.5), ("all", 0.75), *((size, None) for size in SIZES[1:]))
    return timed(
        spent, "average precisions", lambda: [float(average_precision(matches, *each)(ones)) for each in wanted]
    )


def library(truth: Truth, found: list[Found], spent: dict[str, float]) -> list[float]:
    """Hotcoco's own figures, from the same arrays."""
    made = timed(spent, "evaluate", lambda: evaluator(truth, found))
    timed(spent, "accumulate", made.accumulate)
    with contextlib.redirect_stdout(io.StringIO()):
        made.summarize()
    return [float(value) for value in made.stats]


def timed(spent: dict[str, float], part: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = work()
    spent[part] = time.perf_counter() - start
    return result


def main() -> None:
    """Measure all and keep what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="times that ours is measured; the peer is once")
    repeats = parser.parse_args().repeats
    objects, detections, _ = world(np.random.default_rng(0))
    truth, found = truth_of(objects), found_of(detections)
    rows = [{**row, "image_id": place} for place, one in enumerate(detections, 1) for row in one]

    peer_spent: dict[str, float] = {}
    stats: list[float] = []
    spent: list[dict[str, float]] = []
    library_spent: list[dict[str, float]] = []
    for repeat in range(repeats):
        if repeat == repeats // 2:
            stats = peer(truth.as_coco(), rows, peer_spent)
        spent.append({})
        library_spent.append({})
        mine = ours(truth, found, spent[-1])
        theirs = library(truth, found, library_spent[-1])
    largest = max(abs(a - b) for a, b in zip(mine, stats, strict=False))
    largest_library = max(abs(a - b) for a, b in zip(theirs, stats, strict=True))
    whole = sum(peer_spent.values())
    ratio = whole / min(sum(one.values()) for one in spent)
    record(
        name="coco_map",
        peer=f"pycocotools {version('pycocotools')}",
        ratio=ratio,
        ratio_is="the peer's seconds / ours, from detections in memory to the six average precisions; ours "
        "finds the kinds of error and keeps the matches too, the peer gives recalls too",
        better="higher",
        goal=f"the mAP of {IMAGES:,} images x {CLASSES} classes at least {GOAL:g} times faster, with the same numbers",
        met=ratio >= GOAL and largest < 1e-9 and largest_library < 1e-9,
        measured={
            "ratio of hotcoco's own figures, all twelve": whole / min(sum(one.values()) for one in library_spent),
            "largest difference of ours from the peer, six figures": largest,
            "largest difference of hotcoco's from the peer, twelve figures": largest_library,
            "figures": dict(zip(NAMES, mine, strict=True)),
            "peer's seconds": peer_spent,
            "our seconds": spent,
            "hotcoco's seconds": library_spent,
            "objects": sum(map(len, objects)),
            "detections": len(rows),
            "hotcoco": version("hotcoco"),
        },
    )


if __name__ == "__main__":
    main()

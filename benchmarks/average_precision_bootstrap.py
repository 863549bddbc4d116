"""A bootstrap of the mAP of two detectors on 5,000 images, against evaluating each draw again by pycocotools.

The peer is spared what is not needed (the area ranges, the shorter lists of detections, building its index): only
`evaluate` and `accumulate` are timed, of a few draws, and the time of 2,000 is extrapolated from them. Ours pays for
the matching as well, once. Each draw that the peer evaluated is computed by ours too, from weights: they must agree.

Needs pycocotools. A minute or two on one core: python benchmarks/average_precision_bootstrap.py [--draws 3]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from record import record

from netversus.statistics.average_precision import AveragePrecision, ClassMatches
from netversus.statistics.bootstrap import DRAWS, bootstrap

IMAGES, CLASSES, OBJECTS = 5000, 80, 7
GOAL = 300
Boxes = list[list[dict[str, Any]]]
"""For each image its annotations or detections, without ids."""


def world(rng: np.random.Generator) -> tuple[Boxes, Boxes, Boxes]:
    """Objects, and what two contenders make of them: hard objects are hard for both."""
    share = 1 / np.arange(1, CLASSES + 1)
    share /= share.sum()
    truths: Boxes = [[] for _ in range(IMAGES)]
    found: tuple[Boxes, Boxes] = ([[] for _ in range(IMAGES)], [[] for _ in range(IMAGES)])
    for image in range(IMAGES):
        for kind in rng.choice(CLASSES, rng.poisson(OBJECTS), p=share).tolist():
            w, h = np.exp(rng.uniform(2.5, 5.5, 2))
            x, y = rng.uniform(0, 500, 2)
            truths[image].append({"category_id": kind + 1, "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0})
            hard = rng.random()
            for detections, skill in zip(found, (0.75, 0.78), strict=True):
                if hard + rng.normal(0, 0.1) < skill:
                    near = np.array([x, y, w, h]) + rng.normal(0, 0.02 + 0.1 * hard, 4) * [w, h, w, h]
                    score = np.clip(rng.beta(4, 1 + 3 * hard), 0.01, 1)
                    detections[image].append({"category_id": kind + 1, "bbox": near.tolist(), "score": float(score)})
        for detections in found:
            for kind in rng.choice(CLASSES, rng.poisson(8), p=share).tolist():
                box = [*rng.uniform(0, 500, 2), *np.exp(rng.uniform(2.5, 5.5, 2))]
                detections[image].append({"category_id": kind + 1, "bbox": box, "score": float(rng.beta(1.2, 5))})
    return truths, *found


def evaluation(truths: Boxes, found: Boxes, images: NDArray[np.intp]) -> COCOeval:
    """An evaluator set up for these images, some of them several times."""
    data = COCO()
    annotations = [{**box, "image_id": i} for i, of in enumerate(images.tolist(), 1) for box in truths[of]]
    data.dataset = {
        "images": [{"id": i} for i in range(1, len(images) + 1)],
        "categories": [{"id": i} for i in range(1, CLASSES + 1)],
        "annotations": [{**box, "id": i} for i, box in enumerate(annotations, 1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
        detections = [{**box, "image_id": i} for i, of in enumerate(images.tolist(), 1) for box in found[of]]
        evaluator = COCOeval(data, data.loadRes(detections), "bbox")
    evaluator.params.areaRng, evaluator.params.areaRngLbl = evaluator.params.areaRng[:1], ["all"]
    evaluator.params.maxDets = [100]
    return evaluator


def seconds_of(evaluator: COCOeval, step: str) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        getattr(evaluator, step)()
        return time.perf_counter() - start


def mean_precision(evaluator: COCOeval) -> float:
    precision = evaluator.eval["precision"]
    return float(precision[precision > -1].mean())


def matches(evaluator: COCOeval) -> Iterator[ClassMatches]:
    """What pycocotools matched, class by class."""
    for start in range(0, CLASSES * IMAGES, IMAGES):
        found = [(i, e) for i, e in enumerate(evaluator.evalImgs[start : start + IMAGES]) if e is not None]
        truths = np.zeros(IMAGES)
        truths[[i for i, _ in found]] = [np.count_nonzero(np.asarray(e["gtIgnore"]) == 0) for _, e in found]
        yield ClassMatches(
            scores=np.concatenate([e["dtScores"] for _, e in found]),
            images=np.repeat([i for i, _ in found], [len(e["dtScores"]) for _, e in found]),
            matched=np.concatenate([e["dtMatches"] > 0 for _, e in found], axis=1),
            ignored=np.concatenate([e["dtIgnore"] for _, e in found], axis=1),
            truths=truths,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=3, help="draws that pycocotools evaluates, for each contender")
    draws = parser.parse_args().draws
    rng = np.random.default_rng(0)
    truths, *contenders = world(rng)

    everything = np.arange(IMAGES)
    ours, matching, preparing, largest = [], 0.0, 0.0, 0.0
    for found in contenders:
        evaluator = evaluation(truths, found, everything)
        matching += seconds_of(evaluator, "evaluate")
        start = time.perf_counter()
        ours.append(AveragePrecision(list(matches(evaluator))))
        preparing += time.perf_counter() - start
        seconds_of(evaluator, "accumulate")
        largest = max(largest, abs(float(ours[-1](np.ones(IMAGES))) - mean_precision(evaluator)))

    evaluating, accumulating = [], []
    for _ in range(draws):
        images = np.sort(rng.integers(0, IMAGES, IMAGES))
        weights = np.bincount(images, minlength=IMAGES).astype(float)
        spent = np.zeros(2)
        for found, average in zip(contenders, ours, strict=True):
            evaluator = evaluation(truths, found, images)
            spent += [seconds_of(evaluator, "evaluate"), seconds_of(evaluator, "accumulate")]
            largest = max(largest, abs(float(average(weights)) - mean_precision(evaluator)))
        evaluating.append(float(spent.sum()))
        accumulating.append(float(spent[1]))

    start = time.perf_counter()
    gaps = bootstrap(lambda w: ours[1](w) - ours[0](w), IMAGES, draws=DRAWS, seed=0)
    reweighting = time.perf_counter() - start

    peer = DRAWS * min(evaluating)
    whole = matching + preparing + reweighting
    agree = largest < 1e-9
    record(
        name="average_precision_bootstrap",
        peer="pycocotools, evaluate and accumulate in each draw",
        ratio=peer / whole,
        ratio_is=f"the peer's seconds for {DRAWS:,} draws, extrapolated from the faster of those timed / ours, "
        "with matching once by pycocotools included",
        better="higher",
        goal=f"{DRAWS:,} draws of the mAP of two contenders on {IMAGES:,} images at least {GOAL} times faster than "
        "re-evaluating by pycocotools, with the same numbers",
        met=peer / whole >= GOAL and agree,
        measured={
            "draws timed of the peer": draws,
            "peer's seconds a draw, both contenders": evaluating,
            "of which accumulate": accumulating,
            "our seconds": {
                "matching once, by pycocotools": matching,
                "taking over and sorting the matches": preparing,
                f"{DRAWS:,} draws": reweighting,
            },
            "ratio without the matching": peer / (preparing + reweighting),
            "ratio to a peer that keeps its matches and only accumulates": DRAWS
            * min(accumulating)
            / (preparing + reweighting),
            "largest difference from the peer's mAP, whole set and draws": largest,
            "mAP": [float(average(np.ones(IMAGES))) for average in ours],
            "standard error of the gap": float(gaps.std()),
            "objects": sum(map(len, truths)),
            "detections": [sum(map(len, found)) for found in contenders],
        },
    )


if __name__ == "__main__":
    main()

"""COCO detection and instance masks (Lin et al. 2014): annotations/instances_SPLIT.json and SPLIT/NUMBER.png.

Boxes are (x, y, width, height) in pixels around the visible part, as COCO's are; areas are the masks' in pixels;
masks are run lengths in column order, starting with the background, uncompressed; ids start at 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.lab.data.export.encoding import SUFFIX, save
from netversus.lab.data.scenes import CLASSES, DetectionFrames
from netversus.lab.data.scenes.render import Seen


def write_coco(splits: Mapping[str, DetectionFrames], out: Path, image: str) -> int:
    """Every frame of every split; the number of images written."""
    (out / "annotations").mkdir()
    for split, frames in splits.items():
        content = _write_split(split, frames, out, image)
        (out / "annotations" / f"instances_{split}.json").write_text(json.dumps(content), encoding="utf-8")
    return sum(len(frames) for frames in splits.values())


def _write_split(split: str, frames: DetectionFrames, out: Path, image: str) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(len(frames)):
        picture = frames.frame(index)
        name = f"{index + 1:012d}{SUFFIX[image]}"
        save(picture.image, out / split / name, image)
        width, height = picture.image.size
        images.append({"id": index + 1, "file_name": name, "width": width, "height": height})
        for seen in picture.objects:
            annotations.append({"id": len(annotations) + 1, "image_id": index + 1, **_annotation(seen)})
    return {
        "info": {
            "description": f"scenes, {split}, seed {frames.seed}, difficulty {frames.difficulty:g}",
            "version": "1",
        },
        "licenses": [],
        "categories": [
            {"id": label + 1, "name": name, "supercategory": name.split("-")[0]} for label, name in enumerate(CLASSES)
        ],
        "images": images,
        "annotations": annotations,
    }


def _annotation(seen: Seen) -> dict[str, Any]:
    left, top, right, bottom = seen.box
    return {
        "category_id": seen.label + 1,
        "bbox": [left, top, right - left, bottom - top],
        "area": int(seen.mask.sum()),
        "segmentation": {"size": list(seen.mask.shape), "counts": run_lengths(seen.mask)},
        "iscrowd": 0,
        "visibility": round(seen.visibility, 4),
    }


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of a mask (bool, shape (height, width)) read column by column, background first."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return [0, *counts] if flat[0] else counts

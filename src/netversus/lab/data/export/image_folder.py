"""An image folder: SPLIT/CLASS/NUMBER.png, and manifest.csv with each image's id and factors."""

from __future__ import annotations

import csv
from pathlib import Path

from netversus.lab.data.dataset import Dataset
from netversus.lab.data.export.encoding import SUFFIX, save


def write_folder(data: Dataset, out: Path, image: str) -> int:
    """Every image of every split; the number of images written."""
    written = 0
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        manifest = csv.writer(file)
        manifest.writerow(["file", "id", "split", "class", *data.card.factors])
        for split, images in data.splits.items():
            for index, (name, label) in enumerate(zip(images.ids, images.labels, strict=True)):
                class_name = data.card.classes[label]
                path = Path(split, _folder_name(class_name), f"{index:06d}{SUFFIX[image]}")
                save(images.image(index), out / path, image)
                levels = [images.factors[factor][index] for factor in data.card.factors]
                manifest.writerow([path.as_posix(), name, split, class_name, *levels])
                written += 1
    return written


def _folder_name(class_name: str) -> str:
    """A name that stays one visible folder whatever the class is called."""
    name = class_name.replace("/", "%2F").replace("\\", "%5C")
    return "%2E" + name[1:] if name.startswith(".") else name or "%"

"""An image, its adversarial example, and the difference made visible, side by side in one file."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch
from torch import Tensor

from netversus.lab.synthesis.strip import to_strip
from netversus.studies.adversarial.found import Found

MOST = 4
MOST_TIMES = 127.0  # a change of one level then spans half the range


def example_pictures(
    images: Tensor, found: Found, labels: Tensor, answers: Tensor, ids: Sequence[str], rows: Sequence[int]
) -> tuple[bytes, bytes]:
    """A PNG strip of three pictures for each of the first rows, and as JSON what is to be said of each.

    The difference is amplified so that its largest value spans half the range around grey; by how much is said.
    """
    pictures: list[Tensor] = []
    told: list[dict[str, object]] = []
    for row in rows[:MOST]:
        image, example = images[row], found.example[row]
        change = example - image
        times = float(min(MOST_TIMES, max(1.0, 0.5 / float(change.abs().max().clamp_min(1e-9)))))
        shown = (image, example, 0.5 + times * change)
        pictures.extend(picture.clamp(0, 1).mul(255).round().to(torch.uint8) for picture in shown)
        told.append(
            {
                "unit": ids[row],
                "label": int(labels[row]),
                "answer": int(answers[row]),
                "distance": 255 * float(found.smallest[row]),
                "times": round(times),
            }
        )
    return to_strip(torch.stack(pictures)), json.dumps(told).encode()

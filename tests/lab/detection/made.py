"""Made-up detections and what there is: crowds, duplicates, equal scores, classes that nobody sees or has."""

from __future__ import annotations

import numpy as np

from netversus.lab.data.annotated import Boxes
from netversus.lab.detection.found import Found
from netversus.lab.detection.judge import Truth

CLASSES = ("a", "b", "c", "nobody has it", "nobody sees it")


def boxes(rows: list[tuple[list[float], int, bool]]) -> Boxes:
    """Objects of one picture: corners, label, crowd."""
    corners = np.array([corner for corner, _, _ in rows], dtype=np.float64).reshape(-1, 4)
    return Boxes(
        corners=corners,
        labels=np.array([label for _, label, _ in rows], dtype=np.int64),
        areas=(corners[:, 2:] - corners[:, :2]).prod(axis=1),
        crowd=np.array([crowd for _, _, crowd in rows], dtype=np.bool_),
        tracks=np.full(len(rows), -1, dtype=np.int64),
    )


def detections(rows: list[tuple[list[float], int, float]]) -> Found:
    """Detections of one picture: corners, label, score."""
    return Found(
        np.array([corner for corner, _, _ in rows], dtype=np.float64).reshape(-1, 4),
        np.array([label for _, label, _ in rows], dtype=np.int64),
        np.array([score for _, _, score in rows], dtype=np.float64),
    )


def scene(rng: np.random.Generator, skill: float, decimals: int) -> tuple[Boxes, Found]:
    truths: list[tuple[list[float], int, bool]] = []
    found: list[tuple[list[float], int, float]] = []
    for _ in range(rng.integers(0, 7)):
        label = int(rng.choice([0, 1, 2, 4]))
        sides = np.exp(rng.uniform(2, 5.5, 2))
        left = rng.uniform(0, 300, 2)
        corners = [*left, *(left + sides)]
        truths.append((corners, label, bool(rng.random() < 0.1)))
        for _ in range(rng.integers(0, 3)):
            said = label if rng.random() < skill else int(rng.integers(0, 4))
            moved = np.array(corners) + rng.normal(0, 0.3 * (1 - skill), 4) * [*sides, *sides]
            moved[2:] = np.maximum(moved[2:], moved[:2])
            if said != 4:
                found.append((moved.tolist(), said, round(float(rng.beta(4, 2)), decimals)))
    for _ in range(rng.integers(0, 3)):
        left = rng.uniform(0, 300, 2)
        found.append(
            ([*left, *(left + rng.uniform(5, 200, 2))], int(rng.integers(0, 4)), round(rng.random(), decimals))
        )
    return boxes(truths), detections(found)


def world(seed: int, pictures: int = 60, skill: float = 0.6, decimals: int = 1) -> tuple[Truth, list[Found]]:
    """Pictures with what there is and what was detected."""
    rng = np.random.default_rng(seed)
    made = [scene(rng, skill, decimals) for _ in range(pictures)]
    units = tuple(f"picture/{place:06d}" for place in range(pictures))
    return Truth(units, CLASSES, [one for one, _ in made]), [one for _, one in made]

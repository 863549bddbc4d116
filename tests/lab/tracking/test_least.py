"""The score from which a detector's boxes are tracked, beside a slow search through all scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from netversus.lab.data.annotated import Boxes
from netversus.lab.tracking.given import Shown
from netversus.lab.tracking.least import best_score


def shown(*rows: tuple[float, float, float, float, float]) -> Shown:
    """Left, top, right, bottom and score of each box."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Shown(table[:, :4], table[:, 4], np.full(len(table), -1))


def there(*rows: tuple[float, float, float, float], crowd: Sequence[bool] = ()) -> Boxes:
    """The objects of a picture."""
    corners, n = np.array(rows, dtype=np.float64).reshape(-1, 4), len(rows)
    is_crowd = np.array(crowd or [False] * n, dtype=np.bool_)
    return Boxes(corners, np.arange(n), np.ones(n), is_crowd, np.full(n, -1))


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def slowly(found: Sequence[Shown], true: Sequence[Boxes]) -> tuple[float, float] | None:
    """The best score and its F1: at each score all is matched anew, box by box."""
    best = None
    for least in sorted({score for one in found for score in one.scores.tolist()}, reverse=True):
        right = boxes = 0
        for one, objects in zip(found, true, strict=True):
            free = objects.corners.tolist()
            rows = [(score, box) for score, box in zip(one.scores.tolist(), one.corners.tolist(), strict=True)]
            rows = sorted((row for row in rows if row[0] >= least), key=lambda row: -row[0])
            boxes += len(rows)
            for _, box in rows:
                mates = [other for other in free if iou(box, other) >= 0.5]
                if mates:
                    free.remove(max(mates, key=lambda other: iou(box, other)))
                    right += 1
        f1 = 2 * right / (boxes + sum(len(objects) for objects in true))
        if right and (best is None or f1 > best[1]):
            best = (least, f1)
    return best


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_a_search_through_all_scores_finds_with_many_of_them_equal(seed):
    rng = np.random.default_rng(seed)
    found, true = [], []
    for _ in range(6):
        place = rng.uniform(0, 60, (rng.integers(0, 7), 2))
        objects = np.concatenate([place, place + rng.uniform(15, 25, place.shape)], axis=1)
        near = np.repeat(objects, 2, axis=0) + rng.normal(0, 3, (2 * len(objects), 4))
        far = np.array([[100.0, 100, 120, 120]]).repeat(rng.integers(0, 4), axis=0)
        boxes = np.concatenate([near, far])
        scores = rng.integers(1, 8, len(boxes)) / 8 * np.where(np.arange(len(boxes)) < len(near), 1.0, 0.5)
        found.append(shown(*np.column_stack([boxes, scores]).tolist()))
        true.append(there(*objects.tolist()))
    best = best_score(found, true)
    assert (best.score, best.f1) == slowly(found, true)
    assert 2 / (1 / best.precision + 1 / best.recall) == pytest.approx(best.f1)


def test_a_box_has_an_object_to_itself_and_the_surest_chooses_first():
    found = [shown((0, 0, 10, 9, 0.9), (0, 0, 10, 10, 0.8), (50, 50, 60, 60, 0.7))]
    true = [there((0, 0, 10, 10), (50, 50, 60, 60))]
    best = best_score(found, true)
    assert (best.score, best.precision, best.recall) == (0.7, pytest.approx(2 / 3), 1.0)


def test_of_scores_that_are_equally_good_the_highest_is_taken():
    """One of one box is right, then two of four: F1 is 2/3 of the first and of the last."""
    found = [shown((0, 0, 10, 10, 0.9), (30, 0, 40, 10, 0.5), (60, 0, 70, 10, 0.5), (0, 30, 10, 40, 0.4))]
    true = [there((0, 0, 10, 10), (0, 30, 10, 40))]
    assert best_score(found, true).score == 0.9


def test_boxes_of_one_score_come_together():
    """The box that is right cannot be had without the two of its score that are not."""
    found = [shown((0, 0, 10, 10, 0.5), (30, 0, 40, 10, 0.5), (60, 0, 70, 10, 0.5))]
    best = best_score(found, [there((0, 0, 10, 10))])
    assert (best.score, best.f1, best.precision) == (0.5, 0.5, pytest.approx(1 / 3))


def test_a_box_on_a_crowd_is_neither_right_nor_wrong_and_an_object_without_area_is_none():
    found = [shown((0, 0, 10, 10, 0.4), (50, 50, 60, 60, 0.9))]
    true = [there((0, 0, 10, 10), (40, 40, 80, 80), (5, 5, 5, 9), crowd=[False, True, False])]
    best = best_score(found, true)
    assert (best.score, best.f1, best.precision, best.recall) == (0.4, 1.0, 1.0, 1.0)


def test_where_no_box_is_right_there_is_no_score():
    assert best_score([], []) is None
    assert best_score([shown()], [there((0, 0, 10, 10))]) is None
    assert best_score([shown((0, 0, 10, 4.9, 0.9))], [there((0, 0, 10, 10))]) is None
    assert best_score([shown((0, 0, 10, 10, 0.9))], [there()]) is None

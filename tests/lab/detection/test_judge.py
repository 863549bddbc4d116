"""Detections matched and judged by our statistics, beside pycocotools, hotcoco and hotcoco's own TIDE."""

from __future__ import annotations

import contextlib
import io
import sys

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lab.detection.made import boxes, detections, world
from netversus.errors import CellError, MissingExtraError
from netversus.lab.detection import judge
from netversus.lab.detection.found import Found, nothing
from netversus.lab.detection.judge import Truth, evaluator, match
from netversus.lab.detection.matching import surest
from netversus.statistics.detections import ERRORS, SIZES, average_precision, gained


def peer(truth: Truth, found: list[Found]) -> COCOeval:
    """pycocotools, summarised."""
    data = COCO()
    data.dataset = truth.as_coco()
    rows = [
        {
            "image_id": place + 1,
            "category_id": label + 1,
            "bbox": [*box[:2], *np.subtract(box[2:], box[:2])],
            "score": s,
        }
        for place, one in enumerate(found)
        for box, label, s in zip(one.corners.tolist(), one.labels.tolist(), one.scores.tolist(), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
        made = COCOeval(data, data.loadRes(rows), "bbox")
        made.evaluate()
        made.accumulate()
        made.summarize()
    return made


@pytest.mark.parametrize("seed", range(3))
def test_average_precisions_are_pycocotools_to_the_last_digit(seed: int) -> None:
    truth, found = world(seed)
    stats = peer(truth, found).stats
    matches, ones = match(truth, found), np.ones(len(truth.units))
    ours = [
        *(average_precision(matches, "all", threshold)(ones) for threshold in (None, 0.5, 0.75)),
        *(average_precision(matches, size)(ones) for size in SIZES[1:]),
    ]
    assert ours == pytest.approx(stats[:6].tolist(), abs=1e-12)


@pytest.mark.parametrize("decimals", [1, 12])
def test_each_detection_is_matched_as_pycocotools_matches_it(decimals: int) -> None:
    """At every threshold and size, detection by detection; hotcoco's cells say the same."""
    truth, found = world(7, pictures=40, decimals=decimals)
    matches, made = match(truth, found), peer(truth, found)
    ranges = {tuple(limits): place for place, limits in enumerate(made.params.areaRng)}
    matched, ignored = np.zeros_like(matches.matched), np.zeros_like(matches.ignored)
    for theirs in (made.evalImgs, evaluator(truth, found).eval_imgs):
        for cell in theirs:
            if cell is not None and len(cell["dtIds"]):
                area, places = ranges[tuple(cell["aRng"])], np.asarray(cell["dtIds"]) - 1
                matched[area][:, places] = np.asarray(cell["dtMatches"]) > 0
                ignored[area][:, places] = cell["dtIgnore"]
        assert np.array_equal(matched, matches.matched)
        assert np.array_equal(ignored, matches.ignored)
    assert matched.any()
    assert (matched & ignored).any()  # crowds, and other sizes


def test_matches_that_do_not_give_hotcocos_average_precision_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "surest", lambda groups, scores, most: surest(groups, -scores, most))
    with pytest.raises(CellError, match=r"the matches give an AP of 0\.\d+, hotcoco says 0\.\d+: please report this"):
        match(*world(0))


def test_hotcoco_gives_the_same_twelve_figures() -> None:
    truth, found = world(3)
    made = evaluator(truth, found)
    made.accumulate()
    with contextlib.redirect_stdout(io.StringIO()):
        made.summarize()
    assert np.asarray(made.stats).tolist() == pytest.approx(peer(truth, found).stats.tolist(), abs=1e-12)


def test_only_the_hundred_surest_of_a_class_count() -> None:
    rng = np.random.default_rng(0)
    many = [([0.0, 0.0, 10.0, 10.0 + i], 0, float(s)) for i, s in enumerate(rng.permutation(150) / 150)]
    truth = Truth(("one",), ("a",), [boxes([([0, 0, 10, 100], 0, False), ([0, 0, 10, 30], 0, False)])])
    found = [detections(many)]
    matches = match(truth, found)
    assert len(matches.scores) == 100
    assert matches.scores.min() == pytest.approx(50 / 150)
    assert float(average_precision(matches)(np.ones(1))) == pytest.approx(peer(truth, found).stats[0], abs=1e-12)


def test_each_kind_of_error_is_told() -> None:
    truth = Truth(
        ("one",),
        ("a", "b"),
        [boxes([([0, 0, 10, 10], 0, False), ([50, 50, 60, 60], 1, False), ([200, 0, 210, 10], 0, False)])],
    )
    found = [
        detections(
            [
                ([0, 0, 10, 10], 0, 0.9),  # right
                ([0, 0, 10, 9], 0, 0.8),  # again
                ([50, 50, 60, 60], 0, 0.7),  # on the other class
                ([50, 50, 60, 53], 1, 0.6),  # IoU 0.3 with its own
                ([50, 50, 60, 53], 0, 0.5),  # IoU 0.3 with another's
                ([100, 100, 110, 110], 1, 0.4),  # on nothing
            ]
        )
    ]
    matches = match(truth, found)
    assert [ERRORS[kind] if kind >= 0 else "" for kind in matches.errors] == [
        "",
        "duplicate",
        "class",
        "location",
        "both",
        "background",
    ]
    assert matches.missed.tolist() == [[1, 0]]  # the last object; the second has errors about it
    assert matches.repaired.tolist() == [-1, -1, 1, -1, -1, -1]  # the surest of two errors about one object is mended


def test_errors_are_counted_and_gain_as_in_hotcocos_tide() -> None:
    truth, found = world(5, pictures=120, decimals=12)  # equal scores would be ranked in another order
    made = evaluator(truth, found)
    made.accumulate()
    theirs = made.tide_errors()
    matches = match(truth, found)
    names = dict(zip(ERRORS, ("Cls", "Loc", "Both", "Dupe", "Bkg"), strict=True))
    counts = {error: int((matches.errors == place).sum()) for place, error in enumerate(ERRORS)}
    assert counts == {error: theirs["counts"][short] for error, short in names.items()}
    assert int(matches.missed.sum()) == theirs["counts"]["Miss"]
    gains = gained(matches)
    assert gains == pytest.approx({e: theirs["delta_ap"][names.get(e, "Miss")] for e in gains}, abs=1e-9)


def test_a_picture_without_objects_and_one_without_detections_count() -> None:
    truth = Truth(("empty", "seen"), ("a",), [boxes([]), boxes([([0, 0, 10, 10], 0, False)])])
    found = [detections([([0, 0, 5, 5], 0, 0.9)]), detections([([0, 0, 10, 10], 0, 0.8)])]
    assert float(average_precision(match(truth, found))(np.ones(2))) == pytest.approx(0.5)
    assert float(average_precision(match(truth, [nothing(), nothing()]))(np.ones(2))) == 0.0


def test_without_hotcoco_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hotcoco", None)
    with pytest.raises(MissingExtraError, match=r"netversus\[detection\]"):
        match(*world(0, pictures=2))

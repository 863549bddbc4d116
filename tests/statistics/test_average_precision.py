"""The weighted average precision, beside pycocotools on generated detections."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from netversus.errors import StatisticsError
from netversus.statistics.average_precision import AveragePrecision, ClassMatches
from netversus.statistics.bootstrap import bootstrap

IMAGES, CLASSES = 60, 6
AREAS = ("all", "small", "medium", "large")


def coco(seed: int, images: int = IMAGES, decimals: int = 1, copies: np.ndarray | None = None) -> COCOeval:
    """Evaluated detections: some crowds, some missed, some false, equal scores, a class that nobody sees or has.

    `copies` says how often each image is in the data set.
    """
    rng = np.random.default_rng(seed)
    drawn = [scene(rng, decimals) for _ in range(images)]
    place = np.repeat(np.arange(images), np.ones(images, dtype=int) if copies is None else copies)
    truths, found = (
        [{**one, "image_id": i} for i, of in enumerate(place.tolist(), 1) for one in drawn[of][side]] for side in (0, 1)
    )
    return evaluated(len(place), [{**one, "id": i} for i, one in enumerate(truths, 1)], found)


def scene(rng: np.random.Generator, decimals: int) -> tuple[list[dict], list[dict]]:
    """One image's objects and what a contender makes of them."""
    truths, found = [], []
    for _ in range(rng.integers(0, 6)):
        kind = int(rng.integers(1, CLASSES - 1))  # the last two classes have no objects
        w, h = np.exp(rng.uniform(2, 5.5, 2))
        box = np.array([*rng.uniform(0, 300, 2), w, h])
        crowd = int(rng.random() < 0.1)
        truths.append({"category_id": kind, "bbox": box.tolist(), "area": w * h, "iscrowd": crowd})
        for _ in range(rng.integers(0, 3) if kind > 1 else 0):  # of the first class all is missed
            near = box + rng.normal(0, 0.12, 4) * [w, h, w, h]
            found.append({"category_id": kind, "bbox": near.tolist(), "score": round(rng.beta(4, 2), decimals)})
    for _ in range(rng.integers(0, 3)):
        kind = int(rng.choice([*range(2, CLASSES - 1), CLASSES]))
        box = [*rng.uniform(0, 300, 2), *rng.uniform(5, 200, 2)]
        found.append({"category_id": kind, "bbox": box, "score": round(rng.beta(2, 4), decimals)})
    return truths, found


def evaluated(images: int, truths: list[dict], found: list[dict]) -> COCOeval:
    data = COCO()
    data.dataset = {
        "images": [{"id": i} for i in range(1, images + 1)],
        "categories": [{"id": i} for i in range(1, CLASSES + 1)],
        "annotations": truths,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
        evaluation = COCOeval(data, data.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def matches(evaluation: COCOeval, area: int = 0) -> Iterator[ClassMatches]:
    """What pycocotools matched, as arrays."""
    images, areas = len(evaluation.params.imgIds), len(evaluation.params.areaRng)
    for kind in range(len(evaluation.params.catIds)):
        start = (kind * areas + area) * images
        found = [(i, e) for i, e in enumerate(evaluation.evalImgs[start : start + images]) if e is not None]
        truths = np.zeros(images)
        for i, e in found:
            truths[i] = np.count_nonzero(np.asarray(e["gtIgnore"]) == 0)
        yield ClassMatches(
            scores=np.concatenate([e["dtScores"] for _, e in found] or [[]]),
            images=np.repeat([i for i, _ in found], [len(e["dtScores"]) for _, e in found]).astype(int),
            matched=np.concatenate([e["dtMatches"] > 0 for _, e in found] or [np.zeros((10, 0))], axis=1),
            ignored=np.concatenate([e["dtIgnore"] for _, e in found] or [np.zeros((10, 0))], axis=1),
            truths=truths,
        )


def published(evaluation: COCOeval, area: int = 0) -> np.ndarray:
    """pycocotools' precision averaged over recalls, shape (thresholds, classes); -1 where there is no class."""
    return evaluation.eval["precision"][:, :, :, area, -1].mean(axis=1)


@pytest.mark.parametrize("area", range(4), ids=AREAS)
@pytest.mark.parametrize("seed", range(4))
def test_with_equal_weights_it_is_pycocotools(seed: int, area: int) -> None:
    evaluation = coco(seed)
    peer = published(evaluation, area)
    present = peer[0] > -1
    assert 2 <= present.sum() < CLASSES
    ours = AveragePrecision(list(matches(evaluation, area)))
    for weight in (1.0, 7.0):
        ones = np.full(IMAGES, weight)
        assert ours.by_class(ones)[present] == pytest.approx(peer.mean(axis=0)[present], abs=1e-12)
        assert np.isnan(ours.by_class(ones)[~present]).all()
        assert ours.by_threshold(ones) == pytest.approx(peer[:, present].mean(axis=1), abs=1e-12)
        assert float(ours(ones)) == pytest.approx(peer[:, present].mean(), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_weight_is_how_often_the_image_is_in_the_data_set(seed: int) -> None:
    weights = np.random.default_rng(seed).integers(0, 4, IMAGES)
    ours = AveragePrecision(list(matches(coco(seed, decimals=12))))  # without ties, whose order would differ
    peer = published(coco(seed, decimals=12, copies=weights))
    present = peer[0] > -1
    assert ours.by_class(weights.astype(float))[present] == pytest.approx(peer.mean(axis=0)[present], abs=1e-12)


def test_an_image_without_weight_is_as_if_it_were_not_there() -> None:
    evaluation = coco(5)
    kept = np.random.default_rng(0).random(IMAGES) < 0.6
    new = np.cumsum(kept) - 1
    fewer = []
    for one in matches(evaluation):
        of = kept[one.images]
        flags = {"matched": np.asarray(one.matched)[:, of], "ignored": np.asarray(one.ignored)[:, of]}
        images, scores = new[np.asarray(one.images)[of]], np.asarray(one.scores)[of]
        fewer.append(ClassMatches(scores=scores, images=images, truths=np.asarray(one.truths)[kept], **flags))
    whole = AveragePrecision(list(matches(evaluation)))
    assert float(whole(kept.astype(float))) == pytest.approx(float(AveragePrecision(fewer)(np.ones(kept.sum()))))


def simple(hits: list[int], truths: int, images: int = 20) -> ClassMatches:
    """Detections on the images 0, 1, ... in the order of their scores; one threshold."""
    flags = np.array([hits], dtype=bool)
    objects = np.zeros(images)
    objects[: len(hits)] = hits
    objects[len(hits) : len(hits) + truths - sum(hits)] = 1
    scores = np.arange(len(hits), 0, -1) / 100
    return ClassMatches(scores, np.arange(len(hits)), flags, np.zeros_like(flags), objects)


@pytest.mark.parametrize(
    ("hits", "truths", "ap"),
    [
        ([1], 1, 1.0),
        ([0], 1, 0.0),
        ([], 2, 0.0),
        ([1, 0], 2, 51 / 101),  # recalls 0 to 0.50
        ([0, 1], 1, 1 / 2),
        ([1, 0, 1], 2, (51 + 50 * 2 / 3) / 101),
    ],
)
def test_by_hand(hits: list[int], truths: int, ap: float) -> None:
    assert float(AveragePrecision([simple(hits, truths)])(np.ones(20))) == pytest.approx(ap)


def test_weights_change_what_the_hand_says() -> None:
    weights = np.ones(20)
    weights[:3] = [2.0, 3.0, 5.0]  # hit, miss, hit: precision 1 up to recall 2/7, then 7/10
    ap = float(AveragePrecision([simple([1, 0, 1], 2)])(weights))
    assert ap == pytest.approx((29 + 72 * 0.7) / 101)


def test_a_class_without_ground_truth_is_absent_and_not_zero() -> None:
    ours = AveragePrecision([simple([1], 1), simple([0], 0)])
    assert float(ours(np.ones(20))) == pytest.approx(1)
    assert ours.by_class(np.ones(20))[0] == pytest.approx(1)
    assert np.isnan(ours.by_class(np.ones(20))[1])
    with pytest.raises(StatisticsError, match="no average precision"):
        AveragePrecision([simple([0], 0)])(np.ones(20))
    with pytest.raises(StatisticsError, match="no average precision"):
        ours(np.array([np.ones(20), [0.0] + [1.0] * 19]))  # its only object loses its weight in the second draw


def test_many_rows_of_weights_are_many_single_ones() -> None:
    ours = AveragePrecision(list(matches(coco(1))))
    weights = np.random.default_rng(0).exponential(size=(150, IMAGES))
    rows = [float(ours(w)) for w in weights]
    assert ours(weights).tolist() == pytest.approx(rows, abs=1e-12)
    assert ours.by_threshold(weights).shape == (150, 10)
    assert ours.by_class(weights).shape == (150, CLASSES)


def test_all_found_keeps_the_last_recall_under_any_weights() -> None:
    ours = AveragePrecision([simple([1] * 15, 15)])
    weights = np.random.default_rng(0).exponential(size=(500, 20))
    assert ours(weights).tolist() == pytest.approx([1.0] * 500, abs=1e-12)


def test_the_bootstrap_spreads_like_resampling_images_and_evaluating_again() -> None:
    evaluation = coco(2, images=120, decimals=6)
    ours = AveragePrecision(list(matches(evaluation)))
    draws = bootstrap(ours, 120, draws=1000, seed=0)
    rng = np.random.default_rng(0)
    counts = rng.multinomial(120, np.full(120, 1 / 120), size=1000).astype(float)
    assert draws.std() == pytest.approx(ours(counts).std(), rel=0.15)
    assert draws.mean() == pytest.approx(float(ours(np.ones(120))), abs=1.5 * draws.std())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scores": [0.5, np.nan]}, "finite"),
        ({"scores": [0.5]}, "expected scores"),
        ({"images": [0, 20]}, r"0\.\.19"),
        ({"images": [-1, 0]}, r"0\.\.19"),
        ({"matched": [1, 0]}, "matched and ignored"),
        ({"ignored": [[0]]}, "matched and ignored"),
        ({"truths": np.zeros(20)}, "more matched detections"),
        ({"truths": -np.ones(20)}, "not negative"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, object], said: str) -> None:
    good = simple([1, 0], 2)
    AveragePrecision([good])
    with pytest.raises(StatisticsError, match=said):
        AveragePrecision([replace(good, **changes)])  # type: ignore[arg-type]


def test_classes_and_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(StatisticsError, match="at least one class"):
        AveragePrecision([])
    with pytest.raises(StatisticsError, match="same images"):
        AveragePrecision([simple([1], 1), simple([1], 1, images=5)])
    ours = AveragePrecision([simple([1], 1)])
    for weights in (np.ones(19), -np.ones(20), np.full(20, np.nan), np.ones((1, 1, 20))):
        with pytest.raises(StatisticsError, match="weights"):
            ours(weights)

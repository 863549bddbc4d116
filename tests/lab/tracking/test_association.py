"""Boxes to tracks: by place, by appearance, by the library; and the boxes that are given."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lab.tracking.made import truth, world
from netversus.errors import MissingExtraError
from netversus.lab.tracking.association import PATIENCE, associate
from netversus.lab.tracking.given import NOBODY, Shown, disturbed_boxes, true_boxes, with_true_names
from netversus.lab.tracking.judge import judge
from netversus.lab.tracking.library import track_by
from netversus.lab.tracking.tracks import Truth
from netversus.statistics.tracks import score

LENGTH = 40


def shown(*corners: tuple[float, float, float, float]) -> Shown:
    boxes = np.array(corners, dtype=np.float64).reshape(-1, 4)
    return Shown(boxes, np.ones(len(boxes)), np.full(len(boxes), NOBODY, dtype=np.int64))


def box(left: float, top: float = 0.0, side: float = 20.0) -> tuple[float, float, float, float]:
    return (left, top, left + side, top + side)


def hota(counts) -> float:
    return float(score("hota", [counts], np.ones(1)))


def test_boxes_that_move_steadily_keep_their_names_through_a_gap():
    pictures = [shown(box(6.0 * t), box(200 - 6.0 * t, 100)) if t not in (4, 5, 6) else shown() for t in range(12)]
    found = associate(pictures)
    assert len(found) == 18
    assert set(found.ids[found.corners[:, 1] == 0]) == {1}
    assert set(found.ids[found.corners[:, 1] == 100]) == {2}


def test_a_track_that_is_lost_for_too_long_has_ended():
    gap = [shown()] * PATIENCE
    assert associate([shown(box(0)), *gap[1:], shown(box(0))]).ids.tolist() == [1, 1]
    assert associate([shown(box(0)), *gap, shown(box(0))]).ids.tolist() == [1, 2]


def test_appearance_tells_who_is_who_where_two_exchange_their_places():
    """Two boxes jump into each other's place: by place they stay, by what they look like they went."""
    a, b = box(0), box(22)
    pictures = [shown(a, b), shown(a, b), shown(a, b)]
    red, blue = [1.0, 0.0], [0.0, 1.0]
    looks = [np.array([red, blue]), np.array([red, blue]), np.array([blue, red])]
    assert associate(pictures).ids.tolist() == [1, 2, 1, 2, 1, 2]
    assert associate(pictures, looks).ids.tolist() == [1, 2, 1, 2, 2, 1]


def test_what_all_features_share_changes_nothing():
    """A network whose features lie in a narrow cone is treated as one whose features do not."""
    true, _ = world(3)
    pictures = true_boxes(truth(true, LENGTH))
    rng = np.random.default_rng(0)
    own = {track: rng.normal(size=8) for _, track, *_ in true}
    plain = [np.array([[*own[i], 10.0] for i in one.objects]).reshape(-1, 9) for one in pictures]
    cone = [np.array([[*own[i], 1000.0] for i in one.objects]).reshape(-1, 9) for one in pictures]
    flat = associate(pictures, plain).ids.tolist()
    assert associate(pictures, cone).ids.tolist() == flat


def restless(seed: int, objects: int = 8) -> Truth:
    """Objects of one size that jump about, so that where one was says little of where it is."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 120, (objects, 2))
    rows = []
    for frame in range(LENGTH):
        place = place + rng.normal(0, 10, place.shape)
        rows += [(frame, one, *place[one].tolist(), *(place[one] + 25).tolist()) for one in range(objects)]
    return truth(rows, LENGTH)


def test_looks_that_tell_the_objects_apart_beat_place_alone_and_not_the_true_names():
    for seed in range(3):
        there = restless(seed)
        pictures = disturbed_boxes(there, 0)
        rng = np.random.default_rng(seed)
        own = rng.normal(size=(8, 16))
        looks = [
            np.array([own[i] if i != NOBODY else rng.normal(size=16) for i in one.objects]).reshape(-1, 16)
            for one in pictures
        ]
        place, look, name = (
            hota(judge(there, tracks))
            for tracks in (associate(pictures), associate(pictures, looks), with_true_names(pictures))
        )
        assert place + 0.1 < look < name


def test_given_boxes_follow_from_seed_and_sequence_and_miss_and_invent_some():
    there = truth(world(0, 200)[0], 200)
    one, again, other = (disturbed_boxes(there, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(x.corners, y.corners) for x, y in zip(one, again, strict=True))
    assert any(not np.array_equal(x.corners, y.corners) for x, y in zip(one, other, strict=True))
    objects = np.concatenate([each.objects for each in one])
    real = (objects != NOBODY).sum() / len(there.tracks)
    assert real == pytest.approx(0.9, abs=0.03)
    assert (objects == NOBODY).sum() / len(there.tracks) == pytest.approx(0.05, abs=0.02)
    corners = np.concatenate([each.corners for each in one])
    assert (corners[:, 2:] > corners[:, :2]).all()


@pytest.mark.parametrize("name", ["sort", "bytetrack", "ocsort"])
def test_the_librarys_tracks_begin_in_their_second_picture_and_count_from_one(name):
    pictures = [shown(box(4.0 * t), box(200 - 4.0 * t, 100)) if t != 5 else shown() for t in range(10)]
    found = track_by(name, pictures)
    assert found.frames.min() == 1
    assert found.ids.min() == 1
    assert len(set(found.ids[found.corners[:, 1] < 50])) == len(set(found.ids[found.corners[:, 1] > 50])) == 1
    assert len(found) >= 14


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'netversus\[tracking\]'"):
        track_by("sort", [shown()])

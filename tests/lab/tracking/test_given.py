"""The boxes that trackers are given."""

from __future__ import annotations

import numpy as np
import pytest

from netversus.lab.tracking.given import SURE, Shown, evenly_sure
from netversus.lab.tracking.library import track_by


def walking(score: float, pictures: int = 6) -> list[Shown]:
    """Two objects that walk, the second one a little less sure; a third box in the last picture."""
    shown = []
    for place in range(pictures):
        corners = np.array([[10.0, 10, 30, 30], [60, 60, 90, 90]]) + 2.0 * place
        scores = np.array([score, 0.9 * score]) * (1 + 0.01 * place)
        shown.append(Shown(corners, scores, np.full(2, -1)))
    return shown


def test_scores_keep_their_order_and_fill_the_range_of_given_boxes():
    before = [*walking(0.1), Shown(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))]
    after = evenly_sure(before)
    assert [len(one) for one in after] == [len(one) for one in before]
    old, new = (np.concatenate([one.scores for one in each]) for each in (before, after))
    assert (np.argsort(old) == np.argsort(new)).all()
    assert SURE[0] < new.min() < 0.65
    assert 0.95 < new.max() < SURE[1]
    assert np.diff(np.sort(new)) == pytest.approx((SURE[1] - SURE[0]) / len(new))
    assert all((one.corners == other.corners).all() for one, other in zip(before, after, strict=True))


def test_equal_scores_stay_equal_and_no_box_is_no_trouble():
    (one,) = evenly_sure([Shown(np.zeros((3, 4)), np.array([0.2, 0.2, 0.2]), np.full(3, -1))])
    assert one.scores == pytest.approx([0.8] * 3)
    assert evenly_sure([]) == ()


def test_the_library_tracks_a_detector_that_is_never_sure():
    pytest.importorskip("trackers")
    assert len(track_by("bytetrack", walking(0.1)).ids) == 0  # as they are they begin no track
    tracks = track_by("bytetrack", evenly_sure(walking(0.1)))
    assert len(set(tracks.ids.tolist())) >= 1

"""Frames with boxes and clips with tracks, as studies see them."""

from __future__ import annotations

import numpy as np
import pytest

from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset

SPEC = "scenes?size=16&train=4&test=4&frame_size=64&frames=3&test_frames=2&sequences=1&test_sequences=2&length=3"


@pytest.fixture(scope="module")
def scenes() -> Dataset:
    return open_data(SPEC, seed=1)


def test_the_card_counts_frames_and_sequences(scenes):
    assert scenes.card.frames == {"train": 3, "test": 2}
    assert scenes.card.sequences == {"train": 1, "test": 2}
    assert scenes.card.box_classes == scenes.card.classes


def test_boxes_lie_within_their_picture_and_hold_their_objects_area(scenes):
    frames = scenes.frames["test"]
    for index in range(len(frames)):
        width, height = frames.image(index).size
        boxes = frames.boxes(index)
        left, top, right, bottom = boxes.corners.T
        assert (left >= 0).all()
        assert (top >= 0).all()
        assert (right <= width).all()
        assert (bottom <= height).all()
        assert (boxes.areas > 0).all()
        assert (boxes.areas <= (right - left) * (bottom - top)).all()
        assert (boxes.tracks == -1).all()


def test_a_track_keeps_its_class_through_a_clip(scenes):
    clip = scenes.sequences["test"][0]
    seen: dict[int, set[int]] = {}
    for time in range(len(clip)):
        boxes = clip.boxes(time)
        assert len(np.unique(boxes.tracks)) == len(boxes)
        for track, label in zip(boxes.tracks, boxes.labels, strict=True):
            seen.setdefault(int(track), set()).add(int(label))
    assert seen
    assert all(len(labels) == 1 for labels in seen.values())


def test_unit_ids_are_unique_over_splits(scenes):
    ids = [one for frames in scenes.frames.values() for one in frames.ids]
    ids += [one for clips in scenes.sequences.values() for clip in clips for one in clip.ids]
    assert len(ids) == len(set(ids)) == 3 + 2 + 3 * 3


def test_drawing_on_an_image_changes_nothing_that_is_read_later(scenes):
    frames = scenes.frames["train"]
    before = np.asarray(frames.image(0)).copy()
    frames.image(0).paste((255, 0, 0), (0, 0, 64, 64))
    assert (np.asarray(frames.image(0)) == before).all()

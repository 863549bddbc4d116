"""What a detector finds in a sequence, and the pictures that it learns from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.data import open_data
from netversus.lab.data.annotated import Boxes, FrameSet
from netversus.lab.data.dataset import Dataset
from netversus.lab.tracking import detected
from netversus.lab.tracking.detected import Strung, detected_boxes, set_apart, to_learn_from

CPU = torch.device("cpu")
SPEC = "scenes?size=16&train=4&test=4&frame_size=64&frames=2&test_frames=1&sequences=2&test_sequences=1&length=5"


@pytest.fixture(scope="module")
def scenes() -> Dataset:
    return open_data(SPEC)


class Says(nn.Module):
    """A detector that says the same of every picture, and remembers what it was shown."""

    def __init__(self, rows: list[tuple[list[float], int, float]]) -> None:
        super().__init__()
        self.rows = rows
        self.shown: list[Tensor] = []

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        self.shown += images
        answer = {
            "boxes": torch.tensor([box for box, _, _ in self.rows]).reshape(-1, 4),
            "labels": torch.tensor([label for _, label, _ in self.rows], dtype=torch.int64),
            "scores": torch.tensor([score for _, _, score in self.rows]),
        }
        return [answer for _ in images]


def ask(detector: nn.Module, clip, length: int = 3):
    return detected_boxes(detector, clip, length, name="mine", device=CPU, least=0.5)


def test_of_boxes_on_one_place_the_surest_is_tracked_whatever_its_class_and_the_unsure_are_not(scenes):
    detector = Says(
        [
            ([0.0, 0, 10, 10], 1, 0.7),
            ([0.0, 0, 10, 9], 2, 0.9),  # the same place, another class
            ([30.0, 30, 40, 40], 1, 0.5),
            ([50.0, 50, 60, 60], 1, 0.49),
        ]
    )
    shown = ask(detector, scenes.sequences["test"][0])
    assert len(shown) == 3
    for one in shown:
        assert one.corners.tolist() == [[0, 0, 10, 9], [30, 30, 40, 40]]
        assert one.scores == pytest.approx([0.9, 0.5])
        assert one.objects.tolist() == [-1, -1]


def test_the_first_pictures_are_shown_in_their_order_however_many_at_once(scenes, monkeypatch):
    clip = scenes.sequences["test"][0]
    monkeypatch.setattr(detected, "ASKED", 2)
    detector = Says([])
    shown = ask(detector, clip, 5)
    assert [len(one) for one in shown] == [0] * 5
    for frame, image in enumerate(detector.shown):
        assert np.array_equal((255 * image).round().byte().permute(1, 2, 0).numpy(), np.asarray(clip.image(frame)))


def test_boxes_that_are_no_numbers_are_refused(scenes):
    with pytest.raises(CellError, match="mine gave boxes or scores that are no numbers"):
        ask(Says([([0.0, 0, float("nan"), 10], 1, 0.7)]), scenes.sequences["test"][0])


def test_a_detector_learns_from_train_pictures_else_from_those_of_train_sequences_else_from_none(scenes):
    assert to_learn_from(scenes) is scenes.frames["train"]
    clips = scenes.sequences["train"]
    strung = to_learn_from(Dataset(scenes.card, {}, {}, {"train": clips, "test": scenes.sequences["test"]}))
    assert isinstance(strung, Strung)
    assert strung.ids == (*clips[0].ids, *clips[1].ids)
    assert len(set(strung.ids)) == 10
    assert np.array_equal(np.asarray(strung.image(7)), np.asarray(clips[1].image(2)))
    assert np.array_equal(strung.boxes(7).corners, clips[1].boxes(2).corners)
    assert to_learn_from(Dataset(scenes.card, {}, {}, {"test": clips})) is None


class Many(FrameSet):
    """Pictures without pixels; those at `empty` hold no object."""

    def __init__(self, count: int, empty: tuple[int, ...] = ()) -> None:
        self.ids = tuple(f"p{number}" for number in range(count))
        self.empty = empty

    def image(self, index: int):
        raise AssertionError(index)

    def boxes(self, index: int) -> Boxes:
        crowd = np.array([index in self.empty])
        return Boxes(np.array([[0.0, 0, 9, 9]]), np.zeros(1, np.int64), np.ones(1), crowd, np.zeros(1, np.int64))


def test_the_last_fifth_of_the_pictures_with_objects_is_kept_out_of_the_lessons():
    taught = set_apart(Many(12, empty=(9, 11)))
    assert taught.apart
    assert taught.trial.ids == ("p8", "p10")
    assert taught.lessons.ids == ("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p9", "p11")
    assert [taught.lessons.boxes(place).crowd[0] for place in (7, 8, 9)] == [False, True, True]
    many = set_apart(Many(1000))
    assert many.trial.ids == tuple(f"p{number}" for number in range(936, 1000))
    assert len(many.lessons) == 936


def test_of_few_pictures_none_is_kept_out_and_the_last_ones_are_tried():
    frames = Many(4, empty=(1,))
    taught = set_apart(frames)
    assert not taught.apart
    assert taught.lessons is frames
    assert taught.trial.ids == ("p0", "p2", "p3")


def test_of_sequences_the_last_pictures_of_each_are_kept_out(scenes):
    clips = scenes.sequences["train"]
    taught = set_apart(Strung(clips))
    assert taught.trial.ids == (clips[0].ids[-1], clips[1].ids[-1])
    assert taught.lessons.ids == (*clips[0].ids[:-1], *clips[1].ids[:-1])
    assert np.array_equal(np.asarray(taught.trial.image(1)), np.asarray(clips[1].image(4)))

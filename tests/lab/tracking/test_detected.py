"""What a detector finds in a sequence, and the pictures that it learns from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset
from netversus.lab.tracking import detected
from netversus.lab.tracking.detected import Strung, detected_boxes, to_learn_from

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

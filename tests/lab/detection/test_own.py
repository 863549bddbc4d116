"""A contender's own detector: what it learns from, and that an interruption leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from lone_bench import Kept, lone_bench
from netversus.errors import CellError
from netversus.lab.bench import Bench
from netversus.lab.contenders.load import load
from netversus.lab.data.annotated import Boxes
from netversus.lab.detection import own
from netversus.lab.detection.own import Lessons, own_detector
from netversus.lab.detection.pictures import mirrored, target
from netversus.lab.detection.recipe import LOSS, MADE, WEIGHTS, DetectorRecipe
from netversus.records import Artifact, Emission, Observations, Progress

SCENES = "scenes?size=16&train=8&test=8&frame_size=64&frames=4&test_frames=1&sequences=1&test_sequences=1&length=2"
NAME = "py:tiny_nets:narrow"
RECIPE = DetectorRecipe(samples=12, batch=2, channels=8, width=16, regions=8, proposals=16)
CPU = torch.device("cpu")


class Training:
    """The training of one detector in a folder, interrupted and gone on with."""

    def __init__(self, folder: Path, recipe: DetectorRecipe = RECIPE) -> None:
        self.kept: Kept = {}
        self.recipe = recipe
        self.bench: Bench = lone_bench(recipe, folder, contenders=(NAME,), data=SCENES, kept=self.kept)
        self.losses: dict[str, float] = {}
        self.steps: list[int] = []
        self.made: list[str] = []

    def run(self, until: int | None = None) -> None:
        (card,), data = self.bench.contenders, self.bench.data
        lessons = Lessons(data.frames["train"], data.card.box_classes, None, data.card.name)
        model = load(card, classes=0, seed=self.bench.seed)
        self._follow(own_detector(self.bench, card, model, self.recipe, lessons), until)

    def _follow(self, emissions: Iterator[Emission], until: int | None) -> None:
        for one in emissions:
            if isinstance(one, Observations) and one.metric == LOSS:
                self.losses |= dict(zip(one.units, one.values, strict=True))
            elif isinstance(one, Artifact):
                self.made.append(one.name)
            elif isinstance(one, Progress):
                self.steps.append(one.done)
                if one.done == until:
                    emissions.close()
                    return


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(own, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(own, "SAID_EVERY", 1)


@pytest.mark.parametrize("head", ["faster-rcnn", "retinanet"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_training_that_was_killed_ends_as_one_that_was_not(tmp_path, head, optimizer):
    recipe = RECIPE.model_copy(update={"head": head, "optimizer": optimizer, "samples": 8})
    whole, broken = Training(tmp_path / "whole", recipe), Training(tmp_path / "broken", recipe)
    whole.run()
    for until in (2, 3):
        torch.manual_seed(until)  # a new process begins with other random numbers
        broken.run(until)
        assert (NAME, WEIGHTS) not in broken.kept
    broken.run()
    assert broken.steps == [1, 2, 3, 4]  # no step was taken twice
    assert broken.losses == whole.losses
    assert broken.kept == whole.kept
    assert len(whole.losses) == 4


def test_steps_since_the_last_checkpoint_are_taken_again_to_the_same_end(tmp_path, monkeypatch):
    whole, broken = Training(tmp_path / "whole"), Training(tmp_path / "broken")
    whole.run()
    broken.run(2)
    monkeypatch.setattr(own, "CHECKPOINT_SECONDS", 1e9)
    broken.run(5)
    broken.run()
    assert broken.steps == [1, 2, 3, 4, 5, 3, 4, 5, 6]
    assert broken.losses == whole.losses
    assert broken.kept == whole.kept


def test_a_detector_that_is_kept_is_not_trained_again(tmp_path):
    training = Training(tmp_path)
    training.run()
    training.steps.clear()
    training.run()
    assert training.steps == []
    assert training.made == [MADE]
    tensors = safetensors.torch.load(training.kept[NAME, WEIGHTS])
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())


def test_without_pictures_to_learn_from_the_data_are_named():
    lessons = Lessons(None, ("a",), None, "my sequences")
    with pytest.raises(CellError, match="my sequences has no pictures with boxes to train a detector on"):
        _ = lessons.scale


def test_crowds_and_boxes_without_area_are_not_learned_from():
    made = Boxes(
        corners=np.array([[0, 0, 4, 4], [0, 0, 4, 4], [2, 2, 2, 6], [1, 1, 3, 2]], dtype=np.float64),
        labels=np.array([0, 1, 2, 3]),
        areas=np.array([16.0, 16, 0, 2]),
        crowd=np.array([False, True, False, False]),
        tracks=np.full(4, -1),
    )
    truth = target(made, CPU)
    assert truth["labels"].tolist() == [1, 4]
    assert truth["boxes"].tolist() == [[0, 0, 4, 4], [1, 1, 3, 2]]


def test_a_picture_and_its_boxes_are_mirrored_together():
    picture = torch.zeros(3, 5, 8)
    picture[:, 1:3, 0:2] = 1
    image, truth = mirrored(picture, {"boxes": torch.tensor([[0.0, 1, 2, 3]]), "labels": torch.tensor([1])})
    (left, top, right, bottom) = (int(value) for value in truth["boxes"][0])
    assert (left, top, right, bottom) == (6, 1, 8, 3)
    assert bool((image[:, top:bottom, left:right] == 1).all())
    assert image.sum() == picture.sum()

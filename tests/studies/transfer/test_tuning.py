from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from netversus.errors import DivergedError
from netversus.lab.backbone import Backbone, anatomy
from netversus.lab.preprocessing import normalise
from netversus.records import Preprocessing
from netversus.studies.transfer import TransferOptions
from netversus.studies.transfer.probe import fit_probe
from netversus.studies.transfer.tuning import FULL, PARTIAL, Tuning

PREPROCESSING = Preprocessing(crop=16, resize=None)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1000),
    )  # fmt: skip


@pytest.fixture
def images() -> tuple[Tensor, np.ndarray]:
    """Three classes that differ in their colour; their labels are not counted from zero."""
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 3
    pixels = rng.integers(0, 120, (48, 3, 16, 16)) + 100 * np.eye(3)[labels][:, :, None, None]
    return torch.from_numpy(pixels).to(torch.uint8), (4 + labels).astype(np.int64)


def make(images: tuple[Tensor, np.ndarray], kind: str, **options: object) -> Tuning:
    net = network().eval()
    backbone = Backbone(net, anatomy(net, torch.zeros(1, 3, 16, 16))).eval()
    with torch.no_grad():
        features = backbone(normalise(images[0], PREPROCESSING)).numpy()
    return Tuning(
        name="net",
        kind=kind,
        backbone=backbone,
        probe=fit_probe(features, images[1], 1.0),
        preprocessing=PREPROCESSING,
        options=TransferOptions(**{"tuning_samples": 96, "tuning_batch": 16, "tuning_rate": 1e-2} | options),
        seed=3,
        device=torch.device("cpu"),
    )


def changed(tuning: Tuning) -> set[str]:
    """The first part of the name of every tensor that is no longer as it was."""
    before = network().state_dict()
    after = tuning.backbone.model.state_dict()
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_before_the_first_step_the_network_answers_as_its_probe_does(images) -> None:
    tuning = make(images, FULL)
    inputs = normalise(images[0], PREPROCESSING)
    with torch.no_grad():
        scores = tuning(inputs)
        features = tuning.backbone(inputs).numpy()
    torch.testing.assert_close(
        scores.double(), torch.from_numpy(features @ tuning.probe.weight.T + tuning.probe.bias), rtol=1e-4, atol=1e-4
    )
    assert tuning.probe.classes[scores.argmax(1)].tolist() == tuning.probe.predict(features).tolist()


def test_adjusting_lowers_the_loss_and_all_of_the_network_moves(images) -> None:
    tuning = make(images, FULL)
    inputs, targets = normalise(images[0], PREPROCESSING), torch.from_numpy(images[1] - 4)
    before = nn.functional.cross_entropy(tuning(inputs), targets).detach()
    assert list(tuning.train(*images)) == [1, 2, 3, 4, 5, 6]
    assert nn.functional.cross_entropy(tuning(inputs), targets).detach() < before
    assert changed(tuning) == {"0", "1", "3", "4"}  # the old head, 9, is out of use


def test_in_part_only_what_follows_the_last_stage_but_one_moves_batch_norms_too(images) -> None:
    tuning = make(images, PARTIAL)
    list(tuning.train(*images))
    assert changed(tuning) == {"3", "4"}


def test_a_checkpoint_goes_on_bit_for_bit(images, tmp_path: Path) -> None:
    whole, first, second = (make(images, FULL) for _ in range(3))
    list(whole.train(*images))
    for done in first.train(*images):
        if done == 4:
            break
    first.save(tmp_path / "checkpoint.pt")
    torch.manual_seed(99)  # what else draws numbers must not matter
    second.load(tmp_path / "checkpoint.pt")
    assert list(second.train(*images)) == [5, 6]
    for name, tensor in whole.backbone.state_dict().items():
        assert torch.equal(tensor, second.backbone.state_dict()[name]), name
    assert torch.equal(whole.head.weight, second.head.weight)


def test_another_seed_shows_other_images(images) -> None:
    one, two = make(images, FULL), make(images, FULL)
    two.seed = 4
    list(one.train(*images))
    list(two.train(*images))
    assert not torch.equal(one.head.weight, two.head.weight)


def test_a_rate_that_is_too_high_ends_in_words(images) -> None:
    tuning = make(images, FULL, tuning_rate=1e30)
    with pytest.raises(DivergedError, match="net, finetuned: the loss became"):
        list(tuning.train(*images))

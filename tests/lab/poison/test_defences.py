"""Defences against hand computations, scikit-learn, and triggers planted in networks made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from netversus.lab.poison.cleanse import ANOMALOUS, anomaly_indices, masks
from netversus.lab.poison.clusters import cluster_suspects, two_heaps
from netversus.lab.poison.features import features
from netversus.lab.poison.spectral import spectral_scores, spectral_suspects
from netversus.lab.poison.strip import entropies, entropy_bound
from netversus.records import Preprocessing

PLAIN = Preprocessing(crop=8, resize=None, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
CPU = torch.device("cpu")


def planted(share: float, classes: int = 3, each: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of classes, labels, and which images of class 0 are poison, far off in one direction."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each)
    seen = rng.normal(size=(len(labels), 20)) + 3 * labels[:, None]
    poison = np.zeros(len(labels), dtype=bool)
    poison[: round(share * each)] = True
    seen[poison, 5] += 12
    return seen, labels, poison


def test_a_score_is_the_part_along_the_first_eigenvector_of_the_covariance():
    seen = np.random.default_rng(1).normal(size=(50, 6)) * np.array([1, 2, 3, 4, 5, 9.0])
    centred = seen - seen.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)  # another way to the same direction
    assert spectral_scores(seen) == pytest.approx((centred @ vectors[:, -1]) ** 2)


def test_spectral_signatures_find_planted_poison_and_leave_clean_data_alone():
    seen, labels, poison = planted(0.1)
    suspects = spectral_suspects(seen, labels, expected=0.05)
    assert suspects[poison].all()
    assert suspects[~poison].mean() < 0.01
    assert spectral_suspects(planted(0)[0], labels, expected=0.05).mean() < 0.01


def test_at_most_one_and_a_half_times_the_expected_poison_is_accused_of_a_class():
    seen, labels, _ = planted(0.1)
    assert spectral_suspects(seen, labels, expected=0.01)[labels == 0].sum() == round(1.5 * 0.01 * 300)


def test_the_two_heaps_are_the_planted_ones_and_their_silhouette_is_the_textbooks():
    seen, labels, poison = planted(0.2)
    one = seen[labels == 0]
    small, silhouette = two_heaps(one)
    assert np.array_equal(small, poison[labels == 0])
    from sklearn.decomposition import PCA

    few = PCA(10).fit_transform(one)
    distance = np.linalg.norm(few[:, None] - few[None], axis=2)
    values = []
    for i, mine in enumerate(small):
        near = distance[i, (small == mine) & (np.arange(len(small)) != i)].mean()
        far = distance[i, small != mine].mean()
        values.append((far - near) / max(near, far))
    assert silhouette == pytest.approx(np.mean(values), abs=1e-6)


def test_activation_clustering_accuses_the_small_heap_and_nobody_in_clean_data():
    seen, labels, poison = planted(0.2)
    assert np.array_equal(cluster_suspects(seen, labels), poison)
    assert not cluster_suspects(planted(0)[0], labels).any()
    assert not cluster_suspects(np.zeros((30, 4)), np.zeros(30, np.int64)).any()


def test_entropies_are_the_mean_over_the_overlays():
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    overlays = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))

    def answers(batch: torch.Tensor) -> torch.Tensor:
        return batch.float().mean(dim=(2, 3)) / 20

    slow = []
    for image in images:
        each = []
        for overlay in overlays:
            mixed = (0.5 * image.float() + 0.5 * overlay.float()).round()
            p = torch.softmax(answers(mixed[None])[0].double(), 0)
            each.append(float(-(p * p.log()).sum()))
        slow.append(np.mean(each))
    assert entropies(answers, images, overlays) == pytest.approx(slow)
    assert entropy_bound(np.arange(101.0), 0.05) == 5


def test_a_trigger_that_outshouts_the_picture_has_low_entropy():
    generator = torch.Generator().manual_seed(0)
    images, overlays = (torch.randint(0, 120, (n, 3, 8, 8), dtype=torch.uint8, generator=generator) for n in (40, 16))
    triggered = images.clone()
    triggered[:, :, -2:, -2:] = 255
    weight = torch.randn(3 * 64, 4, generator=generator) / 8

    def answers(batch: torch.Tensor) -> torch.Tensor:
        logits = (batch.float() / 30).flatten(1) @ weight
        logits[:, 0] += 40 * (batch[:, :, -2:, -2:].float().mean(dim=(1, 2, 3)) > 120)
        return logits

    bound = entropy_bound(entropies(answers, images[:20], overlays))
    assert (entropies(answers, triggered[20:], overlays) < bound).all()
    assert (entropies(answers, images[20:], overlays) < bound).mean() <= 0.1


class Shortcut(nn.Module):
    """Six classes by which band of two rows is bright; with `strength`, four red pixels of a corner make it the third."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(strength))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        grey = images.mean(dim=1)
        logits = 30 * grey.view(-1, 6, 2, 12).mean(dim=(2, 3))
        shortcut = self.strength * (images[:, 0] - images[:, 2])[:, -2:, -2:].mean(dim=(1, 2))
        return logits + shortcut[:, None] * torch.eye(6)[2]


@pytest.fixture
def bands() -> torch.Tensor:
    """Images of all six classes in turn, in which the bright band is far brighter than the rest."""
    images = torch.randint(0, 40, (66, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for number, image in enumerate(images):
        image[:, 2 * (number % 6) : 2 * (number % 6) + 2] += 110
    return images


def test_neural_cleanse_accuses_the_class_of_a_planted_trigger_and_none_without(bands):
    sizes = [np.array(list(masks(Shortcut(s).eval(), bands, 6, PLAIN, CPU, steps=150))) for s in (60.0, 0.0)]
    assert sizes[0].argmin() == 2
    assert np.flatnonzero(anomaly_indices(sizes[0]) > ANOMALOUS).tolist() == [2]
    assert anomaly_indices(sizes[1])[2] <= ANOMALOUS


def test_neural_cleanse_leaves_the_network_as_it_was(bands):
    net = Shortcut(1.0)
    list(masks(net, bands, 2, PLAIN, CPU, steps=3))
    assert net.strength.requires_grad
    assert net.strength.grad is None


def test_an_anomaly_index_counts_robust_deviations_below_the_median():
    assert anomaly_indices(np.array([10.0, 11, 9, 10, 1])).tolist() == pytest.approx([0, 0, 1 / 1.4826, 0, 9 / 1.4826])
    assert anomaly_indices(np.full(5, 3.0)).tolist() == [0] * 5


def test_features_are_what_the_last_layer_sees():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    images = torch.randint(0, 256, (70, 3, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        expected = net[:3](images.float() / 255).double().numpy()
    assert features(net, images, PLAIN, CPU) == pytest.approx(expected, abs=1e-5)

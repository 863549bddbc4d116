"""Pictures from networks, against terms by hand and slow loops."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import tiny_nets
from netversus.errors import CellError
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.synthesis.ascend import REACH, ascend, begin
from netversus.lab.synthesis.judge import RandomFeatures, diversity, kernel_distance
from netversus.lab.synthesis.objective import BatchStatistics, bounds, to_pixels, total_variation
from netversus.lab.synthesis.paint import Brush, Subject, noise, paint
from netversus.lab.synthesis.restore import restore, root_mean_square
from netversus.lab.synthesis.strip import from_strip, to_strip
from netversus.records import ContenderCard

SUBJECTS = tuple(Subject(label, number) for number in range(2) for label in range(3))


@pytest.fixture(scope="module")
def card() -> ContenderCard:
    card = resolve("py:tiny_nets:wide@scratch", open_data("digits").card)
    return replace(card, preprocessing=replace(card.preprocessing, crop=16, resize=None))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return tiny_nets.wide(10).eval()


def last(pictures):
    return deque(pictures, maxlen=1).pop()


def test_total_variation_is_what_a_loop_over_neighbours_gives():
    images = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wanted = 0.0
    for down, right in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        squares = [
            (images[n, c, y + down, x + right] - images[n, c, y, x]).item() ** 2
            for n in range(2)
            for c in range(3)
            for y in range(5)
            for x in range(4)
            if 0 <= y + down < 5 and 0 <= x + right < 4
        ]
        wanted += np.sqrt(np.mean(squares))
    assert total_variation(images).item() == pytest.approx(wanted)


def test_a_constant_picture_has_no_variation_and_a_finite_slope():
    images = torch.full((1, 3, 4, 4), 0.3, requires_grad=True)
    total_variation(images).backward()
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().max() < 1e-6


def test_batch_statistics_are_a_weighted_mean_over_the_layers_and_depth_changes_nothing():
    def stack(depth: int) -> nn.Module:
        return nn.Sequential(*(nn.BatchNorm2d(2, affine=False, eps=0) for _ in range(depth))).eval()

    batch = torch.tensor([[1.0, 5.0], [3.0, 9.0]])[:, :, None, None]  # means 2 and 7, variances 1 and 4
    wanted = np.hypot(2 - 0, 7 - 0) + np.hypot(1 - 1, 4 - 1)
    for depth in (1, 7):
        net = stack(depth)
        statistics = BatchStatistics(net)
        with statistics.watching():
            net(batch)  # nothing is changed on the way: every layer sees the same
            assert statistics.distance().item() == pytest.approx(wanted)


def test_the_first_layer_counts_ten_times():
    net = nn.Sequential(nn.BatchNorm2d(1, affine=False, eps=0), nn.Flatten(0), nn.Unflatten(0, (2, 1, 1, 1)))
    net.append(nn.BatchNorm2d(1, affine=False, eps=0)).eval()
    net[3].running_mean += 1
    statistics = BatchStatistics(net)
    with statistics.watching():
        net(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1))  # as the first expects it, one away from the second
        assert statistics.distance().item() == pytest.approx(1 / 11)


def test_a_network_without_batch_norms_has_no_such_term_and_paints(card):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)).eval()
    assert BatchStatistics(net).distance() is None
    pictures = last(paint(net, card, SUBJECTS, Brush(5), seed=0))
    assert pictures.shape == (6, 3, 16, 16)


def test_a_painted_picture_is_taken_for_its_class_and_noise_is_not(card, net):
    net[7].weight.data *= 100  # an untrained head hardly minds what it sees
    labels = torch.tensor([one.label for one in SUBJECTS])
    pictures = last(paint(net, card, SUBJECTS, Brush(200), seed=0))
    assert (net(pictures).argmax(1) == labels).sum() >= 5
    assert (net(noise(SUBJECTS, 16, seed=0)).argmax(1) == labels).sum() <= 2


def test_painting_leaves_the_network_as_it_was(card, net):
    before = {name: each.clone() for name, each in net.state_dict().items()}
    last(paint(net, card, SUBJECTS, Brush(3), seed=0))
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())
    assert all(each.requires_grad for each in net.parameters())
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_the_same_seed_paints_the_same_and_another_does_not(card, net):
    first, again, other = (last(paint(net, card, SUBJECTS, Brush(4), seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_a_picture_begins_with_does_not_depend_on_its_batch():
    assert torch.equal(noise(SUBJECTS, 8, seed=1)[2], noise(SUBJECTS[2:3], 8, seed=1)[0])


def test_pictures_stay_between_black_and_white(card, net):
    low, high = bounds(card.preprocessing, torch.device("cpu"))
    for pictures in paint(net, card, SUBJECTS, Brush(5, rate=5.0), seed=0):
        assert (pictures >= low - 1e-6).all()
        assert (pictures <= high + 1e-6).all()


def test_pictures_that_become_nan_are_an_error_that_names_the_step(card, net):
    net[7].weight.data.fill_(float("nan"))
    with pytest.raises(CellError, match="NaN or infinite at step 1 of 4"):
        last(paint(net, card, SUBJECTS, Brush(4), seed=0))


def test_ascent_moves_towards_the_class_and_not_beyond_its_reach(card, net):
    average = torch.full((10, 3, 16, 16), 0.5)
    start = begin(average, torch.full_like(average, 0.1), SUBJECTS, seed=0)
    labels = torch.tensor([one.label for one in SUBJECTS])
    low, high = bounds(card.preprocessing, torch.device("cpu"))
    found = ascend(net, card, labels, start, 20)
    before, after = (
        nn.functional.cross_entropy(net(low + each * (high - low)), labels, reduction="none") for each in (start, found)
    )
    assert (after < before).all()
    assert ((found - start).square().flatten(1).mean(1).sqrt() <= REACH + 1e-6).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_an_invertible_stage_gives_the_image_back_and_a_blind_one_does_not(card):
    images = 2 * torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(2)) - 1
    images = nn.functional.avg_pool2d(images, 3, 1, 1)
    start = torch.randn(images.shape, generator=torch.Generator().manual_seed(3))

    def error(features) -> float:
        found = last(restore(features, card, images, start, 150))
        return float(
            np.mean(root_mean_square(to_pixels(found, card.preprocessing), to_pixels(images, card.preprocessing)))
        )

    assert error(lambda x: x) < 0.05
    assert error(lambda x: x.mean((2, 3))) > 0.1


def test_an_image_is_restored_for_itself(card, net):
    images, start = torch.zeros(3, 3, 16, 16), torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    together = last(restore(net[0], card, images, start, 5))
    alone = last(restore(net[0], card, images[1:2], start[1:2], 5))
    assert torch.allclose(together[1:2], alone, atol=1e-5)


def test_the_error_of_black_against_white_is_one():
    black = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert root_mean_square(black, black + 255) == [1, 1]


def test_the_kernel_distance_is_what_two_loops_give():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(0.5, 1, size=(5, 3))

    def k(x, y) -> float:
        return float((x @ y / 3 + 1) ** 3)

    within_a = np.mean([k(a[i], a[j]) for i in range(4) for j in range(4) if i != j])
    within_b = np.mean([k(b[i], b[j]) for i in range(5) for j in range(5) if i != j])
    between = np.mean([k(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(within_a + within_b - 2 * between)


def test_the_kernel_distance_of_one_distribution_is_zero_on_average_and_sometimes_below():
    rng = np.random.default_rng(1)
    found = np.array([kernel_distance(rng.normal(size=(10, 4)), rng.normal(size=(12, 4))) for _ in range(600)])
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))
    assert (found < 0).any()


def test_diversity_is_the_mean_distance_of_two_different_pictures():
    assert diversity(np.array([[0.0, 0.0], [3.0, 4.0]])) == pytest.approx(5)
    assert diversity(np.ones((4, 2))) == pytest.approx(0)


def test_random_features_are_the_same_in_every_process_and_tell_textures_apart():
    pictures = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    pictures[1, :, ::2] = 255
    features = RandomFeatures()(pictures)
    assert features.shape == (2, 448)
    assert torch.equal(features, RandomFeatures()(pictures))
    assert (features[0] - features[1]).norm() > 1


def test_a_strip_gives_its_pictures_back():
    pictures = torch.randint(0, 256, (5, 3, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(from_strip(to_strip(pictures), 5), pictures)

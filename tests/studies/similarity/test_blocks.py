"""Residual blocks are found in networks of any library, and skipping one leaves out what it adds."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn
from torchvision.models import VisionTransformer, mobilenet_v2, resnet18, resnet50, vgg11

import tiny_nets
from netversus.lab.evaluation import Room
from netversus.studies.similarity.attention import GRID, attention, picture, shared
from netversus.studies.similarity.blocks import residual_blocks, skipped
from netversus.studies.similarity.onlooker import Onlooker, as_they_are, untrained

FOUR = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}


@pytest.fixture(scope="module")
def residual() -> nn.Module:
    torch.manual_seed(0)
    return resnet18(num_classes=7).eval()


def test_of_a_resnet_all_blocks_but_those_that_change_the_shape():
    wanted = [f"{layer}.{i}" for layer, count in FOUR.items() for i in range(1, count)]
    assert list(residual_blocks(resnet50(num_classes=3).eval(), 32)) == wanted


def test_where_a_stage_keeps_the_shape_its_first_block_counts_too(residual: nn.Module):
    assert residual_blocks(residual, 32) == ("layer1.0", "layer1.1", "layer2.1", "layer3.1", "layer4.1")


def test_blocks_of_other_libraries_and_kinds_are_found():
    transformer = VisionTransformer(32, 8, 3, 2, 24, 48).eval()
    assert len(residual_blocks(transformer, 32)) == 3
    assert len(residual_blocks(timm.create_model("resnet26", num_classes=3).eval(), 32)) == 4
    assert "features.3" in residual_blocks(mobilenet_v2(num_classes=3).eval(), 32)


def test_networks_without_residual_blocks_have_none():
    assert residual_blocks(tiny_nets.narrow().eval(), 16) == ()
    assert residual_blocks(vgg11(num_classes=3, init_weights=False).eval(), 32) == ()


def test_a_skipped_block_hands_on_its_input_and_comes_back(residual: nn.Module):
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        before = residual(images)
        stem = residual.maxpool(residual.relu(residual.bn1(residual.conv1(images))))
        maps = residual.layer1[0](stem)
        for layer in (residual.layer2, residual.layer3, residual.layer4):
            maps = layer(maps)
        by_hand = residual.fc(residual.avgpool(maps).flatten(1))
        with skipped(residual, "layer1.1"):
            torch.testing.assert_close(residual(images), by_hand)
        assert torch.equal(residual(images), before)


def test_looking_for_blocks_leaves_the_network_as_it_was(residual: nn.Module):
    images = torch.randn(2, 3, 32, 32)
    state = {name: value.clone() for name, value in residual.state_dict().items()}
    with torch.no_grad():
        before = residual(images)
        residual_blocks(residual, 32)
        assert torch.equal(residual(images), before)
    assert all(torch.equal(value, state[name]) for name, value in residual.state_dict().items())


def test_an_onlooker_gives_the_networks_own_answer_and_every_value_of_its_maps(residual: nn.Module):
    images = torch.randn(5, 3, 64, 64)
    onlooker = Onlooker(residual, 64)
    features, logits = onlooker.read(images, Room())
    with torch.no_grad():
        torch.testing.assert_close(logits, residual(images))
        first = residual.relu(residual.bn1(residual.conv1(images)))
    torch.testing.assert_close(features[0], first.flatten(1))
    assert len(onlooker.labels) == len(features) == 6


def test_an_untrained_copy_has_other_weights_and_the_same_each_time(residual: nn.Module):
    state = torch.get_rng_state()
    one, again, other = (untrained(residual, seed).conv1.weight for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, residual.conv1.weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_where_a_mean_and_a_linear_layer_follow_the_look_is_the_class_activation_map():
    torch.manual_seed(0)
    net, images = tiny_nets.wide().eval(), torch.randn(3, 3, 56, 56)
    looks, logits = attention(Onlooker(net, 56, as_they_are), images)
    with torch.no_grad():
        maps = net[:5](images)  # 14 x 14 places
        weights = net[7].weight[logits.argmax(1)]
        by_hand = torch.einsum("nchw,nc->nhw", maps, weights).clamp(min=0).double()
    torch.testing.assert_close(looks, by_hand / by_hand.sum((1, 2), keepdim=True), rtol=1e-4, atol=1e-7)


def test_looks_of_tokens_leave_out_the_class_token_and_sum_to_one():
    torch.manual_seed(0)
    transformer = VisionTransformer(32, 8, 4, 2, 24, 48, num_classes=5).eval()
    nn.init.normal_(transformer.heads[-1].weight)
    looks, _ = attention(Onlooker(transformer, 32, as_they_are), torch.randn(2, 3, 32, 32))
    assert looks.shape == (2, GRID, GRID)
    torch.testing.assert_close(looks.sum((1, 2)), torch.ones(2, dtype=torch.float64))


def test_a_look_shares_all_with_itself_and_nothing_with_another_place():
    here, there = torch.zeros(GRID, GRID), torch.zeros(GRID, GRID)
    here[0, 0] = there[5, 5] = 1
    assert (shared(here, here), shared(here, there)) == (1, 0)
    assert picture(torch.zeros(3, 8, 8, dtype=torch.uint8), here).startswith(b"\xff\xd8")


def test_an_onlooker_whose_memory_runs_out_gives_the_same_of_fewer_at_once():
    images, network = torch.randn(40, 3, 32, 32), resnet18(num_classes=7).eval()
    onlooker, room = Onlooker(network, 32), Room()
    whole, answer = onlooker.read(images, Room())
    shown: list[int] = []

    def crowded(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        shown.append(len(inputs[0]))
        if len(inputs[0]) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    network.layer2.register_forward_pre_hook(crowded)
    features, logits = onlooker.read(images, room)
    assert shown == [40, 32, 16, 16, 8]
    assert room.halved == [64, 32]
    torch.testing.assert_close(logits, answer)
    for one, other in zip(features, whole, strict=True):
        torch.testing.assert_close(one, other)

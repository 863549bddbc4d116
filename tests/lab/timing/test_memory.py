from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import tiny_nets
from netversus.lab.engines import find_engines, get_engine
from netversus.lab.timing.memory import largest_sum, peak_bytes, weight_bytes

MIB = 2**20


class Widening(nn.Module):
    """Holds an image four times, then both that and its successor: eight times the input at the peak."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2 * MIB // 4))

    def forward(self, images: Tensor) -> Tensor:
        wide = images.repeat(4, 1, 1, 1)
        return (wide + 1).sum((1, 2, 3))


def test_the_peak_is_the_weights_and_what_a_pass_holds_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    images = torch.zeros(1, 1, 512, 512)  # 1 MiB
    assert peak_bytes(Widening(), images) == pytest.approx(2 * MIB + 8 * MIB, abs=1024)
    assert capfd.readouterr().err == ""  # the profiler's own lines


def test_it_does_not_depend_on_what_the_process_held_before() -> None:
    images = torch.zeros(1, 1, 256, 256)
    first = peak_bytes(Widening(), images)
    _ballast = [torch.zeros(MIB) for _ in range(4)]
    assert peak_bytes(Widening(), images) == first


def test_weights_that_two_layers_share_are_counted_once() -> None:
    layer = nn.Linear(8, 8, bias=False)
    twice = nn.Sequential(layer, nn.Linear(8, 8, bias=False))
    twice[1].weight = layer.weight
    assert weight_bytes(twice) == 8 * 8 * 4
    assert weight_bytes(nn.BatchNorm1d(4)) == 4 * (4 * 4) + 8  # running mean and variance, and a 64-bit counter


OUTSIDE = ("onnxruntime", "openvino")  # runtimes with memory of their own
ENGINES = [
    name for name, e in find_engines().items() if "cpu" in e.devices and name != "compile"
]  # which takes minutes


@pytest.mark.parametrize("name", ENGINES)
def test_memory_is_told_on_every_engine_whose_memory_is_torchs(name: str) -> None:
    if reason := get_engine(name).missing("cpu"):
        pytest.skip(reason)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = get_engine(name).prepare(tiny_nets.wide().eval(), crop=32, device=images.device, calibration=images)
    found = peak_bytes(network, images)
    assert (found is None) == name.startswith(OUTSIDE)
    assert found is None or found > weight_bytes(network) > 0


def test_weights_that_onednn_packed_are_counted_as_what_they_take() -> None:
    weight = torch.randn(64, 64, 3, 3)  # whole blocks of channels: nothing is filled up
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight, [1, 1], [1, 1], [1, 1], 1, [8, 64, 16, 16])
    network = nn.Module()
    network.register_buffer("packed", packed)
    network.register_buffer("again", packed)
    assert weight_bytes(network) == 4 * weight.numel()


def test_memory_that_is_not_torchs_is_not_told() -> None:
    assert peak_bytes(nn.ReLU(), torch.zeros(1, 3, 8, 8)) is None


def test_on_an_accelerator_its_allocator_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Card:
        held = 100

        def model(self, _images: object) -> None:
            self.held = 160

    card, reset = Card(), []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _device: 100)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset.append)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _device: card.held)
    from netversus.lab.timing import memory

    images = type("Images", (), {"device": torch.device("cuda:0")})()
    assert memory._on_cuda(card.model, images) == 60
    assert reset == [torch.device("cuda:0")]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-100, 100)))
def test_the_largest_sum_is_the_highest_level_that_the_changes_reach(changes: list[int]) -> None:
    levels = [sum(changes[: i + 1]) for i in range(len(changes))]
    assert largest_sum(changes) == max(levels, default=0)

"""Counting, peaks and the roof, against arithmetic by hand."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from netversus.lab.timing.stopwatch import Stopwatch
from netversus.studies.scaling.counting import count
from netversus.studies.scaling.machine import Load, measure_machine
from netversus.studies.scaling.roof import Counted, Machine, bound_by_memory, roof


def test_a_layer_moves_its_input_its_weights_and_its_output() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 5))
    counted = count(model.eval(), torch.zeros(1, 3, 4, 4))
    convolution, linear = 2 * 8 * 3 * 9 * 16, 2 * 128 * 5
    assert counted.flops == convolution + linear
    assert counted.moved == (3 * 16 + 8 * 16) + (128 + 5)
    assert counted.weights == 8 * 3 * 9 + (128 * 5 + 5)


def test_weights_that_are_used_twice_are_counted_once() -> None:
    layer = nn.Linear(4, 4, bias=False)
    twice = count(nn.Sequential(nn.Flatten(), layer, layer).eval(), torch.zeros(1, 1, 2, 2))
    assert (twice.flops, twice.weights) == (2 * 2 * 16, 16)


def test_a_resnet_has_the_operations_that_torchvision_publishes() -> None:
    """1.81 billion multiply-adds, says the documentation of its weights."""
    assert count(resnet18().eval(), torch.zeros(1, 3, 224, 224)).flops / 2e9 == pytest.approx(1.814, abs=0.01)


def test_attention_is_counted() -> None:
    """Queries, keys, values and output: 4 d² a token; scores and mixing: 2 n d a token. Two operations each."""
    layer = nn.TransformerEncoderLayer(16, 2, dim_feedforward=32, batch_first=True).eval()
    flops = count(layer, torch.zeros(1, 6, 16)).flops
    assert flops == 2 * 6 * (4 * 16**2 + 2 * 6 * 16 + 2 * 16 * 32)


def ticking(step: int) -> Stopwatch:
    """A clock on which everything takes the same time."""
    ticks = itertools.count(0, step)
    return Stopwatch(torch.device("cpu"), lambda: next(ticks))


def test_peaks_are_operations_and_bytes_over_seconds() -> None:
    machine = measure_machine(ticking(1_000_000), Load(16, 4096))
    assert machine.peaks == {"fp32": pytest.approx(2 * 16**3 / 1e-3), "bf16": pytest.approx(2 * 16**3 / 1e-3)}
    assert machine.bandwidth == pytest.approx(2 * 4096 / 1e-3)


def test_a_disturbed_repetition_does_not_lower_the_roof() -> None:
    times = iter([0, 10**9, *range(10**9, 10**10, 10**6)])
    machine = measure_machine(Stopwatch(torch.device("cpu"), lambda: next(times)), Load(16, 4096))
    assert machine.peaks["fp32"] == pytest.approx(2 * 16**3 / 1e-3)


MACHINE = Machine({"fp32": 100.0, "bf16": 400.0}, bandwidth=10.0)


@pytest.mark.parametrize(
    ("batch", "precision", "expected"),
    [
        (1, "fp32", 10 * 800 / (4 * 20)),  # the weights are read for one image: at the ridge
        (10, "fp32", 100.0),
        (1, "bf16", 10 * 800 / (2 * 20)),
        (10, "bf16", 10 * 8000 / (2 * 110)),
    ],
)
def test_the_roof_is_the_smaller_of_peak_and_intensity_times_bandwidth(
    batch: int, precision: str, expected: float
) -> None:
    assert roof(MACHINE, Counted(flops=800, moved=10, weights=10), batch, precision) == pytest.approx(expected)


def test_memory_is_the_limit_below_the_ridge() -> None:
    lean, rich = Counted(flops=10, moved=10, weights=0), Counted(flops=10_000, moved=10, weights=0)
    assert bound_by_memory(MACHINE, lean, 1, "fp32")
    assert not bound_by_memory(MACHINE, rich, 1, "fp32")

"""Engines of NVIDIA GPUs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from netversus.lab.engines import automatic_engines, get_engine
from netversus.lab.engines.select import choose
from netversus.lab.evaluation import predict

from .conftest import fp32, make_resnet, off

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
NAMES = (
    "eager",
    "channels-last",
    "autocast",
    "bf16",
    "folded",
    "folded-bf16",
    "cuda-graph",
    "cuda-graph-bf16",
    "tensorrt",
)


@pytest.mark.parametrize("name", NAMES)
def test_logits_agree_with_fp32_at_any_batch_size(name: str, images: Tensor):
    engine = get_engine(name)
    if reason := engine.missing("cuda"):
        pytest.skip(f"{name}: {reason}")
    prepared = engine.prepare(make_resnet(), crop=32, device=torch.device("cuda:0"), calibration=images)
    for count in (1, 5, 8, 40, 5):
        # TF32, torch's default for convolutions, has the 10 bits of fp16
        close = {"fp32": 5e-3, "fp16": 1e-2, "bf16": 0.03}[engine.precision]
        assert off(predict(prepared, images[:count]), fp32(make_resnet(), images[:count])) <= close


def test_logits_of_an_earlier_replay_stay_as_they_were(images: Tensor):
    prepared = get_engine("cuda-graph").prepare(make_resnet(), crop=32, device=torch.device("cuda:0"))
    first = prepared(images[:5].cuda())
    kept = first.clone()
    prepared(images[5:10].cuda())
    assert torch.equal(first, kept)


def test_auto_takes_one_that_agrees_and_lets_go_of_the_others(images: Tensor):
    choice = choose(automatic_engines("cuda"), make_resnet(), images, device=torch.device("cuda:0"), batch=64)
    assert {each.engine for each in choice.candidates} == {engine.name for engine in automatic_engines("cuda")}
    (chosen,) = [each for each in choice.candidates if each.engine == choice.engine]
    assert chosen.accepted
    assert chosen.judged == 30
    assert chosen.flips == 0
    assert chosen.shift is not None
    assert chosen.shift <= 0.01
    assert chosen.seconds is not None
    faster = [each for each in choice.candidates if each.seconds is not None and each.seconds < chosen.seconds / 1.05]
    assert all(each.why and not each.accepted for each in faster)

"""Every engine gives what the network gives, and leaves the network alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

import tiny_nets
from netversus.errors import EngineError
from netversus.lab.contenders.load import Selected
from netversus.lab.engines import find_engines, get_engine
from netversus.lab.engines.prepared import Prepared
from netversus.lab.evaluation import predict

from .conftest import CPU, fp32, make_resnet, off

# The largest difference of a logit, relative to the largest logit. 8 bits of a random network are the coarsest.
CLOSE = {"fp32": 1e-5, "bf16": 0.03, "int8": 0.1}
ON_CPU = [name for name, engine in find_engines().items() if "cpu" in engine.devices]
QUICK = [name for name in ON_CPU if name != "compile"]  # which has a test of its own: it takes a compiler


def needs(name: str) -> None:
    if reason := get_engine(name).missing("cpu"):
        pytest.skip(f"{name}: {reason}")


def prepare(name: str, model: nn.Module, images: Tensor) -> Prepared:
    needs(name)
    return get_engine(name).prepare(model, crop=32, device=CPU, calibration=images)


@pytest.fixture(scope="module")
def prepared(images: Tensor) -> Callable[[str], Prepared]:
    """The same network by each engine, prepared once."""
    return cache(lambda name: prepare(name, make_resnet(), images))


@pytest.mark.parametrize("name", QUICK)
def test_logits_agree_with_fp32_at_any_batch_size(name: str, prepared: Callable[[str], Prepared], images: Tensor):
    close = CLOSE[get_engine(name).precision]
    for count in (1, 5, 8, 40, 5):
        found = prepared(name)(images[:count])
        assert found.dtype is torch.float32
        assert found.device == CPU
        assert off(found, fp32(make_resnet(), images[:count])) <= close


@pytest.mark.parametrize("name", QUICK)
def test_images_in_any_layout_and_as_a_view_are_taken(name: str, prepared: Callable[[str], Prepared], images: Tensor):
    expected = prepared(name)(images[:4])
    close = CLOSE[get_engine(name).precision]
    for same in (images[:4].to(memory_format=torch.channels_last), images.double()[:4], images.flip(0).flip(0)[:4]):
        before = same.clone()
        assert off(predict(prepared(name), same), expected) <= close
        assert torch.equal(same, before)


@pytest.mark.parametrize("name", QUICK)
def test_new_weights_count_when_it_is_prepared_again_and_not_before(name: str, images: Tensor):
    model = make_resnet()
    old = prepare(name, model, images)
    before = old(images[:8]).clone()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var *= 1.5
                module.running_mean += 0.1
            if isinstance(module, nn.Conv2d):
                module.weight *= 1.1
        model.fc.bias += 1.0
    expected = fp32(model, images[:8])
    assert off(before, expected) > 0.2
    assert off(prepare(name, model, images)(images[:8]), expected) <= CLOSE[get_engine(name).precision]
    if name != "eager":
        assert torch.equal(old(images[:8]), before)


@pytest.mark.parametrize("name", QUICK)
def test_the_network_stays_as_it_was(name: str, images: Tensor):
    model = make_resnet().train()
    model.layer1.eval()
    state, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    prepare(name, model, images)(images[:3])
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    assert all(tensor.dtype is state[key].dtype for key, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("name", QUICK)
def test_a_hook_that_selects_outputs_is_kept(name: str, images: Tensor):
    """As `load` hangs on a network that has more outputs than the data have classes."""
    model = make_resnet()
    expected = fp32(model, images[:4])[:, [7, 0, 3]]
    model.register_forward_hook(Selected((7, 0, 3)))
    assert off(prepare(name, model, images)(images[:4]), expected) <= CLOSE[get_engine(name).precision]


def test_compile_agrees_with_fp32(images: Tensor):
    model = tiny_nets.narrow().eval()
    found = prepare("compile", model, images)
    for count in (1, 5, 40):
        assert off(found(images[:count]), fp32(model, images[:count])) <= CLOSE["fp32"]


def test_the_cost_of_compiling_is_kept_and_grows_at_a_new_batch_size(
    prepared: Callable[[str], Prepared], images: Tensor
):
    for name in QUICK:
        needs(name)
        found = prepared(name)
        found(images[:11])
        cost = found.compile_seconds
        assert cost > 0
        found(images[:11])
        assert found.compile_seconds == cost
        found(images[:12])
        assert found.compile_seconds > cost


def test_a_prepared_network_stays_in_eval_mode(prepared: Callable[[str], Prepared]):
    found = prepared("folded")
    assert found.eval() is found
    with pytest.raises(EngineError, match="prepared by folded cannot be trained"):
        found.train()


@pytest.mark.parametrize("shape", [(2, 3, 33, 32), (2, 1, 32, 32), (3, 32, 32)])
def test_images_of_another_shape_are_one_line(shape: tuple[int, ...], prepared: Callable[[str], Prepared]):
    with pytest.raises(EngineError, match=r"prepared for images of shape \(n, 3, 32, 32\), it was shown"):
        prepared("eager")(torch.zeros(shape))


@pytest.mark.parametrize("name", [name for name in ON_CPU if name.endswith("int8")])
def test_8_bits_need_images(name: str):
    needs(name)
    with pytest.raises(EngineError, match="takes its ranges from images, and got none"):
        get_engine(name).prepare(make_resnet(), crop=32, device=CPU)


def test_calibration_images_of_another_size_are_one_line(images: Tensor):
    with pytest.raises(EngineError, match=r"must have the shape \(n, 3, 64, 64\), got \(40, 3, 32, 32\)"):
        get_engine("eager").prepare(make_resnet(), crop=64, device=CPU, calibration=images)


class Graph(nn.Module):
    """A contender whose weights torch does not see, as an ONNX graph's are."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


@pytest.mark.parametrize("name", QUICK)
def test_a_network_without_weights_of_its_own_is_left_to_eager(name: str, images: Tensor):
    if name == "eager":
        assert off(prepare(name, Graph(), images)(images), images.mean((2, 3))) == 0
        return
    with pytest.raises(
        EngineError, match=f"{name} cannot take this network: Graph has no weights that torch could see"
    ):
        prepare(name, Graph(), images)


class Undecided(nn.Module):
    """Its code goes one way or the other by what the images hold: a recording of one way is wrong on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.convolution(images)
        return (-seen if images.sum() > 0 else seen).mean((2, 3))


class Exotic(Undecided):
    """It uses an operation that ONNX has not."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.special.i1(self.convolution(images)).mean((2, 3))


BY_ONNX = ["onnxruntime", "onnxruntime-int8", "openvino", "openvino-bf16", "openvino-int8"]


@pytest.mark.parametrize(
    ("model", "name"),
    [(Undecided, name) for name in ["folded", "folded-bf16", "fused", "fused-bf16", *BY_ONNX]]
    + [(Exotic, name) for name in BY_ONNX],
)
def test_a_network_that_cannot_be_recorded_is_one_line(
    model: type[nn.Module], name: str, images: Tensor, capfd: pytest.CaptureFixture[str]
):
    with pytest.raises(EngineError, match=f"^{name} cannot take this network: ") as caught:
        prepare(name, model(), images)
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["eager", "channels-last", "bf16", "autocast"])
def test_what_runs_the_networks_own_code_takes_any_network(name: str, images: Tensor):
    model = Undecided()
    for some in (images[:3] + 1, images[:3] - 1):
        assert off(prepare(name, model, images)(some), fp32(model, some)) <= CLOSE[get_engine(name).precision]


def test_a_network_that_gives_something_else_than_logits_is_one_line(images: Tensor):
    with pytest.raises(EngineError, match=r"eager gave outputs of shape \(8, 3, 32, 32\), expected \(n, classes\)"):
        prepare("eager", nn.Identity(), images)

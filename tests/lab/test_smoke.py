"""Who cannot answer by itself is told from who can."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.smoke import smoke_test
from netversus.records import ContenderCard, Preprocessing


class Bench:
    """One network, on the CPU."""

    device = torch.device("cpu")

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval()

    def model(self, card: ContenderCard) -> nn.Module:
        return self.network

    ready = model


class Head(nn.Module):
    """Means over pixels and what a test does with them."""

    def __init__(self, then: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.then = then

    def forward(self, images: Tensor) -> Tensor:
        return self.then(self.pool(images).flatten(1))


def refuse(features: Tensor) -> Tensor:
    raise RuntimeError("the moon is full")


def smoked(make_card, then: Callable[[Tensor], Tensor], *, gradient: bool) -> None:
    card = make_card("a", preprocessing=Preprocessing(crop=8, resize=None))
    smoke_test(Bench(Head(then)), card, gradient=gradient)  # type: ignore[arg-type]


@pytest.mark.parametrize("gradient", [False, True])
def test_who_answers_passes(make_card, gradient: bool):
    smoked(make_card, torch.tanh, gradient=gradient)


@pytest.mark.parametrize("gradient", [False, True])
def test_what_a_network_raises_passes_through(make_card, gradient: bool):
    with pytest.raises(RuntimeError, match="the moon is full"):
        smoked(make_card, refuse, gradient=gradient)


def test_numbers_that_are_not_finite_are_said_with_their_origin(make_card):
    with pytest.raises(CellError, match="a answers with NaN or infinite numbers, first in Head"):
        smoked(make_card, lambda x: x / 0, gradient=False)


def test_derivatives_are_asked_only_where_the_study_follows_them(make_card):
    steep = lambda x: torch.sqrt(0 * x)  # noqa: E731  0 everywhere, and no derivative
    smoked(make_card, steep, gradient=False)
    with pytest.raises(CellError, match="derivatives that are NaN"):
        smoked(make_card, steep, gradient=True)
    with pytest.raises(RuntimeError, match="grad"):
        smoked(make_card, lambda x: x.detach(), gradient=True)

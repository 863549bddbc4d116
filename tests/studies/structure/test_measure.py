"""What the study observes of a contender, and what it leaves out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from netversus.lab.bench import Bench
from netversus.records import ContenderCard, Observations, Preprocessing, Progress
from netversus.studies.structure import StructureOptions
from netversus.studies.structure.measure import measure
from tiny_nets import narrow

FACTS = {"parameters", "macs", "activations", "peak_memory", "depth"}


class Models(Bench):
    """A bench on which networks stand ready."""

    def __init__(
        self, cards: Sequence[ContenderCard], models: dict[str, nn.Module], stored: set[tuple[str, str]]
    ) -> None:
        super().__init__(
            contenders=cards,
            data=None,  # type: ignore[arg-type]
            options=StructureOptions(inputs=2),
            seed=0,
            device=torch.device("cpu"),
            stored=lambda contender, metric: ["network"] if (contender, metric) in stored else [],
            scratch=Path,
            flush=lambda: None,
        )
        self.models = models
        self.loaded: list[str] = []

    def model(self, card: ContenderCard, *, train: bool = False) -> nn.Module:
        self.loaded.append(card.name)
        return deepcopy(self.models[card.name]).eval()


@pytest.fixture
def bench(make_card: Any):
    def make(models: dict[str, nn.Module], stored: Collection[tuple[str, str]] = ()) -> Models:
        cards = [make_card(name, preprocessing=Preprocessing(crop=32, resize=None)) for name in models]
        return Models(cards, models, set(stored))

    return make


def facts(bench: Bench) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {card.name: {} for card in bench.contenders}
    for seen in measure(bench):
        if isinstance(seen, Observations) and seen.units == ("network",):
            found[seen.contender][seen.metric] = seen.values[0]
    return found


@pytest.mark.real
def test_resnet50_and_resnet101_are_what_they_are_known_to_be(bench):
    models = {name: get_model(name, weights=None) for name in ("resnet50", "resnet101")}
    found = facts(bench(models))
    known = {
        "resnet50": {"parameters": 25_557_032, "depth": 50, "blocks": 16, "theoretical_field": 427},
        "resnet101": {"parameters": 44_549_160, "depth": 101, "blocks": 33, "theoretical_field": 971},
    }
    for name, facts_of_it in known.items():
        assert {metric: found[name][metric] for metric in facts_of_it} == facts_of_it
        assert found[name]["peak_memory"] > found[name]["weight_bytes"] > 4 * facts_of_it["parameters"]
        assert 0 < found[name]["effective_field"] <= 32


def test_what_a_network_has_not_is_left_out(bench):
    found = facts(bench({"tiny": narrow(), "vectors": nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))}))
    assert found["tiny"].keys() == FACTS | {"weight_bytes", "theoretical_field", "effective_field"}
    assert found["vectors"].keys() == FACTS | {"weight_bytes"}
    assert found["vectors"]["macs"] == 3 * 32 * 32 * 10


class Remembering(nn.Module):
    """Takes from the first image on no other size than the last, as some transformers' windows do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, padding=1)
        self.seen: set[int] = set()

    def forward(self, images: Tensor) -> Tensor:
        self.seen.add(images.shape[-2])
        if len(self.seen) > 1 and images.shape[-1] == 32:
            raise RuntimeError("I have seen another size")
        return self.layer(images).mean(dim=(2, 3))


def test_a_network_that_remembers_sizes_is_shown_its_own_only(bench):
    found = facts(bench({"remembering": Remembering()}))["remembering"]
    assert found["theoretical_field"] == 3
    assert 1 < found["effective_field"] <= 3


def test_what_is_stored_is_not_measured_again(bench):
    models = {"done": narrow(), "broken": narrow()}
    stored = {("done", "effective_field"), ("broken", "parameters"), ("broken", "stage_macs")}
    table = bench(models, stored)
    seen = list(measure(table))
    metrics = [each.metric for each in seen if isinstance(each, Observations)]
    assert set(table.loaded) == {"broken"}
    assert len(set(metrics)) == len(metrics)
    assert FACTS - set(metrics) == {"parameters"}
    assert "stage_macs" not in metrics
    assert "stage_parameters" in metrics


def test_progress_ends_at_its_total(bench):
    steps = [each for each in measure(bench({"a": narrow(), "b": narrow()})) if isinstance(each, Progress)]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert (steps[-1].done, steps[-1].total) == (6, 6)
    assert steps[0].what.endswith("a")


def test_stages_carry_what_the_network_is_made_of(bench):
    seen = [each for each in measure(bench({"tiny": narrow()})) if isinstance(each, Observations)]
    stages = {each.metric: dict(zip(each.units, each.values, strict=True)) for each in seen if len(each.units) > 1}
    assert stages["stage_layers"] == {"stage 1: 16 px": 1, "stage 2: 8 px": 1, "head": 1}
    assert stages["stage_macs"]["head"] == 8 * 10
    assert "stage_blocks" not in stages

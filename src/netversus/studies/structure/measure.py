"""One image through each contender, written down; then its receptive fields."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from netversus.lab.bench import Bench
from netversus.messages import noted
from netversus.records import ContenderCard, Emission, Observations, Progress
from netversus.studies.structure.receptive import (
    LastMap,
    effective_field,
    find_last_map,
    open_branches,
    theoretical_field,
)
from netversus.studies.structure.stages import residual_blocks, stages
from netversus.studies.structure.trace import Trace, trace

NETWORK = "network"  # the one unit of what is a fact about the whole network
LAST = "effective_field"  # what is observed last
STEPS = 3


def measure(bench: Bench) -> Iterator[Emission]:
    """Counts, then the theoretical and the effective receptive field, contender by contender."""
    total = STEPS * len(bench.contenders)
    for number, card in enumerate(bench.contenders):
        done = STEPS * number
        if not bench.stored(card.name, LAST):
            model = bench.model(card).requires_grad_(requires_grad=False)
            pass_ = trace(model, torch.zeros(_shape(card), device=bench.device))
            yield from _new(bench, _counts(card.name, pass_))
            yield Progress(done + 1, total, noted("counted {contender}", contender=card.name))
            stretched = bench.model(card).requires_grad_(requires_grad=False)  # some remember the sizes they were shown
            last = find_last_map(stretched, pass_, card.preprocessing.crop)
            yield from _new(bench, _theoretical(card.name, stretched, last))
            del stretched
            yield Progress(done + 2, total, noted("theoretical receptive field of {contender}", contender=card.name))
            if card.untrained:
                open_branches(model)
            yield from _new(bench, _effective(bench, card, model, last))
        yield Progress(done + STEPS, total, noted("effective receptive field of {contender}", contender=card.name))


def _new(bench: Bench, observed: Iterator[Observations]) -> Iterator[Observations]:
    """What an interrupted cell does not hold yet."""
    return (seen for seen in observed if not bench.stored(seen.contender, seen.metric))


def _shape(card: ContenderCard) -> tuple[int, int, int, int]:
    return 1, 3, card.preprocessing.crop, card.preprocessing.crop


def _counts(name: str, pass_: Trace) -> Iterator[Observations]:
    """Facts about the network as a whole and about each of its stages; a fact that it has not is left out."""
    blocks = residual_blocks(pass_)
    facts = {
        "parameters": pass_.parameters,
        "macs": pass_.macs,
        "activations": pass_.activations,
        "peak_memory": pass_.weight_bytes + pass_.live_bytes,
        "depth": pass_.depth,
        "weight_bytes": pass_.weight_bytes,
    }
    if blocks:
        facts["blocks"] = len(blocks)
    for metric, value in facts.items():
        yield _fact(name, metric, value)
    found = stages(pass_)
    for metric in ("parameters", "macs", "activations", "layers", "blocks", "channels", "positions"):
        known = {stage.name: value for stage in found if (value := getattr(stage, metric)) is not None}
        if known:
            yield Observations(name, f"stage_{metric}", tuple(known), tuple(map(float, known.values())))


def _fact(name: str, metric: str, value: float) -> Observations:
    return Observations(name, metric, (NETWORK,), (float(value),))


def _theoretical(name: str, model: nn.Module, last: LastMap | None) -> Iterator[Observations]:
    """Its side, or a length that it exceeds; nothing where it cannot be told."""
    field = None if last is None else theoretical_field(model, last)
    if field is not None:
        yield _fact(name, "field_exceeds" if field.more else "theoretical_field", field.pixels)


def _effective(bench: Bench, card: ContenderCard, model: nn.Module, last: LastMap | None) -> Iterator[Observations]:
    side = None if last is None else effective_field(model, last, _images(bench, card), bench.seed)
    if side is not None:
        yield _fact(card.name, LAST, side)


def _images(bench: Bench, card: ContenderCard) -> Iterator[Tensor]:
    """Normal noise, as bright and as varied as a normalised photograph; the same for all contenders of one size."""
    chance = torch.Generator().manual_seed(bench.seed)
    for _ in range(bench.options.inputs):
        yield torch.randn(_shape(card), generator=chance).to(bench.device)

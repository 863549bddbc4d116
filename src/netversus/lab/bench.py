"""What a study's `measure(bench)` is given: contenders, data, options, a device, and what is already stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from netversus.errors import WeightsError
from netversus.lab.contenders.load import load
from netversus.lab.data.dataset import Dataset
from netversus.lab.running import ENGINE_FILE, on_its_engine
from netversus.records import Artifact, ContenderCard


@dataclass
class Bench:
    """One pass over one or more cells of the same study, options and seed.

    `contenders` are those whose cells are not done yet.
    `stored(contender, metric)` gives the unit ids that are already stored for a cell that was interrupted.
    `scratch(contender)` is a folder of the cell that survives a kill and is removed when the cell is done.
    `flush()` writes down all that was yielded so far: call it before saving a state that takes those
    observations for granted. `weights` maps a contender to the file of weights trained in this run. `enough()` tells
    whether the verdict is certain already, so that a sequential study may stop. `keep(artifact)` and
    `kept(contender, name)` write and read an artifact at once, where a later call rests on it.
    """

    contenders: Sequence[ContenderCard]
    data: Dataset
    options: Any
    seed: int
    device: torch.device
    stored: Callable[[str, str], Collection[str]]
    scratch: Callable[[str], Path]
    flush: Callable[[], None]
    weights: Mapping[str, Path] = field(default_factory=dict)
    enough: Callable[[], bool] = lambda: False
    keep: Callable[[Artifact], None] = lambda _: None
    kept: Callable[[str, str], bytes | None] = lambda *_: None

    @property
    def classes(self) -> int:
        """How many classes the data have."""
        return len(self.data.card.classes)

    def model(self, card: ContenderCard, *, train: bool = False) -> nn.Module:
        """The contender on the bench's device: in eval mode with its weights (those trained in this run where
        there are any), or with `train` freshly initialised from the bench's seed and in train mode.

        Raises:
            WeightsError: the weights do not fit.
        """
        if train and not card.untrained:
            raise WeightsError(f"{card.name} has weights already; training starts from scratch")
        model = load(card, classes=self.classes, seed=self.seed, weights=self.weights.get(card.name))
        return model.to(self.device).train(train)

    def ready(self, card: ContenderCard) -> nn.Module:
        """The contender as it is run: its network on its engine, images to logits as `model` gives them.

        Raises:
            EngineError: the engine cannot run here, or cannot take this network.
            WeightsError: the weights do not fit.
        """
        model = self.model(card)
        if card.engine == "eager":
            return model
        kept = self.kept(card.name, ENGINE_FILE)
        prepared, record = on_its_engine(model, card, self.data, self.device, kept)
        if kept is None:
            self.keep(Artifact(ENGINE_FILE, record, card.name))
        return prepared

"""What a study's `measure(bench)` is given: contenders, data, options, a device, and what is already stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from netversus.errors import WeightsError
from netversus.lab.contenders.fingerprint import sha256
from netversus.lab.contenders.load import load
from netversus.lab.data.dataset import Dataset
from netversus.lab.engines import REFERENCE
from netversus.lab.engines.memory import keep_freed_memory
from netversus.lab.engines.prepared import Prepared
from netversus.lab.evaluation import Room
from netversus.lab.running import ENGINE_FILE, engine_in, on_engine, on_its_engine
from netversus.lab.shortage import MEMORY_FILE
from netversus.records import Artifact, ContenderCard, digest


@dataclass
class Bench:
    """One pass over one or more cells of the same study, options and seed.

    `contenders` are those whose cells are not done yet.
    `stored(contender, metric)` gives the unit ids that are already stored for a cell that was interrupted.
    `scratch(contender)` is a folder of the cell that survives a kill and is removed when the cell is done.
    `flush()` writes down all that was yielded so far: call it before saving a state that takes those
    observations for granted. `weights` maps a contender to the file of weights trained in this run. `enough()` tells
    whether the verdict is certain already, so that a sequential study may stop. `keep(artifact)` and
    `kept(contender, name)` write and read an artifact at once, where a later call rests on it. `settle(name, content)`
    writes down what all cells of the run shall go by, unless that was done, and gives what they do go by;
    `settled(name)` reads it.
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
    settle: Callable[[str, bytes], bytes] = lambda _, content: content
    settled: Callable[[str], bytes | None] = lambda _: None
    _rooms: dict[str, Room] = field(default_factory=dict, init=False, repr=False)

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
        keep_freed_memory()
        model = load(card, classes=self.classes, seed=self.seed, weights=self.weights.get(card.name))
        return model.to(self.device).train(train)

    def ready(self, card: ContenderCard) -> nn.Module:
        """The contender as it is run: its network on its engine, images to logits as `model` gives them.

        Raises:
            EngineError: the engine cannot run here, or cannot take this network.
            WeightsError: the weights do not fit.
        """
        model = self.model(card)
        if card.engine == REFERENCE:
            return model
        prepared, record = None, self.engine_record(card)
        if record is None:
            prepared, record = self._first_on_its_engine(card, model)
        self.keep_engine_record(card, record)
        if prepared is None or prepared.engine != engine_in(record):
            prepared = on_engine(model, card, self.data, self.device, engine_in(record))
        return prepared

    def engine_record(self, card: ContenderCard) -> bytes | None:
        """What is known of the contender's engine: to this cell, before it was interrupted, else to the run. So each
        contender is measured on one engine, whatever the study, the seed or the process."""
        own = self.kept(card.name, ENGINE_FILE)
        return self.settled(self._engine_names(card)[0]) if own is None else own

    def keep_engine_record(self, card: ContenderCard, record: bytes) -> None:
        """Keep it with the cell, which shows it, and settle it for the run, each unless that was done."""
        if self.kept(card.name, ENGINE_FILE) is None:
            self.keep(Artifact(ENGINE_FILE, record, card.name))
        for name in self._engine_names(card):
            self.settle(name, record)

    def _first_on_its_engine(self, card: ContenderCard, model: nn.Module) -> tuple[Prepared, bytes]:
        """The contender prepared for the first time with these weights, and what the run has of its engine now."""
        own, any_weights = self._engine_names(card)
        before = self.settled(any_weights)
        prepared, record = on_its_engine(model, card, self.data, self.device, before)
        standing = self.settle(any_weights, record)
        if before is None and engine_in(standing) != prepared.engine:  # another process was first
            prepared, record = on_its_engine(model, card, self.data, self.device, standing)
        return prepared, self.settle(own, record)

    def _engine_names(self, card: ContenderCard) -> tuple[str, str]:
        """Under which names the run knows the contender's engine: with the weights that it has here, and with whatever
        weights were first. They are one where the run trains none, or the study does without: a network that is only
        timed goes by the choice that was made on trained weights."""
        trained = self.weights.get(card.name)
        where = (card.digest, self.data.card.digest, str(self.device))
        own, any_weights = (digest(*where, each)[:16] for each in (sha256(trained) if trained else "", ""))
        return f"engine-{card.name}-{own}", f"engine-{card.name}-{any_weights}"

    def room(self, card: ContenderCard) -> Room:
        """How many images of the contender fit in memory at once, for `predict`. That fewer did than were shown is
        kept with the cell: for its exhibit (see `netversus.lab.shortage`), and so that an interrupted cell goes on with
        as many at once as before."""
        if card.name not in self._rooms:
            kept = self.kept(card.name, MEMORY_FILE)
            self._rooms[card.name] = Room(
                json.loads(kept) if kept else [], lambda halved: self._keep_room(card, halved)
            )
        return self._rooms[card.name]

    def _keep_room(self, card: ContenderCard, halved: Sequence[int]) -> None:
        self.keep(Artifact(MEMORY_FILE, json.dumps(halved).encode(), card.name))

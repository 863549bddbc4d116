"""A study's bench without a run around it: what is kept stays in a dictionary."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.records import Artifact, ContenderCard, DataCard, Emission, Observations
from netversus.statistics.pairing import Sample

Kept = dict[tuple[str, str], bytes]


def lone_bench(options: Any, folder: Path, *, contenders: Iterable[str], data: str, kept: Kept, seed: int = 0) -> Bench:
    """A bench on the CPU; `kept` holds the artifacts that are kept at once, by contender and name."""
    opened = open_data(data)
    cards = [resolve(each, opened.card) for each in contenders]
    places = {card.name: folder / str(number) for number, card in enumerate(cards)}

    def keep(artifact: Artifact) -> None:
        kept[artifact.contender, artifact.name] = artifact.content

    return Bench(
        contenders=cards,
        data=opened,
        options=options,
        seed=seed,
        device=torch.device("cpu"),
        stored=lambda *_: (),
        scratch=places.__getitem__,
        flush=lambda: None,
        keep=keep,
        kept=lambda contender, name: kept.get((contender, name)),
    )


class Seen:
    """What a study emitted, and `kept` at once, as an exhibit reads it: evidence of one seed."""

    def __init__(self, bench: Bench, emissions: Iterable[Emission], kept: Kept | None = None) -> None:
        self.contenders: list[ContenderCard] = list(bench.contenders)
        self.data: DataCard = bench.data.card
        self.seeds = [bench.seed]
        self._series: dict[tuple[str, str], tuple[list[str], list[float]]] = {}
        self._artifacts: Kept = {}
        for emission in emissions:
            if isinstance(emission, Observations):
                units, values = self._series.setdefault((emission.contender, emission.metric), ([], []))
                units += emission.units
                values += emission.values
            elif isinstance(emission, Artifact):
                self._artifacts[emission.contender, emission.name] = emission.content
        self._artifacts |= kept or {}

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        found = self._series.get((contender, metric))
        return None if found is None else Sample(tuple(found[0]), np.array(found[1]))

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        return self._artifacts.get((contender, name))

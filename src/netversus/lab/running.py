"""A contender's network on the engine that its card names, with a record of what was tried and what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from netversus.lab.data.dataset import Dataset, readable
from netversus.lab.engines import AUTO, automatic_engines, get_engine
from netversus.lab.engines.prepared import Prepared
from netversus.lab.engines.select import FEWEST_IMAGES, Choice, choose, confirm, judge, parted
from netversus.lab.engines.shown import ENGINE_FILE
from netversus.lab.evaluation import chunk_size
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.records import ContenderCard
from netversus.statistics.order import recorded_shuffle

__all__ = ["ENGINE_FILE", "engine_in", "on_engine", "on_its_engine", "own_images"]

IMAGES = 128  # of the user's own: a quarter for calibration, the rest to see whether an engine agrees with fp32


def engine_in(record: bytes) -> str:
    """The engine that a record says was taken."""
    return str(json.loads(record)["engine"])


def on_its_engine(
    model: nn.Module, card: ContenderCard, data: Dataset, device: torch.device, before: bytes | None = None
) -> tuple[Prepared, bytes]:
    """The network ready to run, and the record of its engine as JSON.

    With the engine "auto" the fastest is chosen that agrees with fp32 on the run's own images. `before` is the record
    of the same network with other weights: what was timed then stands, and the engine that was chosen is taken again
    if it agrees on these weights too. An engine that was asked for by name is taken, and the first answers that it
    changes are counted on the same images. Engines are timed with as many images at once as `predict` shows.

    Raises:
        EngineError: the engine cannot run here, or cannot take this network.
        MissingExtraError: the engine needs an optional package.
        CellError: fp32 itself gives NaN or infinite outputs under "auto"; the first layer that does is named.
        DataError: none of the run's images can be read.
    """
    images = own_images(card, data)
    batch = chunk_size(images.shape[-2], images.shape[-1], device)
    if card.engine == AUTO:
        if before is None:
            choice = choose(automatic_engines(device.type), model, images, device=device, batch=batch)
        else:
            choice = confirm(engine_in(before), _times(before), model, images, device=device, batch=batch)
    elif len(images) >= FEWEST_IMAGES:
        choice = judge(get_engine(card.engine), model, images, device=device, batch=batch)
    else:  # too few to compare anything on
        prepared = on_engine(model, card, data, device, card.engine)
        candidate = {"engine": card.engine, "compile_seconds": prepared.compile_seconds}
        return prepared, json.dumps({"engine": card.engine, "candidates": [candidate]}).encode()
    return choice.prepared, _record(choice)


def on_engine(model: nn.Module, card: ContenderCard, data: Dataset, device: torch.device, name: str) -> Prepared:
    """The network on an engine by name, for images of the card's own side, as `on_its_engine` prepares it, bit for bit;
    nothing is compared and nothing recorded.

    Raises:
        EngineError, MissingExtraError, DataError: as `on_its_engine`.
    """
    engine = get_engine(name)
    calibration = parted(own_images(card, data))[0] if engine.calibrated else None
    return engine.prepare(model, crop=card.preprocessing.crop, device=device, calibration=calibration)


def own_images(card: ContenderCard, data: Dataset) -> Tensor:
    """Some of the run's images as the contender sees them: float32, shape (n, 3, crop, crop). From the train split
    where there is one, so that no engine is fitted to what the contenders are judged on.

    Raises:
        DataError: none of them can be read.
    """
    images = data.splits.get("train") or data.split("test")
    order = readable(images, recorded_shuffle(len(images), 0), IMAGES)
    stacked = torch.stack([to_uint8(images.image(int(i)), card.preprocessing) for i in order])
    return normalise(stacked, card.preprocessing)


def _times(record: bytes) -> Mapping[str, float]:
    """Seconds an image of the engines that were timed, by name."""
    candidates = json.loads(record)["candidates"]
    return {each["engine"]: float(each["seconds"]) for each in candidates if each.get("seconds") is not None}


def _record(choice: Choice) -> bytes:
    """What was tried, with the times, the flips and the reasons."""
    told: dict[str, Any] = {
        "engine": choice.engine,
        "batch": choice.batch,
        "seconds": choice.seconds,
        "tolerance": asdict(choice.tolerance),
        "candidates": [asdict(candidate) for candidate in choice.candidates],
    }
    return json.dumps(told, indent=1).encode()

"""One side of `paired_evaluation.py`: a process that evaluates folders of images when its parent says so.

It reads a command a line from its input and answers with a line of JSON. What is timed is what a user waits for once
the libraries are loaded and the networks are built: opening the folder, reading, decoding, both networks, the
metrics. The side of timm is its own data set, transform, loader and networks, put together as its validate.py does.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from gratings import CLASSES, MEAN, NETWORKS, STD
from torch import Tensor, nn

CPU = torch.device("cpu")
Answers = dict[str, dict[str, int]]  # by model and file name


class Side(Protocol):
    """What both sides can do."""

    def prepare(self, folder: Path) -> dict[str, Any]:
        """Get ready, with a few images in `folder`; what was chosen."""

    def evaluate(self, folder: Path) -> tuple[float, Answers]:
        """Evaluate both models on all the images below `folder`/val: the seconds, and what they answered."""


@dataclass(frozen=True)
class Setting:
    """Flags of validate.py. `precision`: fp32; amp for --amp --amp-dtype bfloat16; bf16 for --model-dtype bfloat16."""

    precision: str
    channels_last: bool
    batch: int
    workers: int

    @property
    def dtype(self) -> torch.dtype | None:
        """Of --model-dtype."""
        return torch.bfloat16 if self.precision == "bf16" else None


class Timm:
    """timm, one model after the other, at the setting that is fastest here."""

    def __init__(self, weights: Path, precisions: tuple[str, ...]) -> None:
        self.weights = weights
        self.precisions = precisions
        self.setting = Setting("fp32", channels_last=False, batch=8, workers=0)

    def prepare(self, folder: Path) -> dict[str, Any]:
        """Try settings on the smaller model: layouts and batches first, then how many workers."""
        layouts = [
            Setting(precision, channels_last, batch, 1)
            for precision in self.precisions
            for channels_last in (False, True)
            for batch in (8, 64)
            if channels_last or precision == "fp32"
        ]
        seconds = self._try(layouts, folder)
        best = min(seconds, key=seconds.__getitem__)
        seconds |= self._try([Setting(best.precision, best.channels_last, best.batch, n) for n in (0, 2)], folder)
        self.setting = min(seconds, key=seconds.__getitem__)
        return {"setting": vars(self.setting), "tried": {str(each): round(s, 3) for each, s in seconds.items()}}

    def _try(self, settings: list[Setting], folder: Path) -> dict[Setting, float]:
        best = dict.fromkeys(settings, float("inf"))
        for _ in range(2):
            for setting in settings:
                seconds, _ = self._validate(self._model(NETWORKS[0], setting), folder, setting)
                best[setting] = min(best[setting], seconds)
        return best

    def evaluate(self, folder: Path) -> tuple[float, Answers]:
        """As two runs of validate.py, but for loading the libraries and building the networks."""
        total, answers = 0.0, {}
        for name in NETWORKS:
            seconds, answers[name] = self._validate(self._model(name, self.setting), folder, self.setting)
            total += seconds
            gc.collect()  # a process of its own would have given its memory back
            ctypes.CDLL(None).malloc_trim(0)
        return total, answers

    def _model(self, name: str, setting: Setting) -> nn.Module:
        import timm

        path = str(self.weights / f"{name}.safetensors")
        model = timm.create_model(name, num_classes=CLASSES, checkpoint_path=path).to(dtype=setting.dtype).eval()
        return model.to(memory_format=torch.channels_last) if setting.channels_last else model

    @torch.inference_mode()
    def _validate(self, model: nn.Module, folder: Path, setting: Setting) -> tuple[float, dict[str, int]]:
        from timm.data import create_dataset, create_loader
        from timm.utils import AverageMeter, accuracy

        begin = time.perf_counter()
        dataset = create_dataset("", root=str(folder), split="val")
        loader = create_loader(
            dataset,
            input_size=(3, 224, 224),
            batch_size=setting.batch,
            use_prefetcher=True,
            interpolation="bilinear",
            mean=MEAN,
            std=STD,
            num_workers=setting.workers,
            crop_pct=224 / 256,
            device=CPU,
            img_dtype=setting.dtype or torch.float32,
        )
        criterion, losses, top1, top5 = nn.CrossEntropyLoss(), AverageMeter(), AverageMeter(), AverageMeter()
        amp = setting.precision == "amp"
        answers: list[int] = []
        for images, labels in loader:
            shown = images.contiguous(memory_format=torch.channels_last) if setting.channels_last else images
            with torch.autocast("cpu", dtype=torch.bfloat16) if amp else nullcontext():
                logits = model(shown)
                loss = criterion(logits, labels)
            one, five = accuracy(logits, labels, topk=(1, 5))
            for meter, value in ((losses, loss), (top1, one), (top5, five)):
                meter.update(value.item(), len(labels))
            answers += logits.argmax(1).tolist()
        seconds = time.perf_counter() - begin
        return seconds, {Path(name).name: one for name, one in zip(dataset.filenames(), answers, strict=True)}


class Netversus:
    """Ours, both models on each image. `engine` is an engine's name; eager is the exact path, in fp32.

    The exact path shows the exact pixels; the others may decode and resize fast, where the gate on parity lets them.
    """

    def __init__(self, weights: Path, engine: str) -> None:
        self.weights = weights
        self.engine = engine

    def prepare(self, folder: Path) -> dict[str, Any]:
        """Load both networks, choose how to decode, and make the engine ready, compiling included."""
        from netversus.lab.contenders.load import load
        from netversus.lab.contenders.resolve import resolve
        from netversus.lab.data import open_data
        from netversus.lab.pipeline.method import EXACT
        from netversus.lab.pipeline.parity import choose
        from netversus.statistics.order import recorded_shuffle

        data = open_data(str(folder))
        self.cards = [resolve(f"file:{self.weights / name}.safetensors?arch={name}", data.card) for name in NETWORKS]
        self.models: list[Any] = [load(card, classes=CLASSES, seed=0) for card in self.cards]
        self.method = EXACT
        if self.engine == "eager":
            return {"decoding": self.method.label}
        images, order = data.split("test"), recorded_shuffle(len(data.split("test")), 0)
        self.method, parities = choose(images, order, [card.preprocessing for card in self.cards])
        shown = next(self._batches(images, order, len(order))).inputs(self.cards[0].preprocessing)
        self.models = [self._made(model, shown) for model in self.models]
        compiling = {name: model.compile_seconds for name, model in zip(NETWORKS, self.models, strict=True)}
        return {
            "decoding": self.method.label,
            "parity": [str(each) for each in parities],
            "seconds to compile": compiling,
        }

    def _made(self, network: nn.Module, shown: Tensor) -> Any:
        from netversus.lab.engines import get_engine

        return get_engine(self.engine).prepare(network, crop=224, device=CPU, calibration=shown)

    def _batches(self, images: Any, order: Any, size: int) -> Iterator[Any]:
        from netversus.lab.evaluation import batches

        wanted = [card.preprocessing for card in self.cards]
        return batches(images, order, size, CPU, preprocessings=wanted, method=self.method)

    def evaluate(self, folder: Path) -> tuple[float, Answers]:
        """As the accuracy study does it, all its metrics included."""
        from netversus.lab.data import open_data
        from netversus.lab.evaluation import predict
        from netversus.statistics.order import recorded_shuffle
        from netversus.studies.accuracy.measure import observe

        begin = time.perf_counter()
        images = open_data(str(folder)).split("test")
        answers: Answers = {name: {} for name in NETWORKS}
        for batch in self._batches(images, recorded_shuffle(len(images), 0), 64):
            for name, card, model in zip(NETWORKS, self.cards, self.models, strict=True):
                logits = predict(model, batch.inputs(card.preprocessing))
                seen = {each.metric: each for each in observe(card, batch, logits)}["predicted"]
                answers[name] |= {Path(u).name: int(v) for u, v in zip(seen.units, seen.values, strict=True)}
        return time.perf_counter() - begin, answers


def side(name: str, weights: Path) -> Side:
    """`timm:fp32`, `timm:amp,bf16`, or `netversus:ENGINE`."""
    library, _, how = name.partition(":")
    return Timm(weights, tuple(how.split(","))) if library == "timm" else Netversus(weights, how)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    chosen = side(sys.argv[1], Path(sys.argv[2]))
    if sys.argv[1].startswith("timm"):
        import timm  # noqa: F401  (loading the libraries is not timed)
    else:
        import netversus.lab.contenders.load
        import netversus.lab.evaluation  # noqa: F401
    answers.write("{}\n")
    answers.flush()
    for line in sys.stdin:
        what, folder = json.loads(line)
        begin = time.perf_counter()
        if what == "prepare":
            result: Any = chosen.prepare(Path(folder))
            seconds = time.perf_counter() - begin
        else:
            seconds, result = chosen.evaluate(Path(folder))
        answers.write(json.dumps({"seconds": seconds, "result": result}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""How fast every inference engine runs ResNet-50 and ResNet-101 at 224 px on this CPU, and how far from fp32 it is.

Peers, in the same process and in turns: torch eager fp32, torch bf16 autocast, OpenVINO bf16.
About 15 minutes on two cores: THP_MEM_ALLOC_ENABLE=1 python benchmarks/inference_engines.py [--turns 20]
With --networks and --cases the networks can be measured one after another, in a process each: no ratio is between
two networks.

Published weights need a connection; so the networks are random but alive: batch norms have the statistics of real
inputs, residual branches add little, as in a trained network, and the head is fitted by ridge regression to tell the
classes of the scenes apart, so that an image has a first class that an engine can lose. How many it loses is told
beside the times; trained weights may lose more or fewer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from record import record
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from netversus.lab.data import open_data
from netversus.lab.data.dataset import ImageSet
from netversus.lab.engines import automatic_engines, get_engine
from netversus.lab.engines.memory import keep_freed_memory
from netversus.lab.engines.select import REPEATS, Candidate, Choice, choose
from netversus.lab.evaluation import batches
from netversus.records import Preprocessing

CPU = torch.device("cpu")
NETWORKS = ("resnet50", "resnet101")
BATCHES = (1, 8)
SIZE = 224
FITTED, SHOWN = 400, 264  # images for the head; for the choice, of which a quarter, 64 at most, calibrate
RIDGE = 1e-2
BRANCH = 0.2  # what residual branches add: with 1, the last bit of a pixel changes everything at the other end
PREPARED = Preprocessing(crop=SIZE, resize=None, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def shown(images: ImageSet, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and labels of the first images, 16 at a time."""
    for batch in batches(images, np.arange(count), 16, CPU):
        yield batch.inputs(PREPARED), torch.from_numpy(batch.labels)


@torch.inference_mode()
def fitted(name: str, classes: int, images: ImageSet) -> tuple[nn.Module, float]:
    """A network of random features with a fitted head, and its accuracy on the images that it was fitted to."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, num_classes=classes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean over what is shown
        if isinstance(module, Bottleneck):
            nn.init.constant_(module.bn3.weight, BRANCH)
    model.train()
    for inputs, _ in shown(images, 64):
        model(inputs)
    model.eval()
    head, model.fc = model.fc, nn.Identity()
    seen = [(model(inputs), labels) for inputs, labels in shown(images, FITTED)]
    features, labels = torch.cat([f for f, _ in seen]).double(), torch.cat([y for _, y in seen])
    mean, spread = features.mean(0), features.std(0) + 1e-6
    x = (features - mean) / spread
    wanted = nn.functional.one_hot(labels, classes).double() - 1 / classes
    weights = torch.linalg.solve(x.T @ x + RIDGE * len(x) * torch.eye(x.shape[1], dtype=torch.float64), x.T @ wanted)
    head.weight.copy_((10 * weights / spread[:, None]).T)
    head.bias.copy_(-10 * (mean / spread) @ weights)
    model.fc = head
    correct = (head(features.float()).argmax(1) == labels).double().mean()
    return model.requires_grad_(False), float(correct)


def told(candidate: Candidate, eager: float) -> dict[str, object]:
    if candidate.seconds is None:
        return {"not used": candidate.why}
    gained = eager - candidate.seconds
    return {
        "ms an image": round(1000 * candidate.seconds, 2),
        "times faster than eager": round(eager / candidate.seconds, 2),
        "seconds to prepare": round(candidate.compile_seconds or 0.0, 1),
        "images until that is paid": round((candidate.compile_seconds or 0.0) / gained) if gained > 0 else None,
        "first classes changed": f"{candidate.flips} of {candidate.judged}",
        "mean shift of a probability": candidate.shift,
        "accepted": candidate.accepted,
    }


def seconds(choice: Choice, engine: str) -> float:
    return next(c.seconds for c in choice.candidates if c.engine == engine and c.seconds is not None)


@dataclass(frozen=True)
class Measured:
    """Of one network: its accuracy on what its head was fitted to, and by batch what the choice saw."""

    accuracy: float
    choices: dict[int, Choice]

    def ratios(self, ours: str, peer: str) -> dict[str, float]:
        """By batch, an engine's time over another's; "" is the chosen one."""
        return {str(n): seconds(each, ours or each.engine) / seconds(each, peer) for n, each in self.choices.items()}

    def kept(self, turns: int) -> dict[str, Any]:
        """As it is written down."""
        return {
            "accuracy on the images that the head was fitted to": self.accuracy,
            "times are": f"the least of {REPEATS * turns} repetitions, all engines in turns",
            "best": {n: 1 / ratio for n, ratio in self.ratios("", "eager").items()},
            "fused-bf16 and autocast": {n: 1 / ratio for n, ratio in self.ratios("fused-bf16", "autocast").items()},
            "fused-bf16 and openvino-bf16": self.ratios("fused-bf16", "openvino-bf16"),
            "batches": {
                str(n): {
                    "chosen": each.engine,
                    "seconds that the choice took": round(each.seconds, 1),
                    "engines": {one.engine: told(one, seconds(each, "eager")) for one in each.candidates},
                }
                for n, each in self.choices.items()
            },
        }


def measured(name: str, turns: int, images: int) -> Measured:
    """One network on every engine, at every batch."""
    data = open_data(f"scenes?size={SIZE}&train={FITTED}&test={images}")
    inputs = torch.cat([part for part, _ in shown(data.split("test"), images)])
    engines = (*automatic_engines("cpu"), get_engine("autocast"))
    model, accuracy = fitted(name, len(data.card.classes), data.split("train"))
    choices = {}
    for batch in BATCHES:
        choice = choose(engines, model, inputs, device=CPU, batch=batch, turns=turns, every=batch > 1)
        choices[batch] = choice
        lines = (f"{c.engine} {c.seconds} {c.flips} {c.why}" for c in choice.candidates)
        print(name, batch, choice.engine, *lines, sep="\n  ", flush=True)
    return Measured(accuracy, choices)


def keep(cases: Mapping[str, Mapping[str, Any]]) -> None:
    """Record what all the networks say together."""

    def ratios(what: str) -> dict[str, float]:
        return {f"{name}, batch {n}": r for name, case in cases.items() for n, r in case[what].items()}

    best, ours, peer = (ratios(w) for w in ("best", "fused-bf16 and autocast", "fused-bf16 and openvino-bf16"))
    record(
        name="inference_engines_best",
        peer="torch eager fp32",
        ratio=min(best.values()),
        goal="the fastest engine that agrees with fp32 within the default tolerance is at least 3 times as fast",
        met=min(best.values()) >= 3,
        measured={
            "ratio is": "eager's time / the chosen engine's, the worst case",
            "ratios": best,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "cases": cases,
        },
    )
    record(
        name="inference_engines_bf16_autocast",
        peer="torch bf16 autocast",
        ratio=min(ours.values()),
        goal="fused-bf16 is at least 2.5 times as fast",
        met=min(ours.values()) >= 2.5,
        measured={
            "ratio is": "autocast's time / fused-bf16's, the worst case",
            "ratios": ours,
            "cases": "see inference_engines_best",
        },
    )
    record(
        name="inference_engines_bf16_openvino",
        peer="OpenVINO bf16",
        ratio=max(peer.values()),
        goal="fused-bf16 takes at most 1.2 times as long",
        met=max(peer.values()) <= 1.2,
        measured={
            "ratio is": "fused-bf16's time / OpenVINO's, the worst case",
            "ratios": peer,
            "cases": "see inference_engines_best",
        },
    )


def main(asked: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--images", type=int, default=SHOWN, help="for the choice; three quarters or more are judged")
    parser.add_argument("--cases", type=Path, help="a JSON file: what it holds of other networks is recorded too")
    arguments = parser.parse_args(asked)
    keep_freed_memory()  # for all of them, the peers too
    file: Path | None = arguments.cases
    cases = json.loads(file.read_text()) if file and file.exists() else {}
    for name in arguments.networks:
        cases[name] = measured(name, arguments.turns, arguments.images).kept(arguments.turns)
        if file:
            file.write_text(json.dumps(cases, indent=1))
    keep(cases)


if __name__ == "__main__":
    main()

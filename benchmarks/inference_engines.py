"""How fast every inference engine runs ResNet-50 and ResNet-101 at 224 px on this CPU, and how far from fp32 it is.

Peers, in the same process and in turns: torch eager fp32, torch bf16 autocast, OpenVINO bf16.
About 20 minutes on two cores: THP_MEM_ALLOC_ENABLE=1 python benchmarks/inference_engines.py [--turns 20]
With --networks and --cases the networks can be measured one after another, in a process each: no ratio is between
two networks. --weights keeps the trained networks (`gratings.py`), which take six of the minutes.

How many first answers an engine changes is told beside its time, and what this machine's arithmetic allows beside both.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torchvision
from gratings import CLASSES, MEAN, NETWORKS, STD, make_images, make_weights
from limit import operations, peaks
from record import record
from torch import Tensor, nn

from netversus.lab.data import open_data
from netversus.lab.data.dataset import ImageSet
from netversus.lab.engines import automatic_engines, get_engine
from netversus.lab.engines.memory import keep_freed_memory
from netversus.lab.engines.select import REPEATS, Candidate, Choice, choose
from netversus.lab.evaluation import batches
from netversus.records import Preprocessing
from netversus.statistics.order import recorded_shuffle

CPU = torch.device("cpu")
BATCHES = (1, 8)
SIZE = 224
SHOWN = 264  # images for the choice, of which a quarter, 64 at most, calibrate
PREPARED = Preprocessing(crop=SIZE, resize=256, mean=MEAN, std=STD)


def network_of(weights: Path, name: str) -> nn.Module:
    """A trained network."""
    model: nn.Module = torchvision.models.get_model(name, num_classes=CLASSES)
    model.load_state_dict(safetensors.torch.load_file(weights / f"{name}.safetensors"))
    return model.eval().requires_grad_(False)


def shown(images: ImageSet, count: int) -> tuple[Tensor, Tensor]:
    """Inputs and labels of the first of the recorded shuffle."""
    order = recorded_shuffle(len(images), 0)[:count]
    read = [(b.inputs(PREPARED), torch.from_numpy(b.labels)) for b in batches(images, order, 16, CPU)]
    return torch.cat([inputs for inputs, _ in read]), torch.cat([labels for _, labels in read])


@torch.inference_mode()
def accuracy_of(model: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    right = [model(x).argmax(1) == y for x, y in zip(inputs.split(16), labels.split(16), strict=True)]
    return float(torch.cat(right).double().mean())


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
    """Of one network: its operations an image, its accuracy on the images that are judged on, by batch what the choice
    saw, and the machine's operations a second."""

    operations: int
    accuracy: float
    choices: dict[int, Choice]
    peaks: Mapping[str, float]

    def ratios(self, ours: str, peer: str) -> dict[str, float]:
        """By batch, an engine's time over another's; "" is the chosen one."""
        return {str(n): seconds(each, ours or each.engine) / seconds(each, peer) for n, each in self.choices.items()}

    def kept(self, turns: int) -> dict[str, Any]:
        """As it is written down."""
        return {
            "accuracy on the images": self.accuracy,
            "GFLOP/s of a large matrix product": {precision: peak / 1e9 for precision, peak in self.peaks.items()},
            "times faster than eager that arithmetic allows": {
                str(n): {p: peak * seconds(each, "eager") / self.operations for p, peak in self.peaks.items()}
                for n, each in self.choices.items()
            },
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


def measured(name: str, weights: Path, turns: int, images: int) -> Measured:
    """One network on every engine, at every batch."""
    with tempfile.TemporaryDirectory() as folder:
        make_images(Path(folder), range(images))
        inputs, labels = shown(open_data(folder).split("test"), images)
    engines = (*automatic_engines("cpu"), get_engine("autocast"))
    model = network_of(weights, name)
    choices = {}
    for batch in BATCHES:
        choice = choose(engines, model, inputs, device=CPU, batch=batch, turns=turns, every=batch > 1)
        choices[batch] = choice
        lines = (f"{c.engine} {c.seconds} {c.flips} {c.why}" for c in choice.candidates)
        print(name, batch, choice.engine, *lines, sep="\n  ", flush=True)
    return Measured(operations(name), accuracy_of(model, inputs, labels), choices, peaks())


def keep(cases: Mapping[str, Mapping[str, Any]]) -> None:
    """Record what all the networks say together."""

    def ratios(what: str) -> dict[str, float]:
        return {f"{name}, batch {n}": r for name, case in cases.items() for n, r in case[what].items()}

    best, ours, peer = (ratios(w) for w in ("best", "fused-bf16 and autocast", "fused-bf16 and openvino-bf16"))
    record(
        name="inference_engines_best",
        peer="torch eager fp32",
        ratio=min(best.values()),
        ratio_is="eager's time / the chosen engine's, the worst case",
        better="higher",
        goal="the fastest engine that agrees with fp32 within the default tolerance is at least 3 times as fast",
        met=min(best.values()) >= 3,
        measured={
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
        ratio_is="autocast's time / fused-bf16's, the worst case",
        better="higher",
        goal="fused-bf16 is at least 2.5 times as fast",
        met=min(ours.values()) >= 2.5,
        measured={
            "ratios": ours,
            "cases": "see inference_engines_best",
        },
    )
    record(
        name="inference_engines_bf16_openvino",
        peer="OpenVINO bf16",
        ratio=max(peer.values()),
        ratio_is="fused-bf16's time / OpenVINO's, the worst case",
        better="lower",
        goal="fused-bf16 takes at most 1.2 times as long",
        met=max(peer.values()) <= 1.2,
        measured={
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
    parser.add_argument("--weights", type=Path, help="where trained weights are kept; they are made where missing")
    arguments = parser.parse_args(asked)
    keep_freed_memory()  # for all of them, the peers too
    file: Path | None = arguments.cases
    cases = json.loads(file.read_text()) if file and file.exists() else {}
    weights = arguments.weights or Path(tempfile.mkdtemp())
    make_weights(weights)
    for name in arguments.networks:
        cases[name] = measured(name, weights, arguments.turns, arguments.images).kept(arguments.turns)
        if file:
            file.write_text(json.dumps(cases, indent=1))
    keep(cases)


if __name__ == "__main__":
    main()

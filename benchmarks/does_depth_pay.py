"""Does depth pay? Two contenders that differ in depth, trained for real on generated scenes, seed by seed.

Both learn from the same images in the same order under one recipe, under paired seeds; the difference in test accuracy
has an interval over the seeds. The peer is the shallower one. Where an accelerator is there:

    python benchmarks/does_depth_pay.py --side 64            resnet50 and resnet101, 5 seeds
    python benchmarks/does_depth_pay.py --side 128

and a short form for two cores, which shows that the measurement works and not whether depth pays: so little training
barely beats guessing (a few minutes):

    python benchmarks/does_depth_pay.py --small              resnet18 and resnet34 at 32 px, 3 seeds

The numbers and the run's report are kept as results/does_depth_pay_SIDE.{json,html,md}; of the short form no page. The
goal is the interval, whatever it says: it is met where three seeds or more were trained.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import RESULTS, record

import netversus as nv
from netversus.evidence import StudyEvidence
from netversus.statistics.means import paired_t

LEVEL = 0.95


@dataclass(frozen=True)
class Size:
    """How much is trained."""

    contenders: tuple[str, str]
    train: int
    test: int
    side: int
    seeds: int
    options: dict[str, Any]


def full(side: int) -> Size:
    """For an accelerator: 10,000 scenes to learn from, the small stem where the images are small."""
    stem = "?stem=small" if side <= 64 else ""
    options = {"epochs": 30, "batch": 128, "precision": "bfloat16", "channels_last": True, "augment": "shift-flip"}
    return Size((f"resnet50{stem}", f"resnet101{stem}"), 10_000, 2_000, side, 5, options)


def small(seeds: int) -> Size:
    """For two cores."""
    return Size(("resnet18", "resnet34"), 1500, 500, 32, seeds, {"epochs": 5, "batch": 32, "rounds": 4})


def _values(evidence: StudyEvidence, contender: str, metric: str, seed: int) -> list[float]:
    sample = evidence.series(contender, metric, seed)
    return [] if sample is None else [float(value) for value in sample.values]


def over_seeds(run: nv.Run, contenders: tuple[str, str]) -> dict[str, Any]:
    """Test accuracy by contender and seed, and the paired difference over the seeds."""
    plan = run.store.plan()
    evidence = StudyEvidence(run.store, plan, "accuracy")
    names = [card.name for card in plan.contenders]
    seeds = list(evidence.seeds)
    top1 = {}
    for name in names:
        top1[name] = [float(np.mean(_values(evidence, name, "top1", seed))) for seed in seeds]
    differences = np.subtract(top1[names[1]], top1[names[0]])
    effect = paired_t(differences, LEVEL).effect
    learned = StudyEvidence(run.store, plan, "training")
    return {
        "top-1 of guessing evenly": 1 / len(plan.data.classes),
        "milliseconds of training an image, median of the rounds": {
            contender: float(np.median([1e3 * v for s in seeds for v in _values(learned, name, "train_time", s)]))
            for contender, name in zip(contenders, names, strict=True)
        },
        "top-1 by seed": dict(zip(contenders, (top1[name] for name in names), strict=True)),
        "difference by seed, deeper less shallower (points)": (100 * differences).tolist(),
        "mean difference (points)": 100 * effect.estimate,
        "95 % interval over seeds (points)": [100 * effect.low, 100 * effect.high],
        "test images": len(_values(evidence, names[0], "top1", seeds[0])),
    }


def _note(short: bool, told: dict[str, Any]) -> str:
    """What the numbers are good for, beside what guessing gets."""
    if not short:
        return "generated scenes, one recipe"
    every = [100 * value for values in told["top-1 by seed"].values() for value in values]
    return (
        f"so short a training gets {min(every):.1f} to {max(every):.1f} % right, where guessing gets "
        f"{100 * told['top-1 of guessing evenly']:.1f} %: it shows that the measurement works, not whether depth pays"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="run folder; the same one goes on where it was")
    given = parser.parse_args()
    if not given.small and not torch.cuda.is_available():
        parser.error("the full size needs an accelerator; --small runs anywhere")
    size = small(given.seeds) if given.small else full(given.side)
    run = nv.compare(
        *size.contenders,
        data=f"scenes?size={size.side}&train={size.train}&test={size.test}",
        studies=("training", "accuracy"),
        options={"training": size.options},
        repeats=size.seeds,
        **({"out": str(given.out)} if given.out else {}),
    )
    name = f"does_depth_pay_{size.side}{'_small' if given.small else ''}"
    for suffix in ("md",) if given.small else ("html", "md"):
        run.report(RESULTS / f"{name}.{suffix}")
    told = over_seeds(run, size.contenders)
    low, high = told["95 % interval over seeds (points)"]
    asked = {("accuracy", "top1"), ("training", "train_time")}
    findings = [f for f in run.findings if (f.study, f.metric) in asked and not f.slice]
    first, second = (np.mean(values) for values in told["top-1 by seed"].values())
    record(
        name=name,
        peer=size.contenders[0],
        ratio=float(second / first),
        ratio_is=f"mean test top-1 of {size.contenders[1]} / of {size.contenders[0]}",
        better="neither",
        goal="an interval over three paired seeds or more, whatever it says",
        met=bool(size.seeds >= 3 and np.isfinite(low) and np.isfinite(high)),
        measured={
            **told,
            "findings": [finding.sentence for finding in findings],
            "settings": {
                "data": f"scenes, {size.train} images of {size.side} px to learn from",
                "seeds": size.seeds,
                **size.options,
            },
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "report": f"{name}.md",
            "note": _note(given.small, told),
        },
    )


if __name__ == "__main__":
    main()

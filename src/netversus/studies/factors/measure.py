"""Every contender under every setting of the design, trial by trial; what is stored is not trained again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from netversus.errors import CellError
from netversus.lab.bench import Bench
from netversus.lab.data.split import held_out
from netversus.lab.evaluation import batches
from netversus.lab.preprocessing import geometry
from netversus.lab.training.initial import start_as_identity
from netversus.messages import noted
from netversus.records import ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.studies.factors import judged_images
from netversus.studies.factors.design import Setting, design
from netversus.studies.factors.trial import Images, Trial

DECODED_AT_ONCE = 64


def measure(bench: Bench) -> Iterator[Emission]:
    """The top-1 of each trial, on images held out of the train split. The test split is not touched."""
    settings = design(bench.options)
    open_trials = [(s, c) for s in settings for c in bench.contenders if not _stored(bench, s, c)]
    views = _views(bench, {card.preprocessing for _, card in open_trials})
    total = len(settings) * len(bench.contenders)
    done = total - len(open_trials)
    yield Progress(done, total, noted("trials"))
    for setting, card in open_trials:
        trial = _trial(bench, setting, card)
        images = views[geometry(card.preprocessing)]
        for step in trial.train(images):
            yield Progress(done + step / (trial.steps + 1), total, noted("trials"))
        top1 = trial.top1(images, bench.room(card))
        seen = {"trial_seed": trial.seed, "trial_diverged": trial.diverged, "trial_top1": top1}
        for metric, value in seen.items():
            yield Observations(card.name, metric, (setting.unit,), (float(value),))
        done += 1
        yield Progress(done, total, noted("trials"))


def _stored(bench: Bench, setting: Setting, card: ContenderCard) -> bool:
    return setting.unit in bench.stored(card.name, "trial_top1")  # it is the last that a trial yields


def _trial(bench: Bench, setting: Setting, card: ContenderCard) -> Trial:
    seed = setting.seed(bench.seed)
    model = replace(bench, seed=seed).model(card, train=True)
    start_as_identity(model)
    return Trial(model, card.preprocessing, setting, seed, bench.options.samples, bench.device)


def _views(bench: Bench, preprocessings: set[Preprocessing]) -> dict[Preprocessing, Images]:
    """The train split as each contender sees it; contenders that see the same pixels share them.

    Raises:
        CellError: too few images to hold some out.
    """
    train = bench.data.split("train")
    judged = held_out(train.labels.tolist(), train.ids, judged_images(bench.options, len(train)), seed=0)
    if judged.all() or not judged.any():
        raise CellError(f"the train split has {len(train)} images, too few to learn from some and judge on others")
    shapes = {geometry(each) for each in preprocessings}
    stacks = {s: torch.empty((len(train), 3, s.crop, s.crop), dtype=torch.uint8) for s in shapes}
    for batch in batches(train, np.arange(len(train)), DECODED_AT_ONCE, bench.device, preprocessings=shapes):
        for shape, stack in stacks.items():
            stack[batch.stop - len(batch.ids) : batch.stop] = batch.pixels(shape)
    labels = torch.from_numpy(train.labels)
    fit, judge = np.flatnonzero(~judged), np.flatnonzero(judged)
    return {shape: Images(stack, labels, fit, judge) for shape, stack in stacks.items()}

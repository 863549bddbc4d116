"""A contender's own detector: built on its network and trained, from where an interruption left it.

What comes of it stays in the run: what the detector is made of, its losses, and its weights (see `recipe`).
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import safetensors.torch
from torch import nn

from netversus.errors import CellError
from netversus.lab.bench import Bench
from netversus.lab.data.annotated import FrameSet
from netversus.lab.detection.detector import Scale, build, scale_of
from netversus.lab.detection.pictures import Pictures
from netversus.lab.detection.recipe import LOSS, MADE, WEIGHTS, DetectorRecipe
from netversus.lab.detection.training import Apprentice
from netversus.lab.training.checkpoint import Checkpoints, Pace
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Progress

CHECKPOINT_SECONDS = 60.0  # writing one costs seconds for a large detector; at most this much is trained twice
SAID_EVERY = 20  # steps between two losses that are kept


@dataclass
class Lessons:
    """What all contenders' detectors learn from: pictures, each decoded once, the names of the classes of what is on
    them, and the shorter side in px at which they are seen (that of the first where none is given)."""

    frames: FrameSet | None
    classes: Sequence[str]
    side: int | None
    of: str

    @cached_property
    def pictures(self) -> Pictures:
        """The pictures.

        Raises:
            CellError: there are none.
        """
        if self.frames is None or not len(self.frames):
            raise CellError(f"{self.of} has no pictures with boxes to train a detector on")
        return Pictures(self.frames)

    @cached_property
    def scale(self) -> Scale:
        """The size of the pictures and of the objects on them."""
        return scale_of(self.pictures.frames, self.side)


def own_detector(
    bench: Bench, card: ContenderCard, model: nn.Module, recipe: DetectorRecipe, lessons: Lessons
) -> Generator[Emission, None, nn.Module]:
    """The detector on a contender's network, in eval mode: as it was trained before an interruption, or trained now.

    It follows from the network's weights, the recipe, the lessons and the bench's seed alone, wherever a training was
    interrupted in between.

    Raises:
        CellError: the network cannot be a detector's backbone, or there is nothing to learn from.
        DivergedError: the loss became no number.
    """
    detector, plan = build(model.to(bench.device), card, lessons.classes, lessons.scale, recipe, bench.seed)
    kept = bench.kept(card.name, WEIGHTS)
    if kept is None:
        told = plan.told() | {"begins": _begins(bench, card)}
        yield Artifact(MADE, json.dumps(told).encode(), card.name)
        yield from _trained(bench, card, detector, recipe, lessons)
        weights = {name: tensor.contiguous().cpu() for name, tensor in detector.state_dict().items()}
        bench.flush()
        bench.keep(Artifact(WEIGHTS, safetensors.torch.save(weights), card.name))
    else:
        detector.load_state_dict(safetensors.torch.load(kept))
    return detector.eval()


def _begins(bench: Bench, card: ContenderCard) -> str:
    """What the detector's training begins with; the report has the words (`netversus.lab.detection.told`)."""
    if card.name in bench.weights:
        return "here"
    return "random" if card.untrained else "given"


def _trained(
    bench: Bench, card: ContenderCard, detector: nn.Module, recipe: DetectorRecipe, lessons: Lessons
) -> Iterator[Emission]:
    """The training, from where it was interrupted."""
    apprentice = Apprentice(card.name, detector, recipe, bench.seed, bench.device)
    config = {"contender": card.digest, "seed": bench.seed, **recipe.model_dump(mode="json")}
    kept = Checkpoints(bench.scratch(card.name) / "training", config)
    state = kept.newest(bench.device)
    if state is not None:
        apprentice.restore(state)
    pace = Pace(CHECKPOINT_SECONDS)
    for loss in apprentice.train(lessons.pictures):
        done, steps = apprentice.done, recipe.steps
        if done % SAID_EVERY == 0 or done == steps:
            yield Observations(card.name, LOSS, (f"step-{done:07d}",), (loss,))
        if pace.due():
            bench.flush()  # what is trained from here on takes the earlier losses for observed
            pace.keep(lambda: kept.save(apprentice.done, apprentice.state()))
        yield Progress(done, steps, noted("steps of the detector on {contender}", contender=card.name))

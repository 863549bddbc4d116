"""What it takes to train detectors and to ask them, from what their contenders cost as classifiers. Loads no torch.

A contender's rates are of its own crop, which the pictures are taken to have too.
"""

from __future__ import annotations

from netversus.lab.detection.recipe import DetectorRecipe
from netversus.study import Work

# A step of a detector beside a step of the classifier on as many pixels: the head, and full maps in the pyramid.
_HEAD_FACTOR, _HEAD_SECONDS = 2.0, 0.02
_HEAD_PARAMETERS = 20_000_000
_NOMINAL_SIDE = 256  # where the data do not tell how large their pictures are


def training_seconds(recipe: DetectorRecipe, work: Work) -> float:
    """Seconds to train a detector on every contender."""
    step = sum(
        _HEAD_SECONDS + _HEAD_FACTOR * max(rate.train_seconds, 3 * rate.infer_seconds) for rate in work.rates.values()
    )
    return recipe.steps * recipe.batch * step


def asking_seconds(work: Work) -> float:
    """Seconds to ask every contender's detector about one picture."""
    return sum(_HEAD_SECONDS + _HEAD_FACTOR * rate.infer_seconds for rate in work.rates.values())


def training_memory(recipe: DetectorRecipe, work: Work) -> int:
    """Bytes that the training of the largest takes."""
    pixels = (recipe.side or work.data.frame_side or work.data.image_size or _NOMINAL_SIDE) ** 2
    return 16 * (work.parameters + _HEAD_PARAMETERS) + recipe.batch * pixels * 3 * 4 * 120


def kept_bytes(work: Work) -> int:
    """Bytes of the weights of a detector of every contender."""
    return len(work.rates) * 4 * (work.parameters + _HEAD_PARAMETERS)

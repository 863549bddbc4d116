"""What it takes to train detectors and to ask them, from what their contenders cost as classifiers. Loads no torch."""

from __future__ import annotations

from netversus.lab.detection.recipe import DetectorRecipe
from netversus.records import Rates
from netversus.study import Work

_NOMINAL_SIDE, _NOMINAL_IMAGE = 256, 224  # where the data do not tell how large their pictures or images are
_PICTURE_SECONDS = 0.004  # to draw or decode one, and to assign and sort its boxes
# How often a network of photographs uses each of its parameters on an image of 224 px: 4.1 GMAC of 25.6 million by
# ResNet-50, 7.8 of 44.5 by ResNet-101, 1.8 of 11.7 by ResNet-18.
_USES = 160
_STEP = 3  # a step of training beside an answer: forwards, and backwards for inputs and weights
_MOST_HEAD_PARAMETERS = 20_000_000


def training_seconds(recipe: DetectorRecipe, work: Work) -> float:
    """Seconds to train a detector on every contender."""
    steps = (
        _seconds(recipe, work, rate, max(rate.train_seconds, _STEP * rate.infer_seconds), _STEP)
        for rate in work.rates.values()
    )
    return recipe.steps * recipe.batch * sum(steps)


def asking_seconds(recipe: DetectorRecipe, work: Work) -> float:
    """Seconds to ask every contender's detector about one picture."""
    return sum(_seconds(recipe, work, rate, rate.infer_seconds, 1) for rate in work.rates.values())


def _seconds(recipe: DetectorRecipe, work: Work, rate: Rates, backbone: float, times: int) -> float:
    """Seconds of a picture: the `backbone`'s, which are those of an image, on as many pixels as a picture has; and
    `times` the head's, which is as fast as the backbone by multiplications."""
    image, side = work.data.image_size or _NOMINAL_IMAGE, _side(recipe, work)
    products = max(1, rate.parameters) * _USES * (image / _NOMINAL_IMAGE) ** 2  # a file of results has no parameters
    pace = rate.infer_seconds / products
    return backbone * (side / image) ** 2 + times * pace * recipe.head_products(side) + _PICTURE_SECONDS


def training_memory(recipe: DetectorRecipe, work: Work) -> int:
    """Bytes that the training of the largest takes."""
    return 16 * (work.parameters + _MOST_HEAD_PARAMETERS) + recipe.batch * _side(recipe, work) ** 2 * 3 * 4 * 120


def kept_bytes(work: Work) -> int:
    """Bytes of the weights of a detector of every contender."""
    return len(work.rates) * 4 * (work.parameters + _MOST_HEAD_PARAMETERS)


def _side(recipe: DetectorRecipe, work: Work) -> int:
    return recipe.side or work.data.frame_side or work.data.image_size or _NOMINAL_SIDE

"""What is minimised, for hard labels and for mixed ones."""

from __future__ import annotations

from collections.abc import Callable

from timm.loss import BinaryCrossEntropy
from torch import Tensor, nn

from netversus.lab.training.recipe import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]


def make_loss(recipe: Recipe) -> Loss:
    """The recipe's loss, in nats: logits of shape (n, classes) and labels, int64 (n,) or a share for each class
    (n, classes), to their mean.

    Cross-entropy, or binary cross-entropy for each class apart (Wightman et al. 2021, section 3.1). Mixed labels come
    smoothed; hard ones are smoothed here (Szegedy et al. 2016).
    """
    hard, mixed = _hard(recipe), _mixed(recipe)
    return lambda logits, labels: (hard if labels.ndim == 1 else mixed)(logits.float(), labels)


def _hard(recipe: Recipe) -> nn.Module:
    if recipe.loss == "bce":
        return BinaryCrossEntropy(smoothing=recipe.label_smoothing)  # type: ignore[no-any-return]
    return nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)


def _mixed(recipe: Recipe) -> nn.Module:
    return BinaryCrossEntropy(smoothing=0.0) if recipe.loss == "bce" else nn.CrossEntropyLoss()

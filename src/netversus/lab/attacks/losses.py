"""What an attack drives up: a loss for each image, shape (n,), from logits (n, classes) and labels (n,)."""

from __future__ import annotations

from torch import Tensor, nn

from netversus.lab.attacks.victim import Losses

FEWEST_CLASSES = 4  # the targeted difference of logits ratio takes four logits


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The negative log-likelihood of the label."""
    return nn.functional.cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The best wrong logit less the right one: above 0 where the answer is wrong."""
    right = logits.gather(1, labels[:, None])[:, 0]
    wrong = logits.scatter(1, labels[:, None], -float("inf")).amax(1)
    return wrong - right


def targeted_ratio(targets: Tensor) -> Losses:
    """The targeted difference of logits ratio (Croce and Hein 2020, equation 7): how far the target's logit lies above
    the label's, over the spread of the largest logits, so that no scaling of the logits hides the gradient.

    With fewer than four classes there is no such spread, and it is the plain difference.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        ahead = logits.gather(1, targets[:, None])[:, 0] - logits.gather(1, labels[:, None])[:, 0]
        if logits.shape[1] < FEWEST_CLASSES:
            return ahead
        largest = logits.topk(FEWEST_CLASSES, dim=1).values
        return ahead / (largest[:, 0] - 0.5 * (largest[:, 2] + largest[:, 3]) + 1e-12)

    return loss


def difference(targets: Tensor) -> Losses:
    """The target's logit less the label's: 0 on the boundary between the two."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return logits.gather(1, targets[:, None])[:, 0] - logits.gather(1, labels[:, None])[:, 0]

    return loss


def rivals(logits: Tensor, labels: Tensor, count: int) -> Tensor:
    """The wrong classes, the likeliest first: int64, shape (n, at most count)."""
    wrong = logits.scatter(1, labels[:, None], -float("inf"))
    return wrong.topk(min(count, logits.shape[1] - 1), dim=1).indices

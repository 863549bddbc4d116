"""Training on images that were changed to mislead the network as it is at that step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netversus.lab.training.losses import Loss
from netversus.lab.training.recipe import Recipe
from netversus.records import Preprocessing


class Adversary:
    """One step from a random point of the l-inf ball (FGSM-RS, Wong, Rice and Kolter 2020, algorithm 3), or several
    (PGD, Madry et al. 2018).

    It sees images as the network does, normalised: eps and the edges of [0, 1] are converted. The random point comes
    from torch's generator, which the step has seeded.
    """

    def __init__(self, recipe: Recipe, preprocessing: Preprocessing, device: torch.device) -> None:
        mean, std = (
            torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std)
        )
        self.steps = recipe.adversarial_steps
        self.eps = recipe.adversarial_eps / 255 / std
        self.stride = recipe.adversarial_stride * self.eps
        self.low, self.high = -mean / std, (1 - mean) / std

    def changed(self, model: nn.Module, inputs: Tensor, labels: Tensor, loss_of: Loss) -> Tensor:
        """The images changed by at most eps: as `inputs`, float32, shape (n, 3, h, w), normalised.

        What augmentation left outside [0, 1] (random erasing) stays there, and is not driven further.
        """
        low, high = torch.minimum(inputs, self.low), torch.maximum(inputs, self.high)
        change = (2 * torch.rand_like(inputs) - 1) * self.eps
        for _ in range(self.steps):
            tried = (inputs + change).clamp(low, high).detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(loss_of(model(tried), labels), tried)
            change = (change + self.stride * gradient.sign()).clamp(-self.eps, self.eps)
        return (inputs + change).clamp(low, high).detach()

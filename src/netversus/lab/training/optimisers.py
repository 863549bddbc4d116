"""Optimisers: torch's and timm's, by name, with the parameters that are not decayed set apart."""

from __future__ import annotations

import torch
from timm.optim import create_optimizer_v2
from torch import nn

from netversus.lab.training.recipe import Recipe

_FUSED = {"adamw", "sgd", "nesterov"}  # torch fuses their step, on CPUs and CUDA devices
_TIMM_NAMES = {"sgd": "momentum", "nesterov": "nesterov"}  # their "sgd" has Nesterov's momentum too
_FUSED_DEVICES = {"cpu", "cuda"}


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over a model's parameters that require a gradient.

    Unless the recipe decays them too, parameters of one dimension (norms, biases) and those that the model itself
    names are not decayed. Sources: AdamW, Loshchilov and Hutter 2019; LAMB, You et al. 2020; Muon, Jordan et al. 2024
    (for filters, flattened; AdamW takes the rest); SGD, Sutskever et al. 2013.
    """
    device = next(model.parameters()).device.type
    fused = {"fused": True} if recipe.optimizer in _FUSED and device in _FUSED_DEVICES else {}
    momentum = {"momentum": recipe.momentum} if recipe.optimizer in ("sgd", "nesterov", "muon") else {}
    optimizer: torch.optim.Optimizer = create_optimizer_v2(
        model,
        opt=_TIMM_NAMES.get(recipe.optimizer, recipe.optimizer),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        filter_bias_and_bn=not recipe.decay_norms,
        **momentum,
        **fused,
    )
    return optimizer

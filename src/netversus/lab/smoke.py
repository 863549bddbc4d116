"""A smoke test of one contender: does it answer at all, on its own? Asked when several were measured together and that
failed, to tell whose fault it is."""

from __future__ import annotations

import torch

from netversus.errors import CellError
from netversus.lab.bench import Bench
from netversus.lab.engines.nan_origin import nan_origin
from netversus.records import ContenderCard

IMAGES = 4


def smoke_test(bench: Bench, card: ContenderCard, *, gradient: bool) -> None:
    """Show a contender a few images of noise, as large as it sees them; it must answer with finite numbers, and with
    `gradient` have finite derivatives of them to the pixels.

    Raises:
        CellError: numbers that are not finite, with the first layer that gives them.
        Exception: whatever else its code, its weights or its engine raise.
    """
    size = card.preprocessing.crop
    noise = torch.randn(IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0)).to(bench.device)
    network = bench.model(card) if gradient else bench.ready(card)
    with torch.set_grad_enabled(gradient):
        answers = network(noise.requires_grad_(gradient))
    if not bool(torch.isfinite(answers).all()):
        first = nan_origin(bench.model(card), noise.detach())
        raise CellError(f"{card.name} answers with NaN or infinite numbers, first in {first or card.engine}")
    if gradient:
        (slope,) = torch.autograd.grad(answers.float().logsumexp(1).sum(), noise)
        if not bool(torch.isfinite(slope).all()):
            raise CellError(f"{card.name} has derivatives that are NaN or infinite")

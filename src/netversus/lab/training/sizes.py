"""Progressive resizing: small images first, because they are cheap."""

from __future__ import annotations

from netversus.lab.training.recipe import Recipe

STAGES = 4  # as many equal parts of the training; the last one at full size
SMALLEST, MULTIPLE = 8, 4  # pixels


def side_at(recipe: Recipe, crop: int, step: int, steps: int) -> int:
    """The side in pixels of the images of a step: `first_size` of the crop in the first stage, all of it in the last
    (Howard 2018, fast.ai's DAWNBench entry; Touvron et al. 2019 on why small training images cost little)."""
    if recipe.first_size == 1:
        return crop
    stage = min(STAGES - 1, STAGES * step // steps)
    share = recipe.first_size + (1 - recipe.first_size) * stage / (STAGES - 1)
    return crop if stage == STAGES - 1 else min(crop, max(SMALLEST, MULTIPLE * round(crop * share / MULTIPLE)))

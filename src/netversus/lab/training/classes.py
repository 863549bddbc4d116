"""Classes that there is little to learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netversus.messages import noted, template

NAMED = 5  # of them at most


def scarce_classes(labels: NDArray[np.int64], classes: tuple[str, ...]) -> tuple[str, ...]:
    """A line on the classes without a training image, and one on those with a single one, where there are such."""
    counts = np.bincount(labels, minlength=len(classes))
    said = []
    for count, words in (
        (0, template("classes that have no image to learn from and cannot be learned: {names}")),
        (1, template("classes that have one image each: {names}")),
    ):
        names = [name for name, have in zip(classes, counts, strict=False) if have == count]
        if names:
            shown = ", ".join(names[:NAMED])
            if len(names) > NAMED:
                shown = noted("{names} and {n} more", names=shown, n=len(names) - NAMED)
            said.append(noted(words, names=shown))
    return tuple(said)

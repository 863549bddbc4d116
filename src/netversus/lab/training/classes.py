"""Classes that there is little to learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NAMED = 5  # of them at most


def scarce_classes(labels: NDArray[np.int64], classes: tuple[str, ...]) -> tuple[str, ...]:
    """A line on the classes without a training image, and one on those with a single one, where there are such."""
    counts = np.bincount(labels, minlength=len(classes))
    said = []
    for count, words in ((0, "have no image to learn from and cannot be learned"), (1, "have one image each")):
        names = [name for name, have in zip(classes, counts, strict=False) if have == count]
        if names:
            shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
            said.append(f"classes that {words}: {shown}")
    return tuple(said)

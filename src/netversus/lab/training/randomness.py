"""Random numbers inside a training step: none outlives the step, so that none has to be remembered."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(*key: int) -> Iterator[np.random.Generator]:
    """Inside, every global generator (Python's, NumPy's, torch's on each device) follows from `key` alone; after it
    they are as before. So a step is a function of what it is given: a resumed network, and one that takes turns with
    others, draws the same dropout masks and crops as an undisturbed one. Yields a generator of its own besides.
    """
    before = (random.getstate(), np.random.get_state(), torch.get_rng_state())  # noqa: NPY002  libraries draw from it
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    words = np.random.SeedSequence(list(key)).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))  # noqa: NPY002
    torch.manual_seed(int(words[2]))
    try:
        yield np.random.default_rng([int(words[3]), *key])
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        torch.set_rng_state(before[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)

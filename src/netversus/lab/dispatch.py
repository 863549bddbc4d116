"""What those need who count a network's operations at torch's dispatcher."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def attention_in_the_open() -> Iterator[None]:
    """Without torch's fused attention layer, for which its own counter has no formula and counts nothing."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def storage_key(tensor: Tensor) -> int:
    """What identifies the memory behind a tensor, while it lives."""
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001  a data pointer is none where there are no data


def tensors(values: Iterable[object]) -> Iterator[Tensor]:
    """The tensors among values, within lists and tuples too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors(value)

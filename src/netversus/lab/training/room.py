"""Whether a step's images fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netversus.errors import CellError
from netversus.lab.devices import out_of_memory


@contextmanager
def fitting(batch: int) -> Iterator[None]:
    """What needs memory for a batch.

    Raises:
        CellError: there is too little.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise CellError(
            f"a batch of {batch} images does not fit in memory", hint=f"ask for batch={max(2, batch // 2)}"
        ) from error

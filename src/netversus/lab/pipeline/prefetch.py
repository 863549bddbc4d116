"""Threads that prepare the next batches while the last one is computed.

Threads and not processes: Pillow, simplejpeg, zlib and the file system let go of Python's lock while they work
(measured: two threads on two cores decode 1.8 times as fast as one), nothing is pickled or copied between processes,
and nothing is started anew. However many batches there are, at most `AHEAD` of them are under way or ready beside the
one in use, and one more from the moment at which the next is asked for until the last is let go.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

AHEAD = 2
MOST_WORKERS = 16

P = TypeVar("P")
T = TypeVar("T")


def default_workers() -> int:
    """A thread for each core that this process may use."""
    return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class Inline(Executor):
    """No threads: what is submitted is done at once."""

    def submit(self, work: Callable[..., T], /, *args: Any, **settings: Any) -> Future[T]:
        """A future that is done. What ends the process (Ctrl-C) passes through."""
        future: Future[T] = Future()
        try:
            future.set_result(work(*args, **settings))
        except Exception as error:  # noqa: BLE001  a future raises it where its result is asked for
            future.set_exception(error)
        return future


def executor(workers: int) -> Executor:
    """A pool of so many threads, or none."""
    return ThreadPoolExecutor(workers, thread_name_prefix="netversus-decode") if workers else Inline()


class Pending(Generic[P, T]):
    """Something whose parts are under way in other threads; `finish` makes it of them."""

    def __init__(self, parts: Sequence[Future[P]], finish: Callable[[list[P]], T]) -> None:
        self._parts = parts
        self._finish = finish
        self._result: list[T] = []

    @property
    def ready(self) -> bool:
        """Whether all its parts are done and none failed."""
        return all(part.done() and part.exception() is None for part in self._parts)

    def result(self) -> T:
        """It, once all its parts are done. Of several that failed the first one's error is raised, so that the
        error does not depend on which thread was faster."""
        if not self._result:
            self._result.append(self._finish([part.result() for part in self._parts]))
        return self._result[0]


def ahead_of(
    begin: Iterable[Pending[P, T]], pool: Executor, ahead: int, early: Callable[[T], None] = lambda _: None
) -> Iterator[T]:
    """The results in order, `ahead` of them begun before they are needed.

    `begin` begins one whenever it is asked for the next. `early` is called with the next one before the present one
    is given out, if it happens to be ready. However the iteration ends (an error, Ctrl-C, or the caller breaking off)
    what was not begun is cancelled, and no thread is left when it has ended.
    """
    waiting: deque[Pending[P, T]] = deque()
    try:
        for pending in begin:
            waiting.append(pending)
            if len(waiting) > ahead:
                yield _next(waiting, early)
        while waiting:
            yield _next(waiting, early)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _next(waiting: deque[Pending[P, T]], early: Callable[[T], None]) -> T:
    present = waiting.popleft().result()
    if waiting and waiting[0].ready:
        early(waiting[0].result())
    return present

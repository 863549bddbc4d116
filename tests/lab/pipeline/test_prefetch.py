"""What is done ahead, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from netversus.lab.pipeline.prefetch import Inline, Pending, ahead_of


def pending(part: Future[int]) -> Pending[int, int]:
    return Pending([part], lambda parts: parts[0])


def done(number: int) -> Future[int]:
    future: Future[int] = Future()
    future.set_result(number)
    return future


def test_the_next_that_is_ready_is_told_early_before_the_present_one_is_given_out():
    events: list[str] = []
    tell = events.append

    def begin() -> Iterator[Pending[int, int]]:
        for number in range(4):
            tell(f"begin {number}")
            yield pending(done(number))

    for given in ahead_of(begin(), Inline(), 2, lambda each: tell(f"early {each}")):
        tell(f"given {given}")
    assert events == [
        *("begin 0", "begin 1", "begin 2", "early 1", "given 0"),
        *("begin 3", "early 2", "given 1", "early 3", "given 2", "given 3"),
    ]


def test_what_is_not_ready_is_not_waited_for():
    parts = [done(0), Future[int](), done(2)]
    early: list[int] = []
    iterator = ahead_of(map(pending, parts), Inline(), 1, early.append)
    assert next(iterator) == 0
    assert early == []
    parts[1].set_result(1)
    assert next(iterator) == 1
    assert early == [2]
    iterator.close()


def test_what_failed_is_not_told_early_and_its_error_comes_at_its_place():
    parts = [done(0), Future[int](), done(2)]
    parts[1].set_exception(ValueError("the second"))
    early: list[int] = []
    iterator = ahead_of(map(pending, parts), Inline(), 1, early.append)
    assert next(iterator) == 0
    with pytest.raises(ValueError, match="the second"):
        next(iterator)
    assert 1 not in early


def test_with_nothing_ahead_nothing_is_early():
    early: list[int] = []
    assert list(ahead_of(map(pending, map(done, range(3))), Inline(), 0, early.append)) == [0, 1, 2]
    assert early == []

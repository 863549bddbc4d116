from __future__ import annotations

import time

import pytest

from netversus.lab.timing.busy import LISTEN_SECONDS, Others, Used, used


def others(*looks: tuple[float, float, float, float]) -> Others:
    """With what is seen at each look: the clock, seconds that there were, that anybody used, that this process used."""
    seen = iter(looks)
    return Others(lambda: Used(*next(seen)))


def test_what_this_process_used_is_not_others() -> None:
    listening = others((10, 100, 50, 20), (11, 102, 51.5, 21))  # two processors for a second
    assert listening.heard() == (pytest.approx(0.25),)


def test_each_telling_begins_where_the_last_ended() -> None:
    listening = others((0, 0, 0, 0), (1, 2, 2, 0), (2, 4, 2, 0))
    assert (listening.heard(), listening.heard()) == ((1.0,), (0.0,))


def test_a_moment_is_not_told_and_not_lost() -> None:
    short = LISTEN_SECONDS / 2
    listening = others((0, 0, 0, 0), (short, 2 * short, 2 * short, 0), (1, 2, 1, 0))
    assert listening.heard() == ()
    assert listening.heard() == (0.5,)


def test_ticks_that_are_counted_differently_leave_the_share_within_its_bounds() -> None:
    listening = others((0, 0, 0, 0), (1, 2, 1, 1.01), (2, 4, 3.02, 1.01))
    assert (listening.heard(), listening.heard()) == ((0.0,), (1.0,))


def test_a_system_that_does_not_count_is_not_said_to_be_quiet() -> None:
    """As in some containers, whose processors have no times."""
    assert others((0, 0, 0, 0), (1, 0, 0, 1)).heard() == ()


def test_the_work_of_this_process_is_counted_as_its_own() -> None:
    before, begin = used(), time.process_time()
    while time.process_time() - begin < 0.1:
        pass
    after = used()
    assert after.own - before.own == pytest.approx(time.process_time() - begin, abs=0.05)
    assert after.now > before.now

"""Freed memory is kept for the next batch, where the C library can be told so."""

from __future__ import annotations

import platform

import pytest

from netversus.lab.engines.memory import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_glibc_takes_the_setting_as_often_as_it_is_asked():
    """What it saves in page faults depends on how the process's memory lies: the benchmarks measure it."""
    assert keep_freed_memory()
    assert keep_freed_memory()


@pytest.mark.skipif(GLIBC, reason="the C library is glibc")
def test_elsewhere_it_does_nothing_and_says_so():
    assert not keep_freed_memory()

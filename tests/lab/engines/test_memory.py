"""Memory is kept: the next batch costs no page faults."""

from __future__ import annotations

import platform
import resource

import pytest
import torch

from netversus.lab.engines.memory import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_what_is_freed_is_used_again_without_page_faults():
    assert keep_freed_memory()
    faults = []
    for _ in range(12):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.empty(64 << 20, dtype=torch.uint8).fill_(1)  # 16,384 pages, or 32 huge ones
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert sum(faults[2:]) < 100


@pytest.mark.skipif(GLIBC, reason="the C library is glibc")
def test_elsewhere_it_does_nothing_and_says_so():
    assert not keep_freed_memory()

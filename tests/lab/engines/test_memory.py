"""Freed memory is kept for the next batch, where the C library can be told so."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from netversus.lab.bench import Bench
from netversus.lab.data.dataset import Dataset
from netversus.lab.engines.memory import keep_freed_memory
from netversus.records import ContenderCard, DataCard, Preprocessing
from netversus.studies.scaling.worker import Hired, work

GLIBC = platform.libc_ver()[0] == "glibc"


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_glibc_takes_the_setting_as_often_as_it_is_asked():
    """What it saves in page faults depends on how the process's memory lies: the benchmarks measure it."""
    assert keep_freed_memory()
    assert keep_freed_memory()


@pytest.mark.skipif(GLIBC, reason="the C library is glibc")
def test_elsewhere_it_does_nothing_and_says_so():
    assert not keep_freed_memory()


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_whoever_asks_a_bench_for_a_network_keeps_freed_memory(make_card: Callable[..., ContenderCard]):
    """Eager networks too, which no engine prepares: else their times rest on what ran before in the process."""
    card = make_card("resnet18", preprocessing=Preprocessing(crop=32, resize=None))
    data = Dataset(DataCard("digits", "digits", "digest", tuple("0123456789"), {}, 32), {})
    bench = Bench([card], data, None, 0, torch.device("cpu"), lambda *_: (), Path, lambda: None)
    keep_freed_memory.cache_clear()
    bench.ready(card)
    assert keep_freed_memory.cache_info().currsize == 1


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_a_worker_of_the_scaling_study_keeps_it_too():
    keep_freed_memory.cache_clear()
    threads = torch.get_num_threads()
    try:
        work(Hired((), (), classes=10, seed=0, weights={}, at_once=1), [], lambda _line: None)
    finally:
        torch.set_num_threads(threads)
    assert keep_freed_memory.cache_info().currsize == 1

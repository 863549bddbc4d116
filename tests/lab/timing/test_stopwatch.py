from __future__ import annotations

import gc
from contextlib import suppress

import pytest
import torch

from netversus.lab.timing.stopwatch import Stopwatch, undisturbed

CPU = torch.device("cpu")


def test_it_tells_the_seconds_between_begin_and_end() -> None:
    times = iter([1_000, 2_500_001_000])
    assert Stopwatch(CPU, lambda: next(times)).seconds(lambda: None) == 2.5


def test_on_an_accelerator_it_waits_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: seen.append(f"waited for {device}"))
    watch = Stopwatch(torch.device("cuda:1"), lambda: seen.append("looked") or 0)
    watch.seconds(lambda: seen.append("worked"))
    assert seen == ["waited for cuda:1", "looked", "worked", "waited for cuda:1", "looked"]


@pytest.mark.parametrize("was", [True, False])
def test_collector_and_autograd_stay_out_of_it_and_come_back_even_after_an_error(was: bool) -> None:
    (gc.enable if was else gc.disable)()
    try:
        with suppress(ValueError), undisturbed():
            inside = gc.isenabled(), torch.is_inference_mode_enabled()
            raise ValueError
        assert inside == (False, True)
        assert (gc.isenabled(), torch.is_inference_mode_enabled()) == (was, False)
    finally:
        gc.enable()

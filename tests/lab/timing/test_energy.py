from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from netversus.lab.timing.energy import Meter, find_meters, joules

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")


def zone(root: Path, folder: str, name: str, microjoules: int = 5_000_000) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    (path / "max_energy_range_uj").write_text("9999999\n")
    return path


def test_packages_are_metered_and_their_parts_are_not_counted_twice(tmp_path: Path) -> None:
    first = zone(tmp_path, "intel-rapl:0", "package-0")
    zone(tmp_path, "intel-rapl:0:0", "core")
    zone(tmp_path, "intel-rapl:1", "package-1")
    zone(tmp_path, "intel-rapl:2", "psys")
    meters = find_meters(CPU, tmp_path)
    assert [meter.name for meter in meters] == ["RAPL package-0", "RAPL package-1"]
    assert joules(meters, lambda: (first / "energy_uj").write_text("7500000")) == 2.5


def test_a_counter_that_began_again_is_understood(tmp_path: Path) -> None:
    path = zone(tmp_path, "intel-rapl:0", "package-0", 9_000_000)
    assert joules(find_meters(CPU, tmp_path), lambda: (path / "energy_uj").write_text("500000")) == pytest.approx(1.5)


def test_what_may_not_be_read_is_absent_and_not_zero(tmp_path: Path) -> None:
    path = zone(tmp_path, "intel-rapl:0", "package-0")
    (path / "energy_uj").unlink()
    (path / "energy_uj").mkdir()  # fails to be read, whoever we are
    assert find_meters(CPU, tmp_path) == ()
    assert find_meters(CPU, tmp_path / "none") == ()


def test_the_accelerator_is_found_by_its_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([1_000, 4_000, 9_000])  # millijoules; the first only asks whether it can
    nvml = ModuleType("pynvml")
    nvml.nvmlInit = lambda: None
    nvml.nvmlDeviceGetHandleByUUID = {"GPU-abc": "the card"}.__getitem__
    nvml.nvmlDeviceGetTotalEnergyConsumption = lambda handle: next(readings) if handle == "the card" else None
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: SimpleNamespace(uuid="abc"))
    meters = find_meters(CUDA, tmp_path)
    assert [meter.name for meter in meters] == ["NVML"]
    assert joules(meters, lambda: None) == 5.0
    assert find_meters(CPU, tmp_path) == ()


def test_without_nvml_there_is_no_meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_meters(CUDA, tmp_path) == ()


def test_meters_add_up() -> None:
    low, high = iter([0.0, 1.0]), iter([10.0, 15.0])
    assert joules([Meter("a", lambda: next(low)), Meter("b", lambda: next(high))], lambda: None) == 6.0

"""Checkpoints: whole or not at all, two of them, and never another training's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from netversus.errors import RunFolderError
from netversus.lab.training.checkpoint import Checkpoints, Pace

CPU = torch.device("cpu")
CONFIG = {"batch": 8, "seed": 3}


def state(step: int) -> dict[str, object]:
    return {"done": step, "weights": {"w": torch.full((1000,), float(step))}, "words": ["a", None, 0.5]}


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path: Path, warned: list[str]) -> Checkpoints:
    return Checkpoints(tmp_path / "state", CONFIG, warned.append)


def test_the_newest_comes_back_and_two_are_kept(folder: Checkpoints):
    assert folder.newest(CPU) is None
    for step in (5, 10, 15):
        folder.save(step, state(step))
    assert [path.name for path in folder.paths()] == ["checkpoint-000000000015.pt", "checkpoint-000000000010.pt"]
    back = folder.newest(CPU)
    assert back is not None
    assert back["done"] == 15
    assert torch.equal(back["weights"]["w"], torch.full((1000,), 15.0))
    assert back["words"] == ["a", None, 0.5]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    elif how == "nonsense":
        content = bytearray(b"<html>" * 100)
    else:
        at = content.find(torch.full((2,), 10.0).numpy().tobytes())
        assert at > 0
        content[at + 1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("how", ["cut", "empty", "nonsense", "one bit"])
def test_a_damaged_newest_is_named_and_the_one_before_it_taken(folder: Checkpoints, warned: list[str], how: str):
    folder.save(5, state(5))
    folder.save(10, state(10))
    damage(folder.paths()[0], how)
    back = folder.newest(CPU)
    assert back is not None
    assert back["done"] == 5
    assert len(warned) == 1
    assert "checkpoint-000000000010.pt is damaged" in warned[0]
    assert "\n" not in warned[0]


def test_with_both_damaged_it_begins_anew(folder: Checkpoints, warned: list[str]):
    for step in (5, 10):
        folder.save(step, state(step))
        damage(folder.paths()[0], "cut")
    assert folder.newest(CPU) is None
    assert len(warned) == 2


def test_without_a_listener_it_is_a_warning(tmp_path: Path):
    folder = Checkpoints(tmp_path, CONFIG)
    folder.save(5, state(5))
    damage(folder.paths()[0], "cut")
    with pytest.warns(RuntimeWarning, match="is damaged"):
        assert folder.newest(CPU) is None


def test_another_configuration_is_refused_and_named(folder: Checkpoints):
    folder.save(5, state(5))
    other = Checkpoints(folder.folder, {"batch": 16, "seed": 3})
    with pytest.raises(RunFolderError, match=r"a training with batch 8 \(now 16\)"):
        other.newest(CPU)


def test_what_a_killed_save_left_is_cleaned_up_and_never_read(folder: Checkpoints):
    folder.save(5, state(5))
    (folder.folder / ".checkpoint-000000000010.pt.tmp").write_bytes(b"half")
    assert folder.newest(CPU)["done"] == 5  # type: ignore[index]
    folder.save(15, state(15))
    assert sorted(path.name for path in folder.folder.iterdir()) == [
        "checkpoint-000000000005.pt",
        "checkpoint-000000000015.pt",
    ]


def test_a_full_disk_keeps_what_there_was(folder: Checkpoints, monkeypatch: pytest.MonkeyPatch):
    folder.save(5, state(5))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        folder.save(10, state(10))
    monkeypatch.undo()
    assert [path.name for path in folder.folder.iterdir()] == ["checkpoint-000000000005.pt"]
    assert folder.newest(CPU)["done"] == 5  # type: ignore[index]


def test_a_file_that_needs_more_than_tensors_is_not_opened(folder: Checkpoints, warned: list[str]):
    folder.folder.mkdir()
    torch.save({"config": "{}", "state": Path("/")}, folder.folder / "checkpoint-000000000005.pt")
    assert folder.newest(CPU) is None
    assert "is damaged" in warned[0]


def test_the_pace_is_kept_and_a_slow_disk_makes_it_rarer():
    pace = Pace(0.02)
    assert not pace.due()
    time.sleep(0.025)
    assert pace.due()
    pace.keep(lambda: time.sleep(0.01))
    time.sleep(0.05)
    assert not pace.due()  # 0.01 s of writing is 1.5 % of 0.67 s, cut to twenty times the usual interval
    time.sleep(0.4)
    assert pace.due()
    assert Pace(0.0).due()

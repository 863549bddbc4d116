from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netversus.lab.data.cache import PixelCache, cache_folder

SHAPE = (3, 16, 16)


def pixels(place: int) -> np.ndarray:
    return np.random.default_rng(place).integers(0, 256, SHAPE, np.uint8)


def found(cache: PixelCache, place: int) -> bool:
    """Whether an image is there; if so, it is the right one."""
    into = np.zeros(SHAPE, np.uint8)
    there = cache.read(place, into)
    assert not there or np.array_equal(into, pixels(place))
    return there


@pytest.fixture
def filled() -> PixelCache:
    cache = PixelCache("data", "exact", shape=SHAPE)
    for place in range(4):
        cache.write(place, pixels(place))
    return cache


def test_what_was_written_is_read_by_the_next_run(filled, cache):
    filled.close()
    again = PixelCache("data", "exact", shape=SHAPE)
    assert again.path.parent == cache == cache_folder()
    assert [found(again, place) for place in range(6)] == [True] * 4 + [False] * 2


def test_places_in_any_order_and_with_holes(cache):
    several = PixelCache("data", shape=SHAPE)
    for place in (900, 3, 77):
        several.write(place, pixels(place))
    assert [found(several, place) for place in (3, 4, 77, 900, 901)] == [True, False, True, True, False]


def test_other_data_or_another_preparation_is_another_file(filled):
    for parts in (("other data", "exact"), ("data", "fast"), ("data",)):
        assert not any(found(PixelCache(*parts, shape=SHAPE), place) for place in range(4))
    assert PixelCache("data", "exact", shape=(3, 8, 32)).path != filled.path


def test_a_file_under_another_files_name_is_no_hit(filled):
    other = PixelCache("other data", shape=SHAPE)
    other.path.write_bytes(filled.path.read_bytes())
    assert not any(found(PixelCache("other data", shape=SHAPE), place) for place in range(4))


def test_a_file_that_was_cut_or_damaged_is_mended_slot_by_slot(filled):
    content = bytearray(filled.path.read_bytes())
    content[len(content) // 4 + 100] ^= 1  # in the second slot
    filled.path.write_bytes(content[:-10])  # the last one lacks its end
    cut = PixelCache("data", "exact", shape=SHAPE)
    assert [found(cut, place) for place in range(4)] == [True, False, True, False]
    for place in (1, 3):
        cut.write(place, pixels(place))
    assert all(found(cut, place) for place in range(4))


def test_a_file_that_is_shortened_while_it_is_open_is_a_miss_and_no_crash(filled):
    os.truncate(filled.path, 100)
    assert not any(found(filled, place) for place in range(4))
    filled.write(2, pixels(2))
    assert found(filled, 2)


def test_a_file_of_something_else_is_a_miss(cache):
    there = PixelCache("data", shape=SHAPE)
    there.path.write_bytes(os.urandom(10_000))
    assert not any(found(there, place) for place in range(4))


def test_a_full_disk_ends_the_writing_and_not_the_reading(filled, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwritev", full)
    filled.write(7, pixels(7))
    monkeypatch.undo()
    filled.write(8, pixels(8))
    assert found(filled, 0)
    assert not found(filled, 7)
    assert not found(filled, 8)


def test_a_write_that_was_cut_off_is_a_miss(filled, monkeypatch):
    pwritev = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda file, parts, at: pwritev(file, [parts[0][:50]], at))
    filled.write(7, pixels(7))
    assert not found(filled, 7)


def test_a_folder_that_cannot_be_used_costs_nothing_but_the_cache(tmp_path: Path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    nothing = PixelCache("data", shape=SHAPE, folder=blocked)
    nothing.write(0, pixels(0))
    assert not found(nothing, 0)
    nothing.close()


WRITER = """
import sys
from pathlib import Path
import numpy as np
from netversus.lab.data.cache import PixelCache
cache = PixelCache("shared", shape=(3, 16, 16), folder=Path(sys.argv[1]))
images = [np.random.default_rng(place).integers(0, 256, (3, 16, 16), np.uint8) for place in range(50)]
for _ in range(100):
    for place, image in enumerate(images):
        cache.write(place, image)
"""


def test_processes_that_write_and_read_at_once_see_whole_images_only(tmp_path: Path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) for _ in range(2)]
    reader, hits = PixelCache("shared", shape=SHAPE, folder=tmp_path), 0
    while any(writer.poll() is None for writer in writers):
        hits += sum(found(reader, place) for place in range(50))  # `found` fails on a torn image
    assert [writer.returncode for writer in writers] == [0, 0]
    assert all(found(reader, place) for place in range(50))
    assert hits


def test_the_pictures_are_for_the_user_alone(filled):
    assert filled.path.stat().st_mode & 0o077 == 0

"""Files that are only looked at: nothing is written, no link is followed, nothing above the folder is reached."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from netversus.browse.read_only import ReadOnlyFiles
from netversus.browse.shelf import Shelf, key_of
from netversus.errors import RunFolderError

from .conftest import Writer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.txt").write_text("secret")
    inner = tmp_path / "open" / "cells"
    inner.mkdir(parents=True)
    (inner / "a.txt").write_text("seen")
    (inner / "link.txt").symlink_to(tmp_path / "secret" / "key.txt")
    (tmp_path / "open" / "linked").symlink_to(tmp_path / "secret")
    os.mkfifo(inner / "pipe")
    return tmp_path / "open"


def test_a_file_is_read_as_it_is(folder: Path):
    files = ReadOnlyFiles(folder)
    assert files.read("cells/a.txt") == b"seen"
    assert files.names("cells") == ["a.txt"]
    assert files.below("cells").read("a.txt") == b"seen"
    assert files.below("cells").exists("a.txt")
    assert files.names("nothing") == []


@pytest.mark.parametrize(
    "name",
    ["cells/link.txt", "linked/key.txt", "../secret/key.txt", "cells/../../secret/key.txt", "cells/pipe", "cells"],
)
def test_no_link_no_pipe_and_nothing_above_is_read(folder: Path, name: str):
    files = ReadOnlyFiles(folder)
    assert not files.exists(name)
    with pytest.raises(OSError):  # noqa: PT011 -- which one is the system's
        files.read(name)


def test_an_absolute_name_is_none(folder: Path):
    with pytest.raises(FileNotFoundError):
        ReadOnlyFiles(folder).read(str(folder / "cells" / "a.txt"))


def test_a_folder_that_becomes_a_link_below_is_not_followed(folder: Path):
    below = ReadOnlyFiles(folder).below("cells")
    (folder / "cells").rename(folder / "old")
    (folder / "cells").symlink_to(folder.parent / "secret")
    assert not below.exists("key.txt")


def test_nothing_can_be_written(folder: Path):
    files = ReadOnlyFiles(folder)
    for attempt in (
        lambda: files.write("x", b""),
        files.scratch,
        lambda: files.held().__enter__(),
        lambda: files.below("cells").write("x", b""),
    ):
        with pytest.raises(RunFolderError, match="only looked at"):
            attempt()


def test_the_shelf_holds_runs_and_no_links_to_runs(make_run: Callable[..., Writer], tmp_path: Path):
    make_run("one")
    make_run("group/two")
    elsewhere = make_run("../elsewhere/three").store.path
    (tmp_path / "runs" / "four").symlink_to(elsewhere)
    (tmp_path / "runs" / "five").mkdir()
    (tmp_path / "runs" / "five" / "run.json").symlink_to(elsewhere / "run.json")
    shelf = Shelf(str(tmp_path / "runs"))
    entries = {entry.name: entry for entry in shelf.entries()}
    assert set(entries) == {"one", "group/two", "five"}
    assert entries["five"].state == "cannot be read"
    assert shelf.open(entries["group/two"].key)[0] == "group/two"
    with pytest.raises(KeyError):
        shelf.open(key_of("../elsewhere/three"))


def test_a_run_s_key_is_a_plain_name():
    for name in ("..", "a/b", "<script>", "\udcff", "ａ", "x" * 400):
        key = key_of(name)
        assert key.strip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == ""
        assert 9 <= len(key) <= 69
    assert key_of("a b") != key_of("a-b")


def test_a_shelf_of_what_is_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(RunFolderError, match="there is no folder"):
        Shelf(str(tmp_path / "nowhere"))

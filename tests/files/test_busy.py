"""Whether somebody works on a place, told by reading alone."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from netversus.files import LocalFiles, open_files
from netversus.files.objects import STALE_SECONDS


def test_a_folder_that_another_process_holds_is_busy(tmp_path: Path):
    files = LocalFiles(tmp_path)
    if files.busy() is None:
        pytest.skip("this system has no list of locks")
    assert files.busy() is False
    script = (
        "import sys\nfrom pathlib import Path\nfrom netversus.files import LocalFiles\n"
        f"with LocalFiles(Path({str(tmp_path)!r})).held():\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    assert files.busy() is True
    holder.communicate("")
    assert files.busy() is False


def test_asking_holds_nothing(tmp_path: Path):
    files = LocalFiles(tmp_path)
    with files.held():
        assert files.busy() in (True, None)
    with files.held():
        pass


def test_an_object_store_is_busy_while_its_holder_is_heard_of(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("fsspec")
    files = open_files(f"memory://{uuid.uuid4().hex}/run")
    assert files.busy() is False
    with files.held():
        assert files.busy() is True
        monkeypatch.setattr("netversus.files.objects.STALE_SECONDS", -STALE_SECONDS)
        assert files.busy() is False  # long silent: it was killed
    assert files.busy() is False

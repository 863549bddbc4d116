"""Files in an object store, through fsspec. An object is put in one request: a reader sees all of it or nothing.

What a store cannot do, a run does not need: there is no rename and no append, and every cell may be run twice, because
parts carry their writer's mark and a unit counts once. So the hold on a run is a courtesy to people who start the same
run twice, not what correctness rests on.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from netversus.errors import MissingExtraError, NetversusError, RunFolderError
from netversus.files.base import Files

HOLD: Final = "lock.json"
BEAT_SECONDS = 20.0
STALE_SECONDS = 120.0  # six beats: a holder that has not been heard of for so long is gone


class ObjectFiles(Files):
    """Objects below an address such as s3://bucket/run."""

    def __init__(self, address: str) -> None:
        self._system, self._root = _open(address)
        self.place = without_secrets(address)
        self.address = address

    def read(self, name: str) -> bytes:
        """An object's bytes."""
        with _as_os_error(self.place):
            return bytes(self._system.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Put an object, in one request."""
        with _as_os_error(self.place):
            self._system.pipe_file(self._path(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Put an object unless there is one: the store itself decides who is first."""
        try:
            with _as_os_error(self.place):
                self._system.pipe_file(self._path(name), content, mode="create")
        except FileExistsError:
            return False
        return True

    def exists(self, name: str) -> bool:
        """Whether there is an object of that name."""
        with _as_os_error(self.place):
            self._system.invalidate_cache()
            return bool(self._system.isfile(self._path(name)))

    def names(self, folder: str) -> list[str]:
        """The objects directly below a prefix, as the store lists them now."""
        with _as_os_error(self.place):
            self._system.invalidate_cache()
            try:
                found = self._system.ls(self._path(folder), detail=True)
            except FileNotFoundError:
                return []
        return sorted(each["name"].rsplit("/", 1)[-1] for each in found if each["type"] == "file")

    def empty(self) -> bool:
        """Whether nothing lies below the address."""
        with _as_os_error(self.place):
            self._system.invalidate_cache()
            try:
                return not self._system.ls(self._root, detail=False)
            except FileNotFoundError:
                return True

    def below(self, folder: str) -> ObjectFiles:
        """The objects below a longer prefix."""
        other = object.__new__(ObjectFiles)
        other._system, other._root = self._system, self._path(folder)
        other.place, other.address = f"{self.place}/{folder}", f"{self.address}/{folder}"
        return other

    def local(self, name: str) -> Path:
        """A copy, renamed into its place when it is whole."""
        target = self.scratch() / "copies" / name.replace("/", "_")
        content = self.read(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
        temporary.write_bytes(content)
        os.replace(temporary, target)
        return target

    def scratch(self) -> Path:
        """A folder of this machine, named by the address: what is half done is done again on another machine."""
        name = hashlib.sha256(f"{self._root}".encode()).hexdigest()[:24]
        path = Path(tempfile.gettempdir()) / f"netversus-{os.getuid()}" / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run, and say so every few seconds by the store's own clock."""
        mark = json.dumps({"token": uuid.uuid4().hex, "host": socket.gethostname(), "process": os.getpid()}).encode()
        self._take(mark)
        ended = threading.Event()
        beating = threading.Thread(target=self._beat, args=(mark, ended), daemon=True)
        beating.start()
        try:
            yield
        finally:
            ended.set()
            beating.join(BEAT_SECONDS)
            with suppress(OSError):
                if self.read(HOLD) == mark:
                    self._system.rm_file(self._path(HOLD))

    def busy(self) -> bool | None:
        """Whether a holder was heard of lately, by this machine's clock: a wrong one is mistaken."""
        with _as_os_error(self.place):
            self._system.invalidate_cache()
            try:
                then = self._modified(HOLD)
            except FileNotFoundError:
                return False
        return (datetime.now(UTC) - then).total_seconds() < STALE_SECONDS

    def _take(self, mark: bytes) -> None:
        """Put the mark where there is none; a stale one is removed first."""
        for last in (False, True):
            try:
                with _as_os_error(self.place):
                    self._system.pipe_file(self._path(HOLD), mark, mode="create")
            except FileExistsError:
                if last or self._age() < STALE_SECONDS:
                    raise RunFolderError(
                        f"another process is working on {self.place}",
                        hint=f"wait for it to end; one that was killed is forgotten after {STALE_SECONDS:.0f} s",
                    ) from None
                with suppress(FileNotFoundError):
                    self._system.rm_file(self._path(HOLD))
            except OSError as error:
                raise RunFolderError(f"cannot write the run folder {self.place}: {error}") from None
            else:
                return

    def _age(self) -> float:
        """Seconds since the holder was last heard of, both times by the store's clock: ours may be wrong."""
        probe = f"probe-{uuid.uuid4().hex}"
        with _as_os_error(self.place):
            self._system.pipe_file(self._path(probe), b"")
            self._system.invalidate_cache()
            try:
                now, then = self._modified(probe), self._modified(HOLD)
            except FileNotFoundError:
                return STALE_SECONDS  # it was let go of meanwhile
            finally:
                self._system.rm_file(self._path(probe))
        return (now - then).total_seconds()

    def _modified(self, name: str) -> datetime:
        time: datetime = self._system.modified(self._path(name))
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    def _beat(self, mark: bytes, ended: threading.Event) -> None:
        """Until the hold ends, or another process has taken it: this one was asleep for too long, and must not take it
        back."""
        while not ended.wait(BEAT_SECONDS):
            with suppress(OSError):
                if self.exists(HOLD) and self.read(HOLD) != mark:
                    return
                self.write(HOLD, mark)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else str(self._root)


def without_secrets(address: str) -> str:
    """An address without a user's name and password, and without its query: it goes into reports."""
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}".rstrip("/")


def _refuse_secrets(address: str) -> None:
    """An address travels to workers and is written in commands that people copy, so it holds no secret."""
    scheme, _, rest = address.partition("://")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if ":" in user or "?" in rest or (at and scheme in ("s3", "gs", "gcs")):
        raise RunFolderError(
            f"the address of a run must hold no password and no query: {without_secrets(address)}",
            hint="give credentials through the environment, as the store's own tools take them",
        )


def _open(address: str) -> tuple[Any, str]:
    _refuse_secrets(address)
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtraError("fsspec", "cloud", without_secrets(address)) from None
    scheme = address.partition("://")[0]
    try:
        system, root = url_to_fs(address, use_listings_cache=False)
    except ImportError:
        raise MissingExtraError({"s3": "s3fs", "gs": "gcsfs"}.get(scheme, scheme), "cloud", f"{scheme}://") from None
    except (ValueError, NetversusError) as error:
        raise RunFolderError(f"no file system is known for {without_secrets(address)}: {error}") from None
    return system, str(root).rstrip("/")


@contextmanager
def _as_os_error(place: str) -> Iterator[None]:
    """Stores raise errors of their own families; the run knows OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{place}: {type(error).__name__}: {error}") from error

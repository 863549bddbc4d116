from __future__ import annotations

import hashlib
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import huggingface_hub.constants
import pytest

from netversus.records import DataCard

GOLF_BALL, TENCH, GOLDEN_RETRIEVER = "n03445777", "n01440764", "n02099601"
COMMIT = "c0ffee" + 34 * "0"


@pytest.fixture
def synset_data(data_card: DataCard) -> DataCard:
    """Images of three of ImageNet's classes, in an order that is not ImageNet's."""
    return replace(
        data_card, name="three", classes=(GOLF_BALL, TENCH, GOLDEN_RETRIEVER), splits={"test": 30}, image_size=None
    )


@pytest.fixture
def closed() -> str:
    """The address of a port on this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(autouse=True)
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TORCH_HOME: nothing that this machine holds is found. The folder of its checkpoints."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(autouse=True)
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hugging Face hub. The library reads HF_HOME once, at its import."""
    folder = tmp_path / "huggingface"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def hub_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the hub be at another address."""

    def move(address: str) -> None:
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    return move


@pytest.fixture
def no_network(closed: str, hub_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """No server answers, whatever network the machine has: all goes through a proxy that is not there."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, closed)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it remembers the proxies of its first use
    hub_at(closed)


@pytest.fixture
def cache_in_hub(hub_cache: Path) -> Callable[..., Path]:
    """Where a file of a repository lies in the hub's cache, its snapshot's folder made."""

    def place(repository: str, file: str, commit: str = COMMIT) -> Path:
        root = hub_cache / f"models--{repository.replace('/', '--')}"
        (root / "refs").mkdir(parents=True, exist_ok=True)
        (root / "refs" / "main").write_text(commit)
        folder = root / "snapshots" / commit
        folder.mkdir(parents=True, exist_ok=True)
        return folder / file

    return place


class Server:
    """An HTTP server on this machine. `files` maps a path to its content; it counts what it is asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._head()

            def do_GET(self) -> None:
                server.asked.append(self.path)
                if self._head():
                    self.wfile.write(server.files[self.path])

            def _head(self) -> bool:
                content = server.files.get(self.path)
                self.send_response(404 if content is None else 200)
                if content is None:  # as the hub tells a missing file from a missing repository
                    self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", str(len(content or b"")))
                self.send_header("ETag", f'"{hashlib.sha256(content or b"").hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.end_headers()
                return content is not None

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that no proxy stands before."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(urllib.request, "_opener", None)
    with Server() as running:
        yield running
